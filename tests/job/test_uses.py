"""What a job used of the code is learned while it runs, whatever program it is, and kept."""

from __future__ import annotations

from tests.job.bench import Bench
from wtwatch.job import lifecycle
from wtwatch.words.model import Job
from wtwatch.words.uses import Uses


def used(bench: Bench, job: Job) -> Uses:
    return lifecycle.uses_of(bench.place, job)


def test_a_script_used_itself(bench: Bench) -> None:
    job = bench.do("cat code/src/process2p/version.py > out", outputs=("out",))
    assert used(bench, job) == Uses(("code/src/process2p/version.py",)), bench.log(job)
