"""Processes as ``/proc`` shows them (proc(5)): who is there, where each stands, what it says and writes.

With nothing but what Python has loaded at its start: a status looks at all processes, and a glance loads no
more than this. What a process is for people, and whether it is still the one we knew, is in
:mod:`wtwatch.doors.processes`.
"""

from __future__ import annotations

import os
import stat

TYPE_CHECKING = False  # as `typing` has it, which takes longer to load than all of this
if TYPE_CHECKING:
    from collections.abc import Iterator

_MUCH = 65536
_SIZE = 20  # vsize, counted from the state on
_NO_FILES = ("/dev/", "/proc/", "/memfd:")
_FILES = "/dev/shm/"  # a disk in memory, on which a tree may lie


def all_pids() -> list[int]:
    """Return the pids of all processes that can be seen, but for the kernel's own threads."""
    threads = _threads_of_the_kernel()
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and name not in threads]


def _threads_of_the_kernel() -> frozenset[str]:
    """Return the pids of what stands nowhere and has no file open: half of all, and all of one parent."""
    if read(2, "comm") != b"kthreadd\n":  # in a container
        return frozenset()
    return frozenset(read(2, "task/2/children").decode("ascii").split())  # proc_tid_children(5)


def read(pid: int, file: str) -> bytes:
    """Return a small file of ``/proc/PID`` whole; without the layers of Path: all processes are asked."""
    try:
        handle = os.open(f"/proc/{pid}/{file}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        text = b""
        while part := os.read(handle, _MUCH):
            text += part
        return text
    except OSError:
        return b""
    finally:
        os.close(handle)


def entries(pid: int, file: str) -> list[bytes]:
    """Return what ``/proc/PID/cmdline`` or ``environ`` holds; nothing where it may not be read."""
    text = read(pid, file).rstrip(b"\0")
    return text.split(b"\0") if text else []


def words(pid: int) -> list[str]:
    """Return the command line of a process, which everybody may read; a kernel thread has none."""
    return [os.fsdecode(word) for word in entries(pid, "cmdline")]


def says(pid: int, *texts: bytes) -> bool:
    """Return whether one of the texts stands anywhere in the command line of a process."""
    said = read(pid, "cmdline")
    return any(text in said for text in texts)


def is_stopped(pid: int) -> bool:
    """Return whether a process is held up by a signal such as that of Ctrl-Z, or by a debugger.

    Its threads say the same of themselves (proc_pid_stat(5): state T or t).
    """
    return _state(pid)[:1] in ([b"T"], [b"t"])


def is_ending(pid: int) -> bool:
    """Return whether a process has given its memory back: it does nothing more, nor says what it was.

    It stands where it stood for a moment longer (proc_pid_stat(5): vsize).
    """
    fields = _state(pid)
    return len(fields) > _SIZE and fields[_SIZE] == b"0"


def parents(pid: int) -> Iterator[int]:
    """Yield the parent of a process, the parent of that one, and so on; a zombie counts as nobody."""
    while (fields := _state(pid)) and fields[0] not in (b"Z", b"X"):
        pid = int(fields[1])
        yield pid


def _state(pid: int) -> list[bytes]:
    """Return the fields of ``/proc/PID/stat`` from the third on, which is the state; none if it is gone."""
    return read(pid, "stat").rpartition(b")")[2].split()  # the name before may hold brackets itself


def view(pid: int, path: str = "") -> str:
    """Return the way to a path as ``pid`` sees it: from its working folder if relative, in its own mounts.

    It leads nowhere where that may not be read: another user's (proc_pid_root(5), proc_pid_cwd(5)).
    """
    if path.startswith("/"):
        return f"/proc/{pid}/root{path}"
    return f"/proc/{pid}/cwd/{path}" if path else f"/proc/{pid}/cwd"


def has_own_mounts(pid: int) -> bool:
    """Return whether a process has mounts of its own, as in a container: paths lead elsewhere there."""
    try:
        return os.readlink(f"/proc/{pid}/ns/mnt") != os.readlink("/proc/self/ns/mnt")
    except OSError:
        return False


def written_by(pid: int) -> set[str]:
    """Return the files that a process has open for writing, as the kernel names them; none of another user's.

    A file that was removed meanwhile is none, nor is a pipe, a socket or a device.
    """
    folder = f"/proc/{pid}/fd"
    try:
        links = [f"{folder}/{name}" for name in os.listdir(folder)]
    except OSError:
        return set()
    return {file for link in links if (file := _file_written(link))}


def _file_written(link: str) -> str | None:
    """Return where a link in ``/proc/PID/fd`` leads: it may be written if its file is open for that."""
    try:
        file = os.readlink(link)
        if (
            file[0] != "/"
            or (file.startswith(_NO_FILES) and not file.startswith(_FILES))
            or file.endswith(" (deleted)")
        ):
            return None
        return file if os.lstat(link).st_mode & stat.S_IWUSR else None
    except OSError:  # closed by now
        return None


def folders_above(way: str) -> frozenset[tuple[int, int]]:
    """Return the folder that ``way`` leads to and all that it lies in, each by its device and inode.

    None where it leads nowhere; see :func:`lies_in`.
    """
    found: list[tuple[int, int]] = []
    here = way
    while True:
        try:
            at = os.stat(here)  # Path would fold the ..
        except OSError:
            return frozenset()
        key = (at.st_dev, at.st_ino)
        if found and key == found[-1]:  # the root is its own parent
            return frozenset(found)
        found.append(key)
        here += "/.."


def lies_in(way: str, folder: tuple[int, int]) -> bool:
    """Return whether ``way`` leads to ``folder`` or into it; that is named by its device and inode.

    Compared through all parents, since a bind mount shows other paths.
    """
    # No verdict is kept from one process to the next: in a bind mount the same folder has another parent.
    here = way
    below = None
    while True:
        try:
            found = os.stat(here)  # Path would fold the ..
        except OSError:
            return False
        key = (found.st_dev, found.st_ino)
        if key == folder:
            return True
        if key == below:  # the root is its own parent
            return False
        below = key
        here += "/.."
