"""What is said of a job that failed for what its container did not see."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands.night import queue_of, ran
from tests.house import House
from wtwatch.views import jobway
from wtwatch.words.model import JobSpec, Outcome, Trigger


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("podman run -v $PWD:$PWD img cat in/a", "`podman run $WTWATCH_BINDS"),
        ("sh -c 'exec docker run img cat in/a'", "`docker run $WTWATCH_BINDS"),
        ("bwrap --bind $PWD $PWD cat in/a", "`$APPTAINER_BIND` lists what to bind"),
        ("podman run $WTWATCH_BINDS img cat in/a", ""),
        ("apptainer exec img cat in/a", ""),
        ("python podman.py in/a", ""),
        ("cat in/a", ""),
    ],
)
def test_an_input_that_a_container_cannot_see_is_named_with_the_way(
    tmp_path: Path, command: str, said: str
) -> None:
    house = House.built(tmp_path)
    for name, target in (("a", "../.git/annex/objects/xx/yy/KEY/KEY"), ("b", None)):
        file = house.project.run_tree / "in" / name
        file.parent.mkdir(exist_ok=True)
        file.symlink_to(target) if target else file.write_text("b")
    queue = queue_of(house)
    for inputs in (("in/b", "in/a"), ("in/b",)):
        (job,) = queue.add([JobSpec(command, inputs=inputs)], Trigger.NOW, house.head())
        ran(house, Outcome.FAILED, 1)
        sentence = jobway.sentence(house.project, queue.job(job.id))
        if said and "in/a" in inputs:
            assert sentence.startswith("If it found no in/a: that is a link into a git directory")
            assert said in sentence
        else:
            assert sentence.startswith("All that it printed")
