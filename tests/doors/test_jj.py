from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.lab import Lab
from wtwatch.doors import jj
from wtwatch.project.tree import RunTree
from wtwatch.tree import codetree, sync
from wtwatch.words.errors import WtwatchError


def run_tree(lab: Lab) -> None:
    """Put code's work tree of a run tree at the bookmark; the superdataset is beside the point."""
    lab.move_bookmark()
    lab.git("worktree", "add", "-q", "--detach", str(lab.run))
    lab.git("worktree", "add", "-q", "--detach", str(lab.run_code), "runs", cwd=lab.code)
    lab.git("update-ref", RunTree.of(lab.project()).applied_ref, "runs", cwd=lab.code)
    lab.project().state.mkdir(parents=True)


def test_a_bookmark_is_read_set_and_named(jj_lab: Lab) -> None:
    code = jj_lab.code
    tip = jj_lab.move_bookmark()
    assert jj.drives(code) and jj.installed()
    assert jj.bookmark(code, "runs") == jj.Bookmark((tip,), tip)
    assert jj.bookmark(code, 'odd "name"*') == jj.Bookmark((), None)
    new = jj_lab.change_code("2", "two")
    before = jj.operation(code)
    jj.set_bookmark(code, "runs", "@-")
    assert jj.operation(code) != before
    assert jj.bookmark(code, "runs").targets == (new,)
    assert jj.revisions(code, "runs") == [jj.Revision(new, "two", root=False, working_copy=False)]
    jj.set_bookmark(code, "runs", tip)
    assert jj.bookmark(code, "runs").targets == (tip,)
    assert [found.commit for found in jj.revisions(code, f"{tip} | {new}")] == [new, tip]
    assert jj.revisions(code, "none()") == []
    (root,), (edited,) = jj.revisions(code, "root()"), jj.revisions(code, "@")
    assert root.root and edited.working_copy and not (root.working_copy or edited.root)


def test_an_open_edit_is_seen(jj_lab: Lab) -> None:
    assert jj.working_copy_is_empty(jj_lab.code)
    jj_lab.edit_version("9")
    assert not jj.working_copy_is_empty(jj_lab.code)


def test_every_move_of_jj_brings_the_tree_to_the_tip(jj_lab: Lab) -> None:
    run_tree(jj_lab)
    project = jj_lab.project()
    first = jj_lab.commit("runs")
    for way in ("commit", "amend", "back"):
        new = {"commit": jj_lab.change_code, "amend": lambda *_: jj_lab.amend_code("3")}.get(way)
        tip = jj_lab.move_bookmark(new("2", "two") if new else first)
        step = sync.next_step(RunTree.of(project), codetree.facts_of(RunTree.of(project)))
        assert isinstance(step, sync.Move)
        assert sync.apply(RunTree.of(project), step) is None
        assert jj_lab.commit("HEAD", jj_lab.run_code) == tip
        assert jj_lab.git("status", "--porcelain", cwd=jj_lab.run_code) == ""
        assert sync.next_step(RunTree.of(project), codetree.facts_of(RunTree.of(project))) == sync.Fresh()


def test_conflicted_and_deleted_bookmarks_block(jj_lab: Lab) -> None:
    run_tree(jj_lab)
    project = jj_lab.project()
    first, two = jj_lab.commit("runs"), jj_lab.change_code("2", "two")
    jj_lab.jj("new", "--quiet", first)
    three = jj_lab.change_code("3", "three")
    base = jj_lab.jj("op", "log", "--no-graph", "--limit", "1", "-T", "id")
    for target in (two, three):  # at once, as from two machines
        jj_lab.jj("bookmark", "set", "--quiet", "runs", "-r", target, "--at-operation", base)
    jj_lab.jj("status")
    assert len(jj.bookmark(jj_lab.code, "runs").targets) > 1
    for force in (False, True):
        refused = sync.next_step(RunTree.of(project), codetree.facts_of(RunTree.of(project)), force)
        assert isinstance(refused, sync.Blocked) and "conflicted" in refused.reason
    jj_lab.jj("bookmark", "delete", "--quiet", "runs")
    refused = sync.next_step(RunTree.of(project), codetree.facts_of(RunTree.of(project)))
    assert isinstance(refused, sync.Blocked) and "deleted" in refused.reason


WORKTREE = ("git", "-C", "first", "worktree", "add", "--quiet", "--detach", "../code")
INIT = ("jj", "--quiet", "git", "init")
LAID_OUT: dict[str, tuple[tuple[str, ...], ...]] = {
    "a folder .git": (("git", "init", "--quiet", "code"), (*INIT, "code")),
    "none, git hidden": ((*INIT, "--no-colocate", "code"),),
    "none, git elsewhere": (("git", "init", "--quiet", "other"), (*INIT, "--git-repo", "other", "code")),
    "none, a second workspace": (
        (*INIT, "first"),
        ("jj", "--quiet", "-R", "first", "workspace", "add", "--no-colocate", "code"),
    ),
    "a worktree": (WORKTREE, (*INIT, "code")),
    "a worktree whose git directory is named": (
        WORKTREE,
        (*INIT, "--git-repo", "first/.git/worktrees/code", "code"),
    ),
    "a worktree whose repository is named": (WORKTREE, (*INIT, "--git-repo", "first", "code")),
    "a git directory elsewhere": (
        ("git", "init", "--quiet", "--separate-git-dir=git", "code"),
        (*INIT, "code"),
    ),
    "a git directory elsewhere that is named": (
        ("git", "init", "--quiet", "--separate-git-dir=git", "code"),
        (*INIT, "--git-repo", "git", "code"),
    ),
}
"""How the git directory of code lies, and what makes it so."""


@pytest.mark.parametrize("layout", LAID_OUT)
def test_whether_jj_tells_git_at_once_is_known_as_jj_knows_it(tmp_path: Path, layout: str) -> None:
    (tmp_path / "code").mkdir()
    say(tmp_path, "git", "init", "--quiet", "first")
    say(tmp_path / "first", "git", "commit", "--quiet", "--allow-empty", "-m", "one")
    for words in LAID_OUT[layout]:
        say(tmp_path, *words)
    code = tmp_path / "code"
    told = jj.is_colocated(code)
    assert told == ("is currently colocated" in say(code, "jj", "git", "colocation", "status"))
    assert told != ("none" in layout)
    if told:
        say(code, "jj", "--quiet", "commit", "-m", "two")
        say(code, "jj", "--quiet", "bookmark", "set", "runs", "-r", "@-")
        assert say(code, "git", "log", "--format=%s", "-1", "runs") == "two\n"


def say(where: Path, *words: str) -> str:
    done = subprocess.run(words, cwd=where, check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"{words}: {done.stderr}"
    return done.stdout


def test_no_jj_on_the_path_is_said_with_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(WtwatchError, match="jj is not on PATH") as said:
        jj.bookmark(tmp_path, "runs")
    assert said.value.hint
