"""Carry a bring out in a run tree: a dataset at a time, in a journal first, all files whole in the end."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from wtwatch.bring.steps import Coming, Step
from wtwatch.doors import links, refs
from wtwatch.doors.journal import Journal
from wtwatch.doors.repo import GITLINK, UNFILTERED, Repo
from wtwatch.project.tree import RunTree
from wtwatch.tree import bytecode, checkout, diff, ending, keeping, nested, save, vouching
from wtwatch.tree.busy import gits_in
from wtwatch.words.errors import Busy, CommandFailed, WtwatchError
from wtwatch.words.model import Sha, now
from wtwatch.words.quoting import quoted


def journal(tree: RunTree) -> Journal:
    """Return the journal of a bring."""
    return tree.journal("bring")


def carry_out(tree: RunTree, coming: Coming, complete: Callable[[], None]) -> None:
    """Do the steps; ``complete`` makes the worktrees of subdatasets that came. The caller holds the lock.

    Cut off, it is gone on with by :func:`recover`. Raises :class:`WtwatchError` where git refuses a step;
    then the ones before it are done, and each :func:`recover` tries the rest.
    """
    links_gone = (change for change in coming.changes if change.mode_before == GITLINK)
    left = [change.path for change in links_gone if change.mode_after != GITLINK]
    there = [path for path in left if os.path.lexists(tree.path / path / ".git")]
    facts = {
        "steps": json.dumps(coming.steps),
        "left": json.dumps({path: str(Repo(tree.path / path).git_dir()) for path in there}),
        "aside": str(tree.shelf / "removed" / f"{now():%Y%m%dT%H%M%S%f}"),
        "at": "0",
        "release": coming.source.release or "",
        "whose": coming.source.whose,
    }
    journal(tree).open(facts)
    _go_on(tree, facts, complete, begun=-1)


def recover(tree: RunTree, complete: Callable[[], None]) -> None:
    """Go on with a bring that was cut off, with the lock of the tree held by the caller.

    Raises :class:`Busy` while its git is still at work, and what :func:`carry_out` does.
    """
    facts = journal(tree).read()
    if facts is None:
        return
    alive = gits_in(tree.path)
    if alive:
        raise Busy(
            f"git (pid {alive[0].pid}) is still at work in {tree.path} on what comes from main.",
            "It goes on by itself when that git has ended.",
        )
    _go_on(tree, facts, complete, begun=int(facts["at"]))


def _go_on(tree: RunTree, facts: dict[str, str], complete: Callable[[], None], begun: int) -> None:
    steps = [Step(path, branch, Sha(old), Sha(new)) for path, branch, old, new in json.loads(facts["steps"])]
    for number, step in enumerate(steps):
        if number > max(begun, 0):
            journal(tree).open(facts | {"at": str(number)})
        take(tree, step, begun=number <= begun, whose=facts.get("whose", "main"))
    for path, admin in json.loads(facts["left"]).items():
        _set_aside(tree.path / path, Path(facts["aside"]) / path, Path(admin))
    if nested.lacks_some(tree.project) or any(_has_new_subdataset(tree, step) for step in steps):
        complete()
    refs = {tree.known_ref: steps[-1].new} if tree.project.paths else {}
    if release := Sha(facts.get("release", "")):
        refs |= {tree.applied_ref: release, save.keep_ref(release): release}
    if refs:
        Repo(tree.path).update_refs(refs, why="sync")
    journal(tree).close()
    annexed = [step for step in steps if (Repo(tree.path / step.path).common_dir() / "annex").is_dir()]
    repos = [Repo(tree.path / step.path) for step in annexed]
    came = (diff.between(repo, step.old, step.new) for repo, step in zip(repos, annexed, strict=True))
    vouching.vouch(repos, sum(map(len, came)))


def _has_new_subdataset(tree: RunTree, step: Step) -> bool:
    changes = diff.between(Repo(tree.path / step.path), step.old, step.new)
    return any(change.mode_after == GITLINK != change.mode_before for change in changes)


def take(tree: RunTree, step: Step, begun: bool, whose: str = "main") -> None:
    """Take one dataset to its new commit; it may be there already, or half-way if it was ``begun``.

    ``whose`` is in words who has what it gets. Raises :class:`WtwatchError` where git refuses, or somebody
    took it elsewhere.
    """
    repo = Repo(tree.path / step.path)
    head = checkout.settle(repo, step.old, step.new) if begun else refs.head_of(repo)
    changes = diff.between(repo, step.old, step.new)
    plain = not begun and checkout.are_no_matter_of_annex(repo, changes)
    if head == step.old != step.new:
        _check_out(repo, step, UNFILTERED if plain else (), whose)
    elif head != step.new:
        where = f"-B {quoted(step.branch)}" if step.branch else "--detach"
        raise WtwatchError(
            f"Somebody took {repo.path} to {head}, while what {whose} has was on its way there.",
            f"Take it back: git -C {quoted(repo.path)} checkout {where} {step.old}",
        )
    written = checkout.written(changes)
    if bytecode.is_of(changes) or not checkout.are_whole(repo, changes):
        known = checkout.tags(repo, changes)
        checkout.make_whole(repo, written, known)
        bytecode.drop(repo, changes, known)
    if not plain:
        ending.fill_in(repo, written if begun else None)


def _check_out(repo: Repo, step: Step, settings: Sequence[str], whose: str) -> None:
    """Have git change the files, never over one that it does not track, nor over an edit."""
    if not step.branch:
        words = ["checkout", "-q", "--no-overwrite-ignore", "--detach", step.new]
    elif not step.path or repo.is_ancestor(step.old, step.new):  # a bring is a child of what the tree is at
        words = ["merge", "-q", "--ff-only", "--no-autostash", "--no-overwrite-ignore", step.new]
    else:  # main's history of this subdataset was rewritten; what results name of it stays
        repo.update_refs({f"{keeping.PREFIX}{step.old}": step.old}, why="named by results")
        words = ["checkout", "-q", "--no-overwrite-ignore", "-B", step.branch, step.new]
    try:
        repo.git(*settings, *words)
    except CommandFailed as error:
        raise WtwatchError(
            f"Git refused to bring what {whose} has into {repo.path}, and left it as it was:\n"
            f"{error.stderr.strip()}",
            "Commit or move away what it names; then it goes on by itself, or with `wtwatch sync`.",
        ) from error


def _set_aside(place: Path, aside: Path, admin: Path) -> None:
    """Move the worktree of a subdataset that main removed out of the run tree, as it is; may be cut off."""
    if os.path.lexists(place / ".git"):
        aside.parent.mkdir(parents=True, exist_ok=True)
        place.rename(aside)
    if os.path.lexists(aside / ".git") and admin.is_dir():
        links.tie(aside / ".git", admin)
    with suppress(OSError):
        place.rmdir()
