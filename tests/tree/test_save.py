from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from tests.gits import counted_gits
from tests.house import House
from tests.lab import Lab
from tests.room import let_git_know_nobody
from wtwatch.doors.repo import Repo
from wtwatch.project.tree import RunTree
from wtwatch.reconcile import TickOptions, tick
from wtwatch.tree import save
from wtwatch.words.errors import CommandFailed, NoIdentity, WtwatchError
from wtwatch.words.model import Sha


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House.built(tmp_path / "p")


def at(house: House, *args: str) -> str:
    """Run git in the run tree's superdataset."""
    return house.git(*args, cwd=house.project.run_tree)


def moved(house: House, text: str) -> Sha:
    """Move code and the run tree to a new commit; return it."""
    tip = house.commit({"a.py": text})
    house.sync()
    return tip


def test_the_commit_changes_the_gitlink_alone(house: House) -> None:
    old = house.head()
    run = house.project.run_tree
    (run / "staged").write_text("s")
    at(house, "add", "staged")
    (run / "untracked").write_text("u")
    (run / ".gitmodules").write_text((run / ".gitmodules").read_text() + "# open edit\n")
    before = at(house, "status", "--porcelain", "-uall")
    new = moved(house, "2")
    made = save.record(house.tree, new, foldable=False)
    assert made == house.head(run)
    raw = at(house, "diff-tree", "-r", "--name-status", "HEAD~1", "HEAD")
    assert raw == "M\tcode" and at(house, "rev-parse", "HEAD:code") == new
    assert at(house, "status", "--porcelain", "-uall") == before
    message = at(house, "log", "-1", "--format=%B")
    assert old in message and new in message and "more" in message.splitlines()[0]
    assert house.git("rev-parse", f"refs/wtwatch/keep/{new}") == new
    assert save.record(house.tree, new, foldable=True) is None


def test_code_may_lie_deeper(tmp_path: Path) -> None:
    house = House.built(tmp_path / "p", code="sub/code")
    new = moved(house, "2")
    save.record(house.tree, new, foldable=False)
    assert at(house, "rev-parse", "HEAD:sub/code") == new
    assert at(house, "status", "--porcelain") == ""


def test_one_fix_in_several_moves_is_one_commit(house: House) -> None:
    base, run = house.head(house.project.run_tree), house.project.run_tree
    first = house.head()
    for text in ("2", "3", "4"):
        save.record(house.tree, moved(house, text), foldable=True)
    assert at(house, "rev-parse", "HEAD~1") == base
    assert at(house, "rev-parse", "HEAD:code") == house.head()
    house.git("update-ref", "refs/heads/runs", first)
    house.sync()
    assert save.record(house.tree, first, foldable=True) == base == house.head(run)
    assert at(house, "status", "--porcelain") == ""


@pytest.mark.parametrize(
    "known",
    ["used", "branch", "tag", "remote", "worktree", "not ours", "edited message", "amended with a file"],
)
def test_a_pointer_commit_that_somebody_knows_is_not_replaced(
    house: House, tmp_path: Path, known: str
) -> None:
    save.record(house.tree, moved(house, "2"), foldable=True)
    refs = {"branch": "refs/heads/other", "tag": "refs/tags/v1", "remote": "refs/remotes/origin/runs"}
    if known in refs:
        at(house, "update-ref", refs[known], "HEAD")
    elif known == "worktree":
        at(house, "worktree", "add", "-q", "--detach", str(tmp_path / "another"))
    elif known == "not ours":
        at(house, "commit", "-q", "--allow-empty", "-m", "by hand")
    elif known == "edited message":
        at(house, "commit", "-q", "--amend", "-m", "by hand")
    elif known == "amended with a file":
        (house.project.run_tree / "mine").write_text("mine\n")
        at(house, "add", "mine")
        at(house, "commit", "-q", "--amend", "--no-edit")
    before = house.head(house.project.run_tree)
    save.record(house.tree, moved(house, "3"), foldable=known != "used")
    assert at(house, "rev-parse", "HEAD~1") == before


