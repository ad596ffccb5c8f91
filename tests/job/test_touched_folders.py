"""Of a large superdataset a job's end has no look at all files, and misses nothing that its command did."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gits import traced_gits
from tests.job.bench import Bench, MakeBench, over
from tests.lab import eventually
from wtwatch.doors.clock import instant
from wtwatch.tree.changes import LARGE
from wtwatch.tree.folders import marked
from wtwatch.words.model import Outcome

FILES, IN_A_FOLDER = 15_000, 250
pytestmark = pytest.mark.slow


@pytest.fixture
def bench(make_bench: MakeBench, tmp_path: Path) -> Bench:
    """A run tree with many annexed files, in which nobody did anything for a while."""
    bench = make_bench()
    for number in range(FILES):
        link = bench.tree / "raw" / f"{number // IN_A_FOLDER:03}" / f"{number % IN_A_FOLDER:03}.bin"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(
            f"../../.git/annex/objects/00/00/MD5E-s1--{number:032x}.bin/MD5E-s1--{number:032x}.bin"
        )
    (bench.tree / "raw" / "readme").write_text("text\n")
    (bench.tree / "out").mkdir()
    (bench.tree / "out" / "first").write_text("1\n")
    bench.lab.git("add", "raw", "out", cwd=bench.tree)
    bench.lab.git("commit", "-q", "--no-verify", "-m", "many files", cwd=bench.tree)
    bench.lab.git("status", cwd=bench.tree)
    index = bench.lab.git("rev-parse", "--git-path", "index", cwd=bench.tree)
    assert (bench.tree / index).stat().st_size > LARGE
    notes = tmp_path / "notes.json"
    eventually(
        lambda: marked(bench.tree, bench.head(), instant(), notes)
    )  # so long ago they were touched last
    return bench


def test_what_it_did_where_it_declared_nothing_is_found(bench: Bench, tmp_path: Path) -> None:
    with traced_gits(tmp_path / "trace") as gits:
        job = bench.do("echo 2 > out/second", outputs=("out/second",))
    assert over(job).outcome is Outcome.SUCCEEDED
    looks = [git for git in gits() if "status" in git and "--untracked-files=no" in git]
    assert ["--" in git for git in looks] == [False, False, True], "the bench, before the command, after it"
    assert "out/" in looks[2] and "raw/readme" in looks[2] and "raw/000/" not in looks[2]
    for command, changed in (
        ("echo 3 > raw/017/new", "raw/017/new"),
        ("rm raw/003/100.bin", "raw/003/100.bin"),
        ("ln -sfn elsewhere raw/004/100.bin", "raw/004/100.bin"),
        ("echo more >> raw/readme", "raw/readme"),
        ("mkdir -p raw/005/deep/er; echo 4 > raw/005/deep/er/file", "raw/005/deep/er/file"),
    ):
        job = bench.do(f"echo {changed} > out/third; {command}", outputs=("out/third",))
        (commit,) = over(job).commits  # as DataLad has it, which saves all
        names = bench.lab.git("show", "--format=", "--name-only", commit, cwd=bench.tree).split()
        assert set(names) == {"out/third", changed}
        assert bench.dirt() == ""


def test_what_it_did_to_code_is_found(bench: Bench) -> None:
    job = bench.do("echo > out/second; echo >> code/README.md", outputs=("out/second",))
    assert over(job).outcome is Outcome.FAILED and "code" in (over(job).detail or "")
