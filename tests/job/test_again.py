"""What git refused to commit: a retry saves it and runs nothing, as long as that is the same."""

from __future__ import annotations

import shlex
from pathlib import Path

from tests.job.bench import Bench, over, save_all
from tests.job.test_ways import hook
from wtwatch.doors.dataset import record_of
from wtwatch.words.model import Job, Outcome, Waiting, now

REFUSES = "echo 'large files: refused' >&2\nexit 1"


def counting(bench: Bench, command: str) -> tuple[str, Path]:
    """Return a command that leaves a line each time in a file outside of all datasets, and that file."""
    counted = bench.lab.root / "counted"
    return f"echo run >> {shlex.quote(str(counted))}; {command}", counted


def refused(bench: Bench, job: Job) -> Job:
    """Run a job whose results a hook refuses, and clear up behind it."""
    file = hook(bench, REFUSES)
    ended = bench.wait(bench.start(job))
    file.unlink()
    state = over(ended)
    assert (state.outcome, state.detail) == (
        Outcome.FAILED,
        "the result could not be committed: large files: refused",
    )
    assert bench.folder(ended).was_refused()
    bench.tidy(ended)
    assert bench.dirt() == ""
    return ended


def retried(bench: Bench, job: Job) -> Job:
    """Run the next attempt, as it is queued by `queue retry`."""
    again = job._replace(attempt=job.attempt + 1, state=Waiting(), queued=now(), batch=job.batch + 1)
    return bench.wait(bench.start(again))


def test_what_a_hook_refused_is_saved_by_a_retry_that_runs_nothing(bench: Bench) -> None:
    bench.do("echo 1 > old; echo 1 > gone; mkdir d; echo 1 > d/deep", outputs=("old",))
    makes = "echo 2 >> old; rm gone; mkdir -p e/f; echo 2 > e/f/new; chmod +x e/f/new; ln -s nowhere link"
    command, counted = counting(bench, f"{makes}; echo 2 > inputs/L5b_2p/inner; echo 2 > -odd; rm -r d")
    ended = refused(bench, bench.job(command, outputs=("old",)))
    assert (bench.tree / "old").read_text() == "1\n" and (bench.tree / "gone").exists()
    again = retried(bench, ended)
    state = over(again)
    assert (state.outcome, state.detail) == (Outcome.SUCCEEDED, None), bench.log(again)
    assert state.commits == (bench.head(),) and bench.dirt() == "" and counted.read_text() == "run\n"
    assert (bench.tree / "old").read_text() == "1\n2\n" and not (bench.tree / "gone").exists()
    assert (bench.tree / "e/f/new").read_text() == "2\n" and (bench.tree / "link").is_symlink()
    assert (bench.tree / "inputs/L5b_2p/inner").read_text() == "2\n" and not (bench.tree / "d").exists()
    assert bench.lab.git("annex", "find", "old", "e/f/new", cwd=bench.tree) == "old\ne/f/new"
    record = record_of(bench.tree, "HEAD")
    assert record is not None and record["cmd"] == command and record["exit"] == 0


def test_what_a_hook_refused_twice_is_saved_by_the_second_retry(bench: Bench) -> None:
    command, counted = counting(bench, "echo 1 > made")
    ended = refused(bench, bench.job(command, outputs=("made",)))
    file = hook(bench, REFUSES)
    ended = retried(bench, ended)
    file.unlink()
    assert over(ended).outcome is Outcome.FAILED
    bench.tidy(ended)
    assert over(retried(bench, ended)).outcome is Outcome.SUCCEEDED
    assert counted.read_text() == "run\n" and (bench.tree / "made").read_text() == "1\n"


def test_a_retry_runs_again_where_an_input_changed_since(bench: Bench) -> None:
    bench.do("echo 1 > in; echo 1 > other", outputs=("in", "other"))
    command, counted = counting(bench, "cat in > made")
    ended = refused(bench, bench.job(command, inputs=("in",), outputs=("made",)))
    (bench.tree / "in").unlink()
    (bench.tree / "in").write_text("2\n")
    save_all(bench)
    assert over(retried(bench, ended)).outcome is Outcome.SUCCEEDED
    assert counted.read_text() == "run\nrun\n" and (bench.tree / "made").read_text() == "2\n"


def test_a_retry_runs_again_where_what_was_made_is_not_there_any_more(bench: Bench) -> None:
    command, counted = counting(bench, "echo 1 > made")
    ended = refused(bench, bench.job(command, outputs=("made",)))
    (bench.place.shelf / "jobs" / f"{ended.id}.1" / "made").unlink()
    assert over(retried(bench, ended)).outcome is Outcome.SUCCEEDED
    assert counted.read_text() == "run\nrun\n"
