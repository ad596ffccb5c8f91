"""One walk through all processes, for several folders at once: who stands in them, writes there, names them.

Like :mod:`wtwatch.doors.proc` with nothing but what Python has loaded at its start. Who of those is *busy*
decides :mod:`wtwatch.tree.busy`.
"""

from __future__ import annotations

import os

from wtwatch.doors import proc

TYPE_CHECKING = False  # see wtwatch.doors.proc
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

Folder = tuple[int, int]
"""A folder by its device and inode."""

SHELLS = frozenset(("ash", "bash", "csh", "dash", "fish", "ksh", "sh", "tcsh", "zsh"))

_TOOLS = frozenset(("datalad", "git", "git-annex", "git-annex-shell"))
"""Programs that work in folders which they are given on their command line."""

_ENDS_A_WORD = "'\"=;|&()<> \t\n\r"
_LONGEST = 1000  # words of a command line that are looked at


class Walk:
    """What was found of ``folders``.

    ``users`` are by folder the pids that stand in it or below, have a file there open for writing, or are a
    tool that names it on its command line; without this process and its parents. ``opened`` are those of
    ``files``, by their real paths, that anybody has open for writing.
    """

    def __init__(self, folders: Iterable[Folder], files: Collection[str] = ()) -> None:
        self.users: dict[Folder, set[int]] = {folder: set() for folder in folders}
        self.opened: set[str] = set()
        self._wanted = frozenset(self.users)
        self._known: dict[str, frozenset[Folder]] = {}
        ours = {os.getpid(), *proc.parents(os.getpid())}
        for pid in proc.all_pids() if self.users else ():
            written = proc.written_by(pid)
            self.opened |= written.intersection(files)
            for folder in self._used(pid, written) if pid not in ours else ():
                self.users[folder].add(pid)

    def is_empty(self) -> bool:
        """Return whether nobody was found, as nearly always."""
        return not any(self.users.values())

    def _used(self, pid: int, written: Iterable[str]) -> set[Folder]:
        found = set(self._wanted & proc.folders_above(proc.view(pid)))
        for file in written:
            above = file.rpartition("/")[0] or "/"
            if above not in self._known:  # many write into the same folder
                self._known[above] = self._wanted & proc.folders_above(above)
            found |= self._known[above]
            if proc.has_own_mounts(pid):
                found |= self._wanted & proc.folders_above(proc.view(pid, above))
        for path in said_by(pid):
            for way in ways(pid, path):
                found |= self._wanted & proc.folders_above(existing_folder(way))
        return found


def said_by(pid: int) -> Iterator[str]:
    """Yield what may be a path on the command line of a tool, or of a shell that runs one."""
    if not proc.says(pid, b"git", b"datalad"):  # as nearly all
        return
    said = proc.words(pid)[:_LONGEST]
    if said and name_of(said[0]).lstrip("-") in SHELLS:  # a script may be in one of its words
        said = [part.strip("'\"") for word in said for part in _parts(word)]
    at = next((at for at, word in enumerate(said) if name_of(word) in _TOOLS), None)
    for word in said[at + 1 :] if at is not None else ():
        yield from paths_in(word)


def _parts(script: str) -> Iterator[str]:
    """Yield the words of a script; what is in quotes is one. By hand, as ``re`` takes longer to load."""
    at = 0
    while at < len(script):
        if script[at] in "'\"" and (end := script.find(script[at], at + 1)) != -1:
            yield script[at : end + 1]
            at = end + 1
        elif script[at] in _ENDS_A_WORD:
            at += 1
        else:
            rest = range(at, len(script))
            end = next((end for end in rest if script[end] in _ENDS_A_WORD), len(script))
            yield script[at:end]
            at = end


def ways(pid: int, path: str) -> Iterator[str]:
    """Yield where a path leads as ``pid`` sees it: in our view, and in its own if that is another."""
    if path.startswith("/"):
        yield path
    if not path.startswith("/") or proc.has_own_mounts(pid):
        yield proc.view(pid, path)


def existing_folder(path: str) -> str:
    """Return the nearest folder above a path, or that itself if it is one."""
    while not os.path.isdir(path) and path not in ("", "/"):
        path = os.path.dirname(path)
    return path


def paths_in(word: str) -> Iterator[str]:
    """Yield what may be a path in a word of a command line: ``RUN``, ``-dRUN``, ``--git-dir=RUN/.git``."""
    if word.startswith("--"):
        word = word.partition("=")[2]
    elif word.startswith("-"):
        word = word[2:]
    if word:
        yield word


def name_of(word: str) -> str:
    """Return the name of a program, without its folder."""
    return word.rpartition("/")[2]
