"""A job in parts: saved only once it was verified, by another process if its own was killed."""

from __future__ import annotations

import os
import shlex
import signal
from pathlib import Path

from tests.job.bench import Bench, over, texts_in
from tests.lab import Gate, eventually
from wtwatch.doors.dataset import record_of
from wtwatch.job import lifecycle
from wtwatch.job.lifecycle import TURNS
from wtwatch.queue.learned import UNKNOWN
from wtwatch.words.model import Ended, Job, Outcome
from wtwatch.words.uses import Uses, from_record


def hook(bench: Bench, lines: str) -> Path:
    """Have git run shell lines before each commit of the superdataset."""
    file = Path(bench.lab.git("rev-parse", "--path-format=absolute", "--git-path", "hooks/pre-commit"))
    file.write_text(f"#!/bin/sh\n{lines}\n")
    file.chmod(0o755)
    return file


def killed_while_it_saves(bench: Bench, job: Job, gate: Gate) -> Job:
    """Start a job and kill its process in the midst of its commit."""
    file = hook(bench, bench.gated(gate))
    running = bench.start(job)
    eventually(gate.reached)
    os.kill(bench.process(running).pid, signal.SIGKILL)
    file.unlink()
    return running


def test_nothing_is_committed_of_a_job_that_wrote_to_code(bench: Bench) -> None:
    base, version = bench.head(), f"{bench.project.code}/src/process2p/version.py"
    state = over(bench.do(f"echo 1 > out; echo >> {version}", outputs=("out",)))
    assert state.outcome is Outcome.FAILED and "was written to while it ran" in (state.detail or "")
    assert state.commits == () and bench.head() == base
    assert bench.lab.git("reflog", "-1", "--format=%H", cwd=bench.tree) == base


def test_what_a_job_computed_is_saved_though_its_process_is_killed_while_it_saves(bench: Bench) -> None:
    counted = bench.lab.root / "counted"
    command = f"echo run >> {shlex.quote(str(counted))}; echo 1 > out; echo 2 > other"
    job = bench.wait(killed_while_it_saves(bench, bench.job(command, outputs=("out",)), bench.lab.gate()))
    state = over(job)
    assert (state.outcome, state.exit) == (Outcome.SUCCEEDED, 0), state
    assert state.commits == (bench.head(),) and bench.dirt() == ""
    assert counted.read_text() == "run\n"
    assert (bench.tree / "out").read_text() == "1\n"
    record = record_of(bench.tree, "HEAD")
    assert record is not None and record["cmd"] == command and record["exit"] == 0
    assert from_record(record["wtwatch"]["uses"]) == lifecycle.uses_of(bench.place, job) != UNKNOWN


def test_what_was_stated_to_be_used_is_in_its_record_and_nothing_that_was_seen(bench: Bench) -> None:
    version = f"{bench.project.code}/src/process2p/version.py"
    job = bench.do(f"cat {version} > out", outputs=("out",), uses=("code/src/*.py", "inputs"))
    record = record_of(bench.tree, "HEAD")
    assert record is not None and record["wtwatch"]["uses"] == {"stated": ["code/src/*.py", "inputs"]}
    assert lifecycle.uses_of(bench.place, job) == Uses(stated=("code/src/*.py", "inputs"))


def test_a_cancelled_job_is_not_saved_by_another_process(bench: Bench) -> None:
    base = bench.head()
    job = bench.job("echo 1 > out; echo 2 > inputs/L5b_2p/inner", outputs=("out",))
    ended = bench.wait(killed_while_it_saves(bench, job, bench.lab.gate()), True)
    assert over(ended).outcome is Outcome.CANCELLED and bench.head() == base
    kept = bench.tidy(ended)
    assert kept is not None and texts_in(kept)["out"] == "1\n"
    assert bench.dirt() == ""


def test_what_can_never_be_saved_is_given_up_and_kept(bench: Bench) -> None:
    base, running = bench.head(), bench.start(bench.job("echo 1 > out", outputs=("out",)))
    bench.wait(running)
    folder = bench.folder(running)
    bench.lab.git("reset", "--quiet", "--mixed", base, cwd=bench.tree)
    (folder.path / "outcome").unlink()
    (folder.path / "turns").write_text(str(TURNS))
    state = bench.end(running)  # its process may be there for a moment more
    assert isinstance(state, Ended)
    assert state.outcome is Outcome.FAILED
    assert state.detail == f"what it computed could not be saved: {TURNS} processes were killed at that"


def test_a_result_in_a_subdataset_is_saved_in_both_though_its_process_is_killed_in_between(
    bench: Bench,
) -> None:
    job = bench.job("echo new > inputs/L5b_2p/new; echo 1 > out")
    state = over(bench.wait(killed_while_it_saves(bench, job, bench.lab.gate())))
    assert (state.outcome, state.commits) == (Outcome.SUCCEEDED, (bench.head(),)), state
    assert bench.dirt() == ""
    inside = bench.tree / "inputs/L5b_2p"
    assert bench.lab.git("rev-parse", "HEAD:inputs/L5b_2p", cwd=bench.tree) == bench.lab.commit(
        "HEAD", inside
    )
    assert len(bench.lab.git("log", "--format=%p", "-1", cwd=inside).split()) == 1, "no merge"


def test_a_job_says_what_its_command_took(bench: Bench) -> None:
    job = bench.do('python3 -c \'b = bytearray(80_000_000); open("out", "w").write("1")\'')
    record = record_of(bench.tree, "HEAD")
    assert record is not None and record["wtwatch"]["used"]["peak_memory_mb"] >= 80, bench.log(job)


def test_an_appending_command_finds_the_content_and_nothing_else_is_unlocked(bench: Bench) -> None:
    bench.do("echo one > log.txt; echo two > log2.txt", outputs=("log.txt",))
    assert (bench.tree / "log.txt").is_symlink()
    times = (bench.tree / "log.txt").stat().st_mtime_ns
    said = "test $(stat -c %Y log.txt) = " + str(times // 10**9)
    state = over(bench.do(f"{said} && echo more >> log.txt", outputs=("log*",)))
    assert state.outcome is Outcome.SUCCEEDED
    assert (bench.tree / "log.txt").read_text() == "one\nmore\n" and (bench.tree / "log.txt").is_symlink()
    assert (bench.tree / "log2.txt").is_symlink() and bench.dirt() == ""
