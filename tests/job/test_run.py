"""One job from start to outcome, on real datasets with the real DataLad."""

from __future__ import annotations

import os
import re
import resource
import shlex
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.lab import FIGURE, Gate, Lab, eventually, plot_of
from tests.room import let_git_know_nobody
from wtwatch.doors import dataset
from wtwatch.doors.dataset import record_of, results_of, spec_of
from wtwatch.doors.files import held
from wtwatch.doors.processes import Identity, bearing, identity
from wtwatch.job import run
from wtwatch.job.attempt import MARK, RESERVED, Draft, Folder, Result
from wtwatch.job.leftovers import NOTE
from wtwatch.project.config import Project
from wtwatch.project.excludes import excludes_env
from wtwatch.project.tree import RunTree
from wtwatch.words.errors import Busy, WtwatchError
from wtwatch.words.model import Ended, Job, JobSpec, Outcome, Running, Sha, now

TABLE = "04_dataframes/240226I/LSD/F.pkl"
"""An annexed file of the superdataset."""

RAW = "inputs/L5b_2p/240226I/LSD/data.bin"
"""An annexed file of a subdataset."""

FIGURE_OF_LSD = FIGURE.format(subject="240226I", drug="LSD")


@dataclass
class Bench:
    """A run tree in which jobs are run one by one, as the daemon does."""

    lab: Lab
    project: Project
    made: list[Job] = field(default_factory=list)

    @property
    def tree(self) -> Path:
        return self.project.run_tree

    @property
    def place(self) -> RunTree:
        return RunTree.of(self.project)

    def job(self, command: str, **spec: Any) -> Job:
        return self.job_of(JobSpec(command, **spec))

    def job_of(self, spec: JobSpec) -> Job:
        self.made.append(Job(len(self.made) + 1, 1, 1, spec, now()))
        return self.made[-1]

    def start(self, job: Job) -> Job:
        assert run.ready(self.place, job) == []
        code, base = self.lab.commit("HEAD", self.project.run_code), self.head()
        with held(self.place.lock) as lock:
            running = run.start(self.place, job, code, base, lock)
        return job._replace(state=running)

    def wait(self, job: Job, cancelled: bool = False) -> Job:
        ended = eventually(lambda: run.end_of(self.place, job, cancelled), within=60)
        assert ended is not None
        return job._replace(state=ended)

    def do(self, command: str, **spec: Any) -> Job:
        return self.wait(self.start(self.job(command, **spec)))

    def tidy(self, job: Job) -> Path | None:
        with held(self.place.lock, wait=5):
            return run.tidy(self.place, job)

    def head(self) -> Sha:
        return self.lab.commit("HEAD", self.tree)

    def dirt(self) -> str:
        """What git says of the whole run tree, as DataLad would look at it before a run."""
        return self.lab.git("status", "--porcelain", "-uall", "--ignore-submodules=none", cwd=self.tree)

    def log(self, job: Job) -> str:
        return run.log_file(self.place, job).read_text()

    def folder(self, job: Job) -> Folder:
        return Folder.of(self.project.state, job.id, job.attempt)

    def process(self, job: Job) -> Identity:
        started = self.folder(job).started()
        assert started is not None
        return started

    def gated(self, gate: Gate) -> str:
        """A command that waits at a gate."""
        reached = shlex.quote(str(gate.file.with_name(gate.file.name + ".reached")))
        return f"touch {reached}; until [ -e {shlex.quote(str(gate.file))} ]; do sleep 0.02; done"


def over(job: Job) -> Ended:
    assert isinstance(job.state, Ended)
    return job.state


def uuid(job: Job) -> str:
    assert isinstance(job.state, Running)
    return job.state.uuid


MakeBench = Callable[..., Bench]


@pytest.fixture
def make_bench(make_lab: Callable[..., Lab]) -> MakeBench:
    def make(name: str = "lab") -> Bench:
        lab = make_lab("git", name)
        lab.move_bookmark()
        lab.git("worktree", "add", "--quiet", "-b", "runs", str(lab.run))
        inputs = lab.run / "inputs" / "L5b_2p"
        lab.git("worktree", "add", "--quiet", "-b", "runs", str(inputs), cwd=lab.inputs)
        lab.git("worktree", "add", "--quiet", "--detach", str(lab.run_code), "runs", cwd=lab.code)
        return Bench(lab, lab.project())

    return make


