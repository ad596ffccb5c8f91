"""`wtwatch queue logs`: of several jobs, in parts, and never waiting for nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Say
from tests.house import House
from tests.lab import running_daemon
from tests.screens import assert_screen
from wtwatch.job.attempt import Folder
from wtwatch.queue.jobs import Queue
from wtwatch.words.model import Ended, JobSpec, Outcome, Running, Trigger, now


def ran(house: House, *texts: str, outcome: Outcome = Outcome.FAILED) -> None:
    """Have jobs run and end, each having printed a text, as far as queue and folders are concerned."""
    queue, on = Queue(house.project.state), house.head()
    for job in queue.add([JobSpec("x", f"Plot {text.split()[0]}") for text in texts], Trigger.NOW, on):
        queue.begin(job.id, Running(now(), on, on, "uuid"))
        queue.end(job.id, Ended(now(), now(), on, outcome, 1 if outcome is Outcome.FAILED else 0))
        queue.note_cleared()
        log = Folder.of(house.project.state, job.id, 1).log
        log.parent.mkdir(parents=True)
        log.write_text(texts[job.id - 1])


def test_logs_of_several_jobs_have_a_line_each(house: House, say: Say) -> None:
    ran(house, "LSD\nreading\nValueError: decimal comma\n", "Saline\nreading\nok\n")
    Queue(house.project.state).acknowledge([2])
    shown = []
    for words in ("1", "1-2 -n 1", "b1 --grep reading|Error", "--failed -n 2 --grep i"):
        shown += [
            f"$ wtwatch queue logs {words}",
            say(house.project.main_tree, "queue", "logs", *words.split()).out,
        ]
    assert_screen("queue-logs", "\n".join(shown))


@pytest.mark.parametrize("words", [(), ("--failed",), ("1", "--grep", "("), ("1", "-n", "-1"), ("",), ("9",)])
def test_what_names_no_log_is_a_usage_error(house: House, say: Say, words: tuple[str, ...]) -> None:
    ran(house, "LSD\n", outcome=Outcome.SUCCEEDED)
    assert say(house.project.main_tree, "queue", "logs", *words, code=2).err


def test_a_log_is_not_waited_for_while_nobody_can_start_the_job(house: House, say: Say) -> None:
    Queue(house.project.state).add([JobSpec("true")], Trigger.NOW, house.head())
    told = say(house.project.main_tree, "queue", "logs", "-f", "1", code=1).err
    assert "no daemon runs" in told and "wtwatch service install" in told
    assert "it is waiting" in say(house.project.main_tree, "queue", "logs", "1").err


def test_a_log_is_followed_from_before_its_job_starts_to_its_end(
    house: House, say: Say, tmp_path: Path
) -> None:
    gate = tmp_path / "go"
    command = f"echo begun; until [ -e {gate} ]; do sleep 0.05; done; echo ended"
    queue = Queue(house.project.state)
    queue.pause()
    queue.add([JobSpec(command, plain=True)], Trigger.NOW, house.head())
    words = [sys.executable, "-P", "-m", "wtwatch", "queue", "logs", "-f", "1"]
    where = house.project.main_tree
    with running_daemon(tmp_path):
        assert "wtwatch queue resume" in say(where, "queue", "logs", "-f", "1", code=1).err
        say(where, "queue", "resume")
        with subprocess.Popen(words, cwd=where, stdout=subprocess.PIPE, text=True) as follows:
            assert follows.stdout is not None
            assert follows.stdout.readline() == "begun\n"
            gate.touch()
            assert follows.stdout.read() == "ended\n"
            assert follows.wait(20) == 0


def test_of_what_failed_the_last_lines_are_those_of_the_command(house: House, say: Say) -> None:
    ran(house, "starting\nKeyError: 'd'\n[INFO] The command had a non-zero exit code.\n")
    assert say(house.project.main_tree, "queue", "logs", "1", "-n", "1").out == "KeyError: 'd'\n"
    assert "non-zero" in say(house.project.main_tree, "queue", "logs", "1").out
