"""(j) Jobs side by side: twelve of two seconds in two lanes; and what a lane costs each of them.

In lanes that are there, as from the second batch on, and in ones that are made meanwhile. Beside that the
same jobs one after the other, in the run tree, and by hand; and what one would do by hand to bring a result
from one worktree into another.
"""

from __future__ import annotations

import shutil
import time

from tests.benchmarks.grounds import Grounds
from tests.benchmarks.measure import Row, Section, Way, command, compared, goal, interleaved, median
from tests.lab import Lab
from wtwatch.doors.files import bell_in, held, ring
from wtwatch.doors.repo import Repo
from wtwatch.job.attempt import Folder, Order
from wtwatch.lanes import laying, making, notes, readying
from wtwatch.lanes.turn import AtOnce, Turn
from wtwatch.project.config import Project, read_project
from wtwatch.project.tree import RunTree
from wtwatch.queue.jobs import Queue
from wtwatch.setup import nested
from wtwatch.tree.changes import commits_since
from wtwatch.tree.states import Before
from wtwatch.words.model import Ended, JobSpec, Outcome, Trigger, now
from wtwatch.words.tick import TickOptions

JOBS, SECONDS = 12, 2
PATIENCE = 300.0
LOOK = 0.01

TWO, ONE = f"wtwatch, {JOBS} jobs of {SECONDS} s in two lanes", "wtwatch, the same one after the other"
FIRST = "wtwatch, the same in two lanes that are made meanwhile"
HAND = "by hand: `datalad run`, one after the other"
LAID, PICKED = "wtwatch: a result into the run tree", "by hand: `git cherry-pick`"
REUSED, MADE = "wtwatch: a lane made ready for its next job", "by hand: `git worktree add`, and removed"

GOALS = {1000: 50, 20_000: 200}
"""Milliseconds in which a result is to be in the run tree, by files in the superdataset."""

REUSE = 150
"""Milliseconds in which a lane is to be ready again."""


def measure(grounds: Grounds, quick: bool) -> list[Section]:
    """Run jobs side by side, then measure what a lane costs in projects of two sizes."""
    sizes = {1000: 3} if quick else {1000: 15, 20_000: 7}
    return [_batches(grounds, 1 if quick else 3), *(_costs(grounds, *size) for size in sizes.items())]


def _batches(grounds: Grounds, rounds: int) -> Section:
    lab, other = (grounds.watched(name, 1000, alone=name == "lanes") for name in ("lanes", "others"))
    with lab.daemon():
        ways = {TWO: _queued(lab), ONE: _queued(other, 1), FIRST: _queued(other, 2), HAND: _typed(other)}
        lab.wtwatch("config", "lanes", "2")
        taken = interleaved(ways, rounds)
    times = median(taken[ONE]) / median(taken[TWO])
    goals = {ONE: [goal("≥ 1.8 × as fast in two lanes", times >= 1.8)]}
    return Section(f"(j) {JOBS} jobs of {SECONDS} s, 1,000 files", compared(taken, goals))


def _project(lab: Lab) -> Project:
    return read_project(lab.main / ".git" / "wtwatch" / lab.root.name / "config.toml")


def _spec(number: int) -> JobSpec:
    output = f"out/{number}"
    return JobSpec(f"sleep {SECONDS}; mkdir -p out; date +%s%N > {output}", outputs=(output,))


def _queued(lab: Lab, lanes: int | None = None) -> Way:
    """Queue the batch and look on until its last job has ended; ``lanes``: what is set before."""
    project = _project(lab)
    queue, bell = Queue(project.state), bell_in(Repo(project.main_code).common_dir())

    def batch() -> float:
        if lanes is not None:
            lab.wtwatch("config", "lanes", "1")
            lab.wtwatch("sync")
            lab.wtwatch("config", "lanes", str(lanes))
        lab.wtwatch("sync")
        begin = time.perf_counter()
        queued = queue.add([_spec(number) for number in range(JOBS)], Trigger.NOW, lab.commit("runs"))
        ring(bell)
        for job in queued:
            while not isinstance(state := queue.job(job.id).state, Ended):
                if time.perf_counter() - begin > PATIENCE:
                    raise RuntimeError(f"A job did not end: see {lab.root}/daemon.log")
                time.sleep(LOOK)
            if state.outcome is not Outcome.SUCCEEDED:
                raise RuntimeError(f"A job did not succeed: {state}")
        return time.perf_counter() - begin

    return batch


