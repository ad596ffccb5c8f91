"""A job that goes on where it stopped finds what it left of its outputs, and only if that was asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.job.bench import Bench, over, texts_in
from wtwatch.doors import dataset
from wtwatch.queue import kinds
from wtwatch.queue.jobs import Queue
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Ended, Job, Outcome, Sha, Trigger, now


def again(job: Job, resume: bool = True) -> Job:
    return job._replace(attempt=job.attempt + 1, queued=now(), spec=job.spec._replace(resume=resume))


def test_a_job_goes_on_where_it_stopped_and_all_counts_as_its_result(bench: Bench, tmp_path: Path) -> None:
    bench.do("echo old > table", outputs=("table",))
    mended, count = tmp_path / "mended", tmp_path / "count"
    command = (
        "mkdir -p out; for i in 1 2 3 4; do [ -e out/$i ] && continue; echo more >> table; "
        f"[ $i = 3 ] && [ ! -e {mended} ] && exit 1; echo $i >> {count}; echo $i > out/$i; done; "
        "echo x > beside"
    )
    job = bench.do(command, outputs=("out", "table", "single"))
    kept = bench.tidy(job)
    assert kept is not None and texts_in(kept) == {
        "out/1": "1\n",
        "out/2": "2\n",
        "table": "old\n" + "more\n" * 3,
    }
    job = bench.wait(bench.start(again(job)))
    assert over(job).outcome is Outcome.FAILED
    kept = bench.tidy(job)
    assert kept is not None and kept.name == f"{job.id}.2" and len(texts_in(kept)) == 3, "kept once more"
    assert bench.dirt() == "" and (bench.tree / "table").read_text() == "old\n"
    mended.touch()
    job = bench.wait(bench.start(again(job)))
    assert over(job).outcome is Outcome.SUCCEEDED, bench.log(job)
    assert count.read_text().split() == ["1", "2", "3", "4"], "each item once"
    assert (bench.tree / "table").read_text() == "old\n" + "more\n" * 6
    assert {file.name for file in (bench.tree / "out").iterdir()} == {"1", "2", "3", "4"}
    assert bench.dirt() == "" and (bench.tree / "beside").exists(), "saved, what was not declared too"


def test_a_file_half_written_is_found_too_and_not_without_being_asked_for(bench: Bench) -> None:
    command = "test -e single && echo FOUND=$((1 + 1)) && exit 0; echo half > single; echo x > other; exit 1"
    job = bench.do(command, outputs=("single",))
    bench.tidy(job)
    fresh = bench.wait(bench.start(again(job, resume=False)))
    assert over(fresh).outcome is Outcome.FAILED and "FOUND=2" not in bench.log(fresh)
    bench.tidy(fresh)
    job = bench.wait(bench.start(again(fresh)))
    assert over(job).outcome is Outcome.SUCCEEDED and "FOUND=2" in bench.log(job)
    assert (bench.tree / "single").read_text() == "half\n" and not (bench.tree / "other").exists()


def test_a_datalad_without_a_place_for_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    from datalad.core.local import run

    monkeypatch.delattr(run, "_execute_command")
    with pytest.raises(WtwatchError) as caught, dataset.around_commands(lambda: None):
        pass
    assert "without --resume" in str(caught.value.hint)


def test_a_job_that_resumes_is_of_the_kind_of_that_which_failed(tmp_path: Path) -> None:
    from wtwatch.words.model import JobSpec

    queue = Queue(tmp_path)
    (job,) = queue.add([JobSpec("false")], Trigger.NOW, Sha("1" * 40))
    failed = Ended(now(), now(), Sha("1" * 40), Outcome.FAILED, 1, (), None)
    first, later = (job._replace(id=number, state=failed) for number in (1, 2))
    later = later._replace(spec=later.spec._replace(resume=True))
    assert kinds.to_retry([first, later]) == ([later], [first])
