"""What a job asks for: processors, memory, time, graphics cards; how that is written, and said."""

import math
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from wtwatch.words.errors import UsageError
from wtwatch.words.model import JobSpec, counted, sized

MOST = 10**9
"""More than anybody has of anything, in MB or seconds; beyond it numbers are typing errors."""

_OF_SPEC = ("cpus", "mem", "seconds", "gpus")

_SIZE = r"(\d+(?:\.\d+)?) ?([MGT])(i?)B?"
_MB = {"M": 1, "G": 1000, "T": 1000**2}
_MIB = {"M": 1.048576, "G": 1.073741824e3, "T": 1.099511627776e6}
_SPAN = r"(\d+(?:\.\d+)?) ?(d|h|min|m|s) ?"
_SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1}


class Resources(NamedTuple):
    """What an attempt asks for: processors, MB of memory (of a million bytes), seconds, graphics cards.

    ``None``: as it comes. ``partition`` and ``extra`` are for executors that know such.
    """

    cpus: int | None = None
    mem: int | None = None
    seconds: int | None = None
    gpus: int | None = None
    partition: str | None = None
    extra: tuple[str, ...] = ()

    @property
    def minutes(self) -> int | None:
        """The time in whole minutes, rounded up, as clusters have it."""
        return None if self.seconds is None else math.ceil(self.seconds / 60)


AS_IT_COMES = Resources()
"""What asks for nothing."""


def of(spec: JobSpec) -> Resources:
    """Return what a job asks for."""
    return Resources(spec.cpus, spec.mem, spec.seconds, spec.gpus)


def with_wishes(spec: JobSpec, want: Resources) -> JobSpec:
    """Return a job that asks for what ``want`` names; for all else as before."""
    return spec if want == AS_IT_COMES else spec._replace(**note(want))


def note(want: Resources) -> dict[str, Any]:
    """Return what a record says of what its job asked for."""
    return {name: value for name, value in want._asdict().items() if name in _OF_SPEC and value is not None}


def noted(facts: object) -> Resources:
    """Return what :func:`note` wrote; anything else that stands there, in somebody's commit, is nothing."""
    found = facts if isinstance(facts, dict) else {}
    sound: dict[str, Any] = {
        name: value
        for name, value in found.items()
        if name in _OF_SPEC and type(value) is int and 1 <= value <= MOST
    }
    return Resources(**sound)


def without_wishes(spec: JobSpec) -> JobSpec:
    """Return what a job is to do, whatever it asks for."""
    return spec._replace(cpus=None, mem=None, seconds=None, gpus=None)


def memory(text: str, what: str = "--mem ") -> int:
    """Return the MB of a size such as ``20GB``, ``512M``, ``1.5TB``, ``8GiB``; raises :class:`UsageError`.

    ``what`` is what it was given as.
    """
    found = re.fullmatch(_SIZE, text.strip(), re.IGNORECASE | re.ASCII)
    units = _MIB if found and found[3] else _MB
    size = math.ceil(float(found[1]) * units[found[2].upper()]) if found else 0
    if not 1 <= size <= MOST:
        raise UsageError(f"{what}{text!r} is no size of memory.", "Write it like 20GB or 512MB.")
    return size


def span(text: str, what: str = "--time ") -> int:
    """Return the seconds of a length of time such as ``2h``, ``90min``, ``1d 12h``.

    ``what`` is what it was given as. Raises :class:`UsageError`.
    """
    text = text.strip()
    parts = list(re.finditer(_SPAN, text, re.IGNORECASE | re.ASCII))
    seconds = math.ceil(sum(float(part[1]) * _SECONDS[part[2][0].lower()] for part in parts))
    if "".join(part[0] for part in parts) != text or not 1 <= seconds <= MOST:
        raise UsageError(f"{what}{text!r} is no length of time.", "Write it like 2h, 90min or 1d12h.")
    return seconds


def memory_words(megabytes: int) -> str:
    """Return an amount of memory for people: "20 GB"."""
    return sized(megabytes * 1_000_000).replace(".0 ", " ")


def span_words(seconds: int) -> str:
    """Return a length of time for people without loss: "2 h", "1 h 30 min", "45 s"."""
    parts = []
    for size, word in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        number, seconds = divmod(seconds, size)
        parts += [f"{number} {word}"] if number else []
    return " ".join(parts) or "0 s"


def words(want: Resources) -> Iterator[str]:
    """Yield what is asked for, for people: "2 processors", "20 GB of memory"; nothing: as it comes."""
    if want.cpus is not None:
        yield counted(want.cpus, "processor")
    if want.mem is not None:
        yield f"{memory_words(want.mem)} of memory"
    if want.gpus is not None:
        yield counted(want.gpus, "graphics card")
    if want.seconds is not None:
        yield f"{span_words(want.seconds)} at most"
