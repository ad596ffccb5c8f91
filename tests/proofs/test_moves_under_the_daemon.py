"""A thousand random operations on six projects beside a daemon that never sweeps: each burst is followed."""

from __future__ import annotations

import os
import random
import secrets
import signal
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from tests import moves
from tests.house import House
from tests.lab import eventually, running_daemon
from tests.moves import MovingCode
from tests.proofs import test_random_moves as watched
from wtwatch.doors import jj
from wtwatch.doors.files import bell_in, ring
from wtwatch.project.config import write_project
from wtwatch.project.listing import register
from wtwatch.queue.jobs import Queue
from wtwatch.tree import tip as bookmark
from wtwatch.views.kept import file_of
from wtwatch.words.model import Ended, JobSpec, Outcome, Trigger
from wtwatch.words.quoting import quoted

Move = Callable[[MovingCode], None]

NO_SWEEP = """
from wtwatch.daemon import loop, ticks
for module in (loop, ticks):
    module.SWEEP = module.LOOK = 1e6
"""

OPERATIONS = 170
"""Operations on each of the six projects."""

BESIDE_A_JOB = 70
"""Operations of each of the six kinds while a job runs, on its project and on another."""

_SEED = os.environ.get("WTWATCH_SEED")  # read here, since the room of a test is sealed


def by_jj_alone(house: MovingCode) -> None:
    now = bookmark.read(house.project).commit
    goal = next(sha for name in "bcd" if (sha := house.git("rev-parse", name)) != now)
    house.jj("bookmark", "set", "--allow-backwards", house.bookmark, "-r", goal)


def undone_by_jj_alone(house: MovingCode) -> None:
    by_jj_alone(house)
    house.jj("undo")


def rewritten_by_jj_alone(house: MovingCode) -> None:
    by_jj_alone(house)
    house.jj("describe", "--ignore-immutable", "-r", house.bookmark, "-m", secrets.token_hex(8))


def deleted_and_made_again_by_jj_alone(house: MovingCode) -> None:
    house.jj("bookmark", "delete", house.bookmark)
    house.jj("bookmark", "set", house.bookmark, "-r", house.git("rev-parse", "b"))


GIT_MOVES = tuple(way for way in moves.GIT_MOVES if way is not moves.by_commit_in_the_run_tree)
JJ_ALONE = (
    by_jj_alone,
    undone_by_jj_alone,
    rewritten_by_jj_alone,
    deleted_and_made_again_by_jj_alone,
)

KINDS: dict[str, tuple[str, tuple[Move, ...]]] = {
    "plain": ("runs", GIT_MOVES),
    "nested": ("team/a/runs", (*GIT_MOVES, watched.pack)),
    "packed": ("runs", (*GIT_MOVES, watched.pack, watched.collect_garbage, watched.pack)),
    "symbolic": watched.KINDS["symbolic"],
    "jj": ("runs", (*GIT_MOVES, *moves.JJ_MOVES)),
    "jj-apart": ("runs", JJ_ALONE),
}
"""Each project's bookmark, and what is done to it. In the run tree, where the daemon works, nothing is."""


def built(root: Path, kind: str, project: str = "p") -> tuple[House, MovingCode]:
    """Return a registered project, and its code with the commits that moves go between."""
    house = House.built(root / project, name=project, bookmark=KINDS[kind][0])
    code = MovingCode(root / project, house.project)
    for name in "abcd":
        house.commit({f"only/{name}.py": f"{name}\n"}, bookmark=name == "a")  # jj can rebase it anywhere
        code.git("tag", name)
    if kind == "jj":
        code.let_jj_drive()
    elif kind == "jj-apart":
        code.let_jj_drive_apart()
        assert not jj.is_colocated(code.code)
    else:
        code.git("checkout", "-q", "--detach")
    write_project(house.project)
    register(project, house.project.state)
    return house, code


