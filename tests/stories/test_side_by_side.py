"""Two states of the code are explored at once: two bookmarks, two run trees, one superdataset."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.building import SUBJECTS
from tests.conftest import MakeLab
from tests.lab import Driver, Lab, eventually
from tests.stories.findings import follows, pointer, results, set_settings

BRAVE = "L5b-brave"


def jobs(lab: Lab, name: str) -> list[dict[str, Any]]:
    said = lab.wtwatch("queue", "list", "--json", "--project", name)
    found: list[dict[str, Any]] = json.loads(said.out)["jobs"]
    return found


@pytest.mark.parametrize("driver", ["jj", pytest.param("git", marks=pytest.mark.slow)])
def test_batches_run_in_two_run_trees_at_once_each_on_its_own_code(make_lab: MakeLab, driver: Driver) -> None:
    lab = make_lab(driver)
    lab.wtwatch("init")
    plain = lab.commit("runs")
    brave = lab.change_code("brave", "all or nothing")
    lab.move_bookmark(bookmark="brave") if lab.driver == "git" else lab.jj("bookmark", "set", "brave", "-r@-")
    lab.wtwatch("init", "--bookmark", "brave")
    tree = lab.root / "L5b-brave"
    assert json.loads(lab.wtwatch("status", "--json").out)["projects"][1]["run_tree"] == str(tree)
    for name in ("L5b", BRAVE):
        set_settings(lab, name, settle=0.0)
    gate, other = lab.gate(), lab.gate("other")
    with lab.daemon():
        for name, opens in (("L5b", gate), (BRAVE, other)):
            words = ("--now", "--project", name)
            lab.queue_plots(*words, subjects=SUBJECTS[:1], drugs=["LSD"], options=opens.words)
        eventually(lambda: gate.reached() and other.reached())
        eventually(lambda: [status(lab, name)["queue"]["running"] for name in ("L5b", BRAVE)] == [1, 1])

        new = lab.change_code("v2", "a second version")
        lab.move_bookmark()
        gate.open()
        follows(lab, new)
        assert status(lab, BRAVE)["applied"] == status(lab, BRAVE)["tip"] == brave
        assert status(lab, BRAVE)["queue"]["running"] == 1
        other.open()
        lab.wtwatch("queue", "wait", cwd=tree, code=0)
        lab.wtwatch("queue", "wait", cwd=lab.run, code=0)

    assert_one_result(lab, "L5b", lab.run, plain)
    assert_one_result(lab, BRAVE, tree, brave)
    assert (pointer(lab), pointer(lab, tree=tree)) == (new, brave)
    figures = [
        (place / "05_visualization" / SUBJECTS[0] / "LSD" / "F.svg").read_text() for place in (lab.run, tree)
    ]
    assert ["v1" in figures[0], "brave" in figures[1]] == [True, True]


def status(lab: Lab, name: str) -> dict[str, Any]:
    return lab.status(name)


def assert_one_result(lab: Lab, name: str, tree: Path, code: str) -> None:
    [result], [job] = results(lab, tree), jobs(lab, name)
    assert (job["state"], job["commits"]) == ("succeeded", [result.commit])
    assert job["code"] == result.ran_on == code