def _typed(lab: Lab) -> Way:
    def batch() -> float:
        lab.wtwatch("sync")
        specs = [_spec(number) for number in range(JOBS)]
        words = ("datalad", "-f", "disabled", "run", "-m", "by hand")
        return sum(command(*words, "-o", spec.outputs[0], spec.command, cwd=lab.run) for spec in specs)

    return batch


def _costs(grounds: Grounds, files: int, rounds: int) -> Section:
    """Measure what comes before and after a job in a lane, without a daemon."""
    lab = grounds.watched(f"lanes-{files}", files)
    project = _project(lab)._replace(lanes=2)
    tree, lane = RunTree.of(project), RunTree.of_lane(project, 1)
    turn = Turn(tree, Queue(project.state), TickOptions(), AtOnce())
    notes.begin(lane)
    begin = time.perf_counter()
    _make_ready(turn, lane)
    made = time.perf_counter() - begin
    taken = interleaved(
        {
            LAID: lambda: _laid(turn, lane),
            PICKED: lambda: _picked(lab, turn, lane),
            REUSED: lambda: _reused(lab, turn, lane),
            MADE: lambda: _made(lab),
        },
        rounds,
    )
    making.remove(lane)
    goals = {
        LAID: [goal(f"≤ {GOALS[files]} ms", median(taken[LAID]) <= GOALS[files])],
        REUSED: [goal(f"≤ {REUSE} ms", median(taken[REUSED]) <= REUSE)],
    }
    once = Row("wtwatch: a lane made, once, with its environment", f"{made:,.1f} s")
    return Section(f"(j) a lane, {files:,} files in the superdataset", (*compared(taken, goals), once))


def _make_ready(turn: Turn, lane: RunTree) -> None:
    code_sha = Repo(turn.tree.code_path).resolve("HEAD")
    assert code_sha is not None
    with held(lane.lock):
        stand = readying.bring(turn, lane, code_sha, 1)
        if not stand.is_set_up:
            readying.complete(turn.tree, lane, stand)


def _commit(folder: Repo, name: str) -> None:
    (folder.path / name).write_text(f"{time.time_ns()}\n")
    folder.git("add", "-f", "--", name)
    folder.git("commit", "-q", "-m", name)


def _result(turn: Turn, lane: RunTree) -> laying.Result:
    """Have a job in a lane commit something, and somebody in the run tree something else."""
    _make_ready(turn, lane)
    base = Repo(lane.path).resolve("HEAD")
    assert base is not None
    at, number = now(), time.time_ns()
    order = Order(
        number, 1, at, f"{number}", at, lane.path, lane.code_path, base, base, lane.path, JobSpec("x")
    )
    folder = Folder.of(lane.project.state, number, 1)
    folder.write_order(order)
    before = Before.of(lane.path, {})
    _commit(Repo(lane.path), f"result-{number}")
    _commit(Repo(turn.tree.path), f"other-{number}")
    return laying.Result(folder, order, before, (), commits_since(lane.path, base))


def _laid(turn: Turn, lane: RunTree) -> float:
    result = _result(turn, lane)
    begin = time.perf_counter()
    laying.keep(turn.tree, result)
    with held(turn.tree.lock):
        done = laying.lay(turn.tree, result, lambda: nested.complete(lane.project))
    seconds = time.perf_counter() - begin
    if not isinstance(done, laying.Laid):
        raise RuntimeError(f"It could not be laid: {done}")
    return seconds


def _picked(lab: Lab, turn: Turn, lane: RunTree) -> float:
    _result(turn, lane)
    made = Repo(lane.path).resolve("HEAD")
    return command("git", "cherry-pick", str(made), cwd=lab.run)


def _reused(lab: Lab, turn: Turn, lane: RunTree) -> float:
    _commit(Repo(turn.tree.path), f"other-{time.time_ns()}")
    begin = time.perf_counter()
    _make_ready(turn, lane)
    return time.perf_counter() - begin


def _made(lab: Lab) -> float:
    place = lab.root / "by-hand"
    seconds = command("git", "worktree", "add", "-q", "--detach", place, cwd=lab.run)
    shutil.rmtree(place)  # git refuses, as git-annex made a link of its .git
    command("git", "worktree", "prune", "--expire=now", cwd=lab.run)
    return seconds
