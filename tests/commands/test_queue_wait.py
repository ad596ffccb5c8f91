"""`wtwatch queue wait`: for whom it waits, what it says meanwhile, and that it never waits for nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.at_work import at_work
from tests.conftest import Say
from tests.house import House
from tests.lab import eventually, running_daemon
from wtwatch.commands.front import ring_for
from wtwatch.commands.queue import wait as queue_wait
from wtwatch.doors.processes import identity
from wtwatch.project.config import read_project
from wtwatch.queue.facts import Waits
from wtwatch.queue.jobs import Queue
from wtwatch.words.model import Ended, JobSpec, Outcome, Trigger, now

WTWATCH = f"{sys.executable} -P -m wtwatch"


@pytest.fixture
def watched(house: House, tmp_path: Path) -> Iterator[House]:
    with running_daemon(tmp_path):
        yield house


def queue_of(house: House) -> Queue:
    return Queue(house.project.state)


def queued(house: House, *commands: str, trigger: Trigger = Trigger.NOW) -> list[int]:
    """Queue one batch of plain jobs, as `queue add --plain` does; return their numbers."""
    specs = [JobSpec(command, f"do {command.split(maxsplit=1)[0]}", plain=True) for command in commands]
    jobs = queue_of(house).add(specs, trigger, house.head())
    ring_for(house.project)
    return [job.id for job in jobs]


def until(gate: Path) -> str:
    """Return a command that runs until the file ``gate`` is there."""
    return f"until [ -e {gate} ]; do sleep 0.05; done"


def waits_for(house: House, reason: str) -> Waits:
    """Wait until what the queue waits for is what ``reason`` tells, and return it."""

    def noted() -> Waits | None:
        found = queue_of(house).waits()
        return found if found and reason in found.reason else None

    found = eventually(noted)
    assert found is not None
    return found


def has_failed(house: House, number: int) -> None:
    """Wait until a job has failed a while ago: when whoever starts now began is known to 10 ms only."""

    def so_long_ago() -> bool:
        state = queue_of(house).job(number).state
        return isinstance(state, Ended) and now() - state.ended > timedelta(seconds=0.05)

    eventually(so_long_ago)
    assert queue_of(house).job(number).word == "failed"


def begins_to_wait(process: subprocess.Popen[str]) -> None:
    eventually(lambda: Path(f"/proc/{process.pid}/cwd").readlink() == Path("/"))


def wait(house: House, *words: str, where: Path | None = None) -> subprocess.Popen[str]:
    """Start `wtwatch queue wait` as a process of its own."""
    return subprocess.Popen(
        [*WTWATCH.split(), "queue", "wait", *words],
        cwd=where or house.project.main_tree,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def said(process: subprocess.Popen[str], code: int = 0) -> tuple[str, str]:
    out, err = process.communicate(timeout=30)
    assert process.returncode == code, (process.returncode, out, err)
    return out, err


def test_it_says_a_line_a_job_and_what_they_came_to(watched: House, say: Say, tmp_path: Path) -> None:
    queued(watched, until(tmp_path / "go"), "exit 3", "true")
    with wait(watched) as process:
        begins_to_wait(process)
        (tmp_path / "go").touch()
        out, err = said(process, code=1)
    first, second, third, told, way = out.splitlines()
    assert first.startswith("✓ 1 succeeded in ") and first.endswith(": do until")
    assert second.startswith("✗ 2 failed (exit 3) after ")
    assert second.endswith(": do exit  (wtwatch queue logs 2)")
    assert third.startswith("✓ 3 succeeded in ") and err == "", "nothing held them up"
    assert told.startswith("3 jobs: 2 succeeded, 1 failed, after ")
    assert way == "wtwatch queue logs 2  ·  wtwatch queue retry 2"


def test_what_failed_before_does_not_count_unless_it_is_named(
    watched: House, say: Say, tmp_path: Path
) -> None:
    where = watched.project.main_tree
    queued(watched, "false")
    has_failed(watched, 1)
    with wait(watched) as process:
        assert "Nothing runs" in said(process)[0]
    queued(watched, "true")
    said_of_named = say(where, "queue", "wait", "1-2", code=1).out
    assert "✗ 1 failed" in said_of_named and "✓ 2 succeeded" in said_of_named
    assert "✗ 1 failed" in say(where, "queue", "wait", "--batch", "1", code=1).out
    say(where, "ack", "1")
    say(where, "queue", "wait", "1")
    say(where, "queue", "wait", "7", code=2)


def test_a_job_that_failed_before_is_named_and_counts_not_though_its_batch_goes_on(
    watched: House, tmp_path: Path
) -> None:
    queued(watched, "false", until(tmp_path / "go"))
    has_failed(watched, 1)
    eventually(lambda: queue_of(watched).job(2).word == "running")
    with wait(watched) as process:
        begins_to_wait(process)
        (tmp_path / "go").touch()
        out = said(process)[0]
    assert "✗ 1 failed" in out and "so not counted: 1." in out


def test_named_jobs_alone_are_waited_for(watched: House, say: Say, tmp_path: Path) -> None:
    queued(watched, "true", until(tmp_path / "go"))
    say(watched.project.main_tree, "queue", "wait", "1")
    assert queue_of(watched).job(2).word in ("waiting", "running")
    (tmp_path / "go").touch()
    say(watched.project.main_tree, "queue", "wait")


def test_a_paused_queue_ends_it_once_nothing_runs_with_the_way_on(
    watched: House, say: Say, tmp_path: Path
) -> None:
    queued(watched, until(tmp_path / "go"), "true", "true")
    eventually(lambda: queue_of(watched).job(1).word == "running")
    queue_of(watched).pause()
    with wait(watched) as process:
        begins_to_wait(process)
        (tmp_path / "go").touch()
        out, err = said(process, code=1)
    assert "✓ 1 succeeded" in out
    assert "The queue is paused, and 2 jobs wait." in err and "wtwatch queue resume" in err
    assert "paused, and 1 job waits." in say(watched.project.main_tree, "queue", "wait", "3", code=1).err
    say(watched.project.main_tree, "queue", "resume")
    say(watched.project.main_tree, "queue", "wait")


def test_a_pause_holds_nobody_up_who_waits_for_nothing(watched: House, say: Say) -> None:
    queued(watched, "true", trigger=Trigger.ON_MOVE)
    queue_of(watched).pause()
    say(watched.project.main_tree, "queue", "wait")
    assert "paused" in say(watched.project.main_tree, "queue", "wait", "1", code=1).err


def test_who_is_busy_in_the_tree_is_named_and_waited_for(watched: House) -> None:
    with at_work(watched.project.run_tree, "cat") as cat:
        queued(watched, "true")
        process = wait(watched)
        assert process.stderr is not None
        told = process.stderr.readline(), process.stderr.readline()
    assert told[0].startswith(f"Waiting: cat (pid {cat.pid}) works in the run tree")
    assert "goes on by itself" in told[1]
    assert "✓ 1 succeeded" in said(process)[0]


def test_what_was_in_the_way_and_is_gone_is_no_complaint(watched: House, say: Say) -> None:
    """A file that no job may run beside is noticed, moved away, and the wait begins at once."""
    stray = watched.code / "stray.py"
    stray.write_text("x = 1\n")
    queued(watched, "true")
    waits_for(watched, "stray.py")
    stray.unlink()
    say(watched.project.main_tree, "queue", "wait")


def test_what_is_still_in_the_way_is_said_with_the_way_out(
    watched: House, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_wait, "PATIENCE", 1.0)
    (watched.code / "stray.py").write_text("x = 1\n")
    queued(watched, "true")
    told = say(watched.project.main_tree, "queue", "wait", code=1).err
    assert "The queue waits for you" in told and "stray.py" in told and "Hint: " in told


@pytest.mark.parametrize("how", ["exec", "job"])
def test_within_what_holds_the_tree_it_says_so_at_once(watched: House, say: Say, how: str) -> None:
    waits = f"{WTWATCH} queue wait --project p"
    if how == "exec":
        script = f"{WTWATCH} queue add --plain true; {waits}"
        told = say(watched.project.main_tree, "exec", "--", "sh", "-c", script, code=1).err
    else:
        queued(watched, waits)
        eventually(lambda: queue_of(watched).job(1).word == "failed")
        told = say(watched.project.main_tree, "queue", "logs", "1").out
    assert "which holds the run tree" in told
    within = ("job 1", "this job") if how == "job" else ("`wtwatch exec`",)
    assert any(f"after {one}, not in it" in told for one in within)


def test_a_command_by_hand_that_holds_the_tree_is_named(watched: House, tmp_path: Path) -> None:
    words = [*WTWATCH.split(), "exec", "--", "sh", "-c", until(tmp_path / "go")]
    with subprocess.Popen(words, cwd=watched.project.main_tree) as by_hand:
        eventually(lambda: queue_of(watched).executes())
        queued(watched, "true")
        with wait(watched) as process:
            assert process.stderr is not None
            told = process.stderr.readline()
            (tmp_path / "go").touch()
            said(process)
        assert by_hand.wait(20) == 0
    assert told == f"Waiting: `wtwatch exec -- sh` (pid {by_hand.pid}) holds the run tree.\n"


def test_a_script_in_the_run_tree_that_waits_for_its_own_jobs_goes_on(watched: House) -> None:
    script = f"{WTWATCH} queue add --plain -- true; {WTWATCH} queue wait; echo done"
    done = subprocess.run(
        ["bash", "-c", script], cwd=watched.code, capture_output=True, text=True, timeout=30, check=True
    )
    assert "✓ 1 succeeded" in done.stdout and done.stdout.endswith("done\n")
    assert done.stderr == "", "what stands still until the job ends keeps nobody waiting"


def test_jobs_that_start_after_a_move_are_waited_for_by_name_and_it_says_so(watched: House) -> None:
    [job] = queued(watched, "true", trigger=Trigger.ON_MOVE)
    with wait(watched, str(job)) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "Waiting: They start after the next move of runs.\n"
        watched.commit({"a.py": "a = 2\n"})
        assert "has been still for 30 s" in process.stderr.readline()
        subprocess.run([*WTWATCH.split(), "sync"], cwd=watched.project.main_tree, check=True)
        assert "✓ 1 succeeded" in said(process)[0]


def test_a_queue_that_went_away_is_not_taken_for_done(watched: House, tmp_path: Path) -> None:
    queued(watched, until(tmp_path / "go"))
    eventually(lambda: queue_of(watched).job(1).word == "running")
    with wait(watched) as process:
        begins_to_wait(process)
        away = watched.project.state.rename(tmp_path / "away")
        assert "is gone" in said(process, code=1)[1]
        away.rename(watched.project.state)
        (tmp_path / "go").touch()


def test_a_daemon_that_ended_ends_it(house: House, tmp_path: Path) -> None:
    with running_daemon(tmp_path) as daemon:
        queued(house, until(tmp_path / "go"))
        eventually(lambda: queue_of(house).job(1).word == "running")
        with wait(house) as process:
            begins_to_wait(process)
            daemon.terminate()
            daemon.wait(20)
            assert "no daemon runs" in said(process, code=1)[1]
    (tmp_path / "go").touch()


def test_while_nothing_changes_it_starts_no_program(
    watched: House, say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued(watched, until(tmp_path / "go"))
    eventually(lambda: queue_of(watched).job(1).word == "running")
    polls: list[int] = []
    started: list[object] = []
    start, pause = subprocess.Popen, time.sleep

    def counted(*args: Any, **facts: Any) -> Any:
        started.append(args)
        return start(*args, **facts)

    def poll(seconds: float) -> None:
        polls.append(len(started))
        if len(polls) == 10:
            (tmp_path / "go").touch()
        pause(seconds)

    monkeypatch.setattr(subprocess, "Popen", counted)
    monkeypatch.setattr(time, "sleep", poll)
    say(watched.project.main_tree, "queue", "wait")
    assert polls[:10] == [0] * 10


def test_an_ended_job_is_one_that_is_over_however_it_ended(house: House, say: Say, tmp_path: Path) -> None:
    queued(house, "true", "true")
    queue_of(house).cancel([1, 2])
    out = say(house.project.main_tree, "queue", "wait", "1", "2").out
    assert "– 1 cancelled: do true" in out and "2 jobs: 2 cancelled" in out
    assert queue_of(house).job(1).word == Outcome.CANCELLED.value


def test_on_a_terminal_one_line_says_how_far_it_is_and_goes_away(watched: House, tmp_path: Path) -> None:
    queued(watched, "true", until(tmp_path / "go"))
    ours, theirs = os.openpty()
    words = [*WTWATCH.split(), "queue", "wait"]
    env = os.environ | {"TERM": "xterm", "NO_COLOR": ""}
    with subprocess.Popen(words, cwd=watched.project.main_tree, stdout=theirs, env=env) as process:
        os.close(theirs)
        text = b""
        while "▶ 2 for ".encode() not in text:
            text += os.read(ours, 4096)
        (tmp_path / "go").touch()
        with suppress(OSError):  # the terminal ends with its last writer
            while more := os.read(ours, 4096):
                text += more
        os.close(ours)
        assert process.wait(20) == 0
    shown = text.decode()
    assert "· 1 of 2 done" in shown, shown
    assert shown.rpartition("\r\x1b[K")[2].startswith("2 jobs: 2 succeeded, after ")


def test_jobs_do_not_wait_for_whom_sync_was_told_to_ignore_nor_for_its_children(
    watched: House, say: Say
) -> None:
    where = watched.project.main_tree
    with at_work(watched.project.run_tree, "sh", "-c", "cat; true") as script:
        child = eventually(script.children)[0]
        queued(watched, "true")
        waits_for(watched, f"(pid {script.pid})")
        assert "jobs neither" in say(where, "sync", "--ignore-pid", str(script.pid)).out
        say(where, "queue", "wait", "1")
        assert child.is_running()
        queued(watched, "exit 3", "true")
    said_last = say(where, "queue", "wait", "1-3", code=1).out
    assert "✓ 3 succeeded" in said_last
    assert queue_of(watched).ignored()[0].pid == script.pid
    queue_of(watched).ignore([])
    assert queue_of(watched).ignored() == [], "what ended is forgotten"


def test_clearing_up_behind_a_failed_job_does_not_wait_for_whom_sync_was_told_to_ignore(
    watched: House,
) -> None:
    left = watched.project.run_tree / "half.txt"
    with at_work(watched.project.run_tree, "sh", "-c", "cat; true") as script:
        queue_of(watched).ignore(filter(None, [identity(script.pid)]))
        queued(watched, f"echo half > {left.name}; exit 3", "true")
        eventually(lambda: queue_of(watched).job(2).word == "succeeded")
        assert not left.exists() and script.is_running()


def test_the_queue_pauses_after_as_many_failures_as_the_settings_say(
    house: House, say: Say, tmp_path: Path
) -> None:
    where = house.project.main_tree
    say(where, "config", "max_failures", "1")
    with running_daemon(tmp_path):
        queued(house, "true", "exit 3", "true")
        refused = say(where, "queue", "wait", code=1).err
    assert "1 job of batch 1 failed" in refused and "wtwatch queue resume" in refused


def test_what_a_failed_job_left_running_is_waited_for_and_blocks_nothing(
    watched: House, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    queued(watched, f"(trap '' TERM; {until(gate)}) & exit 3")
    assert waits_for(watched, "told to end").busy
    gate.touch()
    eventually(lambda: queue_of(watched).uncleared() is None)


def test_the_way_out_that_clearing_up_names_is_one(watched: House, say: Say, tmp_path: Path) -> None:
    where, gate = watched.project.main_tree, tmp_path / "gate"
    queued(watched, f"{until(gate)}; exit 3", "true")
    eventually(lambda: queue_of(watched).job(1).word == "running")
    with at_work(watched.project.run_tree, "sh", "-c", "cat; true") as script:
        gate.touch()
        waits = waits_for(watched, "what a job left there stays")
        [line] = re.findall("`wtwatch (sync --ignore-pid [0-9]+)`", waits.hint or "")
        say(where, *line.split())
        eventually(lambda: queue_of(watched).job(2).word == "succeeded")
        assert script.is_running()


def test_the_way_never_to_wait_for_a_program_works(house: House) -> None:
    line = f'{WTWATCH} config passive "$({WTWATCH} config passive),thinker"'
    subprocess.run(["sh", "-ec", line], cwd=house.project.main_tree, check=True)
    passive = read_project(house.project.state / "config.toml").passive
    assert passive == (*house.project.passive, "thinker")
