"""What a failed job leaves: out of the tree, and kept."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from tests.job.bench import (
    RAW,
    TABLE,
    Bench,
    over,
    save_all,
    texts_in,
)
from tests.room import let_git_know_nobody
from wtwatch.job.back import NOTE
from wtwatch.job.lifecycle import NotBegun
from wtwatch.words.errors import Busy
from wtwatch.words.model import Ended, Outcome


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


@pytest.mark.slow
def test_a_repository_that_a_failed_job_made_is_kept_for_good(bench: Bench) -> None:
    bench.project = bench.project._replace(keep_failed=1)
    command = "git init -q made; git -C made commit -q --allow-empty -m x; false"
    first = bench.tidy(bench.do(command, outputs=("made",)))
    second = bench.tidy(bench.do("echo 1 > left; false", outputs=("left",)))
    third = bench.tidy(bench.do("echo 2 > left; false", outputs=("left",)))
    assert bench.dirt() == ""
    assert first is not None and second is not None and third is not None
    assert bench.lab.git("log", "--format=%s", cwd=first / "made") == "x"
    assert (first.exists(), second.exists(), third.exists()) == (True, False, True)


@pytest.mark.slow
def test_of_declared_outputs_only_the_newest_are_kept(bench: Bench) -> None:
    bench.project = bench.project._replace(keep_failed=2)
    command = "mkdir -p d; echo {} > d/f; chmod 555 d; false"
    kept = [bench.tidy(bench.do(command.format(n), outputs=("d/*",))) for n in range(3)]
    assert [folder.exists() for folder in kept if folder] == [False, True, True]


@pytest.mark.slow
def test_what_was_not_declared_as_an_output_is_kept_for_good(bench: Bench) -> None:
    bench.project = bench.project._replace(keep_failed=1)
    command = "echo {0} > mine; mkdir -p d; echo {0} > d/f; false"
    kept = [bench.tidy(bench.do(command.format(n), outputs=("d/f",))) for n in range(3)]
    assert [texts_in(folder) for folder in kept if folder] == [
        {"mine": "0\n"}, {"mine": "1\n"}, {"mine": "2\n", "d/f": "2\n"},
    ]  # fmt: skip


def test_a_job_whose_results_could_not_be_committed_does_not_begin(bench: Bench) -> None:
    let_git_know_nobody(Path.home())
    ended = bench.end(bench.start(bench.job("echo 1 > result")))
    assert isinstance(ended, NotBegun) and "does not know who you are" in ended.reason
    assert "git config --global user.name" in ended.reason
    assert not (bench.tree / "result").exists()
    assert isinstance(bench.do("touch done", plain=True).state, Ended)
    assert (bench.tree / "done").exists()


@pytest.mark.slow
def test_folders_that_a_job_locked_are_cleared_up_like_others(bench: Bench) -> None:
    folder = "04_dataframes/240226I/LSD"
    kept = bench.tidy(bench.do(f"cd {folder}; rm F.pkl; mkdir in; echo 1 > in/new; chmod 555 in .; false"))
    assert kept and (kept / folder / "in/new").read_text() == "1\n"
    assert bench.dirt() == "" and (bench.tree / folder / "F.pkl").exists()


@pytest.mark.slow
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


def test_a_file_that_a_failed_job_left_in_code_does_not_keep_the_next_one_from_starting(bench: Bench) -> None:
    job = bench.do("echo 1 > code/scratch; false")
    assert "scratch" in (over(job).detail or "")
    kept = bench.tidy(job)
    assert kept is not None and (kept / "code/scratch").read_text() == "1\n"
    assert over(bench.do("echo 1 > out")).outcome is Outcome.SUCCEEDED


def test_what_somebody_wrote_after_a_job_had_ended_stays(bench: Bench) -> None:
    job = bench.do("echo 1 > left; false")
    for place in ("mine", "inputs/L5b_2p/mine", "code/mine"):
        (bench.tree / place).write_text("mine\n")
    kept = bench.tidy(job)
    assert kept is not None and texts_in(kept) == {"left": "1\n"}
    for place in ("mine", "inputs/L5b_2p/mine", "code/mine"):
        assert (bench.tree / place).read_text() == "mine\n"


def test_nothing_is_cleared_away_while_somebody_else_works_in_the_tree(bench: Bench) -> None:
    job = bench.do("echo 1 > left; false")
    with subprocess.Popen(["cat"], cwd=bench.tree, stdin=subprocess.PIPE) as other:
        with pytest.raises(Busy, match=f"cat .pid {other.pid}"):
            bench.tidy(job)
        assert (bench.tree / "left").exists()
        other.communicate()
    assert bench.tidy(job) is not None


def test_a_lock_that_another_git_took_after_the_job_is_let_be(bench: Bench) -> None:
    job = bench.do("echo 1 > left; false")
    lock = Path(bench.lab.git("rev-parse", "--absolute-git-dir", cwd=bench.tree)) / "index.lock"
    lock.touch()
    with pytest.raises(Busy, match=r"index\.lock"):
        bench.tidy(job)
    assert lock.exists() and (bench.tree / "left").exists()


def test_a_lock_that_clearing_up_left_when_it_was_killed_does_not_stop_the_next(bench: Bench) -> None:
    job = bench.do("echo 1 > left; false")
    bench.folder(job).begin_clearing()
    inputs = bench.tree / "inputs/L5b_2p"
    lock = Path(bench.lab.git("rev-parse", "--absolute-git-dir", cwd=inputs)) / "index.lock"
    lock.touch()
    assert bench.tidy(job) is not None and not lock.exists()


@pytest.mark.slow
@pytest.mark.parametrize("ref", ["refs/annex/last-index", "refs/heads/git-annex", "refs/heads/runs"])
def test_a_lock_of_a_ref_that_a_killed_git_left_does_not_stop_the_next_job(bench: Bench, ref: str) -> None:
    bench.do("echo 1 > out", outputs=("out",))
    lock = bench.lab.main / ".git" / f"{ref}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    job = bench.do(f"touch {shlex.quote(str(lock))}; exit 3", plain=True)
    bench.tidy(job)
    assert not lock.exists()
    assert over(bench.do("echo 2 > out", outputs=("out",))).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize(
    ("meddle", "word"),
    [
        ("echo '# mine' >> code/src/process2p/plot.py", "was written to"),
        ("chmod +x code/src/process2p/plot.py", "was written to"),
        ("echo '# mine' >> code/src/process2p/plot.py; false", "was written to"),
        ("chmod +x code/src/process2p/plot.py; false", "was written to"),
        ("git -C code commit -q --allow-empty -m mine", "was taken from"),
        ("git -C code checkout -q --detach HEAD && git -C code checkout -q -b other", "elsewhere and back"),
    ],
)
def test_a_job_under_which_code_was_changed_has_not_succeeded_and_code_goes_back(
    bench: Bench, meddle: str, word: str
) -> None:
    before = bench.lab.commit("HEAD", bench.project.run_code)
    job = bench.do(meddle)
    assert over(job).outcome is Outcome.FAILED
    assert word in (over(job).detail or ""), over(job).detail
    left = bench.clear(job)
    assert bench.lab.commit("HEAD", bench.project.run_code) == before
    assert bench.lab.git("branch", "--show-current", cwd=bench.project.run_code) == ""
    assert bench.lab.git("status", "--porcelain", cwd=bench.project.run_code) == ""
    assert f"is back at {before[:10]}" in str(left.notes)


def test_code_that_was_taken_elsewhere_and_back_under_a_job_is_noticed(bench: Bench) -> None:
    there_and_back = "git -C code checkout -q --detach HEAD~1; git -C code checkout -q --detach -"
    bench.lab.change_code("v2", "a second version")
    bench.lab.git("checkout", "-q", "--detach", bench.lab.move_bookmark(), cwd=bench.project.run_code)
    save_all(bench)
    job = bench.do(f"{there_and_back}; echo 1 > out")
    assert over(job).outcome is Outcome.FAILED
    assert "elsewhere and back" in (over(job).detail or "")


def test_housekeeping_of_git_under_a_job_is_not_taken_for_a_move_of_code(bench: Bench) -> None:
    """It writes all reflogs anew, also those of other work trees, and somewhat different."""
    assert over(bench.do("git -C code gc -q; git gc -q", plain=True)).outcome is Outcome.SUCCEEDED


def test_bytecode_and_a_plain_jobs_declared_outputs_in_code_are_nobodys_code(bench: Bench) -> None:
    compiled = "mkdir -p code/x/__pycache__ && touch code/x/__pycache__/y.pyc && touch code/nohup.out"
    state = over(bench.do(f"{compiled}; echo 1 > code/out.txt", plain=True, outputs=("code/out.*",)))
    assert (state.outcome, state.detail) == (Outcome.SUCCEEDED, None)


def test_a_superdataset_that_a_job_took_off_its_branch_goes_back_and_loses_nothing(bench: Bench) -> None:
    job = bench.do("git checkout -q -b side; echo 1 > out; git add out; git commit -qm mine", plain=True)
    assert over(job).outcome is Outcome.FAILED
    assert "left its branch runs" in (over(job).detail or "")
    mine = bench.head()
    left = bench.clear(job)
    assert bench.lab.git("branch", "--show-current", cwd=bench.tree) == "runs"
    assert "is back on runs" in str(left.notes) and f"left/{job.id}.1" in str(left.notes)
    assert bench.lab.commit(f"refs/wtwatch/L5b/left/{job.id}.1", bench.tree) == mine
    assert bench.dirt() == ""


def test_nothing_starts_in_a_tree_that_is_off_its_branch(bench: Bench) -> None:
    bench.lab.git("checkout", "-q", "--detach", cwd=bench.tree)
    (problem,) = bench.hindrances(bench.job("true"))
    assert "is on no branch" in problem and "branch kept-results" in problem and "checkout runs" in problem


def test_a_file_that_came_between_the_look_and_the_command_is_no_jobs(bench: Bench) -> None:
    job = bench.job("echo 1 > out")
    demanded = bench.demands(job)
    (bench.tree / "mine").write_text("mine\n")
    ended = bench.end(bench.launch(job, demanded))
    assert isinstance(ended, NotBegun) and "mine: not saved" in ended.reason
    assert (bench.tree / "mine").exists() and not (bench.tree / "out").exists()
