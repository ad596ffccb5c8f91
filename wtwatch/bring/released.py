"""Bring the code of a release into a run tree whose code is paths of the superdataset."""

from __future__ import annotations

from collections.abc import Callable

from wtwatch.bring import carry, inside, known, plan, steps
from wtwatch.bring.overlay import Blocked, Code
from wtwatch.bring.steps import NOTHING_LOOKED_UP, Coming, Held, Looked, Source, Step
from wtwatch.doors.files import sync_disk
from wtwatch.doors.repo import Repo
from wtwatch.project.tree import RunTree
from wtwatch.tree import backups, bytewise, checkout, hidden, obstacles, pathcode, save, sync
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Backup, Sha


def apply(tree: RunTree, step: sync.Fresh | sync.Move, complete: Callable[[], None]) -> Backup | None:
    """Do what the plan of a move says, with the tree's lock held by the caller; return the backup made.

    Raises :class:`WtwatchError` where the release cannot come: then code stands where it was.
    """
    repo = Repo(tree.path)
    if isinstance(step, sync.Fresh):
        if step.record and step.at:
            repo.update_refs({tree.applied_ref: step.at, save.keep_ref(step.at): step.at}, why="adopted")
        return None
    known.look(tree)
    seen = Looked(frozenset(step.changes), frozenset((*step.edited, *step.in_the_way)))
    found = coming(tree, step, seen)
    if isinstance(found, Held):  # before anything is taken out of its way
        raise WtwatchError(found.reason, found.hint)
    backup = _journalled(tree, repo, step) if step.backup else None
    try:
        found = coming(tree, step) if backup else found
        if isinstance(found, Held):
            raise WtwatchError(found.reason, found.hint)
        carry.carry_out(tree, found, complete)
    except WtwatchError as error:
        if backup is None:
            raise
        raise WtwatchError(
            f"{error.message} What code held beyond the release is in the backup {backup.id}.", error.hint
        ) from error
    return backup


def coming(tree: RunTree, step: sync.Move, looked: Looked = NOTHING_LOOKED_UP) -> Coming | Held:
    """Return the steps that bring a release, with what main has where that comes with each move."""
    branch = steps.run_branch(tree, step.to)
    if branch is None:
        return Held(
            f"The release {step.to[:10]} has nothing in common with the branch {tree.branch}.",
            "Release a commit that comes from the main tree's history.",
        )
    rest = _rest(tree, step.to)
    code = Code(tree.project.paths, step.to, step.parked)
    done = plan.release(branch, rest, code, inside.bringing(tree.path))
    if isinstance(done, Blocked):
        return Held(*steps.in_words(tree, done))
    new = done.commit if done else branch.tip
    pathcode.note_brought(tree.project.paths, step.to, new)
    return steps.planned(tree, Source(rest, step.to), Step("", tree.branch, branch.tip, new), looked)


def has_all_of_main(tree: RunTree, release: Sha) -> bool:
    """Return whether all that main has came with a release, where it comes with each move."""
    main, away = steps.main_tip(tree.project)
    return tree.project.from_main == "move" and away is None and main == _rest(tree, release)


def _rest(tree: RunTree, release: Sha) -> Sha:
    """Return the commit of which all but code comes with a release: main's, where that goes on from it."""
    main, away = steps.main_tip(tree.project)
    if tree.project.from_main != "move" or main is None or away is not None:
        return release
    goes_on = main == release or Repo(tree.project.main_tree).is_ancestor(release, main)
    return main if goes_on else release


def _journalled(tree: RunTree, repo: Repo, step: sync.Move) -> Backup:
    """Back up, in a journal: a git that is killed meanwhile leaves its lock, which is nobody else's then."""
    tree.journal().open({"from": step.parked, "to": step.to, "phase": "backup"})
    try:
        backup = _backed_up(tree, repo, step)
    except (WtwatchError, OSError):
        tree.journal().close()
        raise
    tree.journal().close()
    return backup


def _backed_up(tree: RunTree, repo: Repo, step: sync.Move) -> Backup:
    """Keep what code has beyond the release that is applied, then have it as that has it."""
    edited = [path for path in step.edited if obstacles.is_here(repo.path, path)]
    doomed = [path for path in (*step.in_the_way, *edited) if bytewise.is_file(repo.path / path)]
    stamps = {path: sync.file_stamp(repo.path / path) for path in doomed}
    backup = backups.create(tree, Sha(repo.git("rev-parse", "HEAD")), list(stamps), [], None)
    sync_disk(repo.common_dir())  # before the files go
    hidden.look_again(repo, step.unlooked)
    for path, stamp in stamps.items():
        if sync.file_stamp(repo.path / path) != stamp:
            raise WtwatchError(f"{repo.path / path} was written while it was backed up.")
        (repo.path / path).unlink()
    checkout.restore(repo, step.edited, ())
    return backup
