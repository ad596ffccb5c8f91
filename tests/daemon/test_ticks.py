"""The ticks of a project: they miss nothing, and does not try for ever what failed."""

from __future__ import annotations

import logging
import math
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.doors.at_lease import OTHER, old
from tests.house import House
from tests.lab import eventually, running_daemon
from wtwatch import reconcile
from wtwatch.daemon import places
from wtwatch.daemon.pool import Pool
from wtwatch.daemon.ticks import ELSEWHERE, FIRST_WAIT, LONGEST_WAIT, SWEEP, ProjectTicks, Setback
from wtwatch.doors import lease
from wtwatch.doors.files import bell_in, ring
from wtwatch.project.config import Project, write_project
from wtwatch.project.listing import register
from wtwatch.project.tree import RunTree
from wtwatch.queue.jobs import Queue
from wtwatch.reconcile import Done
from wtwatch.tree import codetree, tip
from wtwatch.tree.tip import Tip
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Process, now


@pytest.fixture
def house(tmp_path: Path) -> House:
    """A house whose run tree is in step."""
    house = House.built(tmp_path / "house")
    reconcile.tick(house.project, reconcile.TickOptions())
    return house


@pytest.fixture
def pool() -> Iterator[Pool]:
    before = set(threading.enumerate())
    pool = Pool()
    yield pool
    pool.stop(20)
    eventually(lambda: set(threading.enumerate()) <= before)


@pytest.fixture
def one(house: House, pool: Pool) -> Iterator[ProjectTicks]:
    one = ProjectTicks(house.project, wake=pool.wake)
    yield one
    one.stop()


def let_nothing_follow(house: House) -> Path:
    """Have git refuse each checkout of the next commit, by a filter that fails; return what counts them."""
    tries = house.project.state.parent / "tries"
    house.git("config", "filter.bad.smudge", f"echo >> '{tries}'; false")
    house.git("config", "filter.bad.clean", "cat")
    house.git("config", "filter.bad.required", "true")
    house.commit({".gitattributes": "f.py filter=bad\n", "f.py": "f = 1\n"})
    return tries


def stands_at(house: House, commit: str) -> bool:
    return house.head() == commit


def failing(house: House, one: ProjectTicks) -> Setback:
    one._tick()
    assert one.setback
    return one.setback


def test_a_step_that_failed_waits_twice_as_long_each_time(house: House, one: ProjectTicks) -> None:
    let_nothing_follow(house)
    waits = [failing(house, one).wait for _ in range(11)]
    assert waits[:4] == [FIRST_WAIT, 2 * FIRST_WAIT, 4 * FIRST_WAIT, 8 * FIRST_WAIT]
    assert waits[-1] == LONGEST_WAIT == max(waits)


def test_what_a_failed_step_does_to_the_tree_is_no_reason_to_try_it_again(
    house: House, one: ProjectTicks
) -> None:
    let_nothing_follow(house)
    for _ in range(3):
        failed = failing(house, one)
        assert one._next_try(failed) == failed.at + failed.wait


def mend(house: House) -> None:
    house.git("config", "filter.bad.smudge", "cat")


def move(house: House) -> None:
    house.commit({"a.py": "a = 2\n"})


def edit(house: House) -> None:
    house.edit("new.py", "n = 1\n")


def ask_for_it(house: House) -> None:
    ring(bell_in(house.project.main_code / ".git"))


def queue(house: House) -> None:
    Queue(house.project.state).pause()


@pytest.mark.parametrize("change", [mend, move, edit, ask_for_it, queue], ids=lambda change: change.__name__)
def test_what_a_failed_step_rested_on_is_a_reason_to_try_it_again(
    house: House, one: ProjectTicks, change: Callable[[House], None]
) -> None:
    let_nothing_follow(house)
    bell_in(house.project.main_code / ".git").parent.mkdir(exist_ok=True)
    failed = [failing(house, one) for _ in range(4)][-1]
    change(house)
    one.poke_if_changed()
    assert one.poked.is_set()
    assert one._next_try(failed) == failed.at + FIRST_WAIT


def test_a_step_that_went_well_forgets_the_failures_before(house: House, one: ProjectTicks) -> None:
    let_nothing_follow(house)
    failing(house, one)
    mend(house)
    one._tick()
    assert one.setback is None
    assert house.head() == house.git("rev-parse", "runs")