def is_followed(house: House) -> bool:
    tip = bookmark.read(house.project).commit
    return tip is not None and tip == house.head() == house.git("rev-parse", house.tree.applied_ref)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_each_burst_is_followed_without_a_sweep(tmp_path: Path, kind: str) -> None:
    seed = int(_SEED or int.from_bytes(os.urandom(4)))
    print(f"WTWATCH_SEED={seed}")
    dice = random.Random(seed)
    house, code = built(tmp_path, kind)
    done = 0
    with running_daemon(tmp_path, before=NO_SWEEP):
        while done < OPERATIONS:
            burst = dice.choices(KINDS[kind][1], k=dice.randint(1, 6))
            print(*(way.__name__ for way in burst))
            play(code, kind, burst)
            eventually(partial(is_followed, house), within=watched.LONG)
            done += len(burst)


def play(code: MovingCode, kind: str, burst: list[Move]) -> None:
    if kind == "jj-apart":
        for way in burst:
            way(code)
        return
    watched.play(code, burst)
    if not code.tip():  # of one that is deleted there is nothing to follow
        code.git("branch", code.bookmark, "a")


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_what_moves_while_a_job_runs_is_followed_after_it_and_elsewhere_at_once(
    tmp_path: Path, kind: str
) -> None:
    seed = int(_SEED or int.from_bytes(os.urandom(4)))
    print(f"WTWATCH_SEED={seed}")
    dice = random.Random(seed)
    (house, code), (other, others) = built(tmp_path, kind), built(tmp_path, "plain", "q")
    queue, done = Queue(house.project.state), 0
    with running_daemon(tmp_path, before=NO_SWEEP):
        for number in count():
            if done >= BESIDE_A_JOB:
                break
            gate, saw = tmp_path / f"gate {number}", tmp_path / f"saw {number}"
            look = f"git -C code rev-parse HEAD >> {quoted(saw)}"
            waits = f"until [ -e {quoted(gate)} ]; do sleep 0.02; done"
            [job] = queue.add([JobSpec(f"{look}; {waits}; {look}", plain=True)], Trigger.NOW, house.head())
            ring(bell_in(code.common))
            eventually(lambda at=saw: at.exists() and at.read_text(), within=watched.LONG)  # type: ignore[misc]
            at = house.head()
            for _ in range(dice.randint(1, 3)):
                burst = dice.choices(KINDS[kind][1], k=dice.randint(1, 6))
                print(*(way.__name__ for way in burst))
                play(code, kind, burst)
                play(others, "plain", burst_elsewhere := dice.choices(GIT_MOVES, k=2))
                eventually(partial(is_followed, other), within=watched.LONG)
                assert house.head() == at
                done += len(burst) + len(burst_elsewhere)
            gate.touch()
            state = eventually(partial(end_of, queue, job.id), within=watched.LONG)
            assert state is not None and (state.outcome, state.code_sha) == (Outcome.SUCCEEDED, at), state
            assert saw.read_text().split() == [at, at]
            eventually(partial(is_followed, house), within=watched.LONG)


def end_of(queue: Queue, job: int) -> Ended | None:
    state = queue.job(job).state
    return state if isinstance(state, Ended) else None


@pytest.mark.slow
def test_a_move_of_which_the_kernel_lost_the_events_is_followed(tmp_path: Path) -> None:
    house, code = built(tmp_path, "plain")
    flooded, other = built(tmp_path, "plain", "q")
    heads = other.common / "refs" / "heads"
    length = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    with running_daemon(tmp_path, before=NO_SWEEP) as daemon:
        for one in (house, flooded):
            eventually(partial(is_followed, one))
        eventually(file_of("p").exists)  # left when all was still for a moment
        daemon.send_signal(signal.SIGSTOP)  # as on a machine that is busy
        for number in range(length // 2 + 500):  # more events than it keeps, all of another project
            (heads / f"{number}.lock").touch()
            (heads / f"{number}.lock").unlink()
        moves.folder_removed_and_made_again(code)
        daemon.send_signal(signal.SIGCONT)
        eventually(partial(is_followed, house))
        code.git("update-ref", code.ref, code.another())  # in a folder of which nobody told it
        eventually(partial(is_followed, house))
    assert "overflow" in (tmp_path / "daemon.log").read_text()
