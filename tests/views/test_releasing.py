"""What is read after a release, from values alone."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.screens import assert_screen
from tests.views.test_as_json import AT, A, B
from wtwatch.tree.release import Aim
from wtwatch.views import releasing
from wtwatch.views.releasing import Outlook, Starting, UnderWay
from wtwatch.views.snapshot import Holder
from wtwatch.words.model import Job, JobSpec, Running

LATER = AT + timedelta(minutes=4)
TO = Aim(B, "second version")
PLOT = JobSpec(
    "python code/src/process2p/generate_plots.py {inputs} {outputs}", "Plot 240226I, LSD with all windows"
)
STARTS = (Starting("batch 5", 1, JobSpec("make")), Starting("s1", 12, PLOT))
RUNS = UnderWay(2, A, (Job(7, 2, 1, PLOT, AT, Running(AT, A, A, "uuid")),), 8, 600.0)
BESIDE = RUNS._replace(
    running=tuple(Job(job, 2, 1, PLOT, AT, Running(AT, A, A, "uuid", job - 6)) for job in (7, 8, 9)), lanes=3
)


def screen(seen: Outlook, to: Aim = TO, columns: int | None = 80, new: int | None = None) -> str:
    return "\n".join(releasing.lines(seen, to, LATER, columns, new)) + "\n"


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("after", ["batch", "job", "cancel"])
def test_a_release_during_a_batch_says_what_starts_and_what_still_runs(after: str, columns: int) -> None:
    new = None if after == "batch" else 9
    seen = Outlook(STARTS, (Starting("batch 3", 2, PLOT),), under_way=RUNS, after=after)
    assert_screen(f"release-after-{after}.{columns}", screen(seen, columns=columns, new=new))


def test_a_release_while_the_queue_is_paused_has_no_forecast() -> None:
    assert "moves after that, in about" in screen(Outlook(under_way=RUNS), columns=120)
    assert "in about" not in screen(Outlook(under_way=RUNS, paused=True), columns=120)


def test_who_holds_the_tree_is_named_at_once() -> None:
    seen = Outlook(STARTS, holders=(Holder(7, "python", AT), Holder(8, "wtwatch exec make", AT)))
    assert_screen("release-held.80", screen(seen))


@pytest.mark.parametrize(
    ("seen", "to", "said"),
    [
        (Outlook(), TO, ["starts       nothing: no job waits for a move"]),
        (
            Outlook((Starting("s2", 9, PLOT._replace(if_stale=True)),)),
            TO,
            ["starts       s2, those of 9 results that it touches"],
        ),
        (Outlook(same=True), TO, ["starts       nothing: no more than documentation changes for what waits"]),
        (Outlook(STARTS[:1], paused=True), TO, ["starts       batch 5, 1 job: make", "queue is paused"]),
        (Outlook(STARTS[:1]), TO._replace(working_copy=True), ["make", "is on jj's working copy"]),
        (Outlook(under_way=RUNS), TO._replace(asked="a b"), ["wtwatch release --after job 'a b'"]),
        (
            Outlook((Starting("s1", 9, PLOT),), under_way=RUNS._replace(of="s1"), after="job"),
            TO,
            ["after it; the 8 jobs left make way for the new batch of s1"],
        ),
        (Outlook(holders=(Holder(8, "wtwatch exec make", AT),)), TO, ["for 4 min it moves when that ends"]),
        (Outlook(present=False), TO, ["run tree     gone: it follows when it is back"]),
        (
            Outlook(under_way=RUNS._replace(code_sha=B)),
            TO,
            ["job 7 on this very code, for 4 min so far, then 8 more of batch 2"],
        ),
        (
            Outlook(under_way=BESIDE),
            TO,
            ["jobs 7-9 on the old code", "then 8 more of batch 2", "moves after that, in about 32 min"],
        ),
        (Outlook(under_way=BESIDE, after="job"), TO, ["the run tree moves after them; the 8 jobs left"]),
        (Outlook(under_way=BESIDE, after="cancel"), TO, ["they are stopped, and run again on the new code"]),
        (
            Outlook(under_way=RUNS._replace(running=(), takes=None)),
            TO,
            ["batch 2 on the old code (aaaaaaaaaa): 8 jobs to come", "the run tree moves after that"],
        ),
    ],
)
def test_each_fact_has_its_words(seen: Outlook, to: Aim, said: list[str]) -> None:
    shown = " ".join(screen(seen, to).split())
    assert [words for words in said if " ".join(words.split()) not in shown] == []


def test_a_pipe_gets_whole_lines() -> None:
    seen = Outlook((Starting("s1", 2, PLOT._replace(message="m" * 50 + " " + "n" * 80)),))
    assert screen(seen, columns=None).count("\n") == 1
