"""All that a project rests on, looked at one by one; changes nothing.

`init` stops at the first fault, as it can do without none of this. Who wants to know all faults goes on; what
cannot be looked at because of one before it is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from wtwatch.doors import dataset
from wtwatch.doors.repo import Repo
from wtwatch.project.config import Project
from wtwatch.project.tree import RunTree
from wtwatch.setup import layout, maintree, pathlayout
from wtwatch.setup.finding import Finding, tried
from wtwatch.tree import environment
from wtwatch.tree import tip as bookmark
from wtwatch.words.errors import CommandFailed, NoIdentity, UsageError, WtwatchError
from wtwatch.words.model import Sha
from wtwatch.words.quoting import quoted

OLDEST_GIT = (2, 38)


def tools() -> Iterator[Finding]:
    """Look whether the programs that all work rests on run here."""
    git = tried("git", _check_git)
    yield git._replace(message=Repo(Path("/")).git("version").removeprefix("git version ")) if git.ok else git
    if git.ok:
        annex = tried("git-annex", _check_annex)
        yield annex._replace(message=Repo(Path("/")).git("annex", "version", "--raw")) if annex.ok else annex
    datalad = tried("DataLad", _check_datalad)
    from importlib import metadata  # the daemon would keep it all the time

    yield datalad._replace(message=metadata.version("datalad")) if datalad.ok else datalad


def project(found: Project) -> Iterator[Finding]:
    """Look at all that a project needs, which may be one to be made yet."""
    main = list[Finding]()
    looked = pathlayout.findings(found) if found.paths else None
    for one in looked or maintree.findings(found.main_tree, found.code, found.bookmark):
        main.append(one)
        yield one
    yield tried("author", lambda: _check_author(found.main_tree))
    if not all(one.ok for one in main):
        return
    yield (at := tried("bookmark", lambda: tip(found)))
    if at.ok:
        code = "" if found.paths else found.code
        yield from layout.findings(found.main_tree, found.run_tree, code, found.branch)
    in_main = RunTree.of(found._replace(run_tree=found.main_tree))  # the run tree may not be there yet
    yield tried("uv", lambda: environment.require_tools(in_main))


def tip(project: Project) -> tuple[Sha, bool]:
    """Return where the bookmark is, or will be (where the main tree's code is), and whether it is new.

    Raises :class:`UsageError` if that is nowhere.
    """
    repo = Repo(project.main_code)
    found, missing, _ = bookmark.read(project)
    if missing:
        raise UsageError(
            f"The bookmark {project.bookmark} is {missing}: jj has it at several commits.",
            f"Settle it: jj bookmark set {quoted(project.bookmark)} -r REV   (in {repo.path})",
        )
    at = found or repo.resolve("HEAD")
    if at is None:
        raise UsageError(f"{repo.path} has no commit yet.", "Commit your code first.")
    return at, found is None


def _check_git() -> None:
    version = Repo(Path("/")).git("version")
    if tuple(map(int, re.findall(r"\d+", version)[:2])) < OLDEST_GIT:
        oldest = ".".join(map(str, OLDEST_GIT))
        raise WtwatchError(f"This is {version}, which is too old.", f"Install git {oldest} or later.")


def _check_annex() -> None:
    try:
        Repo(Path("/")).git("annex", "version", "--raw")
    except CommandFailed as error:
        raise WtwatchError(
            f"git-annex does not run: {error.stderr.strip()}",
            "pip install git-annex, in the environment of wtwatch, or install your system's package.",
        ) from error


def _check_datalad() -> None:
    try:
        dataset.load()
    except ImportError as error:
        raise WtwatchError(
            f"DataLad cannot be used: {error}.", "pip install datalad, in the environment of wtwatch."
        ) from error


def _check_author(main: Path) -> None:
    if not Repo(main).knows_author({"EMAIL": ""}):  # which a service has not either
        raise NoIdentity(str(main))
