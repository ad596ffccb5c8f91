"""Subdatasets in which a job that succeeded saved something itself: the datasets above them are told.

Where a command makes commits of its own, as `datalad create -d .` does, DataLad saves what it left inside
of subdatasets, but not the new commits of those (seen with DataLad 1.7.1). No job could start after that one,
and what it made would be named by no commit.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from wtwatch.doors.refs import head_of
from wtwatch.doors.repo import GITLINK, Repo, break_lock
from wtwatch.job.attempt import Order
from wtwatch.job.readiness import listed
from wtwatch.tree.states import After, Before, added
from wtwatch.words.model import Sha


def record(order: Order, before: Before, after: After) -> None:
    """Save the new commits of subdatasets in the datasets above them, deepest first; code never.

    Only what ``after`` adds to ``before`` is the job's. Safe to be cut off and to be done again: what is
    recorded already is left as it is. Raises :class:`WtwatchError`.
    """
    code = order.code_path.relative_to(order.run_tree).as_posix()
    paths = [dataset.path for dataset in after.datasets]
    moved = {
        os.path.join(path, change.path)  # noqa: PTH118 - words alone; the top has none
        for path in paths
        for change in added(before, after, path)
        if change.gitlink and path != code
    }
    for path in reversed(paths):  # they are listed outside in
        links = [one for one in sorted(moved - {code}) if _above(one, paths) == path]
        links = [one for one in links if os.path.lexists(order.run_tree / one / ".git")]
        if links and _record(order, path, links) and path:
            moved.add(path)


def _above(path: str, datasets: Sequence[str]) -> str:
    """Return the innermost of the ``datasets`` that a subdataset lies in."""
    return max((one for one in datasets if not one or path.startswith(f"{one}/")), key=len)


def _record(order: Order, path: str, links: Sequence[str]) -> bool:
    """Have the dataset at ``path`` name the commits at which its subdatasets ``links`` stand.

    Returns whether it has a new commit by that.
    """
    repo = Repo(order.run_tree / path)
    names = {os.path.relpath(one, path or "."): head_of(Repo(order.run_tree / one)) for one in links}
    wanted = {name: commit for name, commit in names.items() if commit}
    head = head_of(repo)
    if head is None or not wanted:
        return False
    there = repo.tree(head, *wanted)
    lacking = {name: at for name, at in wanted.items() if name not in there or there[name].sha != at}
    if lacking:
        _commit(repo, order, head, lacking)
    index = repo.git_dir() / "index"
    break_lock(index)
    entries = "".join(f"{GITLINK} {commit}\t{name}\0" for name, commit in wanted.items())
    repo.git("update-index", "-z", "--index-info", stdin=entries)
    return bool(lacking)


def _commit(repo: Repo, order: Order, head: Sha, links: dict[str, Sha]) -> None:
    tree: str = head
    for name, commit in links.items():
        tree = repo.with_gitlink(tree, name, commit)
    message = (
        f"Record {listed(sorted(links))} as job {order.job} left it\n\n"
        "The job saved what it made inside, and left the superdataset to be told.\n\n"
        f"Attempt: {order.uuid}\n"
    )
    made = repo.commit_tree(tree, [head], message)
    branch = repo.branch()
    if branch is None:
        repo.detach(made)
    else:
        repo.update_ref(f"refs/heads/{branch}", made, head, f"job {order.job}")
