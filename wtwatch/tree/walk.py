"""One walk through all processes, for several folders at once: who stands in them or writes there.

Like :mod:`wtwatch.doors.proc` with nothing but what Python has loaded at its start. Who of those is *busy*
decides :mod:`wtwatch.tree.busy`.
"""

from __future__ import annotations

import os

from wtwatch.doors import proc

TYPE_CHECKING = False  # see wtwatch.doors.proc
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

Folder = tuple[int, int]
"""A folder by its device and inode."""

TOOLS = frozenset((b"datalad", b"git", b"git-annex", b"git-annex-shell"))
"""Programs that work in folders which they are given on their command line."""

SHELLS = frozenset(("ash", "bash", "csh", "dash", "fish", "ksh", "sh", "tcsh", "zsh"))

_SHELLS = frozenset(map(str.encode, SHELLS))


class Walk:
    """What was found of ``folders``; this process and its parents do not count.

    ``users`` are by folder the pids that stand in it or below, or have a file there open for writing.
    ``talking`` are pids that may be a tool which names a folder on its command line, or a shell that runs
    one there. ``opened`` are those of ``files``, by their real paths, that anybody has open for writing.
    """

    def __init__(self, folders: Iterable[Folder], files: Collection[str] = ()) -> None:
        self.users: dict[Folder, set[int]] = {folder: set() for folder in folders}
        self.talking: list[int] = []
        self.opened: set[str] = set()
        self._wanted = frozenset(self.users)
        self._known: dict[str, frozenset[Folder]] = {}
        ours = {os.getpid(), *proc.parents(os.getpid())}
        for pid in proc.all_pids() if self.users else ():
            if pid in ours:
                continue
            written = proc.written_by(pid)
            self.opened |= written.intersection(files)
            for folder in self._used(pid, written):
                self.users[folder].add(pid)
            if talks(pid):
                self.talking.append(pid)

    def is_empty(self) -> bool:
        """Return whether nobody was found, as nearly always."""
        return not (self.talking or any(self.users.values()))

    def _used(self, pid: int, written: Iterable[str]) -> set[Folder]:
        found = set(self._wanted & proc.folders_above(proc.view(pid)))
        for file in written:
            above = file.rpartition("/")[0] or "/"
            if above not in self._known:  # many write into the same folder
                self._known[above] = self._wanted & proc.folders_above(above)
            found |= self._known[above]
            if proc.has_own_mounts(pid):
                found |= self._wanted & proc.folders_above(proc.view(pid, above))
        return found


def talks(pid: int) -> bool:
    """Return whether a tool stands on the command line of a process, or anywhere in that of a shell."""
    if not proc.says(pid, b"git", b"datalad"):  # as nearly all
        return False
    names = [word.rpartition(b"/")[2] for word in proc.entries(pid, "cmdline")]
    return not TOOLS.isdisjoint(names) or any(name.lstrip(b"-") in _SHELLS for name in names[:1])
