"""What a project keeps, and where: code that results name, backups, what was set aside, room on the disks."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from wtwatch.bring import wrote
from wtwatch.doors.repo import GITLINK, Repo
from wtwatch.project.tree import RunTree
from wtwatch.setup.finding import Finding
from wtwatch.tree import aside, backups, keeping, save
from wtwatch.words.model import Sha, counted, sized

ROOM = 1_000_000_000
"""Bytes that have to be free where trees and state are; jobs stop where none are."""

_SHOWN = 3


def findings(tree: RunTree) -> Iterator[Finding]:
    """Look at all of it. Code that results name and no ref keeps is given one, else gc could take it."""
    yield from _code(tree)
    yield from _rooms(tree)
    yield _kept(tree)


def _code(tree: RunTree) -> Iterator[Finding]:
    """Look whether all code that results name is there, and stays, here and on a remote."""
    code = Repo(tree.project.main_code)
    named = set(_named(tree))
    there = code.commits_among(named)
    if lost := sorted(named - there):
        shown = ", ".join(one[:10] for one in lost[:_SHOWN])
        said = f"{counted(len(lost), 'code commit')} that results name are not there: {shown}."
        yield Finding("code of results", False, said, "Fetch them from where they were pushed to.")
    if loose := keeping.unkept(code, there):
        save.keep(tree, loose)
        said = f"{counted(len(loose), 'code commit')} that results name had no ref, and have one now."
        yield Finding("code of results", True, said, "Without it a `git gc` could have taken them.")
    if lacking := keeping.lacking(tree.project, there):
        remote, number = lacking
        said = f"{counted(number, 'code commit')} that results name are on no branch of a remote."
        yield Finding("code on remotes", True, said, keeping.push_line(tree.project, remote))
    if not (lost or loose):
        yield Finding("code of results", True, f"{counted(len(named), 'code commit')} named, all there")


def _named(tree: RunTree) -> Iterator[Sha]:
    if tree.project.paths:
        yield from wrote.releases(Repo(tree.path), Sha("HEAD"))
        return
    shape = ("--format=", "--raw", "-m", "--no-abbrev", "--no-renames")
    for line in Repo(tree.path).git("log", *shape, "HEAD", "--", tree.project.code).splitlines():
        fields = line.split()
        if line.startswith(":") and fields[1] == GITLINK:
            yield Sha(fields[3])


def _rooms(tree: RunTree) -> Iterator[Finding]:
    """Look at each disk once."""
    places: dict[int, Path] = {}
    for place in (tree.path, tree.project.main_tree, tree.project.state):
        places.setdefault(place.stat().st_dev, place)
    for place in places.values():
        free = shutil.disk_usage(place).free
        said = f"{free / 1e9:,.1f} GB free"
        if free < ROOM:
            hint = "Make room; `wtwatch backups list` helps."
            yield Finding("disk", False, f"Only {said} at {place}.", hint)
        else:
            yield Finding("disk", True, said if len(places) == 1 else f"{said} at {place}")


def _kept(tree: RunTree) -> Finding:
    """Say what is kept and has no end of its own, and what it weighs."""
    known, old, left = backups.weighed(tree), aside.environments(tree), tree.shelf / "jobs"
    weight = sum(held.size for _, held in known) + aside.weight(tree.shelf / "set-aside")[1]
    parts = [_weighed(counted(len(known), "backup"), weight)]
    weight = sum(aside.weight(one.path)[1] for one in old)
    parts.append(_weighed(f"{counted(len(old), 'environment')} set aside", weight))
    files, weight = aside.weight(left)
    parts.append(_weighed(f"{counted(files, 'file')} left by failed jobs", weight))
    ways = ["wtwatch backups list, and `wtwatch backups drop ID…` ends them"] if known or old else []
    if files:
        ways.append(f"They lie in {left}: yours to delete.")
    return Finding("kept", True, ", ".join(parts), "\n".join(ways) or None)


def _weighed(what: str, size: int) -> str:
    return f"{what} ({sized(size)})" if size else what
