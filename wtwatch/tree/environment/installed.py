"""What is installed in an environment, read off its files: no program is started, and none of them imported.

The formats: core metadata and RECORD (packaging.python.org/specifications), ``direct_url.json`` (PEP 610),
path configuration files (Python's module ``site``), setuptools' finders of editable packages, ``conda-meta``.
"""

import json
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from wtwatch.doors.digests import sha256
from wtwatch.doors.memory import Memory
from wtwatch.doors.repo import Repo
from wtwatch.project.config import DEFAULT_PREFIX
from wtwatch.project.jobenv import r_library
from wtwatch.project.tree import RunTree
from wtwatch.words.errors import WtwatchError

SEEDS = frozenset(("pip", "setuptools", "wheel"))
"""Packages that an environment has from its making."""

_OWN_LINES = ("_virtualenv.pth", "distutils-precedence.pth")
_MADE_FOR = re.compile(r"^\s*(?:export )?VIRTUAL_ENV=(.+)$", re.MULTILINE)
_IN_FINDER = re.compile(r"'(/[^'\n]+)'")


class Dist(NamedTuple):
    """An installed distribution: its name as indexes compare it, with its version, and where it came from.

    ``info`` is the folder of its metadata, ``source`` the local folder that it was installed from.
    """

    name: str
    pinned: str
    info: Path
    source: Path | None = None
    editable: bool = False

    def line(self) -> str:
        """Return what is true of it in whatever folder it is installed."""
        return self.pinned if self.editable else f"{self.pinned} {_digest(self.info)}"

    def compiles(self) -> bool:
        """Return whether it holds more than Python (the Wheel-Version file of its metadata says so)."""
        return "Root-Is-Purelib: false" in _text(self.info / "WHEEL")

    def record(self) -> dict[str, str]:
        """Return the hash of each file of its RECORD, as written there, by path from its site's folder."""
        import csv

        rows = csv.reader(_text(self.info / "RECORD").splitlines())
        return {row[0]: row[1] for row in rows if len(row) > 1}

    def needs(self) -> set[str]:
        """Return the names of what it requires, whatever the conditions."""
        found = re.findall(r"^Requires-Dist: ([\w.-]+)", _text(self.info / "METADATA"), re.MULTILINE)
        return {normal(name) for name in found}


