"""The bookmark moves: during a batch, several times, by a rewrite, and while nobody watches."""

from __future__ import annotations

from shlex import quote

import pytest

from tests.building import SUBJECTS
from tests.lab import Lab, eventually, plot
from tests.stories.findings import (
    assert_results_name_what_ran,
    ends,
    follows,
    is_clean,
    queue_plain,
    set_settings,
    states,
    version_of,
)
from wtwatch.words.model import Sha

pytestmark = pytest.mark.slow


def test_moves_during_a_batch_coalesce_to_the_last_one(lab: Lab) -> None:
    lab.wtwatch("init")
    set_settings(lab, settle=0.2)
    gate = lab.gate()
    with lab.daemon():
        old = lab.commit("runs")
        first = queue_plain(lab, "--now", options=gate.words, name="first")
        second = queue_plain(lab, "--every-move", name="second")
        eventually(gate.reached)
        lab.change_code("v2", "a second version")
        lab.move_bookmark()
        lab.move_bookmark(old)
        lab.change_code("v3", "a third version")
        lab.move_bookmark()
        lab.amend_code("v4")
        last = lab.move_bookmark()
        assert lab.commit("HEAD", lab.run_code) == old
        gate.open()
        lab.wtwatch("queue", "wait", code=0)
    said = lab.status()
    assert (said["last_sync"]["from"], said["last_sync"]["to"]) == (old, last)
    assert states(lab) == ["succeeded", "succeeded"]
    assert (version_of(first), version_of(second)) == ("v1", "v4")


@pytest.mark.slow
def test_a_move_there_and_back_moves_nothing(lab: Lab) -> None:
    lab.wtwatch("init")
    set_settings(lab, settle=0.0)
    gate = lab.gate()
    with lab.daemon():
        old = lab.commit("runs")
        queue_plain(lab, "--every-move", name="standing")
        queue_plain(lab, "--now", options=gate.words)
        eventually(gate.reached)
        new = lab.change_code("v2", "a second version")
        lab.move_bookmark(new)
        lab.move_bookmark(old)
        gate.open()
        lab.wtwatch("queue", "wait", code=0)
    assert lab.status()["last_sync"] is None
    assert states(lab) == ["succeeded"]


@pytest.mark.slow
def test_a_commit_that_results_name_outlives_rewrites_and_garbage_collection(any_lab: Lab) -> None:
    lab = any_lab
    lab.wtwatch("init")
    dropped = lab.change_code("draft", "never released")
    named = lab.amend_code("v2")
    with lab.daemon():
        lab.wtwatch("release")
        lab.queue_plots("--now", subjects=SUBJECTS[:1], drugs=["LSD"])
        lab.wtwatch("queue", "wait", code=0)
        rewritten = lab.amend_code("v3")
        lab.move_bookmark()
        follows(lab, rewritten)
    if lab.driver == "jj":
        lab.jj("op", "abandon", "..@-")
        lab.jj("util", "gc", "--expire", "now")
    lab.git("reflog", "expire", "--expire=now", "--all", cwd=lab.code)
    lab.git("gc", "--quiet", "--prune=now", cwd=lab.code)

    [result] = assert_results_name_what_ran(lab)
    assert result.ran_on == named
    assert not is_there(lab, dropped), "this gc proves nothing"
    lab.git("worktree", "add", "--quiet", "--detach", str(lab.root / "then"), result.ran_on, cwd=lab.code)
    assert '"v2"' in (lab.root / "then" / "src" / "process2p" / "version.py").read_text()
    assert is_clean(lab, lab.run)


