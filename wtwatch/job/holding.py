"""The declared inputs of a job stay where they are while its command runs; what it got may go again after.

The locks are those of the process that runs the job, on whatever host that is, and end with it. Where they
may be many, they are those of a fork of it, which finds and takes them while the job is made ready: 5,000
take a sixth of a second, and each program that the process then starts would take 15 ms more.
"""

from __future__ import annotations

import glob
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from wtwatch.doors import annexlocks, containers
from wtwatch.doors.annexlocks import PATIENCE, Locks
from wtwatch.doors.forked import Forked
from wtwatch.doors.processes import describe
from wtwatch.doors.repo import Repo
from wtwatch.job import annexed
from wtwatch.job.annexed import Annexed, Files
from wtwatch.job.readiness import listed
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import JobSpec, counted

Say = Callable[[str], None]
"""What takes a sentence for the user."""

DAY = 24 * 3600.0
"""Seconds that git-annex may take to drop content: it asks others whether they have it."""

FEW = 100
"""So many files this process holds by itself, directly before the command."""

_EARLY, _NOW = b"e", b"n"
"""What a fork is asked for: to hold what is there by now; to hold all, and say what it could not."""

_TROUBLE = (WtwatchError, OSError, ValueError)
_NOT_HELD = "The inputs are not held against `git annex drop`"


