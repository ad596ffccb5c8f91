"""The house's walls: imports point down only, and heavy libraries have one door each."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "wtwatch"

LAYERS = (
    ("errors", "model"),
    ("files", "shipped", "database", "rows", "quoting", "porcelain"),
    ("config", "repo", "journal", "ledger"),
    ("processes", "checkout", "harvest", "dataset", "dotgit", "jj", "notify", "runtree", "excludes", "env"),
    (
        "jobs",
        "queueing",
        "attempt",
        "leftovers",
        "backups",
        "codetree",
        "venv",
        "places",
        "maintree",
    ),
    ("projects", "notice", "sync", "environment", "save", "run", "wrapper", "merge", "githooks", "service"),
    ("status", "reconcile", "layout", "intent"),
    ("daemon", "demo", "worktrees"),
    ("init",),
    ("commands.terminal",),
    ("commands.front",),  # what the commands share
    ("commands.queue_views", "commands.status_views"),
    ("commands",),
    ("group",),
    ("cli",),
    ("__main__",),
)
LAYER = {module: number for number, modules in enumerate(LAYERS) for module in modules}

ONLY_DOOR = {"datalad": "dataset", "git": "repo", "watchdog": "notice"}
LATE = ("datalad", "git", "rich", "tomli_w")
"""Imported inside functions alone, wherever they are used."""

SLOW = (*LATE, "watchdog", "click", "dataclasses", "inspect", "traceback")
"""Too slow to be imported for a status, which is to answer in 120 ms."""


@cache
def modules() -> dict[str, Path]:
    """Return all modules of the package, as `sync` or `commands.queue`, and their files."""
    found = {}
    for file in PACKAGE.rglob("*.py"):
        parts = file.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__")] = file
    return found


def imports(file: Path) -> Iterator[tuple[str, bool]]:
    """Yield the full names that a file imports anywhere in it, and whether that happens at its top."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    top = set(map(id, tree.body))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports name the whole path"
            yield from ((f"{node.module}.{alias.name}", id(node) in top) for alias in node.names)


def wall(module: str) -> int:
    """Return the layer of a module of wtwatch; the package itself (its version) is below all."""
    if not module:
        return -1
    name = module if module in LAYER else module.split(".", maxsplit=1)[0]
    assert name in LAYER, f"{module} has no layer yet: add it to tests/test_layers.py"
    return LAYER[name]


def own(name: str) -> str | None:
    """Return which module of wtwatch `wtwatch.sync.plan` or `wtwatch.sync` is, or `None` if it is foreign."""
    head, *rest = name.split(".")
    if head != "wtwatch":
        return None
    return next(
        (tried for end in range(len(rest), 0, -1) if (tried := ".".join(rest[:end])) in modules()), ""
    )


@pytest.mark.parametrize("module", sorted(modules()))
def test_imports_point_down(module: str) -> None:
    for name, _ in imports(modules()[module]):
        if (other := own(name)) is not None:
            assert wall(other) < wall(module), f"{module} must not import {other}"


@pytest.mark.parametrize("library", sorted(ONLY_DOOR))
def test_a_library_has_one_door(library: str) -> None:
    users = {
        module
        for module, file in modules().items()
        if any(name.split(".")[0] == library for name, _ in imports(file))
    }
    assert users <= {ONLY_DOOR[library]}


@pytest.mark.parametrize("library", LATE)
def test_a_heavy_library_is_imported_late(library: str) -> None:
    for module, file in modules().items():
        early = {name for name, at_top in imports(file) if at_top and name.split(".")[0] == library}
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


def test_only_the_command_line_prints() -> None:
    for module, file in modules().items():
        calls = (node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call))
        prints = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"]
        assert not prints or wall(module) >= LAYER["commands.terminal"], f"{module} prints"
