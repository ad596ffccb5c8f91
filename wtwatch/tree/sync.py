"""Bring the run tree's code from applied to tip: plan (pure) from what a look found, then move.

The tree stays detached at *applied*, which a ref of ours records: HEAD alone cannot say what lies in the
files, since older jj and ``git update-ref`` move a branch under a worktree's feet.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from wtwatch.doors.files import sync_disk
from wtwatch.doors.journal import Journal
from wtwatch.doors.repo import Repo
from wtwatch.project.tree import RunTree
from wtwatch.tree import backups, bytewise, checkout, codetree, diff, ending, hidden, obstacles, operation
from wtwatch.tree.codetree import Facts
from wtwatch.tree.diff import Change
from wtwatch.tree.ending import recover as recover  # noqa: PLC0414 - part of what a sync offers
from wtwatch.words.errors import CommandFailed, WtwatchError
from wtwatch.words.model import Backup, Freshness, Sha, now
from wtwatch.words.quoting import quoted
from wtwatch.words.value import Value

_Stamp = tuple[int, int, int, int]


class Fresh(Value):
    """The tree is at the tip.

    ``record``: the applied ref has to be told so; ``detach``: HEAD is on the branch; then ``at`` is the tip.
    """

    record: bool = False
    detach: bool = False
    at: Sha | None = None


class Move(Value):
    """The tree has to go from ``parked`` to ``to``.

    ``backup`` says that there is something to keep first: ``edited`` files, untracked ones ``in_the_way``,
    commits that only HEAD reaches (``stray``); ``set_aside`` is to be moved out: protected paths, and what
    is no file; ``quit`` ends
    the operation that is under way. ``unlooked`` are edits that git is to see again. ``changes`` is what
    differs between both commits, if that was looked at.
    """

    parked: Sha
    to: Sha
    backup: bool
    edited: tuple[str, ...] = ()
    in_the_way: tuple[str, ...] = ()
    stray: Sha | None = None
    set_aside: tuple[str, ...] = ()
    quit: bool = False
    unlooked: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()


class Blocked(Value):
    """Nothing moves until the user acts: ``reason`` and ``hint``."""

    reason: str
    hint: str


Step = Fresh | Move | Blocked


def freshness(plan: Step) -> Freshness:
    """Return the word for a plan."""
    match plan:
        case Fresh():
            return Freshness.FRESH
        case Move():
            return Freshness.BEHIND
        case Blocked():
            return Freshness.BLOCKED


def next_step(tree: RunTree, facts: Facts, force: bool = False) -> Step:
    """Decide from facts alone; nothing is read or changed here.

    ``force`` turns what would be lost or odd into a move after a backup; it never overrides a lock, a
    submodule, a repository in the way, an operation in the superdataset, or a bookmark that is not at one
    commit.
    """
    if facts.tip is None:
        return Blocked(*_no_tip(tree, facts))
    for reason, hint, final in _refusals(tree, facts):
        if final or not force:
            return Blocked(reason, hint)
    parked = facts.parked or facts.tip
    if _is_at_tip(facts) and not (force and facts.operation):
        record, detach = facts.applied != facts.tip, facts.branch is not None
        return Fresh(record, detach, facts.tip if record or detach else None)
    stray = facts.parked if facts.alone else None
    set_aside = (*(facts.protected if parked != facts.tip else ()), *(path for path, _ in facts.odd))
    return Move(
        parked=parked,
        to=facts.tip,
        backup=bool(facts.edited or facts.in_the_way or stray or (force and set_aside) or facts.operation),
        edited=facts.edited,
        in_the_way=facts.in_the_way,
        stray=stray,
        set_aside=set_aside if force else (),
        quit=facts.operation is not None,
        unlooked=tuple(path for path, _ in facts.unlooked),
        changes=facts.changes,
    )


def move_to(tree: RunTree, to: Sha) -> Move:
    """Return the move to a commit that is not the tip, with all kept that there is; what bars it is not told.

    An operation that is under way is ended.
    """
    facts = codetree.facts_of(tree)
    parked = facts.parked or to
    way = codetree.way_to(tree, to, parked, facts.edited)
    return Move(
        parked,
        to,
        backup=bool(way.edited or way.in_the_way or facts.operation),
        edited=way.edited,
        in_the_way=way.in_the_way,
        quit=facts.operation is not None,
        unlooked=tuple(path for path, _ in way.unlooked),
        changes=way.changes,
    )


def _is_at_tip(facts: Facts) -> bool:
    return facts.head == facts.parked == facts.tip and not facts.cut_off


def _no_tip(tree: RunTree, facts: Facts) -> tuple[str, str]:
    name = tree.project.bookmark
    if facts.tip_missing == "conflicted":
        return (
            f"The bookmark {name} is conflicted: jj has it at several commits.",
            f"Settle it: jj bookmark set {quoted(name)} -r REV   (in {tree.project.main_code})",
        )
    if facts.tip_missing:
        return (
            f"The commit of the bookmark {name} is not in git: {facts.tip_missing}.",
            "Run `jj git export`.",
        )
    return (
        f"The bookmark {name} was deleted in {tree.project.main_code}.",
        "Set it anew with `wtwatch release REV`, or give the project up with `wtwatch forget`.",
    )


def _faults_of_the_tip(tree: RunTree, facts: Facts, force: str) -> Iterator[tuple[str, str, bool]]:
    code = tree.code_path
    if facts.submodules:
        hint = "Keep what code needs as a package in its environment, or vendor it as plain files."
        yield "The tip has submodules inside code, which wtwatch does not move.", hint, True
    if facts.nested:
        yield (
            f"A repository of its own is in the way: {facts.nested[0]}.",
            f"Move {quoted(code / facts.nested[0])} elsewhere.",
            True,
        )
    if facts.odd:
        path, kind = facts.odd[0]
        yield f"A {kind} is in the way: {path}.", f"Take it away: rm {quoted(code / path)}, {force}.", False
    if facts.unwritable:
        hint = f"Let yourself write there: chmod u+wx {quoted(facts.unwritable)}"
        yield f"Files in the folder {facts.unwritable} cannot be replaced.", hint, True
    if facts.unlooked:
        path, mark = facts.unlooked[0]
        yield (
            f"Git was told not to look at {path} ({mark}), which was edited, and which the tip changes.",
            f"git -C {quoted(code)} update-index --no-{mark} {quoted(path)}, {force}.",
            False,
        )
    if facts.conflicted:
        hint = f"Resolve it with jj in {tree.project.main_code}, {force}."
        yield "The tip holds unresolved conflicts of jj.", hint, False
    if facts.protected:
        names, pasted = ", ".join(facts.protected), " ".join(map(quoted, facts.protected))
        yield (
            f"The tip tracks {names}, which is the run tree's own.",
            f"Take it out: git rm -r --cached {pasted}, ignore it, and move the bookmark; {force}.",
            False,
        )


def _refusals(tree: RunTree, facts: Facts) -> Iterator[tuple[str, str, bool]]:
    """Yield reason, hint, and whether the refusal is final even with --force."""
    code, above = tree.code_path, tree.path
    force = "or `wtwatch sync --force`, which backs up first"
    if facts.locked:
        hint = f"Wait for it; if no git runs there (it crashed), remove {quoted(facts.locked)}."
        yield f"Another git command works in {facts.locked.parent}.", hint, True
    if facts.written and not facts.merged:
        yield *written_words(tree, facts), True
    if facts.operation_above:
        hint = f"Finish or abort it there: git -C {quoted(above)} {facts.operation_above} --abort"
        if facts.operation_above == "bisect":
            hint = f"End it there: git -C {quoted(above)} bisect reset"
        yield f"A {facts.operation_above} in the superdataset of the run tree is not finished.", hint, True
    if facts.operation:
        yield (
            f"A {facts.operation} in the run tree's code is not finished.",
            f"Finish or abort it in {code}, {force}.",
            False,
        )
    if not (_is_at_tip(facts) and facts.applied == facts.tip):
        yield from _faults_of_the_tip(tree, facts, force)
    if facts.branch not in (None, tree.project.bookmark):
        goal = quoted(facts.applied or tree.project.bookmark)
        hint = f"git -C {quoted(code)} checkout --detach {goal}, {force}."
        yield f"Somebody put the run tree's code on the branch {facts.branch}.", hint, False
    elsewhere = facts.branch is None and facts.applied and facts.head not in (facts.applied, facts.tip)
    if elsewhere and not (facts.stray and facts.tip != facts.applied):
        what = "has commits of its own" if facts.stray else "was taken to another commit by hand"
        hint = f"To use them: wtwatch release {facts.head}; to go back: git -C {quoted(code)}"
        yield f"The run tree's code {what}.", f"{hint} checkout --detach {facts.applied}; {force}.", False


def written_words(tree: RunTree, facts: Facts) -> tuple[str, str]:
    """Return what to say of code that was committed to on the run branch, and the way out."""
    git, first = f"git -C {quoted(tree.path)}", quoted(facts.written[0])
    return (
        f"Code was committed to on the run tree's branch: {', '.join(facts.written[:3])}.",
        f"Take it back: {git} checkout {facts.applied} -- {first}   (git rm, where it is new), and commit "
        "that there; to have it as code, commit it in the main tree too, and release that. What came by a "
        "merge of main needs `wtwatch release` alone.",
    )


def apply(tree: RunTree, step: Fresh | Move, then: Journal | None = None) -> Backup | None:
    """Do what the plan says, with the tree lock held by the caller; return the backup that was made.

    Journalled, so that :func:`recover` finishes or undoes a move that was cut off; the journal of one that
    went well is handed over to that of the step that comes ``then``. One that fails is undone at once and
    raises :class:`WtwatchError`.
    """
    repo = Repo(tree.code_path)
    if isinstance(step, Move):
        return _move(tree, repo, step, then)
    if step.detach and step.at:
        repo.detach(step.at)
    if step.record and step.at:
        repo.update_ref(tree.applied_ref, step.at, why="adopted")
    return None


def _move(tree: RunTree, repo: Repo, step: Move, then: Journal | None) -> Backup | None:
    backup, cleared = None, False
    try:
        if step.backup or step.quit:
            backup, read = _back_up(tree, repo, step)
            _clear(tree, repo, step, read)
        cleared = True
        before = tree.journal().read() or {"from": step.parked, "to": step.to}
        tree.journal().open(before | {"phase": "checkout"})
        if repo.branch() is not None:  # whoever moves that branch now no longer moves HEAD
            repo.detach(step.parked)
        repo.git("checkout", "-q", "--no-overwrite-ignore", "--detach", step.to)
        changes = step.changes or diff.between(repo, step.parked, step.to)
        ending.complete(tree, repo, step.to, changes, then)
    except (WtwatchError, OSError) as error:
        stands = _undone(tree)
        if not (cleared and stands == step.to):  # which may be where it was
            raise _failed(tree, repo, step, backup, error) from error
    return backup


def _undone(tree: RunTree) -> Sha | None:
    """Settle a move that failed just now; return where the tree stands if that is at a commit, and whole."""
    try:
        return ending.end_cut_off(tree)
    except (WtwatchError, OSError):  # it is tried again by the next tick
        return None


def _failed(tree: RunTree, repo: Repo, step: Move, backup: Backup | None, error: Exception) -> WtwatchError:
    """Return what to say of a move that failed, as the tree is found after it."""
    said = error.stderr.strip() if isinstance(error, CommandFailed) else str(error)
    hint = (error.hint if isinstance(error, WtwatchError) else None) or "Mend what is named."
    head = repo.resolve("HEAD")
    edited = _still_edited(repo)
    first = f"The run tree's code could not be brought to {step.to[:10]}"
    if tree.journal().read() is not None:
        first = f"The move of the run tree's code to {step.to[:10]} is cut off, with HEAD at {head}"
    elif head == step.parked:
        first += f", and stands where it was, at {head[:10]}"
    else:
        first += f", and stands at {head}"
    if backup:
        first += f". What it held beyond that is in the backup {backup.id}"
        first += f", and still in place: {', '.join(edited[:3])}" if edited else ", and taken out of the tree"
    return WtwatchError(f"{first}.\n{said}", f"{hint} Then it goes on by itself, or with `wtwatch sync`.")


def _still_edited(repo: Repo) -> tuple[str, ...]:
    try:
        changes = repo.changes("--untracked-files=no")
    except WtwatchError:  # which says why nothing works here
        return ()
    return (*changes.edited, *changes.unmerged)


def _back_up(tree: RunTree, repo: Repo, step: Move) -> tuple[Backup, dict[str, _Stamp]]:
    """Keep what a move would lose; return the backup, and as which files it was read.

    The journal says first where the rest will be put.
    """
    aside = tree.shelf / "set-aside" / f"{now():%Y%m%dT%H%M%S%f}"
    facts = {"from": step.parked, "to": step.to, "phase": "backup", "aside": str(aside)}
    tree.journal().open(facts)
    if repo.branch() is not None:
        repo.detach(step.parked)
    edited = [path for path in step.edited if obstacles.is_here(repo.path, path)]
    doomed = [path for path in (*step.in_the_way, *edited) if bytewise.is_file(repo.path / path)]
    read = {path: file_stamp(repo.path / path) for path in doomed}
    odd = [path for path in step.in_the_way if path not in read]  # which is refused there
    also = [step.stray] if step.stray else []
    moved = _to_set_aside(repo, step)
    backup = backups.create(tree, step.parked, [*read, *odd], also, aside if moved else None)
    sync_disk(repo.common_dir())  # before the files go
    return backup, read


def _clear(tree: RunTree, repo: Repo, step: Move, read: dict[str, _Stamp]) -> None:
    """Take away what was kept, so that the tree can end exactly at the tip."""
    for path, stamp in read.items():
        if file_stamp(repo.path / path) != stamp:
            raise WtwatchError(f"{repo.path / path} was written while it was backed up.")
    operation.end(repo)
    if step.unlooked:
        hidden.look_again(repo, step.unlooked)
    for path, stamp in read.items():
        if file_stamp(repo.path / path) != stamp:
            raise WtwatchError(f"{repo.path / path} was written while it was backed up.")
        (repo.path / path).unlink()
    moved = _to_set_aside(repo, step)
    aside = Path((tree.journal().read() or {})["aside"])
    for path in moved:
        (aside / path).parent.mkdir(parents=True, exist_ok=True)
        (repo.path / path).rename(aside / path)
    checkout.restore(repo, step.edited, moved)


def _to_set_aside(repo: Repo, step: Move) -> list[str]:
    return [path for path in step.set_aside if os.path.lexists(repo.path / path)]


def file_stamp(path: Path) -> _Stamp:
    """Return what changes when a file is written or replaced; of one that is gone, what no file has."""
    try:
        stat = path.lstat()
    except FileNotFoundError:
        return (0, 0, 0, 0)
    return (stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_mode)
