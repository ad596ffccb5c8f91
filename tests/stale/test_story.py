"""A change of code runs again exactly the results that it touches: real jobs, whose uses were seen."""

from __future__ import annotations

import pytest

from tests.lab import PATIENCE, Lab, eventually
from wtwatch.words.model import Sha

pytestmark = pytest.mark.slow

SHARED = """import os
import sys

import shared

os.makedirs("made", exist_ok=True)
open(sys.argv[1], "w").write(f"{sys.argv[1]} {shared.X} %d")
"""


TOTAL = """import sys
from shutil import copy

copy(sys.argv[1], sys.argv[2])
"""


def prepared(lab: Lab) -> None:
    """Have two scripts that share a module, each of which made six results."""
    source = lab.code / "src"
    (source / "shared.py").write_text("X = 1\n")
    for number, name in enumerate(("one", "two")):
        (source / f"{name}.py").write_text(SHARED % number)
    released(lab, "Two scripts")
    lab.wtwatch("init")
    for name in ("one", "two"):
        each = f"n={','.join(f'{name}{number}' for number in range(6))}"
        lab.wtwatch(
            "queue",
            "add",
            "-o",
            "made/{n}.txt",
            "--each",
            each,
            "--",
            f"python code/src/{name}.py made/{{n}}.txt",
        )


def released(lab: Lab, message: str) -> Sha:
    lab.git("add", "--all", cwd=lab.code)
    lab.git("commit", "--quiet", "--allow-empty", "-m", message, cwd=lab.code)
    return lab.move_bookmark()


def states(lab: Lab) -> list[str]:
    """Wait until no job is left to run; return how all went."""
    lab.wtwatch("queue", "wait", code=(0, 1))
    return [job["state"] for job in lab.jobs()]


def rerun_stale(lab: Lab) -> list[str]:
    """Run again what is stale, once code is released; return the files whose jobs succeeded."""
    before = len(lab.jobs())
    eventually(lambda: lab.status()["freshness"] == "fresh", within=PATIENCE)
    lab.wtwatch("queue", "rerun", "--stale")
    assert set(states(lab)) <= {"succeeded"}
    return sorted(job["command"].rpartition("/")[2] for job in lab.jobs()[before:])


def test_exactly_what_a_change_touches_is_run_again(lab: Lab) -> None:
    prepared(lab)
    source = lab.code / "src"
    with lab.daemon():
        assert states(lab) == ["succeeded"] * 12
        assert "Nothing is stale: 12 results fresh." in lab.wtwatch("queue", "rerun", "--stale").out
        (source / "two.py").write_text(SHARED % 22)
        changed = released(lab, "Change two")
        eventually(lambda: lab.status()["stale"] == 6, within=PATIENCE)
        (reason,) = lab.status()["stale_results"]["reasons"]
        assert (reason["path"], reason["commit"], reason["results"]) == ("code/src/two.py", changed, 6)
        assert rerun_stale(lab) == [f"two{number}.txt" for number in range(6)]
        eventually(lambda: lab.status()["stale"] == 0, within=PATIENCE)
        (source / "shared.py").write_text("X = 2\n")
        released(lab, "Change what both use")
        assert len(rerun_stale(lab)) == 12
        (source / "three.py").write_text("print(3)\n")
        (lab.code / "README.md").write_text("Read\n")
        released(lab, "A new script, and documentation")
        assert rerun_stale(lab) == []
        lab.git("commit", "--quiet", "--amend", "-m", "Reworded", cwd=lab.code)
        lab.move_bookmark()
        assert rerun_stale(lab) == []


def test_a_standing_order_runs_at_each_move_what_it_touches_and_what_that_feeds(lab: Lab) -> None:
    prepared(lab)
    source = lab.code / "src"
    lab.wtwatch("config", "settle", "0")
    (source / "total.py").write_text(TOTAL)
    released(lab, "Add a total")
    make = "python code/src/total.py made/two0.txt made/sum.txt"
    with lab.daemon():
        assert states(lab) == ["succeeded"] * 12
        lab.wtwatch("queue", "add", "-i", "made/two0.txt", "-o", "made/sum.txt", "--", make)
        assert states(lab)[12:] == ["succeeded"]
        said = lab.wtwatch("queue", "rerun", "--stale", "--every-move").out
        assert "Standing s1: at every move of runs, those of 13 results that it touches." in " ".join(
            said.split()
        )
        (source / "one.py").write_text(SHARED % 11)
        released(lab, "Change one")
        eventually(lambda: len(lab.jobs()) == 19, within=PATIENCE)
        assert states(lab)[13:] == ["succeeded"] * 6
        (source / "two.py").write_text(SHARED % 22)
        released(lab, "Change two")
        eventually(lambda: len(lab.jobs()) == 26, within=PATIENCE)
        assert states(lab)[19:] == ["succeeded"] * 7
        assert (lab.run / "made" / "sum.txt").read_text() == "made/two0.txt 1 22"
        (lab.code / "README.md").write_text("Read\n")
        (source / "three.py").write_text("print(3)\n")
        moved = released(lab, "A new script")
        eventually(lambda: lab.status()["applied"] == moved, within=PATIENCE)
        lab.wtwatch("sync")
        assert len(lab.jobs()) == 26


def test_four_moves_by_jj_within_the_settle_time_start_one_batch(jj_lab: Lab) -> None:
    lab, source = jj_lab, jj_lab.code / "src"
    for name in ("one", "two"):
        (source / f"{name}.py").write_text(f"import sys\nopen(sys.argv[1], 'w').write('{name}')\n")
    lab.jj("commit", "--quiet", "-m", "Two scripts")
    lab.move_bookmark()
    lab.wtwatch("init")
    for name in ("one", "two"):
        lab.wtwatch("queue", "add", "-o", name, "--", f"python code/src/{name}.py {name}")
    with lab.daemon():
        assert states(lab) == ["succeeded"] * 2
        lab.wtwatch("queue", "rerun", "--stale", "--every-move")
        lab.wtwatch("config", "settle", "600")
        for number in range(4):
            (source / "two.py").write_text(f"import sys\nopen(sys.argv[1], 'w').write('{number}')\n")
            lab.jj("commit", "--quiet", "-m", f"Change {number}")
            last = lab.move_bookmark()
        lab.wtwatch("config", "settle", "0")
        eventually(lambda: len(lab.jobs()) == 3, within=PATIENCE)
        assert states(lab) == ["succeeded"] * 3
        assert (lab.jobs()[2]["code"], (lab.run / "two").read_text()) == (last, "3")
