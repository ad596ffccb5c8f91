"""Bring the run tree's code from applied to tip: plan (pure) from what a look found, then move.

The tree stays detached at *applied*, which a ref of ours records: HEAD alone cannot say what lies in the
files, since older jj and ``git update-ref`` move a branch under a worktree's feet.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from wtwatch import backups
from wtwatch.codetree import Facts
from wtwatch.config import Project
from wtwatch.errors import CommandFailed, WtwatchError
from wtwatch.journal import Journal
from wtwatch.model import Backup, Freshness, Sha
from wtwatch.repo import Repo, TreeEntry, parse_tree


@dataclass(frozen=True)
class Fresh:
    """The tree is at the tip.

    ``record``: the applied ref has to be told so; ``detach``: HEAD is on the branch.
    """

    record: bool = False
    detach: bool = False


@dataclass(frozen=True)
class Move:
    """The tree has to go to ``to``; ``backup`` says that there is something to keep first."""

    parked: Sha
    to: Sha
    backup: bool
    in_the_way: tuple[str, ...] = ()
    stray: Sha | None = None
    set_aside: tuple[str, ...] = ()
    quit: bool = False


@dataclass(frozen=True)
class Blocked:
    """Nothing moves until the user acts: ``reason`` and ``hint``."""

    reason: str
    hint: str


Plan = Fresh | Move | Blocked


def freshness(plan: Plan) -> Freshness:
    """Return the word for a plan."""
    match plan:
        case Fresh():
            return Freshness.FRESH
        case Move():
            return Freshness.BEHIND
        case Blocked():
            return Freshness.BLOCKED


def plan(project: Project, facts: Facts, force: bool = False) -> Plan:
    """Decide from facts alone; nothing is read or changed here.

    ``force`` turns what would be lost or odd into a move after a backup; it never overrides a lock, a
    submodule or a bookmark that is not one commit.
    """
    if facts.tip is None:
        return Blocked(*_no_tip(project, facts))
    refusal = next(_refusals(project, facts), None)
    if refusal and (refusal[2] or not force):
        return Blocked(refusal[0], refusal[1])
    parked = facts.parked or facts.tip
    at_tip = facts.head == parked == facts.tip
    if at_tip and not (force and facts.operation):
        return Fresh(record=facts.applied != facts.tip, detach=facts.branch is not None)
    stray = facts.head if facts.stray or (facts.head != facts.applied and facts.branch is None) else None
    return Move(
        parked=parked,
        to=facts.tip,
        backup=bool(facts.edited or facts.in_the_way or stray),
        in_the_way=facts.in_the_way,
        stray=stray,
        set_aside=facts.protected if force else (),
        quit=facts.operation is not None,
    )


def _no_tip(project: Project, facts: Facts) -> tuple[str, str]:
    name = project.bookmark
    if facts.tip_missing == "conflicted":
        return (
            f"The bookmark {name} is conflicted: jj has it at several commits.",
            f"Settle it: jj bookmark set {name} -r REV   (in {project.main_code})",
        )
    if facts.tip_missing:
        return (
            f"The commit of the bookmark {name} is not in git: {facts.tip_missing}.",
            "Run `jj git export`.",
        )
    return (
        f"The bookmark {name} was deleted in {project.main_code}.",
        "Set it anew with `wtwatch release REV`, or give the project up with `wtwatch forget`.",
    )


def _refusals(project: Project, facts: Facts) -> Iterator[tuple[str, str, bool]]:
    """Yield reason, hint, and whether the refusal is final even with --force."""
    code, tree = project.run_code, project.run_tree
    force = "or `wtwatch sync --force`, which backs up first"
    if facts.locked:
        hint = f"Wait for it; if no git runs there (it crashed), remove {facts.locked}."
        yield f"Another git command works in {facts.locked.parent}.", hint, True
    if facts.submodules:
        hint = "Keep what code needs as a package in its environment, or vendor it as plain files."
        yield "The tip has submodules inside code, which wtwatch does not move.", hint, True
    if facts.nested:
        yield (
            f"A repository of its own is in the way: {facts.nested[0]}.",
            f"Move {code / facts.nested[0]} elsewhere.",
            True,
        )
    if facts.operation:
        yield (
            f"A {facts.operation} of the run tree is not finished.",
            f"Finish or abort it there, {force}.",
            False,
        )
    if facts.conflicted:
        hint = f"Resolve it with jj in {project.main_code}, {force}."
        yield "The tip holds unresolved conflicts of jj.", hint, False
    if facts.protected:
        names = ", ".join(facts.protected)
        yield (
            f"The tip tracks {names}, which is the run tree's own.",
            f"Take it out: git rm -r --cached {names}, ignore it, and move the bookmark; {force}.",
            False,
        )
    if facts.branch not in (None, project.bookmark):
        hint = f"git -C {code} checkout --detach {facts.applied or project.bookmark}, {force}."
        yield f"Somebody put the run tree's code on the branch {facts.branch}.", hint, False
    elsewhere = facts.branch is None and facts.applied and facts.head not in (facts.applied, facts.tip)
    if elsewhere and not (facts.stray and facts.tip != facts.applied):
        what = "has commits of its own" if facts.stray else "was taken to another commit by hand"
        hint = f"To use them: wtwatch release {facts.head}; to go back: git -C {tree / project.code}"
        yield f"The run tree's code {what}.", f"{hint} checkout --detach {facts.applied}; {force}.", False


def apply(project: Project, step: Fresh | Move) -> Backup | None:
    """Do what the plan says, with the tree lock held by the caller; return the backup that was made.

    Journalled, so that :func:`recover` finishes or undoes a move that was cut off. A checkout that fails is
    undone at once and raises :class:`WtwatchError`.
    """
    code = Repo(project.run_code)
    if isinstance(step, Fresh):
        head = code.resolve("HEAD")
        if head is None:
            raise WtwatchError(f"HEAD of {code.path} names no commit.", f"See `git -C {code.path} status`.")
        if step.detach:
            code.detach(head)
        if step.record:
            code.update_ref(project.applied_ref, head, why="adopted")
        return None
    return _move(project, code, step)


def _move(project: Project, code: Repo, step: Move) -> Backup | None:
    journal = Journal(project.state / "journal")
    journal.open({"from": step.parked, "to": step.to})
    if code.branch() is not None or code.resolve("HEAD") != step.parked:
        code.detach(step.parked)
    backup = None
    if step.backup or step.quit:
        seen = _stamps(code.path, step.in_the_way)
        also = [step.stray] if step.stray else []
        backup = backups.create(project, step.parked, step.in_the_way, also + _other_heads(code))
        _clear(project, code, step, seen)
    try:
        code.git("checkout", "-q", "--no-overwrite-ignore", "--detach", step.to)
    except CommandFailed as error:
        recover(project)
        kept = f" What was edited is in the backup {backup.id}." if backup else ""
        raise WtwatchError(
            f"Git could not bring the run tree's code to {step.to[:10]}; it is where it was.{kept}\n"
            f"{error.stderr.strip()}",
            "Mend what git names, then `wtwatch sync`.",
        ) from error
    code.update_ref(project.applied_ref, step.to, why="sync")
    journal.close()
    if (code.common_dir() / "annex").is_dir():  # unlocked files hold pointers after a checkout
        code.git("annex", "smudge", "--update", hooks=True)
    return backup


def _other_heads(code: Repo) -> list[Sha]:
    """Return the commits that an unfinished operation holds on to."""
    names = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "REBASE_HEAD")
    return [commit for commit in map(code.resolve, names) if commit]


def _stamps(root: Path, paths: Sequence[str]) -> dict[str, tuple[int, int, int]]:
    return {path: _stamp(root / path) for path in paths}


def _stamp(path: Path) -> tuple[int, int, int]:
    stat = path.lstat()
    return (stat.st_ino, stat.st_size, stat.st_mtime_ns)


def _clear(project: Project, code: Repo, step: Move, seen: dict[str, tuple[int, int, int]]) -> None:
    """Take away what the backup holds, so that the tree can end exactly at the tip."""
    for path, stamp in seen.items():
        if _stamp(code.path / path) != stamp:
            raise WtwatchError(
                f"{code.path / path} was written while it was backed up.", "Run `wtwatch sync` again."
            )
        (code.path / path).unlink()
    word = code.operation()
    if word == "bisect":
        code.git("bisect", "reset", "HEAD")
    elif word:
        code.git(word, "--quit")
    for path in step.set_aside:
        if os.path.lexists(code.path / path):
            target = project.beside / "set-aside" / step.to[:10]
            target.mkdir(parents=True, exist_ok=True)
            (code.path / path).rename(target / path.replace("/", "_"))
    code.git("reset", "-q", "--hard", "HEAD")


def recover(project: Project) -> None:
    """Finish or undo a move that was cut off, with the tree lock held by the caller.

    HEAD says which: git moves it last. Files that equal the target's are ours and go back; any other that
    differs is left, and counts as an edit, which the next move backs up.
    """
    journal = Journal(project.state / "journal")
    cut_off = journal.read()
    if cut_off is None or not project.run_code.is_dir():
        return
    code = Repo(project.run_code)
    old, new = Sha(cut_off["from"]), Sha(cut_off["to"])
    lock = code.git_dir() / "index.lock"  # ours: there was none when the journal was opened
    lock.unlink(missing_ok=True)
    if code.resolve("HEAD") == new and old != new:
        code.update_ref(project.applied_ref, new, why="sync, finished after a crash")
    elif code.resolve("HEAD") == old:
        put_back(code, old, new)
    journal.close()


def put_back(code: Repo, old: Sha, new: Sha) -> None:
    """Undo a checkout from ``old`` to ``new`` that stopped half-way, with the index still at ``old``."""
    listing = code.git("diff-tree", "-r", "--no-renames", "--name-only", "-z", old, new)
    paths = [path for path in listing.split("\0") if path]
    goal, before = (_full_tree(code, commit, paths) for commit in (new, old))
    restore = []
    for path in paths:
        full = code.path / path
        there = os.path.lexists(full) and not (full.is_dir() and not full.is_symlink())
        if there and path in goal and _is_of(code, full, goal[path]):
            full.unlink()
            there = False
        if not there and path in before:
            restore.append(path)
    if restore:
        code.git("checkout-index", "-q", "-z", "--stdin", stdin="\0".join(restore), ok=(0, 1))
    code.git("update-index", "-q", "--refresh", ok=(0, 1))


def _full_tree(code: Repo, commit: Sha, paths: Sequence[str]) -> dict[str, TreeEntry]:
    wanted = set(paths)
    listing = code.git("ls-tree", "-r", "-z", "--full-tree", commit)
    return {entry.path: entry for entry in parse_tree(listing) if entry.path in wanted}


def _is_of(code: Repo, file: Path, entry: TreeEntry) -> bool:
    if file.is_symlink():
        return entry.mode == "120000" and code.git("cat-file", "blob", entry.sha) == str(file.readlink())
    if entry.kind != "blob" or not file.is_file():
        return False
    relative = str(file.relative_to(code.path))
    return code.git("hash-object", "--path", relative, "--", str(file)) == entry.sha
