"""A job's command as DataLad expands it, told without DataLad."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.house import House
from wtwatch.doors.dataset import expanded
from wtwatch.words.model import JobSpec, Sha

COMMANDS = (
    "plot {inputs} {outputs}",
    "plot {inputs[1]} > {outputs[0]}",
    "awk '{{ print $1 }}' {inputs} {dspath}/x {pwd}",
    "echo ${{HOME}} {{inputs}}",
)
INPUTS = ("b*.txt", "it's a.txt", "nothing here", "deep/**/x", ".", "a.txt", "a.txt")


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House.built(tmp_path)
    for name in ("b2.txt", "b1.txt", "it's a.txt", "a.txt", "deep/er/x", "deep/x"):
        file = house.project.run_tree / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return house


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_expanded_as_datalad_does(house: House, command: str) -> None:
    from datalad.core.local.run import format_command
    from datalad.distribution.dataset import Dataset

    top = house.project.run_tree
    spec = JobSpec(command, inputs=INPUTS, outputs=("out/é", "out/*"))
    facts = {"inputs": list(INPUTS), "outputs": list(spec.outputs), "pwd": str(top), "dspath": str(top)}
    known = format_command(Dataset(str(top)), command, **facts)
    assert expanded(spec, top) == known


@pytest.mark.parametrize("command", ["x {nope}", "x {inputs[9]}", "x {", "x {0}", "x {inputs.nope}"])
def test_what_datalad_would_refuse_stays_as_it_is(house: House, command: str) -> None:
    assert expanded(JobSpec(command, inputs=("a.txt",)), house.project.run_tree) == command


def test_what_datalad_does_not_expand_stays_as_it_is(house: House) -> None:
    for spec in (JobSpec("x {inputs}", plain=True), JobSpec("x {inputs}", rerun_of=Sha("a" * 40))):
        assert expanded(spec, house.project.run_tree) == "x {inputs}"
