"""What a bring changes in a run tree: a step a dataset, deepest first; looked at before any is done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from wtwatch.bring import inside, known, plan
from wtwatch.bring.overlay import Blocked, Code, overlay
from wtwatch.bring.wrote import RunBranch
from wtwatch.doors import jj, refs
from wtwatch.doors.files import scratch_folder
from wtwatch.doors.memory import Memory
from wtwatch.doors.repo import GITLINK, Repo
from wtwatch.project.config import Project
from wtwatch.project.tree import RunTree
from wtwatch.tree import checkout, diff, obstacles
from wtwatch.tree.diff import Change
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Sha
from wtwatch.words.quoting import quoted
from wtwatch.words.value import Value

_SHOWN = 3

FROM_MAIN = "`wtwatch sync --from-main`"
"""The command that brings at once what main has."""


class Step(NamedTuple):
    """What one dataset of a tree needs: its branch goes from ``old`` to ``new``.

    ``path`` is its place from the top, empty for the superdataset. Without a ``branch`` it is detached.
    """

    path: str
    branch: str
    old: Sha
    new: Sha


class Looked(NamedTuple):
    """What was looked up before: ``changes``, of which is known what is in their way.

    ``gone`` are paths from the top, at which nothing will lie by then.
    """

    changes: frozenset[Change] = frozenset()
    gone: frozenset[str] = frozenset()


NOTHING_LOOKED_UP = Looked()


class Source(NamedTuple):
    """Where what comes is from: a commit, and in words who has it.

    ``release``: the code of that is among it, and is *applied* then.
    """

    commit: Sha
    release: Sha | None = None
    whose: str = "main"


class Coming(Value):
    """What a run tree lacks: the steps that bring it, and what changes in the superdataset."""

    source: Source
    steps: tuple[Step, ...]
    changes: tuple[Change, ...]


class Nothing(Value):
    """Main has nothing that the run tree lacks; ``away``: it stands on that branch, not on the noted one."""

    away: str | None = None


class Held(Value):
    """What main has cannot come: why, and the way out."""

    reason: str
    hint: str


class Lacking(NamedTuple):
    """What a run tree lacks of main: how many files, and which subdatasets, by their places."""

    files: int = 0
    subdatasets: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.files or self.subdatasets)


_known: Memory[tuple[str, Sha, Sha], Lacking] = Memory(1000)
"""How much a run branch lacks of main, by the ref that notes its fork, and both commits."""


_there: Memory[Sha, bool] = Memory(100)
"""Where run branches began, of what was found to be in git; the ref keeps it there."""


def main_tip(project: Project) -> tuple[Sha | None, str | None]:
    """Return the newest commit of main's branch; and the other branch, where the main tree stands on one.

    jj has git's HEAD on no branch: then what is committed there upon that branch is main's.
    """
    main = Repo(project.main_tree)
    now = main.branch()
    wanted = project.main_branch or now
    if wanted is None:
        return main.detached_at(), None
    tip = refs.tip_of(main, f"refs/heads/{wanted}")
    head = main.detached_at() if now is None and jj.drives(main.path) else None
    if head is not None and (tip is None or known.goes_on(main, tip, head)):
        return head, None
    return tip, None if now == wanted else (now or "no branch")


def away(project: Project) -> Nothing:
    """Return what is to be said where nothing comes: whether the main tree stands on another branch."""
    return Nothing(main_tip(project)[1])


def run_branch(tree: RunTree, main: Sha, note: bool = True) -> RunBranch | None:
    """Return the run branch, with where it began; that is noted when it is first asked for.

    ``None`` where there is no such branch, or it has nothing to do with main.
    """
    repo = Repo(tree.project.main_tree)
    tip = refs.tip_of(repo, f"refs/heads/{tree.branch}")
    if tip is None:
        return None
    noted = refs.tip_of(repo, tree.fork_ref)
    if noted is None or not (noted in _there or repo.resolve(noted)):
        found = repo.git("merge-base", tip, main, ok=(0, 1))
        if not found:
            return None
        noted = Sha(found)
        if note:
            repo.update_refs({tree.fork_ref: noted}, why="the run branch began")
    _there[noted] = True
    return RunBranch(Repo(tree.path if (tree.path / ".git").exists() else repo.path), tip, noted)


def lacked(tree: RunTree, inputs: Sequence[str]) -> tuple[str, ...]:
    """Return the files that main has, and the run tree lacks, among inputs (paths, folders, globs)."""
    main, elsewhere = main_tip(tree.project)
    runs = refs.tip_of(Repo(tree.project.main_tree), f"refs/heads/{tree.branch}")
    if not inputs or main is None or runs is None or elsewhere:
        return ()
    words = ("diff-tree", "-r", "--name-only", "-z", "--no-renames", "--diff-filter=A", runs, main, "--")
    found = Repo(tree.project.main_tree).git(*words, *(f":(top,glob){path}" for path in inputs), ok=(0, 128))
    return tuple(path for path in found.split("\0") if path)


def lacking(tree: RunTree) -> Lacking:
    """Return what main has that the run tree lacks or has otherwise; writes nothing that stays.

    One file where that cannot be decided for the user.
    """
    main, away = main_tip(tree.project)
    branch = run_branch(tree, main, note=False) if main and away is None else None
    if main is None or branch is None:
        return Lacking()
    asked = (tree.fork_ref, main, branch.tip)
    found = _known.get(asked)
    if found is None:
        with scratch_folder("wtwatch-from-main-") as scratch:
            found = _known[asked] = _differing(branch, main, tree.project.code_paths, scratch)
    return found


def _differing(branch: RunBranch, main: Sha, code: tuple[str, ...], scratch: Path) -> Lacking:
    repo = branch.repo.writing_to(scratch)
    done = overlay(branch._replace(repo=repo), main, Code(code, branch.tip))
    if isinstance(done, Blocked):
        return Lacking(1)
    links = tuple(path for path, both in done.changes if GITLINK in {side.mode for side in both if side})
    return Lacking(len(done.changes) - len(links), links)


def coming(tree: RunTree) -> Coming | Nothing | Held:
    """Return what comes from main into a run tree that stands on its branch; nothing is changed.

    Raises :class:`WtwatchError` where a dataset of the run tree is not as it has to be.
    """
    main, away = main_tip(tree.project)
    if main is None or away is not None:
        return Nothing(away)
    known.look(tree)
    branch = run_branch(tree, main)
    if branch is None:
        return Nothing()
    done = plan.from_main(branch, main, tree.project.code_paths, inside.bringing(tree.path))
    if done is None:
        return Nothing()
    if isinstance(done, Blocked):
        return Held(*in_words(tree, done))
    return planned(tree, Source(main), Step("", tree.branch, branch.tip, done.commit))


def planned(tree: RunTree, source: Source, top: Step, looked: Looked = NOTHING_LOOKED_UP) -> Coming | Held:
    """Return the steps that lead to the commit of ``top``, those of subdatasets first, or what bars them."""
    changes = diff.between(Repo(tree.path), top.old, top.new)
    steps = (*_inside(tree, "", changes), top)
    for step in steps:
        barred = _barred(tree, step, looked if step == top else NOTHING_LOOKED_UP, source.whose)
        if barred:
            return barred
    return Coming(source, steps, changes)


def _inside(tree: RunTree, above: str, changes: tuple[Change, ...]) -> Iterator[Step]:
    """Yield the steps of the subdatasets that go from one commit to another, deepest first."""
    for change in changes:
        path = f"{above}/{change.path}" if above else change.path
        if change.mode_before != GITLINK or change.mode_after != GITLINK or path == tree.project.code:
            continue
        if not (tree.path / path / ".git").exists():
            continue
        repo = Repo(tree.path / path)
        head, branch = repo.resolve("HEAD"), repo.branch()
        if head != change.before or branch is None:
            raise WtwatchError(
                f"{repo.path} is not at {change.before[:10]} on a branch, as its superdataset has it.",
                f"Take it back: git -C {quoted(repo.path)} checkout -B {quoted(tree.branch)} {change.before}",
            )
        if repo.resolve(change.after) is None:
            raise WtwatchError(
                f"{repo.path} lacks the commit {change.after[:10]} that main names.",
                f"Get it: datalad update -d {quoted(tree.project.main_tree / path)}",
            )
        yield from _inside(tree, path, diff.between(repo, change.before, change.after))
        yield Step(path, branch, change.before, change.after)


def _barred(tree: RunTree, step: Step, looked: Looked, whose: str) -> Held | None:
    """Return what keeps git from a step, apart from what was looked up."""
    repo = Repo(tree.path / step.path)
    word, lock = repo.operation(), checkout.index_lock(repo)
    if word:
        return Held(f"A {word} in {repo.path} is not finished.", "Finish or abort it there.")
    if lock:
        return Held(f"Another git command works in {repo.path}.", f"If none does, remove {quoted(lock)}.")
    between = diff.between(repo, step.old, step.new)
    changes = [change for change in between if change not in looked.changes]
    barred = [path for path in obstacles.hindrances(repo, changes) if path not in looked.gone]
    if not barred:
        return None
    return Held(
        f"What {whose} has would overwrite {_listed(barred)} in {repo.path}, edited or not saved there.",
        f"Save it or move it away; then {FROM_MAIN if whose == 'main' else 'it goes on by itself'}.",
    )


def in_words(tree: RunTree, blocked: Blocked) -> tuple[str, str]:
    """Return why the run tree cannot be given what main has, and both ways out."""
    run, main = quoted(tree.path), tree.project.main_branch or "HEAD"
    named = quoted(blocked.paths[0])
    said = {
        "both": "Main and the run tree both changed",
        "shape": "A file on one side is a folder on the other:",
        "code": "Somebody wrote into code in the run tree:",
    }[blocked.kind]
    return (
        f"{said} {_listed(blocked.paths)}.",
        f"Take main's: git -C {run} checkout {main_words(tree, main)} -- {named}, and commit it there; "
        "or bring the run tree's home: `wtwatch merge`, and settle it there.",
    )


def main_words(tree: RunTree, branch: str) -> str:
    """Return main's commit as one writes it in the run tree, where HEAD is another."""
    tip = main_tip(tree.project)[0] if branch == "HEAD" else None
    return tip[:10] if tip else quoted(branch)


def _listed(paths: tuple[str, ...] | list[str]) -> str:
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return ", ".join(paths[:_SHOWN]) + more
