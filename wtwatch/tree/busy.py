"""Who is busy in a tree: foreign processes for which nothing moves there, nor is started or cleared up.

Busy is who stands in it, has a file in it open for writing, or is a datalad, git or git-annex that names it
on its command line. What cannot be seen (another user's working folder, say) is not guessed.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

from wtwatch.doors import proc, processes
from wtwatch.doors.proc import view
from wtwatch.doors.program import DRIVER
from wtwatch.tree.rounds import Rounds
from wtwatch.tree.walk import SHELLS, Folder, Walk, existing_folder, name_of, paths_in, said_by, ways
from wtwatch.words.model import Process

if TYPE_CHECKING:  # else a glance would load what reads settings
    from wtwatch.project.tree import RunTree

# options of a shell at its prompt that are followed by a word of their own (bash(1), zsh(1), fish(1))
_TAKE_A_WORD = frozenset(("--init-file", "--rcfile", "--init-command", "-C", "-o", "+o", "-O", "+O"))
# shells that no prompt keeps helpers of, which also read from a pipe and wait there for ever
_PLAIN_SHELLS = frozenset(("ash", "bash", "dash", "ksh", "sh"))

_INTERPRETER = re.compile(r"(python|node|perl|ruby)[\d.]*")
# commands of git that only read, and wait for as long as their pager is looked at
_READS = frozenset(("annotate", "blame", "diff", "grep", "help", "log", "shortlog", "show", "whatchanged"))
_GIT_TAKES_A_WORD = frozenset(("-C", "-c", "--git-dir", "--work-tree", "--namespace", "--config-env"))
_RUNS = frozenset(("run", "rerun", "containers-run"))
_WAITS = frozenset(("wait", "logs"))
_DRIVER = os.fsencode(f"{DRIVER}=")
_PASSING_ON = frozenset(("cat", "grep", "head", "tee", "ts", "wc"))


_rounds = Rounds()


def working_in(tree: RunTree, ignore: Collection[int] = ()) -> list[Process]:
    """Return the foreign processes that are busy in a run tree, oldest first.

    This process, its parents, wtwatch's own and the programs that they drive, those that only wait for the
    queue, and pids in ``ignore`` are left out, as are passive programs and a git that only shows something;
    but a shell is passive only at its prompt: one that runs a script is a batch, also between two of its
    commands.
    """
    return working_under(tree.path, tree.project.passive, ignore)


def working_in_each(trees: Sequence[RunTree], walk: Walk | None = None) -> list[list[Process]]:
    """Return for each run tree what :func:`working_in` does, by one walk through all processes.

    ``walk`` is one that was made just now.
    """
    places = [(place.folder if place else None, tree.project.passive) for tree, place in _places(trees)]
    return at_work(places, walk or Walk(folders_of(trees)))


def at_work(places: Sequence[tuple[Folder | None, Collection[str]]], walk: Walk) -> list[list[Process]]:
    """Return who is busy in each of several folders, of those that a walk found; see :func:`working_in`.

    Each folder comes with the names of programs that are passive there.
    """
    everybody = set().union(*walk.users.values())
    if not everybody:  # as nearly always
        return [[] for _ in places]
    waiting = _waiting_for_the_queue(everybody)
    return [_at_work(walk.users[folder] if folder else (), waiting, passive) for folder, passive in places]


def _places(trees: Iterable[RunTree]) -> list[tuple[RunTree, _Place | None]]:
    return [(tree, _Place.of(tree.path)) for tree in trees]


def folders_of(trees: Iterable[RunTree]) -> set[Folder]:
    """Return the folders of those run trees that are there, for a :class:`Walk`."""
    return {place.folder for _, place in _places(trees) if place}


def working_under(folder: Path, passive: Collection[str] = (), ignore: Collection[int] = ()) -> list[Process]:
    """Return the foreign processes that are busy in any folder; see :func:`working_in`."""
    place = _Place.of(folder)
    if place is None:
        return []
    inside = _rounds.users_of(place.folder).difference(ignore)
    if not inside:  # as nearly always
        return []
    return _at_work(inside, _waiting_for_the_queue(inside), passive)


def _at_work(inside: Iterable[int], waiting: Collection[int], passive: Collection[str]) -> list[Process]:
    others = (pid for pid in inside if pid not in waiting and not _is_driven(pid))
    found = _described(pid for pid in others if not proc.is_ending(pid))  # asked last: it says whose no more
    return [process for process in found if not _is_passive(process, passive)]


def gits_in(folder: Path) -> list[Process]:
    """Return the gits at work in a folder; one that only logs into it is not."""
    place = _Place.of(folder)
    pids = [pid for pid in proc.all_pids() if place and place.is_worked_in_by(pid)]
    return [process for process in _described(pids) if process.name == "git"]


def datalad_runs_in(folder: Path) -> list[Process]:
    """Return the ``datalad run``, ``rerun`` and ``containers-run`` of a dataset or one below it.

    That is one that stands there, or whose dataset it is; not one that has an input there, or its log.
    """
    place = _Place.of(folder)
    runs = [pid for pid in proc.all_pids() if _is_datalad_run(pid)]
    return _described(
        pid
        for pid in runs
        if place and (place.is_stood_in_by(pid) or any(place.holds(pid, path) for path in _datasets(pid)))
    )


def _described(pids: Iterable[int]) -> list[Process]:
    """Return processes for people, oldest first, without this one and its parents."""
    ours = {os.getpid(), *proc.parents(os.getpid())}
    found = [processes.describe(pid) for pid in pids if pid not in ours]
    return sorted(filter(None, found), key=lambda process: (process.since, process.pid))


def _is_datalad_run(pid: int) -> bool:
    said = proc.words(pid) if proc.says(pid, b"datalad") else []
    at = next((at for at, word in enumerate(said) if name_of(word) == "datalad"), None)
    return at is not None and bool(_RUNS & set(said[at + 1 :]))


def _datasets(pid: int) -> Iterator[str]:
    """Yield what a datalad was given as its dataset, or its command may have been: ``-d PATH``."""
    said = proc.words(pid)
    for word, then in itertools.pairwise([*said, ""]):
        if word in ("-d", "--dataset"):
            yield then
        elif word.startswith(("-d", "--dataset=")):
            yield from paths_in(word)


class _Place:
    """A folder, by its device and inode, and who uses it."""

    def __init__(self, folder: tuple[int, int]) -> None:
        self.folder = folder

    @classmethod
    def of(cls, folder: Path) -> Self | None:
        """Return a folder as such a place, if it is there."""
        try:
            found = folder.stat()
        except OSError:
            return None
        return cls((found.st_dev, found.st_ino))

    def is_worked_in_by(self, pid: int) -> bool:
        return self.is_stood_in_by(pid) or self.is_named_by(pid)

    def is_stood_in_by(self, pid: int) -> bool:
        return proc.lies_in(view(pid), self.folder)

    def is_named_by(self, pid: int) -> bool:
        return any(self.holds(pid, path) for path in said_by(pid))

    def holds(self, pid: int, path: str) -> bool:
        """Return whether a path, as ``pid`` sees it, is here or would be."""
        return any(proc.lies_in(existing_folder(way), self.folder) for way in ways(pid, path))


def _waiting_for_the_queue(inside: Iterable[int]) -> set[int]:
    """Return the processes that wait for jobs, and their parents: a script that waits for its own jobs.

    It stands still until they end, and must not hold them up. Nor must those of ``inside`` that only pass on
    what the waiting say, as in `wtwatch queue wait | tee log`.
    """
    waiting = [pid for pid in proc.all_pids() if _waits(proc.words(pid))]
    pipes = {pipe for pid in waiting for number in (1, 2) if (pipe := processes.pipe_at(pid, number))}
    reading = [pid for pid in inside if processes.pipe_at(pid, 0) in pipes] if pipes else []
    described = (processes.describe(pid) for pid in reading)
    return {
        *(parent for pid in waiting for parent in proc.parents(pid)),
        *(one.pid for one in described if one and one.name in _PASSING_ON),
    }


def _waits(said: list[str]) -> bool:
    return _is_wtwatch(said) and any(
        first == "queue" and then in _WAITS for first, then in itertools.pairwise(said)
    )


def _is_wtwatch(said: list[str]) -> bool:
    """Return whether a command line is that of wtwatch, which does in a tree nothing without its lock."""
    if said and _INTERPRETER.fullmatch(name_of(said[0])):
        words = [word for word in said[1:] if not word.startswith("-")]
        return bool(words) and name_of(words[0]) == "wtwatch"
    return bool(said) and name_of(said[0]) == "wtwatch"


def _is_driven(pid: int) -> bool:
    """Return whether a living wtwatch drives a program: one whose wtwatch was killed works for nobody."""
    drivers = {entry for entry in proc.entries(pid, "environ") if entry.startswith(_DRIVER)}
    return (
        any(os.fsencode(f"{DRIVER}={above}") in drivers for above in proc.parents(pid)) if drivers else False
    )


def _is_passive(process: Process, passive: Collection[str]) -> bool:
    said = proc.words(process.pid)
    name = process.name.lstrip("-")
    if _is_wtwatch(said) or (name == "git" and _git_command(said) in _READS):
        return True
    if name in SHELLS:
        return name in passive and not _runs_a_script(process.pid, name, said)
    return name in passive or _script(process.pid, said) in passive


def _git_command(said: list[str]) -> str | None:
    """Return the command that git was given, behind its own options (git(1))."""
    words = iter(said[1:])
    for word in words:
        if word in _GIT_TAKES_A_WORD:
            next(words, None)
        elif not word.startswith("-"):
            return word
    return None


def _script(pid: int, said: list[str]) -> str | None:
    """Return the name of the script that an interpreter was given.

    Of one that begins with ``#!/usr/bin/env`` the kernel has the interpreter's name alone.
    """
    if len(said) < 2 or not _INTERPRETER.fullmatch(name_of(said[0])):
        return None
    return name_of(said[1]) if os.path.isfile(view(pid, said[1])) else None  # noqa: PTH113


def _runs_a_script(pid: int, name: str, said: list[str]) -> bool:
    if not said:  # it has only just become a shell: the kernel has its name before its words
        return True
    words = iter(said[1:])
    for word in words:
        if word in _TAKE_A_WORD:
            next(words, None)
        elif word.startswith("--"):
            if word.startswith("--command"):
                return True
        elif not word.startswith(("-", "+")) or "c" in word:
            return True
    return name in _PLAIN_SHELLS and processes.reads_its_commands(pid)
