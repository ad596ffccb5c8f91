"""What is found wrong with jobs when they are queued, rather than at three in the morning."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path
from string import Formatter

from wtwatch.doors.repo import Repo
from wtwatch.queue.wording import ON_LINE, Wording
from wtwatch.words.errors import UsageError
from wtwatch.words.model import JobSpec, counted

DATALAD_PLACEHOLDERS = ("inputs", "outputs", "pwd", "dspath", "tmpdir")
"""What DataLad itself replaces in a command (datalad-run(1), "Command format")."""

_SUBSTITUTION = "datalad.run.substitutions."
_WILD = re.compile(r"[*?\[]")
_SHOWN = 3


def check_placeholders(
    specs: Iterable[JobSpec], top: Path, names: Collection[str] = (), say: Wording = ON_LINE
) -> None:
    """Raise :class:`UsageError` for a placeholder that DataLad would not know when the job runs.

    DataLad formats the command, and each input and output, as Python's `str.format` does; what else it knows
    is configured in the dataset at ``top`` as ``datalad.run.substitutions.NAME``. ``names`` are those of
    ``--each``, for what is said, and ``say`` how things are called.
    """
    configured: frozenset[str] | None = None
    for spec in specs:
        if spec.plain or spec.rerun_of:
            continue
        texts = [("command", spec.command)]
        texts += [("inputs", path) for path in spec.inputs] + [("outputs", path) for path in spec.outputs]
        for about, text in texts:
            for name in _fields(text, about, say):
                if name in DATALAD_PLACEHOLDERS:
                    continue
                if configured is None:
                    configured = _configured(top)
                if name not in configured:
                    raise _unknown(name, text, names, about, say)


def _fields(text: str, about: str, say: Wording) -> Iterator[str]:
    """Yield the names in the placeholders of a text; raises :class:`UsageError` for a brace that is alone."""
    try:
        for _, field, _, _ in Formatter().parse(text):
            if field is not None:
                yield re.split(r"[.\[]", field, maxsplit=1)[0]
    except ValueError as error:
        raise UsageError(
            f"{text!r} has a brace that DataLad cannot read: {error}.",
            _literal(say),
            about,
        ) from error


def _literal(say: Wording) -> str:
    way = f"with {say.plain} they stay as they are"
    return f"Write {{{{ and }}}} for braces that the command itself needs; {way}."


def _unknown(name: str, text: str, names: Collection[str], about: str, say: Wording) -> UsageError:
    known = ", ".join(f"{{{one}}}" for one in (*names, *DATALAD_PLACEHOLDERS))
    if f"${{{name}}}" in text:
        way = f"Write ${name}, or ${{{{{name}}}}}, for the variable of the shell."
    elif name.isidentifier():
        way = f"Known are {known}. For braces of the command itself write {{{{{name}}}}}."
    else:
        way = _literal(say)
    return UsageError(f"Nobody knows what {{{name}}} stands for, in {text!r}.", way, about)


def _configured(top: Path) -> frozenset[str]:
    """Return the names that the dataset's configuration adds to what DataLad replaces."""
    if not top.is_dir():
        return frozenset()
    repo, pattern = Repo(top), f"^{re.escape(_SUBSTITUTION)}"
    words = ("--name-only", "--get-regexp", pattern)
    found = repo.git("config", *words, ok=(0, 1)).split("\n")
    tracked = top / ".datalad" / "config"
    if tracked.is_file():
        found += repo.git("config", "-f", str(tracked), *words, ok=(0, 1)).split("\n")
    return frozenset(name.removeprefix(_SUBSTITUTION) for name in found if name)


def check_paths(specs: Iterable[JobSpec], say: Wording = ON_LINE) -> None:
    """Raise :class:`UsageError` for an input, output or use that is no path inside of the dataset."""
    found = [("inputs", path) for spec in specs for path in spec.inputs]
    found += [("outputs", path) for spec in specs for path in spec.outputs]
    found += [("uses", path) for spec in specs for path in spec.uses]
    for about, path in dict.fromkeys(found):
        parts = Path(os.path.normpath(path)).parts
        if not path.strip():
            raise UsageError(
                "An empty path is no input, output or use.",
                "Leave it out, or say which path is meant.",
                about,
            )
        if Path(path).is_absolute() or ".." in parts:
            raise UsageError(
                f"{path!r} does not lie in the dataset.",
                f"Give paths as seen from the top of the superdataset, such as {say.path}",
                about,
            )
        if ".git" in parts:
            raise UsageError(
                f"{path!r} lies in a .git folder, which is git's own.", "Choose another path.", about
            )


