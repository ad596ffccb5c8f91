"""Bringing a job's result from its lane to the run branch, and the run tree along: laid over what is there.

Not by a merge, which follows renames of whole folders: what the job changed, path by path, over the commit
at which the run tree stands by now. So the branch stays linear, one commit of a job's upon another, each with
the message and author that the job's has; what code and data it ran on is named in its record.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from wtwatch.bring import carry, steps, trees
from wtwatch.bring.steps import NOTHING_LOOKED_UP, Looked, Source, Step
from wtwatch.bring.wrote import Entry
from wtwatch.doors import gc, loose, unpacking
from wtwatch.doors.refs import head_of, tip_of
from wtwatch.doors.refwriter import RefWriter
from wtwatch.doors.repo import GITLINK, Repo
from wtwatch.doors.unpacking import Unpacking
from wtwatch.job.attempt import Folder, Order
from wtwatch.lanes import newborn
from wtwatch.project.tree import RunTree
from wtwatch.queue.meeting import paths_meet
from wtwatch.tree import diff, obstacles
from wtwatch.tree.bytewise import NOTHING
from wtwatch.tree.states import Before
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Sha
from wtwatch.words.value import Value


class Laid(Value):
    """A result that is on the run branch: its commits there, oldest first; none where nothing changed."""

    commits: tuple[Sha, ...] = ()


class Met(Value):
    """What a job read or wrote was changed by others while it ran, so that it has to run again."""

    paths: tuple[str, ...]


class Unlayable(Value):
    """A result that cannot be brought to the run branch: why, and the way out."""

    reason: str


class Result(NamedTuple):
    """What came of a job in a lane: its attempt's folder and order, how all stood before, what it reads.

    ``made`` are the places of datasets that it made, which lie aside. ``commits`` are those that it made in
    the superdataset, oldest first; they name the ones below. Of the lane itself nothing is asked any more,
    whatever somebody does there.
    """

    folder: Folder
    order: Order
    before: Before
    reads: tuple[str, ...]
    commits: tuple[Sha, ...]
    made: tuple[str, ...] = ()

    @property
    def tip(self) -> Sha:
        """The last of its commits; if there is none, the one that it began on."""
        return self.commits[-1] if self.commits else self.order.base


Laying = Laid | Met | Unlayable


def lay(tree: RunTree, result: Result, complete: Callable[[], None]) -> Laying:
    """Lay a result over the run branch, with the run tree's lock held by the caller and nobody at work there.

    Safe to be cut off and to be done again. ``complete`` makes worktrees of subdatasets that came. Raises
    :class:`WtwatchError` for what has to be waited for, such as an edited file in the way.
    """
    with RefWriter(Repo(tree.path), why="laid") as refs:
        return _lay(tree, result, refs, complete)


def _lay(tree: RunTree, result: Result, refs: RefWriter, complete: Callable[[], None]) -> Laying:
    top = Repo(tree.path)
    noted = result.folder.laid()
    if noted is not None and noted and top.resolve(noted[-1]) and top.is_ancestor(noted[-1], "HEAD"):
        _end(tree, result, refs)
        return Laid(noted)
    changes = [one for one in diff.between(top, result.order.base, result.tip) if not _is_both(one)]
    with obstacles.hindrances_asked(top, changes) as barred:
        try:
            with gc.held_off(Repo(place).common_dir() for place in _places(tree, result)):
                laid = _Laying(tree, result).dataset("", result.order.base, result.tip)
                if laid:
                    refs.update({_ref(tree, "laid", result): [*laid.values()][-1]})
        except _Meets as met:
            return Met(met.paths)
        except _CannotBe as why:
            return Unlayable(f"{why}")
        looked = NOTHING_LOOKED_UP if barred() else Looked(frozenset(changes))
    here = head_of(top)
    commits = tuple(laid.values())
    if not commits or here is None:
        return Laid()
    result.folder.write_laid(commits)
    found = steps.planned(
        tree,
        Source(commits[-1], whose=f"job {result.order.job}"),
        Step("", tree.branch, here, commits[-1]),
        looked,
    )
    if isinstance(found, steps.Held):
        raise WtwatchError(found.reason, found.hint)
    carry.carry_out(tree, found, complete)
    _end(tree, result, refs)
    return Laid(commits)


def _end(tree: RunTree, result: Result, refs: RefWriter) -> None:
    """Do what is left when a result is on the run branch: datasets that came put in, refs dropped."""
    newborn.put_in(tree, result.folder.path.name, result.made)
    _forget(tree, result, refs)


def keep(tree: RunTree, result: Result) -> None:
    """Give what a job committed a ref, in the superdataset and below, before anything else.

    Until then only HEAD of its lane keeps it.
    """
    ref = _ref(tree, "done", result)
    for path, commit in _tips(tree, "", result.order.base, result.tip):
        repo = Repo(tree.path / path)
        if tip_of(repo, ref) != commit:
            repo.update_refs({ref: commit}, why="kept")


def _tips(tree: RunTree, path: str, base: Sha, tip: Sha) -> Iterator[tuple[str, Sha]]:
    """Yield the last commits of a result, by the places of datasets: that of ``path``, and those below it."""
    if base == tip:
        return
    with diff.begun(Repo(tree.path / path), base, tip) as changes:
        yield path, tip
        found = changes()
    for change in found:
        place = _below(path, change.path)
        if _is_both(change) and os.path.lexists(tree.path / place / ".git"):
            yield from _tips(tree, place, change.before, change.after)


def _places(tree: RunTree, result: Result) -> list[Path]:
    """Return where the datasets are that a result is in; of several commits, where it may be."""
    if len(result.commits) == 1:
        return [tree.path / path for path, _ in _tips(tree, "", result.order.base, result.tip)]
    folders = (tree.path / then.path for then in result.before.datasets)
    return [folder for folder in folders if os.path.lexists(folder / ".git")]


def _ref(tree: RunTree, kind: str, result: Result) -> str:
    return f"{tree.project.ref_prefix}/{kind}/{result.folder.path.name}"


def _forget(tree: RunTree, result: Result, refs: RefWriter) -> None:
    """Drop the refs that kept a result until it was on the run branch; of the superdataset by ``refs``."""
    ours = [_ref(tree, kind, result) for kind in ("done", "laid")]
    for place in _places(tree, result):
        repo = Repo(place)
        gone = [ref for ref in ours if tip_of(repo, ref)]
        if gone and place == tree.path:
            refs.delete(gone)
        elif gone:
            repo.git("update-ref", "--stdin", stdin="".join(f"delete {ref}\n" for ref in gone))


class _Meets(Exception):
    """See :class:`Met`."""

    def __init__(self, paths: Sequence[str]) -> None:
        super().__init__(paths)
        self.paths = tuple(paths)


class _CannotBe(Exception):
    """See :class:`Unlayable`."""


class _Laying:
    """Works out the commits that a result becomes, dataset by dataset, deepest first."""

    def __init__(self, tree: RunTree, result: Result) -> None:
        self._tree, self._result = tree, result
        self._inside: dict[str, dict[Sha, Sha]] = {}

    def dataset(self, path: str, base: Sha, tip: Sha) -> dict[Sha, Sha]:
        """Return what each of the job's commits in the dataset at ``path`` becomes, oldest first.

        They go from ``base`` to ``tip``.
        """
        repo = Repo(self._tree.path / path)
        onto, laid = head_of(repo), dict[Sha, Sha]()
        with diff.between_asked(repo, base, onto) as asked:
            made = _commits(repo, path, base, tip)
            if onto is None or made is None:
                raise _CannotBe(f"{path or 'the superdataset'} has not got what it committed")
            mine = diff.between(repo, base, tip)
            alone = len(made) == 1 and onto != base and not any(map(_is_both, mine))
            if alone:  # it is written while git looks; nothing names it before it is known that it fits
                laid = {tip: self._laid(repo, path, base, tip, onto)}
            self._check(path, mine, asked())
        if onto == base:
            return {commit: commit for commit in made}
        if alone:
            diff.note_between(onto, laid[tip], mine)
            return laid
        for before, commit in zip((base, *made), made, strict=False):
            onto = laid[commit] = self._laid(repo, path, before, commit, onto)
        return laid

    def _check(self, path: str, mine: Sequence[diff.Change], theirs: Sequence[diff.Change]) -> None:
        """Raise where others changed what the job read or wrote in the dataset at ``path``."""
        wrote = [one.path for one in mine if not _is_both(one)]
        reads = list(_inside(path, self._result.reads))
        changed = [one.path for one in theirs]
        met = [one for one in changed if any(paths_meet(one, other) for other in (*wrote, *reads))]
        if met:
            raise _Meets([_below(path, one) for one in met])

    def _laid(self, repo: Repo, path: str, before: Sha, commit: Sha, onto: Sha) -> Sha:
        """Return the commit with what ``commit`` changes, laid over ``onto``."""
        put: dict[str, Entry | None] = {}
        for change in diff.between(repo, before, commit):
            entry = Entry(change.mode_after, change.after) if change.mode_after != NOTHING else None
            if _is_both(change) and _below(path, change.path) not in self._result.made:
                entry = Entry(GITLINK, self._inner(_below(path, change.path), change.before, change.after))
            put[change.path] = entry
        with loose.asked(repo, [commit]) as read, Unpacking(repo) as writing:
            folders = trees.folders_with(repo, onto, put)
            [told] = read()
            assert told is not None, "it was gone through"
            body = told.upon(folders[-1].sha, onto)
            laid = [unpacking.made("commit", body, len(onto))] if body is not None else []
            writing.write([*folders, *laid])
        if laid:
            return laid[0].sha
        return repo.commit_again(told.body.decode("utf-8", "surrogateescape"), folders[-1].sha, onto)

    def _inner(self, path: str, before: Sha, after: Sha) -> Sha:
        """Return the commit that a subdataset's becomes; it is kept by a ref, as the run tree goes there."""
        if not os.path.lexists(self._tree.path / path / ".git"):
            raise _CannotBe(f"the subdataset {path} is not in the run tree")
        then = self._result.before.at(path)
        began = then.head if then is not None and then.head is not None else before
        found = self._inside.setdefault(path, {before: before})
        if after not in found:
            tip = dict(_tips(self._tree, "", self._result.order.base, self._result.tip)).get(path, after)
            found |= self.dataset(path, began, tip)
        if after not in found:
            raise _CannotBe(f"{path} was taken to {after[:10]}, which is no commit of this job's")
        ref = _ref(self._tree, "laid", self._result)
        Repo(self._tree.path / path).update_refs({ref: found[after]}, why="laid")
        return found[after]


