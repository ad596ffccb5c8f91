"""What the daemon left is shown as long as it holds, and never anything that is not so."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import Say
from tests.house import House
from tests.lab import Lab, eventually, running_daemon
from wtwatch import __version__
from wtwatch.daemon.live import Live
from wtwatch.doors.proc import words
from wtwatch.doors.processes import identity
from wtwatch.job.attempt import Folder
from wtwatch.project import config
from wtwatch.project.listing import register
from wtwatch.queue.facts import ExecNote, Waits
from wtwatch.queue.jobs import Queue
from wtwatch.tree.busy import working_in, working_in_each
from wtwatch.views import quick, status
from wtwatch.views.glance import BUILD
from wtwatch.views.kept import Kept, file_of
from wtwatch.views.snapshot import DaemonSnapshot, ProjectSnapshot
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Ended, JobSpec, Outcome, Running, SyncDone, Trigger, now


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """A run tree at rest, at the tip and saved; whatever the daemon left is believed."""
    house = House.built(tmp_path, name="L5b")
    config.write_project(house.project)
    config.daemon_file().parent.mkdir(parents=True)
    Queue(house.project.state).add([JobSpec("true")], Trigger.ON_MOVE, house.head())
    monkeypatch.setattr(quick, "daemon", lambda: DaemonSnapshot(True, version=__version__))
    return house


def leave(house: House) -> None:
    """Have the daemon leave a view, once nothing changed this very moment."""
    live = Live()
    eventually(lambda: live.leave(house.project) is None)
    assert file_of(house.project.name).exists()


def shown(house: House) -> ProjectSnapshot:
    """Return what ``status`` shows, which is what a look finds."""
    (found,) = quick.collect([house.project]).projects
    looked = status.describe(house.project)
    assert timeless(found) == timeless(looked)
    return found


def timeless(found: ProjectSnapshot) -> ProjectSnapshot:
    return found._replace(queue=found.queue._replace(settling=None))


def is_left(house: House, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Return whether what is shown is what was left."""

    def look(*_: object) -> None:
        raise WtwatchError("somebody looks")

    with monkeypatch.context() as patch:
        patch.setattr(status, "describe", look)
        return not quick.collect([house.project]).broken


def test_what_was_left_is_shown_as_long_as_nothing_changed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(house)
    assert is_left(house, monkeypatch)
    assert shown(house).queue.jobs["waiting"] == 1


def queue_job(house: House) -> None:
    Queue(house.project.state).add([JobSpec("x")], Trigger.NOW, house.head())


def run_job(house: House) -> None:
    queue_job(house)
    queue = Queue(house.project.state)
    job = queue.next_job()
    assert job is not None
    queue.begin(job.id, Running(now(), house.head(), house.head(), "u"))
    queue.end(job.id, Ended(now(), now(), house.head(), Outcome.FAILED, 3))


def stage(house: House) -> None:
    house.edit("a.py", "mine\n")
    house.here("add", "a.py")


def start_job(house: House) -> None:
    queue_job(house)
    queue = Queue(house.project.state)
    job = queue.next_job()
    assert job is not None
    queue.begin(job.id, Running(now(), house.head(), house.head(), "u"))


def main_git(house: House, *words: str) -> None:
    house.git(*words, cwd=house.project.main_tree)


def run_git(house: House, *words: str) -> None:
    house.git(*words, cwd=house.project.run_tree)


