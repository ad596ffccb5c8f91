"""The screen of `status` as a whole, of projects that are really so: at 80 and 120 columns."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.house import House
from tests.screens import assert_screen
from tests.views.test_status import holding
from wtwatch import __version__
from wtwatch.doors.clock import instant
from wtwatch.job.attempt import Folder
from wtwatch.lanes import notes
from wtwatch.lanes.notes import Held
from wtwatch.project import config
from wtwatch.project.tree import RunTree
from wtwatch.queue.jobs import Queue
from wtwatch.stale import tallyfile
from wtwatch.stale.tally import Reason, Tally
from wtwatch.tree import backups, codetree
from wtwatch.views import attention, logtext, quick, text
from wtwatch.views.snapshot import DaemonSnapshot, Holder, Snapshot
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Ended, JobSpec, Outcome, Running, SyncDone, Trigger, stamp

AT = datetime(2026, 11, 25, 6, 30, tzinfo=UTC)
SUBJECT = "Mend the labels of the axes where a recording has more than one plane"
PID = 4711


@pytest.fixture
def house(tmp_path: Path) -> House:
    """A run tree at the tip, to which it was brought to an hour ago."""
    house = House.built(tmp_path, name="L5b")
    old, new = house.head(), house.commit({"a.py": "a = 2\n"}, message=SUBJECT)
    house.sync()
    house.git("update-index", "--cacheinfo", f"160000,{new},code", cwd=house.project.run_tree)
    house.git("commit", "-q", "-m", "code", cwd=house.project.run_tree)
    house.git("merge", "-q", "--ff-only", "runs", cwd=house.project.main_tree)
    Queue(house.project.state).record_sync(SyncDone(minutes(60), old, new, 0.042, None))
    return house


def minutes(number: float) -> datetime:
    return AT - timedelta(minutes=number)


class Night:
    """A queue in which jobs start and end when a test says so."""

    def __init__(self, house: House) -> None:
        self.house, self.queue = house, Queue(house.project.state)

    def add(self, number: int, trigger: Trigger = Trigger.NOW, what: str = "Plot {}, LSD") -> None:
        specs = [JobSpec(f"plot {name}", what.format(f"2402{name}J")) for name in range(26, 26 + number)]
        self.queue.add(specs, trigger, self.house.head())

    def start(self, at: datetime) -> int:
        job = self.queue.next_job()
        assert job is not None
        self.queue.begin(job.id, Running(at, self.house.head(), self.house.head(), "u"))
        return job.id

    def end(self, job: int, at: datetime, exit_code: int = 0, printed: str = "") -> None:
        found = self.queue.job(job)
        assert isinstance(found.state, Running)
        outcome = Outcome.FAILED if exit_code else Outcome.SUCCEEDED
        log = Folder.of(self.house.project.state, job, found.attempt).log
        log.parent.mkdir(parents=True)
        log.write_text(printed)
        self.queue.end(job, Ended(found.state.started, at, found.state.code_sha, outcome, exit_code))

    def begin_in_lanes(self, number: int, at: datetime) -> int:
        """Have the next jobs run, one a lane; return the last of them."""
        batch = self.queue.next_batch()
        assert batch is not None
        for lane, job in enumerate(self.queue.first_waiting(batch, number), 1):
            Folder.of(self.house.project.state, job.id, 1).path.mkdir(parents=True)
            running = Running(at, self.house.head(), self.house.head(), f"u{lane}", lane)
            self.queue.begin(job.id, running)
        return job.id

    def run(self, began: float, length: float, exit_code: int = 0, printed: str = "") -> None:
        """Run the next job; times are in minutes."""
        self.end(self.start(minutes(began)), minutes(began - length), exit_code, printed)

    def result(self, at: datetime) -> None:
        """Commit a result in the run tree."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("GIT_COMMITTER_DATE", at.isoformat())
            message = ("--allow-empty", "-m", "result")
            self.house.git("commit", "-q", *message, cwd=self.house.project.run_tree)


