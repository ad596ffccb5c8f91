"""How all datasets of a tree stand, in one look; two such looks frame a job.

:class:`Before` is taken directly before its command, :class:`After` when that has ended. What the second adds
to the first is the job's, and only that.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

from wtwatch.doors.porcelain import Change
from wtwatch.doors.repo import Repo
from wtwatch.tree import reflog
from wtwatch.tree.changes import AskedChanges, subdatasets
from wtwatch.tree.folders import Scope
from wtwatch.words.model import Sha

AT_ONCE = 8
"""How many datasets are asked at the same time: with hundreds, open files would run out."""


class DatasetState(NamedTuple):
    """How one dataset of a tree stands; ``path`` is its place from the top, empty for the superdataset.

    ``branch`` is ``None`` where HEAD is detached, ``operation`` one like "merge" that waits for the user.
    ``locks`` are the lock files that a git has put there, or left. ``entry`` is the last of HEAD's reflog: it
    is another after each commit and checkout that is made here. Looks of before there was that have ``None``.
    """

    path: str
    head: Sha | None
    branch: str | None
    operation: str | None
    locks: tuple[str, ...]
    changes: tuple[Change, ...]
    entry: str | None = None


class TreeState(NamedTuple):
    """How all datasets of a tree stand, outside in, code among them; ``absent`` are those not installed."""

    datasets: tuple[DatasetState, ...]
    absent: tuple[str, ...] = ()

    @classmethod
    def of(cls, top: Path, env: Mapping[str, str], scope: Scope | None = None) -> Self:
        """Look at the tree at ``top``; ``env`` says what git shall ignore besides its usual.

        ``scope``: in the superdataset nothing can differ elsewhere.
        """
        with Looking(top, env, scope) as looking:
            return looking.answer(cls)

    def at(self, path: str) -> DatasetState | None:
        """Return the dataset whose place is ``path``."""
        return next((state for state in self.datasets if state.path == path), None)


T = TypeVar("T", bound=TreeState)


class Looking:
    """A look at a tree that is under way: gits are at work at the first of its datasets.

    Those are at ``paths`` from the top, outside in. As a context manager it ends what is still at work.
    """

    def __init__(self, top: Path, env: Mapping[str, str], scope: Scope | None = None) -> None:
        self._top, self._env = top, env
        # at work while git is asked which others there are
        self._asked = [("", AskedChanges(top, env, scope=scope))]
        try:
            found = list(subdatasets(top))
            self.paths = ("", *(sub.path for sub in found if sub.installed))
            self._absent = tuple(sub.path for sub in found if not sub.installed)
            self._asked += self._ask(1)
        except BaseException:
            self._close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        for _, asking in self._asked:
            asking.close()

    def answer(self, kind: type[T]) -> T:
        """Return how all datasets stand, once the gits are done; raises :class:`WtwatchError` as they do."""
        looked: list[DatasetState] = []
        while self._asked:
            looked += [_state(Repo(self._top / path), path, asking) for path, asking in self._asked]
            self._close()
            self._asked = self._ask(len(looked))
        return kind(tuple(looked), self._absent)

    def _ask(self, start: int) -> list[tuple[str, AskedChanges]]:
        """Have git look at the datasets from number ``start`` on, up to a multiple of :data:`AT_ONCE`."""
        some = self.paths[start : start + AT_ONCE - start % AT_ONCE]
        many = len(some) > AT_ONCE // 2
        return [(path, AskedChanges(self._top / path, self._env, by_one=many)) for path in some]


class Before(TreeState):
    """How all datasets stood when a job's command began."""


class After(TreeState):
    """How all datasets stood when a job's command had ended."""


def added(before: TreeState, after: TreeState, path: str) -> tuple[Change, ...]:
    """Return what in the dataset at ``path`` differs from its HEAD after a job, and did not before."""
    then, now = before.at(path), after.at(path)
    known = set(then.changes) if then else set()
    return tuple(change for change in (now.changes if now else ()) if change not in known)


def _state(repo: Repo, path: str, asking: AskedChanges) -> DatasetState:
    found = asking.answer()
    return DatasetState(
        path=path,
        head=found.head,
        branch=found.branch,
        operation=repo.operation(),
        locks=tuple(str(lock) for lock in locks_of(repo, found.branch) if lock.exists()),
        changes=found.entries,
        entry=reflog.last_in(repo),
    )


def locks_of(repo: Repo, branch: str | None) -> list[Path]:
    """Return where a git at work in this work tree has its lock files, or left them when it was killed."""
    own = repo.git_dir()
    return [own / "index.lock", own / "HEAD.lock", *shared_locks_of(repo, branch)]


def shared_locks_of(repo: Repo, branch: str | None) -> list[Path]:
    """Return where a git has locks that the other work trees of the repository feel as well.

    Those of the branch, and of what git-annex updates with each command.
    """
    refs = repo.common_dir() / "refs"
    names = ["heads/git-annex", "annex/last-index", *([f"heads/{branch}"] if branch else [])]
    return [refs / f"{name}.lock" for name in names]


def state_text(state: TreeState) -> str:
    """Return how a tree stood, as the files of the folder have it (JSON, version 1)."""
    return json.dumps(
        {"version": 1, "datasets": [one._asdict() for one in state.datasets], "absent": state.absent}
    )


def state_of(facts: dict[str, Any], kind: type[T]) -> T:
    """Return what :func:`state_text` wrote, read as JSON."""
    datasets = tuple(
        DatasetState(
            **{key: value for key, value in one.items() if key in DatasetState._fields}
            | {"locks": tuple(one["locks"]), "changes": tuple(map(_change, one["changes"]))}
        )
        for one in facts["datasets"]
    )
    return kind(datasets, tuple(facts["absent"]))


def _change(fields: list[Any]) -> Change:
    path, staged, unstaged, in_head, in_index = fields
    return Change(path, staged, unstaged, tuple(in_head), tuple(in_index))