CHANGES: dict[str, Callable[[House], object]] = {
    "the bookmark moved": lambda house: house.commit({"a.py": "a = 2\n"}),
    "it was deleted": lambda house: house.git("update-ref", "-d", house.project.bookmark_ref),
    "refs were packed, then it moved": lambda house: (
        house.git("pack-refs", "--all"),
        house.commit({"a.py": "a = 9\n"}),
    ),
    "a file was edited": lambda house: house.edit("a.py", "mine\n"),
    "an edit was staged": stage,
    "another commit was checked out": lambda house: house.here("commit", "-q", "--allow-empty", "-m", "own"),
    "a branch was checked out": lambda house: house.here("checkout", "-q", "-b", "other"),
    "a merge waits": lambda house: house.here("update-ref", "MERGE_HEAD", house.head()),
    "the index is locked": lambda house: (house.project.main_code / ".git/worktrees/code/index.lock").touch(),
    "a job was queued": queue_job,
    "a job failed": run_job,
    "the queue was paused": lambda house: Queue(house.project.state).pause(),
    "a tick waits": lambda house: Queue(house.project.state).note_waits(Waits("why", "so", False, now())),
    "a sync was recorded": lambda house: Queue(house.project.state).record_sync(
        SyncDone(now(), house.head(), house.head(), 1.0, None)
    ),
    "a result was committed": lambda house: run_git(house, "commit", "-q", "--allow-empty", "-m", "result"),
    "the main tree went on": lambda house: main_git(house, "commit", "-q", "--allow-empty", "-m", "prose"),
    "the main tree is on another branch": lambda house: main_git(
        house, "checkout", "-q", "-b", "b", "HEAD~0"
    ),
    "the applied ref is gone": lambda house: house.git("update-ref", "-d", house.tree.applied_ref),
    "a backup was made": lambda house: house.git(
        "update-ref", f"{house.tree.backup_prefix}20260101T000000Z-ab", house.head()
    ),
    "a setting changed": lambda house: config.write_project(house.project._replace(busy_alarm=5.0)),
    "code is gone": lambda house: house.code.rename(house.project.run_tree.parent / "away"),
    "the run tree is gone": lambda house: house.project.run_tree.rename(
        house.project.run_tree.parent / "away"
    ),
    "requirements came": lambda house: house.edit("requirements.txt", "x\n"),
    "a move was cut off": lambda house: house.tree.journal().open({"from": house.head(), "to": house.head()}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_changed_behind_the_daemons_back_is_told(
    house: House, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    leave(house)
    CHANGES[change](house)
    shown(house)


def test_what_git_only_rewrites_for_itself_is_no_change(
    lab: Lab, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A `git status` writes the index anew; where git-annex works, `.git` of a run tree is a symlink."""
    say(lab.main, "init", "--env", "none")
    say(lab.run, "exec", "--", "git", "annex", "info", "--fast")
    house = House(config.read_project(lab.project().state / "config.toml"))
    monkeypatch.setattr(quick, "daemon", lambda: DaemonSnapshot(True, version=__version__))
    leave(house)
    assert is_left(house, monkeypatch)
    for tree in (lab.main, lab.code, lab.run, lab.run_code):
        lab.git("update-index", "--refresh", "--really-refresh", "-q", cwd=tree)
        lab.git("read-tree", "HEAD", cwd=tree)
        lab.git("update-index", "--refresh", "-q", cwd=tree)
    assert is_left(house, monkeypatch)
    shown(house)


def test_what_was_seen_and_brought_home_is_told(house: House) -> None:
    run_job(house)
    run_git(house, "commit", "-q", "--allow-empty", "-m", "result")
    leave(house)
    assert (shown(house).queue.unseen, shown(house).results.ahead) == (1, 1)
    Queue(house.project.state).acknowledge()
    assert shown(house).queue.unseen == 0
    leave(house)
    main_git(house, "merge", "-q", "--ff-only", "runs")
    assert shown(house).results.ahead == 0


def test_a_job_that_has_just_begun_says_so_behind_the_daemons_back(house: House) -> None:
    start_job(house)
    leave(house)
    found = shown(house).running
    assert found and found.pid is None
    folder = Folder.of(house.project.state, found.id, 1)
    folder.path.mkdir(parents=True)
    me = identity(os.getpid())
    assert me is not None
    folder.write_started(me, "u", now())
    found = shown(house).running
    assert found and found.pid == os.getpid()


def test_who_works_there_is_looked_at_each_time(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    leave(house)
    with subprocess.Popen(["sleep", "60"], cwd=house.code) as process:
        eventually(lambda: words(process.pid))  # the kernel has a new program before its name
        assert is_left(house, monkeypatch)
        assert [one.name for one in shown(house).busy] == ["sleep"]
        process.kill()
    assert shown(house).busy == ()
    me = identity(process.pid) or identity(1)
    assert me is not None
    Queue(house.project.state).note_exec(ExecNote(me, "make", now()))
    shown(house)


def test_a_tree_that_is_behind_or_edited_is_not_left(house: House) -> None:
    house.edit("a.py", "mine\n")
    live = Live()
    eventually(lambda: (live.leave(house.project) or 0.0) > 1.0)
    assert not file_of(house.project.name).exists()


def test_what_another_version_left_and_what_is_no_such_file_is_passed_over(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(house)
    file = file_of(house.project.name)
    text = file.read_text()
    of_another = text.replace(f'"{__version__}"', '"0.0.1"', 1)
    installed_anew = text.replace(str(BUILD), "[1, 2, 3]", 1)
    assert text not in (of_another, installed_anew)
    for other in (of_another, installed_anew, "", "[1", "[]", text[:-9], "null"):
        file.write_text(other)
        assert Kept.read(house.project.name) is None
        shown(house)
    file.write_text(text)
    assert is_left(house, monkeypatch)


@pytest.mark.parametrize(
    "daemon",
    [
        DaemonSnapshot(False),
        DaemonSnapshot(True, version="0.0.1"),
        DaemonSnapshot(True, version=__version__, stopped=True),
        DaemonSnapshot(True, version=__version__, silent=60.0),
    ],
)
def test_a_daemon_that_is_dead_stopped_or_another_is_not_believed(
    house: House, monkeypatch: pytest.MonkeyPatch, daemon: DaemonSnapshot
) -> None:
    leave(house)
    monkeypatch.setattr(quick, "daemon", lambda: daemon)
    assert not is_left(house, monkeypatch)


def test_one_walk_finds_for_each_tree_who_works_there(tmp_path: Path) -> None:
    houses = [House.built(tmp_path / name) for name in "ab"]
    trees = [house.tree for house in houses]
    log = houses[1].code / "log"
    with (
        subprocess.Popen(["sleep", "60"], cwd=houses[0].code) as stands,
        log.open("w") as out,
        subprocess.Popen(["sleep", "60"], cwd="/", stdout=out) as writes,
        subprocess.Popen(  # which waits in a builtin: one that has just forked is there twice
            ["sh", "-c", f"read go; git -C {houses[0].code} status"], cwd="/", stdin=subprocess.PIPE
        ) as names,
    ):
        eventually(lambda: words(names.pid))  # the kernel has a new program before its words
        found = [[one.pid for one in each] for each in working_in_each(trees)]
        assert found == [[one.pid for one in working_in(tree)] for tree in trees]
        assert set(found[0]) == {stands.pid, names.pid} and writes.pid in found[1]
        for process in (stands, writes, names):
            process.kill()
    assert working_in_each([]) == []


def test_the_daemon_leaves_a_view_after_each_change(tmp_path: Path) -> None:
    house = House.built(tmp_path / "house")
    config.write_project(house.project)
    register("p", house.project.state)
    with running_daemon(tmp_path):
        eventually(lambda: Kept.read("p"))
        moved = house.commit({"a.py": "a = 2\n"})
        eventually(lambda: (kept := Kept.read("p")) and kept.project.applied == moved and kept.holds())
        Queue(house.project.state).pause()
        house.tree.project.state.joinpath("state.db").touch()
        assert not (kept := Kept.read("p")) or not kept.holds() or kept.project.queue.paused
    assert not file_of("p").exists()


ASKED = """
import sys
from wtwatch import cli
code = cli.run(["status"])
print(code, *({"sqlite3", "wtwatch.views.status", "hashlib"} & set(sys.modules)))
"""


def test_the_status_of_a_project_at_rest_loads_nothing_but_what_shows_it(any_lab: Lab) -> None:
    any_lab.wtwatch("init")
    with any_lab.daemon():
        for folder in (any_lab.main, any_lab.run):
            shown = eventually(partial(_from_what_is_kept, any_lab, folder))
            assert any("✓ fresh" in line for line in shown)


def _from_what_is_kept(lab: Lab, folder: Path) -> list[str]:
    """Return what is shown, if that took no look of its own; one is taken while the daemon notes more."""
    *shown, last = lab.say(sys.executable, "-P", "-c", ASKED, cwd=folder).out.splitlines()
    return shown if last == "0" else []


def test_a_move_while_the_daemon_stands_still_is_told_as_it_is(tmp_path: Path, say: Say) -> None:
    house = House.built(tmp_path / "house")
    config.write_project(house.project)
    register("p", house.project.state)
    with running_daemon(tmp_path) as daemon:
        eventually(lambda: (kept := Kept.read("p")) and kept.holds())
        daemon.send_signal(signal.SIGSTOP)
        try:
            moved = house.commit({"a.py": "a = 2\n"}, message="While it sleeps")
            shown = say(house.project.main_tree, "status", code=1).out
        finally:
            daemon.send_signal(signal.SIGCONT)
        assert f"{moved[:10]} While it sleeps" in shown and "… behind, at" in shown
        assert f"stands still, pid {daemon.pid}" in shown and f"kill -CONT {daemon.pid}" in shown
        eventually(lambda: house.head() == moved)
