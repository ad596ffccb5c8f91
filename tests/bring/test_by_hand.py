"""What somebody does to both branches by hand, between brings: merges, amended commits, rewritten history."""

from __future__ import annotations

import pytest

from tests.bring.world import World, git
from wtwatch.bring.overlay import Blocked
from wtwatch.bring.plan import Planned


def test_master_merged_into_the_run_branch_by_hand_is_as_good_as_a_bring(world: World) -> None:
    world.job({"out/x": "1"})
    world.edit({"inputs/n": "n\n"}, code="V=2")
    git(world.run, "merge", "-q", "--no-edit", "master")
    world.job({"out/x": "2"})
    world.edit({"inputs/n": "n, v2\n"}, code="V=3")
    assert world.release()
    assert world.has_code(world.run, "V=3") and world.in_run("inputs/n") == "n, v2\n"
    assert world.home() and world.in_main("out/x") == "2"


def test_what_was_settled_in_a_merge_by_hand_stays_settled(world: World) -> None:
    world.job({"out/f": "a job's", "out/g": "a job's"})
    world.edit({"out/f": "main's", "out/g": "main's"})
    git(world.run, "merge", "-q", "--no-edit", "-X", "theirs", "master")
    git(world.run, "checkout", "-q", "HEAD~1", "--", "out/g")
    git(world.run, "commit", "-q", "--amend", "-m", "settled")
    world.edit({"inputs/1": "one, v2\n"})
    assert world.from_main()
    assert (world.in_run("out/f"), world.in_run("out/g")) == ("main's", "a job's")
    world.edit({"out/f": "main's, v2"})
    assert world.from_main()
    assert (world.in_run("out/f"), world.in_run("out/g")) == ("main's, v2", "a job's")
    assert world.home() and world.in_main("out/g") == "a job's"


def test_results_of_another_branch_that_is_merged_into_the_run_branch_by_hand_are_results(
    world: World,
) -> None:
    git(world.run, "switch", "-q", "-c", "lane")
    world.job({"out/lane": "1"})
    git(world.run, "switch", "-q", "runs")
    world.job({"out/x": "1"})
    git(world.run, "merge", "-q", "--no-edit", "lane")
    world.edit({"inputs/1": "one, v2\n"}, code="V=2")
    assert world.release()
    assert (world.in_run("out/lane"), world.in_run("out/x")) == ("1", "1")
    assert world.home() and world.in_main("out/lane") == "1"


@pytest.mark.parametrize("way", [(), ("--no-ff",), ("--squash",)])
def test_the_run_branch_merged_into_master_by_hand_is_as_good_as_the_way_home(
    world: World, way: tuple[str, ...]
) -> None:
    world.edit(code="V=2")
    world.release()
    world.job({"out/x": "1", "out/y": "1"})
    git(world.main, "merge", "-q", *(way or ("--no-edit",)), "runs")
    if way == ("--squash",):
        git(world.main, "commit", "-q", "-m", "results")
    world.edit({"out/y": None, "inputs/1": "one, v2\n"}, code="V=3")
    assert world.release()
    assert (world.in_run("out/y"), world.has_code(world.run, "V=3")) == (None, True)
    world.job({"out/x": "2"})
    assert world.home()
    assert (world.in_main("out/x"), world.in_main("out/y")) == ("2", None)


def test_a_merge_of_runs_by_hand_that_is_a_fast_forward_and_one_back_change_nothing_for_later(
    world: World,
) -> None:
    world.job({"out/x": "1"})
    git(world.main, "merge", "-q", "--ff-only", "runs")
    world.edit({"inputs/1": "one, v2\n"}, code="V=2")
    git(world.run, "merge", "-q", "--ff-only", "master")
    world.applied = world.tip()
    world.job({"out/x": "2"})
    world.edit({"inputs/1": "one, v3\n", "inputs/2": None}, code="V=3")
    assert world.release()
    assert (world.in_run("inputs/1"), world.in_run("inputs/2"), world.in_run("out/x")) == (
        "one, v3\n",
        None,
        "2",
    )
    assert world.home() and world.in_main("out/x") == "2"


def amended(world: World) -> None:
    """Bring what main has, and amend that commit by hand with a file of the user's, and an edit."""
    world.edit({"inputs/1": "one, v2\n", "inputs/new": "new\n", "notes": "main's\n"})
    assert world.from_main()
    for path, content in {"mine.txt": "mine\n", "notes": "mine\n"}.items():
        (world.run / path).write_text(content)
    git(world.run, "add", "-A")
    git(world.run, "commit", "-q", "--amend", "--no-edit")


