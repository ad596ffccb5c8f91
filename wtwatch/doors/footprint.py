"""What processes have in memory that is no file's: what a machine cannot take back but by swapping."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from wtwatch.doors.proc import read

_OWN = (b"RssAnon:", b"RssShmem:", b"VmSwap:")  # proc_pid_status(5)
_SHARED_OUT = (b"Pss_Anon:", b"Pss_Shmem:", b"SwapPss:")  # proc_pid_smaps(5): each page among who has it


def at_most(pids: Iterable[int]) -> int:
    """Return how many bytes processes have, in a moment; what some share counts for each of them."""
    return sum(_bytes(read(pid, "status"), _OWN) for pid in pids)


def exactly(pids: Iterable[int]) -> int:
    """Return how many bytes processes have, what they share counted once: that takes its time.

    Of a process whose maps may not be read, what it shares counts whole.
    """
    total = 0
    for pid in pids:
        shared_out = read(pid, "smaps_rollup")
        total += _bytes(shared_out, _SHARED_OUT) if shared_out else at_most([pid])
    return total


def _bytes(text: bytes, names: Sequence[bytes]) -> int:
    lines = (line.split() for line in text.splitlines() if line.startswith(tuple(names)))
    return sum(int(words[1]) * 1024 for words in lines)
