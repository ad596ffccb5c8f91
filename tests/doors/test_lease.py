"""The lease by which hosts agree on who acts: one has it, whoever comes, dies or has a wrong clock."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.doors.at_lease import ONE, OTHER, THIRD, give_back, old
from wtwatch.doors import lease
from wtwatch.doors.lease import LAPSE, Holder, Lease, Seen


def had(folder: Path, who: Holder) -> Lease:
    found = lease.take(folder, who)
    assert isinstance(found, Lease), found
    return found


def refused(folder: Path, who: Holder) -> Seen:
    found = lease.take(folder, who)
    assert isinstance(found, Seen), found
    return found


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir() if "lease" in file.name)


def meeting(what: str, folder: Path, *more: str) -> Any:
    """What comes of hosts that meet in a process of its own."""
    words = [sys.executable, "-P", "-m", "tests.doors.at_lease", what, str(folder), *more]
    root = Path(__file__).parents[2]
    done = subprocess.run(
        words,
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_first_has_it_and_another_host_is_told_who(tmp_path: Path) -> None:
    assert lease.look(tmp_path) is None
    first = had(tmp_path, ONE._replace(since="2026-11-25T10:00:00.000000Z"))
    seen = refused(tmp_path, OTHER)
    assert seen.holder == ONE._replace(since="2026-11-25T10:00:00.000000Z")
    assert 0 <= seen.silent < LAPSE and first.is_mine() and first.renew()
    assert names(tmp_path) == ["lease.1"]


def test_processes_of_one_host_share_it(tmp_path: Path) -> None:
    one, two = had(tmp_path, ONE), had(tmp_path, ONE)
    assert one.is_mine() and two.is_mine() and one.number == two.number


@pytest.mark.parametrize("differs", [{"boot": "another"}, {"space": "pid:[2]"}, {"host": "login9"}])
def test_a_host_that_was_started_anew_or_has_other_pids_is_another(
    tmp_path: Path, differs: dict[str, str]
) -> None:
    had(tmp_path, ONE)
    assert refused(tmp_path, ONE._replace(**differs)).holder == ONE


def test_hosts_whose_boot_is_hidden_are_never_taken_for_the_same(tmp_path: Path) -> None:
    first = had(tmp_path, ONE._replace(boot=""))
    assert first.is_mine() and first.renew()
    refused(tmp_path, ONE._replace(boot=""))


def test_one_that_was_not_renewed_lapses_and_the_first_knows(tmp_path: Path) -> None:
    first = had(tmp_path, ONE)
    old(tmp_path)
    assert first.renew(), "nobody came meanwhile"
    refused(tmp_path, OTHER)
    old(tmp_path)
    second = had(tmp_path, OTHER)
    assert second.number == 2 and second.is_mine()
    assert not first.is_mine() and not first.renew()
    assert refused(tmp_path, ONE).holder == OTHER
    assert names(tmp_path) == ["lease.2"]


def test_one_that_was_given_back_is_had_by_another_at_once(tmp_path: Path) -> None:
    first = had(tmp_path, ONE)
    first.give_back()
    second = had(tmp_path, OTHER)
    assert second.number == 2 and not first.renew() and not first.is_mine()
    second.give_back()
    assert had(tmp_path, OTHER).number == 3, "so that it says since when"


@pytest.mark.parametrize("off", [-86_400, -3_600, 3_600, 86_400])
def test_a_clock_that_is_wrong_here_makes_no_lease_lapse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, off: int
) -> None:
    had(tmp_path, ONE)
    right = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: right + off * 10**9)
    assert refused(tmp_path, OTHER).silent < LAPSE
    old(tmp_path)
    had(tmp_path, OTHER)


def test_one_of_times_to_come_was_renewed_before_a_clock_was_set_back(tmp_path: Path) -> None:
    had(tmp_path, ONE)
    ahead = time.time() + 86_400
    os.utime(tmp_path / "lease.1", (ahead, ahead))
    had(tmp_path, OTHER)


def test_who_takes_over_and_who_renews_are_never_both_told_that_they_have_it(tmp_path: Path) -> None:
    for what in ("renewed_meanwhile", "taken_meanwhile"):
        (folder := tmp_path / what).mkdir()
        found = meeting(what, folder)
        assert len(found) >= 4
        for told, other_has, still_has in found:
            assert not (other_has and (told or still_has)), found
    assert {told for told, _, _ in found} == {other for _, other, _ in found} == {True, False}


def test_who_is_killed_at_any_step_leaves_it_to_his_host_at_once_and_to_others_later(tmp_path: Path) -> None:
    assert len(meeting("killed", tmp_path)) > 12


@pytest.mark.slow
def test_of_several_that_come_at_once_one_has_it(tmp_path: Path) -> None:
    assert meeting("run_for_it", tmp_path, "60") == [1] * 60


@pytest.mark.parametrize("text", ["", "{", "[]", '"host"', '{"boot": "b"}', "\0\xff"])
def test_one_that_cannot_be_read_is_somebody_s_until_it_lapses(tmp_path: Path, text: str) -> None:
    (tmp_path / "lease.7").write_text(text)
    seen = refused(tmp_path, ONE)
    assert (seen.number, seen.holder) == (7, None)
    old(tmp_path)
    assert had(tmp_path, ONE).number == 8


def test_what_a_newer_version_says_besides_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "lease.1").write_text(json.dumps(ONE._asdict() | {"rack": 7}))
    assert refused(tmp_path, OTHER).holder == ONE


def test_files_of_other_names_are_none(tmp_path: Path) -> None:
    for name in ("lease.0", "lease.01", "lease.x", "lease.lock", ".lease.abc", "lease"):
        (tmp_path / name).touch()
    assert lease.look(tmp_path) is None
    had(tmp_path, ONE)
    lease.remove(tmp_path)
    assert lease.look(tmp_path) is None and (tmp_path / "lease.lock").exists()


def test_one_that_was_taken_away_is_nobody_s(tmp_path: Path) -> None:
    first = had(tmp_path, ONE)
    lease.remove(tmp_path)
    assert not first.is_mine() and not first.renew()
    first.give_back()
    assert had(tmp_path, THIRD).number == 1 and not first.renew()


def test_numbers_that_a_killed_host_left_behind_count_for_nothing(tmp_path: Path) -> None:
    for number in (2, 9):
        (tmp_path / f"lease.{number}").write_text(json.dumps(ONE._asdict()))
    give_back(tmp_path)
    assert had(tmp_path, OTHER).number == 10
    assert names(tmp_path) == ["lease.10"]


def test_in_a_folder_that_cannot_be_written_to_it_is_seen_and_not_had(tmp_path: Path) -> None:
    had(tmp_path, ONE)
    asked = (
        "import sys; from pathlib import Path; from tests.doors.at_lease import OTHER\n"
        "from wtwatch.doors import lease; folder = Path(sys.argv[1]); print(lease.look(folder).holder.host)\n"
        "try: lease.take(folder, OTHER)\nexcept OSError as error: print(error.strerror)"
    )
    names = ["--user", "--map-root-user", "--mount"] if os.geteuid() else ["--mount"]
    only_read = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && exec "$2" -P -c "$3" "$1"'
    root = Path(__file__).parents[2]
    done = subprocess.run(
        ["unshare", *names, "--", "sh", "-c", only_read, "sh", str(tmp_path), sys.executable, asked],
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines() == ["login1", "Read-only file system"], done.stderr
