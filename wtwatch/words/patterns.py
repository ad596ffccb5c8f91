"""Patterns of paths as records have them: paths, folders, globs. Words alone."""

import re
from fnmatch import fnmatchcase

_MAGIC = re.compile(r"[*?\[]")


def before_magic(pattern: str) -> str:
    """Return the folders of a pattern before the first that has a wildcard; all of it without one."""
    parts = pattern.split("/")
    end = next((at for at, part in enumerate(parts) if _MAGIC.search(part)), len(parts))
    return "/".join(parts[:end])


def fits(path: str, pattern: str) -> bool:
    """Return whether a glob matches a path, or a folder that it lies in."""
    if "**" in pattern:
        return fnmatchcase(path, pattern.replace("**/", "*"))
    parts, wanted = path.split("/"), pattern.split("/")
    return len(parts) >= len(wanted) and all(map(fnmatchcase, parts, wanted))
