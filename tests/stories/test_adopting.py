"""A run tree that was made by hand, as in the story, is taken over with all that is in it."""

from __future__ import annotations

from tests.lab import Lab
from tests.stories.findings import follows, is_clean, pointer, set_settings
from wtwatch.words.model import Sha


def leave_work_in(lab: Lab) -> None:
    """Edit a file of code, leave a new one there, and mark the environment."""
    (lab.run_code / ".gitignore").write_text("# mine\n" + (lab.run_code / ".gitignore").read_text())
    (lab.run_code / "notes.txt").write_text("mine\n")
    (lab.run_code / ".venv" / "mark").write_text("mine\n")


def assert_adopted(lab: Lab, tip: Sha) -> None:
    assert lab.git("symbolic-ref", "-q", "HEAD", cwd=lab.run_code, code=1) == ""
    assert lab.git("symbolic-ref", "--short", "HEAD", cwd=lab.run) == "runs"
    assert lab.commit("HEAD", lab.run_code) == tip
    assert lab.commit("runs") == tip
    assert pointer(lab) == tip
    assert (lab.run_code / "notes.txt").read_text() == "mine\n"
    assert (lab.run_code / ".venv" / "mark").read_text() == "mine\n"


def test_a_tree_on_the_branch_is_detached_where_it_stands(any_lab: Lab) -> None:
    lab = any_lab
    lab.handmade_run_tree()
    (lab.run_code / "notes.txt").write_text("mine\n")
    (lab.run_code / ".venv" / "mark").write_text("mine\n")
    tip = lab.commit("runs")
    assert "Adopted" in lab.wtwatch("init").out
    assert_adopted(lab, tip)
    lab.wtwatch("status", code=0)
    lab.git("branch", "--force", "runs", tip, cwd=lab.code)  # git refuses that while a worktree is on it


def test_a_tree_whose_branch_moved_before_is_brought_along_and_loses_nothing(any_lab: Lab) -> None:
    """A jj of today detaches such a tree where it stands; in plain git, the branch is moved by update-ref."""
    lab = any_lab
    lab.handmade_run_tree()
    leave_work_in(lab)
    new = lab.change_code("v2", "a second version")
    if lab.driver == "jj":
        lab.move_bookmark()
        assert lab.git("symbolic-ref", "-q", "HEAD", cwd=lab.run_code, code=1) == ""
    else:
        lab.git("update-ref", "refs/heads/runs", new, cwd=lab.code)
        assert lab.git("symbolic-ref", "--short", "HEAD", cwd=lab.run_code) == "runs"
    assert '"v1"' in (lab.run_code / "src" / "process2p" / "version.py").read_text()

    lab.wtwatch("init")
    assert_adopted(lab, new)
    assert '"v2"' in (lab.run_code / "src" / "process2p" / "version.py").read_text()
    assert lab.git("status", "--porcelain", "--untracked-files=no", cwd=lab.run_code) == ""
    assert lab.status()["backups"] == 1
    [ref] = lab.git("for-each-ref", "--format=%(refname)", "refs/wtwatch/L5b/backup", cwd=lab.code).split()
    assert "+# mine" in lab.wtwatch("backups", "show", ref.split("/")[-1]).out
    lab.wtwatch("status", code=1)
    lab.wtwatch("ack", "--all")
    lab.wtwatch("status", code=0)


def test_a_tree_on_a_branch_that_moves_while_the_daemon_runs_follows_each_time(lab: Lab) -> None:
    """As an older jj leaves it: the tree is put on the branch again, and the branch moves from outside."""
    lab.handmade_run_tree()
    lab.wtwatch("init")
    set_settings(lab, settle=0.0)
    with lab.daemon():
        for version in ("v2", "v3"):
            lab.git("checkout", "--quiet", "runs", cwd=lab.run_code)
            new = lab.change_code(version, "another version")
            lab.git("update-ref", "refs/heads/runs", new, cwd=lab.code)
            follows(lab, new)
            assert f'"{version}"' in (lab.run_code / "src" / "process2p" / "version.py").read_text()
    assert is_clean(lab, lab.run)
    assert lab.status()["backups"] == 0
