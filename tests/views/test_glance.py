"""A glance shows what the thorough way shows, or leaves it to that; and it loads next to nothing."""

from __future__ import annotations

import json
import marshal
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from tests.at_work import at_work
from tests.commands.night import beside
from tests.full_disk import fill, mounted
from tests.house import House, write
from tests.lab import Lab, eventually, running_daemon
from tests.views.test_quick import CHANGES, run_job, start_job
from wtwatch import __version__, cli
from wtwatch.daemon.live import Live
from wtwatch.doors import claims, proc, traces, xdg
from wtwatch.doors.clock import instant
from wtwatch.doors.processes import Identity, bears, identity
from wtwatch.job import elsewhere
from wtwatch.job.attempt import MARK, Folder
from wtwatch.lanes import notes
from wtwatch.lanes.notes import Held
from wtwatch.project import config, registry
from wtwatch.project.listing import register
from wtwatch.project.tree import RunTree
from wtwatch.queue.facts import ExecNote
from wtwatch.queue.jobs import Queue
from wtwatch.views import glance, quick, status, text
from wtwatch.views.snapshot import DaemonSnapshot
from wtwatch.words.model import JobSpec, Running, Trigger, moment, now, stamp

SINCE = moment("2020-01-01T00:00:00.000000Z")
DAEMON = DaemonSnapshot(True, pid=os.getpid(), since=SINCE, mode="inotify", watches=6, version=__version__)


