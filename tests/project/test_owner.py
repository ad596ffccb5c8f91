"""Who acts on a project whose jobs run on a cluster: one host at a time, by the lease in its state folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.doors.at_lease import OTHER, old
from tests.lab import eventually
from wtwatch.doors import lease
from wtwatch.doors.lease import Lease, Seen
from wtwatch.project import owner
from wtwatch.project.config import Project
from wtwatch.project.owner import Elsewhere


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    (state := tmp_path / "state").mkdir()
    yield (made := Project("L5b", state, tmp_path, tmp_path, executor=(("kind", "slurm"),)))
    owner.let_go(made)


def names(project: Project) -> list[str]:
    return sorted(file.name for file in project.state.iterdir())


def is_free(project: Project) -> bool:
    seen = lease.look(project.state)
    return seen is None or not seen.renewed


def is_to_be_had(project: Project) -> bool:
    seen = lease.look(project.state)
    return seen is None or seen.is_free()


def taken_over(project: Project) -> Lease:
    """Have another host have it, as if this one had been stopped for long."""
    old(project.state)
    found = lease.take(project.state, OTHER)
    assert isinstance(found, Lease)
    return found


@contextmanager
def another_acts(project: Project) -> Iterator[None]:
    """Another process of this host acts on it."""
    asked = (
        "import sys; from pathlib import Path; from wtwatch.project import owner\n"
        "from wtwatch.project.config import Project; here = Path(sys.argv[1])\n"
        "with owner.acting(Project('L5b', here, here, here, executor=(('kind', 'slurm'),))):\n"
        "    print('acts', flush=True); sys.stdin.readline()"
    )
    words = [sys.executable, "-P", "-c", asked, str(project.state)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdin is not None
        assert process.stdout.readline() == "acts\n"
        yield
        process.stdin.close()
        assert process.wait() == 0


def test_where_jobs_run_on_this_host_nothing_is_asked_or_written(project: Project) -> None:
    here = project._replace(executor=())
    with owner.acting(here):
        owner.own(here)
        owner.check(here)
    assert names(project) == [] and owner.other(here) is None


def test_a_command_has_it_while_it_acts_and_gives_it_back(project: Project) -> None:
    with owner.acting(project):
        assert isinstance(lease.take(project.state, OTHER), Seen)
        with owner.acting(project):
            pass
        assert not is_free(project)
    assert is_free(project) and owner.other(project) is None
    assert isinstance(lease.take(project.state, OTHER), Lease)


def test_it_is_renewed_as_long_as_somebody_acts(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner, "RENEW", 0.01)
    before = set(threading.enumerate())
    with owner.acting(project), owner.acting(project):
        old(project.state)
        eventually(lambda: not is_to_be_had(project))
        owner.clear(project)
        eventually(lambda: owner.is_lost(project))
    assert set(threading.enumerate()) <= before, "none is left"


def test_one_that_fails_gives_it_back(project: Project) -> None:
    with pytest.raises(ZeroDivisionError), owner.acting(project):
        1 / 0  # noqa: B018
    assert is_free(project)


def test_who_has_it_is_said_with_the_way_out(project: Project) -> None:
    assert isinstance(lease.take(project.state, OTHER._replace(since="2020-01-01T10:00:00.000000Z")), Lease)
    with pytest.raises(Elsewhere) as told, owner.acting(project):
        pass
    said = told.value.message
    assert "L5b is looked after by login2 for" in said and "last sign of life" in said
    assert "On login2: wtwatch sync L5b" in (told.value.hint or "")
    seen = owner.other(project)
    assert seen is not None and seen.holder is not None and seen.holder.host == "login2"


def test_one_that_cannot_be_read_is_said_to_be_so(project: Project) -> None:
    (project.state / "lease.3").write_text("{")
    with pytest.raises(Elsewhere, match=r"lease\.3 cannot be read"), owner.acting(project):
        pass


def test_a_daemon_keeps_it_from_tick_to_tick_and_takes_it_again_when_it_is_free(project: Project) -> None:
    owner.own(project)
    with owner.acting(project):
        owner.own(project)
    assert not is_free(project)
    there = taken_over(project)
    for _ in range(2):
        with pytest.raises(Elsewhere, match="login2"):
            owner.own(project)
    there.give_back()
    owner.own(project)
    with owner.acting(project):
        owner.check(project)
    owner.let_go(project)
    assert is_free(project)


def test_who_slept_while_another_took_over_stops_in_the_midst_and_leaves_it_alone(project: Project) -> None:
    with pytest.raises(Elsewhere, match="login2"), owner.acting(project):
        owner.check(project)
        there = taken_over(project)
        owner.check(project)
    assert there.is_mine() and there.renew()
    with pytest.raises(Elsewhere), owner.acting(project):
        pass


def test_the_last_process_of_a_host_gives_it_back(project: Project) -> None:
    with another_acts(project):
        with owner.acting(project):
            pass
        assert not is_free(project)
        owner.own(project)
    assert not is_free(project)
    owner.let_go(project)
    assert is_free(project)


def test_who_was_killed_leaves_it_to_his_host_at_once(project: Project) -> None:
    me = lease.this_host()
    assert isinstance(lease.take(project.state, me), Lease)
    with owner.acting(project):
        assert isinstance(lease.take(project.state, OTHER), Seen)
    assert is_free(project)


def test_where_it_is_not_needed_any_more_no_file_stays(project: Project) -> None:
    owner.own(project)
    assert len(names(project)) == 2
    owner.clear(project)
    with pytest.raises(Elsewhere):
        owner.check(project)
    owner.own(project._replace(executor=()))
    assert names(project) == [] and not owner.is_lost(project)


def test_a_folder_that_is_gone_is_said_and_comes_not_back(project: Project) -> None:
    project.state.rmdir()
    with pytest.raises(Exception, match=r"\.lock: No such file"), owner.acting(project):
        pass
    assert not project.state.exists()


def test_what_a_lease_says_of_this_host_is_of_this_very_start_of_it(project: Project) -> None:
    owner.own(project)
    facts = json.loads((project.state / "lease.1").read_text())
    assert facts["host"] == os.uname().nodename and facts["boot"] and facts["space"].startswith("pid:")