def _commits(repo: Repo, path: str, base: Sha, tip: Sha) -> list[Sha] | None:
    """Return the commits from ``base`` to ``tip``, oldest first; ``None`` if one of the two is not here.

    Raises :class:`_CannotBe` where the second is not built upon the first.
    """
    alone = loose.objects(repo.common_dir(), [tip])
    if alone and alone[0].parents() == (base,):
        return [tip]
    words = ("rev-list", "--first-parent", "--reverse", "--parents", f"{base}..{tip}")
    lines = [line.split() for line in repo.git(*words, ok=(0, 128)).splitlines()] if tip != base else []
    if lines and lines[0][1:2] == [base]:
        return [Sha(line[0]) for line in lines]
    if repo.commits_among({base, tip}) != {base, tip}:
        return None
    if tip != base and not repo.is_ancestor(base, tip):
        raise _CannotBe(f"it rewrote the history of {path or 'the superdataset'}, which others build on")
    return [Sha(line[0]) for line in lines]


def _is_both(change: diff.Change) -> bool:
    return change.mode_before == GITLINK == change.mode_after


def _below(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name


def _inside(path: str, declared: Sequence[str]) -> Iterator[str]:
    """Yield declared paths as the dataset at ``path`` has them; one above it is all of it."""
    for one in declared:
        clean = os.path.normpath(one)
        if not path:
            yield clean
        elif f"{clean}/".startswith(f"{path}/"):
            yield os.path.relpath(clean, path)
        elif paths_meet(clean, path):
            yield "."