@pytest.fixture
def bench(make_bench: MakeBench) -> Bench:
    return make_bench()


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
    code = over(job).code
    assert record["wtwatch"] == {"attempt": uuid(started), "code": code, "superdataset": base}
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
    names = {line.split("=")[0] for line in (bench.tree / "environment").read_text().splitlines()}
    assert not names & {"VIRTUAL_ENV", "PYTHONPATH", "GIT_DIR", "WTWATCH_LOCK"}
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
    other = Sha("0" * 40)
    with held(bench.place.lock) as lock:
        job = bench.job("echo 1 > out")
        running = run.start(bench.place, job, other, bench.head(), lock)
    state = over(bench.wait(job._replace(state=running)))
    assert state.outcome is Outcome.FAILED
    assert "code moved" in (state.detail or "")
    assert not (bench.tree / "out").exists()


# may it start


def test_a_tree_that_is_not_clean_keeps_jobs_from_starting_and_names_the_files(bench: Bench) -> None:
    for name in ("a b.txt", "b.txt", "c.txt", "d.txt", "inputs/L5b_2p/größe"):
        (bench.tree / name).write_text("")
    above, inside = run.ready(bench.place, bench.job("true"))
    assert above.startswith("a b.txt, b.txt, c.txt and 1 more: not saved")
    assert inside.startswith("inputs/L5b_2p/größe: not saved")


def test_an_operation_under_way_keeps_jobs_from_starting(bench: Bench) -> None:
    git_dir = Path(bench.lab.git("rev-parse", "--absolute-git-dir", cwd=bench.tree))
    (git_dir / "MERGE_HEAD").write_text(bench.head() + "\n")
    (problem,) = run.ready(bench.place, bench.job("true"))
    assert "merge" in problem


def test_what_lies_in_a_subdataset_that_is_not_there_is_named(bench: Bench) -> None:
    shutil.rmtree(bench.tree / "inputs/L5b_2p")
    (bench.tree / "inputs/L5b_2p").mkdir()
    for declared in (RAW, "inputs/L5b_2p", "./inputs/L5b_2p/*/LSD/data.bin", "inputs/*/x"):
        (problem,) = run.ready(bench.place, bench.job("true", inputs=(declared,)))
        assert "datalad get -n inputs/L5b_2p" in problem
    assert run.ready(bench.place, bench.job("true", inputs=(TABLE, "inputs"))) == []


# failure, and what it leaves


def test_a_failed_job_leaves_a_clean_tree_and_all_that_it_left_beside_it(bench: Bench) -> None:
    bench.do(
        "echo old > out.dat; echo same > same.dat; mkdir d; echo text > d/gone.dat", outputs=("out.dat",)
    )
    raw = (bench.tree / RAW).read_text()
    state = over(
        job := bench.do(
            "echo half >> out.dat; echo new > 'new ü'; mkdir e; echo staged > e/staged; git add -f e/staged;"
            f"rm d/gone.dat; rm {RAW}; echo raw > {RAW}; echo x > inputs/L5b_2p/-x; exit 7",
            outputs=("out.dat", "same.dat"),
        )
    )
    assert (state.outcome, state.exit, state.commits, state.detail) == (Outcome.FAILED, 7, (), None)
    kept = bench.tidy(job)
    assert kept == bench.place.shelf / "jobs" / f"{job.id}.1"
    assert texts_in(kept) == {
        "out.dat": "old\nhalf\n",
        "new ü": "new\n",
        "e/staged": "staged\n",
        RAW: "raw\n",
        "inputs/L5b_2p/-x": "x\n",
    }
    assert bench.dirt() == ""
    assert (bench.tree / "out.dat").is_symlink()
    assert (bench.tree / "same.dat").is_symlink()
    assert (bench.tree / "out.dat").read_text() == "old\n"
    assert (bench.tree / "d/gone.dat").read_text() == "text\n"
    assert (bench.tree / RAW).read_text() == raw
    assert not (bench.tree / "e").exists()
    assert over(bench.do("echo fine > out.dat", outputs=("out.dat",))).outcome is Outcome.SUCCEEDED


def test_a_failed_job_that_left_nothing_leaves_no_folder(bench: Bench) -> None:
    job = bench.do("exit 3", outputs=(TABLE,))
    assert over(job).exit == 3
    assert bench.dirt() != "", "DataLad leaves declared outputs unlocked"
    assert bench.tidy(job) is None
    assert bench.dirt() == ""
    assert not bench.place.shelf.exists()


def test_new_content_that_git_takes_for_the_old_is_kept_all_the_same(bench: Bench) -> None:
    bench.do("echo 1 > out", outputs=("out",))
    job = bench.do("echo 2 > out; git update-index --assume-unchanged out; false", outputs=("out",))
    kept = bench.tidy(job)
    assert kept is not None
    assert texts_in(kept) == {"out": "2\n"}
    assert (bench.tree / "out").is_symlink()
    assert (bench.tree / "out").read_text() == "1\n"


