"""What a check finds: that all is well with its subject, or what is wrong there, and the way out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from wtwatch.words.errors import UsageError, WtwatchError


class Finding(NamedTuple):
    """One thing that was looked at; ``usage``: the fault is in what was asked for, not in what is there."""

    subject: str
    ok: bool
    message: str
    hint: str | None = None
    usage: bool = False


def tried(subject: str, check: Callable[[], object], well: str = "as it should be") -> Finding:
    """Return what a check found that raises :class:`WtwatchError` at a fault, and else says nothing."""
    try:
        check()
    except WtwatchError as error:
        return Finding(subject, False, error.message, error.hint, isinstance(error, UsageError))
    return Finding(subject, True, well)


def demand(findings: Iterable[Finding]) -> None:
    """Raise :class:`WtwatchError` at the first fault; what comes after it is not looked at."""
    for found in findings:
        if not found.ok:
            raise (UsageError if found.usage else WtwatchError)(found.message, found.hint)
