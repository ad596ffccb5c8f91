"""What git has in its hands beside the files is kept too: staged, in conflict, under way."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.house import House
from wtwatch.tree import backups, parts, restoring, sync
from wtwatch.words.model import Backup, Sha


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House.built(tmp_path / "p")


def restored(house: House, backup: Backup | None) -> dict[str, str]:
    """Return the files of a backup as they are restored, by path."""
    assert backup
    to = house.project.main_tree.parent / "back"
    files = restoring.restore(house.tree, backup, to)
    return {str(file.relative_to(to)): file.read_text() for file in files}


def forget_all_but_refs(house: House) -> None:
    """Let git throw away what no ref reaches."""
    for tree in (house.project.main_code, house.code):
        house.git("reflog", "expire", "--expire=now", "--expire-unreachable=now", "--all", cwd=tree)
    house.git("gc", "-q", "--prune=now")


def conflicted_stash(house: House) -> None:
    """Leave a.py in conflict by a stash, in the run tree."""
    house.edit("a.py", "stashed\n")
    house.here("stash", "-q")
    house.edit("a.py", "committed\n")
    house.here("commit", "-qam", "by hand")
    house.here("stash", "pop", "-q", code=1)
    house.here("stash", "drop", "-q")


def test_what_is_staged_beside_a_conflict_is_kept_and_every_stage_of_it(house: House) -> None:
    conflicted_stash(house)
    house.edit("b.py", "staged\n")
    house.here("add", "b.py")
    house.edit("b.py", "edited on\n")
    tip = house.commit({"d/x.py": "2"})
    backup = house.sync(force=True)
    house.assert_exactly_at(tip)
    forget_all_but_refs(house)
    found = restored(house, backup)
    assert found["b.py"] == "edited on\n" and found[f"{parts.STAGED}/b.py"] == "staged\n"
    stages = {side: found[f"{parts.CONFLICT}/{side}/a.py"] for side in ("base", "ours", "theirs")}
    assert stages == {"base": "a = 1\n", "ours": "committed\n", "theirs": "stashed\n"}
    assert "<<<<<<<" in found["a.py"]
    assert backup and "b.py" in backup.summary


def test_theirs_is_kept_though_ours_was_checked_out(house: House) -> None:
    conflicted_stash(house)
    house.here("checkout", "-q", "--ours", "a.py")
    house.commit({"d/x.py": "2"})
    backup = house.sync(force=True)
    forget_all_but_refs(house)
    assert restored(house, backup)[f"{parts.CONFLICT}/theirs/a.py"] == "stashed\n"
    assert backup and "theirs/a.py" in backups.show(house.tree, backup)


def commits_by_hand(house: House, count: int) -> list[Sha]:
    """Make commits in the run tree, one upon the other, that no ref reaches."""
    made = []
    for number in range(count):
        house.edit("a.py", f"a = {number + 10}\n")
        house.here("commit", "-qam", f"by hand {number}")
        made.append(house.head())
    return made


def bisecting(house: House, made: list[Sha]) -> None:
    first = house.git("rev-parse", f"{made[0]}~1")
    house.here("bisect", "start", made[-1], first)


def rebasing(house: House, made: list[Sha]) -> None:
    """Stop a rebase at its second commit: the first was made anew, the rest is still to do."""
    house.here("checkout", "-q", "--detach", f"{made[0]}~1")
    house.edit("b.py", "onto\n")
    house.here("commit", "-qam", "onto")
    onto = house.head()
    house.here("checkout", "-q", "--detach", made[-1])
    os.environ["GIT_SEQUENCE_EDITOR"] = "sed -i '2i break'"
    house.here("rebase", "-q", "-i", onto)
    del os.environ["GIT_SEQUENCE_EDITOR"]


def cherry_picking(house: House, made: list[Sha]) -> None:
    house.here("checkout", "-q", "--detach", f"{made[0]}~1")
    house.edit("a.py", "in conflict\n")
    house.here("commit", "-qam", "in conflict")
    house.here("cherry-pick", *made, code=1)


@pytest.mark.parametrize("begin", [bisecting, rebasing, cherry_picking])
def test_no_commit_that_an_operation_holds_is_lost(
    house: House, begin: Callable[[House, list[Sha]], None]
) -> None:
    made = commits_by_hand(house, 4)
    begin(house, made)
    held = [*made, house.head()]
    tip = house.commit({"d/x.py": "2"})
    assert isinstance(house.plan(), sync.Blocked)
    backup = house.sync(force=True)
    house.assert_exactly_at(tip)
    forget_all_but_refs(house)
    assert backup
    assert set(held) <= set(house.git("rev-list", backup.commit).split())
    assert "by hand 3" in backups.show(house.tree, backup)


def test_patches_that_were_still_to_be_applied_are_kept(house: House) -> None:
    made = commits_by_hand(house, 2)
    patches = house.git("format-patch", "--stdout", f"{made[0]}~1..{made[-1]}")
    house.here("checkout", "-q", "--detach", f"{made[0]}~1")
    house.edit("a.py", "in conflict\n")
    house.here("commit", "-qam", "in conflict")
    (house.code / "x.log").write_text(patches)
    house.here("am", "-q", "x.log", code=128)
    (house.code / "x.log").unlink()
    house.commit({"d/x.py": "2"})
    found = restored(house, house.sync(force=True))
    for number in (1, 2):
        assert f"by hand {number - 1}" in found[f"{parts.UNDER_WAY}/rebase-apply/000{number}"]


def test_the_same_content_makes_no_second_backup(house: House) -> None:
    conflicted_stash(house)
    house.edit("u", "untracked\n")
    stray = house.head()
    first = backups.create(house.tree, stray, ["u"], [stray])
    assert backups.create(house.tree, stray, ["u"], [stray])._replace(made=first.made) == first
    house.edit("u", "something else\n")
    second = backups.create(house.tree, stray, ["u"], [stray])
    assert second.id != first.id
    assert [backup.id for backup in backups.listing(house.tree)] == sorted([first.id, second.id])


def test_a_file_that_is_called_like_a_part_does_not_hide_it(house: House) -> None:
    for name in (parts.STAGED, f"{parts.STAGED} 2/deep"):
        house.edit(name, "mine\n")
    house.edit("a.py", "staged\n")
    house.here("add", "a.py")
    house.edit("a.py", "edited\n")
    house.commit({parts.STAGED: "tip", f"{parts.STAGED} 2/deep": "tip"})
    assert restored(house, house.sync()) == {
        "a.py": "edited\n",
        parts.STAGED: "mine\n",
        f"{parts.STAGED} 2/deep": "mine\n",
        f"{parts.STAGED} 3/a.py": "staged\n",
    }


def test_a_mode_alone_and_a_secret_file_come_back_for_their_owner_only(house: House) -> None:
    house.commit({".env": "tip"})
    (house.code / "a.py").chmod(0o755)
    house.edit(".env", "KEY=1")
    backup = house.sync()
    assert set(restored(house, backup)) == {"a.py", ".env"}
    back = house.project.main_tree.parent / "back"
    assert (back / "a.py").stat().st_mode & 0o111 and not back.stat().st_mode & 0o077


def test_backups_of_the_first_version_are_listed_shown_and_restored(house: House, tmp_path: Path) -> None:
    """Such a backup has no summary in its message, and the staged content as its second parent."""
    base = house.head()
    house.edit("a.py", "staged\n")
    house.here("add", "a.py")
    staged = house.here("commit-tree", house.here("write-tree"), "-p", base, "-m", f"wtwatch: {parts.STAGED}")
    house.edit("a.py", "edited\n")
    house.here("add", "a.py")
    words = ("-p", base, "-p", staged, "-m", "wtwatch: backup of p's run tree before a sync")
    commit = house.here("commit-tree", house.here("write-tree"), *words)
    house.git("update-ref", f"{house.tree.backup_prefix}20250101T000000Z-abcdef", commit)
    (backup,) = backups.listing(house.tree)
    assert backup.summary == "a.py" and "+staged" in backups.show(house.tree, backup)
    assert restored(house, backup) == {"a.py": "edited\n", f"{parts.STAGED}/a.py": "staged\n"}
