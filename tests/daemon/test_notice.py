from __future__ import annotations

import gc
import logging
import os
import random
import resource
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from watchdog.observers.inotify_c import InotifyFD

from tests.lab import eventually
from tests.moves import (
    GIT_MOVES,
    JJ_MOVES,
    MovingCode,
    by_branch,
    by_rung_bell,
    by_update_ref,
    folder_removed_and_made_again,
)
from wtwatch.daemon import notice
from wtwatch.daemon.notice import CALM, LONGEST_IN_VAIN, Bell, Watch
from wtwatch.daemon.places import places
from wtwatch.daemon.sources import POLL
from wtwatch.doors.mounts import filesystem
from wtwatch.setup.githooks import install

Move = Callable[[MovingCode], None]
LONG = 20.0  # no test waits that long unless it fails
STILL = 0.1  # longer than an event takes to arrive
VERY_STILL = 0.5


@pytest.fixture
def house(tmp_path: Path) -> MovingCode:
    return MovingCode.built(tmp_path / "house")


@pytest.fixture
def watch() -> Iterator[Watch]:
    with Watch(Bell()) as watch:
        yield watch


def let_still(watch: Watch, seconds: float = STILL) -> None:
    """Wait until all rings so far have been answered."""
    while watch.wait(seconds):
        pass


def in_the_end(watch: Watch) -> int:
    """Return how many folders are under watch once all rings have been answered."""
    let_still(watch)
    return watch.watches


@pytest.mark.parametrize("move", [*GIT_MOVES, by_rung_bell], ids=lambda move: move.__name__)
def test_every_move_rings(tmp_path: Path, watch: Watch, move: Move) -> None:
    house = MovingCode.built(tmp_path / "house", "team/a/runs")
    watch.aim([places(house.project)])
    for way in (move, by_update_ref):  # what a move leaves behind must not make us deaf
        let_still(watch)
        way(house)
        assert watch.wait(LONG)


@pytest.mark.parametrize("move", JJ_MOVES, ids=lambda move: move.__name__)
def test_every_move_by_jj_rings(house: MovingCode, watch: Watch, move: Move) -> None:
    house.let_jj_drive()
    watch.aim([places(house.project)])
    for way in (move, by_update_ref):
        let_still(watch)
        way(house)
        assert watch.wait(LONG)


def test_an_operation_of_jj_rings_even_if_no_ref_moves(house: MovingCode, watch: Watch) -> None:
    house.let_jj_drive()
    at = places(house.project)
    watch.aim([])
    watch.aim([], also=at.listings)
    assert watch.watches == 1
    house.jj("describe", "-m", "something else")
    assert watch.wait(LONG)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("driver", ["git", "jj"])
def test_in_a_storm_the_last_move_is_always_seen(
    tmp_path: Path, watch: Watch, driver: str, seed: int
) -> None:
    chance = random.Random(seed)
    house = MovingCode.built(tmp_path / "house", chance.choice(["runs", "team/a/runs"]))
    if driver == "jj":
        house.let_jj_drive()
    ways = [*GIT_MOVES, *(JJ_MOVES if driver == "jj" else ())]
    watch.aim([places(house.project)])
    seen = house.tip()
    for _ in range(12):
        burst = chance.choices(ways, k=chance.randint(1, 3))
        storm = threading.Thread(target=_moves, args=(house, burst))
        storm.start()
        deadline = time.monotonic() + LONG
        while (blows := storm.is_alive()) or seen != house.tip():
            deadline = time.monotonic() + LONG if blows else deadline
            assert time.monotonic() < deadline, [way.__name__ for way in burst]
            if watch.wait(0.1):  # looks only when it rang
                seen = house.tip()
        storm.join()


def _moves(house: MovingCode, ways: list[Move]) -> None:
    for way in ways:
        if not house.tip():
            house.git("branch", house.bookmark, "a")
        way(house)


