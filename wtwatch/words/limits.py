"""The limits of jobs that can be set: ``umask`` (octal), ``open_files``, ``nice`` (0 to 19)."""

from __future__ import annotations

import re

from wtwatch.words.errors import UsageError

_SOUND = {
    "umask": (re.compile(r"0?[0-7]{3}"), "an octal number such as 027"),
    "open_files": (re.compile(r"[1-9]\d{1,6}"), "a number of files, 10 or more"),
    "nice": (re.compile(r"1?\d"), "0 to 19, the kindest"),
}


def check(name: str, value: str) -> None:
    """Raise :class:`UsageError` for what is no limit, or no value of it (umask(2), getrlimit(2), nice(2))."""
    if name not in _SOUND:
        raise UsageError(f"There is no limit {name!r}.", f"There are: {', '.join(_SOUND)}.")
    pattern, words = _SOUND[name]
    if not pattern.fullmatch(value):
        raise UsageError(
            f"limits.{name} must be {words}, not {value!r}.", f"wtwatch config limits.{name} default"
        )