def meeting_outputs(specs: Sequence[JobSpec]) -> str | None:
    """Return what to say where two jobs write to one place, so that the later one replaces what is there."""
    place = meeting_place(specs)
    if place is None:
        return None
    return f"{counted(len(specs), 'job')} are queued, and more than one of them makes {place!r}"


def meeting_place(specs: Sequence[JobSpec]) -> str | None:
    """Return a place that two jobs write to: the very same output, or one that lies in the other's."""
    makers: dict[str, int] = {}
    holders: dict[str, int] = {}
    for number, spec in enumerate(specs):
        for path in {os.path.normpath(path) for path in spec.outputs if not _WILD.search(path)}:
            above = [one for one in _above(path) if makers.get(one, number) != number]
            if above or makers.get(path, number) != number or holders.get(path, number) != number:
                return above[0] if above else path
            makers[path] = number
            for one in _above(path):
                holders.setdefault(one, number)
    return None


def _above(path: str) -> list[str]:
    """Return the folders that a path lies in, without the top."""
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]


class _Coming:
    """What jobs make: asked of ten thousand inputs among as many outputs."""

    def __init__(self, made: Iterable[str]) -> None:
        self._paths: set[str] = set()
        self._below: dict[str, list[str]] = {}
        self.add(made)

    def add(self, made: Iterable[str]) -> None:
        for path in {os.path.normpath(path) for path in made} - self._paths:
            self._paths.add(path)
            for folder in ("", *_above(path)):
                self._below.setdefault(folder, []).append(path)

    def has(self, path: str) -> bool:
        """Return whether something that is made is ``path``, or lies in it, or holds it."""
        wild = _WILD.search(path)
        whole = os.path.normpath(path)
        certain = os.path.normpath(path[: wild.start()]) if wild else whole
        if not self._paths.isdisjoint((certain, *_above(certain))) or whole in self._below:
            return True
        if wild is None:
            return False
        folder = os.path.dirname(path[: wild.start()])  # noqa: PTH120 (words alone, no disk)
        return any(fnmatch(one, whole) for one in self._below.get(folder, ()))


def absent_inputs(specs: Sequence[JobSpec], trees: Sequence[Path], made: Iterable[str]) -> str | None:
    """Return what to say of inputs that are in none of ``trees``, and that no job makes before.

    ``made`` are the outputs of jobs that wait already. An input with wildcards has to match something.
    """
    coming = _Coming(made)
    absent: dict[str, None] = {}
    for spec in specs:
        for path in spec.inputs:
            known = "{" in path or coming.has(path) or any(_is_there(tree, path) for tree in trees)
            if not known:
                absent[path] = None
        coming.add(spec.outputs)
    if not absent:
        return None
    more = f" and {len(absent) - _SHOWN} more" * (len(absent) > _SHOWN)
    return f"{', '.join(list(absent)[:_SHOWN])}{more}: not there, and no job that is queued makes it"


def absent_uses(specs: Iterable[JobSpec], trees: Sequence[Path]) -> str | None:
    """Return what to say of paths that jobs are said to use, and that are in none of ``trees``."""
    stated = dict.fromkeys(path for spec in specs for path in spec.uses)
    absent = [path for path in stated if not any(_is_there(tree, path) for tree in trees)]
    more = f" and {len(absent) - _SHOWN} more" * (len(absent) > _SHOWN)
    return f"{', '.join(absent[:_SHOWN])}{more}: said to be used, and not there" if absent else None


def _is_there(tree: Path, path: str) -> bool:
    if _WILD.search(path):
        return next(tree.glob(path.rstrip("/")), None) is not None
    return os.path.lexists(tree / path)
