"""What was seen of code while a job ran, and what that says it used. Decided from that alone.

The hard part is a folder that was listed. A program that takes what it finds there used all names in it.
But Python lists each folder that it imports from, and then a new file there means nothing. Both look alike,
so it is counted: who lists once more than its imports do looked for names.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from wtwatch.words.uses import Uses

CACHE = "__pycache__"

_TAG = re.compile(r"\.(cpython|pypy|graalpy)-?\d")
"""How Pythons tell what they compiled from what others did."""

_MANY = 500
"""Files that a job used beyond which they are not read to see whether one looks for files."""

_LISTS = re.compile(
    r"glob|listdir|scandir|iterdir|os\.walk|fwalk|\.walk\(|rglob|iter_modules|walk_packages|list\.files|\bdir\("
    r"|readdir|opendir|spec_from_file|SourceFileLoader|find_packages|pytest|unittest|nose|discover"
    r"|copy_?tree|make_archive|dircmp|compileall"
)
"""How programs are written that look for files, or import what they found."""

_LISTS_IN_SHELL = re.compile(r"[*?]|\[[^\]\s]+\]|\b(ls|find|fd|tree|rsync|tar|cp|glob|wildcard|foreach)\b")

_GOES = re.compile(r"\bcd\s+\S+|\w*PATH=\S+|(?<!\S)-[mC]\s*\S+")
"""Where a command names folders, or modules, without giving them to a program that looks through them."""

_BETWEEN = re.compile(r"[\s'\"=:;|&()<>,]+")

_LOADS = re.compile(r"spec_from_file|SourceFileLoader|load_source|\bexec\(|execfile|runpy|run_path")
"""How Python has modules loaded that no import looked for."""

_COMPILES_ELSEWHERE = re.compile(r"PYTHONPYCACHEPREFIX|pycache_prefix")

_IMPORTS = re.compile(r"^(?:import|from)[ \t]+([A-Za-z_]\w*)((?:[ \t]*,[ \t]*[A-Za-z_]\w*)*)", re.MULTILINE)

_AT_HAND = frozenset(
    ("sys", "os", "posix", "posixpath", "io", "abc", "codecs", "site", "stat", "genericpath",
     "builtins", "time", "marshal", "errno", "signal", "zipimport", "importlib", "_thread",
     "itertools", "atexit", "gc", "faulthandler", "pwd", "encodings", "types", "operator",
     "collections", "functools", "keyword", "reprlib", "re", "enum", "copyreg", "contextlib",
     "linecache", "runpy", "__future__")
)  # fmt: skip
"""Modules that Python may have loaded or built in before it looks for any in a folder."""


class Seen:
    """What watches told, by paths from the tree's top; ``lost`` says why that is not all, if it is not.

    ``opened`` counts openings of files, ``compiled`` those of what Python compiled of a source, ``listed``
    those of folders. Files were ``modified``, ``made`` or ``gone``, folders ``away``. ``links`` are symbolic
    links that lie in code, ``copies`` the places outside of it that were used, ``apart`` folders in it that
    were not watched. ``starts`` is how often a Python opened the file by which it knows its environment.
    """

    def __init__(self, lost: str | None = None) -> None:
        self.lost = lost
        self.opened: Counter[str] = Counter()
        self.compiled: Counter[str] = Counter()
        self.listed: Counter[str] = Counter()
        self.modified: set[str] = set()
        self.made: set[str] = set()
        self.gone: set[str] = set()
        self.away: set[str] = set()
        self.links: set[str] = set()
        self.copies: set[str] = set()
        self.apart: set[str] = set()
        self.starts = 0


class Code(NamedTuple):
    """What is known of code besides: its ``tracked`` files, what may lie there that is none (``is_apart``).

    ``text`` returns what a file says, or ``None`` if it is no text; ``command`` is that of the job. ``leads``
    are folders in which each Python looks for modules because its environment says so.
    """

    tracked: Collection[str]
    is_apart: Callable[[str], bool]
    text: Callable[[str], str | None]
    command: str
    leads: Collection[str] = ()


def source_of(path: str) -> str:
    """Return the source that a compiled module stands for (PEP 3147); any other path as it is."""
    folder, _, name = path.rpartition("/")
    above, _, last = folder.rpartition("/")
    if last != CACHE or ".pyc" not in name:
        return path
    tagged = _TAG.search(name)  # a number comes after it while it is written
    stem = name[: tagged.start()] if tagged else name.partition(".")[0]
    return f"{above}/{stem}.py" if above else f"{stem}.py"


def uses_of(seen: Seen, code: Code) -> Uses:
    """Return what a job used; ``whole``, and why, where what was seen cannot be all."""
    opened = set(seen.opened) | set(seen.compiled)
    used = {path for path in opened if path in code.tracked}
    why = seen.lost or _from_elsewhere(seen, code, opened - used)
    if why is None and not used:
        why = "no file of code was seen to be used"
    if why is not None:
        return Uses(whole=why)
    folders, imported = set[str](), set[str]()
    judge = _Judge(seen, code, used)
    if judge.compiles_elsewhere():
        return Uses(whole="a program of it has Python keep compiled modules where they are not seen")
    for folder in seen.listed:
        if folder.rpartition("/")[2] != CACHE:
            (imported if judge.is_imported(folder) else folders).add(folder)
    links = {path for path in seen.links if path in code.tracked}
    return Uses(tuple(sorted(used | links)), tuple(sorted(folders)), tuple(sorted(imported)))


def written(seen: Seen, code: Code) -> tuple[str, ...]:
    """Return the files of code that were written to, replaced or taken away, though they may be back."""
    touched = (seen.modified | seen.made | seen.gone) & set(code.tracked)
    touched |= {path for path in code.tracked for folder in seen.away if path.startswith(f"{folder}/")}
    return tuple(sorted(touched))


def _from_elsewhere(seen: Seen, code: Code, unknown: Iterable[str]) -> str | None:
    """Return that something was used of which nobody can tell from which code it was made."""
    for place in sorted(seen.copies):
        return f"it used a copy of code: {place}"
    if _COMPILES_ELSEWHERE.search(code.command):
        return "its command has Python keep compiled modules where they are not seen"
    for folder in sorted(seen.apart):
        if any(path.startswith(f"{folder}/") for path in code.tracked):
            return f"git keeps files in {folder}, which is not watched, as tools keep it for themselves"
    its_own = seen.modified | seen.made
    for path in sorted(unknown):
        if path not in its_own and not code.is_apart(path) and CACHE not in path.split("/"):
            return f"it used {path}, which git does not keep, so what that was made from is not known"
    return None


class _Judge:
    """Tells by what a folder was listed, as far as that can be told; in doubt by the program itself."""

    def __init__(self, seen: Seen, code: Code, used: Collection[str]) -> None:
        self._seen, self._code, self._used = seen, code, sorted(used)
        self._texts: dict[str, str | None] = {}
        self._runs = max(seen.starts // 2, 1)  # each Python reads that file twice, or once where it is new
        self._looks = self._may_look() if seen.listed else False
        self._given = _folders_in(code.command)
        self._loads = self._looks and any(_LOADS.search(text) for text in self._texts.values() if text)

    def compiles_elsewhere(self) -> bool:
        """Return whether a program names another folder for what Python compiles."""
        texts = (self._text(path) for path in self._used[:_MANY])
        return any(_COMPILES_ELSEWHERE.search(text) for text in texts if text)

    def is_imported(self, folder: str) -> bool:
        """Return whether a folder was listed by imports alone."""
        here = [path for path in self._used if path.rpartition("/")[0] == folder]
        leads = folder in self._code.leads
        times = self._runs if leads else self._times(folder, here)
        if self._seen.listed[folder] > times or (times > 1 and self._looks) or self._is_given(folder):
            return False
        if any(self._is_script(path) for path in here):
            return True
        if self._looks:
            return not self._loads and self._is_package(folder, here)
        return leads or self._is_package(folder, here) or any(self._seen.compiled[path] for path in here)

    def _is_given(self, folder: str) -> bool:
        """Return whether a command gives a folder to a program, which may look through it."""
        return any(f"/{folder}".endswith(f"/{word}") or word.endswith(f"/{folder}") for word in self._given)

    def _times(self, folder: str, here: Iterable[str]) -> int:
        """Return how many Pythons can have listed a folder for their imports, at most.

        Each opens the script that it runs twice, and what was compiled of a module once.
        """
        below = [f"{path}/__init__.py" for path in self._inner(folder)]
        compiled = [self._seen.compiled[path] for path in (*here, *below)]
        scripts = sum(self._seen.opened[path] // 2 for path in here if not self._seen.compiled[path])
        return min(self._runs, max(1, scripts, *compiled))

    def _inner(self, folder: str) -> set[str]:
        start = f"{folder}/"
        inside = (path[len(start) :] for path in self._used if path.startswith(start))
        return {start + path.partition("/")[0] for path in inside if "/" in path}

    def _is_script(self, path: str) -> bool:
        """Return whether this is a script whose imports Python looks for in its folder, besides others.

        Where files are looked for, a plug-in that was found so is none: it is named nowhere.
        """
        if not path.endswith(".py") or not _imports(self._text(path) or ""):
            return False
        return not self._looks or self._is_named(path.rpartition("/")[2].removesuffix(".py"))

    def _is_named(self, stem: str) -> bool:
        word = re.compile(rf"\b{re.escape(stem)}\b")
        return bool(word.search(self._code.command)) or any(
            word.search(text) for path, text in self._texts.items() if text and not path.endswith(".py")
        )

    def _is_package(self, folder: str, here: Collection[str]) -> bool:
        """Return whether a package lies here, or is this, and was imported, which lists the folder once."""
        if any(f"{path}/__init__.py" in self._used for path in self._inner(folder)):
            return True
        return f"{folder}/__init__.py" in here and sum(path.endswith(".py") for path in here) > 1

    def _may_look(self) -> bool:
        """Return whether one of the programs may look for files of its own accord; in doubt it does."""
        command = self._code.command
        if len(self._used) > _MANY or _LISTS.search(command) or _LISTS_IN_SHELL.search(command):
            return True
        return any(_looks_for_files(path, self._text(path)) for path in self._used)

    def _text(self, path: str) -> str | None:
        if path not in self._texts:
            self._texts[path] = self._code.text(path)
        return self._texts[path]


def _folders_in(command: str) -> frozenset[str]:
    """Return what a command gives to programs, as far as these may be folders."""
    words = {word.rstrip("/") for word in _BETWEEN.split(_GOES.sub(" ", command))}
    if words & {".", ".."}:
        words |= {word.rstrip("/") for word in _BETWEEN.split(command)}
    return frozenset(word.removeprefix("./") for word in words) - {"", ".", ".."}


def _looks_for_files(path: str, text: str | None) -> bool:
    if text is None or _LISTS.search(text):
        return True
    return not path.endswith(".py") and bool(_LISTS_IN_SHELL.search(text))


def _imports(text: str) -> bool:
    """Return whether a module imports, wherever it is run, something that has to be looked for."""
    for first, more in _IMPORTS.findall(text):
        names = {first, *filter(None, re.split(r"[ \t,]+", more))}
        if names - _AT_HAND:
            return True
    return False
