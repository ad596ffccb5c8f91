"""Somebody works in the run tree: nothing moves there, and status says who it is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil

from tests.building import SUBJECTS
from tests.lab import PATIENCE, Gate, Lab, eventually, plot
from tests.stories.findings import follows, queue_plain, version_of
from wtwatch.doors.files import held
from wtwatch.project.tree import RunTree

SOURCE = f"inputs/L5b_2p/{SUBJECTS[0]}/LSD/data.bin"


def by_hand(lab: Lab, gate: Gate, *before: str) -> subprocess.Popen[bytes]:
    """Start a command as somebody does in a terminal in the run tree."""
    command = [*before, "sh", "-c", plot(SOURCE, str(lab.root / "by-hand.svg"), gate.words) + "; true"]
    environment = {"PATH": f"{lab.run_code}/.venv/bin:/usr/bin:/bin"}
    return subprocess.Popen(command, cwd=lab.run, env=os.environ | environment if not before else None)


def facts_of(lab: Lab) -> tuple[object, object, object]:
    """Return what `status` says of the run tree, of who is busy there, and why nothing goes on."""
    said = lab.status()
    return said["freshness"], said["busy"], said["reason"]


def test_exec_holds_the_tree_until_its_command_ends(lab: Lab) -> None:
    lab.wtwatch("init")
    gate = lab.gate()
    with lab.daemon():
        old = lab.commit("runs")
        with by_hand(lab, gate, sys.executable, "-P", "-m", "wtwatch", "exec", "--") as command:
            eventually(gate.reached)
            queue_plain(lab, "--now", name="next")
            lab.change_code("v2", "a second version")
            new = lab.move_bookmark()
            said = lab.status()
            assert (said["freshness"], said["applied"]) == ("behind", old)
            assert "python" in {process["name"] for process in said["busy"]}
            lab.wtwatch("sync", code=1)
            assert lab.commit("HEAD", lab.run_code) == old
            gate.open()
            assert command.wait(PATIENCE) == 0
        follows(lab, new)
        lab.wtwatch("queue", "wait", code=0)
    assert version_of(lab.root / "by-hand.svg") == "v1"
    assert version_of(lab.root / "next.svg") == "v2"


def test_a_batch_started_by_hand_holds_the_tree_and_is_named(lab: Lab) -> None:
    lab.wtwatch("init")
    gate = lab.gate()
    with lab.daemon():
        old = lab.commit("runs")
        with by_hand(lab, gate) as batch:
            eventually(gate.reached)
            lab.change_code("v2", "a second version")
            new = lab.move_bookmark()
            eventually(lambda: lab.status()["reason"])
            said = lab.status()
            assert (said["freshness"], said["applied"]) == ("behind", old)
            assert batch.pid in {process["pid"] for process in said["busy"]}
            assert f"(pid {batch.pid})" in said["reason"]
            refused = lab.wtwatch("sync", "--force", code=1)
            assert f"--ignore-pid {batch.pid}" in refused.err
            lab.wtwatch("status", code=0)
            gate.open()
        follows(lab, new)
        eventually(lambda: facts_of(lab) == ("fresh", None, None))
    assert version_of(lab.root / "by-hand.svg") == "v1"


def test_sync_waits_for_whoever_works_on_the_run_tree_just_now(lab: Lab) -> None:
    lab.wtwatch("init")
    lab.change_code("v2", "a second version")
    new = lab.move_bookmark()
    lock = RunTree.of(lab.project()).lock
    with held(lock):  # as the daemon does for a moment at each move
        waiting = subprocess.Popen([sys.executable, "-P", "-m", "wtwatch", "sync"], cwd=lab.main)
        eventually(lambda: lock in {Path(file.path) for file in psutil.Process(waiting.pid).open_files()})
        assert lab.commit("HEAD", lab.run_code) != new
    assert waiting.wait(PATIENCE) == 0
    assert lab.commit("HEAD", lab.run_code) == new


def test_whoever_waits_for_the_queue_in_the_run_tree_does_not_hold_it_up(lab: Lab) -> None:
    lab.wtwatch("init")
    gate = lab.gate()
    with lab.daemon():
        queue_plain(lab, "--now", options=gate.words)
        queue_plain(lab, "--now", name="next")
        eventually(gate.reached)
        assert {process["job"] for process in lab.status()["busy"]} == {1}
        told = lab.wtwatch("status").out
        assert "▶ job 1" in told and "busy" not in told
        words = [sys.executable, "-P", "-m", "wtwatch", "queue"]
        with (
            subprocess.Popen([*words, "wait"], cwd=lab.run) as waits,
            subprocess.Popen([*words, "logs", "-f", "1"], cwd=lab.run, stdout=subprocess.DEVNULL) as follows,
        ):
            try:
                gate.open()
                assert (waits.wait(PATIENCE), follows.wait(PATIENCE)) == (0, 0)
            finally:
                waits.kill()
                follows.kill()
    assert (lab.root / "next.svg").exists()


def test_a_script_in_the_run_tree_that_waits_for_its_own_jobs_gets_them_done(lab: Lab) -> None:
    lab.wtwatch("init")
    wtwatch = f"{sys.executable} -P -m wtwatch"
    drawn, done = lab.root / "of-script.svg", lab.root / "done"
    add = f"{wtwatch} queue add --plain -- {plot(SOURCE, str(drawn))}"
    with lab.daemon():
        lab.say("bash", "-ec", f"{add}; {wtwatch} queue wait; touch {done}", cwd=lab.run_code)
    assert drawn.exists() and done.exists()
