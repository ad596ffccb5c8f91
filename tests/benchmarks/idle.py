"""(e) What the daemon costs while nothing moves."""

from __future__ import annotations

import json
import time

import psutil

from tests.benchmarks.grounds import Grounds
from tests.benchmarks.measure import Row, Section, goal

_SCHEDULED = 2
"""Which of the clocks of a process is meant: CPUCLOCK_SCHED of the kernel's posix-timers."""


def measure(grounds: Grounds, quick: bool) -> list[Section]:
    """Start the daemon on one project, let its start pass, and look at it for a minute and more."""
    span = 10.0 if quick else 70.0
    lab = grounds.watched("idle", 0 if quick else 1000)
    with lab.daemon() as daemon:
        time.sleep(5)  # the first look at the project is over
        process = psutil.Process(daemon.pid)
        begin, before = time.monotonic(), processor_seconds(process)
        time.sleep(span)
        share = (processor_seconds(process) - before) / (time.monotonic() - begin) * 100
        resident = sum(one.memory_info().rss for one in [process, *process.children(recursive=True)]) / 2**20
        said = json.loads(lab.wtwatch("status", "--json", code=(0, 1)).out)
    watches = said["daemon"]["watches"] / len(said["projects"])
    return [
        Section(
            f"(e) the daemon, idle for {span:.0f} s, one project",
            (
                Row(
                    "resident memory", f"{resident:.1f} MiB", "", (goal("≤ 30 MB", resident * 2**20 <= 30e6),)
                ),
                Row("processor", f"{share:.4f} %", "", (goal("≤ 0.05 %", share <= 0.05),)),
                Row("watches a project", f"{watches:g}", "", (goal("≤ 8", watches <= 8),)),
            ),
        )
    ]


def processor_seconds(process: psutil.Process) -> float:
    """Return what the process and the children it waited for have used so far.

    The kernel counts a process, with threads that have ended, in nanoseconds (clock_getcpuclockid(3)), and
    ended children in ticks of 10 ms.
    """
    own = time.clock_gettime((~process.pid << 3) | _SCHEDULED)
    times = process.cpu_times()
    return float(own + times.children_user + times.children_system)
