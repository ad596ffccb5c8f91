"""What an earlier version left in the midst of its work is taken up: see ``make.py`` for how it was made."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from tests.conftest import Say
from tests.house import House
from tests.lab import eventually
from tests.old_state.make import CODE
from wtwatch.doors.processes import bears
from wtwatch.doors.repo import Repo
from wtwatch.job.attempt import MARK, Folder
from wtwatch.project.config import host, read_project, unknown_settings, write_project
from wtwatch.project.listing import register
from wtwatch.queue.jobs import Queue
from wtwatch.reconcile import TickOptions, tick
from wtwatch.tree import environment
from wtwatch.views import status
from wtwatch.words.model import Ended, EnvironmentState, Job, JobSpec, Outcome, Sha

VERSIONS = sorted(folder.name for folder in Path(__file__).parent.glob("*.*.*"))


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def left_by(version: str, moment: str, root: Path) -> House:
    """Return a project whose state is what ``version`` left at that moment, in trees as they were then."""
    state, runs = root / "main/.git/wtwatch/main", root / "main-runs"
    house = House.built(root, name="main", state=state, run_tree=runs)
    old = house.commit(dict(CODE))
    house.here("checkout", "-q", "--detach", old)
    house.git("update-ref", house.tree.applied_ref, old)
    house.git("update-index", "--cacheinfo", f"160000,{old},code", cwd=runs)
    house.git("commit", "-q", "-m", "code", cwd=runs)
    places = {"ROOT": str(root), "OLD": old, "BASE": house.head(runs), "HOST": host(), "BOOT": "another"}
    places["NEW"] = house.commit({name: text.replace("1", "2") for name, text in CODE.items()})
    put_back(Path(__file__).parent / version / moment, state, places)
    return House(read_project(state / "config.toml"))


def put_back(kept: Path, state: Path, places: dict[str, str]) -> None:
    """Write state as it was kept, but with attempts of other names: who judges one ends all that bear its."""
    names = {json.loads(file.read_text())["uuid"]: str(uuid4()) for file in kept.glob("jobs/*/job.json")}
    for file in filter(Path.is_file, kept.rglob("*")):
        text = re.sub("@([A-Z]+)@", lambda found: places[found[1]], file.read_text())
        for old, new in names.items():
            text = text.replace(old, new)
        target = state / file.relative_to(kept)
        target.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".sql":
            with closing(sqlite3.connect(target.with_suffix(".db"))) as db:
                db.executescript(text)
        else:
            target.write_text(text)


def words(jobs: list[Job]) -> list[tuple[int, int, str]]:
    return [(job.id, job.attempt, job.word) for job in jobs]


def applied(house: House) -> Sha:
    return Sha(house.git("rev-parse", house.tree.applied_ref))


def test_its_settings_are_read_and_written(version: str, tmp_path: Path) -> None:
    house = left_by(version, "running", tmp_path)
    project = house.project
    assert (project.settle, project.keep_failed, project.merge_pointer) == (0.5, 3, "run")
    assert project.protected == (".venv", "local")
    assert unknown_settings(project) == []
    write_project(project)
    assert read_project(project.state / "config.toml") == project


def test_its_queue_is_listed_with_all_that_became_of_the_jobs(version: str, tmp_path: Path, say: Say) -> None:
    house = left_by(version, "running", tmp_path)
    queue = Queue(house.project.state)
    assert sorted(words(queue.jobs())) == [
        (1, 1, "succeeded"),
        (2, 2, "failed"),
        (3, 1, "cancelled"),
        (4, 1, "waiting"),
        (5, 1, "running"),
        (6, 1, "waiting"),
    ]
    assert queue.job(1).spec == JobSpec("echo 1 > {outputs}", "make out", outputs=("out.txt",))
    assert words(queue.attempts(2)) == [(2, 1, "failed")]
    assert [spec.command for spec in queue.standing()[0].specs] == [
        "echo 1 > {outputs}",
        "echo 2 > {outputs}",
    ]
    assert queue.wait_for_move() == {5}
    register("main", house.project.state)
    listed = json.loads(say(house.project.main_tree, "queue", "list", "--json").out)
    assert len(listed["jobs"]) == 6
    assert "standing" in say(house.project.main_tree, "queue", "list").out
    assert "echo half" in say(house.project.main_tree, "queue", "show", "2").out
    say(house.project.main_tree, "queue", "logs", "1")
    told = status.describe(house.project)
    assert (told.queue.jobs["running"], told.queue.jobs["failed"], told.queue.unseen) == (1, 1, 1)


def test_its_running_attempt_is_judged_and_its_batch_goes_on(version: str, tmp_path: Path) -> None:
    house = left_by(version, "running", tmp_path)
    queue, at = Queue(house.project.state), house.head()
    order = Folder.of(house.project.state, 5, 1).order()
    assert order and (order.job, order.code_sha, order.run_tree) == (5, at, house.project.run_tree)
    done = tick(house.project, TickOptions(hurry=True))
    assert done.ended and done.ended.id == 5
    over = queue.job(5).state
    assert isinstance(over, Ended) and over.outcome is Outcome.INTERRUPTED
    due = queue.next_job()
    assert due and due.id == 6
    assert (house.head(), done.fired) == (at, ()), "the batch has a job left and keeps its code"


def test_its_attempt_that_still_runs_is_left_to_run(version: str, tmp_path: Path) -> None:
    """A job that runs for days is the rule: the upgrade must know its process by what that version wrote."""
    house = left_by(version, "running", tmp_path)
    started = house.project.state / "jobs/5.1/started"
    mark = {MARK: json.loads(started.read_text())["uuid"]}  # as all processes of that version's attempts have
    with subprocess.Popen(["cat"], cwd="/", env=os.environ | mark, stdin=subprocess.PIPE) as process:
        eventually(lambda: bears(process.pid, MARK, mark[MARK]))
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        facts = {"pid": process.pid, "started": psutil.Process(process.pid).create_time(), "boot": boot}
        assert json.loads(started.read_text()).keys() >= facts.keys()
        started.write_text(json.dumps(json.loads(started.read_text()) | facts))
        assert tick(house.project, TickOptions(hurry=True)).ended is None
        assert Queue(house.project.state).job(5).word == "running"
        assert process.poll() is None
        process.communicate()


def test_its_attempt_that_ends_after_the_upgrade_has_succeeded(version: str, tmp_path: Path) -> None:
    """A job's process is of the version that started it, and writes its outcome as that one did."""
    house = left_by(version, "running", tmp_path)
    ended = Path(__file__).parent / version / "moving/jobs/5.1/outcome"
    shutil.copy(ended, house.project.state / "jobs/5.1/outcome")
    assert (done := tick(house.project, TickOptions())).ended and done.ended.id == 5
    over = Queue(house.project.state).job(5).state
    assert isinstance(over, Ended) and (over.outcome, over.exit) == (Outcome.SUCCEEDED, 0)
    assert list(over.commits) == json.loads(ended.read_text())["commits"]


