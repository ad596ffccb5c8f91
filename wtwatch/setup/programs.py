"""The programs that wtwatch drives: whether each is there, and new enough by what it says of itself."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from wtwatch.doors import jj
from wtwatch.doors.program import Asking
from wtwatch.doors.toolenv import for_tools
from wtwatch.project.config import Project
from wtwatch.project.jobenv import for_jobs
from wtwatch.project.tree import RunTree
from wtwatch.setup import checks
from wtwatch.setup.finding import Finding, tried
from wtwatch.tree import environment

OLDEST = {
    "git": (*checks.OLDEST_GIT,),
    "git-annex": (10, 20250000),
    "DataLad": (1, 1),
    "jj": (0, 31),  # its templates speak JSON from then on
    "uv": (0, 8),
}
"""The oldest version of each that will do. Those that pip brings are the same in pyproject.toml."""

_SOURCES = {
    "git-annex": "pip install -U git-annex, in the environment of wtwatch, or upgrade your system's package.",
    "DataLad": "pip install -U datalad, in the environment of wtwatch.",
    "jj": "Upgrade it (https://docs.jj-vcs.dev), where a service finds it too.",
    "uv": "Upgrade it: uv self update, or as it was installed (https://docs.astral.sh/uv).",
}


def findings(projects: Sequence[Project]) -> Iterator[Finding]:
    """Look at what all work rests on, and at jj and uv where a project needs them."""
    yield from map(_of_age, checks.tools())
    if any(jj.drives(one.main_code) for one in projects):
        yield _jj()
    for tree in map(RunTree.of, projects):
        if environment.needs_uv(tree) and (uv := shutil.which("uv", path=for_jobs(tree)["PATH"])):
            yield _asked("uv", lambda: _version(uv))  # where there is none, the project's own lines say so
            return


def _of_age(found: Finding) -> Finding:
    """Return a finding whose message is a version, as a fault if that is too old."""
    oldest, version = OLDEST[found.subject], tuple(map(int, re.findall(r"\d+", found.message)[:3]))
    if not found.ok or version >= oldest:
        return found
    wanted = ".".join(map(str, oldest))
    said = f"{found.subject} {found.message} is too old: {wanted} or later will do."
    return Finding(found.subject, False, said, _SOURCES.get(found.subject))


def _jj() -> Finding:
    if not jj.installed():
        hint = "Install it (https://docs.jj-vcs.dev), where a service finds it too."
        return Finding("jj", False, "jj drives code/, and is not on PATH.", hint)
    return _asked("jj", jj.version)


def _version(program: str) -> str:
    with Asking([program, "--version"], Path("/"), for_tools()) as asking:
        return asking.answer().strip()


def _asked(name: str, version: Callable[[], str]) -> Finding:
    """Return what a program says of its version (its name, then that), judged by its age."""
    said: list[str] = []
    found = tried(name, lambda: said.append(version()))
    if not found.ok:
        return found
    return _of_age(found._replace(message=said[0].removeprefix(f"{name} ").partition(" ")[0]))