def test_a_flood_of_refs_does_not_drown_a_move(house: MovingCode, watch: Watch) -> None:
    watch.aim([places(house.project)])
    goal = house.git("rev-parse", "b")
    flood = "".join(f"create refs/heads/flood{number} {goal}\n" for number in range(1500))
    command = ["git", "update-ref", "--stdin"]
    subprocess.run(command, cwd=house.code, input=flood, text=True, check=True)
    assert watch.wait(LONG)
    let_still(watch)
    by_branch(house)
    assert watch.wait(LONG)


def test_lost_events_ring_for_all_and_arm_all_folders_anew(house: MovingCode, watch: Watch) -> None:
    watch.aim([places(house.project)], also=[house.root])
    let_still(watch)
    watch.rung()
    reader = next(one for one in threading.enumerate() if isinstance(one, InotifyFD))
    with reader._lock:  # it can read nothing meanwhile, as on a machine that is busy
        for number in range(_queue_length() // 2 + 1000):  # two events each
            (house.root / f"{number}").touch()
    assert watch.wait(LONG)
    eventually(lambda: watch.rung() is None, within=LONG)  # it may be any
    let_still(watch)
    by_branch(house)
    assert watch.wait(LONG)


def _queue_length() -> int:
    return int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())


def test_what_rang_is_told_by_folder(house: MovingCode, watch: Watch, tmp_path: Path) -> None:
    other = MovingCode.built(tmp_path / "other")
    ours, theirs = (set(map(str, places(one.project).folders)) for one in (house, other))
    watch.aim([places(house.project), places(other.project)])
    assert watch.rung() == frozenset(folder for folder in ours | theirs if Path(folder).is_dir()), "at first"
    let_still(watch)
    watch.rung()
    by_branch(house)
    assert watch.wait(LONG)
    let_still(watch)  # a move is many events, which come one after the other
    rang = watch.rung()
    assert rang and rang & ours and not rang & theirs
    assert watch.rung() == frozenset()


def test_many_projects_need_one_thread_and_one_instance_of_inotify(watch: Watch, tmp_path: Path) -> None:
    houses = [MovingCode.built(tmp_path / name) for name in ("a", "b", "c", "d")]
    before, instances = set(threading.enumerate()), inotifies()
    for number in range(1, len(houses) + 1):
        watch.aim([places(house.project) for house in houses[:number]])
        assert len(set(threading.enumerate()) - before) == 1
    assert watch.watches >= 4 * len(houses) and len(inotifies() - instances) <= 1
    for house in houses:
        let_still(watch)
        by_branch(house)
        assert watch.wait(LONG)


def inotifies() -> set[str]:
    """Return the instances of inotify with watches that this process has, by their descriptors."""
    return {file.name for file in Path("/proc/self/fdinfo").iterdir() if _is_inotify(file)}


def _is_inotify(descriptor: Path) -> bool:
    """Whether a descriptor of this process is an instance of inotify with watches (proc(5), fdinfo)."""
    try:
        return "\ninotify wd:" in descriptor.read_text()
    except OSError:  # the one that listed them
        return False


def test_looking_does_not_ring(house: MovingCode, watch: Watch) -> None:
    watch.aim([places(house.project)])
    let_still(watch, VERY_STILL)
    house.tip()
    house.git("--no-optional-locks", "status")
    house.git("--no-optional-locks", "status", cwd=house.project.run_code)
    house.git("cat-file", "-p", house.bookmark)
    (house.common / "packed-refs").exists()
    assert not watch.wait(VERY_STILL)


def test_a_run_tree_that_goes_and_comes_back_is_watched_again(house: MovingCode, watch: Watch) -> None:
    at = places(house.project)
    watch.aim([at])
    full = watch.watches
    house.git("worktree", "remove", "--force", str(house.project.run_code))
    assert watch.wait(LONG)
    eventually(lambda: in_the_end(watch) == full - 1)
    house.git("worktree", "add", "-q", "--detach", str(house.project.run_code), "b")
    eventually(lambda: in_the_end(watch) == full)
    house.git("checkout", "-q", "--detach", "c", cwd=house.project.run_code)
    assert watch.wait(LONG)


