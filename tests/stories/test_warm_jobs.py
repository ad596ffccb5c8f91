"""A batch under the daemon: its jobs are forked from what is warm, and outlive that and the daemon."""

from __future__ import annotations

import signal

import psutil
import pytest

from tests.at_work import has_ended, words_of
from tests.lab import PATIENCE, Lab, eventually
from tests.stories.findings import WARM, ends, first_warm, queue_gated

pytestmark = pytest.mark.slow


def warm_ones(daemon: psutil.Process) -> list[psutil.Process]:
    return [one for one in daemon.children() if WARM in words_of(one)]  # its gits come and go


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_warm_job_outlives_the_daemon_and_is_taken_up_by_the_next(lab: Lab, number: signal.Signals) -> None:
    lab.wtwatch("init")
    with lab.daemon() as daemon:
        gates = queue_gated(lab)
        process = first_warm(lab, gates)
        (warm,) = warm_ones(psutil.Process(daemon.pid))
        daemon.send_signal(number)
        daemon.wait(PATIENCE)
    eventually(lambda: has_ended(warm))
    assert not has_ended(process)
    with lab.daemon() as daemon:
        assert lab.status()["queue"]["running"] == 1
        for gate in gates:
            gate.open()
        ends(lab, *["succeeded"] * len(gates))
        assert [job["attempt"] for job in lab.jobs()] == [1] * len(gates)
        assert len(warm_ones(psutil.Process(daemon.pid))) <= 1
