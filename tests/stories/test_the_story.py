"""The story of the design: notice → sync → save → run → merge, while the scientist goes on coding."""

from __future__ import annotations

from tests.building import SUBJECTS
from tests.lab import Lab, eventually
from tests.stories.findings import (
    assert_results_name_what_ran,
    figure,
    files_of_which_nobody_says_who_ends_them,
    is_clean,
    pointer,
    results,
    set_settings,
)

FIRST, SECOND = SUBJECTS


def test_a_batch_keeps_its_code_the_standing_one_gets_the_new_and_merge_brings_all_home(any_lab: Lab) -> None:
    lab = any_lab
    lab.wtwatch("init")
    set_settings(lab, settle=0.2)
    gate = lab.gate()
    with lab.daemon():
        old = lab.commit("runs")
        lab.queue_plots("--now", subjects=[FIRST], drugs=["LSD", "Saline"], options=gate.words)
        lab.queue_plots("--every-move", subjects=[SECOND], drugs=["LSD"])
        eventually(gate.reached)

        new = lab.change_code("v2", "thicker lines")
        lab.edit_version("v3, not committed")
        assert lab.move_bookmark() == new
        said = lab.status()
        assert (said["freshness"], said["tip"], said["applied"]) == ("behind", new, old)
        assert "keeps its code" in said["reason"]
        assert said["queue"] | {"running": 1, "waiting": 1} == said["queue"]
        assert lab.commit("HEAD", lab.run_code) == old
        lab.wtwatch("status", code=0)

        gate.open()
        lab.wtwatch("queue", "wait", code=0)
        said = lab.status()
        assert (said["freshness"], said["applied"], said["pointer"]["recorded"]) == ("fresh", new, new)
        assert said["queue"]["succeeded"] == 3
        assert lab.commit("HEAD", lab.run_code) == new

    found = assert_results_name_what_ran(lab)
    assert [result.ran_on for result in found] == [old, old, new]
    assert "<!-- v1 -->" in figure(lab, FIRST, "LSD")
    assert "<!-- v1 -->" in figure(lab, FIRST, "Saline")
    assert "<!-- v2 -->" in figure(lab, SECOND, "LSD")
    assert is_clean(lab, lab.run)

    assert said["results"]["ahead"] > 0
    lab.wtwatch("merge", code=0)
    assert [result.commit for result in results(lab, lab.main)] == [result.commit for result in found]
    assert "<!-- v2 -->" in figure(lab, SECOND, "LSD", lab.main)
    assert "v3, not committed" in (lab.code / "src" / "process2p" / "version.py").read_text()
    assert pointer(lab, tree=lab.main) == new
    home = lab.status()["results"]
    assert home | {"ahead": 0, "behind": 0, "conflict": False, "from_main": 0} == home
    lab.wtwatch("status", code=0)
    assert not files_of_which_nobody_says_who_ends_them(lab)
