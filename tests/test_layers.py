"""The house's walls: imports point down only, rooms side by side stay apart, libraries have one door each."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = Path(__file__).parents[1] / "wtwatch"

FLOORS = (
    ("words",),
    ("doors",),
    ("project",),
    ("queue", "tree"),
    ("bring",),
    ("job", "home", "setup"),
    ("stale",),
    ("lanes",),
    ("story", "views"),
    ("reconcile",),
    ("daemon",),
    ("commands",),
    ("cli",),
    ("__main__",),
)
"""The rooms, bottom up. Those of one floor never import each other."""

FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}

ONLY_DOOR = {
    "datalad": {"doors.dataset", "doors.fastrun"},  # a run as it is, and a run in parts
    "git": {"doors.history"},
    "watchdog": {"daemon.sources"},
}
LATE = ("datalad", "git", "hashlib", "rich", "tomli_w")
"""Imported inside functions alone, wherever they are used: `hashlib` takes the daemon 4 MB."""

SLOW = (*LATE, "watchdog", "click", "dataclasses", "inspect", "traceback")
"""Too slow to be imported for a status, which is to answer in 120 ms."""


@cache
def modules() -> dict[str, Path]:
    """Return all modules of the package, as `cli` or `tree.sync`, and their files; rooms by their name."""
    found = {}
    for file in PACKAGE.rglob("*.py"):
        parts = file.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__")] = file
    return found


class Read(NamedTuple):
    """What stands in a file: each full name that it imports, and whether at its top; whether it prints."""

    imports: tuple[tuple[str, bool], ...]
    prints: bool


@cache
def read(file: Path) -> Read:
    """Parse a file: once for all tests, as that takes longest."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    top = set(map(id, tree.body))
    names, prints = [], False
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [(alias.name, id(node) in top) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports name the whole path"
            names += [(f"{node.module}.{alias.name}", id(node) in top) for alias in node.names]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            prints = prints or node.func.id == "print"
    return Read(tuple(names), prints)


def room(module: str) -> str:
    """Return the room that a module is in: `tree` for `tree.sync`; a module at the top is one of its own."""
    name = module.split(".", maxsplit=1)[0]
    assert name in FLOOR, f"{module} is in no room: add it to tests/test_layers.py"
    return name


def own(name: str) -> str | None:
    """Return which module of wtwatch `wtwatch.tree.sync.plan` is; `None` if foreign, or its version alone."""
    head, *rest = name.split(".")
    if head != "wtwatch":
        return None
    tried = (".".join(rest[:end]) for end in range(len(rest), 0, -1))
    return next((module for module in tried if module in modules()), None)


def used_by(module: str) -> set[str]:
    """Return which other modules of wtwatch a module imports."""
    return {other for name, _ in read(modules()[module]).imports if (other := own(name))} - {module}


@pytest.mark.parametrize("module", sorted(filter(None, modules())))
def test_imports_point_down(module: str) -> None:
    for other in used_by(module):
        if room(other) != room(module):
            assert FLOOR[room(other)] < FLOOR[room(module)], f"{module} must not import {other}"


def test_no_import_goes_in_a_circle() -> None:
    TopologicalSorter({module: used_by(module) for module in modules()}).prepare()


def test_the_house_has_few_modules_outside_of_its_rooms() -> None:
    rooms = {file.parent.name for file in PACKAGE.glob("*/__init__.py")}
    outside = {module for module in modules() if module and "." not in module} - rooms
    assert rooms | outside == set(FLOOR)
    assert len(outside) <= 6 and 8 <= len(rooms) <= 16


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_what_is_written_of_the_floors_is_so(page: str) -> None:
    text = " ".join((PACKAGE.parent / page).read_text(encoding="utf-8").split())
    assert " ← ".join(" | ".join(rooms) for rooms in FLOORS if rooms != ("__main__",)) in text


def test_the_map_names_each_room() -> None:
    text = (PACKAGE.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for room_of_ours in FLOOR.keys() - {"__main__"}:
        name = room_of_ours if (PACKAGE / room_of_ours).is_dir() else f"{room_of_ours}.py"
        assert f"\n      {name}" in text, room_of_ours


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_a_module_that_a_page_names_is_there(page: str) -> None:
    text = (PACKAGE.parent / page).read_text(encoding="utf-8")
    rooms = "|".join(sorted(FLOOR))
    named = set(re.findall(rf"(?<![\w./])(?:wtwatch/)?((?:{rooms})/\w+)", text))
    there = {name for name in named if (PACKAGE / f"{name}.py").is_file() or (PACKAGE / name).is_dir()}
    assert named and named == there


@pytest.mark.parametrize("library", sorted(ONLY_DOOR))
def test_a_library_has_one_door(library: str) -> None:
    users = {
        module
        for module, file in modules().items()
        if any(name.split(".")[0] == library for name, _ in read(file).imports)
    }
    assert users <= ONLY_DOOR[library]


@pytest.mark.parametrize("library", LATE)
def test_a_heavy_library_is_imported_late(library: str) -> None:
    for module, file in modules().items():
        early = {name for name, at_top in read(file).imports if at_top and name.split(".")[0] == library}
        assert not early, f"{module} imports {early} at its top"


def test_a_plain_status_starts_without_the_slow_libraries(tmp_path: Path) -> None:
    asked = (
        "import sys; from wtwatch import cli; code = cli.run(['status'])\n"
        f"print(code, *(name for name in {SLOW!r} if name in sys.modules))"
    )
    answer = subprocess.run(
        [sys.executable, "-P", "-c", asked], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert answer.stdout.splitlines()[-1] == "0"


def test_what_a_merge_would_bring_is_told_without_the_slow_libraries(tmp_path: Path) -> None:
    asked = (
        "import sys; from wtwatch import cli; code = cli.run(['merge', '--dry-run'])\n"
        f"print(code, *(name for name in {(*SLOW, 'concurrent.futures')!r} if name in sys.modules))"
    )
    answer = subprocess.run(
        [sys.executable, "-P", "-c", asked], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert answer.stdout == "2\n" and "lies in no main or run tree" in answer.stderr


COMPLETING = ("wtwatch.doors.containers", "wtwatch.tree.aside", "wtwatch.tree.backups", "difflib", "hashlib")
"""What completes a word, or finds one that is alike, and no command waits for."""


def test_no_command_loads_what_only_completes_its_words() -> None:
    asked = (
        "import sys; from wtwatch.commands import front, group; loaded = [*sys.modules]\n"
        f"print(*(name for name in {COMPLETING!r} if name in loaded))"
    )
    answer = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == []


LIGHT = (
    "wtwatch",
    "wtwatch.doors.claims",
    "wtwatch.doors.gitindex",
    "wtwatch.doors.proc",
    "wtwatch.doors.traces",
    "wtwatch.doors.xdg",
    "wtwatch.tree.untouched",
    "wtwatch.tree.walk",
    "wtwatch.views.glance",
    "wtwatch.views.lines",
    "wtwatch.views.terminal",
    "wtwatch.words.spans",
)
"""All that a glance loads, but for the rooms that these are in and what Python has in itself."""


def test_a_glance_loads_nothing_but_what_it_is_made_of() -> None:
    asked = (
        "import os; before = set(sys.modules); import wtwatch.views.glance\n"
        "print(*(one for one in sys.modules if one not in before and one not in sys.builtin_module_names))"
    )
    answer = subprocess.run(
        [sys.executable, "-P", "-S", "-c", f"import sys; sys.path.append({str(PACKAGE.parent)!r}); {asked}"],
        capture_output=True,
        text=True,
        check=True,
    )
    rooms = {f"wtwatch.{room}" for room in FLOOR}
    assert set(answer.stdout.split()) - rooms <= {*LIGHT, "__future__", "fcntl", "struct", "_struct"}


def test_the_daemon_keeps_no_library_that_it_does_not_use() -> None:
    heavy = {*LATE, "email", "zipfile"}
    asked = f"import sys, wtwatch.daemon.loop; print(*({heavy!r} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == []


def test_only_the_command_line_prints() -> None:
    for module, file in modules().items():
        assert not read(file).prints or FLOOR[room(module)] >= FLOOR["views"], f"{module} prints"
