"""Hints are pasted into a shell: whatever a path is called, it has to come out of that in one piece."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "wtwatch"

TAKES_A_PATH = re.compile(
    r"(?:\s-C |--run-tree |\brm (?:-\w+ )*|\bmv |\bcd |\bls (?:-\w+ )*|\bdf -h |\bchmod [\w+-]+ |"
    r"\bbranch -m |\bbookmark set |\bdatalad \w+ (?:-d|-C) )$"
)
"""How the words of a command end after which a path or the name of a branch comes."""

MODULES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("module", MODULES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_path_in_a_command_is_quoted(module: Path) -> None:
    source = module.read_text(encoding="utf-8")
    before = set(re.findall(r"(\w+)(?:, \w+)? = (?:shlex\.)?quot", source))  # quoted when it was named
    before |= {name for pair in re.findall(r"(\w+), (\w+) = .*quoted\(.*quoted\(", source) for name in pair}
    before |= set(re.findall(r"\w+, (\w+) = .*, quoted\(", source))
    bare = [
        f"{module.name}:{value.lineno}: {{{ast.unparse(value.value)}}}"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.JoinedStr)
        for said, value in zip(node.values, node.values[1:], strict=False)
        if isinstance(said, ast.Constant) and TAKES_A_PATH.search(str(said.value))
        if isinstance(value, ast.FormattedValue)
        if not re.match(r"(shlex\.)?quoted?\(", ast.unparse(value.value))
        if ast.unparse(value.value) not in before
    ]
    assert not bare
