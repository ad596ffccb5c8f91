"""What this host has for jobs, as far as this process may use it: as the files of the kernel say it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.house import write
from wtwatch.doors.capacity import Capacity, of_this_host

MANY = len(os.sched_getaffinity(0))
MEMORY = {"proc/meminfo": "MemTotal:       24684084 kB\nMemFree: 1 kB\n"}


def host(root: Path, **files: str) -> Capacity:
    for path, text in {**MEMORY, **files}.items():
        write(root, path, text)
    return of_this_host(root)


def test_of_this_machine_something_is_found() -> None:
    found = of_this_host()
    assert 1 <= found.cpus <= MANY and found.mem > 100


def test_without_any_limit_all_processors_and_all_memory_are_there(tmp_path: Path) -> None:
    none = {"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/cpu.max": "max 100000\n"}
    assert host(tmp_path, **none, **{"sys/fs/cgroup/a/memory.max": "max\n"}) == Capacity(MANY, 25_276)


@pytest.mark.parametrize("quota", ["100000 100000", "150000 100000", "50000 100000"])
def test_control_groups_of_version_2_count_with_all_above_them(tmp_path: Path, quota: str) -> None:
    files = {
        "proc/self/cgroup": "0::/user.slice/me.scope\n",
        "sys/fs/cgroup/user.slice/me.scope/cpu.max": "max 100000\n",
        "sys/fs/cgroup/user.slice/cpu.max": f"{quota}\n",
        "sys/fs/cgroup/user.slice/memory.max": "4000000000\n",
        "sys/fs/cgroup/memory.max": "max\n",
    }
    assert host(tmp_path, **files) == Capacity(1, 4000)


def test_control_groups_of_version_1_count_too(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "9:name=systemd:/\n5:cpu,cpuacct:/box\n4:memory:/box\n0::/\n",
        "sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us": "100000\n",
        "sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us": "100000\n",
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
        "sys/fs/cgroup/memory/box/memory.limit_in_bytes": "2000000000\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
    }
    assert host(tmp_path, **files) == Capacity(1, 2000)


def test_graphics_cards_have_the_numbers_of_their_devices(tmp_path: Path) -> None:
    files = dict.fromkeys(
        ("dev/nvidia0", "dev/nvidia10", "dev/nvidia2", "dev/nvidiactl", "dev/nvidia-uvm"), ""
    )
    assert host(tmp_path, **files).cards == ("0", "2", "10")


def test_of_the_cards_those_count_that_this_process_was_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2")
    assert host(tmp_path, **dict.fromkeys(("dev/nvidia0", "dev/nvidia2"), "")).cards == ("2",)


def test_where_a_driver_has_made_no_devices_yet_its_own_list_counts(tmp_path: Path) -> None:
    files = {f"proc/driver/nvidia/gpus/0000:0{number}:00.0/information": "Model\n" for number in (1, 2)}
    found = host(tmp_path, **files)
    assert (found.cards, found.variable) == (("0", "1"), "CUDA_VISIBLE_DEVICES")


def test_cards_of_amd_are_told_by_a_variable_of_their_own(tmp_path: Path) -> None:
    nodes = {f"sys/class/kfd/kfd/topology/nodes/{number}/gpu_id": f"{number * 99}\n" for number in range(3)}
    found = host(tmp_path, **nodes)
    assert (found.cards, found.variable) == (("0", "1"), "ROCR_VISIBLE_DEVICES")
