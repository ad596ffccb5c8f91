"""What holds for all processes of a job: mask of new files, open files, niceness."""

from __future__ import annotations

import os
import resource

from wtwatch.words.errors import WtwatchError
from wtwatch.words.variables import Variables


def hold(limits: Variables) -> None:
    """Have limits hold for this process and all that it starts; see :mod:`wtwatch.words.limits`.

    Raises :class:`WtwatchError` for what this machine does not allow.
    """
    for name, value in limits:
        if name == "umask":
            os.umask(int(value, 8))
        elif name == "nice":
            os.nice(int(value))
        elif name == "open_files":
            _open_files(int(value))


def _open_files(number: int) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and number > most:
        raise WtwatchError(
            f"This machine lets a process have {most} open files, and limits.open_files asks for {number}.",
            f"wtwatch config limits.open_files {most}",
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (number, most))
