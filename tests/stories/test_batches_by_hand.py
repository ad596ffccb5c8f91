"""A batch by hand, of `datalad run -d` from a folder elsewhere: code never moves under a run of it."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path
from shlex import quote

import pytest

from tests.building import SUBJECTS
from tests.lab import PATIENCE, Lab, eventually
from tests.stories.findings import follows, results, version_of

RUNS = 6
MOVES = 30


def drawn(lab: Lab, name: str) -> Path:
    return lab.run / "05_visualization" / f"{name}.svg"


def draws(lab: Lab, name: str, options: str = "") -> str:
    """Return the line of shell that draws a figure in the run tree, standing wherever."""
    source, figure = lab.run / f"inputs/L5b_2p/{SUBJECTS[0]}/LSD/data.bin", drawn(lab, name)
    plot = f"python {lab.run_code}/src/process2p/plot.py {options} {source} {figure}"
    return f"datalad -f disabled run -d {lab.run} -o {figure} {quote(plot)}"


def start(lab: Lab, *command: str) -> subprocess.Popen[bytes]:
    path = os.pathsep.join([str(lab.run_code / ".venv" / "bin"), os.environ["PATH"]])
    return subprocess.Popen(command, cwd="/", env=os.environ | {"PATH": path})


def version_at(lab: Lab, commit: str) -> str:
    return lab.git("show", f"{commit}:src/process2p/version.py", cwd=lab.code).split('"')[-2]


def assert_results_name_what_drew_them(lab: Lab) -> list[str]:
    """Check that each result was drawn by the code that it names; return these versions."""
    found = [
        (version_of(lab.run / result.record["outputs"][0]), version_at(lab, result.ran_on))
        for result in results(lab)
    ]
    assert [drew for drew, _ in found] == [named for _, named in found]
    return [named for _, named in found]


def test_code_does_not_move_under_a_datalad_run_from_elsewhere(lab: Lab) -> None:
    lab.wtwatch("init")
    gate = lab.gate()
    with lab.daemon():
        old = lab.commit("runs")
        with start(lab, "sh", "-c", draws(lab, "one", gate.words)) as batch:
            eventually(gate.reached)
            lab.change_code("v2", "a second version")
            new = lab.move_bookmark()
            said = eventually(lambda: (now := lab.status())["reason"] and now)
            assert (said["freshness"], said["applied"]) == ("behind", old)
            assert "datalad" in {process["name"] for process in said["busy"]}
            assert any(f"-d {lab.run}" in process["command"] for process in said["busy"])
            refused = lab.wtwatch("sync", "--force", code=1)
            assert "works in the run tree" in refused.err
            gate.open()
            assert batch.wait(PATIENCE) == 0
        follows(lab, new)
    assert assert_results_name_what_drew_them(lab) == ["v1"]


@pytest.mark.slow
def test_a_loop_of_datalad_runs_typed_elsewhere_ends_on_the_code_it_began_on(lab: Lab) -> None:
    lab.wtwatch("init")
    loop = "\n".join(draws(lab, f"{number}") for number in range(RUNS))
    with lab.daemon():
        with start(lab, "bash", "-c", loop) as batch:
            for number in range(MOVES):
                with suppress(subprocess.TimeoutExpired):
                    batch.wait(0.3)
                move(lab, number)
            assert batch.wait(2 * PATIENCE) == 0
        follows(lab, lab.commit("runs"))
    assert assert_results_name_what_drew_them(lab) == ["v1"] * RUNS


@pytest.mark.slow
def test_each_result_of_a_script_elsewhere_names_the_code_that_drew_it(lab: Lab) -> None:
    """While it waits between two runs nothing tells that it has to do with the tree: there code moves."""
    lab.wtwatch("init")
    script, gate = lab.root / "batch.sh", lab.root / "gate"
    os.mkfifo(gate)
    lines = [f"{draws(lab, f'{number}')}; read -r line < {gate}" for number in range(RUNS)]
    script.write_text("\n".join(lines))
    with lab.daemon(), start(lab, "bash", str(script)) as batch:
        for run in range(RUNS):
            for number in range(MOVES // RUNS):
                move(lab, run * MOVES + number)
            opened = gate.open("w")  # when it waits there
            follows(lab, lab.commit("runs"))
            opened.write("go on\n")
            opened.close()
        batch.wait(PATIENCE)
    versions = assert_results_name_what_drew_them(lab)
    assert len(versions) > RUNS // 2, "one that starts in the midst of a move may find the tree not clean"
    assert len(set(versions)) > 2


def move(lab: Lab, number: int) -> None:
    lab.change_code(f"v{number + 2}", "more")
    lab.move_bookmark()
