from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.house import House
from tests.room import let_git_know_nobody
from wtwatch.tree import backups, parts, restoring
from wtwatch.words.errors import CommandFailed, UsageError
from wtwatch.words.model import Backup, now


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House.built(tmp_path / "p")


BINARY = bytes(range(256)) * 8


def full(house: House) -> Backup:
    """Make a backup that holds one thing of each kind."""
    house.edit("a.py", "staged\n")
    house.here("add", "a.py")
    house.edit("a.py", "edited\n")
    house.edit("b.py", None)
    (house.code / "d/x.py").chmod(0o755)
    house.edit("d/y.py", "-> x.py")
    (house.code / "new.bin").write_bytes(BINARY)
    house.edit("añ\nb", "odd\n")
    house.commit({"new.bin": "2", "añ\nb": "2"})
    backup = house.sync()
    assert backup
    return backup


def test_all_comes_back_byte_for_byte(house: House, tmp_path: Path) -> None:
    backup = full(house)
    to = tmp_path / "back"
    files = restoring.restore(house.tree, backup, to)
    assert (to / "new.bin").read_bytes() == BINARY
    assert (to / "a.py").read_text() == "edited\n"
    assert (to / parts.STAGED / "a.py").read_text() == "staged\n"
    assert (to / "d/x.py").stat().st_mode & 0o100
    assert (to / "d/y.py").is_symlink()
    assert (to / "añ\nb").read_text() == "odd\n"
    names = {"a.py", "d/x.py", "d/y.py", "new.bin", "añ\nb", f"{parts.STAGED}/a.py"}
    assert {str(file.relative_to(to)) for file in files} == names
    with pytest.raises(UsageError, match="not an empty folder"):
        restoring.restore(house.tree, backup, to)


def test_a_backup_is_listed_found_and_shown(house: House) -> None:
    backup = full(house)
    assert backups.listing(house.tree) == [
        Backup(backup.id, backup.commit, backup.made.replace(microsecond=0), backup.summary)
    ]
    assert "\n" not in backup.summary and "more" in backup.summary
    assert backups.find(house.tree, backup.id[:12]).commit == backup.commit
    shown = backups.show(house.tree, backup)
    assert "+edited" in shown and "+staged" in shown and "new.bin" in shown and "Commits:" in shown
    with pytest.raises(UsageError, match="is no backup"):
        backups.find(house.tree, "nothing")


def test_a_backup_is_never_overwritten(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "urandom", lambda count: b"\0" * count)
    moment = now()
    monkeypatch.setattr(backups, "now", lambda: moment)
    house.edit("a.py", "one")
    first = backups.create(house.tree, house.head(), ())
    house.edit("a.py", "two")
    with pytest.raises(CommandFailed):
        backups.create(house.tree, house.head(), ())
    assert [backup.commit for backup in backups.listing(house.tree)] == [first.commit]


def test_making_one_touches_neither_tree_nor_index(house: House) -> None:
    house.edit("a.py", "staged")
    house.here("add", "a.py")
    house.edit("a.py", "edited")
    house.edit("u", "untracked")
    index = Path(house.here("rev-parse", "--git-dir")) / "index"
    before, status = index.read_bytes(), ("--no-optional-locks", "status", "--porcelain")
    backups.create(house.tree, house.head(), ["u"])
    assert index.read_bytes() == before
    assert house.here(*status) == "MM a.py\n?? u"


def test_a_backup_needs_no_git_identity(house: House) -> None:
    house.commit({"new.bin": "2"})
    house.edit("a.py", "staged\n")
    house.here("add", "a.py")
    house.edit("a.py", "edited\n")
    let_git_know_nobody(Path.home())
    backup = house.sync()
    assert backup and house.kept(backup, "a.py") == "edited"
    assert "staged" in backups.show(house.tree, backup)
    assert house.git("log", "-1", "--format=%an %cn", backup.commit) == "wtwatch wtwatch"


def test_a_backup_is_the_users_where_git_knows_who_that_is(house: House) -> None:
    house.edit("a.py", "edited\n")
    house.commit({"b.py": "2"})
    backup = house.sync()
    assert backup and house.git("log", "-1", "--format=%an %cn", backup.commit) == "Lab Author Lab Author"


def test_a_strangers_ref_among_the_backups_does_no_harm(house: House) -> None:
    house.git("update-ref", house.tree.backup_prefix + "mine", "HEAD")
    assert backups.listing(house.tree) == []
