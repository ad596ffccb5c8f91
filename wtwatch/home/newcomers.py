"""Repositories that the main tree does not have yet, on their way home.

They were made in the run tree. Each changes places with a link, so that all that it holds comes along as it
is, commits and annexed content, while the run tree's worktree of it stays what it is: nothing is copied.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from wtwatch.doors.exchange import end_cut_off, exchange
from wtwatch.doors.files import sync_disk, sync_folder
from wtwatch.doors.porcelain import parse_tree
from wtwatch.doors.repo import GITLINK, Repo
from wtwatch.project.config import Project
from wtwatch.project.tree import RunTree
from wtwatch.tree import checkout, nested
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Sha
from wtwatch.words.quoting import quoted


class Newcomer(NamedTuple):
    """A subdataset that the main tree gets as a repository: its path, its commit, and where git can read it.

    ``own``: its git directory lies in the run tree as yet.
    """

    path: str
    commit: Sha
    source: Path
    own: bool


def find(project: Project, targets: Mapping[str, Sha], missing: Collection[str]) -> tuple[Newcomer, ...]:
    """Return the repositories that the main tree lacks for the commits that it will be at, outside in.

    ``targets`` are those commits for datasets which change, by path, ``missing`` subdatasets that were seen
    to be lacking there. What the main tree has no entry for (any more) is none of it.
    """
    homes, found = nested.kept(project), dict[str, Newcomer]()
    asked = sorted({*missing, *nested.away(project)})
    while asked:
        path = asked.pop(0)
        place, kept = project.run_tree / path, homes.get(path)
        own = nested.is_own(place)
        source = place if own else kept.parent if kept else None
        commit = _named(project, targets, found, path)
        if source and commit and path not in found and path != project.code:
            found[path] = Newcomer(path, commit, source, own)
            asked += [f"{path}/{name}" for name in _gitlinks(found[path])]
    return tuple(found[path] for path in sorted(found, key=lambda path: path.split("/")))


def _named(
    project: Project, targets: Mapping[str, Sha], found: Mapping[str, Newcomer], path: str
) -> Sha | None:
    """Return the commit that the main tree is going to name for a subdataset, if it names one."""
    parts = path.split("/")
    for depth in range(len(parts) - 1, -1, -1):
        above, name = "/".join(parts[:depth]), "/".join(parts[depth:])
        if above in found:
            repo, commit = Repo(found[above].source), str(found[above].commit)
        elif (project.main_tree / above / ".git").exists():
            repo, commit = Repo(project.main_tree / above), targets.get(above, "HEAD")
        else:
            continue
        entry = repo.tree(commit, name).get(name)
        return entry.sha if entry and entry.mode == GITLINK else None
    return None


def _gitlinks(newcomer: Newcomer) -> Iterator[str]:
    listing = Repo(newcomer.source).git("ls-tree", "-r", "-z", "--full-tree", newcomer.commit)
    return (entry.path for entry in parse_tree(listing) if entry.mode == GITLINK)


def check(project: Project, newcomers: Collection[Newcomer]) -> None:
    """Raise :class:`WtwatchError` where a repository cannot be placed, so that nothing is done by half."""
    for one in newcomers:
        if Repo(one.source).resolve(one.commit) is None:
            raise WtwatchError(
                f"{one.source} lacks the commit {one.commit[:10]} that the results name.",
                f"Look at `git -C {quoted(one.source)} log --all`.",
            )
        if one.own and (problem := nested.obstacle(one.source)):
            raise problem
        _check_place(project.main_tree, one)


def _check_place(main: Path, one: Newcomer) -> None:
    place = main / one.path
    again = f"Move it away: mv {quoted(place)} {quoted(f'{place}.before')}   then `wtwatch merge` again."
    if os.path.lexists(place / ".git"):
        raise WtwatchError(
            f"{place} is another repository than the one of that name in the run tree. Nothing was changed.",
            f"What is only in yours is kept if you move it. {again}",
        )
    for above in (*reversed(place.relative_to(main).parents[:-1]), place.relative_to(main)):
        there = main / above
        if there.is_symlink() or (os.path.lexists(there) and not there.is_dir()):
            raise WtwatchError(
                f"{there} is in the way of the repository {one.path}. Nothing was changed.",
                f"Move it away: mv {quoted(there)} {quoted(f'{there}.before')}   then `wtwatch merge` again.",
            )
    if place.is_dir() and any(place.iterdir()):
        raise WtwatchError(
            f"{place} holds files where the repository {one.path} has to be. Nothing was changed.", again
        )


def take_in(project: Project, newcomers: Collection[Newcomer]) -> None:
    """Take in those that lie in the run tree as yet, with its lock held by the caller."""
    nested.take_in(RunTree.of(project), [one.path for one in newcomers if one.own])


def place(project: Project, path: str, commit: Sha) -> None:
    """Bring one home that was taken in: as a repository of the main tree, its files as at ``commit``.

    Safe to be cut off at any instant and to be done again; files that are there already are left as they are.
    Raises :class:`checkout.NotWhole`.
    """
    here, home = project.main_tree / path, project.state / nested.KEPT / path / ".git"
    link = here / ".git"
    here.mkdir(parents=True, exist_ok=True)
    if not os.path.lexists(link) or not os.path.lexists(home):
        end_cut_off(home, link)
    if nested.is_own(home.parent):
        link.unlink(missing_ok=True)
        link.symlink_to(os.path.relpath(link.parent.resolve() / ".git", home.parent.resolve()))
        sync_disk(home)
        exchange(home, link)
        sync_folder(home.parent)
        sync_folder(here)
    _check_out(Repo(here), commit)


def _check_out(repo: Repo, commit: Sha) -> None:
    """Put the branch of a repository that is new here to a commit, and write its files."""
    begun = (repo.git_dir() / "index").exists()
    if repo.resolve("HEAD") != commit:
        if begun:  # this was cut off at its end, and somebody went on since
            return
        repo.git("update-ref", "-m", "wtwatch: brought home", "HEAD", commit)
    if not begun:
        (repo.git_dir() / "index.lock").unlink(missing_ok=True)
        repo.git("read-tree", commit)
    listing = parse_tree(repo.git("ls-tree", "-r", "-z", "--full-tree", commit))
    for entry in listing:
        if entry.mode == GITLINK:
            (repo.path / entry.path).mkdir(parents=True, exist_ok=True)
    repo.git("checkout-index", "-q", "-a", "-u", ok=None)  # never over a file that is there
    files = {entry.path: entry.sha for entry in listing if entry.mode != GITLINK}
    checkout.make_whole(repo, files, checkout.tags(repo))
    if (repo.common_dir() / "annex").is_dir():
        repo.git("annex", "smudge", "--update", hooks=True)
