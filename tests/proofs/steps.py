"""The steps of a program by number and name: each program that it starts or tells to do more, and each change
that it makes to a file.

Python tells of them before they happen (sys.addaudithook). So a program can be struck at each of its steps,
and none is forgotten, whoever writes a new one.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

_CHANGES = {
    "os.chmod", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink", "os.truncate",
    "os.utime",
}  # fmt: skip

_ID = re.compile(
    r"\b[0-9a-f]{10,}\b|\d{8}T\d{6}Z-\w+|\d{8}T\d{6,12}\b|(?<=backup-)\w+"
    r"|(?<=[a-z]\.)\d{3,}\b|(?<=[ /]tmp/)[\w-]+|\bwtwatch-[\w-]+"
)
_DRAFT = re.compile(r"(?<=[a-z])\.[a-z0-9_]{8}\b")


def watch(at: str, names: Path, strike: Callable[[], None]) -> None:
    """Call ``strike`` directly before the step of the name ``at``, at most once.

    The names of all steps are written into the file ``names`` as they come, a line each. A name ends in how
    many steps have been called so, since threads take turns as they like.
    """
    out = os.open(names, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC)
    seen: Counter[str] = Counter()
    struck = False

    def hear(event: str, args: tuple[Any, ...]) -> None:
        nonlocal struck
        name = None if struck else _step(event, args)
        if name is None:
            return
        seen[name] += 1
        os.write(out, f"{name} ({seen[name]})\n".encode())
        if f"{name} ({seen[name]})" == at:
            struck = True
            strike()

    sys.addaudithook(hear)


def kill() -> None:
    """End this process and all that it started."""
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _step(event: str, args: tuple[Any, ...]) -> str | None:
    """Return what to call a step, without what is another each time; ``None`` for what changes nothing."""
    name = _name(event, args)
    return name and _DRAFT.sub("", _ID.sub("…", name)).replace("\n", " ")


def _name(event: str, args: tuple[Any, ...]) -> str | None:
    if event == "subprocess.Popen":
        words = [os.fsdecode(word) for word in args[1]]
        return f"start {' '.join(word for word in words if '=' not in word and word != '-c')}"
    if event == "wtwatch.told":
        return f"tell {args[0][1]} {args[1]}"
    if event != "open" and event not in _CHANGES:
        return None
    named = args[:1] if event == "open" else args[:2]
    paths = [os.fsdecode(arg) for arg in named if isinstance(arg, str | bytes | Path)]
    if not paths or any(".pyc" in path or path == os.devnull for path in paths):
        return None
    short = " ".join("/".join(Path(path).parts[-2:]) for path in paths)
    if event == "open":
        return f"write {short}" if args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) else None
    return f"{event.removeprefix('os.')} {short}"


def struck_at_each(
    root: Path, beside: Path, code: str, *words: str, part: int = 0, parts: int = 1, since: str = ""
) -> Iterator[str]:
    """Yield the names of the code's steps, after it was struck at each, from ``root`` as it is now.

    The code gets ``words``, and then the name and the file for :func:`watch`. See :func:`at_each`.
    """

    def run(step: str, names: Path) -> None:
        ended = _run(code, *words, step, str(names))
        print(f"exit {ended}")
        assert step or ended == 0

    return at_each(root, beside, run, part, parts, since=since)


def at_each(
    root: Path,
    beside: Path,
    run: Callable[[str, Path], object],
    part: int = 0,
    parts: int = 1,
    *,
    since: str = "",
) -> Iterator[str]:
    """Yield the names of the steps of what ``run`` starts, after that was struck at each.

    ``run`` gets the name and the file for :func:`watch`, first an empty name, to have the names of all; then
    ``root`` is each time as it is now. Every ``parts``-th step is taken, from that of number ``part`` on;
    ``since``: after the first that is called so. ``beside``: a folder elsewhere, for what is needed for that.
    """
    saved, names = beside / f"{root.name} as it was", beside / f"steps in {root.name}"
    _copy(root, saved)
    run("", names)
    steps = names.read_text().splitlines()
    print(f"{len(steps)} steps")
    steps = steps[next(at for at, step in enumerate(steps) if since in step) :]
    passed_by: list[str] = []
    for step in steps[part::parts]:
        for _ in range(
            3
        ):  # in another second than the files that it looks at, a program may save itself a step
            shutil.rmtree(root)
            _copy(saved, root)
            names.unlink(missing_ok=True)
            print(step)
            run(step, names)
            if has_come_to(step, names):
                yield step
                break
        else:
            passed_by.append(step)
            assert len(passed_by) <= 2, f"it did not come so far: {passed_by}"


def has_come_to(step: str, names: Path) -> bool:
    """Return whether the step of that name is among those that were noted so far."""
    return names.exists() and step in names.read_text().splitlines()


def _copy(root: Path, to: Path) -> None:
    subprocess.run(["cp", "-a", str(root), str(to)], check=True)


def _run(code: str, *words: str) -> int:
    from tests.proofs.killing import python  # which is of no use to a program that is struck

    with python(code, *words) as process:
        _, said = process.communicate(timeout=120)
        assert process.returncode in (0, -signal.SIGKILL), said.decode()
        if process.returncode == 0:
            process.outlive(60)  # a job that it started may go on, where all is laid out anew next
    return process.returncode
