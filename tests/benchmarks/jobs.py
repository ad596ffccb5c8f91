"""(i) One job that makes an annexed file anew: from when it is queued to when it has ended.

Beside it `datalad run` and `datalad rerun` by hand, and a shell script of the git and git-annex calls that it
cannot do without: the floor. All in the same run tree, in turns.
"""

from __future__ import annotations

import time

from tests.benchmarks.grounds import Grounds
from tests.benchmarks.measure import Section, Way, command, compared, goal, interleaved, median
from tests.lab import Lab
from wtwatch.doors.files import bell_in, ring
from wtwatch.doors.repo import Repo
from wtwatch.project.config import read_project
from wtwatch.queue.jobs import Queue
from wtwatch.words.model import Ended, JobSpec, Outcome, Sha, Trigger

PATIENCE = 120.0
LOOK = 0.002
"""Seconds between two looks for the end of a job."""

OUT = "out/new.bin"
COMMAND = f"date +%s%N > {OUT}"

OURS = "wtwatch, its daemon running: a rerun, from queued to ended"
RUN = "by hand: `datalad run`"
RERUN = "by hand: `datalad rerun`"
FLOOR = "the floor: a shell script of git and git-annex calls alone"

SCRIPT = f"""set -e
test -z "$(git status --porcelain)"
cp --remove-destination "$(readlink -f {OUT})" {OUT}
chmod +w {OUT}
{COMMAND}
test -n "$(git status --porcelain -uall)"
git annex add --quiet {OUT}
git -c gc.auto=0 commit -q -m result -- {OUT}
"""

GOALS = {1000: 3, 20_000: 7, 100_000: 20}
"""How many times as fast as `datalad rerun` a job is to be, by files in the superdataset."""

TO_THE_FLOOR = 2.5


def measure(grounds: Grounds, quick: bool) -> list[Section]:
    """Run the job in projects of three sizes."""
    sizes = {1000: 3} if quick else {1000: 15, 20_000: 7, 100_000: 3}
    return [_at(grounds, files, rounds) for files, rounds in sizes.items()]


def _at(grounds: Grounds, files: int, rounds: int) -> Section:
    lab = grounds.watched(f"jobs-{files}", files)
    lab.git("gc", "--quiet")  # or the commands by hand would have one begin, beside what is measured next
    command(
        "datalad", "-f", "disabled", "run", "-m", "first", "-o", OUT, f"mkdir -p out; {COMMAND}", cwd=lab.run
    )
    record = lab.commit("HEAD", lab.run)
    with lab.daemon():
        ways = {
            OURS: _queued(lab, record),
            RUN: _typed(lab, "datalad", "-f", "disabled", "run", "-m", "again", "-o", OUT, COMMAND),
            RERUN: _typed(lab, "datalad", "-f", "disabled", "rerun", record),
            FLOOR: _typed(lab, "bash", "-c", SCRIPT),
        }
        taken = interleaved(ways, rounds)
    times = median(taken[RERUN]) / median(taken[OURS])
    floors = median(taken[OURS]) / median(taken[FLOOR])
    goals = {
        OURS: [goal(f"≤ {TO_THE_FLOOR} × the floor", floors <= TO_THE_FLOOR)],
        RERUN: [goal(f"≥ {GOALS[files]} × as fast as by hand", times >= GOALS[files])],
    }
    return Section(f"(i) a job, {files:,} files in the superdataset", compared(taken, goals))


def _queued(lab: Lab, record: Sha) -> Way:
    """Queue the rerun as the commands do, ring the bell, and look on until the queue says how it ended."""
    project = read_project(lab.main / ".git" / "wtwatch" / lab.root.name / "config.toml")
    queue, bell = Queue(project.state), bell_in(Repo(project.main_code).common_dir())
    base = lab.commit("runs")

    def job() -> float:
        _rest(lab)
        begin = time.perf_counter()
        [queued] = queue.add([JobSpec(COMMAND, rerun_of=record)], Trigger.NOW, base)
        ring(bell)
        while not isinstance(state := queue.job(queued.id).state, Ended):
            if time.perf_counter() - begin > PATIENCE:
                raise RuntimeError(f"The job did not end: see {lab.root}/daemon.log")
            time.sleep(LOOK)
        seconds = time.perf_counter() - begin
        if state.outcome is not Outcome.SUCCEEDED:
            raise RuntimeError(f"The job did not succeed: {state}")
        return seconds

    return job


def _typed(lab: Lab, *words: str) -> Way:
    def job() -> float:
        _rest(lab)
        return command(*words, cwd=lab.run)

    return job


def _rest(lab: Lab) -> None:
    """See to it that nothing is left to do in the run tree before the clock starts."""
    lab.wtwatch("sync")
