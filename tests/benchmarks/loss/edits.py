"""Situations in which tracked files were edited, and nothing else."""

from __future__ import annotations

import os
import time

from tests.benchmarks.loss.scene import Scene
from tests.benchmarks.loss.situation import Link, Script, situation

LARGE = 24_000_000
"""Bytes of a large file."""


@situation("an edited file that the tip changes")
def edited(at: Scene) -> None:
    at.write("a.py", "mine\n")


@situation("an edited file that the tip leaves alone")
def edited_apart(at: Scene) -> None:
    at.write("b.py", "mine\n")


@situation("an edited file that the tip removes")
def edited_removed(at: Scene) -> None:
    at.write("d/y.py", "mine\n")


@situation("an edit that equals the tip")
def edited_alike(at: Scene) -> None:
    at.write("a.py", "a = 2\n")


@situation(
    "an edit back to what was before, which the tip brings back too",
    given={"a.py": "a = 3\n"},
    tip={"a.py": "a = 1\n", "b.py": "b = 2\n"},
)
def edited_back(at: Scene) -> None:
    at.write("a.py", "a = 1\n")


@situation("an edit of the same size, with the time of the index", settings={"core.trustctime": "false"})
def racy(at: Scene) -> None:
    # git looks into a file that is as young as its index (racy-git of git's technical notes)
    index = at.git_dir / "index"
    _same_size(at, index.stat().st_mtime_ns)
    at.git("update-index", "-q", "--refresh")
    _same_size(at, index.stat().st_mtime_ns)


def _same_size(at: Scene, when: int) -> None:
    digit = 8 if (at.code / "a.py").read_text() == "a = 9\n" else 9
    at.write("a.py", f"a = {digit}\n")
    os.utime(at.code / "a.py", ns=(when, when))


@situation(
    "an edit of the same size within the second, core.checkStat=minimal",
    settings={"core.checkStat": "minimal"},
)
def within_the_second(at: Scene) -> None:
    before = (at.code / "a.py").stat().st_mtime_ns
    at.write("a.py", "a = 9\n")
    os.utime(at.code / "a.py", ns=(before, before))


@situation("an edit of the same size and time, core.trustctime=false", settings={"core.trustctime": "false"})
def same_time(at: Scene) -> None:
    before = (at.code / "a.py").stat().st_mtime_ns
    (at.code / "a.py").write_text("a = 9\n")  # in place: the same inode
    os.utime(at.code / "a.py", ns=(before, before))


@situation("an edit that a broken file system monitor did not report")
def unmonitored(at: Scene) -> None:
    silent = at.elsewhere / "monitor"
    at.elsewhere.mkdir()
    silent.write_text("#!/bin/sh\nprintf 'token\\0'\n")
    silent.chmod(0o755)
    at.set("core.fsmonitor", str(silent))
    at.git("update-index", "--fsmonitor")
    at.git("status", "--short")
    at.write("a.py", "mine, unreported\n")


@situation("a file made executable that the tip changes")
def chmod(at: Scene) -> None:
    (at.code / "a.py").chmod(0o755)


@situation("a file made executable that the tip leaves alone")
def chmod_apart(at: Scene) -> None:
    (at.code / "b.py").chmod(0o755)


@situation(
    "a script edited and no more executable",
    given={"run.sh": Script("old\n")},
    tip={"run.sh": Script("new\n")},
)
def no_more_executable(at: Scene) -> None:
    at.write("run.sh", "mine\n")


@situation("a file replaced by a symlink")
def to_symlink(at: Scene) -> None:
    at.write("a.py", Link("d/x.py"))


@situation("a file replaced by a dangling symlink")
def to_dangling_symlink(at: Scene) -> None:
    at.write("a.py", Link("/nowhere/at all"))


@situation("a symlink replaced by a file", given={"l": Link("a.py")}, tip={"l": Link("b.py")})
def from_symlink(at: Scene) -> None:
    at.write("l", "mine\n")


@situation("a symlink that points elsewhere now", given={"l": Link("a.py")}, tip={"l": Link("b.py")})
def other_symlink(at: Scene) -> None:
    at.write("l", Link("d"))


@situation("a file replaced by a folder with files")
def to_folder(at: Scene) -> None:
    at.write("a.py", None)
    at.write("a.py/notes.txt", "mine\n")
    at.write("a.py/deep/more.log", "ignored\n")


@situation("a folder replaced by a file", tip={"a.py": "a = 2\n", "d/x.py": "x = 2\n"})
def from_folder(at: Scene) -> None:
    at.write("d/x.py", None)
    at.write("d/y.py", None)
    (at.code / "d").rmdir()
    at.write("d", "mine\n")


@situation("a folder replaced by a symlink to one elsewhere", tip={"a.py": "a = 2\n", "d/x.py": "x = 2\n"})
def folder_to_symlink(at: Scene) -> None:
    at.elsewhere.mkdir()
    (at.code / "d").rename(at.elsewhere / "d")
    (at.elsewhere / "d/x.py").write_text("mine\n")
    at.write("d", Link(str(at.elsewhere / "d")))


@situation("a deleted file, and an edited one")
def deleted(at: Scene) -> None:
    at.write("a.py", None)
    at.write("d/x.py", "mine\n")


@situation("a file moved and edited, by plain mv")
def moved(at: Scene) -> None:
    (at.code / "a.py").rename(at.code / "moved.py")
    at.write("moved.py", "a = 1\nmine\n")


@situation("a file cut off to nothing by a crash")
def emptied(at: Scene) -> None:
    at.write("a.py", "")


@situation("a binary file edited", given={"data.npy": b"\x93NUMPY\0\r\n\x1a\xff"}, tip={"data.npy": b"\0tip"})
def binary(at: Scene) -> None:
    at.write("data.npy", b"\x93NUMPY\0\r\n\x1a\xfe mine \xff\r")


@situation(
    "a large file edited",
    given={"big.bin": b"\0" * 1000},
    tip={"big.bin": b"\1" * 1000},
    settings={"core.bigFileThreshold": "1m"},
)
def large(at: Scene) -> None:
    at.write("big.bin", os.urandom(LARGE))


@situation("a file edited through a hard link elsewhere")
def hard_link(at: Scene) -> None:
    at.elsewhere.mkdir()
    os.link(at.code / "a.py", at.elsewhere / "shared.py")
    (at.elsewhere / "shared.py").write_text("mine, in both places\n")


@situation("an edited file dated into the future")
def future(at: Scene) -> None:
    later = time.time() + 864_000
    os.utime(at.write("a.py", "mine\n"), (later, later))


@situation(
    "many files edited",
    given={f"m/{number}.py": f"{number}\n" for number in range(300)},
    tip={f"m/{number}.py": f"{number} tip\n" for number in range(0, 300, 2)},
)
def many(at: Scene) -> None:
    for number in range(300):
        at.write(f"m/{number}.py", f"{number} mine\n")