class Inputs:
    """The declared inputs of a job in a run tree; as a context manager it lets go of what it holds.

    It is made before anything is got. What cannot be done is no failure of the job: it is told to ``say``.
    """

    def __init__(self, run_tree: Path, spec: JobSpec, say: Say) -> None:
        self._top, self._spec, self._say = run_tree, spec, say
        self._locks = Locks()
        self._fork: Forked | None = None
        self._is_held_there = False
        self._there: set[str] | None = None
        self._got: set[str] = set()
        if spec.drop_fetched:
            with self._told("What the job gets will not be dropped again"):
                self._there = self._present()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
        if self._fork is not None:
            self._fork.wait()

    @property
    def holders(self) -> tuple[int, ...]:
        """The processes that do nothing but hold inputs: none of the job's command."""
        return (self._fork.pid,) if self._fork is not None else ()

    def begin(self) -> None:
        """Begin to hold what is there, beside whatever else is done until :meth:`hold`; returns at once."""
        if self._may_be_many():
            with suppress(WtwatchError, OSError):  # then it is done, or its error told, when it has to be
                self._fork = Forked(self._answer)
                self._fork.ask(_EARLY)

    def hold(self, all_was_there: bool = False) -> None:
        """Hold what is there: to be called directly before the command, when all was got.

        ``all_was_there``: nothing had to be got. Raises :class:`WtwatchError` for an input that was there a
        moment ago, and is not now.
        """
        wrong = self._hold() if self._fork is None else self._have_held(self._fork, all_was_there)
        if self._there is not None:
            with self._told("What the job got will not be dropped again"):
                self._got = self._present() - self._there
        if wrong is not None:
            raise WtwatchError(wrong)

    def release(self) -> None:
        """Let go of all: the command is over. Not yet of all that a fork has, until the end of the body."""
        self._locks.release()
        if self._fork is not None and not self._fork.let_go() and self._is_held_there:
            self._say(f"{_NOT_HELD} any more: process {self._fork.pid}, which held them, was ended.")
        self._is_held_there = False

    def _may_be_many(self) -> bool:
        """Return whether more files may be declared than a process holds in a moment."""
        declared = self._spec.inputs
        return len(declared) > FEW or any(
            glob.has_magic(path) or (self._top / path).is_dir() for path in declared
        )

    def _have_held(self, fork: Forked, all_was_there: bool) -> str | None:
        """Have a fork hold what :meth:`hold` says, which began with it; return what is wrong, if anything."""
        with self._told(_NOT_HELD):
            if not (fork.answer() and all_was_there):
                fork.ask(_NOW)
                said, wrong = fork.answer()
                for line in said:
                    self._say(line)
                if wrong is not None:
                    return str(wrong)
            self._is_held_there = True
        return None

    def _answer(self, word: bytes) -> object:
        """Do in a fork what it is asked for, without waiting for anybody at first."""
        if word == _EARLY:
            with suppress(*_TROUBLE):  # it comes again, and is told then
                self._look(patience=0)
                return not self._locks.are_not_all()
            return False
        said: list[str] = []
        self._say = said.append
        return said, self._hold()

    def _look(self, patience: float) -> Annexed:
        """Find all content of inputs, and lock what is not locked yet."""
        found, held = annexed.of(self._top, self._patterns()), self._locks.handles
        free = {
            objects: [place for place in places if f"{objects}/{place}" not in held]
            for objects, places in found.files.items()
        }
        self._locks = annexlocks.hold(free, patience)
        self._locks.handles.update(held)
        return found

    def _hold(self) -> str | None:
        """Hold all inputs, and say what cannot be; return what is wrong, if anything."""
        found: Annexed | None = None
        with self._told(_NOT_HELD):
            found = self._look(PATIENCE)
        if found is None:
            return None
        names, named = dict(_contents(found.files)), found.named
        self._tell_of_others(names)
        dropped = [names[content] for content in self._locks.removed]
        gone = [content for content in self._locks.gone if content in named]
        dropped += [names[content] for content in gone if self._is_own(content, names[content])]
        if not dropped:
            return None
        verb = "was" if len(dropped) == 1 else "were"
        return f"{listed(dropped)} {verb} dropped from the annex just before the command"

    def drop_fetched(self) -> None:
        """Have git-annex drop what the job itself got, if it was asked to; to be called when all is saved."""
        if not self._got:
            return
        if self._fork is not None:
            self._fork.wait()
        with self._told("What the job got is not dropped again"):
            for dataset, paths in self._still_there().items():
                for line in _dropped(self._top, dataset, paths):
                    self._say(line)

    def _patterns(self) -> tuple[str, ...]:
        """Return what is declared; in the record of a run that is what its container needs, too."""
        inside = None if self._spec.rerun_of else self._spec.container
        also = containers.found(self._top, inside).inputs if inside else ()
        return (*self._spec.inputs, *also)

    def _present(self) -> set[str]:
        """Return the content of inputs that is here, by its whole paths; not that of a container."""
        files = annexed.of(self._top, self._spec.inputs).files
        return {content for content, _ in _contents(files) if Path(content).exists()}

    def _is_own(self, content: str, path: str) -> bool:
        """Return whether content lies in the annex of its file's dataset, so that DataLad asked for it."""
        annex = annexed.annex_at(self._top, path)
        return annex is not None and content.startswith(f"{annex}/")

    def _still_there(self) -> dict[str, list[str]]:
        """Return the files whose content the job got, and which still have it, by their datasets."""
        found: dict[str, list[str]] = {}
        for content, path in _contents(annexed.of(self._top, self._spec.inputs).files):
            file = self._top / path
            dataset = annexed.dataset_of(str(self._top), str(file.parent))
            if content in self._got and dataset is not None and Path(content).exists():
                found.setdefault(dataset, []).append(path)
        return found

    def _tell_of_others(self, names: dict[str, str]) -> None:
        """Say what is not held though it is there; ``names`` are the files of all content."""
        for content, pid in self._locks.locked:
            who = describe(pid) if pid else None
            whose = f"by process {pid} ({who.command})" if who else "by another process"
            self._say(f"{names[content]} is locked {whose}, which may drop it: it is not held.")
        for why, number in Counter(why for _, why in self._locks.barred).items():
            of_all = f"{number:,} of {counted(len(names), 'input')}" if len(names) > 1 else "The input"
            self._say(f"{of_all} cannot be held against `git annex drop`: {why}.")

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Say what comes of an error in the body, and go on."""
        try:
            yield
        except _TROUBLE as error:
            self._say(f"{what}: {error}")


def _contents(files: Files) -> Iterator[tuple[str, str]]:
    """Yield content by its whole path, and a file that has it."""
    for objects, places in files.items():
        for place, path in places.items():
            yield f"{objects}/{place}", path


def _dropped(top: Path, dataset: str, paths: Sequence[str]) -> Iterator[str]:
    """Drop the content of files of a dataset, if there are copies enough elsewhere; yield what came of it."""
    words = ("annex", "drop", "--batch", "-z", "--json", "--json-error-messages")
    asked = "".join(f"{(top / path).relative_to(dataset)}\0" for path in paths)
    with Repo(Path(dataset)).ask(*words, hooks=True, feed=True, limit=DAY) as asking:
        text = asking.answer(ok=None, stdin=asked)
    said = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    answers = {str((Path(dataset) / str(one.get("file"))).relative_to(top)): one for one in said}
    if gone := [path for path, one in answers.items() if one.get("success")]:
        yield f"Dropped again, as the job had got it: {listed(gone)}."
    for path, one in answers.items():
        if not one.get("success"):
            yield f"git-annex keeps {path}: {_why(one)}"


def _why(said: dict[str, Any]) -> str:
    lines = [line.strip() for text in said.get("error-messages", ()) for line in str(text).splitlines()]
    return "; ".join(filter(None, lines)) or str(said.get("note") or "it says no more")
