"""Bring the run tree's code from applied to tip: plan (pure) from what a look found, then move.

The tree stays detached at *applied*, which a ref of ours records: HEAD alone cannot say what lies in the
files, since older jj and ``git update-ref`` move a branch under a worktree's feet.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from wtwatch.doors.journal import Journal
from wtwatch.doors.processes import working_in
from wtwatch.doors.repo import Repo
from wtwatch.project.tree import RunTree
from wtwatch.tree import backups, checkout
from wtwatch.tree.codetree import Facts
from wtwatch.words.errors import Busy, CommandFailed, WtwatchError
from wtwatch.words.model import Backup, Freshness, Sha, now


class Fresh(NamedTuple):
    """The tree is at the tip.

    ``record``: the applied ref has to be told so; ``detach``: HEAD is on the branch; then ``at`` is the tip.
    """

    record: bool = False
    detach: bool = False
    at: Sha | None = None


class Move(NamedTuple):
    """The tree has to go from ``parked`` to ``to``.

    ``backup`` says that there is something to keep first: ``edited`` files, untracked ones ``in_the_way``,
    commits that only HEAD reaches (``stray``); ``set_aside`` are protected paths to move out, ``quit`` ends
    the operation that is under way.
    """

    parked: Sha
    to: Sha
    backup: bool
    edited: tuple[str, ...] = ()
    in_the_way: tuple[str, ...] = ()
    stray: Sha | None = None
    set_aside: tuple[str, ...] = ()
    quit: bool = False


class Blocked(NamedTuple):
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
    set_aside = facts.protected if force and parked != facts.tip else ()
    return Move(
        parked=parked,
        to=facts.tip,
        backup=bool(facts.edited or facts.in_the_way or stray or set_aside or facts.operation),
        edited=facts.edited,
        in_the_way=facts.in_the_way,
        stray=stray,
        set_aside=set_aside,
        quit=facts.operation is not None,
    )


def _is_at_tip(facts: Facts) -> bool:
    return facts.head == facts.parked == facts.tip


def _no_tip(tree: RunTree, facts: Facts) -> tuple[str, str]:
    name = tree.project.bookmark
    if facts.tip_missing == "conflicted":
        return (
            f"The bookmark {name} is conflicted: jj has it at several commits.",
            f"Settle it: jj bookmark set {name} -r REV   (in {tree.project.main_code})",
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
            f"Move {code / facts.nested[0]} elsewhere.",
            True,
        )
    if facts.conflicted:
        hint = f"Resolve it with jj in {tree.project.main_code}, {force}."
        yield "The tip holds unresolved conflicts of jj.", hint, False
    if facts.protected:
        names = ", ".join(facts.protected)
        yield (
            f"The tip tracks {names}, which is the run tree's own.",
            f"Take it out: git rm -r --cached {names}, ignore it, and move the bookmark; {force}.",
            False,
        )


def _refusals(tree: RunTree, facts: Facts) -> Iterator[tuple[str, str, bool]]:
    """Yield reason, hint, and whether the refusal is final even with --force."""
    code, above = tree.code_path, tree.path
    force = "or `wtwatch sync --force`, which backs up first"
    if facts.locked:
        hint = f"Wait for it; if no git runs there (it crashed), remove {facts.locked}."
        yield f"Another git command works in {facts.locked.parent}.", hint, True
    if facts.operation_above:
        hint = f"Finish or abort it there: git -C {above} {facts.operation_above} --abort"
        if facts.operation_above == "bisect":
            hint = f"End it there: git -C {above} bisect reset"
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
        hint = f"git -C {code} checkout --detach {facts.applied or tree.project.bookmark}, {force}."
        yield f"Somebody put the run tree's code on the branch {facts.branch}.", hint, False
    elsewhere = facts.branch is None and facts.applied and facts.head not in (facts.applied, facts.tip)
    if elsewhere and not (facts.stray and facts.tip != facts.applied):
        what = "has commits of its own" if facts.stray else "was taken to another commit by hand"
        hint = f"To use them: wtwatch release {facts.head}; to go back: git -C {code}"
        yield f"The run tree's code {what}.", f"{hint} checkout --detach {facts.applied}; {force}.", False


def apply(tree: RunTree, step: Fresh | Move) -> Backup | None:
    """Do what the plan says, with the tree lock held by the caller; return the backup that was made.

    Journalled, so that :func:`recover` finishes or undoes a move that was cut off. One that fails is undone
    at once and raises :class:`WtwatchError`.
    """
    code = Repo(tree.code_path)
    if isinstance(step, Move):
        return _move(tree, code, step)
    if step.detach and step.at:
        code.detach(step.at)
    if step.record and step.at:
        code.update_ref(tree.applied_ref, step.at, why="adopted")
    return None


def _move(tree: RunTree, code: Repo, step: Move) -> Backup | None:
    backup = None
    try:
        if step.backup or step.quit:
            backup = _back_up_and_clear(tree, code, step)
        before = _journal(tree).read() or {"from": step.parked, "to": step.to}
        _journal(tree).open(before | {"phase": "checkout"})
        if code.branch() is not None:  # whoever moves that branch now no longer moves HEAD
            code.detach(step.parked)
        code.git("checkout", "-q", "--no-overwrite-ignore", "--detach", step.to)
    except (WtwatchError, OSError) as error:
        _end_cut_off(tree)
        said = error.stderr.strip() if isinstance(error, CommandFailed) else str(error)
        kept = f" What was in the way is in the backup {backup.id}." if backup else ""
        raise WtwatchError(
            f"The run tree's code could not be brought to {step.to[:10]}, and stands where it was.{kept}\n"
            f"{said}",
            "Mend what is named, then `wtwatch sync`.",
        ) from error
    checkout.drop_bytecode(code, step.parked, step.to)
    code.update_ref(tree.applied_ref, step.to, why="sync")
    _journal(tree).close()
    if (code.common_dir() / "annex").is_dir():  # unlocked files hold pointers after a checkout
        code.git("annex", "smudge", "--update", hooks=True)
    return backup


def _back_up_and_clear(tree: RunTree, code: Repo, step: Move) -> Backup:
    """Keep what a move would lose, then take it away, so that the tree can end exactly at the tip."""
    aside = tree.shelf / "set-aside" / f"{now():%Y%m%dT%H%M%S%f}"
    moved = [path for path in step.set_aside if os.path.lexists(code.path / path)]
    facts = {"from": step.parked, "to": step.to, "phase": "backup", "aside": str(aside)}
    _journal(tree).open(facts)
    if code.branch() is not None:
        code.detach(step.parked)
    doomed = [path for path in step.edited if checkout.is_here(code.path, path)]
    doomed = [path for path in dict.fromkeys((*step.in_the_way, *doomed)) if _is_file(code.path / path)]
    before = {path: _stamp(code.path / path) for path in doomed}
    also = [commit for commit in [step.stray, *checkout.held_by_operation(code)] if commit]
    backup = backups.create(tree, step.parked, step.in_the_way, also, aside if moved else None)
    checkout.quit_operation(code)
    for path, stamp in before.items():
        if _stamp(code.path / path) != stamp:
            raise WtwatchError(f"{code.path / path} was written while it was backed up.")
        (code.path / path).unlink()
    for path in moved:
        (aside / path).parent.mkdir(parents=True, exist_ok=True)
        (code.path / path).rename(aside / path)
    checkout.restore(code, step.edited, moved)
    return backup


def _is_file(path: Path) -> bool:
    return path.is_symlink() or path.is_file()


def _stamp(path: Path) -> tuple[int, int, int, int]:
    stat = path.lstat()
    return (stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_mode)


def _journal(tree: RunTree) -> Journal:
    return tree.journal()


def recover(tree: RunTree) -> None:
    """Finish or undo a move that was cut off, with the tree lock held by the caller.

    HEAD says which: git moves it last. Raises :class:`Busy` while the git of the move is still at work.
    """
    if _journal(tree).read() is None or not (tree.code_path / ".git").exists():
        return
    alive = [process for process in working_in(tree.code_path) if process.name == "git"]
    if alive:
        raise Busy(
            f"git (pid {alive[0].pid}) is still at work in {tree.code_path} on a move that was cut off.",
            "It goes on by itself when that git has ended.",
        )
    _end_cut_off(tree)


def _end_cut_off(tree: RunTree) -> None:
    cut_off = _journal(tree).read()
    if cut_off is None:
        return
    code = Repo(tree.code_path)
    old, new = Sha(cut_off["from"]), Sha(cut_off["to"])
    if cut_off.get("phase") == "backup":  # no file of the tip was written yet
        (code.git_dir() / "index.lock").unlink(missing_ok=True)
        at = old
    else:
        at = checkout.settle(code, old, new) or old
    if at == new:
        code.update_ref(tree.applied_ref, new, why="sync, finished after it was cut off")
    elif "aside" in cut_off:
        _put_back(Path(cut_off["aside"]), code.path)
    _journal(tree).close()


def _put_back(aside: Path, code: Path) -> None:
    """Move what was set aside back to its place, where that is still free."""
    for folder, _, _ in os.walk(aside):
        for inside in Path(folder).iterdir():
            place = code / inside.relative_to(aside)
            if not os.path.lexists(place):
                inside.rename(place)
