"""Two paths that change places, so that at no instant there is nothing at either of them."""

from __future__ import annotations

import errno
import os
from pathlib import Path

_HERE = -100
"""AT_FDCWD of openat(2): a path is as the process sees it."""

_EXCHANGE = 2
"""RENAME_EXCHANGE of renameat2(2), which some file systems lack, NFS among them."""

_LACKING = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)


def exchange(one: Path, other: Path) -> None:
    """Have ``one`` and ``other``, each of any kind, change places in one step.

    Where the file system cannot do that it takes three renames; one that was cut off in between is ended by
    :func:`end_cut_off`. Raises :class:`OSError`, such as ``EXDEV`` for two file systems.
    """
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0:
        return
    error = ctypes.get_errno()
    if error not in _LACKING:
        raise OSError(error, os.strerror(error), str(one), None, str(other))
    other.rename(_aside(other))
    one.rename(other)
    _aside(other).rename(one)


def end_cut_off(one: Path, other: Path) -> None:
    """End an :func:`exchange` of three renames that a crash cut off, if one was; with all as it was, nothing.

    Before its second rename it is undone, after that it is done.
    """
    if os.path.lexists(_aside(other)):
        _aside(other).rename(one if os.path.lexists(other) else other)


def _aside(path: Path) -> Path:
    return path.with_name(f"{path.name}.exchanged")
