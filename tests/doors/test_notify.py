"""What systemd hears, and when nothing may be said."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from wtwatch.doors import notify


@pytest.fixture(params=["file", "abstract"])
def ear(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[socket.socket]:
    """Listen as systemd does, at a path and at an abstract address."""
    abstract = request.param == "abstract"
    address = f"@wtwatch-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind("\0" + address[1:] if abstract else address)
        channel.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        yield channel


def test_each_word_arrives_as_systemd_spells_it(ear: socket.socket) -> None:
    notify.ready()
    notify.watchdog()
    notify.stopping()
    assert [ear.recv(100) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"STOPPING=1"]


def test_a_status_of_several_lines_stays_one_order(ear: socket.socket) -> None:
    notify.status("job 3 runs in Müller\nMAINPID=1\n")
    assert ear.recv(100) == "STATUS=job 3 runs in Müller MAINPID=1".encode()


@pytest.mark.parametrize("address", [None, "", "relative", "vsock:2:1234"])
def test_without_a_known_address_nothing_happens(
    address: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    if address is not None:
        monkeypatch.setenv("NOTIFY_SOCKET", address)
    notify.ready()


def test_a_systemd_that_is_gone_is_no_reason_to_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    notify.ready()


@pytest.mark.parametrize(
    ("limit", "pid", "expected"),
    [
        ("60000000", None, 30.0),
        ("60000000", "own", 30.0),
        ("60000000", "1", None),
        ("60000000", "nonsense", None),
        ("0", None, None),
        ("-5", None, None),
        ("soon", None, None),
        (None, None, None),
    ],
)
def test_the_watchdog_is_fed_at_half_its_limit_and_only_by_the_process_it_is_for(
    limit: str | None, pid: str | None, expected: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("WATCHDOG_USEC", limit), ("WATCHDOG_PID", pid)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, str(os.getpid()) if value == "own" else value)
    assert notify.watchdog_interval() == expected
