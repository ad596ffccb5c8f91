"""The declared inputs of a job stay where they are while its command runs; what it got may go again after.

The locks are those of the process that runs the job, on whatever host that is, and end with it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from wtwatch.doors import annexlocks, containers
from wtwatch.doors.annexlocks import Locks
from wtwatch.doors.processes import describe
from wtwatch.doors.repo import Repo
from wtwatch.job import annexed
from wtwatch.job.annexed import Files
from wtwatch.job.readiness import listed
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import JobSpec, counted

Say = Callable[[str], None]
"""What takes a sentence for the user."""

DAY = 24 * 3600.0
"""Seconds that git-annex may take to drop content: it asks others whether they have it."""


class Inputs:
    """The declared inputs of a job in a run tree; as a context manager it lets go of what it holds.

    It is made before anything is got. What cannot be done is no failure of the job: it is told to ``say``.
    """

    def __init__(self, run_tree: Path, spec: JobSpec, say: Say) -> None:
        self._top, self._spec, self._say = run_tree, spec, say
        self._locks = Locks()
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
        self._locks.release()

    def hold(self) -> None:
        """Hold what is there: to be called directly before the command, when all was got.

        Raises :class:`WtwatchError` for an input that was there a moment ago, and is not now.
        """
        files: Files = {}
        named: frozenset[str] = frozenset()
        with self._told("The inputs are not held against `git annex drop`"):
            files, named = annexed.of(self._top, self._patterns())
            self._locks = annexlocks.hold({objects: list(places) for objects, places in files.items()})
            if self._there is not None:
                self._got = self._present() - self._there
        names = dict(_contents(files))
        self._tell_of_others(names)
        dropped = [names[content] for content in self._locks.removed]
        gone = [content for content in self._locks.gone if content in named]
        dropped += [names[content] for content in gone if self._is_own(content, names[content])]
        if dropped:
            verb = "was" if len(dropped) == 1 else "were"
            raise WtwatchError(f"{listed(dropped)} {verb} dropped from the annex just before the command")

    def drop_fetched(self) -> None:
        """Have git-annex drop what the job itself got, if it was asked to; to be called when all is saved."""
        if not self._got:
            return
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
        except (WtwatchError, OSError, ValueError) as error:
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
