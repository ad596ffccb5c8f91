"""Take up a project whose main tree, or run tree, was moved: write all paths anew that name the old place.

Git has such paths in both directions, from a worktree to its repository and back (git-worktree(1), "repair"),
for the superdataset and each subdataset; wtwatch in the project's settings and in the list of projects. Git's
own repair does not write through the link that git-annex makes of a worktree's ``.git`` file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from wtwatch.doors import links
from wtwatch.doors.repo import Repo
from wtwatch.project import config, listing, registry
from wtwatch.project.config import Project
from wtwatch.project.tree import RunTree
from wtwatch.setup import maintree
from wtwatch.setup.intent import Asked
from wtwatch.setup.layout import subdatasets
from wtwatch.tree import nested
from wtwatch.words.errors import UsageError, WtwatchError
from wtwatch.words.quoting import quoted


class Move(NamedTuple):
    """A project as it was written down, and as it is now."""

    old: Project
    new: Project


def find(start: Path, asked: Asked) -> list[Move]:
    """Return the projects that were moved, of the main tree that ``start`` lies in; changes nothing.

    A main tree was moved if its state lies in it while its settings name another place, and nothing is there.
    That could also be a copy, while the disk of the original is not mounted: so on another disk than where
    it was, ``--run-tree`` has to say that it is meant. A run tree was moved if it is gone, and the one that
    ``--run-tree`` names, or that lies where it was as seen from the main tree, is that worktree of the same
    repository. Raises :class:`UsageError`.
    """
    for main in maintree.trees_around(start):
        projects = _projects_in(main)
        if projects:
            found = (_moved(start, old, main.resolve(), asked) for old in projects)
            return [move for move in found if move is not None]
    return []


def _moved(start: Path, old: Project, main: Path, asked: Asked) -> Move | None:
    new = old._replace(main_tree=main, run_tree=_run_tree(start, old, main, asked))
    if not os.path.lexists(old.main_tree / ".git"):  # else `main` is that one, or a copy of it
        _check_no_copy(old, main, asked)
        return Move(old, new)
    if old.main_tree.resolve() == main and new != old and not os.path.lexists(old.run_tree):
        return Move(old, new)
    return None


def take_up(move: Move) -> None:
    """Write all paths anew; may be cut off at any instant, and be done again. The queue stays as it is."""
    old, new = move
    trees = [*_trees(old, new)]
    for before, after in trees[1:]:  # lanes come along with the run tree
        _rename(before, after)
    for repo in repositories(new):
        for admin in sorted((Repo(repo).common_dir() / "worktrees").glob("*/gitdir")):
            _relink(admin.parent, trees)
    _rename(RunTree.of(old).shelf, RunTree.of(new).shelf)
    if new.name in listing.registered():
        listing.register(new.name, new.state)
    config.write_project(new)


def _trees(old: Project, new: Project) -> Iterator[tuple[Path, Path]]:
    """Yield where the run tree and each of its lanes were, and where they are to be, the run tree first."""
    yield old.run_tree, new.run_tree
    for lane in RunTree.lanes_of(new):
        assert lane.lane is not None, "it has a number"
        yield RunTree.of_lane(old, lane.lane).path, lane.path


def _projects_in(main: Path) -> list[Project]:
    """Return the projects whose state lies in the repository of ``main``, as their settings have them."""
    found = []
    for state in registry.states_in(Repo(main).common_dir()):
        with suppress(WtwatchError):  # who means it is told so by what comes next
            found.append(config.read_project(state / "config.toml"))
    return found


def _run_tree(start: Path, old: Project, main: Path, asked: Asked) -> Path:
    """Return where the run tree is: as noted, or where ``--run-tree`` says, if that is it indeed.

    Without a word, one that is gone is looked for where it was as seen from the main tree: both came along
    with a folder above them.
    """
    if asked.run_tree is not None:
        named = (start / asked.run_tree).resolve()
    elif not os.path.lexists(old.run_tree):
        named = Path(os.path.normpath(main / os.path.relpath(old.run_tree, old.main_tree)))
    else:
        return old.run_tree
    common = Repo(main).common_dir()
    admin = _admin_of(old.run_tree, common) or _admin_of(named, common)  # an earlier repair was cut off
    link = _led_to(named / ".git")
    return named if admin is not None and link is not None and link.name == admin.name else old.run_tree


def _admin_of(tree: Path, common: Path) -> Path | None:
    """Return the folder in which the repository keeps what belongs to its worktree at ``tree``."""
    for file in (common / "worktrees").glob("*/gitdir"):
        if _path_in(file) == tree / ".git":
            return file.parent
    return None


def _check_no_copy(old: Project, main: Path, asked: Asked) -> None:
    if asked.run_tree is not None:
        return
    above = next(folder for folder in old.main_tree.parents if folder.is_dir())
    if _device(above) == _device(main):
        return
    raise UsageError(
        f"{main} was {old.main_tree} when {old.name} was set up, and that was on another disk.",
        "If that disk is not mounted, and this is a copy: mount it. If it was moved here, say so by naming "
        f"its run tree: wtwatch init --run-tree {quoted(old.run_tree)}",
    )


def _device(folder: Path) -> int:
    return folder.stat().st_dev


def repositories(project: Project) -> Iterator[Path]:
    """Yield the main tree, its installed subdatasets and those that are not home yet, each once."""
    main = project.main_tree
    seen = {main}
    yield main
    for ref in ("HEAD", project.branch_ref):
        commit = Repo(main).resolve(ref)
        for _, _, source in subdatasets(main, commit) if commit else ():
            if source not in seen and (source / ".git").exists():
                seen.add(source)
                yield source
    yield from (folder.parent for folder in nested.kept(project).values())


def _relink(admin: Path, trees: Sequence[tuple[Path, Path]]) -> None:
    """Have a worktree and its repository name each other again, if it is of the run tree, or of a lane."""
    noted = _path_in(admin / "gitdir")
    if noted is None:
        return
    cut_off = [(after, after) for _, after in trees]  # where an earlier repair was
    for before, after in (*trees, *cut_off):
        if noted.parent.is_relative_to(before):
            link = after / noted.parent.relative_to(before) / ".git"
            break
    else:
        return
    led = _led_to(link)
    if led is None or led.name != admin.name:
        return
    if led.is_dir() and led.resolve() != admin.resolve():
        raise WtwatchError(
            f"{link.parent} is a worktree of {led}, not of {admin.parents[1]}.",
            "Move it away, and run `wtwatch init` again.",
        )
    links.tie(link, admin)


def _path_in(file: Path) -> Path | None:
    try:
        return Path(os.fsdecode(file.read_bytes()).rstrip("\n"))
    except OSError:
        return None


def _led_to(link: Path) -> Path | None:
    """Return where the ``.git`` of a worktree leads, or led: a file with one line, or git-annex's symlink."""
    if link.is_symlink():
        return link.parent / os.readlink(link)  # noqa: PTH115 - it may lead nowhere
    if not link.is_file():
        return None
    target = _path_in(link)
    return link.parent / str(target).removeprefix("gitdir: ") if target else None


def _rename(before: Path, after: Path) -> None:
    """Have what lies beside the run tree come along with it, where that is on the same disk."""
    if before.is_dir() and not os.path.lexists(after):
        with suppress(OSError):
            before.rename(after)
