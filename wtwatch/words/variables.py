"""Variables that somebody declares for jobs: how they are written, and what becomes of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from string import Template

from wtwatch.words.errors import UsageError

Variables = tuple[tuple[str, str], ...]
"""Names and values, in the order in which they were declared; each name once."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def check_name(name: str) -> str:
    """Return the name of a variable if a shell can read it; raises :class:`UsageError`.

    POSIX, "Environment Variable Definition": letters, digits and _, the first no digit.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of a variable: letters, digits and _ only, no digit first.",
            "Write it like OMP_NUM_THREADS=2",
        )
    if name.startswith("WTWATCH_"):
        raise UsageError(f"{name} is a variable of wtwatch's own.", "Take another name.")
    return name


def declared(texts: Iterable[str], shell: Mapping[str, str]) -> Variables:
    """Return what texts such as ``NAME=VALUE`` declare; ``NAME`` alone is taken from the shell as it is now.

    Raises :class:`UsageError` for what is no name, and for a variable that the shell does not have.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, given, value = text.partition("=")
        check_name(name)
        if not given and name not in shell:
            raise UsageError(
                f"This shell has no variable {name} that a job could get.",
                f"Export it first, or write {name}=VALUE.",
            )
        if name in found:
            raise UsageError(f"{name} is set twice.", "Set it once.")
        found[name] = value if given else shell[name]
    return tuple(found.items())


def expanded(env: Mapping[str, str], wanted: Variables) -> dict[str, str]:
    """Return an environment with the ``wanted`` variables, in which ``$NAME`` stands for what was there.

    As a shell has it, but that an unknown name stays as it is; ``$$`` is a dollar sign.
    """
    made = dict(env)
    for name, value in wanted:
        made[name] = Template(value).safe_substitute(made)
    return made
