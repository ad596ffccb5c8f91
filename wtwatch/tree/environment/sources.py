"""Code's own packages that an environment has a copy of: they are built anew when their files change.

A package that is editable, of Python alone and of a version that stands in its files is none of them.
"""

import ast
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from wtwatch.doors.repo import Repo
from wtwatch.project.tree import RunTree
from wtwatch.tree.environment.installed import Dist, Installed
from wtwatch.tree.environment.kind import text_of
from wtwatch.words.errors import WtwatchError


def built_from(tree: RunTree, found: Installed) -> dict[str, str]:
    """Return what each package of code that has to follow its files was built from: what git calls those."""
    return {
        dist.name: _content(tree, dist.source) for dist in found.dists if dist.source and _follows(dist, tree)
    }


def changed(tree: RunTree, found: Installed, noted: Mapping[str, str]) -> list[str]:
    """Return the packages that were built from something else than what lies there now."""
    return [name for name, content in built_from(tree, found).items() if noted.get(name, content) != content]


def _follows(dist: Dist, tree: RunTree) -> bool:
    source = dist.source
    if source is None or not source.resolve().is_relative_to(tree.path.resolve()):
        return False
    return not dist.editable or _says_its_version_elsewhere(source) or dist.compiles()


def _says_its_version_elsewhere(source: Path) -> bool:
    """Return whether a package's metadata rests on other files than those that hold it, or on git."""
    import tomli

    try:
        table = tomli.loads(text_of(source / "pyproject.toml"))
    except (OSError, ValueError):
        table = {}
    if "project" in table:
        return bool(table["project"].get("dynamic"))
    if "poetry" in table.get("tool", {}):
        return False
    return not (_is_fixed_in_cfg(source / "setup.cfg") or _is_fixed_in_setup(source / "setup.py"))


def _is_fixed_in_cfg(file: Path) -> bool:
    with suppress(OSError, UnicodeDecodeError):
        said = re.search(r"^version\s*=\s*(\S+)", file.read_text(encoding="utf-8"), re.MULTILINE)
        return bool(said and not said[1].startswith(("attr:", "file:")))
    return False


def _is_fixed_in_setup(file: Path) -> bool:
    """Return whether a ``setup.py`` calls ``setup`` with a version that stands there."""
    try:
        parsed = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return False
    calls = (node for node in ast.walk(parsed) if isinstance(node, ast.Call))
    given = [word for call in calls for word in call.keywords if word.arg == "version"]
    return bool(given) and all(isinstance(word.value, ast.Constant) for word in given)


def _content(tree: RunTree, source: Path) -> str:
    """Return what git calls the content of a folder, of code alone; "" where it has none."""
    place = source.resolve()
    if tree.project.paths and place == tree.path.resolve():
        parts = (_of_git(tree.path / path) for path in tree.project.paths)
        return " ".join(parts)
    return _of_git(place)


def _of_git(place: Path) -> str:
    """Ask git what a folder's or a file's content is at HEAD."""
    folder, name = (place, "./") if place.is_dir() else (place.parent, f"./{place.name}")
    with suppress(WtwatchError, OSError):
        repo = Repo(folder)
        return repo.git("rev-parse", f"HEAD:{name}").strip()
    return ""


def is_for_another_python(found: Installed, tree: RunTree) -> bool:
    """Return whether ``.python-version`` asks for another Python than the environment has."""
    try:
        asked = (tree.code_folder / ".python-version").read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError):
        return False
    number = re.fullmatch(r"\d+(\.\d+)*", asked[0]) if asked else None
    has = found.python.rpartition(" ")[2]
    return bool(number and has and not f"{has}.".startswith(f"{number[0]}."))