def test_a_bring_amended_by_hand_keeps_the_user_s_file_and_what_main_brings_next(world: World) -> None:
    amended(world)
    world.edit({"inputs/1": "one, v3\n", "inputs/new": None})
    assert world.from_main()
    assert [world.in_run(path) for path in ("mine.txt", "notes", "inputs/1", "inputs/new")] == [
        "mine\n",
        "mine\n",
        "one, v3\n",
        None,
    ]
    assert world.home()
    assert (world.in_main("mine.txt"), world.in_main("notes")) == ("mine\n", "mine\n")


def test_a_bring_amended_by_hand_is_no_reason_to_keep_inputs_when_a_release_goes_backwards(
    world: World,
) -> None:
    first = world.tip()
    amended(world)
    assert not isinstance(world.release(first), Blocked) or world.release(first) == Blocked(
        "both", ("notes",)
    )
    git(world.run, "rm", "-q", "notes")
    git(world.run, "commit", "-q", "-m", "not needed")
    assert world.release(first)
    assert [world.in_run(path) for path in ("mine.txt", "inputs/1", "inputs/new")] == [
        "mine\n",
        "one\n",
        None,
    ]


def test_a_bring_whose_words_alone_were_changed_is_still_one(world: World) -> None:
    world.edit({"inputs/1": "one, v2\n"})
    world.from_main()
    git(world.run, "commit", "-q", "--amend", "-m", "in words of mine")
    world.edit({"inputs/1": "one, v3\n"})
    assert world.from_main()
    assert world.in_run("inputs/1") == "one, v3\n"
    assert not isinstance(world.home(), Blocked)


def test_what_was_brought_and_reverted_by_hand_is_the_user_s_to_say(world: World) -> None:
    world.edit({"inputs/1": "one, v2\n"})
    world.from_main()
    git(world.run, "revert", "--no-edit", "HEAD")
    world.edit({"inputs/2": "two, v2\n"})
    assert world.from_main()
    assert (world.in_run("inputs/1"), world.in_run("inputs/2")) == ("one\n", "two, v2\n")


def rewritten(world: World) -> list[str]:
    """Make results around a bring; then drop the first of them from the run branch's history."""
    bad = world.job({"out/bad": "1"})
    world.job({"out/x": "1"})
    world.edit({"inputs/1": "one, v2\n"})
    assert world.from_main()
    world.job({"out/y": "1"})
    before = world.tip(world.run)
    git(world.run, "rebase", "-q", "--onto", f"{bad}^", bad)
    return [before, world.tip(world.run)]


@pytest.mark.parametrize("way_on", ["the known one", "the new one"])
def test_after_runs_was_rewritten_either_way_on_works(world: World, way_on: str) -> None:
    known, new = rewritten(world)
    git(world.run, "reset", "-q", "--hard", known if way_on == "the known one" else new)
    world.edit({"inputs/1": "one, v3\n", "inputs/2": None}, code="V=2")
    assert world.release()
    bad = "1" if way_on == "the known one" else None
    found = [world.in_run(path) for path in ("inputs/1", "inputs/2", "out/bad", "out/x", "out/y")]
    assert found == ["one, v3\n", None, bad, "1", "1"]
    assert world.home()
    assert [world.in_main(path) for path in ("out/bad", "out/x", "out/y")] == [bad, "1", "1"]


def test_runs_whose_beginning_was_rewritten_gives_all_results(world: World) -> None:
    world.edit({"inputs/2": "two, v2\n"})
    world.release()
    world.job({"out/x": "1"})
    git(world.main, "commit", "-q", "--amend", "-m", "other words")
    orphan = git(world.run, "commit-tree", f"{world.fork}^{{tree}}", "-m", "rewritten")
    git(world.run, "rebase", "-q", "--onto", orphan, world.fork)
    world.edit({"inputs/1": "one, v2\n"}, code="V=2")
    assert world.release()
    assert (world.in_run("out/x"), world.in_run("inputs/1"), world.in_run("inputs/2")) == (
        "1",
        "one, v2\n",
        "two, v2\n",
    )
    done = world.home()
    assert isinstance(done, Planned) and done.laid == ("out/x",)


def test_words_in_a_commit_that_look_like_ours_are_no_reason_to_lose_it(world: World) -> None:
    said = f"mine\n\nBrought: {world.tip()}\nTree: {'0' * 40}\nSaved-by: wtwatch"
    world.job({"out/x": "1"}, said)
    world.job({"out/y": "1"}, "mine\n\nBrought: a\x1fb\nTree: nonsense\nSaved-by: wtwatch")
    world.edit({"inputs/1": "one, v2\n"})
    assert world.from_main()
    assert (world.in_run("out/x"), world.in_run("out/y")) == ("1", "1")
