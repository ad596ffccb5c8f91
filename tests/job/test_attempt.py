"""The folder of an attempt: what lies in it outlives the version that wrote it, in both directions."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.lab import eventually
from wtwatch.doors.clock import Instant
from wtwatch.doors.processes import Identity, bears, identity, is_alive
from wtwatch.job.attempt import MARK, Folder, Order, Result
from wtwatch.job.steps import Draft
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import JobSpec, Sha, now, stamp

A, B = (Sha(letter * 40) for letter in "ab")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder.of(tmp_path, 3, 1)


def order(tmp_path: Path) -> Order:
    spec = JobSpec("touch {outputs}", "Größe", outputs=("a b",))
    return Order(
        3, 1, now(), "uuid", now(), tmp_path / "run", tmp_path / "run/code", A, B, tmp_path / "bell", spec
    )


def changed(file: Path, **facts: Any) -> dict[str, Any]:
    """Write further facts into a file of JSON, and return all that are in it now."""
    known: dict[str, Any] = json.loads(file.read_text()) | facts
    file.write_text(json.dumps(known))
    return known


def test_an_order_comes_back_as_it_was_written(folder: Folder, tmp_path: Path) -> None:
    assert folder.order() is None
    folder.write_order(order(tmp_path))
    assert changed(folder.path / "job.json")["version"] == 1
    written = folder.order()
    assert written and written == order(tmp_path)._replace(queued=written.queued, at=written.at)


def test_what_a_newer_version_orders_besides_is_passed_over_and_written_back(
    folder: Folder, tmp_path: Path
) -> None:
    folder.write_order(order(tmp_path))
    spec = {"command": "true", "cpus": 2}
    newer = changed(folder.path / "job.json", version=2, lane="1", spec=spec, more={"a": 1})
    found = folder.order()
    assert found and (found.spec.command, found.version) == ("true", 2)
    folder.write_order(found)
    again = json.loads((folder.path / "job.json").read_text())
    assert again.items() >= {**newer, "spec": again["spec"]}.items()
    assert again["spec"].items() >= spec.items()


def test_an_outcome_of_any_version_is_read(folder: Folder) -> None:
    folder.path.mkdir(parents=True)
    ended = now()
    Draft(folder).publish(Result(0, (A,), ended))
    found = folder.result()
    assert found == Result(0, (A,), ended)
    changed(folder.path / "outcome", version=2, peak_memory=12)
    found = folder.result()
    assert found and found._replace(version=1, more=()) == Result(0, (A,), ended)
    assert dict(found.more) == {"peak_memory": 12}
    (folder.path / "outcome").write_text(json.dumps({"ended": "2026-01-01T00:00:00.000000Z"}))
    found = folder.result()
    assert found and (found.exit, found.commits, found.stopped) == (None, (), False)


@contextmanager
def marked(uuid: str) -> Iterator[Identity]:
    """Start a process that has the mark of an attempt in its environment; yield who it is.

    Each test has an attempt of its own: who stops one ends all that bear its mark.
    """
    with subprocess.Popen(["cat"], env=os.environ | {MARK: uuid}, stdin=subprocess.PIPE) as process:
        try:
            eventually(lambda: bears(process.pid, MARK, uuid))
            known = identity(process.pid)
            assert known
            yield known
        finally:
            process.kill()


def written_by_0_1_0(folder: Folder, pid: int, uuid: str, boot: str = "a boot") -> None:
    """Say who does it as version 0.1.0 did: by seconds since 1970, with a clock that was set since."""
    folder.path.mkdir(parents=True, exist_ok=True)
    facts = {"pid": pid, "started": 1795622371.43, "boot": boot, "uuid": uuid, "at": stamp(now())}
    (folder.path / "started").write_text(json.dumps(facts))


def test_a_process_of_the_version_before_is_known_though_the_clock_was_set(folder: Folder) -> None:
    uuid = secrets.token_hex(8)
    with marked(uuid) as process:
        written_by_0_1_0(folder, process.pid, uuid)
        assert folder.started() == process


def test_what_only_has_the_pid_of_a_process_of_the_version_before_is_not_that(folder: Folder) -> None:
    with marked(secrets.token_hex(8)) as process:
        written_by_0_1_0(folder, process.pid, "uuid", process.boot)
        found = folder.started()
    assert found and found.pid == process.pid and not is_alive(found)


def test_how_long_ago_it_was_told_to_end_does_not_go_by_the_clock_on_the_wall(folder: Folder) -> None:
    folder.path.mkdir(parents=True)
    file = folder.path / "stopping"
    assert folder.stopping_for() == 0
    noted = Instant(**json.loads(file.read_text()))
    file.write_text(json.dumps(noted._replace(seconds=noted.seconds - 60)._asdict()))
    assert 60 <= folder.stopping_for() < 120
    for old in ("1795622371.43", json.dumps(noted._replace(boot="another")._asdict())):
        file.write_text(old)
        assert folder.stopping_for() == 0
        assert Instant(**json.loads(file.read_text())).boot == noted.boot


def test_who_does_it_is_read_whatever_else_a_newer_version_says(folder: Folder) -> None:
    myself = identity(os.getpid())
    assert myself
    folder.path.mkdir(parents=True)
    folder.write_started(myself, "uuid", now())
    changed(folder.path / "started", host="node7")
    assert folder.started() == myself


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "{}", '{"pid": 1}', '{"ended": "soon"}'])
@pytest.mark.parametrize(
    ("name", "read"), [("job.json", Folder.order), ("started", Folder.started), ("outcome", Folder.result)]
)
def test_a_damaged_file_is_named(
    folder: Folder, name: str, read: Callable[[Folder], object], text: str
) -> None:
    folder.path.mkdir(parents=True)
    (folder.path / name).write_text(text)
    with pytest.raises(WtwatchError) as caught:
        read(folder)
    assert str(folder.path / name) in caught.value.message
    assert caught.value.hint


def test_the_folders_of_a_job_are_those_of_its_attempts_alone(tmp_path: Path) -> None:
    for name in ("3.1", "3.2", "3.2~1", "3.x", "31.1", "13.1"):
        (tmp_path / "jobs" / name).mkdir(parents=True)
    assert [folder.path.name for folder in Folder.all_of(tmp_path, 3)] == ["3.1", "3.2"]


@pytest.mark.parametrize("text", [None, "{", "myself"])
def test_a_folder_goes_unless_a_process_of_the_attempt_is_alive(folder: Folder, text: str | None) -> None:
    folder.path.mkdir(parents=True)
    if text == "myself":
        myself = identity(os.getpid())
        assert myself
        folder.write_started(myself, "uuid", now())
    elif text:
        (folder.path / "started").write_text(text)
    folder.forget()
    assert folder.path.exists() == (text == "myself")
