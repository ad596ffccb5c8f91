"""Where jobs run, as a project's settings have it: ``here`` on this host, or on a cluster of Slurm."""

import shlex
from typing import NamedTuple

from wtwatch.words.errors import UsageError
from wtwatch.words.variables import Variables

KINDS = ("here", "slurm")

_OURS = (
    "--job-name", "-J", "--requeue", "--no-requeue", "--array", "-a", "--wait", "-W", "--output", "-o",
    "--error", "-e", "--export", "--open-mode", "--chdir", "-D", "--parsable", "--wrap", "--hold", "-H",
)  # fmt: skip
"""Options of sbatch(1) by which jobs are found again, or would not be what they have to be."""


class Place(NamedTuple):
    """Where jobs run: ``partition``, ``account``, ``options`` of sbatch, a ``setup`` line for its nodes."""

    kind: str = "here"
    partition: str = ""
    account: str = ""
    options: tuple[str, ...] = ()
    setup: str = ""


def of(settings: Variables) -> Place:
    """Return what the table ``executor`` says."""
    found = dict(settings)
    options = tuple(shlex.split(found.pop("options", "")))
    return Place(**found, options=options)


def check(name: str, value: str) -> None:
    """Raise :class:`UsageError` for what is no setting of where jobs run, or no value of it."""
    if name not in Place._fields:
        raise UsageError(
            f"There is no setting executor.{name}.",
            f"There are: {', '.join(f'executor.{one}' for one in Place._fields)}.",
        )
    if name == "kind" and value not in KINDS:
        raise UsageError(
            f"executor.kind must be one of {', '.join(KINDS)}, not {value!r}.",
            "wtwatch config executor.kind default",
        )
    if name in ("partition", "account") and (not value or value.startswith("-") or len(value.split()) != 1):
        raise UsageError(
            f"executor.{name} must be one name, not {value!r}.", f"wtwatch config executor.{name} default"
        )
    if name == "options":
        _check_options(value)


def _check_options(text: str) -> None:
    way = "Write them as for sbatch(1): --qos=long --constraint=avx"
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"executor.options cannot be read: {error}.", way) from None
    for word in words:
        if not word.startswith("-"):
            raise UsageError(f"executor.options: {word!r} is no option, give values after a =.", way)
        if word.partition("=")[0] in _OURS:
            raise UsageError(f"executor.options: {word!r} is for wtwatch itself to give.", "Leave it out.")