def test_clearing_up_twice_changes_nothing_more(bench: Bench) -> None:
    job = bench.do("echo 1 > left; false")
    assert bench.tidy(job) == bench.tidy(job)
    assert texts_in(bench.place.shelf / "jobs" / f"{job.id}.1") == {"left": "1\n"}


def test_files_and_folders_that_took_each_others_place_are_put_back(bench: Bench) -> None:
    bench.do("echo 1 > file; mkdir folder; echo 2 > folder/inner; printf 'ign*\\n' > .gitignore")
    job = bench.do(
        "rm file; mkdir file; echo 3 > file/new; echo 4 > file/ignored;"
        "rm -r folder; echo 5 > folder; ln -s nowhere link; false"
    )
    kept = bench.tidy(job)
    assert kept is not None
    assert bench.dirt() == ""
    assert (bench.tree / "file").read_text() == "1\n"
    assert (bench.tree / "folder/inner").read_text() == "2\n"
    found = texts_in(kept)
    assert found["file/new"] == "3\n"
    assert found["folder"] == "5\n"
    assert "4\n" in found.values()
    assert (kept / "link").readlink() == Path("nowhere")


def test_results_that_were_annexed_before_the_failure_can_be_read_among_the_leftovers(bench: Bench) -> None:
    job = bench.do("echo big > annexed; git annex add -q annexed; false")
    kept = bench.tidy(job)
    assert kept is not None
    assert (kept / "annexed").read_text() == "big\n"
    assert bench.dirt() == ""


def test_an_unlocked_annexed_file_has_its_content_back(bench: Bench) -> None:
    bench.lab.git("annex", "unlock", "-q", TABLE, cwd=bench.tree)
    save_all(bench)
    before = (bench.tree / TABLE).read_text()
    job = bench.do(f"echo half > {TABLE}; false")
    kept = bench.tidy(job)
    assert kept is not None
    assert (kept / TABLE).read_text() == "half\n"
    assert (bench.tree / TABLE).read_text() == before
    assert bench.dirt() == ""


def test_a_repository_that_a_failed_job_made_is_kept_for_good(bench: Bench) -> None:
    bench.project = bench.project._replace(keep_failed=1)
    first = bench.tidy(bench.do("git init -q made; git -C made commit -q --allow-empty -m x; false"))
    second = bench.tidy(bench.do("echo 1 > left; false"))
    third = bench.tidy(bench.do("echo 2 > left; false"))
    assert bench.dirt() == ""
    assert first is not None and second is not None and third is not None
    assert bench.lab.git("log", "--format=%s", cwd=first / "made") == "x"
    assert (first.exists(), second.exists(), third.exists()) == (True, False, True)


def test_only_the_newest_leftovers_are_kept(bench: Bench) -> None:
    bench.project = bench.project._replace(keep_failed=2)
    kept = [bench.tidy(bench.do(f"mkdir -p d; echo {n} > d/f; chmod 555 d; false")) for n in range(3)]
    assert [folder.exists() for folder in kept if folder] == [False, True, True]


def test_a_job_whose_results_could_not_be_committed_does_not_begin(bench: Bench) -> None:
    let_git_know_nobody(Path.home())
    job = bench.do("echo 1 > result")
    assert isinstance(job.state, Ended) and job.state.outcome is Outcome.FAILED
    assert job.state.detail and "does not know who you are" in job.state.detail
    assert "git config --global user.name" in job.state.detail
    assert not (bench.tree / "result").exists()
    assert isinstance(bench.do("touch done", plain=True).state, Ended)
    assert (bench.tree / "done").exists()


def test_folders_that_a_job_locked_are_cleared_up_like_others(bench: Bench) -> None:
    folder = "04_dataframes/240226I/LSD"
    kept = bench.tidy(bench.do(f"cd {folder}; rm F.pkl; mkdir in; echo 1 > in/new; chmod 555 in .; false"))
    assert kept and (kept / folder / "in/new").read_text() == "1\n"
    assert bench.dirt() == "" and (bench.tree / folder / "F.pkl").exists()


def test_ignored_files_stay_where_they_are(bench: Bench) -> None:
    bench.do("echo '*.tmp' > .gitignore")
    bench.tidy(bench.do("echo 1 > x.tmp; false"))
    assert (bench.tree / "x.tmp").exists()


