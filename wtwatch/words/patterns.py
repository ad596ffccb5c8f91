"""Patterns of paths as records have them: paths, folders, globs. Words alone."""

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

_MAGIC = re.compile(r"[*?\[]")


def before_magic(pattern: str) -> str:
    """Return the folders of a pattern before the first that has a wildcard; all of it without one."""
    if not _MAGIC.search(pattern):
        return pattern
    parts = pattern.split("/")
    end = next((at for at, part in enumerate(parts) if _MAGIC.search(part)), len(parts))
    return "/".join(parts[:end])


def fits(path: str, pattern: str) -> bool:
    """Return whether a glob matches a path, or a folder that it lies in."""
    if "**" in pattern:
        return fnmatchcase(path, pattern.replace("**/", "*"))
    parts, wanted = path.split("/"), pattern.split("/")
    return len(parts) >= len(wanted) and all(map(fnmatchcase, parts, wanted))


def names(path: str, patterns: Iterable[str]) -> bool:
    """Return whether one of the patterns names a path from the top, or a folder that it lies in.

    One without a slash is a name at any depth, as in gitignore(5); another is a glob from the top.
    """
    parts = path.rstrip("/").split("/")
    wanted = [pattern.rstrip("/") for pattern in patterns]
    return any(
        fits(path.rstrip("/"), one.removeprefix("/"))
        if "/" in one
        else any(fnmatchcase(part, one) for part in parts)
        for one in wanted
    )
