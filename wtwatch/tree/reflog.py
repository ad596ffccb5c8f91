"""What was done in a work tree, as the reflog of its HEAD has it (git-reflog(1), gitrepository-layout(5)).

Each commit and checkout that is made here appends a line: old id, new id, who and when, a tab, why. Git's own
housekeeping drops lines of long ago, and writes what is left anew: so neither the length of the file nor a
place in it says whether anything was done since.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from wtwatch.doors.repo import Repo

_MUCH = 64 * 1024


def last_in(repo: Repo) -> str:
    """Return the last entry, which changes with each new one; empty if there is none.

    Its number among those of its second comes first: one may be the same as another of that second.
    """
    entries = _entries(repo)
    return _named(entries, len(entries) - 1) if entries else ""


def since(repo: Repo, entry: str) -> Iterator[str]:
    """Yield why the entries were made that followed ``entry``, one of :func:`last_in`; all, if it is gone."""
    entries = _entries(repo)
    at = next((at for at in reversed(range(len(entries))) if _named(entries, at) == entry), -1)
    return (line.partition("\t")[2] for line in entries[at + 1 :])


def _entries(repo: Repo) -> list[str]:
    """Return the newest lines, oldest first: some hundred at least."""
    try:
        with (repo.git_dir() / "logs" / "HEAD").open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(0, size - _MUCH))
            lines = log.read().splitlines()
    except OSError:
        return []
    return [line.decode("utf-8", "surrogateescape") for line in lines[size > _MUCH :]]


def _named(entries: list[str], at: int) -> str:
    what = entries[at].partition("\t")[0]  # git adds a tab to one without a reason, when it writes it anew
    second = what.split()[-2:]
    number = sum(one.partition("\t")[0].split()[-2:] == second for one in entries[: at + 1])
    return f"{number} {what}"
