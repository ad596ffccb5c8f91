"""A move that is cut off at any instant is finished or undone, and nothing is lost."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.full_disk import BIG, cut_git, fill, mounted
from tests.house import FILES, House
from tests.lab import eventually
from tests.tally import Kills
from wtwatch.doors.repo import Repo
from wtwatch.tree import backups, codetree, diff, obstacles, sync
from wtwatch.words.errors import Busy, WtwatchError
from wtwatch.words.model import Freshness

ROOT = Path(__file__).parents[2]

GIT = """\
#!/bin/sh
# the real git, but for the NTH call whose words hold WORD: there its caller is killed WHEN is said
case " $* " in
*" $WORD "*)
    echo x >> "$COUNT"
    if [ "$(wc -l < "$COUNT")" -eq "$NTH" ]; then
        case "$WHEN" in
        before) kill -9 -$PGID ;;
        after) {git} "$@"; kill -9 -$PGID ;;
        between) {git} read-tree -m -u HEAD "$TIP"; kill -9 -$PGID ;;
        outlived) kill -9 $PGID; while [ ! -e "$COUNT.go" ]; do sleep 0.02; done; exec {git} "$@" ;;
        esac
    fi ;;
esac
exec {git} "$@"
"""

SYNC = """\
import os, sys
from pathlib import Path
from tests.house import House
os.environ["PGID"] = str(os.getpid())
House.at(Path(sys.argv[1])).sync()
"""


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House.built(tmp_path / "p")


def killed(house: House, word: str, when: str, nth: int = 1, tip: str = "") -> None:
    """Run a sync in a process group of its own that is killed at one of its git commands."""
    root = house.project.main_tree.parent
    wrapper = root / "bin" / "git"
    wrapper.parent.mkdir(exist_ok=True)
    wrapper.write_text(GIT.replace("{git}", str(shutil.which("git"))))
    wrapper.chmod(0o755)
    count = root / "count"
    count.unlink(missing_ok=True)
    env = os.environ | {"WORD": word, "WHEN": when, "NTH": str(nth), "TIP": tip, "COUNT": str(count)}
    env |= {"PATH": f"{wrapper.parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", SYNC, str(root)],
        env=env, start_new_session=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL


def recovered(house: House) -> bool:
    """Recover, once the commands that were killed are gone."""
    try:
        sync.recover(house.tree)
    except Busy:
        return False
    return True


def all_kept(house: House, path: str) -> list[str]:
    """Return what the backups hold at a path, files and staged."""
    found = []
    for backup in backups.listing(house.tree):
        for commit in (backup.commit, f"{backup.commit}^2"):
            shown = subprocess.run(
                ["git", "show", f"{commit}:{path}"],
                cwd=house.code, capture_output=True, text=True, check=False,
            )  # fmt: skip
            if shown.returncode == 0:
                found.append(shown.stdout)
    return found


INSTANTS = [
    *[(word, when, 1) for word in ("hash-object", "write-tree", "ls-files") for when in ("before", "after")],
    *[(word, when, 1) for word in ("commit-tree", "restore", "update-ref") for when in ("before", "after")],
    *[("checkout", when, 1) for when in ("before", "between", "after")],
    *[(word, when, 1) for word in ("update-index",) for when in ("before", "after")],
    *[
        (word, when, 2)
        for word in ("write-tree", "commit-tree", "update-ref", "ls-files")
        for when in ("before", "after")
    ],
]


@pytest.mark.slow
@pytest.mark.parametrize(("word", "when", "nth"), INSTANTS)
def test_a_move_killed_at_any_command_loses_nothing(
    house: House, word: str, when: str, nth: int, kills: Kills
) -> None:
    tip = house.commit({"a.py": "a = 2\n", "n.py": "n = 2\n", "d/x.py": None, "e/f.py": "f = 2\n"})
    house.edit("a.py", "staged\n")
    house.here("add", "a.py")
    house.edit("a.py", "edited\n")
    house.edit("b.py", "b edited\n")
    house.edit("n.py", "mine\n")
    house.edit(".venv/bin/python", "env")
    house.edit("u", "untracked")
    killed(house, word, when, nth, tip)
    with kills.survived("a move at a command of git"):
        eventually(lambda: recovered(house))
        house.sync()
        house.assert_exactly_at(tip)
        assert house.here("status", "--porcelain") == "?? u"
        assert (house.code / ".venv/bin/python").read_text() == "env"
        assert not list(house.project.state.glob("backup-*"))
        assert {"staged\n", "edited\n"} <= set(all_kept(house, "a.py"))
        assert "b edited\n" in all_kept(house, "b.py") and "mine\n" in all_kept(house, "n.py")


@pytest.mark.parametrize("killed_again", [False, True])
def test_a_checkout_killed_among_its_files_is_undone(house: House, killed_again: bool) -> None:
    """A filter that kills its own git, with some of the files written and some not."""
    trap = house.project.main_tree.parent / "trap"
    script = f"sh -c 'if [ -e {trap} ]; then kill -9 -$PGID; fi; cat'"
    house.git("config", "filter.trap.smudge", script)
    house.commit({".gitattributes": "*.trap filter=trap\n", "m.trap": "1\n"})
    house.sync()
    first = house.head()
    (house.project.main_code / "b.py").unlink()
    changed = {"a.py": "2\n", "aa/deep/new.py": "2\n", "b.py/inside": "2\n", "m.trap": "2\n", "z.py": "2\n"}
    tip = house.commit(changed)
    house.edit("z-mine.py", "untracked")
    trap.touch()
    for _ in range(1 + killed_again):  # the second time before it gets as far
        killed(house, "nothing", "never")
    trap.unlink()
    assert house.head() == first
    assert (house.code / "aa/deep/new.py").exists() != killed_again
    eventually(lambda: recovered(house))
    assert house.here("status", "--porcelain") == "?? z-mine.py"
    assert (house.code / "b.py").read_text() == FILES["b.py"]
    house.git("update-ref", "refs/heads/runs", tip)
    assert house.sync() is None
    house.assert_exactly_at(tip)
    assert backups.listing(house.tree) == []


def test_a_checkout_that_was_killed_between_index_and_head_is_finished(house: House, kills: Kills) -> None:
    tip = house.commit({"a.py": "a = 2\n", "n.py": "n = 2\n"})
    killed(house, "checkout", "between", 1, tip)
    with kills.survived("a move at a command of git"):
        eventually(lambda: recovered(house))
        house.assert_exactly_at(tip)


def test_what_was_edited_meanwhile_outlives_the_recovery(house: House, kills: Kills) -> None:
    first = house.head()
    tip = house.commit({"a.py": "a = 2\n", "b.py": "b = 2\n", "n.py": "n = 2 and more\n"})
    killed(house, "checkout", "before")
    with kills.survived("a move at a command of git"):
        house.edit("a.py", "a = 2\n")  # as the checkout writes it
        house.edit("b.py", "mine\n")
        house.edit("n.py", "n = 2")  # as a checkout that is killed while it writes
        (Path(house.here("rev-parse", "--git-dir")) / "index.lock").touch()
        eventually(lambda: recovered(house))
        assert house.head() == first
        assert house.here("status", "--porcelain") == " M b.py"
        assert house.kept(house.sync(), "b.py") == "mine"
        house.assert_exactly_at(tip)


def test_a_git_that_outlives_its_caller_is_waited_for(house: House) -> None:
    tip = house.commit({"a.py": "a = 2\n"})
    killed(house, "checkout", "outlived")
    with pytest.raises(Busy, match="git"):
        sync.recover(house.tree)
    (house.project.main_tree.parent / "count.go").touch()
    eventually(lambda: house.head() == tip)

    eventually(lambda: recovered(house))
    house.assert_exactly_at(tip)


def test_a_filter_that_fails_leaves_the_tree_where_it_was(house: House) -> None:
    first = house.head()
    tip = house.commit({".gitattributes": "*.bad filter=bad\n", "a.py": "2\n", "m.bad": "2\n", "z.py": "2\n"})
    house.git("config", "filter.bad.smudge", "false")
    house.git("config", "filter.bad.clean", "cat")
    house.git("config", "filter.bad.required", "true")
    house.edit("b.py", "mine\n")
    with pytest.raises(WtwatchError, match=r"m\.bad") as said:
        house.sync()
    assert "is in the backup" in said.value.message and said.value.hint
    assert house.head() == first and house.here("status", "--porcelain", "-uall") == ""
    assert all_kept(house, "b.py") == ["mine\n"]
    house.git("config", "filter.bad.smudge", "cat")
    house.sync()
    house.assert_exactly_at(tip)


def test_force_that_is_cut_off_puts_the_environment_back(house: House) -> None:
    first = house.head()
    tip = house.commit({".venv": "theirs"})
    house.edit(".venv/bin/python", "mine")
    step = house.plan(force=True)
    assert isinstance(step, sync.Move)
    house.git("config", "filter.bad.clean", "false")
    house.here("update-index", "--refresh")
    lock = Path(house.here("rev-parse", "--git-dir")) / "index.lock"
    lock.touch()  # the restore or the checkout that follows cannot work
    with pytest.raises(WtwatchError):
        sync.apply(house.tree, step)
    assert house.head() == first
    assert (house.code / ".venv/bin/python").read_text() == "mine"
    house.sync(force=True)
    house.assert_exactly_at(tip)


def test_what_lies_behind_a_symlink_is_not_in_the_tree(house: House, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "f").touch()
    (house.code / "link").symlink_to(tmp_path / "outside")
    assert not obstacles.is_here(house.code, "link/f")
    assert obstacles.is_here(house.code, "link") and obstacles.is_here(house.code, "d/x.py")


def test_tracked_files_and_protected_paths_are_not_in_the_way(house: House) -> None:
    first = house.head()
    tip = house.commit({"d/x.py": None, "sub/.venv/x": "2", ".venv": "2", "n": "2"})
    for path in ("sub/.venv/x", ".venv", "n"):
        house.edit(path, "mine")
    code = Repo(house.code)
    found = obstacles.in_the_way(code, diff.between(code, first, tip), own=("sub/.venv", ".venv/"))
    assert found == ["n"]


@pytest.fixture
def full(house: House, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file; while it is there, the disk of the run tree's code is as good as full."""
    return cut_git(house.project.main_tree.parent, monkeypatch)


