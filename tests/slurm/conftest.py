"""One Slurm for all tests of a process, mended after each."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.job import conftest
from tests.job.bench import Bench
from tests.slurm.cluster import Cluster, cluster, missing
from wtwatch.doors.slurm import LIMIT
from wtwatch.job import slurm as slurm_executor
from wtwatch.job.slurmlook import Looks

bench = conftest.bench
make_bench = conftest.make_bench
OF_PLACE = slurm_executor.of


@pytest.fixture(scope="session")
def shared_slurm() -> Iterator[Cluster]:
    lacking = missing()
    if lacking and "CI" not in os.environ:
        pytest.skip(f"no Slurm here: {', '.join(lacking)}")
    with cluster() as made:
        yield made


@pytest.fixture
def slurm(shared_slurm: Cluster) -> Iterator[Cluster]:
    """A Slurm that is up, whose clients the test finds; what it ended is started again afterwards."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in shared_slurm.env.items():
            if name != "PATH":
                patch.setenv(name, value)
        patch.setattr(slurm_executor, "LOOKS", Looks(every=0.5, patience=LIMIT + 5))  # it has answered
        OF_PLACE.cache_clear()
        yield shared_slurm
        OF_PLACE.cache_clear()
    shared_slurm.mend()


@pytest.fixture
def far(slurm: Cluster, bench: Bench) -> Bench:
    """A bench whose jobs run on the node of the cluster."""
    bench.project = bench.project._replace(executor=(("kind", "slurm"),))
    return bench
