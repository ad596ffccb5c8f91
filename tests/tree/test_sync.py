from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.house import FILES, House
from wtwatch.doors.repo import Repo
from wtwatch.project.config import Project
from wtwatch.project.tree import RunTree
from wtwatch.tree import backups, codetree, contents, restoring, sync
from wtwatch.tree.codetree import Facts
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Freshness, Sha

A, B, C = (Sha(letter * 40) for letter in "abc")
PROJECT = Project("p", Path("/s"), Path("/m"), Path("/r"))
FRESH = Facts(head=A, parked=A, applied=A, tip=A)
BEHIND = FRESH._replace(tip=B)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House.built(tmp_path)


# --- the plan, from facts alone


@pytest.mark.parametrize(
    ("facts", "planned"),
    [
        (FRESH, sync.Fresh()),
        (FRESH._replace(edited=("a.py",)), sync.Fresh()),
        (FRESH._replace(applied=None), sync.Fresh(record=True, at=A)),
        (FRESH._replace(applied=B), sync.Fresh(record=True, at=A)),
        (FRESH._replace(branch="runs"), sync.Fresh(detach=True, at=A)),
        (FRESH._replace(protected=(".venv",), conflicted=True, submodules=True), sync.Fresh()),
        (BEHIND, sync.Move(A, B, backup=False)),
        (BEHIND._replace(applied=None), sync.Move(A, B, backup=False)),
        (BEHIND._replace(edited=("a.py",)), sync.Move(A, B, backup=True, edited=("a.py",))),
        (BEHIND._replace(in_the_way=("n",)), sync.Move(A, B, backup=True, in_the_way=("n",))),
        (BEHIND._replace(branch="runs", head=B), sync.Move(A, B, backup=False)),
        (BEHIND._replace(applied=None, alone=True), sync.Move(A, B, backup=True, stray=A)),
        (
            BEHIND._replace(head=C, parked=C, stray=True, alone=True),
            sync.Move(C, B, backup=True, stray=C),
        ),
        (BEHIND._replace(head=C, parked=C, stray=True), sync.Move(C, B, backup=False)),
        (FRESH._replace(cut_off=True), sync.Move(A, A, backup=False)),
    ],
)
def test_the_plan_follows_from_the_facts(facts: Facts, planned: sync.Step) -> None:
    assert sync.next_step(RunTree.of(PROJECT), facts) == planned
    word = Freshness.FRESH if isinstance(planned, sync.Fresh) else Freshness.BEHIND
    assert sync.freshness(planned) is word


@pytest.mark.parametrize(
    ("facts", "reason", "hint", "forced"),
    [
        (FRESH._replace(tip=None), "was deleted", "wtwatch release REV", False),
        (FRESH._replace(tip=None, tip_missing="conflicted"), "is conflicted", "jj bookmark set runs", False),
        (
            FRESH._replace(tip=None, tip_missing="jj has not exported it"),
            "not in git",
            "jj git export",
            False,
        ),
        (BEHIND._replace(locked=Path("/r/index.lock")), "Another git", "remove /r/index.lock", False),
        (FRESH._replace(locked=Path("/r/index.lock")), "Another git", "remove /r/index.lock", False),
        (BEHIND._replace(submodules=True), "has submodules", "vendor it", False),
        (
            BEHIND._replace(in_the_way=("n/",), nested=("n/",)),
            "repository of its own",
            "Move /r/code/n",
            False,
        ),
        (BEHIND._replace(odd=(("a b", "FIFO"),)), "A FIFO is in the way: a b", "rm '/r/code/a b', or", True),
        (
            BEHIND._replace(unwritable=Path("/r/code/my d")),
            "/r/code/my d cannot",
            "chmod u+wx '/r/code/my d'",
            False,
        ),
        (
            BEHIND._replace(edited=("a b",), unlooked=(("a b", "skip-worktree"),)),
            "told not to look at a b (skip-worktree)",
            "git -C /r/code update-index --no-skip-worktree 'a b'",
            True,
        ),
        (BEHIND._replace(operation_above="rebase"), "rebase in the superdataset", "rebase --abort", False),
        (FRESH._replace(operation_above="bisect"), "bisect in the superdataset", "bisect reset", False),
        (BEHIND._replace(operation="merge"), "merge in the run tree's code", "Finish or abort", True),
        (FRESH._replace(operation="merge"), "merge in the run tree's code", "Finish or abort", True),
        (BEHIND._replace(conflicted=True), "unresolved conflicts", "Resolve it with jj in /m/code", True),
        (BEHIND._replace(protected=(".venv",)), "tracks .venv", "git rm -r --cached .venv", True),
        (BEHIND._replace(branch="mine"), "on the branch mine", "checkout --detach", True),
        (FRESH._replace(branch="mine"), "on the branch mine", "checkout --detach", True),
        (BEHIND._replace(head=C, parked=C), "taken to another commit", f"wtwatch release {C}", True),
        (FRESH._replace(head=C, parked=C, stray=True), "commits of its own", f"wtwatch release {C}", True),
    ],
)
def test_each_refusal_says_why_and_the_way_out(facts: Facts, reason: str, hint: str, forced: bool) -> None:
    refused = sync.next_step(RunTree.of(PROJECT), facts)
    assert isinstance(refused, sync.Blocked)
    assert reason in refused.reason and hint in refused.hint
    assert sync.freshness(refused) is Freshness.BLOCKED
    assert ("--force" in refused.hint) == forced
    assert isinstance(sync.next_step(RunTree.of(PROJECT), facts, force=True), sync.Blocked) != forced


