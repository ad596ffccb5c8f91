"""The environment of the programs that wtwatch drives, and where those are that pip put beside it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cache, lru_cache
from pathlib import Path

from wtwatch.doors.digests import sha256
from wtwatch.doors.xdg import state_folder
from wtwatch.words.quoting import quoted

# Where git looks for its settings and how it reaches remotes: the user's own, and not tied to a repository.
_KEPT = re.compile(
    r"GIT_(CONFIG_(GLOBAL|SYSTEM|NOSYSTEM)|SSH(_.*)?|ASKPASS|SSL_.*|TERMINAL_PROMPT|EXEC_PATH)$"
)
_FOREIGN = re.compile(
    r"(CONDA_.*|VIRTUAL_ENV(_.*)?|PYTHON(PATH|HOME)|NOTIFY_SOCKET|WATCHDOG_.*|UV_(PROJECT.*|ACTIVE))$"
)

_DRIVEN = re.compile(r"(git-annex|datalad|git-(remote|credential)-|uvx?$)")
"""The programs that wtwatch drives, by how their names begin."""

_NEEDED = ("git-annex", "datalad")

_SHORT = 4096
"""Bytes in which a script of pip's says what it starts."""


def for_tools(base: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment for the programs that wtwatch drives: git, git-annex, jj, uv, systemctl.

    A hook exports GIT_DIR and GIT_INDEX_FILE of the repository that called it; inherited, they would make
    us work on that one instead of the run tree. The same holds for an active virtual environment. Where
    git-annex or datalad are not on PATH, the folder of :func:`own_tools` goes to its end.
    """
    base = os.environ if base is None else base
    env = {
        key: value
        for key, value in base.items()
        if not _FOREIGN.match(key) and (not key.startswith("GIT_") or _KEPT.match(key))
    }
    env["PATH"] = with_tools(env.get("PATH", os.defpath))
    return env


def with_tools(path: str) -> str:
    """Return a PATH on which git-annex and datalad are found, whatever it lacks of them at its end."""
    return path if _complete(path) else os.pathsep.join([path, str(own_tools())])


@cache
def _complete(path: str) -> bool:
    return all(_is_on(path, tool) for tool in _NEEDED)


def _is_on(path: str, tool: str) -> bool:
    places = (os.path.join(folder, tool) for folder in path.split(os.pathsep))  # noqa: PTH118
    return any(os.access(place, os.X_OK) for place in places)


def own_folder() -> Path:
    """Return the folder with the programs of the Python that wtwatch runs on."""
    return Path(sys.executable).parent


def is_own_environment() -> bool:
    """Return whether that Python is an environment of its own, and not one that users work with as it is.

    A virtual environment, one of pipx and ``uv tool``, or one of conda.
    """
    return sys.prefix != sys.base_prefix or (Path(sys.prefix) / "conda-meta").is_dir()


def own_tools() -> Path:
    """Return a folder that holds the programs which wtwatch drives, as far as pip put them beside it.

    And nothing else: with the whole folder on PATH, jobs would find wtwatch's own Python in it. Made when it
    is asked for first; where that is impossible, the whole folder is returned.
    """
    place = Path(state_folder()) / _own_name(own_folder())
    return place if _ready(place) else own_folder()


def gathered(folders: Iterable[str], beside: Collection[str]) -> Path:
    """Return a folder that holds the programs which wtwatch drives, as the first of ``folders`` has each.

    Git itself is one of them; what is in a folder of ``beside`` first is left to that. Where no folder can be
    made, the one of our own programs is returned.
    """
    searched = tuple(folders)
    known = (state_folder(), searched, tuple(beside), tuple(map(_changed, searched)))
    place = _gathered(*known)
    if not place.is_dir():  # somebody cleared the state
        _gathered.cache_clear()
        place = _gathered(*known)
    return place


def _changed(folder: str) -> int | None:
    try:
        return Path(folder).stat().st_mtime_ns
    except OSError:
        return None


@lru_cache(16)
def _gathered(
    state: str, folders: tuple[str, ...], beside: tuple[str, ...], _as_of: tuple[int | None, ...]
) -> Path:
    found: dict[str, Path] = {}
    for folder in map(Path, folders):
        with suppress(OSError):
            for program in folder.iterdir():
                if _DRIVEN.match(program.name) or program.name == "git":
                    found.setdefault(program.name, program)
    wanted = {name: program for name, program in sorted(found.items()) if str(program.parent) not in beside}
    place = Path(state) / _name_of("\n".join(map(str, wanted.values())))
    try:
        _link_to(place, wanted)
    except OSError:
        return own_folder()
    return place


@cache
def _own_name(folder: Path) -> str:
    return _name_of(str(folder))


def _name_of(text: str) -> str:
    return f"tools-{sha256(os.fsencode(text))[:12]}"


@cache
def _ready(place: Path) -> bool:
    try:
        _link(place)
    except OSError:
        return False
    return True


def _link(place: Path) -> None:
    _link_to(place, {program.name: program for program in _driven()})


def _link_to(place: Path, wanted: Mapping[str, Path]) -> None:
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in set(os.listdir(place)) - set(wanted):  # noqa: PTH208 - names alone
        (place / name).unlink(missing_ok=True)
    for name, program in wanted.items():
        link, draft = place / name, place / f".{name}.{os.getpid()}"
        launcher = _launcher(program)
        if launcher is not None:
            if link.is_symlink() or not link.exists() or link.read_text() != launcher:
                draft.write_text(launcher)
                draft.chmod(0o700)
                draft.replace(link)
        elif not link.is_symlink() or link.readlink() != program:
            draft.symlink_to(program)
            draft.replace(link)


def _launcher(program: Path) -> str | None:
    """Return a script of sh in place of pip's one of Python, which takes longer to start than git-annex does.

    It does what that does (``cli`` of the package git_annex): libmagic is told of the database beside it.
    Where the package is somewhere else by now, pip's goes on. ``None`` for any other git-annex.
    """
    if program.name != "git-annex":
        return None
    script = program.resolve()  # `uv tool` and pipx link to theirs
    try:
        with script.open("rb") as text:
            is_by_pip = text.read(2) == b"#!" and b"git_annex" in text.read(_SHORT)
    except OSError:
        return None
    found = [*script.parent.parent.glob("lib/python*/site-packages/git_annex/git-annex")] if is_by_pip else []
    if len(found) != 1:
        return None
    magic = found[0].with_name("magic.mgc")
    told, binary = f"MAGIC={quoted(magic)} " if magic.is_file() else "", quoted(found[0])
    return f'#!/bin/sh\n[ ! -x {binary} ] || {told}exec {binary} "$@"\nexec {quoted(program)} "$@"\n'


def _driven() -> Iterator[Path]:
    with suppress(FileNotFoundError):
        yield from (program for program in own_folder().iterdir() if _DRIVEN.match(program.name))