def test_a_move_on_a_full_disk_is_not_done_and_heals_when_there_is_room(house: House, full: Path) -> None:
    first = house.head()
    tip = house.commit({"a.py": BIG, "big/new.txt": BIG, "z.py": "small\n", "b.py": None})
    house.edit("d/x.py", "mine\n")
    full.touch()
    for _ in range(2):
        with pytest.raises(WtwatchError, match=r"a\.py and 1 more") as said:
            house.sync()
        assert "df -h" in str(said.value.hint)
        assert house.git("rev-parse", house.tree.applied_ref) == first
        assert codetree.facts_of(house.tree).cut_off
        assert sync.freshness(house.plan()) is Freshness.BEHIND
    (kept,) = backups.listing(house.tree)
    house.edit("d/y.py", "written while it was full\n")
    full.unlink()
    assert house.sync() is None
    assert (house.code / "d/y.py").read_text() == "written while it was full\n"
    house.edit("d/y.py", FILES["d/y.py"])
    house.here("update-index", "--refresh")
    house.assert_exactly_at(tip)
    assert (house.code / "big/new.txt").read_text() == BIG
    assert house.kept(kept, "d/x.py") == "mine"


def test_a_full_disk_is_seen_though_a_filter_changes_sizes(house: House, full: Path) -> None:
    house.git("config", "core.autocrlf", "true")
    tip = house.commit({"a.py": "a line\n" * 2000})
    full.touch()
    with pytest.raises(WtwatchError, match=r"a\.py"):
        house.sync()
    full.unlink()
    house.sync()
    house.assert_exactly_at(tip)
    assert (house.code / "a.py").read_bytes() == b"a line\r\n" * 2000