def test_a_repository_that_is_gone_crashes_nothing(house: MovingCode, watch: Watch) -> None:
    at = places(house.project)
    watch.aim([at])
    shutil.rmtree(house.root)
    assert watch.wait(LONG)
    let_still(watch)
    watch.aim([at])
    assert watch.watches == 0
    again = MovingCode.built(house.root)
    watch.aim([places(again.project)])
    by_branch(again)
    assert watch.wait(LONG)


def test_a_folder_that_was_moved_away_is_no_longer_listened_to(house: MovingCode, watch: Watch) -> None:
    at = places(house.project)
    watch.aim([at])
    house.root.rename(house.root.with_name("moved"))
    watch.aim([at])  # as each sweep does
    assert watch.watches == 0
    house.root.with_name("moved").rename(house.root)
    watch.aim([at])
    by_branch(house)
    assert watch.wait(LONG)


def test_a_project_needs_at_most_eight_watches(tmp_path: Path, watch: Watch) -> None:
    house = MovingCode.built(tmp_path / "house", "team/a/runs")
    house.let_jj_drive()
    watch.aim([places(house.project)])
    assert watch.watches <= 8


def test_projects_of_one_superdataset_share_watches(house: MovingCode, watch: Watch) -> None:
    first = places(house.project)
    watch.aim([first])
    alone = watch.watches
    other = house.also("team/runs")
    watch.aim([first, places(other.project)])
    assert watch.watches == alone + 2  # refs/heads/team and the other run tree's
    for one in (house, other):
        let_still(watch)
        by_branch(one)
        assert watch.wait(LONG)


def test_aiming_again_keeps_the_watches_and_aiming_elsewhere_drops_them(
    house: MovingCode, watch: Watch
) -> None:
    at = places(house.project)
    watch.aim([at])
    threads = set(threading.enumerate())
    watch.aim([at])
    assert set(threading.enumerate()) <= threads  # one of another test may have ended meanwhile
    watch.aim([])
    assert watch.watches == 0
    let_still(watch, VERY_STILL)
    by_branch(house)
    assert not watch.wait(VERY_STILL)


def test_other_folders_ring_too(house: MovingCode, watch: Watch) -> None:
    watch.aim([places(house.project)], also=[house.project.state])
    (house.project.state / "projects.toml").write_text("")
    assert watch.wait(LONG)


def test_without_events_moves_are_found_by_polling(house: MovingCode) -> None:
    with Watch(Bell(), polling=True) as watch:
        watch.aim([places(house.project)])
        assert watch.mode == "polling"
        for move in (folder_removed_and_made_again, by_branch):
            let_still(watch, 1.5 * POLL)
            move(house)
            assert watch.wait(LONG)


def test_where_the_kernel_refuses_events_polling_takes_over_and_says_so(
    house: MovingCode, watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    import watchdog.observers.polling  # noqa: F401 - needs files open, which are about to run out

    at = places(house.project)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, limit[1]))
    gc.collect()  # or that may give some back while there are to be none
    taken = list(_all_descriptors())
    try:
        os.close(taken.pop())
        os.close(taken.pop())
        watch.aim([at])
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)
    assert (watch.mode, watch.watches) == ("polling", 5)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    by_branch(house)
    assert watch.wait(LONG)


def _all_descriptors() -> Iterator[int]:
    while True:
        try:
            yield os.open(os.devnull, os.O_RDONLY)
        except OSError:
            return


def test_everything_stops_at_the_end(house: MovingCode) -> None:
    threads = set(threading.enumerate())
    for polling in (False, True):
        with Watch(Bell(), polling) as watch:
            watch.aim([places(house.project)])
            descriptors = len(list(Path("/proc/self/fd").iterdir()))
            watch.aim([])
        assert set(threading.enumerate()) <= threads
        assert len(list(Path("/proc/self/fd").iterdir())) <= descriptors