class Seen:
    """A house at rest of which this process, as the daemon, left what a glance shows."""

    def __init__(
        self, house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.house, self._capsys = house, capsys
        config.write_project(house.project)
        register(house.project.name, house.project.state)
        config.daemon_file().parent.mkdir(parents=True)
        config.daemon_file().write_text(json.dumps({"beat": instant()._asdict()}))
        monkeypatch.setattr(quick, "daemon", lambda: DAEMON)
        monkeypatch.setattr(claims, "holder", lambda file: DAEMON.pid)
        monkeypatch.chdir("/")
        self.leave()

    def leave(self, daemon: DaemonSnapshot = DAEMON) -> None:
        self._live = Live()
        self._live.beat()
        self._live.tell_of([self.house.project], traces.stamp(xdg.registry_file()), daemon)
        eventually(lambda: self._live.leave(self.house.project) is None)

    def is_there(self) -> bool:
        return Path(glance.file_of(self.house.project.name)).exists()

    def left(self) -> glance.Left:
        return glance._read(glance.file_of(self.house.project.name))

    def shows(self, *words: str) -> bool:
        """Return whether a glance answers; then it says word by word what the thorough way says."""
        for tried in range(30):  # between the two a second may have passed, which both tell
            self._live.beat()
            code, shown = self.said(lambda: glance.show(["status", *words]))
            if code is None:
                assert shown == ""
                return False
            asked = cli.plain_status(["status", *words])
            thorough = self.said(partial(text.show, *(asked or ())))
            if thorough == (code, shown) or tried == 29:
                break
        assert thorough == (code, shown)
        return True

    def said(self, show: Callable[[], int | None]) -> tuple[int | None, str]:
        self._capsys.readouterr()
        code = show()
        out = self._capsys.readouterr().out
        if out.startswith("{"):  # the heart beats meanwhile
            document = json.loads(out)
            document["daemon"].pop("beat")
            return code, json.dumps(document)
        return code, out


@pytest.fixture
def seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Seen:
    return Seen(House.built(tmp_path / "house"), monkeypatch, capsys)


def test_a_project_at_rest_is_shown_at_a_glance(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    assert seen.shows() and seen.shows("p")
    assert not seen.shows("q") and not seen.shows("q", "--json") and not seen.shows("--live")
    assert seen.shows("--json") and seen.shows("--json", "p") and seen.shows("p", "--short")
    assert not seen.shows("--short"), "nothing is said of a place that is no project's"
    for folder in (seen.house.project.main_code, seen.house.code, seen.house.project.main_tree):
        monkeypatch.chdir(folder)
        assert seen.shows() and seen.shows("--short") and seen.shows("--json", "--short")


@pytest.mark.parametrize("change", CHANGES)
def test_no_glance_hides_what_changed_since(seen: Seen, change: str) -> None:
    CHANGES[change](seen.house)
    seen.shows()
    seen.shows("--json")
    seen.shows("p", "--short")


def test_what_somebody_has_to_see_to_is_said_at_a_glance_too(seen: Seen) -> None:
    run_job(seen.house)
    assert not seen.shows()
    seen.leave()
    assert seen.shows() and glance.show(["status"]) == 1


@contextmanager
def a_job(house: House, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """Have a job run in the run tree, as a process of which its folder tells."""
    start_job(house)
    job = Queue(house.project.state).running()
    assert job is not None and isinstance(job.state, Running)
    marked = os.environ | {MARK: job.state.uuid}
    with subprocess.Popen(
        ["sleep", "60"], cwd=house.project.run_tree, env=marked, start_new_session=True
    ) as process:
        eventually(lambda: bears(process.pid, MARK, marked[MARK]))  # which comes after the new program
        process_of_it = identity(process.pid)
        assert process_of_it is not None
        folder = Folder.of(house.project.state, job.id, job.attempt)
        folder.path.mkdir(parents=True)
        folder.write_started(process_of_it, job.state.uuid, now())
        yield process
        process.kill()


def test_a_job_that_runs_is_shown_at_a_glance_as_long_as_nobody_else_works_there(seen: Seen) -> None:
    house = seen.house
    Queue(house.project.state).add([JobSpec("true"), JobSpec("true")], Trigger.NOW, house.head())
    with a_job(house):
        seen.leave()
        assert seen.is_there() and seen.shows()
        assert re.search(r"▶ job 1 for \d+ s", seen.said(lambda: glance.show(["status"]))[1])
        with at_work(house.code, "env", f"{MARK}=u", "cat", name="cat"):
            assert seen.shows(), "it is of the job"
        with at_work(house.code, "cat"):
            assert not seen.shows()


def test_jobs_in_lanes_are_shown_at_a_glance_and_none_hides_what_becomes_of_them(seen: Seen) -> None:
    house = seen.house
    Queue(house.project.state).add(
        [JobSpec(f"make {n}", outputs=(n,)) for n in "abc"], Trigger.NOW, house.head()
    )
    first, _ = beside(house, 1, 2)
    seen.leave()
    assert seen.is_there() and seen.shows()
    assert "job 2 in lane 2" in seen.said(lambda: glance.show(["status"]))[1]
    elsewhere.note_seen(Folder.of(house.project.state, first.id, 1), "waits there: Priority")
    seen.shows()
    seen.leave()
    assert seen.shows()
    said = seen.said(lambda: glance.show(["status"]))[1]
    assert re.search(r"… job 1 in lane 1 for \d+ s, waits there: Priority\n", said)
    over = json.dumps({"exit": 0, "ended": stamp(now())})
    (Folder.of(house.project.state, first.id, 1).path / "outcome").write_text(over)
    seen.shows()
    seen.leave()
    notes.note_held(RunTree.of_lane(house.project, 2), Held("Somebody works there.", "Wait."))
    assert not seen.shows()
    with at_work(house.project.run_tree, "cat"):
        seen.leave()
        assert not seen.shows()


@pytest.mark.parametrize("change", ["starts", "exec"])
def test_while_something_runs_nothing_is_left_for_a_glance(seen: Seen, change: str) -> None:
    if change == "starts":
        start_job(seen.house)
    else:
        Queue(seen.house.project.state).note_exec(ExecNote(_me(), "make", now()))
    seen.leave()
    assert not seen.is_there() and not seen.shows()


def _me() -> Identity:
    me = identity(os.getpid())
    assert me is not None
    return me


def edit_alike(house: House) -> None:
    before = (house.code / "a.py").stat()
    write(house.code, "a.py", "a = 7\n")
    os.utime(house.code / "a.py", ns=(before.st_atime_ns, before.st_mtime_ns))


def link_folder(house: House) -> None:
    (house.code / "d").rename(house.project.main_tree.parent / "d")
    (house.code / "d").symlink_to(house.project.main_tree.parent / "d")


def stage_and_take_back(house: House) -> None:
    house.edit("a.py", "mine\n")
    house.here("add", "a.py")
    house.edit("a.py", "a = 1\n")


def stage_anew(house: House) -> None:
    house.edit("d/new.py", "")
    house.here("add", "d/new.py")


EDITS: dict[str, Callable[[House], object]] = {
    "of the same size and time": edit_alike,
    "made executable": lambda house: (house.code / "a.py").chmod(0o755),
    "deleted": lambda house: (house.code / "d/x.py").unlink(),
    "a link instead": lambda house: write(house.code, "a.py", "-> b.py"),
    "its folder a link": link_folder,
    "staged and taken back": stage_and_take_back,
    "no more tracked": lambda house: house.here("rm", "-q", "--cached", "d/x.py"),
    "new and staged": stage_anew,
}


@pytest.mark.parametrize("edit", EDITS)
def test_each_edit_of_code_is_told(seen: Seen, edit: str) -> None:
    EDITS[edit](seen.house)
    assert not seen.shows()
    assert status.describe(seen.house.project).edited


def test_a_git_that_only_writes_its_index_anew_changes_nothing(seen: Seen) -> None:
    before = traces.stamp(seen.left()["files"][0][1])
    seen.house.here("read-tree", "HEAD")
    seen.house.here("update-index", "-q", "--really-refresh")
    assert traces.stamp(seen.left()["files"][0][1]) != before
    assert seen.shows()


@pytest.mark.needs_root("mount a disk")
def test_a_disk_that_became_full_is_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with mounted(tmp_path / "disk", 24) as disk:
        seen = Seen(House.built(disk / "house"), monkeypatch, capsys)
        assert seen.shows()
        ballast = fill(disk, 4)
        assert not seen.shows()
        assert text.show() == 1 and "is full, so that" in capsys.readouterr().out
        ballast.unlink()
        assert seen.shows()


def test_who_works_there_is_looked_at_each_time(seen: Seen) -> None:
    house = seen.house
    with at_work(house.code, "tail", "-f", "/dev/null"):
        with subprocess.Popen(["sleep", "60"], cwd=house.code) as stands:
            assert not seen.shows()
            stands.kill()
        assert seen.shows(), "who only looks keeps nobody waiting"
    with house.tree.lock.open("w") as lock, subprocess.Popen(["sleep", "60"], cwd="/", stdout=lock) as holds:
        assert not seen.shows()
        holds.kill()
    assert seen.shows()


def test_a_daemon_that_stands_still_or_another_is_not_believed(
    seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    beat = config.live_folder() / "beat"
    said = beat.read_text()
    seconds = int(said.split()[0])
    for other in (
        f"{seconds - 20} {os.getpid()} 1",
        f"{seconds + 999} {os.getpid()} 1",
        f"{seconds} 1 1",
        "",
        "x y",
    ):
        beat.write_text(other)
        assert glance.show(["status"]) is None
    beat.unlink()
    assert glance.show(["status"]) is None
    beat.write_text(said)
    assert seen.shows()
    for pid in (None, 1):
        with monkeypatch.context() as patch:
            patch.setattr(claims, "holder", lambda file, pid=pid: pid)
            assert glance.show(["status"]) is None
    monkeypatch.setattr(proc, "is_stopped", lambda pid: True)
    assert glance.show(["status"]) is None


def test_a_daemon_whose_tick_hangs_leaves_no_glance(seen: Seen) -> None:
    seen.leave(DAEMON._replace(stuck=("p",)))
    assert not seen.shows()


def test_what_another_version_left_and_what_is_no_such_file_is_passed_over(seen: Seen) -> None:
    of_another_installation = tuple([1, 2, 3] if part == glance.BUILD else part for part in glance.KEY)
    for file in (Path(glance.file_of("p")), config.live_folder() / glance.PROJECTS):
        whole = file.read_bytes()
        for other in (
            b"",
            b"[1",
            whole[:-9],
            whole.replace(__version__.encode(), b"9.9.9"),
            marshal.dumps((of_another_installation, glance._read(str(file)))),
            glance.written({}),
        ):
            file.write_bytes(other)
            assert not seen.shows()
        file.write_bytes(whole)
        assert seen.shows()


def test_a_list_of_projects_that_changed_is_read(seen: Seen, tmp_path: Path) -> None:
    other = House.built(tmp_path / "other", name="q")
    config.write_project(other.project)
    register("q", other.project.state)
    assert not seen.shows()


def test_a_place_whose_name_would_move_the_cursor_is_left_to_who_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not Seen(House.built(tmp_path / "a\u202eb"), monkeypatch, capsys).is_there()


@pytest.mark.parametrize(
    ("here", "names"),
    [
        ("/a", "pq"),
        ("/a/x/y", "pq"),
        ("/a/run/z", "p"),
        ("/ab", "pqr"),
        ("/", "pqr"),
        ("/a/run2", "q"),
        ("/c", "r"),
    ],
)
def test_the_projects_of_a_place_are_those_that_all_commands_mean(here: str, names: str) -> None:
    homes = {"p": ("/a", "/a/run"), "q": ("/a", "/a/run2"), "r": ("/c", "/d")}
    assert glance.meant(list(homes.items()), None, here) == list(names)
    projects = [
        config.Project(name, Path(f"/s/{name}"), Path(main), Path(run)) for name, (main, run) in homes.items()
    ]
    local = registry.projects_at(Path(here), projects) or projects
    assert [one.name for one in local] == list(names)


def test_a_place_that_holds_the_state_of_a_moved_project_is_left_to_others(tmp_path: Path) -> None:
    (tmp_path / "m/.git/wtwatch/p").mkdir(parents=True)
    assert glance.meant([("p", ("/a",))], None, str(tmp_path / "m/code")) == []


LONG = ("collections", "datetime", "enum", "json", "pathlib", "re", "subprocess", "tomli", "typing")
ASKED = f"""
import sys
before = set(sys.modules)
from wtwatch.views import glance
code = glance.show(["status"])
print(code, *(name for name in {LONG!r} if name in sys.modules and name not in before))
"""


def test_the_status_of_a_project_at_rest_loads_nothing_that_takes_long(any_lab: Lab) -> None:
    any_lab.wtwatch("init")
    Queue(any_lab.project().state).add([JobSpec("true")], Trigger.ON_MOVE, any_lab.commit("HEAD"))
    with any_lab.daemon(), a_script_with_git():
        for folder in (any_lab.main, any_lab.run, any_lab.root):
            shown = eventually(partial(_at_a_glance, any_lab, folder))
            assert any("✓ fresh" in line for line in shown)
            thorough = any_lab.say(sys.executable, "-P", "-m", "wtwatch", "status", "L5b", cwd=folder).out
            assert "✓ fresh" in thorough and "wtwatch queue" not in thorough


@contextmanager
def a_script_with_git() -> Iterator[None]:
    """Have a shell run for which git is at work, so that what it says has to be read."""
    with subprocess.Popen(["sh", "-c", "sleep 600; git status"], cwd="/", start_new_session=True) as shell:
        try:
            yield
        finally:
            os.killpg(shell.pid, signal.SIGKILL)


def _at_a_glance(lab: Lab, folder: Path) -> list[str]:
    """Return what a glance shows, if that needs nothing which takes long to load."""
    *shown, last = lab.say(sys.executable, "-P", "-c", ASKED, cwd=folder).out.splitlines()
    return shown if last == "0" else []


def _seen_now() -> object:
    with suppress(OSError, ValueError, TypeError, LookupError, EOFError):  # as in glance.show
        return glance._seen("p")
    return None


def test_the_daemon_leaves_it_anew_after_each_change(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    house = House.built(tmp_path / "house")
    config.write_project(house.project)
    register("p", house.project.state)
    with running_daemon(tmp_path):
        eventually(_seen_now)
        moved = house.commit({"a.py": "a = 2\n"}, message="moved on")
        eventually(lambda: moved[:10] in str(_seen_now()))

        def said() -> str | None:
            capsys.readouterr()
            return capsys.readouterr().out if glance.show(["status", "p", "--json"]) == 0 else None

        document = json.loads(eventually(said) or "")  # for a moment it may be about to leave it anew
        assert document["projects"][0]["tip"] == moved
        assert document["daemon"]["beat"]["seconds"] <= instant().seconds
        assert document["daemon"]["beat"]["boot"] == instant().boot
    assert glance.show(["status"]) is None
