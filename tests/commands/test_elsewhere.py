"""What a host may ask for while another one acts on a project whose jobs run on a cluster, and what not."""

from __future__ import annotations

import pytest

from tests.conftest import Say
from tests.doors.at_lease import OTHER, old
from tests.house import House
from wtwatch.doors import lease
from wtwatch.project.config import read_project
from wtwatch.queue.jobs import Queue


@pytest.fixture
def far(house: House, say: Say) -> House:
    """A house whose jobs run on a cluster, and on which another host acts."""
    say(house.project.main_tree, "config", "executor.kind", "slurm")
    found = House(read_project(house.project.state / "config.toml"))
    assert isinstance(lease.take(found.project.state, OTHER), lease.Lease)
    return found


def test_what_would_act_is_refused_with_who_does_and_the_way_out_and_changes_nothing(
    far: House, say: Say
) -> None:
    before, tip = far.head(), far.commit({"a.py": "a = 2\n"})
    for words in (("sync",), ("sync", "--force"), ("exec", "--", "true"), ("forget",)):
        said = say(far.project.main_tree, *words, code=1).err
        assert "p is looked after by login2" in said and f"On login2: wtwatch {words[0]} " in said, words
    assert far.head() == before and Queue(far.project.state).last_sync() is None
    old(far.project.state)
    assert "moved from" in say(far.project.main_tree, "sync").out
    assert far.head() == tip
    seen = lease.look(far.project.state)
    assert seen is not None and not seen.renewed, "it is anybody's now"


def test_what_only_looks_or_asks_is_done(far: House, say: Say) -> None:
    main = far.project.main_tree
    far.commit({"a.py": "a = 2\n"})
    assert "would move from" in say(main, "sync", "--dry-run").out
    assert "login2 acts on it" in say(main, "status").out
    added = say(main, "queue", "add", "--", "true")
    assert "p is looked after by login2" in added.err and "No daemon" not in added.err
    assert say(main, "queue", "list").out
    assert lease.look(far.project.state) is not None


def test_where_jobs_run_on_one_host_again_no_lease_stays(far: House, say: Say) -> None:
    say(far.project.main_tree, "config", "executor.kind", "here")
    assert lease.look(far.project.state) is None
    say(far.project.main_tree, "sync")
    assert not [*far.project.state.glob("lease*")]