def test_an_undo_that_finds_no_room_is_done_when_there_is_some(house: House, full: Path) -> None:
    """The checkout fails for a filter; what it took away does not fit any more."""
    house.commit({"a.py": BIG, "m.bad": "1\n"})
    house.sync()
    first = house.head()
    house.git("config", "filter.bad.smudge", "false")
    house.git("config", "filter.bad.clean", "cat")
    house.git("config", "filter.bad.required", "true")
    house.commit({".gitattributes": "*.bad filter=bad\n", "a.py": "2\n", "z.bad": "2\n"})
    full.touch()
    with pytest.raises(WtwatchError, match="is cut off"):
        house.sync()
    full.unlink()
    sync.recover(house.tree)
    assert house.head() == first and house.here("status", "--porcelain", "-uall") == ""
    assert (house.code / "a.py").read_text() == BIG


@pytest.mark.parametrize("edited", [False, True])
def test_no_room_for_the_journal_or_a_backup_leaves_all_as_it_is(house: House, edited: bool) -> None:
    first = house.head()
    tip = house.commit({"a.py": "2\n"})
    if edited:
        house.edit("a.py", "mine\n")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        with pytest.raises(WtwatchError, match="stands where it was"):
            house.sync()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert house.head() == first
    assert (house.code / "a.py").read_text() == ("mine\n" if edited else FILES["a.py"])
    backup = house.sync()
    house.assert_exactly_at(tip)
    assert not edited or house.kept(backup, "a.py") == "mine"


def test_what_a_failed_move_says_is_what_was_found_after_it(house: House) -> None:
    house.commit({".gitattributes": "*.bad filter=bad\n", "m.bad": "2\n"})
    house.git("config", "filter.bad.smudge", "false")
    house.git("config", "filter.bad.required", "true")
    house.edit("a.py", "mine\n")
    with pytest.raises(WtwatchError) as said:
        house.sync()
    (backup,) = backups.listing(house.tree)
    assert f"is in the backup {backup.id}, and taken out of the tree" in said.value.message
    assert f"stands where it was, at {house.head()[:10]}" in said.value.message
    assert (house.code / "a.py").read_text() == FILES["a.py"]


