"""What keeps a job from starting is named, and what does not keep it is no trouble."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.job.bench import (
    RAW,
    TABLE,
    Bench,
)


def test_a_tree_that_is_not_clean_keeps_jobs_from_starting_and_names_the_files(bench: Bench) -> None:
    for name in ("a b.txt", "b.txt", "c.txt", "d.txt", "inputs/L5b_2p/größe"):
        (bench.tree / name).write_text("")
    above, inside = bench.hindrances(bench.job("true"))
    assert above.startswith("a b.txt, b.txt, c.txt and 1 more: not saved")
    assert inside.startswith("inputs/L5b_2p/größe: not saved")


def test_an_operation_under_way_keeps_jobs_from_starting(bench: Bench) -> None:
    git_dir = Path(bench.lab.git("rev-parse", "--absolute-git-dir", cwd=bench.tree))
    (git_dir / "MERGE_HEAD").write_text(bench.head() + "\n")
    (problem,) = bench.hindrances(bench.job("true"))
    assert "merge" in problem


def test_what_lies_in_a_subdataset_that_is_not_there_is_named(bench: Bench) -> None:
    shutil.rmtree(bench.tree / "inputs/L5b_2p")
    (bench.tree / "inputs/L5b_2p").mkdir()
    for declared in (RAW, "inputs/L5b_2p", "./inputs/L5b_2p/*/LSD/data.bin", "inputs/*/x"):
        (problem,) = bench.hindrances(bench.job("true", inputs=(declared,)))
        assert "datalad get -n inputs/L5b_2p" in problem
    assert bench.hindrances(bench.job("true", inputs=(TABLE, "inputs"))) == []
