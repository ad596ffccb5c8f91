from __future__ import annotations

from tests.job.bench import Bench, over
from wtwatch.words.model import Outcome


def test_what_a_job_saved_in_a_subdataset_that_it_made_is_recorded_above_it(bench: Bench) -> None:
    job = bench.do("datalad -f disabled create -d . out/s1 && echo result > out/s1/res")
    assert over(job).outcome is Outcome.SUCCEEDED and bench.dirt() == ""
    inside = bench.lab.commit("HEAD", bench.tree / "out/s1")
    assert bench.lab.git("rev-parse", "HEAD:out/s1", cwd=bench.tree) == inside
    assert over(job).commits[-1] == bench.head()
    assert bench.hindrances(bench.job("true")) == []
