"""Every way in which a job of a real Slurm ends, or seems to: nothing is told that is not so."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.job.bench import Bench, over, uuid
from tests.lab import eventually
from tests.slurm.cluster import NODE, PATIENCE, Cluster
from wtwatch.job import elsewhere, lifecycle
from wtwatch.job import slurm as slurm_executor
from wtwatch.job.executor import Handle, Life, Seen, wrapper_of
from wtwatch.job.slurm import Slurm, name_of
from wtwatch.job.slurmlook import Looks
from wtwatch.words.errors import Refused, WtwatchError
from wtwatch.words.executors import Place
from wtwatch.words.model import Ended, Job, Outcome
from wtwatch.words.resources import Resources

pytestmark = pytest.mark.slow


def at_gate(bench: Bench, trapping: bool = False) -> Job:
    """Start a job that waits at a gate, which it has reached; it may be deaf to TERM."""
    gate = bench.lab.gate(f"gate-{len(bench.made)}")
    deaf = "trap '' TERM; " if trapping else ""
    job = bench.start(bench.job(f"{deaf}{bench.gated(gate)}; echo 1 > one", outputs=("one",)))
    eventually(gate.reached, within=PATIENCE)
    return job


def go_on(bench: Bench, job: Job) -> None:
    """Let a job go on that waits at its gate."""
    bench.lab.gate(f"gate-{job.id - 1}").open()


def number(bench: Bench, job: Job) -> str:
    native = elsewhere.native_of(bench.folder(job))
    assert native is not None
    return native


def seen(bench: Bench, job: Job) -> Seen:
    executor = lifecycle._executor(bench.place, bench.folder(job))
    return executor.poll([Handle(uuid(job), bench.folder(job))])[uuid(job)]


def interrupted(bench: Bench, job: Job) -> str:
    """Wait until a job is over, which was interrupted; return why."""
    ended = eventually(lambda: lifecycle.end_of(bench.place, job, False), within=PATIENCE)
    assert isinstance(ended, Ended)
    assert ended.outcome is Outcome.INTERRUPTED, bench.log(job)
    assert ended.commits == ()
    return ended.detail or ""


def quick(monkeypatch: pytest.MonkeyPatch, silence: float = 15.0, grace: float = 1.0) -> None:
    """Have executors made from now on wait for seconds where others wait for minutes."""

    def of(place: Place) -> Slurm:
        return made.setdefault(place, Slurm(place, slurm_executor.LOOKS, grace, silence))

    made: dict[Place, Slurm] = {}
    monkeypatch.setattr(slurm_executor, "of", of)


@pytest.mark.parametrize("deaf", [False, True])
def test_a_time_limit_is_named_with_accounting_and_without(slurm: Cluster, far: Bench, deaf: bool) -> None:
    if deaf:
        slurm.kill("slurmdbd")
    job = at_gate(far, trapping=deaf)
    slurm.say("scontrol", "update", f"jobid={number(far, job)}", "endtime=now+10")  # the past is refused
    assert "its time limit was reached" in interrupted(far, job)


def test_preemption_is_named(slurm: Cluster, far: Bench) -> None:
    far.project = far.project._replace(executor=(("kind", "slurm"), ("partition", "low")))
    job = at_gate(far)
    slurm.say("sbatch", "--partition=high", "--exclusive", "--output=/dev/null", "--wrap", "true")
    assert "preempted" in interrupted(far, job)


def test_a_job_that_somebody_cancels_in_slurm_itself_is_interrupted(slurm: Cluster, far: Bench) -> None:
    job = at_gate(far)
    slurm.say("scancel", number(far, job))
    assert "cancelled in Slurm" in interrupted(far, job)


def test_one_that_is_cancelled_there_before_it_begins_never_begins(slurm: Cluster, far: Bench) -> None:
    slurm.say("scontrol", "update", "partitionname=test", "state=down")
    job = far.start(far.job("echo 1 > one"))
    eventually(lambda: seen(far, job) == Seen(Life.QUEUED, "PartitionDown"), within=PATIENCE)
    slurm.say("scancel", number(far, job))
    slurm.say("scontrol", "update", "partitionname=test", "state=up")
    assert "before it began" in interrupted(far, job)


HUNGRY = "python3 -c 'import time; kept = bytearray(900_000_000); time.sleep(60)'"


def test_memory_beyond_what_a_job_asks_for_is_named_whoever_sees_it_first(far: Bench) -> None:
    ended = over(far.wait(far.start(far.job(HUNGRY, mem=500))))
    said = "memory limit of 500 MB" if ended.outcome is Outcome.FAILED else "perhaps for the memory"
    assert said in (ended.detail or "")


def test_memory_beyond_what_slurm_gives_is_guessed_where_it_only_kills(slurm: Cluster, far: Bench) -> None:
    far.project = far.project._replace(executor=(("kind", "slurm"), ("options", "--mem=300")))
    said = interrupted(far, job := far.start(far.job(HUNGRY)))
    assert "perhaps for the memory" in said, far.log(job)


def test_what_a_node_could_not_start_and_slurm_holds_for_good_is_over(slurm: Cluster, far: Bench) -> None:
    far.project = far.project._replace(executor=(("kind", "slurm"), ("options", "--requeue")))
    (slurm.folder / "prolog-fails").touch()
    job = far.start(far.job("echo 1 > one"))
    assert "its node could not start it" in interrupted(far, job)
    (slurm.folder / "prolog-fails").unlink()
    eventually(lambda: not slurm.say("squeue", "--noheader", f"--name={name_of(uuid(job))}"), within=PATIENCE)
    assert not (far.tree / "one").exists()


def test_a_node_that_goes_down_is_named_once_its_job_is_silent(
    slurm: Cluster, far: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick(monkeypatch)
    job = at_gate(far)
    slurm.lose_jobs()
    slurm.say("scontrol", "update", f"nodename={NODE}", "state=down", "reason=test")
    assert "its node failed" in interrupted(far, job)


def test_a_node_that_only_seems_down_ends_no_job_while_that_lives(slurm: Cluster, far: Bench) -> None:
    job = at_gate(far)
    slurm.kill("slurmd")
    slurm.say("scontrol", "update", f"nodename={NODE}", "state=down", "reason=test")
    eventually(lambda: "signs of life" in (seen(far, job).reason or ""), within=PATIENCE)
    go_on(far, job)
    assert over(far.wait(job)).outcome is Outcome.SUCCEEDED


def test_a_controller_that_is_down_ends_nothing_and_is_not_waited_for(slurm: Cluster, far: Bench) -> None:
    job = at_gate(far)
    slurm.kill("slurmctld")
    eventually(lambda: "Slurm does not answer" in (seen(far, job).reason or ""), within=PATIENCE)
    assert seen(far, job).life is Life.UNKNOWN
    with pytest.raises(WtwatchError, match="Slurm does not answer") as caught:
        far.launch(other := far.job("true"), far.demands(other))
    assert not isinstance(caught.value, Refused)
    go_on(far, job)
    ended = far.wait(job)  # its folder says so, whoever answers
    assert over(ended).outcome is Outcome.SUCCEEDED
    slurm.start("slurmctld")


def test_a_controller_killed_directly_after_a_submission_makes_no_job_run_twice(
    slurm: Cluster, far: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick(monkeypatch)
    job = far.start(far.job("echo run >> runs.txt", outputs=("runs.txt",)))
    slurm.kill("slurmctld")
    slurm.start("slurmctld")
    ended = far.end(job)
    if isinstance(ended, lifecycle.NotBegun):  # Slurm lost it, so that it waits again
        assert not (far.tree / "runs.txt").exists()
    elif ended.outcome is Outcome.INTERRUPTED:  # Slurm, which did not know of it any more, ended it
        assert ended.commits == ()
    else:
        assert ended.outcome is Outcome.SUCCEEDED
        assert (far.tree / "runs.txt").read_text() == "run\n"
    left = ("squeue", "--noheader", f"--name={name_of(uuid(job))}", "--states=PD,R")
    eventually(lambda: not slurm.say(*left), within=PATIENCE)  # its shell ends a moment after it


def test_a_job_that_slurm_forgot_runs_to_its_end(slurm: Cluster, far: Bench) -> None:
    job = at_gate(far)
    slurm.kill("slurmd")  # which would end what the controller does not know
    slurm.forget()
    go_on(far, job)
    assert over(far.wait(job)).outcome is Outcome.SUCCEEDED


def test_a_job_that_slurm_forgot_and_that_is_silent_is_over(
    slurm: Cluster, far: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick(monkeypatch)
    job = at_gate(far)
    slurm.lose_jobs()
    slurm.forget()
    slurm.kill("slurmdbd")
    assert "no sign of life" in interrupted(far, job)


def test_a_number_that_slurm_gives_out_again_is_nobody_elses_job(
    slurm: Cluster, far: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick(monkeypatch)
    slurm.forget()
    slurm.say("scontrol", "update", "partitionname=test", "state=down")
    job = far.start(far.job("echo 1 > one"))
    assert number(far, job) == "1"
    slurm.forget()
    foreign = slurm.say("sbatch", "--parsable", "--hold", "--job-name=foreign", "--wrap", "true")
    assert foreign == "1"
    lifecycle.stop(far.place, job)
    ended = far.end(job, cancelled=True)
    assert isinstance(ended, lifecycle.NotBegun) or ended.outcome is Outcome.CANCELLED
    assert slurm.say("squeue", "--noheader", "--format=%A|%j|%T") == "1|foreign|PENDING"


def test_a_requeue_that_the_site_forces_runs_nothing_twice(slurm: Cluster, far: Bench) -> None:
    job = at_gate(far)
    slurm.say("scontrol", "update", f"jobid={number(far, job)}", "requeue=1")
    slurm.say("scontrol", "requeue", number(far, job))
    said = interrupted(far, job)
    assert "cut off" in said
    eventually(lambda: not slurm.say("squeue", "--noheader", f"--name={name_of(uuid(job))}"), within=PATIENCE)
    go_on(far, job)
    assert far.log(job).count("not run again") <= 1
    assert not (far.tree / "one").exists()


def test_what_slurm_never_takes_is_a_failure_of_the_job_in_its_own_words(slurm: Cluster, far: Bench) -> None:
    far.project = far.project._replace(executor=(("kind", "slurm"), ("partition", "nowhere")))
    job = far.wait(running := far.start(far.job("echo 1 > one")))
    assert (over(job).outcome, over(job).exit) == (Outcome.FAILED, 1)
    assert "invalid partition specified: nowhere" in (over(job).detail or "")
    assert slurm.say("squeue", "--noheader", "--states=all", f"--name={name_of(uuid(running))}") == ""


@pytest.mark.parametrize(
    ("options", "want"),
    [
        (("--bogus",), Resources()),
        ((), Resources(mem=1_000_000_000)),
        ((), Resources(gpus=5)),
        (("--account=nobody",), Resources()),
    ],
)
def test_each_refusal_is_one_for_good(
    slurm: Cluster, far: Bench, options: tuple[str, ...], want: Resources
) -> None:
    job = far.job("true")
    executor = lifecycle.executor_of(Place("slurm", options=options))
    folder = far.folder(job)
    folder.path.mkdir(parents=True)
    with pytest.raises(Refused, match="sbatch says"):
        executor.submit(Handle("0" * 32, folder), wrapper_of(folder, False), {}, far.tree, want)


def test_without_slurm_on_path_the_way_out_is_named(far: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(slurm_executor, "LOOKS", Looks(patience=PATIENCE))
    slurm_executor.of.cache_clear()
    executor = lifecycle.executor_of(Place("slurm"))
    folder = far.folder(far.job("true"))
    found = executor.poll([Handle("0" * 32, folder)])["0" * 32]
    assert (found.life, found.reason) == (Life.UNKNOWN, "Slurm does not answer: There is no squeue on PATH.")


def test_a_submission_that_was_cut_off_is_found_by_its_name(slurm: Cluster, far: Bench) -> None:
    job = at_gate(far)
    known, folder = number(far, job), far.folder(job)
    elsewhere.write_handle(folder, "slurm", None)
    (folder.path / "claim").rename(folder.path / "claim-aside")  # as if it had not begun so far
    executor = lifecycle._executor(far.place, folder)
    again = executor.submit(Handle(uuid(job), folder), wrapper_of(folder, False), {}, far.tree, Resources())
    assert again.native == known == elsewhere.native_of(folder)
    assert slurm.say("squeue", "--noheader", "--format=%A", f"--name={name_of(uuid(job))}") == known
    (folder.path / "claim-aside").rename(folder.path / "claim")
    go_on(far, job)
    assert over(far.wait(job)).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize("taken", [True, False])
def test_a_submission_without_an_answer_is_looked_for_and_runs_once(
    slurm: Cluster, far: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: bool
) -> None:
    quick(monkeypatch)
    real = shutil.which("sbatch") if taken else "true"
    silent = tmp_path / "silent" / "sbatch"
    silent.parent.mkdir()
    said = "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation"
    silent.write_text(f'#!/bin/sh\n{real} "$@" > /dev/null\necho "{said}" >&2\nexit 1\n')
    silent.chmod(0o755)
    monkeypatch.setenv("PATH", f"{silent.parent}:{os.environ['PATH']}")
    job = far.start(far.job("echo run >> runs.txt", outputs=("runs.txt",)))
    ended = far.end(job)
    if taken:
        assert isinstance(ended, Ended) and ended.outcome is Outcome.SUCCEEDED
        assert (far.tree / "runs.txt").read_text() == "run\n"
    else:
        assert ended == lifecycle.NotBegun("it never reached Slurm")


def test_what_the_allocation_sets_reaches_the_command(slurm: Cluster, far: Bench) -> None:
    said = "env > vars; uname -n"
    job = far.do(said, outputs=("vars",), gpus=1, cpus=2, mem=300)
    assert over(job).outcome is Outcome.SUCCEEDED, far.log(job)
    lines = (far.tree / "vars").read_text().splitlines()
    found = dict(line.split("=", 1) for line in lines if "=" in line)
    assert found["CUDA_VISIBLE_DEVICES"] in ("0", "1")
    assert found["ROCR_VISIBLE_DEVICES"] == "7"
    assert found["TMPDIR"] == "/tmp/of-the-node"
    assert found["SLURM_JOB_ID"] == number(far, job)
    assert (found["SLURM_CPUS_PER_TASK"], found["SLURM_JOB_NAME"][:4]) == ("2", "wtw-")
    assert "WTWATCH_DRIVER" not in found


def test_the_setup_line_of_the_site_comes_before_all(slurm: Cluster, far: Bench) -> None:
    setup = "export OF_THE_SITE=yes"
    far.project = far.project._replace(executor=(("kind", "slurm"), ("setup", setup)))
    job = far.do("echo $OF_THE_SITE > said", outputs=("said",))
    assert over(job).outcome is Outcome.SUCCEEDED
    assert (far.tree / "said").read_text() == "yes\n"


def test_a_setup_line_that_fails_is_a_failure_that_says_so(slurm: Cluster, far: Bench) -> None:
    far.project = far.project._replace(executor=(("kind", "slurm"), ("setup", "no-such-command-here")))
    job = far.wait(far.start(far.job("echo 1 > one")))
    assert over(job).outcome is Outcome.FAILED
    assert "could not begin" in (over(job).detail or "")
    assert "the setup line of this project failed" in far.log(job)


def test_a_folder_with_signs_that_slurm_would_expand_has_its_log(
    slurm: Cluster, far: Bench, tmp_path: Path
) -> None:
    odd = tmp_path / "100%j of it"
    far.project.state.rename(odd)
    far.project = far.project._replace(state=odd)
    job = far.do("echo said", outputs=())
    assert "said" in far.log(job)