def test_its_batches_that_wait_for_a_move_start_and_the_standing_one_goes_on(
    version: str, tmp_path: Path
) -> None:
    house = left_by(version, "running", tmp_path)
    queue = Queue(house.project.state)
    tick(house.project, TickOptions())
    queue.cancel([6])
    done = tick(house.project, TickOptions(hurry=True))
    assert done.moved and house.head() == done.moved.new == applied(house)
    assert done.fired and done.fired[0] == 5
    made = [job.spec for job in queue.jobs(done.fired[1])]
    assert made == list(queue.standing()[0].specs)
    assert queue.standing()[0].base == done.moved.new


@pytest.mark.parametrize("written", [0, 1, 2])
def test_its_move_that_was_cut_off_is_recovered(version: str, tmp_path: Path, written: int) -> None:
    """However many files git had written of the new commit: a move that was killed leaves HEAD for last."""
    house = left_by(version, "moving", tmp_path)
    journal, old = house.project.state / "journal", applied(house)
    assert journal.exists() and house.head() == old
    for name in ("a.py", "b.py")[:written]:
        house.edit(name, CODE[name].replace("1", "2"))
    done = tick(house.project, TickOptions())
    assert done.moved and done.moved.old == old and done.moved.new == house.git("rev-parse", "runs")
    house.assert_exactly_at(done.moved.new)
    assert done.backup is None, "what git had written is nobody's edit"
    assert Queue(house.project.state).job(5).word == "succeeded"


def test_its_note_on_the_environment_is_believed(version: str, tmp_path: Path) -> None:
    house = left_by(version, "running", tmp_path)
    wanted = environment.requirements(house.tree, Repo(house.code).tree(house.head()).values())
    assert environment.noted(house.tree, wanted).state is EnvironmentState.OK