def test_a_commit_that_a_failed_job_made_in_a_subdataset_is_kept_and_taken_off_the_branch(
    bench: Bench,
) -> None:
    inputs = bench.tree / "inputs/L5b_2p"
    before = bench.lab.commit("HEAD", inputs)
    job = bench.do("cd inputs/L5b_2p && echo 1 > stray && git add stray && git commit -qm stray; false")
    stray = bench.lab.commit("HEAD", inputs)
    assert stray != before
    kept = bench.tidy(job)
    assert kept is not None
    assert stray in (kept / NOTE).read_text()
    assert bench.lab.commit(f"refs/wtwatch/L5b/left/{job.id}.1", inputs) == stray
    assert bench.lab.git("symbolic-ref", "--short", "HEAD", cwd=inputs) == "runs"
    assert bench.lab.commit("HEAD", inputs) == before
    assert bench.dirt() == ""


def test_edits_that_a_failed_job_made_in_code_are_left_alone(bench: Bench) -> None:
    job = bench.do("echo 1 >> code/README; false")
    assert bench.tidy(job) is None
    assert (bench.project.run_code / "README").exists()


# stopping and crashing


def test_cancelling_ends_all_processes_of_a_job(bench: Bench) -> None:
    gate = bench.lab.gate()
    job = bench.start(
        bench.job(
            "sh -c 'trap \"\" TERM; while :; do sleep 0.05; done' & setsid sleep 1000 &"
            f"env -i sleep 1000 & echo half > out; {bench.gated(gate)}"
        )
    )
    eventually(gate.reached)
    mine = bearing(MARK, uuid(job), bench.process(job))
    assert len(mine) >= 5
    run.stop(bench.place, job)
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


def test_a_process_that_only_has_the_pid_of_a_job_is_neither_believed_nor_stopped(bench: Bench) -> None:
    job = bench.start(bench.job("true"))
    bench.wait(job)
    folder = bench.folder(job)
    (folder.path / "outcome").unlink()
    me = identity(os.getpid())
    assert me is not None
    folder.write_started(me._replace(started=me.started - 1000), uuid(job), now())
    assert run.end_of(bench.place, job, False) is not None
    run.stop(bench.place, job)  # would end this test


def test_the_run_tree_is_held_until_the_job_ends_and_no_longer(bench: Bench) -> None:
    gate = bench.lab.gate()
    job = bench.start(bench.job(f"{bench.gated(gate)}; sleep 1000 & echo $! > {gate.file}.pid", plain=True))
    eventually(gate.reached)
    with pytest.raises(Busy), held(bench.place.lock):
        pass
    assert run.end_of(bench.place, job, False) is None
    gate.open()
    assert over(bench.wait(job)).outcome is Outcome.SUCCEEDED
    left = psutil.Process(int(Path(f"{gate.file}.pid").read_text()))
    with held(bench.place.lock, wait=5):
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
    assert run.log_file(bench.place, first).parent.with_name("1.1~1").joinpath("log").read_text() == log


def test_the_bell_rings_when_a_job_ends(bench: Bench) -> None:
    bell = bench.lab.code / ".git" / "wtwatch" / "bell"
    bell.parent.mkdir(exist_ok=True)
    bench.do("true")
    eventually(bell.exists)


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
    result = dataset.rerun(bench.tree, JobSpec("x", rerun_of=bench.head()), {})
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


# helpers


def clone_of_tree(bench: Bench, name: str) -> Path:
    """Return a copy of the run tree as it is, in which the real datalad may run beside ours."""
    twin = bench.lab.root / name
    bench.lab.git("worktree", "add", "-q", "-b", name, str(twin), "HEAD", cwd=bench.tree)
    for path in ("inputs/L5b_2p", "code"):
        bench.lab.git("worktree", "add", "-q", "--detach", str(twin / path), "HEAD", cwd=bench.tree / path)
    return twin


def message(bench: Bench, tree: Path, without_ours: bool = False) -> str:
    text = bench.lab.git("log", "-1", "--format=%B", cwd=tree)
    if without_ours:
        text, removed = re.subn(r',\n "wtwatch": \{[^}]*\}', "", text)
        assert removed == 1
    return text


def files_of(bench: Bench, tree: Path) -> dict[str, str]:
    lines = bench.lab.git("ls-tree", "-r", "-z", "HEAD", cwd=tree).split("\0")
    return {line.split("\t")[1]: line.split("\t")[0] for line in lines if line}


def names_in(bench: Bench, commit: str) -> set[str]:
    listing = bench.lab.git("diff-tree", "-r", "-z", "--no-commit-id", "--name-only", commit, cwd=bench.tree)
    return set(filter(None, listing.split("\0")))


def texts_in(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def save_all(bench: Bench) -> None:
    bench.lab.git("add", "-A", cwd=bench.tree)
    bench.lab.git("commit", "-qm", "by hand", cwd=bench.tree)