def test_the_hooks_ring(house: MovingCode, watch: Watch) -> None:
    at = places(house.project)
    install(house.code)
    watch.aim([], also=[at.bell.parent])
    house.git("commit", "-q", "--allow-empty", "-m", "x")
    assert watch.wait(LONG)


def test_ten_rings_are_one_visit() -> None:
    bell = Bell()
    for _ in range(10):
        bell.ring()
    assert bell.wait(LONG)
    assert not bell.wait(0)


def test_without_a_ring_the_wait_ends() -> None:
    assert not Bell().wait(0.01)
    assert not Bell().wait(-1)


def test_a_bell_that_never_rests_does_not_delay_the_visit() -> None:
    bell = Bell()
    rest = threading.Event()

    def ring_on() -> None:
        while not rest.is_set():
            bell.ring()

    ringer = threading.Thread(target=ring_on)
    ringer.start()
    assert bell.wait(LONG)  # while it is being rung
    rest.set()
    ringer.join()


def test_a_ring_after_the_wait_is_kept_for_the_next() -> None:
    bell = Bell()
    bell.ring()
    assert bell.wait(LONG)
    bell.ring()
    assert bell.wait(0)


class Clock:
    """A clock that only goes on when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 6))
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(notice, "time", clock)
    return clock


def rung(bell: Bell, times: int) -> None:
    for _ in range(times):
        bell.ring()
        assert bell.wait(0)


def test_the_first_ring_is_answered_at_once_and_those_of_a_burst_after_pauses_that_grow(clock: Clock) -> None:
    bell = Bell()
    rung(bell, 9)
    assert clock.slept == [0.0, 0.002, 0.004, 0.008, 0.016, 0.032, 0.05, 0.05, 0.05]
    clock.sleep(CALM + 0.001)
    clock.slept.clear()
    rung(bell, 2)
    assert clock.slept == [0.0, 0.002]


def test_time_that_has_passed_since_the_last_look_counts(clock: Clock) -> None:
    bell = Bell()
    rung(bell, 8)
    clock.sleep(0.06)
    rung(bell, 1)
    assert clock.slept[-1] == 0


def test_a_look_in_vain_makes_the_next_ring_wait_for_a_moment_alone(clock: Clock) -> None:
    bell = Bell()
    rung(bell, 8)
    bell.was_in_vain()
    rung(bell, 1)
    assert clock.slept[-1] == LONGEST_IN_VAIN
    rung(bell, 1)
    assert clock.slept[-1] == 2 * LONGEST_IN_VAIN


def test_a_signal_handler_may_ring() -> None:
    bell = Bell()
    before = signal.signal(signal.SIGALRM, lambda *_: bell.ring())
    try:
        for _ in range(5):
            signal.setitimer(signal.ITIMER_REAL, 0.005)
            assert bell.wait(LONG)
    finally:
        signal.signal(signal.SIGALRM, before)


MOUNTS = """\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
23 22 0:21 / /home/a\\040b rw,nosuid shared:7 master:2 - nfs4 server:/home rw,vers=4.2
24 22 0:22 / /mnt rw - fuse.sshfs me@there:/ rw
"""


@pytest.mark.parametrize(
    ("device", "kind"),
    [((254, 0), "ext4"), ((0, 21), "nfs4"), ((0, 22), "fuse.sshfs"), ((0, 99), None)],
)
def test_a_network_file_system_is_known_by_its_device(device: tuple[int, int], kind: str | None) -> None:
    assert filesystem(os.makedev(*device), MOUNTS) == kind


def test_the_file_system_of_this_machine_is_found() -> None:
    assert filesystem(Path("/proc").stat().st_dev) == "proc"


def test_a_move_is_answered_within_a_tenth_of_a_second(house: MovingCode, watch: Watch) -> None:
    watch.aim([places(house.project)])

    def answered() -> bool:
        let_still(watch)
        by_update_ref(house)
        moved = (house.common / house.ref).stat().st_mtime_ns
        assert watch.wait(LONG)
        return time.time_ns() - moved < 100_000_000

    eventually(answered)  # the machine may be busy now and then
