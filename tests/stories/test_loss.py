"""Rows of the matrix of loss: nothing of the run tree's is lost on the way to the bookmark.

The whole of it, beside git's own ways, is `make bench-loss`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.loss.matrix import Cell, measure
from tests.benchmarks.loss.scene import MODES, Mode
from tests.benchmarks.loss.situations import SITUATIONS
from tests.benchmarks.loss.ways import WAYS, WTWATCH

pytestmark = pytest.mark.slow

ROWS = (
    "an edited file that the tip changes",
    "a staged edit, edited on",
    "a file replaced by a folder with files",
    "a file announced by `add -N`",
    "an untracked file where the tip has a folder",
    "an ignored .env that the tip tracks",
    ".venv, which the tip tracks as a symlink",
    "a repository in the way of a file",
    "commits made in the run tree, and an edit",
    "a merge in conflict, resolved in the file",
    "a rebase in conflict, open edits stashed by it",
    "a tip that makes a folder a symlink, files in it",
    "the bookmark moved to an unrelated history, edits",
    "a script that runs in the tree, an edit",
    "an edit of the same size within the second, core.checkStat=minimal",
    "an edit hidden by skip-worktree, beside another",
    "a bisect over commits made in the run tree",
    "`git stash pop` in conflict, another file staged and edited on",
    "* text=auto, a script with CRLF made executable",
    "working-tree-encoding, an edit that is not in it",
    "a filter that strips outputs, index refreshed",
    "names with a carriage return",
    "a FIFO in the way",
)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ROWS)
def test_nothing_is_lost_on_the_way_to_the_bookmark(name: str, mode: Mode, tmp_path: Path) -> None:
    cell = measure(tmp_path / "p", SITUATIONS[name], mode, WTWATCH)
    assert cell.is_well, cell
    assert (cell.outcome == "refused") == (SITUATIONS[name].stays is not None)


def test_the_matrix_sees_what_git_loses_and_what_it_refuses(tmp_path: Path) -> None:
    def outcome(name: str, way: str, mode: Mode = "detached") -> Cell:
        return measure(tmp_path / "p", SITUATIONS[name], mode, way)

    hard, keep, checkout, _ = WAYS
    edited = "an edited file that the tip changes"
    lost = outcome(edited, hard)
    assert (lost.outcome, lost.at_tip, lost.lost) == ("LOST", True, ("file 'a.py'",))
    assert outcome(edited, keep).outcome == outcome(edited, checkout).outcome == "refused"
    assert outcome("an edited file that the tip leaves alone", checkout).outcome == "kept"
    assert outcome("an ignored .env that the tip tracks", keep).lost == ("file '.env'",)
    assert outcome("a staged edit that the tip leaves alone", keep, "symbolic").outcome == "LOST"
