"""`wtwatch queue add --uses`: what is queued, what is said of it, and what is refused."""

from __future__ import annotations

import json

import pytest

from tests.conftest import Say
from tests.house import House
from wtwatch.queue.jobs import Queue
from wtwatch.views import one_job
from wtwatch.words.uses import Uses


def test_they_are_kept_with_the_job_and_shown(house: House, say: Say) -> None:
    main = house.project.main_tree
    words = ("--each", "n=a,b", "--uses", "code/./{n}.py", "--uses", "code/d", "--", "true {n}")
    assert "  is said to use code/a.py, code/d\n" in say(main, "queue", "add", "--dry-run", *words).out
    assert "not there" not in say(main, "queue", "add", *words).err
    assert [job.spec.uses for job in Queue(house.project.state).jobs()] == [
        ("code/a.py", "code/d"),
        ("code/b.py", "code/d"),
    ]
    assert "said to use  code/b.py" in say(main, "show", "2").out
    jobs = json.loads(say(main, "queue", "list", "--json").out)["jobs"]
    assert [job["uses"] for job in jobs] == [["code/a.py", "code/d"], ["code/b.py", "code/d"]]


def test_those_that_are_not_there_are_warned_of_and_those_outside_refused(house: House, say: Say) -> None:
    main = house.project.main_tree
    answer = say(main, "queue", "add", "--uses", "code/*.R", "--uses", "code/a.py", "--", "true")
    assert "Warning: code/*.R: said to be used, and not there." in answer.err
    for path in ("../elsewhere", "/etc/passwd", ""):
        answer = say(main, "queue", "add", "--uses", path, "--", "true", code=2)
        assert "does not lie in the dataset" in answer.err or "it is empty" in answer.err
    (main / "batch.toml").write_text("command = 'true'\nuses = ['../x']\n")
    answer = say(main, "queue", "load", "batch.toml", code=2)
    assert "line 2, uses: '../x' does not lie in the dataset" in answer.err
    assert len(Queue(house.project.state).jobs()) == 1


def test_show_says_that_nobody_looked() -> None:
    lines = list(one_job.uses_lines(3, Uses(stated=("code/a.py",))))
    assert lines == ["Job 3: nobody looked, this was stated with --uses:", "code/a.py"]


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
