"""One job from start to outcome, on real datasets with the real DataLad."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.job.bench import (
    RAW,
    TABLE,
    Bench,
    MakeBench,
    clone_of_tree,
    files_of,
    message,
    names_in,
    over,
    save_all,
    texts_in,
    uuid,
)
from tests.lab import eventually, plot_of
from wtwatch.doors import dataset
from wtwatch.doors.dataset import record_of, results_of, spec_of
from wtwatch.doors.files import held
from wtwatch.doors.processes import bearing, identity
from wtwatch.job import lifecycle
from wtwatch.job.attempt import MARK, Folder, Result
from wtwatch.job.lifecycle import NotBegun
from wtwatch.job.steps import RESERVED, Draft, Steps
from wtwatch.project.excludes import excludes_env
from wtwatch.project.jobenv import for_jobs
from wtwatch.words.errors import Busy, WtwatchError
from wtwatch.words.model import Job, JobSpec, Outcome, Sha, now

# success


def test_a_job_that_succeeds_is_a_commit_as_datalad_run_makes_it(bench: Bench) -> None:
    twin = clone_of_tree(bench, "twin")
    command, declared = f"cat {{inputs}} > {{outputs}}; echo more > undeclared.txt; cat {RAW}", ["out.txt"]
    job = bench.do(command, message="Plot", inputs=(TABLE,), outputs=("out.txt",))
    state = over(job)
    assert (state.outcome, state.exit, state.detail) == (Outcome.SUCCEEDED, 0, None), bench.log(job)
    assert state.commits == (bench.head(),)
    assert bench.dirt() == ""
    assert "240226I LSD raw" in bench.log(job)
    bench.lab.datalad("run", "-m", "Plot", "-i", TABLE, "-o", *declared, command, cwd=twin)
    assert message(bench, bench.tree, without_ours=True) == message(bench, twin)
    assert files_of(bench, bench.tree) == files_of(bench, twin)


def test_the_record_says_which_attempt_it_was_and_on_what_it_ran(bench: Bench) -> None:
    base = bench.head()
    started = bench.start(bench.job("echo 1 > one"))
    job = bench.wait(started)
    record = record_of(bench.tree, "HEAD")
    assert record is not None
    code = over(job).code_sha
    ours = record["wtwatch"]
    assert ours | {"environment": None, "used": None} == {
        "uses": {"whole": "no file of code was seen to be used"},
        "attempt": uuid(started),
        "code": code,
        "superdataset": base,
        "environment": None,
        "used": None,
        "host": os.uname().nodename,
        "way": "in parts",
    }
    assert ours["used"]["cpu_seconds"] >= 0 and ours["used"]["peak_memory_mb"] > 0
    assert len(ours["environment"]["digest"]) == 16
    assert results_of(bench.tree, uuid(started), base) == [bench.head()]
    assert results_of(bench.tree, "another", base) == []


def test_a_job_that_reproduces_its_outputs_is_unchanged(bench: Bench) -> None:
    bench.do("echo 1 > out", outputs=("out",))
    before = bench.head()
    state = over(bench.do("echo 1 > out", outputs=("out",)))
    assert (state.outcome, state.exit, state.commits) == (Outcome.UNCHANGED, 0, ())
    assert bench.head() == before
    assert bench.dirt() == ""


def test_jobs_run_in_the_run_tree_with_its_own_environment_and_no_input(bench: Bench) -> None:
    bench.lab.say("uv", "sync", "--quiet", cwd=bench.project.run_code)
    job = bench.do(
        "pwd > where; command -v python >> where; env > environment; cat >> where; "
        + plot_of("240226I", "LSD")
    )
    assert over(job).outcome is Outcome.SUCCEEDED, bench.log(job)
    python = bench.project.run_code / ".venv" / "bin" / "python"
    assert (bench.tree / "where").read_text().split("\n") == [str(bench.tree), str(python), ""]
    found = dict(line.split("=", 1) for line in (bench.tree / "environment").read_text().splitlines())
    assert not found.keys() & {"PYTHONPATH", "GIT_DIR", "WTWATCH_LOCK"}
    assert found["VIRTUAL_ENV"] == str(bench.project.run_code / ".venv")
    assert f"from {bench.project.run_code}" in bench.log(job)


def test_what_lies_in_the_run_tree_is_not_imported_in_place_of_what_is_meant(bench: Bench) -> None:
    for name in ("wtwatch", "datalad", "json"):
        (bench.tree / f"{name}.py").write_text("raise SystemExit('the wrong one')\n")
    save_all(bench)
    assert over(bench.do("echo 1 > out")).outcome is Outcome.SUCCEEDED


NAMES = ["a b", "it's", 'double "q"', "größe", "-dash", "star*", "semi;colon", "$HOME", "{brace}"]


def test_inputs_and_outputs_may_have_any_name(bench: Bench) -> None:
    for name in NAMES:
        (bench.tree / name).write_text(f"{name}\n")
    save_all(bench)
    # DataLad expands wildcards and formats braces in declared paths, so those two are written its way
    inputs = [f"./{name}".replace("{", "{{").replace("}", "}}").replace("*", "[*]") for name in NAMES]
    outputs = [name.replace("{", "{{").replace("}", "}}").replace("*", "+") + " out" for name in NAMES]
    job = bench.do(
        'cat -- {inputs} > all; for out in {outputs}; do echo "$out" > "./$out"; done',
        inputs=tuple(inputs),
        outputs=tuple(outputs),
    )
    assert over(job).outcome is Outcome.SUCCEEDED, bench.log(job)
    assert (bench.tree / "all").read_text().splitlines() == NAMES
    for name in NAMES:
        out = f"{name.replace('*', '+')} out"
        assert (bench.tree / out).read_text() == f"{out}\n"


@pytest.mark.slow
def test_a_project_in_a_folder_of_any_name_works(make_bench: MakeBench) -> None:
    bench = make_bench("-a 'b\" ü")
    job = bench.do("echo 1 > {outputs}", outputs=("out",))
    assert over(job).outcome is Outcome.SUCCEEDED, bench.log(job)
    failed = bench.do("echo 2 > {outputs}; false", outputs=("out",))
    assert over(failed).outcome is Outcome.FAILED, bench.log(failed)
    kept = bench.tidy(failed)
    assert kept is not None, (failed, bench.log(failed))
    assert (kept / "out").read_text() == "2\n"
    assert bench.dirt() == ""


def test_results_in_a_subdataset_are_committed_there_too(bench: Bench) -> None:
    state = over(bench.do("echo 1 > inputs/L5b_2p/new.txt"))
    assert (state.outcome, len(state.commits)) == (Outcome.SUCCEEDED, 1)
    assert bench.dirt() == ""


@pytest.mark.slow
def test_nohup_out_is_neither_in_the_way_nor_in_a_result(bench: Bench) -> None:
    for place in ("nohup.out", "inputs/L5b_2p/nohup.out"):
        (bench.tree / place).write_text("before\n")
    state = over(bench.do("echo more >> nohup.out; echo 1 > out"))
    assert state.outcome is Outcome.SUCCEEDED
    assert names_in(bench, state.commits[0]) == {"out"}
    failed = bench.do("echo still >> nohup.out; echo 2 > left; false")
    kept = bench.tidy(failed)
    assert kept is not None
    assert [path.name for path in kept.iterdir()] == ["left"]
    assert (bench.tree / "nohup.out").read_text() == "before\nmore\nstill\n"


def test_what_the_users_own_settings_ignore_stays_ignored(bench: Bench) -> None:
    def ignored(name: str) -> bool:
        env = os.environ | excludes_env(bench.place)
        return (
            bench.lab.say("git", "check-ignore", "-q", name, cwd=bench.tree, env=env, code=(0, 1)).code == 0
        )

    usual, named = Path.home() / ".config" / "git" / "ignore", Path.home() / "my ignores"
    assert (ignored("nohup.out"), ignored("x.swp")) == (True, False)
    usual.parent.mkdir(parents=True, exist_ok=True)
    usual.write_text("*.swp")
    assert (ignored("nohup.out"), ignored("x.swp")) == (True, True)
    bench.lab.git("config", "--global", "core.excludesFile", "~/my ignores")
    named.write_text("*.größe\n")
    assert (ignored("nohup.out"), ignored("x.größe"), ignored("x.swp")) == (True, True, False)


def test_a_plain_job_may_have_runs_of_datalad_of_its_own(bench: Bench) -> None:
    (bench.tree / "nohup.out").write_text("")
    script = 'for n in 1 2; do datalad run -o out$n "echo $n >> out$n" || exit 5; done'
    state = over(job := bench.do(script, plain=True))
    assert (state.outcome, state.exit) == (Outcome.SUCCEEDED, 0), bench.log(job)
    listed = bench.lab.git("rev-list", "--reverse", "-n", "2", "HEAD", cwd=bench.tree).split()
    assert list(state.commits) == listed
    assert bench.dirt() == "?? nohup.out"


def test_a_plain_job_that_commits_nothing_succeeds_and_one_that_fails_keeps_what_it_committed(
    bench: Bench,
) -> None:
    assert over(bench.do("true", plain=True)).outcome is Outcome.SUCCEEDED
    state = over(job := bench.do("datalad run 'echo 1 > one' && echo 2 > two && exit 4", plain=True))
    assert (state.outcome, state.exit, state.commits) == (Outcome.FAILED, 4, (bench.head(),))
    kept = bench.tidy(job)
    assert kept is not None
    assert [path.name for path in kept.iterdir()] == ["two"]
    assert (bench.tree / "one").exists()


def test_a_job_does_not_run_on_other_code_than_its_own(bench: Bench) -> None:
    job = bench.job("echo 1 > out")
    demanded = bench.demands(job)._replace(code_sha=Sha("0" * 40))
    ended = bench.end(bench.launch(job, demanded))
    assert isinstance(ended, NotBegun) and "Code moved" in ended.reason
    assert not (bench.tree / "out").exists()


def test_cancelling_ends_all_processes_of_a_job(bench: Bench) -> None:
    gate = bench.lab.gate()
    job = bench.start(
        bench.job(
            "sh -c 'trap \"\" TERM; while :; do sleep 0.05; done' & setsid sleep 1000 &"
            f"env -i sleep 1000 & echo half > out; {bench.gated(gate)}"
        )
    )
    eventually(gate.reached)

    def all_of_it() -> list[int]:  # of one that becomes a program this moment nothing can be said
        found = bearing(MARK, uuid(job), bench.process(job))
        return found if len(found) >= 5 else []

    mine = eventually(all_of_it)
    lifecycle.stop(bench.place, job)
    ended = bench.wait(job, cancelled=True)
    assert over(ended).outcome is Outcome.CANCELLED
    eventually(lambda: not [pid for pid in mine if identity(pid)])
    kept = bench.tidy(ended)
    assert kept is not None
    assert texts_in(kept) == {"out": "half\n"}
    assert bench.dirt() == ""


def test_a_job_told_to_end_by_somebody_else_was_interrupted(bench: Bench) -> None:
    gate = bench.lab.gate()
    job = bench.start(bench.job(bench.gated(gate), plain=True))
    eventually(gate.reached)
    os.kill(bench.process(job).pid, signal.SIGTERM)
    assert over(bench.wait(job)).outcome is Outcome.INTERRUPTED


@pytest.mark.parametrize("cancelled", [False, True])
def test_a_job_whose_process_was_killed_is_interrupted_and_its_command_ends_too(
    bench: Bench, cancelled: bool
) -> None:
    gate = bench.lab.gate()
    job = bench.start(bench.job(f"echo half > out; {bench.gated(gate)}", outputs=(TABLE,)))
    eventually(gate.reached)
    os.kill(bench.process(job).pid, signal.SIGKILL)
    ended = bench.wait(job, cancelled)
    assert over(ended).outcome is (Outcome.CANCELLED if cancelled else Outcome.INTERRUPTED)
    assert bearing(MARK, uuid(job), bench.process(job)) == []
    kept = bench.tidy(ended)
    assert kept is not None
    assert texts_in(kept) == {"out": "half\n"}
    assert bench.dirt() == ""


def test_a_job_killed_after_its_commit_has_succeeded(bench: Bench) -> None:
    job = bench.start(bench.job("echo 1 > out"))
    ended = bench.wait(job)
    (bench.folder(job).path / "outcome").unlink()
    eventually(lambda: identity(bench.process(job).pid) is None)
    again = bench.wait(job)
    assert over(again).outcome is Outcome.SUCCEEDED
    assert over(again).commits == over(ended).commits == (bench.head(),)


def test_a_git_killed_with_the_job_leaves_no_lock_in_the_way(bench: Bench) -> None:
    gate = bench.lab.gate()
    job = bench.start(bench.job(f'touch "$(git rev-parse --git-dir)/index.lock"; {bench.gated(gate)}'))
    eventually(gate.reached)
    os.kill(bench.process(job).pid, signal.SIGKILL)
    bench.tidy(bench.wait(job))
    assert over(bench.do("echo 1 > out")).outcome is Outcome.SUCCEEDED


@pytest.mark.cold
def test_a_running_job_of_the_version_before_outlives_a_clock_that_is_set(bench: Bench) -> None:
    """It noted starts by the clock on the wall; one that is set shifts what the kernel says of them."""
    gate = bench.lab.gate()
    job = bench.start(bench.job(bench.gated(gate)))
    eventually(gate.reached)
    known = bench.process(job)
    facts = {"pid": known.pid, "started": now().timestamp() - 5, "boot": known.boot, "uuid": uuid(job)}
    (bench.folder(job).path / "started").write_text(json.dumps(facts))
    assert bench.process(job) == known
    assert lifecycle.end_of(bench.place, job, False) is None
    assert not (bench.folder(job).path / "stopping").exists()
    gate.open()
    assert over(bench.wait(job)).outcome is not Outcome.INTERRUPTED


def test_a_process_that_only_has_the_pid_of_a_job_is_neither_believed_nor_stopped(bench: Bench) -> None:
    job = bench.start(bench.job("true"))
    bench.wait(job)
    folder = bench.folder(job)
    (folder.path / "outcome").unlink()
    me = identity(os.getpid())
    assert me is not None
    folder.write_started(me._replace(ticks=me.ticks - 1), uuid(job), now())
    eventually(lambda: lifecycle.end_of(bench.place, job, False) is not None)
    lifecycle.stop(bench.place, job)  # would end this test


def test_the_run_tree_is_held_until_the_job_ends_and_no_longer(bench: Bench) -> None:
    gate = bench.lab.gate()
    job = bench.start(bench.job(f"{bench.gated(gate)}; sleep 1000 & echo $! > {gate.file}.pid", plain=True))
    eventually(gate.reached)
    with pytest.raises(Busy), held(bench.place.lock):
        pass
    assert lifecycle.end_of(bench.place, job, False) is None
    gate.open()
    assert over(bench.wait(job)).outcome is Outcome.SUCCEEDED
    left = psutil.Process(int(Path(f"{gate.file}.pid").read_text()))
    with held(bench.place.lock, wait=60):
        assert left.is_running(), "what a job leaves behind does not hold the lock"
    left.kill()


def test_a_start_that_the_queue_never_heard_of_is_not_done_twice(bench: Bench) -> None:
    job = bench.job("echo 1 >> out")
    first = bench.start(job)
    bench.wait(first)
    again = bench.start(job)
    assert again.state == first.state
    assert (bench.tree / "out").read_text() == "1\n"


def test_a_job_of_a_queue_that_started_anew_is_not_taken_for_an_old_one(bench: Bench) -> None:
    first = bench.do("echo old", plain=True)
    log = bench.log(first)
    again = bench.job("echo new; exit 3", plain=True)._replace(id=first.id)
    ended = bench.wait(bench.start(again))
    assert (over(ended).exit, bench.log(ended)) == (3, "new\n")
    assert lifecycle.log_file(bench.place, first).parent.with_name("1.1~1").joinpath("log").read_text() == log


def test_a_job_that_is_killed_after_it_broke_the_repository_ends_all_the_same(bench: Bench) -> None:
    gate = bench.lab.gate()
    breaks = 'echo nonsense > "$(git rev-parse --git-dir)/index"'
    job = bench.start(bench.job(f"{breaks}; {bench.gated(gate)}", plain=True))
    eventually(gate.reached)
    os.kill(bench.process(job).pid, signal.SIGKILL)
    state = over(bench.wait(job))
    assert state.outcome is Outcome.INTERRUPTED and "cannot be seen" in (state.detail or "")


def test_a_tree_that_is_gone_when_its_job_was_killed_is_waited_for(bench: Bench) -> None:
    gate = bench.lab.gate()
    job = bench.start(bench.job(bench.gated(gate), plain=True))
    eventually(gate.reached)
    os.kill(bench.process(job).pid, signal.SIGKILL)
    eventually(lambda: not bearing(MARK, uuid(job), bench.process(job)) or run_stops(bench, job))
    bench.tree.rename(bench.lab.root / "unmounted")
    with pytest.raises(WtwatchError):
        lifecycle.end_of(bench.place, job, False)
    (bench.lab.root / "unmounted").rename(bench.tree)
    assert over(bench.wait(job)).outcome is Outcome.INTERRUPTED


def run_stops(bench: Bench, job: Job) -> bool:
    lifecycle.stop(bench.place, job)
    return False


def test_in_the_foreground_the_process_lasts_as_long_as_the_job(bench: Bench) -> None:
    """So a cluster starts it, which takes the end of the process for the end of the job."""
    first = bench.do("echo 1 > out", plain=True)
    folder = bench.folder(first)
    for name in ("outcome", "started", "before", "command", "after", "verified"):
        (folder.path / name).unlink()
    (bench.tree / "out").unlink()
    words = [sys.executable, "-P", "-m", "wtwatch.job.wrapper", str(folder.path)]
    subprocess.run(words, cwd=bench.tree, check=True, env=for_jobs(bench.place))
    result = folder.result()
    assert result is not None and result.exit == 0
    assert folder.host() == os.uname().nodename
    assert (bench.tree / "out").exists()


def test_an_attempt_on_another_host_is_not_judged_from_here(bench: Bench) -> None:
    job = bench.start(bench.job("true", plain=True))
    bench.wait(job)
    started = bench.folder(job).path / "started"
    started.write_text(started.read_text().replace(os.uname().nodename, "elsewhere"))
    (bench.folder(job).path / "outcome").unlink()
    assert lifecycle.end_of(bench.place, job, False) is None


def test_the_bell_rings_when_a_job_ends(bench: Bench) -> None:
    bell = bench.lab.code / ".git" / "wtwatch" / "bell"
    bell.parent.mkdir(exist_ok=True)
    bench.do("true")
    eventually(bell.exists)


@pytest.mark.cold
def test_a_job_that_cannot_be_started_says_why(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(WtwatchError, match="could not be started"):
        bench.start(bench.job("true"))


def test_what_datalad_refuses_is_told(bench: Bench) -> None:
    state = over(bench.do("true", inputs=("not-there",)))
    assert (state.outcome, state.exit) == (Outcome.FAILED, 1)
    assert "not-there" in (state.detail or "")
    state = over(bench.do("echo {nonsense}"))
    assert "nonsense" in (state.detail or "")


def test_room_for_the_outcome_is_taken_before_the_job_starts(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "job")
    folder.path.mkdir()
    draft = Draft(folder)
    (file,) = folder.path.iterdir()
    assert file.stat().st_blocks * 512 >= RESERVED
    inode = file.stat().st_ino
    result = Result(1, (Sha("a" * 40),), now(), "größe \udcff")
    assert folder.result() is None
    draft.publish(result)
    assert folder.result() == result
    assert (folder.path / "outcome").stat().st_ino == inode


def test_a_process_that_goes_on_keeps_no_step_open(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "job")
    folder.path.mkdir()

    def kept_open() -> list[str]:
        files = [Path(file.path) for file in psutil.Process().open_files()]
        return [file.name for file in files if file.is_relative_to(folder.path)]

    steps = Steps(folder)
    steps.verified(())
    assert kept_open()
    steps.close()
    assert kept_open() == []


@pytest.mark.cold
def test_an_outcome_is_told_although_nothing_more_can_be_written_to_the_log(bench: Bench) -> None:
    job = bench.job("yes | head -c 1000000")
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (RESERVED + 1000, usual[1]))  # of any file
    try:
        started = bench.start(job)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    state = over(bench.wait(started))
    assert state.outcome is Outcome.FAILED
    assert bench.folder(job).log.stat().st_size == RESERVED + 1000


# rerun


@pytest.mark.slow
def test_a_rerun_is_the_commit_that_datalad_rerun_makes(bench: Bench) -> None:
    bench.do(
        "cat {inputs} > {outputs}; date +%N >> {outputs}; date +%N > extra",
        message="Größe\n\nand more",
        inputs=(TABLE,),
        outputs=("out.txt",),
    )
    result = bench.head()
    bench.do("echo 1 > unrelated")
    twin = clone_of_tree(bench, "twin")
    job = bench.wait(bench.start(bench.job_of(JobSpec("shown only", rerun_of=result))))
    assert over(job).outcome is Outcome.SUCCEEDED, bench.log(job)
    bench.lab.datalad("rerun", result, cwd=twin)
    assert message(bench, bench.tree, without_ours=True) == message(bench, twin)
    assert files_of(bench, bench.tree).keys() == files_of(bench, twin).keys()
    record = record_of(bench.tree, "HEAD")
    assert record is not None
    assert record["chain"] == [result]
    spec = spec_of(bench.tree, "HEAD")
    assert spec is not None
    assert (spec.message, spec.inputs, spec.rerun_of) == ("Größe\n\nand more", (TABLE,), bench.head())


@pytest.mark.slow
def test_the_record_of_a_merge_commit_is_run_on_head_and_drops_nothing(bench: Bench) -> None:
    bench.do("date +%N > inner && git annex add -q inner && git commit -qm inner && date +%N > outer")
    merge = bench.head()
    parents = bench.lab.git("rev-list", "--parents", "-n", "1", merge, cwd=bench.tree).split()
    assert len(parents) == 3, "DataLad makes a merge commit of a run whose command commits"
    later = over(bench.do("echo 1 > later")).commits[0]
    bench.lab.git("rm", "-q", "inner", cwd=bench.tree)
    bench.lab.git("commit", "-qm", "make room", cwd=bench.tree)
    state = over(job := bench.wait(bench.start(bench.job_of(JobSpec("x", rerun_of=merge)))))
    assert state.outcome is Outcome.SUCCEEDED, bench.log(job)
    assert bench.lab.git("merge-base", "--is-ancestor", later, "HEAD", cwd=bench.tree) == ""
    assert bench.dirt() == ""


def test_a_rerun_in_a_tree_that_was_just_changed_says_what_was(bench: Bench) -> None:
    bench.do("echo 1 > out", outputs=("out",))
    (bench.tree / "mine").touch()
    result = dataset.run(bench.tree, JobSpec("x", rerun_of=bench.head()), {})
    assert result.exit == 1 and "mine" in (result.error or "")


def test_a_rerun_that_reproduces_its_results_is_unchanged(bench: Bench) -> None:
    bench.do("echo 1 > out", outputs=("out",))
    state = over(bench.wait(bench.start(bench.job_of(JobSpec("x", rerun_of=bench.head())))))
    assert (state.outcome, state.commits) == (Outcome.UNCHANGED, ())


def test_a_commit_without_a_record_cannot_be_rerun(bench: Bench) -> None:
    assert record_of(bench.tree, "HEAD") is None
    assert spec_of(bench.tree, "HEAD") is None
    state = over(bench.wait(bench.start(bench.job_of(JobSpec("x", rerun_of=bench.head())))))
    assert state.outcome is Outcome.FAILED
    assert "no run record" in (state.detail or "")


def test_a_record_in_a_sidecar_file_is_found(bench: Bench) -> None:
    bench.lab.git("config", "datalad.run.record-sidecar", "yes", cwd=bench.lab.main)
    started = bench.start(bench.job("echo 1 > out"))
    base = bench.head()
    bench.wait(started)
    assert results_of(bench.tree, uuid(started), base) == [bench.head()]


def test_the_name_of_a_sidecar_file_leads_nowhere_else(bench: Bench) -> None:
    lines = ("[DATALAD RUNCMD] x", "", "=== Do not change lines below ===", '"../../x"')
    text = "\n".join([*lines, "^^^ Do not change lines above ^^^"])
    bench.lab.git("commit", "-q", "--allow-empty", "-m", text, cwd=bench.tree)
    with pytest.raises(WtwatchError, match="no name of a file"):
        record_of(bench.tree, "HEAD")


def test_a_record_made_in_a_folder_is_read_from_the_top(bench: Bench) -> None:
    folder = bench.tree / "04_dataframes"
    bench.lab.datalad("run", "-i", "240226I/LSD/F.pkl", "-o", "../out.txt", "echo 1 > ../out.txt", cwd=folder)
    spec = spec_of(bench.tree, "HEAD")
    assert spec is not None and (spec.inputs, spec.outputs) == ((TABLE,), ("out.txt",))


def test_modules_that_a_job_imports_leave_nothing_in_the_tree(bench: Bench) -> None:
    for folder in (bench.tree, bench.project.run_code):
        (folder / "beside.py").write_text("said = 'first'\n")
        (folder / "script.py").write_text("import beside; print(beside.said)\n")
        (folder / ".gitignore").write_text(".venv\n")
    bench.lab.git("add", "-A", cwd=bench.project.run_code)
    bench.lab.git("commit", "-q", "-m", "modules", cwd=bench.project.run_code)
    save_all(bench)
    job = bench.do(
        f"python3 script.py > said; python3 {bench.project.code}/script.py >> said", outputs=("said",)
    )
    assert over(job).outcome is Outcome.SUCCEEDED, over(job)
    assert (bench.tree / "said").read_text() == "first\nfirst\n"
    assert not [*bench.tree.rglob("beside.*.pyc")] and bench.dirt() == ""
    assert "pyc" not in bench.lab.git("show", "--stat", "HEAD", cwd=bench.tree)


@pytest.mark.slow
def test_a_module_of_the_same_size_and_second_is_not_taken_for_that_of_another_commit(bench: Bench) -> None:
    code = bench.project.run_code
    for text in ("first", "later"):
        (code / "beside.py").write_text(f"said = {text!r}\n")
        os.utime(code / "beside.py", (1e9, 1e9))
        (code / "script.py").write_text("import beside; print(beside.said)\n")
        bench.lab.git("rm", "-q", "--cached", "--ignore-unmatch", "beside.py", cwd=code)  # git trusts times
        bench.lab.git("add", "-A", cwd=code)
        bench.lab.git("commit", "-q", "-m", text, cwd=code)
        save_all(bench)
        bench.do(f"python3 {bench.project.code}/script.py > said", outputs=("said",))
        assert (bench.tree / "said").read_text() == f"{text}\n"


def test_a_result_that_waits_for_git_to_clean_up_says_so_in_its_log(bench: Bench) -> None:
    with subprocess.Popen(["sleep", "60"]) as working:  # which git, too, takes for its gc
        (bench.lab.main / ".git/gc.pid").write_text(f"{working.pid} {os.uname().nodename}")
        job = bench.start(bench.job("echo 1 > made", outputs=("made",)))
        said = f"saved as soon as git has cleaned up: git gc, process {working.pid}."
        eventually(lambda: said in bench.log(job))
        assert lifecycle.end_of(bench.place, job, cancelled=False) is None
        working.kill()
    state = over(bench.wait(job))
    assert state.outcome is Outcome.SUCCEEDED
    assert bench.log(job).count("cleaned up") == 1


def test_a_hook_that_refuses_the_result_is_the_reason_in_its_own_words(bench: Bench) -> None:
    hook = Path(bench.lab.git("rev-parse", "--path-format=absolute", "--git-path", "hooks/pre-commit"))
    hook.write_text("#!/bin/sh\necho 'large files: refused' >&2\nexit 1\n")
    hook.chmod(0o755)
    try:
        state = over(bench.do("echo 1 > made", outputs=("made",)))
    finally:
        hook.unlink()
    assert state.outcome is Outcome.FAILED
    assert state.detail == "the result could not be committed: large files: refused"