def placed(value: Any, names: Mapping[str, str]) -> Any:
    """Return a value of a snapshot with other names of folders, and one pid for all processes."""
    if isinstance(value, str | Path):
        said = str(value)
        for old, new in names.items():
            said = said.replace(old, new)
        return Path(said) if isinstance(value, Path) else said
    if isinstance(value, Holder | DaemonSnapshot) and value.pid:
        value = value._replace(pid=PID)
    if isinstance(value, tuple):
        parts = [placed(part, names) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    return value


def assert_shown(name: str, snapshot: Snapshot, root: Path) -> None:
    """Assert that this is how ``status`` shows it, at 80 and at 120 columns."""
    there = "/home/ada/data"
    shown = placed(
        snapshot,
        {f"{root}/main": f"{there}/L5b", f"{root}/run": f"{there}/L5b-runs", f"{root}": there},
    )
    reasons = attention.reasons(shown, AT)
    for columns in (80, 120):
        lines = text.screen(shown, reasons, AT, columns)
        assert_screen(f"status-{name}.{columns}", "\n".join(lines) + "\n")


def of_all(*houses: House) -> Snapshot:
    return quick.collect([house.project for house in houses])


def test_at_peace(house: House, tmp_path: Path) -> None:
    assert_shown("at-peace", of_all(house), tmp_path)


def test_a_failed_night(house: House, tmp_path: Path) -> None:
    night = Night(house)
    night.add(12)
    for number in range(12):
        printed = "Traceback …\nValueError: decimal comma in column 3 of \x1b[1mF.pkl\x1b[0m, line 17\n\n"
        night.run(600 - 30 * number, 25, exit_code=number % 3 == 2, printed=printed)
    night.result(minutes(575))
    assert_shown("failed-night", of_all(house), tmp_path)


def test_what_was_seen_and_is_home_counts_no_more(house: House, tmp_path: Path) -> None:
    night = Night(house)
    night.add(3)
    for began in (90, 60, 30):
        night.run(began, 20, exit_code=began == 60)
    night.queue.acknowledge()
    shown = of_all(house)
    assert shown.projects[0].queue.jobs["succeeded"] == 2, "the document says all there ever was"
    assert shown.projects[0].queue.current == {}
    night.result(minutes(80))
    assert_shown("to-bring-home", of_all(house), tmp_path)


def test_a_batch_that_runs(house: House, tmp_path: Path) -> None:
    night = Night(house)
    night.add(12)
    night.add(3)
    night.add(2, Trigger.ON_MOVE)
    night.queue.add_standing([JobSpec("make all"), JobSpec("make report")], house.head())
    for number in range(4):
        night.run(60 - 12 * number, 10, exit_code=number == 1, printed="no such file: F.pkl\n")
    night.start(minutes(4))
    house.commit({"a.py": "a = 3\n"}, message="Use the new filter")
    assert_shown("batch-runs", of_all(house), tmp_path)


@pytest.mark.parametrize("lanes", [2, 8])
def test_a_batch_that_runs_in_lanes(house: House, tmp_path: Path, lanes: int) -> None:
    house = House(house.project._replace(lanes=lanes))
    night = Night(house)
    night.add(20)
    for number in range(4):
        night.run(60 - 12 * number, 10)
    done = night.begin_in_lanes(lanes, minutes(4))
    if lanes == 2:
        folder = Folder.of(house.project.state, done, 1).path
        (folder / "outcome").write_text(json.dumps({"exit": 0, "ended": stamp(AT)}))
        lane = RunTree.of_lane(house.project, 3)
        notes.begin(lane)
        why = f"{lane.path} holds out/mine.txt, which is nowhere else, so that lane stays."
        notes.note_held(lane, Held(why, "Save it elsewhere or delete it."))
    assert_shown(f"{lanes}-lanes", of_all(house), tmp_path)


def test_blocked_with_the_way_out_and_paused(house: House, tmp_path: Path) -> None:
    night = Night(house)
    night.add(2)
    night.queue.pause()
    house.commit({".venv/x.py": "x = 1\n"}, message="An environment by mistake")
    house.edit("b.py", "mine\n")
    backups.create(house.tree, house.head(), codetree.facts_of(house.tree).in_the_way)
    assert_shown("blocked", of_all(house), tmp_path)


def test_the_run_tree_is_missing(house: House, tmp_path: Path) -> None:
    house.project.run_tree.rename(tmp_path / "unmounted")
    assert_shown("missing", of_all(house), tmp_path)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("daemon-stands-still", {"silent": 3600.0}),
        ("daemon-of-another-version", {"version": "0.0.9"}),
        (
            "daemon-polls",
            {"mode": "polling", "why": "/data/code/.git lies on a network file system (nfs)"},
        ),
    ],
)
def test_a_daemon_that_is_not_as_it_should_be(
    house: House, tmp_path: Path, name: str, said: dict[str, Any]
) -> None:
    facts: dict[str, Any] = {"version": __version__, "mode": "inotify", "watches": 12, **said}
    beat = instant()._replace(seconds=instant().seconds - facts.pop("silent", 0.0))
    with holding(config.daemon_file()):
        facts |= {"since": stamp(minutes(180)), "beat": beat._asdict()}
        config.daemon_file().write_text(json.dumps(facts))
        assert_shown(name, of_all(house), tmp_path)