@pytest.mark.slow
@pytest.mark.parametrize("on_move", ["after-job", "cancel"])
def test_a_batch_gives_way_to_a_move_as_the_setting_says_and_each_result_names_what_ran(
    lab: Lab, on_move: str
) -> None:
    lab.wtwatch("init")
    set_settings(lab, settle=0.0, on_move=on_move)
    gate = lab.gate()
    old = lab.commit("runs")
    with lab.daemon():
        lab.queue_plots("--now", subjects=SUBJECTS[:1], drugs=["LSD", "Saline"], options=gate.words)
        eventually(gate.reached)
        new = lab.change_code("v2", "a second version")
        lab.move_bookmark()
        eventually(lambda: {job["batch"] for job in lab.jobs()} == {1, 2})
        assert on_move == "cancel" or lab.commit("HEAD", lab.run_code) == old
        if on_move == "cancel":
            follows(lab, new)
        gate.open()
        lab.wtwatch("queue", "wait", code=(0, 1))
    outcomes = {"after-job": ["succeeded", "succeeded"], "cancel": ["cancelled", "succeeded", "succeeded"]}
    assert states(lab) == outcomes[on_move]
    results = assert_results_name_what_ran(lab)
    assert sorted(one.ran_on for one in results) == sorted([old if on_move == "after-job" else new, new])


def is_there(lab: Lab, commit: Sha) -> bool:
    return lab.say("git", "cat-file", "-e", commit, cwd=lab.code, code=(0, 1, 128)).code == 0


@pytest.mark.slow
def test_a_move_while_no_daemon_ran_is_followed_at_its_start(any_lab: Lab) -> None:
    lab = any_lab
    lab.wtwatch("init")
    set_settings(lab, settle=0.0)
    drawn = queue_plain(lab, "--every-move")
    with lab.daemon():
        pass
    lab.change_code("v2", "a second version")
    new = lab.move_bookmark()
    lab.git("pack-refs", "--all", cwd=lab.code)
    said = lab.status()
    assert (said["freshness"], said["tip"]) == ("behind", new)
    with lab.daemon():
        follows(lab, new)
        lab.wtwatch("queue", "wait", code=0)
    assert version_of(drawn) == "v2"


def test_release_starts_what_waits_at_once_and_an_on_move_batch_only_once(any_lab: Lab) -> None:
    lab = any_lab
    lab.wtwatch("init")
    set_settings(lab, settle=3600.0)  # however long it takes to come to the release
    with lab.daemon():
        drawn = queue_plain(lab, "--on-move")
        lab.change_code("v2", "a second version")
        moved = lab.move_bookmark()
        follows(lab, moved)
        assert lab.status()["settling"] > 0
        assert states(lab) == ["waiting"]

        released = lab.change_code("v3", "a third version")
        lab.edit_version("v4, not committed")
        said = lab.wtwatch("release")
        assert f"runs now points to {released[:10]} a third version" in said.out
        assert "edit" in said.out + said.err, "it says that there are edits which are not in it"
        assert lab.commit("runs") == released
        ends(lab, "succeeded")
        assert version_of(drawn) == "v3"

        last = lab.change_code("v5", "one more")
        lab.wtwatch("release")
        follows(lab, last)
        lab.wtwatch("queue", "wait", code=0)
        assert states(lab) == ["succeeded"]


@pytest.mark.slow
@pytest.mark.parametrize("after", ["job", "cancel"])
def test_a_batch_makes_way_for_a_release_that_asks_for_it(lab: Lab, after: str) -> None:
    """``job``: the one that runs ends on the old code; ``cancel``: it is stopped, and runs on the new one."""
    lab.wtwatch("init")
    gate = lab.gate()
    source = f"inputs/L5b_2p/{SUBJECTS[0]}/LSD/data.bin"
    with lab.daemon():
        drawn = {name: lab.root / f"{name}.svg" for name in ("first", "second")}
        command = plot(source, quote(str(lab.root)) + "/{name}.svg", gate.words)
        lab.wtwatch("queue", "add", "--plain", "--each", "name=first,second", "--", command)
        eventually(gate.reached)
        new = lab.change_code("v2", "a second version")
        said = lab.wtwatch("release", "--after", after).out
        assert "batch 2" in " ".join(said.split())
        if after == "cancel":
            follows(lab, new)
        gate.open()
        lab.wtwatch("queue", "wait", code=(0, 1))
    assert version_of(drawn["first"]) == ("v1" if after == "job" else "v2")
    assert version_of(drawn["second"]) == "v2"
    outcomes = {"job": ["succeeded", "succeeded"], "cancel": ["cancelled", "succeeded", "succeeded"]}
    assert states(lab) == outcomes[after]
