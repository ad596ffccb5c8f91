"""`wtwatch backups` and `ack`: seen, given back to a place where it does no harm, dropped when told so."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.conftest import Say
from tests.gits import counted_gits
from tests.house import House
from tests.screens import assert_screen
from tests.views.test_as_json import AT
from wtwatch.doors.repo import Repo
from wtwatch.project.config import write_project
from wtwatch.project.listing import register
from wtwatch.queue.jobs import Queue
from wtwatch.tree import backups, contents
from wtwatch.views import backuplist
from wtwatch.views.backuplist import Line
from wtwatch.words.model import Backup, Ended, JobSpec, Outcome, Running, Sha, Trigger, now

Counted = Callable[..., int]


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House.built(tmp_path / "a house")
    write_project(house.project)
    register(house.project.name, house.project.state)
    return house


@pytest.fixture
def gits(house: House, say: Say, tmp_path: Path) -> Counted:
    """Count the gits that a command of wtwatch starts."""

    def count(*words: str) -> int:
        with counted_gits(tmp_path / "trace") as started:
            say(house.project.main_tree, *words)
            return started()

    return count


def back_up(house: House, text: str) -> Backup:
    house.edit("a.py", text)
    return backups.create(house.tree, house.head(), ())


def many(house: House, number: int) -> None:
    """Make backups that hold a file each, by one git."""
    base, prefix = house.head(), house.tree.backup_prefix
    commits = "".join(
        f"commit {prefix}20250101T{at:06d}Z-{at:06x}\ncommitter L <l@e> 1735689600 +0000\n"
        f"data 10\nbackup\n\nit\nfrom {base}\nM 100644 inline a.py\ndata 4\n{at:04d}\n\n"
        for at in range(number)
    )
    where = house.project.main_code
    subprocess.run(["git", "fast-import", "--quiet"], cwd=where, input=commits, text=True, check=True)


def test_the_list_says_age_size_and_files_and_marks_what_was_not_seen() -> None:
    day = timedelta(days=1)
    found = [
        Line("20261101T120000Z-0a1b2c", AT - 3 * day, 12, 1_500_000, "a.py, src/plot.py and 10 more"),
        Line(
            "20261102T120000123456", AT - day, 24_000, 678_000_000, "an environment, in /d/.L5b-runs.wtwatch"
        ),
        Line("20261103T120000Z-0a1b2d", AT - timedelta(minutes=4), 1, 1, "b.py", new=True),
    ]
    as_wide = {r"(T120000Z)-": r"\1_"}
    for columns in (80, 120):
        shown = "\n".join(backuplist.lines(found, AT, columns)) + "\n"
        assert_screen(f"backups-list.{columns}", shown, as_wide)
    assert len(list(backuplist.lines(found, AT, None))) == 5, "a pipe has a line for each"


def test_what_each_backup_holds_is_the_same_of_one_as_of_many(house: House) -> None:
    house.edit("a.py", "staged\n")
    house.here("add", "a.py")
    house.edit("a.py", "edited\n")
    house.edit("odd\nname", "1")
    house.edit("b.py", None)
    first = backups.create(house.tree, house.head(), ["odd\nname"])
    second = back_up(house, "again")
    found = {backup.id: held for backup, held in backups.weighed(house.tree)}
    repo = Repo(house.project.main_code)
    for one in (first, second):
        assert list(found[one.id].paths) == contents.changed_files(repo, one.commit)
    assert found[first.id].size == len("edited\n") + len("staged\n") + len("1")


def test_looking_at_backups_starts_no_more_programs_for_more_of_them(house: House, gits: Counted) -> None:
    many(house, 2)
    few = {words: gits(*words) for words in (("backups", "list"), ("ack", "--all"))}
    many(house, 40)
    for words, number in few.items():
        assert 0 < gits(*words) == number <= 8, words
    assert 0 < gits("ack", "20250101T000039Z") <= 2


def test_a_backup_can_be_acknowledged_alone(house: House, say: Say) -> None:
    first = back_up(house, "one")
    other = back_up(house, "two")
    queue = Queue(house.project.state)
    (job,) = queue.add([JobSpec("false")], Trigger.NOW, house.head())
    queue.begin(job.id, Running(now(), house.head(), Sha("1" * 40), "uuid"))
    queue.end(job.id, Ended(now(), now(), house.head(), Outcome.FAILED, 1))
    say(house.project.main_tree, "ack", first.id)
    assert queue.acknowledged_backups() == {first.id} and queue.unseen() == 1
    listed = say(house.project.main_tree, "backups", "list").out.splitlines()
    marks = {line[2:].split()[0]: line[0] for line in listed if "a.py" in line}
    assert marks == {first.id: " ", other.id: "*"}
    say(house.project.main_tree, "ack", "20250101T000000Z-00", code=2)
    say(house.project.main_tree, "ack", "b1")
    assert queue.unseen() == 0


def test_nothing_is_restored_where_it_does_harm(house: House, say: Say) -> None:
    main = house.project.main_tree
    backup = back_up(house, "mine")
    other = main / "link"
    other.symlink_to(house.code)
    worktree = Path(house.here("rev-parse", "--git-dir"))
    for to in (
        house.code / "back",
        house.project.run_tree / "a" / "b",
        other / "back",
        main / ".git" / "x",
        worktree / "x",
        house.project.main_code / ".git" / "refs" / "x",
    ):
        said = say(main, "backups", "restore", backup.id, "--to", str(to), code=2)
        assert "--to DIR" in said.err and not os.path.lexists(to), to
    say(main, "backups", "restore", backup.id, "--to", str(main / "back"))
    assert (main / "back" / "a.py").read_text() == "mine"


def test_what_is_dropped_is_named_and_only_that_goes(house: House, say: Say) -> None:
    main = house.project.main_tree
    first, second, third = (back_up(house, text) for text in ("one", "two", "three"))
    say(main, "ack", "--all")
    old = house.tree.shelf / "environments" / "20261102T120000123456"
    (old / "bin").mkdir(parents=True)
    (old / "bin" / "python").write_text("1234")
    assert old.name in say(main, "backups", "list").out
    say(main, "backups", "drop", first.id, "nothing", code=2)
    assert list(backups.names(house.tree)) == sorted([first.id, second.id, third.id]), "all or none"
    said = say(main, "backups", "drop", first.id, second.id, first.id, "20261102").out
    assert said.count("Dropped ") == 3 and f"Dropped {first.id} (a.py)." in said
    assert "1 file, 4 bytes" in said and not old.exists()
    assert list(backups.names(house.tree)) == [third.id]
    assert Queue(house.project.state).acknowledged_backups() == {third.id}
    assert house.git("cat-file", "blob", f"{first.commit}:a.py") == "one", "git has it until it collects"
    say(main, "backups", "drop", first.id, code=2)


def test_a_backup_takes_along_what_was_set_aside_for_it(house: House, say: Say) -> None:
    aside = house.tree.shelf / "set-aside" / "20261102T120000123456"
    aside.mkdir(parents=True)
    (aside / "big").write_text("12")
    house.edit("a.py", "mine")
    backup = backups.create(house.tree, house.head(), (), aside=aside)
    said = say(house.project.main_tree, "backups", "drop", backup.id).out
    assert f"in {aside}" in said and not aside.exists()


def test_an_environment_that_may_be_put_back_is_not_dropped(house: House, say: Say) -> None:
    old = house.tree.shelf / "environments" / "20261102T120000123456"
    old.mkdir(parents=True)
    house.tree.journal("environment").open({"aside": str(old)})
    assert "not right yet" in say(house.project.main_tree, "backups", "drop", old.name, code=1).err
    assert old.is_dir()
