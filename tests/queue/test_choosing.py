"""Which job starts next beside those that live, and why others wait."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from wtwatch.doors.capacity import Capacity
from wtwatch.queue import sharing
from wtwatch.queue.choosing import MOST, Candidate, choose
from wtwatch.queue.meeting import Touches, meet
from wtwatch.words.resources import Resources

HAVE = Capacity(4, 24_000, ("0",))


def job(
    number: int, *outputs: str, reads: str = "", cpus: int | None = None, mem: int | None = None
) -> Candidate:
    touched = Touches(tuple(filter(None, [reads])), outputs or None)
    return Candidate(number, Resources(cpus, mem), touched)


def test_jobs_that_do_not_meet_start_in_the_order_of_their_batch() -> None:
    assert choose([job(2, "b"), job(3, "c")], [job(1, "a")], HAVE) == (2, {})


def test_a_job_that_meets_a_living_one_is_overtaken_but_not_by_one_that_meets_itself() -> None:
    waiting = [job(2, "a/x"), job(3, "c", reads="a/x/y"), job(4, "d")]
    assert choose(waiting, [job(1, "a")], HAVE) == (
        4,
        {2: "waits for job 1, which makes a too", 3: "waits for job 1, which makes a"},
    )
    assert choose(waiting[:2], [job(1, "a/x/z")], HAVE).job is None
    chain = [job(2, "b", reads="a"), job(3, "c", reads="b")]
    assert choose(chain, [job(1, "a")], HAVE).reasons[3] == "waits for job 2, which makes b"


def test_a_job_without_outputs_runs_alone_and_nothing_overtakes_it() -> None:
    assert choose([job(2)], [], HAVE).job == 2
    assert choose([job(2), job(3, "c")], [job(1, "a")], HAVE).job is None
    found = choose([job(3, "c")], [job(2)], HAVE)
    assert found.reasons == {3: "waits for job 2, which declares no outputs, so it may write anything"}


def test_a_job_for_which_memory_is_short_is_overtaken_only_by_what_leaves_it_enough() -> None:
    living = [job(1, "a", mem=16_000)]
    big, small, light = job(2, "b", mem=20_000), job(3, "c", mem=5_000), job(4, "d", mem=4_000)
    found = choose([big, small, light], living, HAVE)
    assert found.job == 4 and found.reasons[2].startswith("waits for 20 GB of memory: job 1 has 16 of 24 GB")
    assert found.reasons[3] == "lets job 2 go first, which waits for what it would take"
    three = job(2, "b", cpus=3, mem=20_000)
    assert choose([three, light], living, HAVE).job == 4, "job 1 will leave a processor more"
    overtaken = choose([three, job(5, "e")], [*living, light], HAVE)
    assert overtaken.reasons[5] == "lets job 2 go first, which waits for what it would take"


def test_a_job_that_asks_for_all_there_is_waits_no_longer_than_for_those_before_it() -> None:
    whole = job(2, "b", cpus=4)
    assert choose([whole, job(3, "c"), job(4, "d")], [job(1, "a")], HAVE).job is None
    assert choose([whole, job(3, "c"), job(4, "d")], [], HAVE).job == 2


def test_where_a_cluster_shares_out_what_there_is_only_meetings_count() -> None:
    assert choose([job(2, "b", cpus=9)], [job(1, "a", cpus=9)], None) == (2, {})
    assert choose([job(2, "a")], [job(1, "a")], None).job is None


def test_no_more_jobs_than_there_are_to_look_at_are_asked_for() -> None:
    def waiting() -> Iterator[Candidate]:
        yield from (job(number, "a") for number in range(2, 2 + MOST))
        raise AssertionError("one too many was looked at")

    assert choose(waiting(), [job(1, "a")], HAVE).job is None


WANT = st.builds(
    Resources,
    st.none() | st.integers(1, 4),
    st.none() | st.integers(1, 24_000),
    st.none(),
    st.none() | st.just(1),
)
TOUCHES = st.builds(
    Touches,
    st.lists(st.sampled_from("abcdef"), max_size=1).map(tuple),
    st.none() | st.lists(st.sampled_from("abcdef"), min_size=1, max_size=1).map(tuple),
)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(WANT, TOUCHES), min_size=1, max_size=9), st.data())
def test_all_jobs_come_to_run_none_beside_one_it_meets_or_beyond_what_there_is(
    asked: list[tuple[Resources, Touches]], data: st.DataObject
) -> None:
    waiting = [Candidate(number, *one) for number, one in enumerate(asked)]
    living: list[Candidate] = []
    started: list[int] = []
    beside: dict[int, set[int]] = {}  # which jobs lived when one first waited for room alone
    while waiting or living:
        found = choose(waiting, living, HAVE)
        last = len(asked) if found.job is None else found.job
        assert set(found.reasons) == {one.job for one in waiting if one.job < last}
        for number, why in found.reasons.items():
            if not why.startswith("waits for job"):
                beside.setdefault(number, {one.job for one in living})
                assert any(one.job < number or one.job in beside[number] for one in living)
        if found.job is None:
            assert living, "with nothing alive, the first one starts"
            living.remove(data.draw(st.sampled_from(living)))
            continue
        chosen = next(one for one in waiting if one.job == found.job)
        assert not any(meet(chosen.touches, one.touches) for one in living)
        assert not any(meet(chosen.touches, one.touches) for one in waiting if one.job < found.job)
        waiting.remove(chosen)
        living.append(chosen)
        started.append(found.job)
        taken = sharing.left(HAVE, {one.job: one.want for one in living})
        assert min(taken) >= 0 or len(living) == 1
    assert sorted(started) == list(range(len(asked)))
