"""The kinds of Python that wtwatch looks after by itself: of uv, of pip's files, of a package, of scripts."""

import os
import re
from contextlib import suppress
from pathlib import Path

from wtwatch.doors.memory import Memory
from wtwatch.tree.environment.kind import PYTHON_FILES, Command, Kind, has_table, text_of

_VENV: Command = ["uv", "venv", ".venv"]


def uv_project(code: Path) -> Kind | None:
    """Look for a project, workspace or virtual root that uv has locked; a tracked lock is never rewritten."""
    if not (code / "uv.lock").is_file():
        return None
    sync = ["uv", "sync", "--locked"]
    if not has_table(code, "project"):
        sync.append("--all-packages")  # the members of a workspace whose root is none
    return Kind(
        "uv.lock",
        commands=([*sync, "--inexact"],),
        files=PYTHON_FILES,
        asks=[*sync, "--dry-run"],
        each_move=True,
        adds="uv add {}",
    )


def poetry(code: Path) -> Kind | None:
    """Look for a project that poetry has locked."""
    if not (code / "poetry.lock").is_file():
        return None
    return Kind(
        "poetry.lock",
        commands=(["poetry", "install", "--no-interaction"],),
        files=("pyproject.toml", "poetry.lock", "poetry.toml", ".python-version"),
        adds="poetry add {}",
    )


def requirements(code: Path) -> Kind | None:
    """Look for requirements of pip, in one file or several; a package that code is comes with them."""
    file = requirements_file(code)
    if file is None:
        return None
    package = ["-e", "."] if _is_package(code) and not _installs_itself(code / file) else []
    return _of_pip(code, file, ["-r", file, *package], (file,), f"a line in {file}")


def package(code: Path) -> Kind | None:
    """Look for a package without a lock: it gets what it asks for itself, in the newest versions."""
    if not (has_table(code, "project") or _has_setup(code)):
        return None
    name = "pyproject.toml" if (code / "pyproject.toml").is_file() else "setup.py"
    return _of_pip(code, name, ["-e", "."], (), "a dependency of the package")


def _of_pip(code: Path, name: str, words: list[str], files: tuple[str, ...], adds: str) -> Kind:
    install = ["uv", "pip", "install", "-p", ".venv", *words]
    return Kind(
        name,
        commands=(install,),
        first=(_VENV,),
        files=(*PYTHON_FILES, *files),
        asks=[*install, "--exact", "--dry-run"],
        adds=adds,
        problem=_unreadable(code),
    )


def requirements_file(code: Path) -> str | None:
    """Return the file of pip's that code is set up from: one at the top, else one of a folder."""
    usual = (
        "requirements.txt",
        "requirements/requirements.txt",
        "requirements/base.txt",
        "requirements/main.txt",
    )
    found = next((name for name in usual if (code / name).is_file()), None)
    if found:
        return found
    for pattern in ("requirements*.txt", "requirements/*.txt"):
        alike = sorted(code.glob(pattern))
        if len(alike) == 1:
            return alike[0].relative_to(code).as_posix()
    return None


def inline_scripts(code: Path) -> Kind | None:
    """Look for scripts that say in themselves what they need (PEP 723): uv keeps an environment for each."""
    found = scripts(code)
    if not found:
        return None
    asks = [["uv", "sync", "--script", name, *_locked(code, name)] for name in found]
    locks = (f"{name}.lock" for name in found)
    files = (*found, *locks, ".python-version")
    return Kind(f"{found[0]} (PEP 723)", commands=tuple(asks), files=files, elsewhere=True)


def _locked(code: Path, script: str) -> list[str]:
    return ["--locked"] if (code / f"{script}.lock").is_file() else []


_SCRIPT = re.compile(rb"^# /// script\s*$", re.MULTILINE)
_HEAD = 8192
_MOST, _FOLDERS = 500, 50
_inside: Memory[tuple[str, int], list[Path]] = Memory(32)
_scripts: Memory[tuple[tuple[str, int], ...], list[str]] = Memory(32)


def scripts(code: Path) -> list[str]:
    """Return the scripts with such a block, at the top of code and in its folders, by path.

    They are read again when a folder changed: a checkout replaces files. Where there are more folders than
    code has, they are of data, and are not looked into.
    """
    with suppress(OSError):
        inside = _folders_in(code)
        return _scripts_in(code, [code, *inside] if len(inside) <= _FOLDERS else [code])
    return []


def _folders_in(code: Path) -> list[Path]:
    key = (str(code), code.stat().st_mtime_ns)
    found = _inside.get(key)
    if found is None:
        with os.scandir(code) as entries:
            names = [one.name for one in entries if one.name[0] != "." and one.is_dir()]
        _inside[key] = found = [code / name for name in sorted(names)]
    return found


def _scripts_in(code: Path, folders: list[Path]) -> list[str]:
    key = tuple((str(folder), folder.stat().st_mtime_ns) for folder in folders)
    found = _scripts.get(key)
    if found is None:
        files = [file for folder in folders for file in sorted(folder.glob("*.py"))][:_MOST]
        found = [file.relative_to(code).as_posix() for file in files if _SCRIPT.search(_head(file))]
        _scripts[key] = found
    return found


def _head(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(_HEAD)
    except OSError:
        return b""


def _has_setup(code: Path) -> bool:
    return (code / "setup.py").is_file() or "[metadata]" in text_of(code / "setup.cfg")


def _is_package(code: Path) -> bool:
    return any((_has_setup(code), has_table(code, "build-system"), has_table(code, "project")))


def _installs_itself(file: Path) -> bool:
    """Return whether a file of requirements has code itself in it."""
    return bool(
        re.search(
            r"^\s*((-e|--editable)[ =]\s*)?(\.|\.\[[^]]*\]|\.\.|file:\S*)\s*$", text_of(file), re.MULTILINE
        )
    )


def _unreadable(code: Path) -> str | None:
    """Return what is wrong with ``pyproject.toml``, if it is no TOML."""
    import tomli

    try:
        tomli.loads(text_of(code / "pyproject.toml"))
    except tomli.TOMLDecodeError as error:
        return f"pyproject.toml is not valid TOML: {error}"
    return None