def test_force_does_not_reach_past_the_first_refusal_to_a_final_one() -> None:
    facts = BEHIND._replace(operation="merge", submodules=True)
    assert isinstance(sync.next_step(RunTree.of(PROJECT), facts, force=True), sync.Blocked)


# --- moves


def test_a_clean_tree_goes_to_the_tip_without_a_backup(house: House) -> None:
    tip = house.commit({"a.py": "a = 2\n", "new/z.py": "z\n", "b.py": None})
    assert house.sync() is None
    house.assert_exactly_at(tip)
    assert (house.code / "new/z.py").read_text() == "z\n"


def snapshot(house: House) -> dict[str, tuple[int, int]]:
    """Return inode and time of every file in the git directories and the run tree's code."""
    roots = (house.project.main_code / ".git", house.code)
    files = (file for root in roots for file in root.rglob("*"))
    return {str(file): (file.lstat().st_ino, file.lstat().st_mtime_ns) for file in files}


def test_at_the_tip_nothing_at_all_is_touched(house: House) -> None:
    os.utime(house.code / "b.py")  # git would like to refresh its index for that
    house.edit("a.py", "a = 9\n")
    house.edit("new.py", "n")
    before = snapshot(house)
    assert house.sync() is None
    assert snapshot(house) == before


def test_bytecode_of_the_code_before_never_runs_in_the_name_of_the_code_after(house: House) -> None:
    def printed() -> str:
        run = [sys.executable, "-c", "import a; print(a.a)"]
        return subprocess.run(run, cwd=house.code, text=True, capture_output=True, check=True, env={}).stdout

    def at_one_moment() -> None:
        os.utime(house.code / "a.py", (1_800_000_000, 1_800_000_000))

    at_one_moment()
    before = printed()
    value = (house.code / "a.py").read_text()
    house.commit({"a.py": value.replace("1", "2")})
    house.sync()
    at_one_moment()
    assert (before, printed()) == ("1\n", "2\n")


def test_a_move_there_and_back_is_harmless(house: House) -> None:
    first = house.head()
    house.commit({"a.py": "a = 2\n"})
    house.git("update-ref", "refs/heads/runs", first)
    assert house.plan() == sync.Fresh()


@dataclass(frozen=True)
class Mess:
    """What a tip changes, what lies in the run tree, and what has to be in the backup and on disk then."""

    tip: dict[str, str | None]
    edits: dict[str, str | None] = field(default_factory=dict)
    stage: tuple[str, ...] = ()
    after: dict[str, str | None] = field(default_factory=dict)
    kept: dict[str, str] | None = field(default_factory=dict)
    stays: dict[str, str] = field(default_factory=dict)
    staged: dict[str, str] = field(default_factory=dict)
    force: bool = False


