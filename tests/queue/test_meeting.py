"""Two jobs meet where one makes what the other makes or needs, by path and prefix, on the safe side."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wtwatch.queue.meeting import Claims, Touches, meet, paths_meet, touches
from wtwatch.words.model import JobSpec, Sha

NAME = st.text("ab*?[]{}!.-", min_size=1, max_size=4)
PATH = st.lists(NAME, min_size=1, max_size=4).map("/".join)
LITERAL = st.lists(st.text("abc", min_size=1, max_size=2), min_size=1, max_size=4).map("/".join)
TOUCHES = st.builds(
    Touches,
    st.lists(PATH, max_size=3).map(tuple),
    st.none() | st.lists(PATH, max_size=3).map(tuple),
)


@pytest.mark.parametrize(
    ("one", "other", "so"),
    [
        ("a", "a", True),
        ("a", "ab", False),
        ("a", "a/b/c", True),
        ("a/b", "a/c", False),
        ("./a", "a/", True),
        ("a//b", "a/b", True),
        ("a/../b", "b", True),
        (".", "x/y", True),
        ("", "x/y", True),
        ("../elsewhere", "x", True),
        ("/elsewhere", "x", True),
        ("a/*", "a", True),
        ("a/*", "a/b", True),
        ("a/*", "b", False),
        ("a/*.csv", "a/b.svg", False),
        ("a/*/x", "a/b", True),
        ("a/*/x", "a/b/x/z", True),
        ("a/*/x", "a/b/y", False),
        ("a/*.csv", "a/*.svg", False),
        ("a/b*", "a/*c", True),
        ("a/b*", "a/c*", False),
        ("a/[bc]", "a/b", True),
        ("a/[bc]x", "a/*[cd]x", True),
        ("a/**/x", "a/b/c/x", True),
        ("a/**/x", "a/b/c/y", True),
        ("a/**", "b/c", False),
        ("{tmpdir}/x", "a", True),
        ("out{n}/x", "out/y", True),
        ("out{n}", "in/y", False),
        ("a/{n}", "a/b/c", True),
        ("ä/b", "ä", True),
    ],
)
def test_paths_meet_if_they_may_be_one_or_lie_in_the_other(one: str, other: str, so: bool) -> None:
    assert paths_meet(one, other) is so
    assert paths_meet(other, one) is so


@settings(deadline=None)
@given(TOUCHES, TOUCHES)
def test_a_meeting_is_mutual(one: Touches, other: Touches) -> None:
    assert meet(one, other) == meet(other, one)


@settings(deadline=None)
@given(PATH, LITERAL)
def test_a_path_meets_itself_and_all_that_lies_in_it_and_the_folders_above(path: str, more: str) -> None:
    assert (
        paths_meet(path, path) and paths_meet(path, f"{path}/{more}") and paths_meet(f"{path}/{more}", path)
    )


@settings(deadline=None)
@given(LITERAL, LITERAL)
def test_of_plain_paths_none_meets_that_is_not_above_the_other(one: str, other: str) -> None:
    mine, its = f"{one}/", f"{other}/"
    assert paths_meet(one, other) == (mine.startswith(its) or its.startswith(mine))


@settings(deadline=None)
@given(
    st.text("ab*?[]!", min_size=1, max_size=5),
    st.text("ab*?[]!", min_size=1, max_size=5),
    st.text("ab", max_size=5),
)
def test_two_patterns_that_match_one_name_meet(one: str, other: str, name: str) -> None:
    if fnmatchcase(name, one) and fnmatchcase(name, other):
        assert paths_meet(one, other)


@settings(deadline=None)
@given(st.lists(st.tuples(PATH, PATH), max_size=6), TOUCHES)
def test_among_many_a_job_meets_one_exactly_if_it_meets_one_by_one(
    many: list[tuple[str, str]], touched: Touches
) -> None:
    claims = Claims()
    each = [Touches((read,), (written,)) for read, written in many]
    for number, one in enumerate(each):
        claims.add(number, one)
    met = claims.met_by(touched)
    assert (met is not None) == any(meet(one, touched) for one in each)
    assert met is None or meet(each[met.job], touched)


def test_inputs_alone_never_meet_and_a_job_without_outputs_meets_every_other() -> None:
    reads, makes, anything = Touches(("a",), ("b",)), Touches(("a",), ("c",)), Touches((), None)
    assert not meet(reads, makes)
    assert meet(anything, makes) and meet(anything, anything) and meet(reads, Touches((), ("a/x",)))


@pytest.mark.parametrize(
    ("living", "mine", "why"),
    [
        (Touches((), ("a",)), Touches(("a/b",), ("c",)), "which makes a"),
        (Touches((), ("a",)), Touches((), ("./a/b",)), "which makes a too"),
        (Touches(("a",), ("b",)), Touches((), ("a/x",)), "which needs a"),
        (Touches((), None), Touches((), ("a",)), "which declares no outputs, so it may write anything"),
        (Touches((), ("a",)), Touches((), None), "as it declares no outputs itself, and may write anything"),
    ],
)
def test_what_jobs_meet_in_is_said(living: Touches, mine: Touches, why: str) -> None:
    claims = Claims()
    claims.add(7, living)
    assert claims.met_by(mine) == (7, why)


def test_a_rerun_touches_what_its_record_declares_and_a_container_its_image() -> None:
    rerun = JobSpec("x", rerun_of=Sha("a" * 40))
    recorded = JobSpec("x", inputs=("in",), outputs=("out",))
    assert touches(rerun, recorded, ("img",)) == Touches(("in", "img"), ("out",))
    assert touches(rerun) == Touches((), None)
    assert touches(JobSpec("x", outputs=("out",), plain=True)) == Touches((), None)
