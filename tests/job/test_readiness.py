"""What keeps a job from starting is named, and what does not keep it is no trouble."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest

from tests.job.bench import RAW, TABLE, Bench
from wtwatch.doors.repo import Repo
from wtwatch.job.readiness import hidden_edits
from wtwatch.tree import hidden


def test_a_tree_that_is_not_clean_keeps_jobs_from_starting_and_names_the_files(bench: Bench) -> None:
    for name in ("a b.txt", "b.txt", "c.txt", "d.txt", "inputs/L5b_2p/größe"):
        (bench.tree / name).write_text("")
    above, inside = bench.hindrances(bench.job("true"))
    assert above.startswith("a b.txt, b.txt, c.txt and 1 more: not saved")
    assert inside.startswith("inputs/L5b_2p/größe: not saved")


def test_an_edit_of_code_is_told_from_a_new_file_and_the_way_out_undoes_it(bench: Bench) -> None:
    code, path = bench.project.run_code, "src/process2p/version.py"
    (code / path).write_text("VERSION = 'mine'\n")
    (code / "new.py").write_text("")
    edited, new = bench.hindrances(bench.job("true"))
    assert edited.startswith(f"{path} in {code}: not as the applied commit has it.")
    assert new.startswith(f"new.py in {code}: not part of the applied commit.")
    bench.lab.say(*shlex.split(edited.partition("To undo that: ")[2]))
    assert bench.hindrances(bench.job("true")) == [new]


def test_an_operation_under_way_keeps_jobs_from_starting(bench: Bench) -> None:
    git_dir = Path(bench.lab.git("rev-parse", "--absolute-git-dir", cwd=bench.tree))
    (git_dir / "MERGE_HEAD").write_text(bench.head() + "\n")
    (problem,) = bench.hindrances(bench.job("true"))
    assert "merge" in problem


def test_what_lies_in_a_subdataset_that_is_not_there_is_named(bench: Bench) -> None:
    shutil.rmtree(bench.tree / "inputs/L5b_2p")
    (bench.tree / "inputs/L5b_2p").mkdir()
    for declared in (RAW, "inputs/L5b_2p", "./inputs/L5b_2p/*/LSD/data.bin", "inputs/*/x"):
        (problem,) = bench.hindrances(bench.job("true", inputs=(declared,)))
        assert "datalad get -n inputs/L5b_2p" in problem
    assert bench.hindrances(bench.job("true", inputs=(TABLE, "inputs"))) == []


@pytest.mark.parametrize("mark", ["skip-worktree", "assume-unchanged"])
def test_an_edit_that_git_was_told_not_to_look_at_keeps_jobs_from_starting(bench: Bench, mark: str) -> None:
    code = bench.project.run_code
    other, edited = "pyproject.toml", "src/process2p/version.py"
    bench.lab.git("update-index", f"--{mark}", other, edited, cwd=code)
    demanded = bench.demands(bench.job("true"))
    assert hidden_edits(demanded) == [], "marked, and as it should be"
    (code / edited).write_text("VERSION = 'mine'\n")
    assert bench.dirt() == "" and bench.hindrances(bench.job("true")) == []
    (problem,) = hidden_edits(demanded)
    assert edited in problem and other not in problem
    way_out = problem.partition("To have git see it: ")[2]
    bench.lab.say(*shlex.split(way_out))
    assert hidden_edits(demanded) == [] and edited in bench.dirt() + bench.hindrances(bench.job("true"))[0]


def test_a_sparse_checkout_is_no_edit_but_a_deletion_that_git_does_not_see_is(bench: Bench) -> None:
    code, path = bench.project.run_code, "src/process2p/version.py"
    for mark, said in (("skip-worktree", []), ("assume-unchanged", [path])):
        bench.lab.git("update-index", f"--{mark}", path, cwd=code)
        (code / path).unlink()
        assert list(hidden.edits(Repo(code))) == said
        bench.lab.git("update-index", f"--no-{mark}", path, cwd=code)
        bench.lab.git("checkout", "-q", "--", path, cwd=code)