MESSES = {
    "an unstaged edit": Mess({"a.py": "a = 2\n"}, {"a.py": "mine"}, kept={"a.py": "mine"}),
    "an edit the tip does not touch": Mess({"a.py": "a = 2\n"}, {"b.py": "mine"}, kept={"b.py": "mine"}),
    "an edit equal to the tip": Mess({"a.py": "a = 2\n"}, {"a.py": "a = 2\n"}, kept={"a.py": "a = 2\n"}),
    "a staged edit": Mess({"a.py": "2"}, {"a.py": "mine"}, stage=("a.py",), kept={"a.py": "mine"}),
    "staged, then edited again": Mess(
        {"a.py": "2"}, {"a.py": "one"}, ("a.py",), {"a.py": "two"}, {"a.py": "two"}, staged={"a.py": "one"}
    ),
    "staged, then changed back": Mess(
        {"a.py": "2"}, {"a.py": "one"}, ("a.py",), {"a.py": FILES["a.py"]}, {}, staged={"a.py": "one"}
    ),
    "a new file, staged": Mess({"a.py": "2"}, {"n.py": "mine"}, stage=("n.py",), kept={"n.py": "mine"}),
    "a new file, staged, that the tip has too": Mess(
        {"n.py": "2"}, {"n.py": "mine"}, stage=("n.py",), kept={"n.py": "mine"}
    ),
    "a deleted file": Mess({"a.py": "2"}, {"b.py": None}, kept={}),
    "a deleted file, staged": Mess({"b.py": "2"}, {"b.py": None}, stage=("b.py",), kept={}),
    "a file became a symlink": Mess({"a.py": "2"}, {"a.py": "-> b.py"}, kept={"a.py": "b.py"}),
    "an untracked file in the way": Mess({"n.py": "2"}, {"n.py": "mine"}, kept={"n.py": "mine"}),
    "an untracked symlink in the way": Mess({"n.py": "2"}, {"n.py": "-> /no"}, kept={"n.py": "/no"}),
    "an ignored file in the way": Mess({"run.log": "2"}, {"run.log": "mine"}, kept={"run.log": "mine"}),
    "an ignored .env that the tip tracks": Mess({".env": "2"}, {".env": "KEY=1"}, kept={".env": "KEY=1"}),
    "an untracked folder where the tip has a file": Mess(
        {"n": "2"}, {"n/one": "1", "n/two/three.log": "3"}, kept={"n/one": "1", "n/two/three.log": "3"}
    ),
    "an untracked file where the tip has a folder": Mess({"n/one": "2"}, {"n": "mine"}, kept={"n": "mine"}),
    "a tracked file became a folder": Mess(
        {"b.py": "2"}, {"a.py": None}, after={"a.py/inside": "mine"}, kept={"a.py/inside": "mine"}
    ),
    "a tracked folder became a symlink": Mess(
        {"a.py": "2"}, {"d/x.py": None, "d/y.py": None}, (), {"d": "-> ../elsewhere"}, {"d": "../elsewhere"}
    ),
    "untracked in a folder that the tip makes a file": Mess(
        {"d/x.py": None, "d/y.py": None, "d": "2"}, {"d/mine": "mine"}, kept={"d/mine": "mine"}
    ),
    "untracked beside what the tip removes": Mess(
        {"d/x.py": None, "d/y.py": None}, {"d/mine": "mine"}, kept=None, stays={"d/mine": "mine"}
    ),
    "untracked and ignored, not in the way": Mess(
        {"a.py": "2"},
        {"u": "1", "x.log": "2", "k/u": "3"},
        kept=None,
        stays={"u": "1", "x.log": "2", "k/u": "3"},
    ),
    "names that are not ASCII": Mess(
        {"añ b.py": "2", "ø/é": "2"}, {"añ b.py": "1", "ø/é": "mine"}, kept={"añ b.py": "1", "ø/é": "mine"}
    ),
    "names with newlines, quotes and stars": Mess(
        {"a\nb": "2", '"*?[a]\\': "2", ":(top)x": "2"},
        {"a\nb": "1", '"*?[a]\\': "1", ":(top)x": "1"},
        kept={"a\nb": "1", '"*?[a]\\': "1", ":(top)x": "1"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MESSES)
def test_nothing_is_lost_and_the_tree_ends_at_the_tip(house: House, tmp_path: Path, name: str) -> None:
    mess = MESSES[name]
    (tmp_path / "run" / "elsewhere").mkdir()
    (tmp_path / "run" / "elsewhere" / "x.py").write_text("outside")
    main, tip_files = house.project.main_code, mess.tip
    for path in [path for path in tip_files if tip_files[path] is None]:
        (main / path).unlink()
    for path in ("d",):  # a folder that becomes a file
        if path in tip_files and (main / path).is_dir():
            (main / path).rmdir()
    tip = house.commit({path: text for path, text in tip_files.items() if text is not None})
    for path, text in mess.edits.items():
        house.edit(path, text)
    if mess.stage:
        house.here("add", "-A", "--", *mess.stage)
    for path, text in mess.after.items():
        if path == "d":
            (house.code / "d").rmdir()
        house.edit(path, text)
    backup = house.sync(mess.force)
    house.assert_exactly_at(tip)
    assert house.here("status", "--porcelain", "-uall").count("\n") <= max(0, len(mess.stays) - 1)
    if mess.kept is None:
        assert backup is None
    else:
        assert backup
        for path, text in mess.kept.items():
            assert house.kept(backup, path) == text.removesuffix("\n")
        for path, text in mess.staged.items():
            assert house.git("cat-file", "blob", f"{backup.commit}^2:{path}") == text
    for path, text in mess.stays.items():
        assert (house.code / path).read_text() == text
    assert (tmp_path / "run" / "elsewhere" / "x.py").read_text() == "outside"


def test_a_mode_change_is_kept(house: House) -> None:
    house.commit({"b.py": "2"})
    (house.code / "a.py").chmod(0o755)
    backup = house.sync()
    assert backup and house.git("ls-tree", backup.commit, "a.py").startswith("100755")
    assert not (house.code / "a.py").stat().st_mode & 0o100


def test_a_file_that_was_only_announced_is_kept(house: House) -> None:
    tip = house.commit({"b.py": "2"})
    house.edit("n.py", "mine")
    house.here("add", "-N", "n.py")
    assert house.kept(house.sync(), "n.py") == "mine"
    house.assert_exactly_at(tip)


@pytest.mark.parametrize("mark", ["assume-unchanged", "skip-worktree"])
def test_an_edit_that_git_was_told_not_to_see_is_not_lost(house: House, mark: str) -> None:
    house.here("update-index", f"--{mark}", "a.py")
    house.edit("a.py", "mine")
    house.edit("b.py", "seen")
    tip = house.commit({"b.py": "2"})
    assert house.kept(house.sync(), "b.py") == "seen"
    assert house.head() == tip and (house.code / "a.py").read_text() == "mine"
    next_tip = house.commit({"a.py": "2"})
    house.edit("b.py", "a second edit")
    refused = house.plan()
    assert isinstance(refused, sync.Blocked) and f"a.py ({mark})" in refused.reason
    assert (house.code / "b.py").read_text() == "a second edit" and house.head() == tip
    backup = house.sync(force=True)
    house.assert_exactly_at(next_tip)
    assert house.kept(backup, "a.py") == "mine" and house.kept(backup, "b.py") == "a second edit"
    assert house.here("ls-files", "-v", "a.py") == "H a.py"


def test_the_way_out_that_is_named_for_an_unseen_edit_works(house: House) -> None:
    house.here("update-index", "--skip-worktree", "d/x.py")
    house.edit("d/x.py", "mine")
    tip = house.commit({"d/x.py": None})
    refused = house.plan()
    assert isinstance(refused, sync.Blocked)
    subprocess.run(refused.hint.partition(",")[0], shell=True, check=True)
    assert house.kept(house.sync(), "d/x.py") == "mine"
    house.assert_exactly_at(tip)


def test_a_sparse_tree_stays_sparse(house: House) -> None:
    house.here("sparse-checkout", "set", "--no-cone", "/*.py")
    tip = house.commit({"d/x.py": "x = 2\n", "a.py": "a = 2\n", "d/new.py": "new"})
    assert not (house.code / "d").exists()
    assert house.sync() is None
    house.assert_exactly_at(tip)
    assert not (house.code / "d").exists() and (house.code / "a.py").read_text() == "a = 2\n"
    house.edit("d/x.py", "mine, outside of what is checked out")
    tip = house.commit({"d/x.py": "x = 3\n"})
    assert house.kept(house.sync(), "d/x.py") == "mine, outside of what is checked out"
    house.assert_exactly_at(tip)


def test_what_a_clean_filter_would_drop_is_kept(house: House) -> None:
    house.git("config", "filter.strip.clean", "sed s/secret/-/")
    house.commit({".gitattributes": "*.nb filter=strip\n", "one.nb": "1\n"})
    house.sync()
    house.commit({"one.nb": "2\n", "two.nb": "2\n"})
    house.edit("one.nb", "secret 1\n")
    house.edit("two.nb", "secret 2\n")
    backup = house.sync()
    assert house.kept(backup, "one.nb") == "secret 1" and house.kept(backup, "two.nb") == "secret 2"
    assert backup
    target = house.project.run_tree / "restored"
    restoring.restore(house.tree, backup, target)
    assert (target / "one.nb").read_text() == "secret 1\n"


ODD = [("n", "n"), ("n/inside", "n"), ("n", "n/below"), ("a.py", "b.py"), ("a.py", "a.py")]
"""Where a FIFO lies, and what the tip changes."""


def fifo(house: House, at: str, tip: str) -> Sha:
    made = house.commit({tip: "2"})
    house.edit("d/y.py", "mine")
    house.edit(at, None)
    (house.code / at).parent.mkdir(exist_ok=True)
    os.mkfifo(house.code / at)
    return made


@pytest.mark.parametrize(("at", "tip"), ODD)
def test_what_is_no_file_is_refused_by_name_before_anything_is_touched(
    house: House, at: str, tip: str
) -> None:
    first = house.head()
    fifo(house, at, tip)
    refused = house.plan()
    assert isinstance(refused, sync.Blocked)
    assert refused.reason == f"A FIFO is in the way: {at}."
    assert house.head() == first and (house.code / at).is_fifo()
    assert (house.code / "d/y.py").read_text() == "mine"
    subprocess.run(refused.hint.partition(": ")[2].partition(",")[0], shell=True, check=True)
    assert house.kept(house.sync(), "d/y.py") == "mine"


@pytest.mark.parametrize(("at", "tip"), ODD)
def test_what_is_no_file_is_moved_out_by_force(house: House, at: str, tip: str) -> None:
    made = fifo(house, at, tip)
    backup = house.sync(force=True)
    house.assert_exactly_at(made)
    assert house.kept(backup, "d/y.py") == "mine"
    (aside,) = (house.tree.shelf / "set-aside").glob(f"*/{at}")
    assert aside.is_fifo() and backup and str(aside.parent).startswith(backup.summary.split("moved to ")[1])


def test_a_tree_without_an_index_loses_nothing(house: House) -> None:
    tip = house.commit({"a.py": "2", "n.py": "2"})
    house.edit("a.py", "mine")
    house.edit("n.py", "mine too")
    (Path(house.here("rev-parse", "--git-dir")) / "index").unlink()
    backup = house.sync()
    house.assert_exactly_at(tip)
    assert (house.kept(backup, "a.py"), house.kept(backup, "n.py")) == ("mine", "mine too")


@pytest.mark.parametrize("noted", [True, False])
def test_a_tree_on_a_branch_without_a_commit_loses_nothing(house: House, noted: bool) -> None:
    house.here("checkout", "-q", "--orphan", "fresh")
    if not noted:
        house.git("update-ref", "-d", house.tree.applied_ref)
    house.edit("a.py", "staged")
    house.here("add", "a.py")
    house.edit("b.py", "mine")
    tip = house.commit({"n.py": "2", "d/x.py": None})
    refused = house.plan()
    assert isinstance(refused, sync.Blocked) and "on the branch fresh" in refused.reason
    backup = house.sync(force=True)
    house.assert_exactly_at(tip)
    assert (house.kept(backup, "a.py"), house.kept(backup, "b.py")) == ("staged", "mine")


def test_a_submodule_that_was_only_staged_does_not_hinder_a_restore(house: House, tmp_path: Path) -> None:
    house.here("update-index", "--add", "--cacheinfo", f"160000,{house.head()},vendored")
    house.edit("a.py", "mine")
    house.commit({"b.py": "2"})
    backup = house.sync()
    assert backup
    assert [file.name for file in restoring.restore(house.tree, backup, tmp_path / "back")] == ["a.py"]


def test_a_socket_in_the_way_is_called_so(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.commit({"n": "2"})
    monkeypatch.chdir(house.code)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("n")
        refused = house.plan()
    assert isinstance(refused, sync.Blocked) and "A socket is in the way: n." in refused.reason


@pytest.mark.parametrize("where", ["n", "n/x.py"])
def test_a_repository_in_the_way_is_left_alone(house: House, where: str) -> None:
    house.commit({where: "2"})
    house.git("init", "-q", str(house.code / "n"))
    for force in (False, True):
        refused = house.plan(force)
        assert isinstance(refused, sync.Blocked) and "n/" in refused.reason


def test_the_environment_survives_a_move_as_the_very_folder(house: House) -> None:
    house.edit(".venv/bin/python", "mine")
    house.edit("a.py", "mine")
    before = (house.code / ".venv").stat().st_ino
    house.commit({"a.py": "2", ".gitignore": ""})
    house.sync()
    assert (house.code / ".venv").stat().st_ino == before
    assert (house.code / ".venv/bin/python").read_text() == "mine"


@pytest.mark.parametrize("tracked", [{".venv": "a file"}, {".venv/cfg": "theirs"}, {".venv": "-> /nowhere"}])
def test_a_protected_path_of_the_tip_blocks_and_force_moves_ours_out(
    house: House, tracked: dict[str, str | None]
) -> None:
    first = house.head()
    house.edit(".venv/bin/python", "mine")
    theirs = house.commit(tracked)
    for goal in (theirs, first, theirs):  # there and back
        house.git("update-ref", "refs/heads/runs", goal)
        if goal == first:
            assert house.sync() is None
            house.edit(".venv/bin/python", "mine again")
            continue
        refused = house.plan()
        assert isinstance(refused, sync.Blocked) and ".venv" in refused.reason
        backup = house.sync(force=True)
        house.assert_exactly_at(theirs)
        assert house.plan() == sync.Fresh()
        assert backup and "moved to" in backup.summary
    aside = list((house.tree.shelf / "set-aside").glob("*/.venv/bin/python"))
    assert sorted(file.read_text() for file in aside) == ["mine", "mine again"]


def test_conflicts_of_jj_in_the_tip_block(house: House) -> None:
    house.commit({".jjconflict-base-0/a.py": "2"})
    refused = house.plan()
    assert isinstance(refused, sync.Blocked) and "conflicts of jj" in refused.reason
    house.sync(force=True)
    assert house.plan() == sync.Fresh()


def merge_begun(house: House) -> None:
    house.here("merge", "side", code=1)


def rebase_begun(house: House) -> None:
    house.here("rebase", "side", code=1)


def cherry_pick_begun(house: House) -> None:
    house.here("cherry-pick", "side", code=1)


def revert_begun(house: House) -> None:
    house.edit("a.py", "a = 8\n")
    house.here("commit", "-qam", "on top")
    house.here("revert", "HEAD~1", code=1)


def am_begun(house: House) -> None:
    patch = house.git("format-patch", "-1", "side", "--stdout")
    (house.code / "x.log").write_text(patch)
    house.here("am", "-q", "x.log", code=128)


def bisect_begun(house: House) -> None:
    house.here("bisect", "start", "HEAD", "HEAD~1")


@pytest.mark.parametrize(
    "begin", [merge_begun, rebase_begun, cherry_pick_begun, revert_begun, am_begun, bisect_begun]
)
def test_an_operation_in_code_blocks_and_force_keeps_what_it_holds(
    house: House, begin: Callable[[House], None]
) -> None:
    first = house.head()
    side = house.commit({"a.py": "a = 5\n"}, bookmark=False)
    house.git("branch", "side", side)
    house.git("reset", "-q", "--hard", first)
    tip = house.commit({"b.py": "b = 2\n"})
    house.edit("a.py", "a = 7\n")
    house.here("commit", "-qam", "mine")
    own = house.head()
    house.git("update-ref", house.tree.applied_ref, own)
    begin(house)
    house.edit("d/x.py", "open edit")
    refused = house.plan()
    assert isinstance(refused, sync.Blocked) and "in the run tree's code is not finished" in refused.reason
    backup = house.sync(force=True)
    house.assert_exactly_at(tip)
    assert house.kept(backup, "d/x.py") == "open edit"
    assert backup
    reached = house.git("rev-list", backup.commit).split()
    assert own in reached
    assert isinstance(house.plan(), sync.Fresh)


@pytest.mark.parametrize("force", [False, True])
def test_an_operation_in_the_superdataset_blocks(house: House, force: bool) -> None:
    house.commit({"a.py": "2"})
    house.git("bisect", "start", cwd=house.project.run_tree)
    refused = house.plan(force)
    assert isinstance(refused, sync.Blocked) and "bisect in the superdataset" in refused.reason


def test_a_git_at_work_is_waited_for(house: House) -> None:
    house.commit({"a.py": "2"})
    lock = Path(house.here("rev-parse", "--git-dir")) / "index.lock"
    lock.touch()
    refused = house.plan(force=True)
    assert isinstance(refused, sync.Blocked) and str(lock) in refused.hint
    sync.recover(house.tree)
    assert lock.exists()


def test_commits_made_in_the_run_tree_are_kept(house: House) -> None:
    house.edit("a.py", "mine")
    house.here("commit", "-qam", "by hand")
    stray = house.head()
    refused = house.plan()
    assert isinstance(refused, sync.Blocked) and "commits of its own" in refused.reason
    tip = house.commit({"b.py": "2"})
    backup = house.sync()
    house.assert_exactly_at(tip)
    assert backup and stray in house.git("rev-list", backup.commit).split()


def test_a_tree_taken_elsewhere_waits_for_the_user(house: House) -> None:
    first = house.head()
    house.commit({"a.py": "2"})
    house.commit({"a.py": "3"})
    house.sync()
    house.here("checkout", "-q", "--detach", first)
    refused = house.plan()
    assert isinstance(refused, sync.Blocked) and "taken to another commit" in refused.reason
    house.sync(force=True)
    assert house.plan() == sync.Fresh()


def on_the_branch(house: House) -> Sha:
    """Put the run tree on the bookmark's branch, as it is made by hand."""
    house.here("checkout", "-q", "runs")
    house.git("update-ref", "-d", house.tree.applied_ref)
    return house.head()


def test_a_branch_that_was_moved_under_the_tree_reverts_nothing(house: House) -> None:
    first = on_the_branch(house)
    tip = house.commit({"a.py": "2", "n.py": "2", "b.py": None})
    facts = codetree.facts_of(house.tree)
    assert (facts.head, facts.parked, facts.edited, facts.in_the_way) == (tip, first, (), ())
    assert house.sync() is None
    house.assert_exactly_at(tip)
    assert house.git("rev-parse", "runs") == tip


def test_a_branch_that_was_moved_under_an_edited_tree(house: House) -> None:
    first = on_the_branch(house)
    house.edit("a.py", "staged")
    house.here("add", "a.py")
    house.edit("b.py", "edited")
    os.utime(house.code / "d/x.py", (1, 1))
    tip = house.commit({"a.py": "2", "n.py": "2"})
    facts = codetree.facts_of(house.tree)
    assert (facts.parked, facts.edited) == (first, ("a.py", "b.py"))
    backup = house.sync()
    house.assert_exactly_at(tip)
    assert house.kept(backup, "a.py") == "staged" and house.kept(backup, "b.py") == "edited"
    assert backup and contents.changed_files(Repo(house.code), backup.commit) == ["a.py", "b.py"]


@pytest.mark.parametrize("branch", [False, True])
def test_an_edit_on_which_a_filter_fails_is_kept(house: House, branch: bool) -> None:
    house.commit({".gitattributes": "*.nb filter=strip\n", "one.nb": "cell\n"})
    house.sync()
    if branch:
        on_the_branch(house)
    tip = house.commit({"one.nb": "cell of the tip\n"})
    for key, value in {"clean": "grep cell", "smudge": "cat", "required": "true"}.items():
        house.git("config", f"filter.strip.{key}", value)
    house.edit("one.nb", "not to be cleaned\n")
    assert house.kept(house.sync(), "one.nb") == "not to be cleaned"
    house.assert_exactly_at(tip)


def test_commits_on_a_branch_that_was_moved_away_are_kept(house: House) -> None:
    on_the_branch(house)
    house.edit("a.py", "mine")
    house.here("commit", "-qam", "by hand")
    mine = house.head()
    house.commit({"b.py": "2"})
    backup = house.sync()
    assert backup and mine in house.git("rev-list", backup.commit).split()


def test_a_tree_found_on_the_branch_at_the_tip_is_adopted_without_a_touch(house: House) -> None:
    tip = on_the_branch(house)
    house.edit("a.py", "mine")
    index = Path(house.here("rev-parse", "--git-dir")) / "index"
    before = index.stat()
    assert house.sync() is None
    assert (house.head(), house.git("rev-parse", house.tree.applied_ref)) == (tip, tip)
    house.here("symbolic-ref", "-q", "HEAD", code=1)
    assert (index.stat().st_ino, index.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_branch_that_moves_between_look_and_move_reverts_nothing(house: House) -> None:
    on_the_branch(house)
    step = house.plan()
    assert isinstance(step, sync.Fresh)
    tip = house.commit({"a.py": "2"})
    sync.apply(house.tree, step)
    assert house.here("status", "--porcelain") == ""
    step = house.plan()
    house.git("update-ref", "refs/heads/runs", house.git("rev-parse", f"{tip}~1"))
    assert isinstance(step, sync.Move)
    sync.apply(house.tree, step)
    house.assert_exactly_at(tip)


def test_edits_that_cannot_be_backed_up_are_not_called_taken_away_where_code_stays(house: House) -> None:
    """As behind a job that edited code: the move is to where it is."""
    house.edit("a.py", "mine\n")
    bars = Path(house.git("rev-parse", "--absolute-git-dir")) / house.tree.backup_prefix.rstrip("/")
    bars.parent.mkdir(parents=True, exist_ok=True)
    bars.write_text("in the way\n")
    with pytest.raises(WtwatchError, match="could not be brought"):
        sync.apply(house.tree, sync.move_to(house.tree, house.head()))
    assert (house.code / "a.py").read_text() == "mine\n" and house.tree.journal().read() is None
    bars.unlink()
    backup = sync.apply(house.tree, sync.move_to(house.tree, house.head()))
    assert house.kept(backup, "a.py") == "mine" and house.here("status", "--porcelain") == ""


def test_a_file_that_is_written_during_the_backup_stops_the_move(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.commit({"a.py": "2"})
    house.edit("a.py", "one")
    create = backups.create

    def slow(*args: object, **more: object) -> object:
        made = create(*args, **more)  # type: ignore[arg-type]
        house.edit("a.py", "two, a moment later")
        return made

    monkeypatch.setattr(backups, "create", slow)
    with pytest.raises(WtwatchError, match="written while"):
        house.sync()
    assert (house.code / "a.py").read_text() == "two, a moment later"
    monkeypatch.undo()
    assert house.kept(house.sync(), "a.py") == "two, a moment later"


def test_deleted_bookmarks_block(house: House) -> None:
    house.git("update-ref", "-d", "refs/heads/runs")
    refused = house.plan(force=True)
    assert isinstance(refused, sync.Blocked) and "was deleted" in refused.reason
