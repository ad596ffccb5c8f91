"""Declared inputs stay while a job runs, and what the job itself got goes again where that was asked for."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from tests.job.bench import RAW, TABLE, Bench, over
from tests.lab import Gate, eventually
from tests.tally import Kills
from wtwatch.job import annexed, lifecycle
from wtwatch.job.holding import Inputs
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Job, JobSpec, Outcome

pytestmark = pytest.mark.slow

INPUTS = "inputs/L5b_2p"
OTHER_TABLE = "04_dataframes/240226I/Ketamine/F.pkl"
OTHER_RAW = f"{INPUTS}/240226I/Ketamine/data.bin"


def drop(bench: Bench, path: str, by: str = "git-annex") -> bool:
    """Drop content in the main tree, whatever the number of copies; return whether that was refused."""
    if by == "datalad":
        words = ("datalad", "drop", "--reckless", "availability", "-d", ".", path)
        return bench.lab.say(*words, cwd=bench.lab.main, code=(0, 1)).code != 0
    file = bench.lab.main / path
    said = bench.lab.say("git", "annex", "drop", "--force", file.name, cwd=file.parent, code=(0, 1))
    assert said.code == 0 or "content is locked" in said.err
    return said.code != 0


def is_here(file: Path) -> bool:
    return file.exists() and not file.read_bytes().startswith(b"/annex/objects/")


def unlock(bench: Bench, path: str) -> None:
    bench.lab.say("git", "annex", "unlock", path, cwd=bench.tree)
    bench.lab.git("commit", "-qm", "unlocked", cwd=bench.tree)


@pytest.mark.parametrize(
    ("declared", "unlocked", "fast"),
    [
        ((TABLE, RAW), False, True),
        ((TABLE, RAW), False, False),
        (("04_dataframes/*/LSD/*.pkl", f"{INPUTS}/**/data.bin"), False, True),
        (("04_dataframes", "inputs"), False, True),
        ((TABLE, RAW), True, True),
    ],
    ids=["files", "by DataLad as it is", "globs", "folders", "unlocked"],
)
def test_what_a_job_needs_cannot_be_dropped_in_the_main_tree_while_it_runs(
    bench: Bench, tmp_path: Path, declared: tuple[str, ...], unlocked: bool, fast: bool
) -> None:
    bench.project = bench.project._replace(fast=fast)
    if unlocked:
        unlock(bench, TABLE)
    gate = Gate(tmp_path / "gate")
    job = bench.start(bench.job(f"{bench.gated(gate)}; cat {TABLE} {RAW} > out", inputs=declared))
    eventually(gate.reached)
    assert drop(bench, TABLE) and drop(bench, RAW)
    assert drop(bench, TABLE, "datalad") and drop(bench, RAW, "datalad")
    gate.open()
    job = bench.wait(job)
    assert over(job).outcome is Outcome.SUCCEEDED, bench.log(job)
    assert "wtwatch:" not in bench.log(job) and bench.dirt() == ""
    assert not drop(bench, TABLE) and not drop(bench, RAW, "datalad")


def test_what_is_not_declared_can_be_dropped(bench: Bench, tmp_path: Path) -> None:
    gate = Gate(tmp_path / "gate")
    job = bench.start(bench.job(bench.gated(gate), inputs=(TABLE,)))
    eventually(gate.reached)
    assert not drop(bench, OTHER_TABLE) and not drop(bench, RAW)
    gate.open()
    bench.wait(job)


def test_inputs_of_a_record_that_runs_again_are_held(bench: Bench, tmp_path: Path) -> None:
    gate = Gate(tmp_path / "gate")
    gate.open()
    job = bench.do(f"{bench.gated(gate)}; cat {TABLE} > out", inputs=(TABLE,), outputs=("out",))
    assert over(job).outcome is Outcome.SUCCEEDED, bench.log(job)
    gate.file.unlink()
    gate.file.with_name(gate.file.name + ".reached").unlink()
    spec = JobSpec("shown only", inputs=(TABLE,), rerun_of=bench.head())
    job = bench.start(bench.job_of(spec))
    eventually(gate.reached)
    assert drop(bench, TABLE)
    gate.open()
    bench.wait(job)
    assert not drop(bench, TABLE)


def test_a_job_that_is_killed_leaves_nothing_held(bench: Bench, tmp_path: Path, kills: Kills) -> None:
    gate = Gate(tmp_path / "gate")
    job = bench.start(bench.job(bench.gated(gate), inputs=(TABLE,)))
    eventually(gate.reached)
    assert drop(bench, TABLE)
    with kills.survived("a job that holds its inputs"):
        os.kill(bench.process(job).pid, signal.SIGKILL)
        eventually(lambda: not drop(bench, TABLE))
    gate.open()
    assert over(bench.wait(job)).outcome is Outcome.INTERRUPTED


def test_what_is_got_at_the_start_is_held_with_all_that_was_there(bench: Bench, tmp_path: Path) -> None:
    absent_here(bench, TABLE)
    gate = Gate(tmp_path / "gate")
    declared = ("04_dataframes/*/*/F.pkl", INPUTS)
    job = bench.start(bench.job(bench.gated(gate), inputs=declared))
    eventually(gate.reached)
    assert is_here(bench.tree / TABLE)
    assert all(drop(bench, path) for path in (TABLE, OTHER_TABLE, RAW))
    gate.open()
    assert over(bench.wait(job)).outcome is Outcome.UNCHANGED
    assert "wtwatch:" not in bench.log(job) and not drop(bench, TABLE)


def holder_of(bench: Bench, job: Job) -> psutil.Process:
    """The process that holds the inputs of a job where these may be many: a fork, with its command line."""
    main = psutil.Process(bench.process(job).pid)
    [found] = [one for one in main.children() if one.cmdline() == main.cmdline()]
    return found


def test_inputs_of_a_job_that_is_told_to_end_are_held_to_its_end_and_no_longer(
    bench: Bench, tmp_path: Path
) -> None:
    gate, told = Gate(tmp_path / "gate"), tmp_path / "told"
    job = bench.start(bench.job(f"trap 'touch {told}' TERM; {bench.gated(gate)}", inputs=("04_dataframes",)))
    eventually(gate.reached)
    holder = holder_of(bench, job)
    lifecycle.stop(bench.place, job)
    eventually(told.exists)
    assert holder.is_running() and holder.status() != psutil.STATUS_ZOMBIE
    gate.open()
    assert over(bench.wait(job, cancelled=True)).outcome is Outcome.CANCELLED
    assert not holder.is_running() and not drop(bench, TABLE)


@pytest.mark.parametrize("which", ["the job", "what holds its inputs"])
def test_when_who_holds_many_inputs_is_killed_they_are_free_and_a_job_that_goes_on_says_so(
    bench: Bench, tmp_path: Path, kills: Kills, which: str
) -> None:
    gate = Gate(tmp_path / "gate")
    job = bench.start(bench.job(bench.gated(gate), inputs=("04_dataframes/**/F.pkl",)))
    eventually(gate.reached)
    holder = holder_of(bench, job)
    with kills.survived("who holds many inputs"):
        os.kill(bench.process(job).pid if which == "the job" else holder.pid, signal.SIGKILL)
        eventually(lambda: not drop(bench, TABLE))
    gate.open()
    outcome = over(bench.wait(job)).outcome
    if which == "the job":
        assert outcome is Outcome.INTERRUPTED
    else:
        said = f"are not held against `git annex drop` any more: process {holder.pid}"
        assert outcome is Outcome.UNCHANGED and said in bench.log(job)


def test_two_jobs_in_two_trees_hold_the_same_content(bench: Bench) -> None:
    spec = JobSpec("true", inputs=(TABLE, RAW))
    other = bench.lab.root / "other"
    bench.lab.git("worktree", "add", "-q", "--detach", str(other), "HEAD", cwd=bench.tree)
    bench.lab.say("git", "annex", "info", "--fast", cwd=other)
    one, two = Inputs(bench.tree, spec, pytest.fail), Inputs(other, spec, pytest.fail)
    with two:
        with one:
            one.hold()
            two.hold()
            assert drop(bench, TABLE)
        assert drop(bench, TABLE), "the other runs still"
        assert not drop(bench, RAW), "its tree has no such subdataset"
    assert not drop(bench, TABLE)


def test_an_input_that_was_dropped_the_very_moment_is_named(bench: Bench) -> None:
    inputs = Inputs(bench.tree, JobSpec("true", inputs=("04_dataframes/*/*/F.pkl", INPUTS)), pytest.fail)
    assert not drop(bench, TABLE) and not drop(bench, RAW)
    with inputs, pytest.raises(WtwatchError, match=f"{TABLE} was dropped from the annex just before"):
        inputs.hold()


def test_a_link_into_an_annex_of_somebody_else_is_no_matter(bench: Bench) -> None:
    (bench.tree / "strange").symlink_to("../elsewhere/.git/annex/objects/aa/bb/KEY/KEY")
    (bench.tree / "round").symlink_to("round")
    spec = JobSpec("true", inputs=("strange", "round", "none", "../out", "*"))
    with Inputs(bench.tree, spec, pytest.fail) as inputs:
        inputs.hold()


def test_what_cannot_be_held_is_said_and_is_no_failure(bench: Bench) -> None:
    bench.lab.git("config", "annex.pidlock", "true", cwd=bench.lab.inputs)
    job = bench.do("true", inputs=(TABLE, RAW))
    assert over(job).outcome is Outcome.UNCHANGED, bench.log(job)
    said = "wtwatch: 1 of 2 inputs cannot be held against `git annex drop`: git-annex has annex.pidlock set"
    assert said in bench.log(job)


def test_keys_of_unlocked_files_lead_to_their_content(bench: Bench) -> None:
    names = {"a": "plain", "b & c %:.txt": "odd", "d": "third"}
    for name, text in names.items():
        (bench.tree / name).write_text(text * 200)
    (bench.tree / "f").write_text("in git")
    bench.lab.say("git", "-c", "annex.addunlocked=true", "annex", "add", *names, cwd=bench.tree)
    url = (bench.tree / "d").resolve().as_uri()
    bench.lab.say("git", "-c", "annex.security.allowed-url-schemes=file", "-c",
        "annex.security.allowed-ip-addresses=all", "annex", "addurl", "--relaxed", "--file", "e", url,
        cwd=bench.tree)  # fmt: skip
    bench.lab.say("git", "annex", "unlock", "e", cwd=bench.tree)
    bench.lab.git("add", "f", cwd=bench.tree)
    bench.lab.git("commit", "-qm", "unlocked", cwd=bench.tree)
    found = annexed.of(bench.tree, (*names, "f", "e"))
    ((objects, places),) = found.files.items()
    assert set(places.values()) >= set(names) and "f" not in places.values()
    assert all((Path(objects) / place).exists() for place in places)


def absent_here(bench: Bench, path: str) -> None:
    """Leave the content of a file to another repository alone, that git-annex can get it from."""
    place = Path(path).parent
    top = bench.lab.inputs if path.startswith(INPUTS) else bench.lab.main
    copy = bench.lab.root / f"copy-of-{top.name}"
    if not copy.exists():
        bench.lab.git("clone", "-q", str(top), str(copy))
        bench.lab.say("git", "annex", "get", "--quiet", ".", cwd=copy)
        bench.lab.git("remote", "add", "copy", str(copy), cwd=top)
        bench.lab.git("fetch", "-q", "copy", cwd=top)
        bench.lab.say("git", "annex", "merge", "--quiet", cwd=top)
    bench.lab.say("git", "annex", "drop", Path(path).name, cwd=bench.lab.main / place)
    assert not (bench.tree / path).exists()


@pytest.mark.parametrize("fast", [True, False], ids=["in parts", "by DataLad as it is"])
def test_what_the_job_itself_got_is_dropped_again_and_nothing_else(bench: Bench, fast: bool) -> None:
    bench.project = bench.project._replace(fast=fast)
    for path in (TABLE, RAW):
        absent_here(bench, path)
    declared = (TABLE, OTHER_TABLE, INPUTS)
    job = bench.do(f"cat {TABLE} {RAW} > out", inputs=declared, outputs=("out",), drop_fetched=True)
    assert over(job).outcome is Outcome.SUCCEEDED, bench.log(job)
    assert not is_here(bench.tree / TABLE) and not is_here(bench.tree / RAW)
    assert is_here(bench.tree / OTHER_TABLE) and is_here(bench.tree / OTHER_RAW), "it was there before"
    assert "wtwatch: Dropped again, as the job had got it: " in bench.log(job)
    assert is_here(bench.tree / "out") and bench.dirt() == ""


def test_what_git_annex_keeps_is_said_and_is_no_failure(bench: Bench) -> None:
    absent_here(bench, TABLE)
    bench.lab.say("git", "annex", "numcopies", "2", cwd=bench.tree)
    job = bench.do(f"cat {TABLE} > out", inputs=(TABLE,), drop_fetched=True)
    assert over(job).outcome is Outcome.SUCCEEDED and is_here(bench.tree / TABLE)
    assert f"wtwatch: git-annex keeps {TABLE}: " in bench.log(job)
    assert "1 out of 2 necessary copies" in bench.log(job)


def test_a_job_that_fails_drops_what_it_got_too(bench: Bench) -> None:
    absent_here(bench, TABLE)
    job = bench.do("exit 3", inputs=(TABLE,), drop_fetched=True)
    assert over(job).outcome is Outcome.FAILED and not is_here(bench.tree / TABLE)


def test_an_input_that_the_job_wrote_anew_is_kept(bench: Bench) -> None:
    absent_here(bench, TABLE)
    job = bench.do(f"date +%N > {TABLE}", inputs=(TABLE,), outputs=(TABLE,), drop_fetched=True)
    assert over(job).outcome is Outcome.SUCCEEDED and is_here(bench.tree / TABLE), bench.log(job)
    assert "Dropped" not in bench.log(job)


def test_of_an_unlocked_file_a_pointer_is_left(bench: Bench) -> None:
    absent_here(bench, TABLE)
    bench.lab.say("git", "annex", "get", "--quiet", TABLE, cwd=bench.tree)
    unlock(bench, TABLE)
    bench.lab.say("git", "annex", "drop", TABLE, cwd=bench.tree)
    assert not is_here(bench.tree / TABLE) and bench.dirt() == ""
    job = bench.do(f"! grep -q annex/objects {TABLE}", inputs=(TABLE,), drop_fetched=True)
    assert over(job).outcome is Outcome.UNCHANGED and "Dropped again" in bench.log(job), bench.log(job)
    assert not is_here(bench.tree / TABLE) and (bench.tree / TABLE).exists() and bench.dirt() == ""
