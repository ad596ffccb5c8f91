"""A command of jj that rings the bell: an alias in the settings of one repository.

jj has no hooks, and none of its commands can be aliased over; but a new name can run a program, through
``jj util exec``. The watch on jj's operations notices moves without it, so nobody needs it.
"""

from __future__ import annotations

import re
from pathlib import Path

from wtwatch.doors import jj
from wtwatch.words.errors import CommandFailed, UsageError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_RUN = ["util", "exec", "--"]


def ours(code: Path, script: Path) -> list[str]:
    """Return the names of the aliases of this repository that run ``script``, wherever that lay before."""
    tail = script.parts[-2:]
    return [
        name
        for name, words in jj.aliases(code, "--repo").items()
        if words[:-1] == _RUN and Path(words[-1]).parts[-2:] == tail
    ]


def put_in(code: Path, script: Path, name: str) -> None:
    """Have ``jj NAME`` run ``script``; raises :class:`UsageError` for a name that means something already."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} cannot be a command of jj.", "Letters, digits, - and _: --jj-alias ring")
    words = [*_RUN, str(script)]
    known = jj.aliases(code, "--include-defaults").get(name)
    if known == words:
        return
    if (known is not None and name not in ours(code, script)) or (known is None and _is_built_in(code, name)):
        raise UsageError(
            f"`jj {name}` is a command already.", "Choose another name, such as: --jj-alias ring"
        )
    jj.set_alias(code, name, words)


def take_out(code: Path, script: Path) -> None:
    """Take out the aliases that run ``script``; those of others stay."""
    for name in ours(code, script):
        jj.drop_alias(code, name)


def _is_built_in(code: Path, name: str) -> bool:
    try:
        jj.help_of(code, name)
    except CommandFailed:
        return False
    return True