def test_an_edit_that_could_not_be_taken_out_is_said_to_be_there(house: House) -> None:
    house.commit({"b.py": "2\n"})
    house.edit("a.py", "mine\n")
    house.git("config", "filter.bad.smudge", "false")
    house.git("config", "filter.bad.required", "true")
    (house.code / ".gitattributes").write_text("a.py filter=bad\n")
    house.here("config", "extensions.worktreeConfig", "true")
    with pytest.raises(WtwatchError) as said:
        house.sync()
    (backup,) = backups.listing(house.tree)
    assert f"is in the backup {backup.id}, and still in place: a.py" in said.value.message


def test_bytecode_that_is_tracked_is_left_alone(house: House) -> None:
    tracked = "__pycache__/a.cpython-311.pyc"
    house.commit({tracked: "1", "a.py": "a = 2\n"})
    house.sync()
    house.edit("__pycache__/a.cpython-312.pyc", "made by a run")
    tip = house.commit({"a.py": "a = 3\n"})
    house.sync()
    house.assert_exactly_at(tip)
    assert [file.name for file in (house.code / "__pycache__").iterdir()] == [Path(tracked).name]


def test_bytecode_behind_a_symlink_is_not_of_this_tree(house: House, tmp_path: Path) -> None:
    outside = tmp_path / "outside" / "__pycache__" / "x.cpython-311.pyc"
    outside.parent.mkdir(parents=True)
    outside.touch()
    main = house.project.main_code
    for name in ("x.py", "y.py"):
        (main / "d" / name).unlink()
    (main / "d").rmdir()
    house.commit({"d": f"-> {tmp_path / 'outside'}"})
    house.sync()
    assert (house.code / "d").is_symlink() and outside.exists()


def test_scratch_of_a_backup_that_was_killed_is_swept(house: House) -> None:
    left = house.project.state / "backup-abc" / "index"
    left.parent.mkdir()
    left.touch()
    sync.recover(house.tree)
    assert not left.parent.exists()


@contextmanager
def unremovable(folder: Path) -> Iterator[None]:
    """Let nothing be taken out of a folder: root is not kept from it by modes, so it is made immutable."""
    if os.geteuid():
        folder.chmod(0o500)
    else:
        subprocess.run(["chattr", "+i", str(folder)], check=True)
    yield
    if os.geteuid():
        folder.chmod(0o700)
    else:
        subprocess.run(["chattr", "-i", str(folder)], check=True)


def test_a_folder_in_which_nothing_can_be_replaced_stops_the_move_and_nothing_is_lost(house: House) -> None:
    first = house.head()
    tip = house.commit({"a.py": "a = 2\n", "d/x.py": "x = 2\n", "z.py": "new\n"})
    house.edit("b.py", "mine\n")
    with unremovable(house.code / "d"):
        step = house.plan()
        if isinstance(step, sync.Blocked):
            assert str(house.code / "d") in step.reason and "chmod u+wx" in step.hint
        else:
            with pytest.raises(WtwatchError, match=r"d/x\.py"):
                sync.apply(house.tree, step)
        assert house.head() == first and (house.code / "d/x.py").read_text() == FILES["d/x.py"]
        assert (house.code / "a.py").read_text() == FILES["a.py"] and not (house.code / "z.py").exists()
    house.sync()
    house.assert_exactly_at(tip)
    assert all_kept(house, "b.py") == ["mine\n"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 6 MiB."""
    with mounted(tmp_path / "disk", 6) as disk:
        yield disk


@pytest.mark.slow
@pytest.mark.needs_root("mount a disk")
@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("room", [*range(0, 60, 4), *range(60, 260, 20)])
def test_a_disk_that_is_full_at_any_step_loses_nothing(
    small_disk: Path, tmp_path: Path, room: int, alone: bool
) -> None:
    """``room`` are the KiB that are left when the move begins; ``alone``: git's own files lie elsewhere."""
    house = (
        House.built(tmp_path / "p", run_tree=small_disk / "run") if alone else House.built(small_disk / "p")
    )
    tip = house.commit({"a.py": BIG, "n.py": "n = 2\n", "d/x.py": None, "e/f.py": BIG, "z.py": BIG})
    house.edit("a.py", "staged\n")
    house.here("add", "a.py")
    house.edit("a.py", "edited\n")
    house.edit("b.py", "b edited\n")
    house.edit("n.py", "mine\n")
    ballast = fill(small_disk, room)
    for _ in range(2):
        with suppress(WtwatchError):
            house.sync()
    ballast.unlink()
    house.sync()
    house.assert_exactly_at(tip)
    assert house.here("status", "--porcelain") == ""
    assert {"staged\n", "edited\n"} <= set(all_kept(house, "a.py"))
    assert "b edited\n" in all_kept(house, "b.py") and "mine\n" in all_kept(house, "n.py")
    assert (house.code / "z.py").read_text() == BIG
