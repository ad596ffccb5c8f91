"""What `status` collects."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.doors.at_lease import OTHER, old
from tests.house import House
from tests.lab import eventually
from wtwatch.doors import lease
from wtwatch.doors.clock import instant
from wtwatch.lanes import notes
from wtwatch.project import config
from wtwatch.project.tree import RunTree
from wtwatch.queue.jobs import Queue
from wtwatch.setup import health
from wtwatch.tree import backups, codetree
from wtwatch.views import attention, keeping, quick, status
from wtwatch.words.model import Freshness, JobSpec, Trigger, now, stamp


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House.built(tmp_path)


def needs_you(house: House) -> list[str]:
    """Return why somebody has to look at this project."""
    return attention.reasons(quick.collect([house.project]), now())


def with_settings(house: House, text: str) -> House:
    """Return the house with settings that somebody wrote into its file."""
    config.write_project(house.project)
    file = house.project.state / "config.toml"
    file.write_text(file.read_text().replace(f"version = {config.VERSION}\n", "") + text)
    return House(config.read_project(file))


def test_a_setting_that_nobody_knows_asks_for_attention(house: House) -> None:
    assert needs_you(house) == []
    [said] = needs_you(with_settings(house, "setle = 5\n"))
    assert "there is no setting 'setle'; did you mean settle?" in said


def test_a_setting_of_a_newer_version_is_told_and_no_alarm(house: House) -> None:
    newer = with_settings(house, f"version = {config.VERSION + 1}\nmirrors = 5\n")
    assert needs_you(newer) == []
    told = status.describe(newer.project)
    assert told.newer and "'mirrors'" in told.unknown[0]


def test_a_lane_that_is_made_just_now_is_told_until_its_maker_is_done(house: House) -> None:
    two = house.project._replace(lanes=2)
    lane = RunTree.of_lane(two, 2)
    notes.begin(lane)
    notes.note_making(lane)
    assert status.describe(two).making == (2,)
    notes.end_making(lane)
    assert status.describe(two).making == ()


def test_another_host_that_acts_on_a_project_is_told_and_nothing_is_written(house: House) -> None:
    far = house.project._replace(executor=(("kind", "slurm"),))
    eventually(lambda: not keeping.ground_of(far).is_racy())  # nothing is kept of what is that young
    assert status.describe(far).elsewhere is None and keeping.keep(far, os.getpid()).kept
    assert isinstance(lease.take(far.state, OTHER._replace(since=stamp(now()))), lease.Lease)
    before = sorted(far.state.iterdir())
    told = status.describe(far).elsewhere
    assert told is not None and told.since is not None and (told.host, told.gone) == ("login2", False)
    assert not keeping.keep(far, os.getpid()).kept, "nothing tells when that ends"
    assert status.describe(house.project).elsewhere is None, "where jobs run on this host"
    assert sorted(far.state.iterdir()) == before
    old(far.state)
    told = status.describe(far).elsewhere
    assert told is not None and told.gone
    [said] = health.whose(far)
    assert said.ok and "It is looked after by login2" in said.message and "sync p" in (said.hint or "")


@pytest.mark.parametrize("seconds", [10.0, 10_000.0])
def test_settling_is_told_by_the_same_count_that_a_tick_goes_by(house: House, seconds: float) -> None:
    slow = House(house.project._replace(settle=seconds))
    queue = Queue(slow.project.state)
    queue.add([JobSpec("true")], Trigger.ON_MOVE, slow.head())
    tip = slow.commit({"a.py": "a = 2\n"})
    assert status.describe(slow.project).queue.settling is None
    queue.note_tip(tip)
    left = status.describe(slow.project).queue.settling
    assert left and left <= seconds and left >= seconds - queue.still(tip) - 0.1
    queue.hurry(tip)
    assert status.describe(slow.project).queue.settling is None


@pytest.mark.parametrize("gone", ["run", "run/code"])
def test_of_a_run_tree_that_is_not_there_only_that_is_unknown(
    house: House, gone: str, tmp_path: Path
) -> None:
    tip = house.commit({"a.py": "a = 2\n"}, message="second")
    house.edit("a.py", "mine\n")
    before = codetree.facts_of(house.tree)
    backups.create(house.tree, house.head(), before.in_the_way)
    here = status.describe(house.project)
    (tmp_path / gone).rename(tmp_path / "unmounted")
    there = status.describe(house.project)
    assert there.standpoint.freshness is Freshness.MISSING
    same = ("tip", "subject", "applied", "recorded", "saved", "results", "backups", "backups_unseen")
    assert [getattr(there, name) for name in same] == [getattr(here, name) for name in same]
    assert (there.tip, there.subject, there.saved, there.backups) == (tip, "second", True, 1)


def test_where_code_is_not_installed_either_nothing_is_made_up(house: House, tmp_path: Path) -> None:
    house.project.run_tree.rename(tmp_path / "unmounted")
    house.project.main_code.rename(tmp_path / "code")
    told = status.describe(house.project)
    assert (told.standpoint.freshness, told.tip, told.backups) == (Freshness.MISSING, None, 0)


def test_a_daemon_is_told_in_its_own_words(house: House) -> None:
    assert not status.daemon().running
    with holding(config.daemon_file()) as pid:
        config.daemon_file().write_text("")
        assert status.daemon()[:3] == (True, False, pid), "it says nothing yet"
        beat = {"boot": instant().boot, "seconds": instant().seconds - 3600}
        said = {
            "since": stamp(now()),
            "mode": "inotify",
            "watches": 5,
            "beat": beat,
            "stuck": ["p"],
            "version": "0.0.1",
            "new": 1,
        }
        config.daemon_file().write_text(json.dumps(said))
        found = status.daemon()
        assert found.since and (found.mode, found.watches, found.version) == ("inotify", 5, "0.0.1")
        assert found.silent and found.silent >= 3600
        assert any("no sign of life for 60 min" in reason for reason in needs_you(house))
        assert any(reason.startswith("p: the daemon hangs") for reason in needs_you(house))


def test_a_daemon_that_does_not_say_its_version_is_of_the_first(house: House) -> None:
    """0.1.0 said no more of itself than this, and takes nothing up of what is installed in its place."""
    with holding(config.daemon_file()):
        said = {"since": stamp(now()), "mode": "inotify", "watches": 5}
        config.daemon_file().write_text(json.dumps(said))
        assert status.daemon().version == "0.1.0"
        assert any("is of version 0.1.0, and" in reason for reason in needs_you(house))


@contextmanager
def holding(file: Path) -> Iterator[int]:
    """Have another process hold a lock file in the body, which is given its pid."""
    hold = (
        "import sys; from pathlib import Path; from wtwatch.doors.files import claim\n"
        "print(claim(Path(sys.argv[1])), flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-P", "-c", hold, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin and process.stdout and process.stdout.readline() != b"None\n"
        yield process.pid
        process.stdin.close()