def test_results_that_code_left_behind(house: House, tmp_path: Path) -> None:
    tree, (tip, head) = house.tree, (house.head(), house.head(house.project.run_tree))
    reasons = (
        Reason("code/src/utils.py", "changed", 6, tip, SUBJECT),
        *(Reason(f"data/{name}.csv", "came", 1) for name in "ab"),
    )
    tallyfile.write(tree, tallyfile.ground(tree, tip, head), Tally(12, 6, reasons=reasons))
    assert_shown("stale", of_all(house), tmp_path)
    Night(house).result(AT)
    assert of_all(house).projects[0].stale is None, "a result came since"


def test_several_projects_and_one_that_is_broken(house: House, tmp_path: Path) -> None:
    behind = House.built(tmp_path / "other", name="other")
    behind.commit({"a.py": "a = 5\n"}, message="Second")
    found = of_all(house, behind)
    gone = [("r", WtwatchError("/home/ada/data/r is gone.", "wtwatch forget r"))]
    assert_shown("several", found._replace(broken=quick.collect([], gone).broken), tmp_path)


def test_nothing_yet(tmp_path: Path) -> None:
    assert_shown("nothing", of_all(), tmp_path)


@pytest.mark.parametrize(
    ("command", "screen"),
    [
        ("status", "status-batch-runs.80"),
        ("queue list", "queue-list.80"),
        ("show 2", "show-job.80"),
        ("merge --dry-run", "merge-dry-run.80"),
    ],
)
def test_the_readme_shows_screens_as_they_are(command: str, screen: str) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    rest = readme.split(f"    $ wtwatch {command}\n", 1)[1]
    shown = re.split(r"^(?:    \$ |\S)", rest, maxsplit=1, flags=re.MULTILINE)[0]
    assert_screen(screen, textwrap.dedent(shown).rstrip() + "\n")


def test_the_last_line_of_a_log_is_found_however_long_it_is_and_does_nothing_to_a_terminal(
    tmp_path: Path,
) -> None:
    log = tmp_path / "log"
    assert logtext.last_line(log) is None
    samples: Sequence[tuple[bytes, str | None]] = [
        (b"", None),
        (b"\n \n", None),
        (b"one\ntwo\n\n", "two"),
        (b"no end", "no end"),
        (b"a\rb\r\n", "b"),
        (b"x" * 10_000 + b"\nlast\n", "last"),
        (b"\x1b[31mred\x1b[0m \xff\n", "\\x1b[31mred\\x1b[0m \\xff"),
    ]
    for written, said in samples:
        log.write_bytes(written)
        assert logtext.last_line(log) == said
    log.write_bytes(b"y" * 10_000)
    assert logtext.last_line(log) == "y" * 4096
    log.write_text("[INFO] == Command start\nno such file\n[INFO] == Command exit\nrun(error): /x [false]\n")
    assert logtext.last_line(log) == "no such file"
    log.write_text("[INFO] == Command start\n[INFO] == Command exit\nrun(error): /x [false]\n")
    assert logtext.last_line(log) is None
