"""What this host has for jobs: processors, memory, graphics cards, as far as this process may use them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_GROUPS = "sys/fs/cgroup"
_NO_LIMIT = 1 << 60
"""More bytes than that are no limit of memory: version 1 of control groups has a huge number for none."""


class Capacity(NamedTuple):
    """Processors, MB of memory (of a million bytes), and the numbers of graphics cards, for jobs of one host.

    ``variable`` is the one by which programs are told which of the cards are theirs.
    """

    cpus: int
    mem: int
    cards: tuple[str, ...] = ()
    variable: str = "CUDA_VISIBLE_DEVICES"


def of_this_host(root: Path = Path("/")) -> Capacity:
    """Return what there is; ``root`` is where /proc, /sys and /dev are."""
    cpus = min([len(os.sched_getaffinity(0)), *_quotas(root)])
    mem = min([_memory(root), *_memory_limits(root)]) // 1_000_000
    cards, amd, variable = _nvidia(root), _amd(root), "CUDA_VISIBLE_DEVICES"
    if amd and not cards:
        cards, variable = amd, "ROCR_VISIBLE_DEVICES"
    if variable in os.environ:  # somebody left it these, by number or by name
        cards = tuple(filter(None, os.environ[variable].split(",")))
    return Capacity(max(cpus, 1), mem, cards, variable)


def _memory(root: Path) -> int:
    found = re.search(r"^MemTotal:\s+(\d+) kB", _text(root / "proc/meminfo"), re.MULTILINE)
    return int(found[1]) * 1024 if found else _NO_LIMIT


def _quotas(root: Path) -> Iterator[int]:
    """Yield how many processors each control group allows that this process is in, whole ones.

    Linux, Documentation/admin-guide/cgroup-v2.rst (cpu.max), and scheduler/sched-bwc.rst for version 1.
    """
    for folder in _groups(root, ""):
        quota, _, period = _text(folder / "cpu.max").strip().partition(" ")
        if quota.isdigit() and period.isdigit():
            yield int(quota) // int(period)
    for folder in _groups(root, "cpu"):
        quota, period = (_text(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period"))
        if quota.isdigit() and period.isdigit():  # -1: no quota
            yield int(quota) // int(period)


def _memory_limits(root: Path) -> Iterator[int]:
    """Yield how many bytes each control group allows that this process is in."""
    for controller, name in (("", "memory.max"), ("memory", "memory.limit_in_bytes")):
        for folder in _groups(root, controller):
            limit = _text(folder / name).strip()
            if limit.isdigit() and int(limit) < _NO_LIMIT:
                yield int(limit)


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Yield the folders of the groups that this process is in, up to the root (cgroups(7)).

    ``controller`` is one of version 1, or "" for version 2. In a container, its own group may be the root.
    """
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controller not in controllers.split(","):
            continue
        top = root / _GROUPS / controllers
        parts = Path(path.lstrip("/")).parts
        yield from (top.joinpath(*parts[:depth]) for depth in range(len(parts), -1, -1))


def _nvidia(root: Path) -> tuple[str, ...]:
    """Return the numbers of NVIDIA's cards, by their devices; if there are none, by what the driver says."""
    numbers = sorted(int(file.name[6:]) for file in root.glob("dev/nvidia[0-9]*") if file.name[6:].isdigit())
    known = len(numbers) or len(list(root.glob("proc/driver/nvidia/gpus/*")))
    return tuple(map(str, numbers or range(known)))


def _amd(root: Path) -> tuple[str, ...]:
    """Return the numbers of AMD's cards: nodes of its driver that are no processors have an id."""
    nodes = root.glob("sys/class/kfd/kfd/topology/nodes/*/gpu_id")
    return tuple(map(str, range(sum(_text(node).strip() not in ("", "0") for node in nodes))))


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