class Installed(NamedTuple):
    """What an environment holds: its Python, distributions, other packages, folders that it ``leads`` to."""

    python: str
    dists: tuple[Dist, ...] = ()
    others: tuple[str, ...] = ()
    leads: tuple[tuple[str, Path], ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """The names of all distributions that did not come with the environment itself."""
        return frozenset(dist.name for dist in self.dists) - SEEDS

    def fingerprint(self, apart: Collection[str] = ()) -> str:
        """Return a digest that is the same for the same packages, in whatever folder they are installed.

        ``apart`` are names of packages that do not count.
        """
        counted = (dist for dist in self.dists if dist.name not in apart)
        lines = [self.python, *sorted(dist.line() for dist in counted), *self.others]
        return sha256("\n".join(lines).encode())


def read(prefix: Path) -> Installed:
    """Return what lies in the environment at ``prefix``, which need not be there."""
    dists: list[Dist] = []
    leads: list[tuple[str, Path]] = []
    for site in sites(prefix):
        names = _names(site)
        dists += (dist for name in names if (dist := _dist(site, name)))
        leads += (lead for name in names for lead in _leads(site, name))
    others = [name[:-5] for name in _names(prefix / "conda-meta") if name.endswith(".json")]
    return Installed(_python(prefix), tuple(dists), (*others, *_of_r(prefix)), tuple(leads))


def _of_r(prefix: Path) -> Iterator[str]:
    """Yield the packages of R in an environment, by what they say of themselves ("Writing R Extensions")."""
    library = r_library(prefix)
    for name in _names(library) if library else ():
        said = _text(library / name / "DESCRIPTION") if library else ""
        version = re.search(r"^Version: *(\S+)", said, re.MULTILINE)
        if version:
            yield f"R {name} {version[1]}"


def sites(prefix: Path) -> list[Path]:
    """Return the folders of an environment that packages are installed in."""
    return sorted(prefix.glob("lib/python3*/site-packages"))


def normal(name: str) -> str:
    """Return a distribution's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - names alone
    except OSError:
        return []


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _python(prefix: Path) -> str:
    """Return which Python an environment was made with: what implements it, and its version."""
    said = _made_with(prefix)
    return f"{said.get('implementation', 'CPython')} {_number(said)}" if _number(said) else ""


def interpreter(prefix: Path) -> Path | None:
    """Return the Python that an environment was made with, if that is still there."""
    said = _made_with(prefix)
    minor = ".".join(_number(said).split(".")[:2])
    if not ("home" in said and minor):
        return None
    named = (Path(said["home"]) / name for name in (f"python{minor}", f"pypy{minor}", "python3", "python"))
    return next((one for one in named if os.access(one, os.X_OK)), None)


def _made_with(prefix: Path) -> dict[str, str]:
    """Return what ``pyvenv.cfg`` says (site, in the library of Python; uv writes some more)."""
    pairs = (line.partition("=")[::2] for line in _text(prefix / "pyvenv.cfg").splitlines())
    return {key.strip(): value.strip() for key, value in pairs}


def _number(said: Mapping[str, str]) -> str:
    found = re.match(r"\d+(\.\d+){0,2}", said.get("version_info") or said.get("version") or "")
    return found[0] if found else ""


def _dist(site: Path, name: str) -> Dist | None:
    stem, _, kind = name.rpartition(".")
    if kind == "egg-link":
        line = _text(site / name).split("\n")[0].strip()
        return Dist(normal(stem), f"{normal(stem)} editable", site / name, Path(line), True) if line else None
    if kind not in ("dist-info", "egg-info"):
        return None
    named, version = (*stem.split("-"), "")[:2]
    info = site / name
    source, editable, said = _origin(info)
    return Dist(normal(named), f"{normal(named)}=={version}{said}", info, source, editable)


def _origin(info: Path) -> tuple[Path | None, bool, str]:
    """Return the local folder that a distribution came from, whether it is editable, and words for both."""
    from urllib.parse import unquote, urlsplit

    try:
        with open(f"{info}/direct_url.json", "rb") as file:  # noqa: PTH123 - quicker, for hundreds
            said = json.loads(file.read())
        url = urlsplit(said["url"])
    except (OSError, ValueError, KeyError, TypeError):
        return None, False, ""
    if "vcs_info" in said:
        return None, False, f" @ {said['vcs_info'].get('commit_id')}"
    if url.scheme != "file" or "dir_info" not in said:
        return None, False, ""
    editable = bool(said["dir_info"].get("editable"))
    return Path(unquote(url.path)), editable, " editable" if editable else " local"


_digests: Memory[tuple[str, int, int, int, int], str] = Memory(2000)


def forget_digests() -> None:
    """Have the next fingerprint read all anew."""
    _digests.clear()


def _digest(info: Path) -> str:
    """Return a digest of what a distribution consists of: its RECORD has a hash of each file.

    Left out are its scripts, which name the folder of the environment, what installers add, and what Python
    compiled.
    """
    import hashlib

    try:
        with open(info / "RECORD", "rb") as file:  # noqa: PTH123 - quicker, for hundreds
            about = os.fstat(file.fileno())
            key = (str(info), about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns)
            if digest := _digests.get(key):
                return digest
            data = file.read()
    except OSError:
        return "?"
    skipped = (b"..", os.fsencode(f"{info.name}/"))
    kept = [line for line in data.split(b"\n") if not line.startswith(skipped) and b".pyc," not in line]
    kept.sort()
    _digests[key] = digest = hashlib.sha256(b"\n".join(kept)).hexdigest()[:12]
    return digest


def _leads(site: Path, name: str) -> Iterator[tuple[str, Path]]:
    """Yield the folders that a file has modules be imported from, with its name."""
    if name.endswith(".pth") and name not in _OWN_LINES:
        for line in _text(site / name).splitlines():
            if line.strip() and not line.startswith(("import ", "import\t", "#")):
                yield name, site / line.strip()
    if name.startswith("__editable__") and name.endswith("_finder.py"):
        yield from ((name, Path(place)) for place in _IN_FINDER.findall(_text(site / name)))


def wrong(found: Installed, tree: RunTree, elsewhere: bool = False) -> str | None:
    """Return what is wrong with the run tree's environment, as far as its files tell; ``None``: nothing.

    Right is what starts, was made where it lies, and leads to no other work tree of the same code. One of a
    kind that may keep it ``elsewhere`` need not be there, and may hold other things than a Python.
    """
    prefix = tree.prefix
    if not os.path.lexists(prefix):
        return None if elsewhere else f"{prefix} is not there"
    python = prefix / "bin" / "python"
    own_kind = (prefix / "conda-meta").is_dir() or tree.project.env_prefix != DEFAULT_PREFIX
    own_kind = own_kind or (elsewhere and not os.path.lexists(python) and any(prefix.iterdir()))
    is_made = (prefix / "pyvenv.cfg").is_file() or not own_kind
    if is_made and not os.access(python, os.X_OK):
        return f"{prefix} has no python that starts"
    made_for = _made_for(prefix)
    if made_for and os.path.realpath(made_for) != os.path.realpath(prefix):
        return f"it was made for {made_for}"
    return next(_foreign(found, tree), None)


def _made_for(prefix: Path) -> str | None:
    """Return the folder that an environment says it lies in; none where its script finds that by itself."""
    import shlex

    for line in _MADE_FOR.findall(_text(prefix / "bin" / "activate")):
        with suppress(ValueError):
            found = shlex.split(line)
            if found and found[0].startswith("/"):
                return found[0]
    return None


def _foreign(found: Installed, tree: RunTree) -> Iterator[str]:
    own = [place.resolve() for place in (tree.path, tree.prefix)]
    local = ((dist.name, dist.source) for dist in found.dists if dist.source)
    for name, where in (*local, *found.leads):
        place = where.resolve()
        if any(place.is_relative_to(one) for one in own):
            continue
        if not place.exists():
            yield f"it has {name} from {where}, which is gone"
        elif place.is_relative_to(tree.project.main_tree.resolve()) or _is_of_the_same_code(place, tree):
            yield f"it imports {name} from {where}, which is another tree"


def _is_of_the_same_code(place: Path, tree: RunTree) -> bool:
    """Return whether a folder lies in another work tree of the repository that has code."""
    with suppress(WtwatchError, OSError):
        above = next((one for one in (place, *place.parents) if (one / ".git").exists()), None)
        return above is not None and Repo(above).common_dir() == Repo(tree.code_path).common_dir()
    return False


def owners(found: Installed, prefix: Path, paths: Iterable[str]) -> dict[str, Dist]:
    """Return which distribution has each of some files, by path from the environment's folder."""
    wanted, owned = set(paths), {}
    for dist in found.dists:
        site = dist.info.parent
        for name in (*dist.record(), f"{dist.info.name}/RECORD"):
            path = os.path.relpath(os.path.normpath(os.path.join(site, name)), prefix)  # noqa: PTH118
            if path in wanted:
                owned[path] = dist
    return owned


def unlike_record(dist: Dist) -> list[str]:
    """Return the files of a distribution that are not as its RECORD says."""
    import base64
    import hashlib

    found = []
    for name, said in dist.record().items():
        kind, _, digest = said.partition("=")
        file = dist.info.parent / name
        if kind != "sha256" or name.endswith(".pyc"):
            continue
        try:
            made = base64.urlsafe_b64encode(hashlib.sha256(file.read_bytes()).digest())
        except OSError:
            made = b""
        if made.decode().rstrip("=") != digest.rstrip("="):
            found.append(name)
    return found