def test_a_branch_that_moves_meanwhile_is_not_overwritten(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = moved(house, "2")
    made = save._commit

    def slow(*args: object) -> Sha:
        at(house, "commit", "-q", "--allow-empty", "-m", "meanwhile")
        return made(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(save, "_commit", slow)
    with pytest.raises(CommandFailed):
        save.record(house.tree, new, foldable=False)
    monkeypatch.undo()
    assert at(house, "log", "-1", "--format=%s") == "meanwhile"
    save.record(house.tree, new, foldable=False)
    assert at(house, "log", "-1", "--format=%s", "HEAD~1") == "meanwhile"
    assert at(house, "status", "--porcelain") == ""


def test_a_pointer_names_its_author_or_is_not_saved(house: House) -> None:
    new = moved(house, "2")
    before = house.head(house.project.run_tree)
    let_git_know_nobody(Path.home())
    with pytest.raises(NoIdentity, match="does not know who you are") as refused:
        save.record(house.tree, new, foldable=False)
    assert house.head(house.project.run_tree) == before
    for command in str(refused.value.hint).split("; "):
        house.git(*shlex.split(command)[1:])
    assert save.record(house.tree, new, foldable=False)
    assert at(house, "log", "-1", "--format=%an %ae") == "Your Name you@example.org"


def test_a_crash_between_branch_and_index_is_made_good(house: House) -> None:
    new = moved(house, "2")
    lock = Path(at(house, "rev-parse", "--absolute-git-dir")) / "index.lock"
    lock.touch()
    with pytest.raises(CommandFailed):
        save.record(house.tree, new, foldable=False)
    lock.unlink()
    assert at(house, "rev-parse", "HEAD:code") == new and at(house, "status", "--porcelain") != ""
    assert save.pointer_of(house.tree).cut_off
    assert save.record(house.tree, new, foldable=False) is None
    assert at(house, "status", "--porcelain") == "" and not save.pointer_of(house.tree).cut_off


@pytest.mark.parametrize("branch", [("--detach",), ("-b", "mine")])
def test_a_superdataset_that_is_not_on_its_branch_is_refused(house: House, branch: tuple[str, ...]) -> None:
    new = moved(house, "2")
    at(house, "checkout", "-q", *branch)
    before = house.head(house.project.run_tree)
    with pytest.raises(WtwatchError) as said:
        save.record(house.tree, new, foldable=False)
    assert said.value.hint and said.value.hint.endswith("checkout runs")
    assert house.head(house.project.run_tree) == before


def test_commits_that_results_name_outlive_a_squash_and_gc(house: House) -> None:
    start = house.head(house.project.run_tree)
    named = house.commit({"a.py": "2"})
    at(house, "update-index", "--cacheinfo", f"160000,{named},code")
    at(house, "commit", "-qm", "by hand")
    at(house, "update-index", "--cacheinfo", f"160000,{house.head()},code")
    at(house, "commit", "-qm", "back")
    save.keep_named(house.tree, start)
    house.git("reset", "-q", "--hard", "HEAD~1")
    house.git("update-ref", "refs/heads/runs", "HEAD")
    house.git("reflog", "expire", "--expire=now", "--all")
    house.git("gc", "-q", "--prune=now")
    assert house.git("cat-file", "-t", named) == "commit"


def test_the_commit_is_what_datalad_would_have_saved(lab: Lab) -> None:
    lab.handmade_run_tree()
    project = lab.project()
    project.state.mkdir(parents=True)
    new = lab.change_code("2", "another version")
    lab.git("checkout", "-q", "--detach", new, cwd=lab.run_code)
    start = lab.git("rev-parse", "HEAD", cwd=lab.run)
    save.record(RunTree.of(project), new, foldable=False)
    ours = lab.git("rev-parse", "HEAD^{tree}", cwd=lab.run)
    said = lab.datalad("-f", "json", "status", "-e", "commit", cwd=lab.run).splitlines()
    assert {json.loads(line)["state"] for line in said} <= {"clean"}
    lab.git("reset", "-q", "--mixed", start, cwd=lab.run)
    lab.datalad("save", "-d", ".", "code", cwd=lab.run)
    assert lab.git("rev-parse", "HEAD^{tree}", cwd=lab.run) == ours
    assert Repo(lab.run).subject("HEAD")


def test_a_lock_that_a_killed_git_left_on_a_keep_ref_is_no_hindrance(house: House) -> None:
    new = moved(house, "2")
    lock = house.project.main_code / ".git" / f"refs/wtwatch/keep/{new}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.touch()
    assert save.record(house.tree, new, foldable=False)
    assert house.git("rev-parse", f"refs/wtwatch/keep/{new}") == new


@pytest.mark.parametrize(
    "left", ["refs/heads/runs.lock", "worktrees/run/index.lock", "worktrees/run/HEAD.lock"]
)
def test_locks_of_a_pointer_that_was_cut_off_are_no_hindrance(house: House, left: str) -> None:
    new = moved(house, "2")
    house.tree.journal("pointer").open({"to": new})
    (house.project.main_tree / ".git" / left).touch()
    assert save.record(house.tree, new, foldable=False)
    assert at(house, "rev-parse", "HEAD:code") == new and at(house, "status", "--porcelain") == ""


def test_many_commits_that_results_name_are_kept_by_so_many_gits_whatever_their_number(
    house: House, tmp_path: Path
) -> None:
    start = house.head(house.project.run_tree)
    named = [house.commit({"a.py": f"{number}"}, bookmark=False) for number in range(30)]
    for commit in [*named, "1" * 40]:  # the last is not here
        at(house, "update-index", "--cacheinfo", f"160000,{commit},code")
        at(house, "commit", "-qm", "by hand")
    with counted_gits(tmp_path / "trace") as gits:
        save.keep_named(house.tree, start)
        assert 0 < gits() <= 5
    kept = house.git("for-each-ref", "--format=%(objectname)", "refs/wtwatch/keep/")
    assert set(kept.split()) == set(named)


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("before", ["update_ref", "git"], ids=["the branch", "the index"])
def test_a_move_that_ended_before_its_pointer_was_saved_goes_on_there(
    house: House, before: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One journal leads over both, from the first file that a move touches to the index of the pointer."""
    new = house.commit({"a.py": "2"})
    done = getattr(Repo, before)

    def dies(self: Repo, *words: str, **more: object) -> object:
        at_it = words[0] in ("refs/heads/runs", "update-index")
        if self.path == house.project.run_tree and at_it:
            raise Killed
        return done(self, *words, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Repo, before, dies)
        with pytest.raises(Killed):
            tick(house.project, TickOptions())
    house.assert_exactly_at(new)
    assert save.pointer_of(house.tree).cut_off
    assert tick(house.project, TickOptions()).waits is None
    assert at(house, "rev-parse", "HEAD:code") == new and at(house, "status", "--porcelain") == ""
    assert not save.pointer_of(house.tree).cut_off


def test_a_pointer_that_is_refused_has_begun_nothing(house: House) -> None:
    new = house.commit({"a.py": "2"})
    let_git_know_nobody(Path.home())
    lock = Path(at(house, "rev-parse", "--absolute-git-dir")) / "index.lock"
    for _ in range(2):
        assert "does not know who you are" in (tick(house.project, TickOptions()).waits or "")
        house.assert_exactly_at(new)
        assert not save.pointer_of(house.tree).cut_off
        lock.touch()  # of a git that somebody runs there
    assert lock.exists()