@pytest.mark.parametrize("told", ["cause", "another"])
def test_another_cause_starts_anew(
    house: House, one: ProjectTicks, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = iter(["cause", "cause", told])

    def fails(*_: object) -> None:
        raise WtwatchError(next(words))

    monkeypatch.setattr(reconcile, "tick", fails)
    waits = [failing(house, one).wait for _ in range(3)]
    assert waits == [FIRST_WAIT, 2 * FIRST_WAIT, 4 * FIRST_WAIT if told == "cause" else FIRST_WAIT]


def test_events_do_not_hurry_what_fails_and_its_reason_stays_in_sight(house: House, tmp_path: Path) -> None:
    write_project(house.project)
    register("p", house.project.state)
    tries = let_nothing_follow(house)
    began = time.monotonic()
    with running_daemon(tmp_path):
        noted = Queue(house.project.state)
        eventually(lambda: noted.waits() is not None)
        reasons = set()
        for number in range(40):
            house.git("update-ref", f"refs/heads/other-{number}", "HEAD")
            waits = noted.waits()
            reasons.add(waits and waits.reason)
        tried = tries.read_text().count("\n")
        most = 2 + math.log2(1 + (time.monotonic() - began) / FIRST_WAIT)
        assert 1 <= tried <= most
        assert len(reasons) == 1, reasons
        mend(house)
        eventually(lambda: house.head() == house.git("rev-parse", "runs"))
        eventually(lambda: noted.waits() is None)


def test_what_no_event_tells_is_found_all_the_same(
    house: House, one: ProjectTicks, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wtwatch.daemon.ticks.LOOK", 0.05)
    monkeypatch.setattr(places, "fingerprint", lambda at: ())
    pool.add(one)
    eventually(lambda: one.seen == ())
    for text in ("2", "3"):
        new = house.commit({"a.py": f"a = {text}\n"})
        eventually(partial(stands_at, house, new))


def test_a_commit_by_hand_in_the_run_trees_superdataset_is_found(house: House, one: ProjectTicks) -> None:
    one._tick()
    assert not one._has_changed()
    house.git("commit", "-q", "--allow-empty", "-m", "by hand", cwd=house.project.run_tree)
    assert one._has_changed()


def test_a_quiet_look_starts_no_program(
    house: House, one: ProjectTicks, monkeypatch: pytest.MonkeyPatch
) -> None:
    one._tick()
    monkeypatch.setattr(subprocess, "Popen", None)
    assert not one._has_changed()


def test_where_jj_keeps_its_own_store_it_is_asked(
    house: House, one: ProjectTicks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = house.project.main_code
    subprocess.run(["jj", "--quiet", "git", "init", "--git-repo", code, tmp_path / "jj"], check=True)
    (tmp_path / "jj" / ".jj").rename(code / ".jj")
    target = code / ".jj" / "repo" / "store" / "git_target"
    one._tick()
    monkeypatch.setattr(tip, "read", lambda project: Tip(None))  # as if something had been missed
    for own, found in ((str(code / ".git"), False), (str(tmp_path), True)):
        target.write_text(own)
        assert one._has_changed() == found


def test_what_comes_and_goes_with_each_tick_is_told_once(
    one: ProjectTicks, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    waits = [Done(waits="git (pid 7) works."), Done(), Done(waits="git (pid 8) works."), Done()]
    ticks = iter([*waits, *waits, Done(fired=(3,)), Done(waits="git (pid 9) works.")])
    monkeypatch.setattr(reconcile, "tick", lambda *_: next(ticks))
    for _ in range(10):
        one._tick()
    told = [record.getMessage() for record in caplog.records if "works" in record.getMessage()]
    assert told == ["p: git (pid 7) works.", "p: git (pid 9) works."]


def test_what_stands_in_the_way_is_told_once_though_something_else_goes_on_beside_it(
    one: ProjectTicks, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    beside = [Done(waits="git (pid 7) works.", fired=(number,)) for number in range(4)]
    ticks = iter([*beside[:3], Done(fired=(3,)), beside[3]])
    monkeypatch.setattr(reconcile, "tick", lambda *_: next(ticks))
    for _ in range(5):
        one._tick()
    told = [record.getMessage() for record in caplog.records if "works" in record.getMessage()]
    assert told == 2 * ["p: git (pid 7) works."], "and again, once it was gone"


def test_a_failure_of_wtwatch_itself_ends_not_the_thread(
    house: House, one: ProjectTicks, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tick that raises what nobody foresaw is told and tried again."""
    ticks = threading.Semaphore(0)

    def fails(*_: object) -> None:
        ticks.release()
        raise ZeroDivisionError("a mistake")

    monkeypatch.setattr(reconcile, "tick", fails)
    monkeypatch.setattr("wtwatch.daemon.ticks.FIRST_WAIT", 0.01)
    pool.add(one)
    for _ in range(3):
        assert ticks.acquire(timeout=60)
    assert "wtwatch itself failed: ZeroDivisionError" in (one.trouble or "")


@pytest.mark.parametrize(
    "error",
    [OSError(28, "No space left on device", "/a/b"), PermissionError(13, "Permission denied", b"/a/b")],
    ids=["full", "forbidden"],
)
def test_what_the_system_refuses_is_no_fault_of_wtwatch(
    house: House, one: ProjectTicks, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    def refused(*_: object) -> None:
        raise error

    monkeypatch.setattr(reconcile, "tick", refused)
    failing(house, one)
    said = Queue(house.project.state).waits()
    assert said and said.hint
    assert said.reason == f"/a/b: {error.strerror}."


def test_it_ticks_at_the_time_that_a_tick_named_and_else_only_when_something_changed(
    house: House, one: ProjectTicks, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    named: list[float | None] = []
    answers = iter([0.01, 0.02])

    def tick(*_: object) -> Done:
        named.append(next(answers, None))
        return Done(again_in=named[-1])

    monkeypatch.setattr(reconcile, "tick", tick)
    bell = bell_in(house.project.main_code / ".git")
    bell.parent.mkdir(exist_ok=True)
    pool.add(one)
    eventually(lambda: named == [0.01, 0.02, None])
    ring(bell)
    one.poke_if_changed()
    eventually(lambda: len(named) >= 4)
    # the ring may have been racy, which asks for one more look; then all is quiet
    eventually(lambda: is_quiet(one))
    assert named[3:] == [None] * len(named[3:])


def is_quiet(one: ProjectTicks) -> bool:
    one.poke_if_changed()
    return not one.poked.is_set()


def test_who_gives_no_sign_when_it_ends_is_looked_at_soon_then_seldom(one: ProjectTicks) -> None:
    waits = [one._patience() for _ in range(2000)]
    assert waits[0] <= 0.5
    assert waits == sorted(waits)
    assert waits[-1] == SWEEP


def test_a_new_move_is_looked_at_soon_however_long_somebody_works_in_the_tree(
    house: House, one: ProjectTicks, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = (Process(1, "batch", now()),)
    monkeypatch.setattr(reconcile, "tick", lambda *_: Done(waits="batch works there", busy=busy))
    waits = [one._tick() for _ in range(10)]
    assert waits[-1] == SWEEP
    house.commit({"a.py": "a = 2\n"})
    assert one._tick() == waits[0]


def test_a_bookmark_that_is_a_symbolic_ref_moves_where_it_leads(house: House, tmp_path: Path) -> None:
    write_project(house.project)
    register("p", house.project.state)
    with running_daemon(tmp_path):
        house.git("update-ref", "refs/heads/deep/trunk", "runs")
        house.git("symbolic-ref", "refs/heads/runs", "refs/heads/deep/trunk")
        for text in ("2", "3"):
            new = house.commit({"a.py": f"a = {text}\n"}, bookmark=False)
            house.git("update-ref", "refs/heads/deep/trunk", new)
            eventually(partial(stands_at, house, new))


def test_a_main_tree_that_is_renamed_under_a_tick_leaves_no_ghost(
    house: House, one: ProjectTicks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each of its writes in turn: none makes the state's folder anew at the old place."""
    main, moved = house.project.main_tree, house.project.main_tree.with_name("moved")
    facts_of = codetree.facts_of

    def renamed_after_looking(tree: RunTree) -> codetree.Facts:
        facts = facts_of(tree)
        main.rename(moved)
        return facts

    house.commit({"a.py": "a = 2\n"})
    monkeypatch.setattr(codetree, "facts_of", renamed_after_looking)
    one._tick()
    assert one.setback
    one._tick()
    assert not main.exists()
    with pytest.raises(FileNotFoundError):
        Queue(house.project.state).pause()
    assert not main.exists()


def test_who_works_in_the_tree_hides_not_why_the_last_try_failed(house: House, one: ProjectTicks) -> None:
    let_nothing_follow(house)
    cause = failing(house, one).cause
    with subprocess.Popen(["sleep", "600"], cwd=house.code) as somebody:
        one._tick()
        waits = Queue(house.project.state).waits()
        assert waits and waits.reason == cause
        assert one.setback
        somebody.kill()
    mend(house)
    one._tick()
    assert Queue(house.project.state).waits() is None


def test_refs_that_went_and_came_back_during_a_tick_are_looked_at_again(
    house: House, one: ProjectTicks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it saw them gone, and nothing tells the state after from the one before."""
    heads = house.project.main_code / ".git" / "refs" / "heads"
    seen: list[str | None] = []
    passing = iter([True])

    def tick(*_: object) -> Done:
        if next(passing, False):
            heads.rename(heads.with_name("away"))
        seen.append(tip.read(house.project).commit)
        if not heads.exists():
            heads.with_name("away").rename(heads)
        return Done()

    monkeypatch.setattr(reconcile, "tick", tick)
    before = places.fingerprint(places.places(house.project))[:2]
    assert one.turn() < 1.0, "again soon"
    eventually(lambda: one.turn() > 1.0)
    assert (seen[0], seen[-1]) == (None, house.head())
    assert one.seen is not None and one.seen[:2] == before, "nothing else tells"


def test_refs_at_rest_are_looked_at_once(
    house: House, one: ProjectTicks, monkeypatch: pytest.MonkeyPatch
) -> None:
    eventually(lambda: one.turn() > 1.0)  # what built the house is over
    ticks: list[str] = []

    def tick(*_: object) -> Done:
        ticks.append("tick")
        return Done()

    monkeypatch.setattr(reconcile, "tick", tick)
    one.poked.set()
    assert one.turn() > 1.0 and one.turn() > 1.0 and len(ticks) == 1


def test_settings_that_change_during_a_turn_end_its_set_up_and_count_in_the_next(
    one: ProjectTicks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two turns side by side each would record what the other did, by settings of its own."""
    other = one.project._replace(settle=one.project.settle + 1)
    counted: list[Project] = []

    def tick(project: Project, options: reconcile.TickOptions) -> Done:
        counted.append(project)
        if project != other:
            one.renew(other)
            assert options.stop()
        return Done()

    monkeypatch.setattr(reconcile, "tick", tick)
    first = one.project
    assert one.turn() == 0.0 or one.poked.is_set()
    one.turn()
    assert counted == [first, other] and not one._options().stop()


def test_a_project_that_another_host_acts_on_is_left_alone_and_goes_on_once_it_is_free(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    far = House(house.project._replace(executor=(("kind", "slurm"),)))
    there = lease.take(far.project.state, OTHER)
    assert isinstance(there, lease.Lease)
    one = ProjectTicks(far.project)
    before, tip = far.head(), far.commit({"a.py": "a = 2\n"}, bookmark=True)
    for _ in range(2):
        assert one._tick() == ELSEWHERE
    assert far.head() == before and Queue(far.project.state).waits() is None
    there.give_back()
    one._tick()
    assert far.head() == tip and not one.trouble
    one.let_go()
    told = [record.getMessage() for record in caplog.records]
    assert sum("looked after by login2" in line for line in told) == 1 and "p: goes on here" in told
    assert isinstance(lease.take(far.project.state, OTHER), lease.Lease)


def test_who_finds_in_the_midst_that_another_host_took_over_starts_nothing_and_notes_nothing(
    house: House,
) -> None:
    far = House(house.project._replace(executor=(("kind", "slurm"),)))
    one = ProjectTicks(far.project)
    one._tick()
    old(far.project.state)
    assert isinstance(lease.take(far.project.state, OTHER), lease.Lease)
    before = far.head()
    far.commit({"a.py": "a = 2\n"}, bookmark=True)
    assert one._tick() == ELSEWHERE and far.head() == before
    one.let_go()
    seen = lease.look(far.project.state)
    assert seen is not None and seen.holder == OTHER and seen.renewed
