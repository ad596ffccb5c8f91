"""Where jobs run: what can be set, and how it is read."""

from __future__ import annotations

import pytest

from wtwatch.words import executors
from wtwatch.words.errors import UsageError
from wtwatch.words.executors import Place


def test_jobs_run_here_if_nothing_is_said() -> None:
    assert executors.of(()) == Place("here", "", "", (), "")


def test_what_is_said_of_a_cluster_is_read_and_options_are_words_as_in_a_shell() -> None:
    said = (("kind", "slurm"), ("partition", "long"), ("options", "--qos=a --comment='two words'"))
    assert executors.of(said) == Place("slurm", "long", "", ("--qos=a", "--comment=two words"), "")


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("kind", "pbs", "one of here, slurm"),
        ("colour", "red", "no setting executor.colour"),
        ("partition", "", "one name"),
        ("partition", "a b", "one name"),
        ("account", "--qos=x", "one name"),
        ("options", "--qos='x", "cannot be read"),
        ("options", "--qos x", "'x' is no option"),
        ("options", "--requeue", "for wtwatch itself"),
        ("options", "--job-name=mine", "for wtwatch itself"),
        ("options", "-J", "for wtwatch itself"),
    ],
)
def test_what_cannot_be_is_refused_with_the_way_out(name: str, value: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem) as caught:
        executors.check(name, value)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kind", "slurm"),
        ("partition", "gpu"),
        ("options", "--qos=a -Cavx"),
        ("options", ""),
        ("setup", "module load git git-annex"),
        ("account", "lab-7"),
    ],
)
def test_what_can_be_is_taken(name: str, value: str) -> None:
    executors.check(name, value)
