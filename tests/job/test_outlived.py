"""Files in output folders that new code makes no more: named, and removed where the settings say so."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.house import House, write
from tests.job.bench import Bench, names_in, over, texts_in
from wtwatch.doors.porcelain import Change
from wtwatch.job import clearing, outlived, stays
from wtwatch.project import config
from wtwatch.queue.jobs import Queue
from wtwatch.tree.diff import FEW
from wtwatch.tree.states import After
from wtwatch.views import status
from wtwatch.words.model import JobSpec, Outcome, Trigger

RECORD = {"cmd": "plot", "pwd": ".", "inputs": [], "extra_inputs": [], "outputs": ["out"]}


def message(**changes: object) -> str:
    record = json.dumps({**RECORD, "exit": 0, **changes})
    return (
        "[DATALAD RUNCMD] plot\n\n=== Do not change lines below ===\n"
        f"{record}\n^^^ Do not change lines above ^^^\n"
    )


def passed_over(root: Path, declared: str, act: Callable[[], object]) -> list[str]:
    for file in root.rglob("*"):  # of another moment than what is done now, however slowly a clock ticks
        os.utime(file, (10**9, 10**9))
    stood = outlived.look(str(root), [declared])
    act()
    return sorted(os.path.relpath(path, root) for path in outlived.left_alone(stood))


def replaced_by_the_same(file: Path) -> None:
    draft = file.with_name("draft")
    draft.write_text(file.read_text())
    times = file.stat()
    os.utime(draft, ns=(times.st_atime_ns, times.st_mtime_ns))
    draft.rename(file)


def test_what_a_command_passes_over_where_it_wrote_others_is_seen(tmp_path: Path) -> None:
    for name in ("a", "b", "deep/c"):
        write(tmp_path, f"out/{name}", "old\n")
    assert passed_over(tmp_path, "out", lambda: write(tmp_path, "out/a", "new\n")) == ["out/b", "out/deep/c"]
    assert passed_over(tmp_path, "out/*", lambda: write(tmp_path, "out/new", "\n")) == [
        "out/a",
        "out/b",
        "out/deep/c",
    ]


def test_what_was_written_anew_as_it_was_is_not_passed_over(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        write(tmp_path, f"out/{name}", "old\n")

    def act() -> None:
        write(tmp_path, "out/a", "old\n")
        replaced_by_the_same(tmp_path / "out/b")

    assert passed_over(tmp_path, "out/", act) == ["out/c"]


def test_a_command_that_makes_only_what_is_not_there_passes_over_nothing(tmp_path: Path) -> None:
    write(tmp_path, "out/a", "old\n")
    assert passed_over(tmp_path, "out", lambda: None) == []


def test_a_declared_file_may_be_passed_over(tmp_path: Path) -> None:
    write(tmp_path, "out/a", "old\n")
    assert passed_over(tmp_path, "out/a", lambda: write(tmp_path, "out/b", "\n")) == []


@pytest.fixture
def made(house: House) -> Callable[..., list[str]]:
    """Ask which of some files a run made before."""
    run = house.project.run_tree

    def ask(*names: str) -> list[str]:
        return outlived.made_before(run, ["", "code"], [str(run / name) for name in names], RECORD)

    return ask


def committed(house: House, text: str, **files: str) -> None:
    for name, content in files.items():
        write(house.project.run_tree, f"out/{name}", content)
    house.git("add", "out", cwd=house.project.run_tree)
    house.git("commit", "-q", "-m", text, cwd=house.project.run_tree)


def test_only_what_the_same_run_made_is_its_own(house: House, made: Callable[..., list[str]]) -> None:
    committed(house, message(), old="1", edited="1", kept="1")
    committed(house, message(cmd="another"), another="1")
    committed(house, message(inputs=["x"]), of_other_inputs="1")
    committed(house, "by hand", hand="1", edited="2")
    committed(house, message(chain=["0" * 40]), kept="2")
    write(house.project.run_tree, "out/untracked", "1")
    names = ("old", "edited", "kept", "another", "of_other_inputs", "hand", "untracked")
    assert made(*(f"out/{name}" for name in names)) == ["out/kept", "out/old"]


def test_a_file_that_a_merge_changed_is_nobodys(house: House, made: Callable[..., list[str]]) -> None:
    run = house.project.run_tree
    committed(house, message(), merged="1", same="1")
    house.git("checkout", "-q", "-b", "side", "HEAD~1", cwd=run)
    committed(house, "side", side="1")
    house.git("checkout", "-q", house.project.bookmark, cwd=run)
    house.git("merge", "-q", "--no-ff", "--no-commit", "side", cwd=run)
    committed(house, "merge", merged="2")
    assert made("out/merged", "out/same") == ["out/same"]


def test_many_files_are_asked_for_at_once(house: House, made: Callable[..., list[str]]) -> None:
    names = {f"f{number}": "1" for number in range(FEW + 1)}
    committed(house, message(), **names, other="1")
    assert made(*(f"out/{name}" for name in names)) == sorted(f"out/{name}" for name in names)


def test_what_is_removed_counts_as_deleted(house: House) -> None:
    run = house.project.run_tree
    committed(house, message(), a="1", b="1")
    write(run, "out/new", "1")
    left = outlived.removed(run, After.of(run, {}), ["out/a", "out/gone"])
    assert not (run / "out/a").exists() and (run / "out/b").exists()
    changes = {change.path: (change.staged, change.unstaged) for change in left.datasets[0].changes}
    assert changes == {"out/a": (".", "D"), "out/new": ("?", "?")}
    assert [state.path for state in left.datasets] == ["", "code"]
    assert isinstance(left.datasets[0].changes[0], Change)


def settings(bench: Bench, **changes: object) -> None:
    bench.project = bench.project._replace(**changes)  # type: ignore[arg-type]
    config.write_project(bench.project)


NEW_CODE = "mkdir -p out; for name in $(cat names); do date +%N > out/$name; done"
"""A command that makes the files that a file names, as new code would others."""


def with_names(bench: Bench, names: str) -> None:
    (bench.tree / "names").write_text(names)
    bench.lab.git("add", "names", cwd=bench.tree)
    bench.lab.git("commit", "-qm", names, cwd=bench.tree)


@pytest.mark.slow
def test_a_rerun_names_what_it_makes_no_more_and_removes_it_if_asked(bench: Bench) -> None:
    (bench.tree / "out").mkdir()
    (bench.tree / "out/by hand").write_text("mine\n")
    bench.lab.git("add", "out", cwd=bench.tree)
    with_names(bench, "a b c.txt")
    bench.do(NEW_CODE, outputs=("out",))
    assert (bench.tree / "out/b").is_symlink(), "a file of the annex"
    with_names(bench, "a")
    job = bench.do(NEW_CODE, outputs=("out",))
    said = "what it does not make any more and is still there: out/b, out/c.txt"
    assert said in (over(job).detail or "")
    assert bench.folder(job).outlived() == (("out/b", "out/c.txt"), False)
    assert names_in(bench, "HEAD") == {"out/a"} and bench.dirt() == ""

    queue = Queue(bench.project.state)
    number = queue.add([JobSpec(NEW_CODE, outputs=("out",))], Trigger.NOW, bench.head())[0].id
    noted = job._replace(id=number)
    bench.folder(noted).path.mkdir(parents=True, exist_ok=True)
    bench.folder(noted).write_outlived(("out/b", "out/c.txt"), removed=False)
    stays.note(bench.place, queue, noted, over(job))
    (found,) = status.describe(bench.project).outlived
    assert (found.job, found.paths, found.number) == (number, ("out/b", "out/c.txt"), 2)

    settings(bench, prune_outputs=True)
    pruned = bench.do(NEW_CODE, outputs=("out",))
    assert "out/b, out/c.txt" in (over(pruned).detail or "") and "was removed" in (over(pruned).detail or "")
    assert names_in(bench, "HEAD") == {"out/a", "out/b", "out/c.txt"} and bench.dirt() == ""
    assert sorted(path.name for path in (bench.tree / "out").iterdir()) == ["a", "by hand"]
    assert status.describe(bench.project).outlived == ()
    stays.note(bench.place, queue, pruned, over(pruned))
    assert queue.outlived() == []


@pytest.mark.slow
def test_a_usage_log_alone_is_no_result_and_is_put_back(bench: Bench) -> None:
    settings(bench, ignore_outputs=("*.log", "logs/"))
    command = "echo same > out; echo ran >> use.log; mkdir -p logs; date +%N > logs/one"
    first = bench.do(command, outputs=("out", "use.log"))
    assert over(first).outcome is Outcome.SUCCEEDED
    assert names_in(bench, "HEAD") == {"out", "use.log", "logs/one"}, "it goes along with a result"
    base = bench.head()
    again = bench.do(command, outputs=("out", "use.log"))
    assert (over(again).outcome, over(again).commits) == (Outcome.UNCHANGED, ())
    assert bench.folder(again).was_ignored() and bench.head() == base
    kept = bench.tidy(again)
    assert kept is not None and texts_in(kept)["use.log"] == "ran\nran\n"
    assert bench.dirt() == "" and (bench.tree / "use.log").read_text() == "ran\n"
    assert clearing.GOOD
    changed = bench.do(command.replace("same", "other"), outputs=("out", "use.log"))
    assert over(changed).outcome is Outcome.SUCCEEDED and "use.log" in names_in(bench, "HEAD")


@pytest.mark.slow
def test_an_empty_folder_where_a_file_was_leaves_the_tree_clean(bench: Bench) -> None:
    settings(bench, prune_outputs=True)
    with_names(bench, "a b")
    bench.do(NEW_CODE, outputs=("out",))
    with_names(bench, "a")
    command = f"{NEW_CODE}; mkdir out/b.d; rm out/b; mv out/b.d out/b"  # a folder where the file was
    state = over(bench.do(command, outputs=("out",)))
    assert state.outcome is Outcome.SUCCEEDED and bench.dirt() == ""
