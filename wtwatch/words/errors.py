"""The one kind of foreseen trouble: what happened, the way out, and the exit code."""

import errno
import os
import shlex

from wtwatch.words.model import Process


class WtwatchError(Exception):
    """Something that the user can act on.

    ``message`` says what happened and where, in one sentence; ``hint`` names the way out, where possible
    as a command to paste. ``exit_code`` follows the command-line contract: 1 needs the user, 2 usage.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(WtwatchError):
    """What was asked cannot be meant: wrong word, wrong place, wrong file.

    ``about`` is which part of a job is at fault, where that is known: ``inputs``, ``each.subject``.
    """

    exit_code = 2

    def __init__(self, message: str, hint: str | None = None, about: str | None = None) -> None:
        super().__init__(message, hint)
        self.about = about


class CommandFailed(WtwatchError):
    """A tool that wtwatch drives (git, jj, uv, …) exited with an error; its own words are kept."""

    def __init__(self, command: list[str], exit_code: int, stderr: str, where: str) -> None:
        words = stderr.strip() or "(it printed nothing)"
        died = f"signal {-exit_code}" if exit_code < 0 else f"exit {exit_code}"
        super().__init__(f"`{shlex.join(command)}` failed in {where} ({died}):\n{words}")
        self.command = command
        self.stderr = stderr


class Busy(WtwatchError):
    """The run tree is held or in use, so nothing may move now; trying again later is right.

    ``processes`` are those that use it, as far as they are known.
    """

    def __init__(self, message: str, hint: str | None = None, processes: tuple[Process, ...] = ()) -> None:
        super().__init__(message, hint)
        self.processes = processes


class Locked(Busy):
    """A lock of wtwatch's own is held, by another command, the daemon or a job."""


class Refused(WtwatchError):
    """What was asked for is never to be had as it was asked: the same would come of another try."""


class NoIdentity(WtwatchError):
    """Git knows nobody to name as the author of a commit in ``where`` (git-commit(1), commit information)."""

    def __init__(self, where: str) -> None:
        super().__init__(
            f"git does not know who you are, so nothing can be committed in {where}. "
            "(A service sees no variables of your shell, such as GIT_AUTHOR_NAME or EMAIL.)",
            "git config --global user.name 'Your Name'; git config --global user.email you@example.org",
        )


_WAYS_OUT = {
    errno.ENOSPC: "The disk is full: make room on it.",
    errno.EDQUOT: "Your share of the disk is used up: make room in it.",
    errno.EACCES: "You may not do that there: see who owns it, with `ls -ld`.",
    errno.EPERM: "You may not do that there: see who owns it, with `ls -ld`, and what protects it, `lsattr`.",
    errno.EROFS: "Its file system is mounted for reading alone: mount it for writing.",
    errno.ENAMETOOLONG: "Choose a shorter name.",
    errno.ENOTDIR: "A file is in the place of a folder there: move it away, or choose another place.",
    errno.EISDIR: "A folder is in the place of a file there: move it away.",
    errno.ENOENT: "Something is not there: make the folder that is to hold it, or mount its disk.",
    errno.EMFILE: "Let a process have more files open: see `ulimit -n`.",
    errno.ENFILE: "All of the machine's open files are in use: end some of what runs.",
    errno.EIO: "The disk itself failed: see `dmesg`.",
    errno.ESTALE: "The network file system went away: mount it anew.",
    errno.ENOMEM: "The memory is full: end some of what runs.",
}
"""Ways out of what the system refuses, by number (errno(3))."""


def of_system(error: OSError) -> WtwatchError:
    """Return what the operating system refused, as something that the user can act on."""
    what = error.strerror or str(error)
    where = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else None
    return WtwatchError(f"{where}: {what}." if where else f"{what}.", _WAYS_OUT.get(error.errno or 0))
