"""A project whose code is paths of its superdataset: forgotten, begun anew, moved, its results made again."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Say
from tests.house import write
from tests.lab import eventually
from wtwatch.project.config import Project, read_project
from wtwatch.queue.jobs import Queue
from wtwatch.reconcile import Done, TickOptions, tick


def git(where: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=where, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, f"{words}: {done.stderr}"
    return done.stdout.strip()


def save(tree: Path, message: str = "more", **files: str) -> str:
    for name, text in files.items():
        write(tree, name.replace("__", "/"), text)
    git(tree, "add", "-A")
    git(tree, "commit", "-q", "-m", message)
    return git(tree, "rev-parse", "HEAD")


@pytest.fixture
def main(tmp_path: Path, say: Say) -> Path:
    """A superdataset of plain git with a project, as `init` makes it."""
    main = tmp_path / "all" / "main"
    write(main, ".datalad/config", '[datalad "dataset"]\n\tid = 1-2-3\n')
    write(main, "code/go", "echo v1 > out/$1\n")
    git(main, "init", "-q", "-b", "main")
    save(main)
    say(main, "init", "--env", "none")
    return main


def project_of(main: Path) -> Project:
    return read_project(main / ".git/wtwatch/main/config.toml")


def follows(say: Say, main: Path, text: str) -> None:
    """Assert that a release of code comes, and a result goes home."""
    save(main, code__go=text)
    say(main, "release")
    say(main, "sync")
    run = project_of(main).run_tree
    assert (run / "code/go").read_text() == text
    save(run, "[DATALAD RUNCMD] a job", out__last=text)
    say(main, "merge")
    assert (main / "out/last").read_text() == text
    assert tick(project_of(main), TickOptions()) == Done()


def test_one_that_was_forgotten_is_taken_up_as_it_was(main: Path, say: Say) -> None:
    run = project_of(main).run_tree
    save(run, "[DATALAD RUNCMD] a job", out__x="1\n")
    say(main, "sync")
    say(main, "forget")
    save(run, "[DATALAD RUNCMD] a job", out__y="1\n")
    save(main, code__go="v2\n")
    assert "follows the bookmark runs-code" in say(main, "init").out
    say(main, "merge")
    assert (main / "out/x").exists() and (main / "out/y").exists()
    follows(say, main, "v3\n")


@pytest.mark.parametrize("state", [True, False], ids=["with its state", "without"])
def test_one_that_was_forgotten_with_its_run_tree_and_branch_begins_anew(
    main: Path, say: Say, state: bool
) -> None:
    run = project_of(main).run_tree
    save(run, "[DATALAD RUNCMD] a job", out__x="1\n")
    save(main, code__go="v2\n")
    say(main, "release")
    say(main, "sync")
    say(main, "forget")
    git(main, "worktree", "remove", "--force", str(run))
    git(main, "branch", "-q", "-D", "runs")
    if not state:
        shutil.rmtree(main / ".git/wtwatch/main")
    save(main, code__go="draft\n")
    assert "follows the bookmark runs-code" in say(main, "init", "--env", "none").out
    assert (run / "code/go").read_text() == "v2\n" and not (run / "out/x").exists()
    follows(say, main, "v3\n")


def test_a_branch_for_results_that_was_deleted_with_results_is_not_made_anew_without_a_word(
    main: Path, say: Say
) -> None:
    run = project_of(main).run_tree
    had = save(run, "[DATALAD RUNCMD] a job", out__x="1\n")
    say(main, "sync")
    git(main, "worktree", "remove", "--force", "--force", str(run))
    git(main, "branch", "-q", "-D", "runs")
    say(main, "init", code=0)
    told = say(main, "status", code=1).out
    assert had[:10] in told.replace("\n               ", " ") and "all in the main tree" not in told
    git(run, "checkout", "-q", "-B", "runs", had)
    follows(say, main, "v2\n")
    assert (main / "out/x").exists()


@pytest.mark.parametrize("both", [True, False], ids=["with its run tree", "alone"])
def test_one_that_was_moved_is_taken_up(main: Path, say: Say, both: bool) -> None:
    run = project_of(main).run_tree
    write(run, "mine", "mine\n")
    save(run, "[DATALAD RUNCMD] a job", out__x="1\n")
    say(main, "sync")
    to = main.parent.parent / "elsewhere"
    if both:
        main.parent.rename(to)
        run = to / run.name
    else:
        to.mkdir()
        main.rename(to / "main")
    main = to / "main"
    assert "was moved" in say(main, "init").out
    assert project_of(main).run_tree == run and (run / "mine").read_text() == "mine\n"
    follows(say, main, "v2\n")
    assert (main / "out/x").exists()


def done_by_ticks(main: Path) -> None:
    """Have all jobs of a queue run to their ends."""
    queue = Queue(project_of(main).state)

    def over() -> bool:
        tick(project_of(main), TickOptions(start_jobs=True, patience=60.0))
        return all(job.word not in ("waiting", "running") for job in queue.jobs())

    eventually(over, within=60)


def test_results_are_made_again_on_the_code_of_a_later_release(main: Path, say: Say) -> None:
    run = project_of(main).run_tree
    (run / "out").mkdir()
    say(main, "queue", "add", "-o", "out/a", "--", "mkdir -p out; sh code/go a")
    done_by_ticks(main)
    assert (run / "out/a").read_text() == "v1\n"
    first = git(run, "log", "-1", "--format=%H", "--", "out/a")
    say(main, "merge")
    save(main, code__go="echo v2 > out/$1\n")
    say(main, "release")
    say(main, "queue", "rerun", first)
    done_by_ticks(main)
    assert (run / "out/a").read_text() == "v2\n"
    released = git(main, "rev-parse", "runs-code")
    told = say(main, "show", str(run / "out/a")).out
    assert released[:10] in told
    say(main, "merge")
    assert (main / "out/a").read_text() == "v2\n" and (main / "code/go").read_text().startswith("echo v2")


def test_a_backup_is_restored_elsewhere(main: Path, say: Say, tmp_path: Path) -> None:
    run = project_of(main).run_tree
    write(run, "code/go", "mine\n")
    write(run, "code/new", "mine too\n")
    save(main, code__go="v2\n", code__new="theirs\n")
    say(main, "release")
    say(main, "sync")
    listed = say(main, "backups", "list").out
    name = next(word for word in listed.split() if word[:2] == "20" and "T" in word)
    say(main, "backups", "restore", name, "--to", str(tmp_path / "back"))
    found = {path.name: path.read_text() for path in (tmp_path / "back").rglob("*") if path.is_file()}
    assert found == {"go": "mine\n", "new": "mine too\n"}
    assert git(run, "status", "--porcelain") == ""
