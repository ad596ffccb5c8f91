"""`wtwatch show FILE`: which run made it, on which code, from what, and the line that makes it again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.building import SUBJECTS
from tests.conftest import Say
from tests.lab import FIGURE, Lab, plot_of
from tests.screens import assert_screen

FIRST = SUBJECTS[0]
DRAWN = FIGURE.format(subject=FIRST, drug="LSD")
CLOCKS = {
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d": "2026-11-25 14:05:03",
    r"\b[0-9a-f]{12}\b": "<sha>",
    r"MD5E-s\d+--[0-9a-f]{32}": "MD5E-s5--2345",
}


def shown(lab: Lab, say: Say, path: str | Path, where: Path | None = None) -> str:
    return say(where or lab.main, "show", str(path)).out.replace(str(lab.root), "/home/ada")


@pytest.mark.slow
def test_a_file_of_a_job_by_hand_in_a_subdataset_and_by_nobody(
    lab: Lab, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One project, as its making takes the time: the files of a job, of runs by hand, and of nobody."""
    monkeypatch.setenv("COLUMNS", "80")
    lab.wtwatch("init")
    lab.queue_plots("--now", subjects=[FIRST], drugs=["LSD"])
    with lab.daemon():
        lab.wtwatch("queue", "wait")
    screens = ["$ wtwatch show F.svg   (of job 1, in the run tree alone)", shown(lab, say, DRAWN)]
    assert (
        shown(lab, say, DRAWN)
        == shown(lab, say, lab.run / DRAWN)
        == shown(lab, say, "F.svg", (lab.run / DRAWN).parent)
    )

    lab.wtwatch("merge")
    assert "now          in both trees" in shown(lab, say, lab.run / DRAWN)
    screens += ["$ wtwatch show other.svg   (by hand, in the main tree, with a glob)"]
    lab.datalad(
        "run",
        "-m",
        "draw by hand",
        "-i",
        f"04_dataframes/{FIRST}/*/F.pkl",
        "-o",
        "other.svg",
        "ls {inputs} > {outputs}",
    )
    screens += [shown(lab, say, "other.svg")]

    (lab.main / "other.svg").unlink()
    (lab.main / "other.svg").write_text("better\n")
    assert "edited since, and not saved" in shown(lab, say, "other.svg")
    lab.datalad("save", "-m", "draw it better", "other.svg")
    screens += ["$ wtwatch show other.svg   (changed by hand since)", shown(lab, say, "other.svg")]

    within = "inputs/L5b_2p/made.txt"
    lab.datalad("run", "-m", "in a subdataset", "-o", within, f"echo made > {within}")
    screens += ["$ wtwatch show inputs/L5b_2p/made.txt", shown(lab, say, within)]
    again = lab.git("rev-parse", "HEAD")
    assert f"wtwatch queue rerun {again[:12]}" in shown(lab, say, within)

    lab.datalad("run", "-m", "of the subdataset alone", "echo own > own.txt", cwd=lab.inputs)
    lab.datalad("save", "-m", "take it up")
    assert "datalad rerun -d" in shown(lab, say, "inputs/L5b_2p/own.txt")

    for path in ("code/src/process2p/plot.py", f"04_dataframes/{FIRST}/LSD/F.pkl"):
        assert "no run that left a record" in shown(lab, say, path)
    (lab.main / "3").write_text("new\n")
    assert "not saved in any commit" in shown(lab, say, "./3")
    assert shown(lab, say, lab.run / DRAWN, lab.root) == shown(lab, say, lab.run / DRAWN)
    for path in ("nowhere", "/etc/passwd", "."):
        assert "Hint: " in say(lab.main, "show", path, code=2).err
    assert_screen("show-file.80", "\n".join(screens), CLOCKS)


def test_a_file_of_a_plain_job_names_that_job(lab: Lab, say: Say) -> None:
    lab.wtwatch("init")
    made = "echo by hand > plain.txt; git add plain.txt; git commit -q -m 'by a script'"
    lab.wtwatch("queue", "add", "--plain", "--", made)
    lab.wtwatch(
        "queue", "add", "--plain", "--", f"datalad run -m 'in a script' -o F.svg -- {plot_of(FIRST, 'LSD')}"
    )
    with lab.daemon():
        lab.wtwatch("queue", "wait", code=(0, 1))
    told = shown(lab, say, lab.run / "plain.txt")
    assert "job 1, attempt 1" in told and "wtwatch queue retry 1" in told
    told = shown(lab, say, lab.run / DRAWN)
    assert "job 2, attempt 1" in told and "queue rerun" in told
    lab.wtwatch("queue", "remove", "1", "2")
    assert "made by      `datalad run`, by hand" in shown(lab, say, lab.run / DRAWN)
    assert "no run that left a record" in shown(lab, say, lab.run / "plain.txt")
