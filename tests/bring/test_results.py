"""What jobs wrote is never undone by what main has, nor is what main did undone by results."""

from __future__ import annotations

import pytest

from tests.bring.world import Annexed, World, git, put
from wtwatch.bring.overlay import Blocked


def test_inputs_that_main_changed_added_and_removed_travel(world: World) -> None:
    world.job({"out/0": "0"})
    world.edit({"inputs/1": "one, v2\n", "inputs/new": "new\n", "inputs/3": None}, code="V=2")
    assert world.release()
    found = [world.in_run(f"inputs/{name}") for name in ("1", "2", "3", "new")]
    assert found == ["one, v2\n", "two\n", None, "new\n"] and world.in_run("out/0") == "0"


def test_an_input_that_an_amend_drops_is_gone_and_never_back(world: World) -> None:
    world.edit({"inputs/secret": "S\n"}, code="V=2")
    world.release()
    world.job({"out/x": "1"})
    world.edit({"inputs/secret": None}, amend=True)
    assert world.release()
    assert world.home()
    world.edit(code="V=3")
    world.release()
    assert world.in_run("inputs/secret") is None and world.in_main("inputs/secret") is None


def test_an_input_that_an_amend_changes_is_changed(world: World) -> None:
    world.edit({"inputs/new": "one\n"}, code="V=2")
    world.release()
    world.job({"out/x": "1"})
    world.edit({"inputs/new": "two\n"}, amend=True)
    assert world.release()
    assert world.in_run("inputs/new") == "two\n"


def test_results_and_edits_go_to_and_fro_between_homes(world: World) -> None:
    for number in range(6):
        world.edit({"inputs/1": f"one, {number}\n"}, code=f"V={number + 2}")
        assert world.release()
        world.job({"out/x": f"{number}", f"out/{number}": "new"})
        world.edit({"inputs/2": f"two, {number}\n"})
        assert world.home()
    assert world.in_main("out/x") == "5" and world.in_main("inputs/2") == "two, 5\n"
    assert world.in_run("inputs/2") == "two, 4\n" and world.in_run("inputs/1") == "one, 5\n"


def test_a_bring_and_a_way_home_that_do_not_know_of_each_other_are_as_good(world: World) -> None:
    for number in range(4):
        world.edit({"inputs/1": f"one, {number}\n"}, code=f"V={number + 2}")
        world.job({"out/x": f"{number}", f"out/{number}": "new"})
        main, run = world.tip(), world.tip(world.run)
        assert world.home()
        assert world.release(main)
        assert git(world.run, "rev-list", "--count", f"{run}..HEAD") in ("1", "2")
    world.edit({"inputs/2": "two, v2\n"}, code="V=9")
    world.job({"out/x": "last"})
    assert world.release() and world.home()
    for found in (world.in_run, world.in_main):
        assert [found(path) for path in ("inputs/1", "inputs/2", "out/x", "out/0")] == [
            "one, 3\n",
            "two, v2\n",
            "last",
            "new",
        ]


def test_the_same_output_by_hand_and_by_a_job_blocks_and_either_way_out_works(world: World) -> None:
    world.job({"out/f": "a job's", "out/g": "1"})
    world.edit({"out/f": "by hand"}, code="V=2")
    before = world.tip(world.run)
    assert world.from_main() == Blocked("both", ("out/f",)) == world.home()
    assert (world.tip(world.run), git(world.run, "status", "--porcelain")) == (before, "")
    git(world.run, "checkout", "-q", "master", "--", "out/f")
    git(world.run, "commit", "-q", "-m", "take main's")
    assert not isinstance(world.release(), Blocked)
    assert world.in_run("out/f") == "by hand"
    assert world.home() and world.in_main("out/g") == "1"
    world.edit({"out/f": "by hand, again"})
    assert world.from_main(), "what was taken from main is main's"
    assert world.in_run("out/f") == "by hand, again"


def test_the_job_s_output_may_be_taken_over_by_main_instead(world: World) -> None:
    world.job({"out/f": "a job's"})
    world.edit({"out/f": "by hand"})
    assert isinstance(world.from_main(), Blocked)
    git(world.main, "checkout", "-q", "runs", "--", "out/f")
    git(world.main, "commit", "-q", "-m", "take the job's")
    assert world.from_main() is None
    world.job({"out/f": "a job's, again"})
    assert world.home() and world.in_main("out/f") == "a job's, again"


def test_an_output_that_main_has_by_hand_with_the_same_bytes_passes(world: World) -> None:
    world.job({"out/f": "same"})
    world.edit({"out/f": "same"}, code="V=2")
    assert not isinstance(world.release(), Blocked)
    assert world.home()


def test_results_stay_if_main_s_history_loses_the_commit_that_took_them_home(world: World) -> None:
    base = world.edit(code="V=2")
    world.release()
    world.job({"out/x": "1"})
    assert world.home()
    world.edit({"inputs/q": "q\n"}, code="V=3")
    world.release()
    world.reset(base)
    world.edit(code="V=4")
    assert world.release()
    assert (world.in_run("out/x"), world.in_run("inputs/q")) == ("1", None)
    assert world.home()
    assert (world.in_main("out/x"), world.in_main("inputs/q")) == ("1", None)


def flattened(world: World) -> None:
    """Bring, run, take home, edit; then flatten main's history as a rebase does, and run again."""
    base = world.tip()
    world.edit(code="V=2")
    world.release()
    world.job({"out/x": "1"})
    world.edit({"README.md": "other\n"})
    assert world.home()
    world.edit({"inputs/q": "q\n"})
    world.release()
    git(world.main, "rebase", "-q", base)
    assert git(world.main, "rev-list", "--count", "--merges", "HEAD") == "0"


def test_a_rebase_that_flattens_main_s_history_takes_no_newer_result_back(world: World) -> None:
    flattened(world)
    world.job({"out/x": "2"})
    world.edit({"inputs/1": "one, v2\n"}, code="V=5")
    assert world.release()
    assert (world.in_run("out/x"), world.in_run("inputs/q")) == ("2", "q\n")
    assert world.home() and world.in_main("out/x") == "2"


@pytest.mark.parametrize("later", [None, "edited in main"])
def test_what_main_did_to_a_result_after_such_a_rebase_stands(world: World, later: str | None) -> None:
    flattened(world)
    world.edit({"out/x": later, "inputs/1": "one, v2\n"})
    assert not isinstance(world.release(), Blocked)
    assert world.in_run("out/x") == later
    world.job({"out/y": "1"})
    assert world.home() and world.in_main("out/x") == later


def test_a_commit_that_took_results_home_may_be_amended(world: World) -> None:
    world.edit(code="V=2")
    world.release()
    world.job({"out/x": "1"})
    assert world.home()
    world.edit({"inputs/1": "one, v2\n"}, amend=True)
    assert world.release()
    world.job({"out/x": "2"})
    assert world.home()
    assert (world.in_main("inputs/1"), world.in_main("out/x")) == ("one, v2\n", "2")


def test_results_that_are_made_again_between_homes_are_the_newest(world: World) -> None:
    for number in range(5):
        world.edit(code=f"V={number + 2}")
        world.release()
        world.job({"out/x": f"{number}"})
        assert world.home()
        if number == 3:
            git(world.main, "commit", "-q", "--amend", "-m", "amended")
    assert world.in_main("out/x") == world.in_run("out/x") == "4"


def test_an_older_release_may_come_after_results_went_home(world: World) -> None:
    world.job({"out/x": "1"})
    old = world.edit(code="V=2")
    assert world.home()
    world.release(old)
    assert world.in_run("out/x") == "1"
    world.job({"out/x": "2"})
    world.edit(code="V=3")
    assert not isinstance(world.release(), Blocked)
    assert world.home() and world.in_main("out/x") == "2"


def test_a_result_that_main_deletes_after_it_came_home_is_gone_in_the_run_tree(world: World) -> None:
    world.job({"out/x": "1", "out/y": "1"})
    assert world.home()
    world.edit({"out/x": None})
    assert world.from_main()
    assert (world.in_run("out/x"), world.in_run("out/y")) == (None, "1")
    world.job({"out/z": "1"})
    assert world.home() and world.in_main("out/x") is None


def test_a_results_folder_that_main_removed_stays_away_but_for_what_jobs_write_anew(world: World) -> None:
    world.job({f"out/sub/{number}": f"{number}" for number in range(4)})
    assert world.home()
    world.edit({"out/sub": None})
    world.job({"out/sub/new": "new"})
    assert world.from_main()
    assert [world.in_run(f"out/sub/{name}") for name in ("0", "3", "new")] == [None, None, "new"]
    assert world.home()
    assert git(world.main, "ls-files", "out").splitlines() == ["out/sub/new"]
    world.job({"out/sub/0": "made again"})
    assert world.home() and world.in_main("out/sub/0") == "made again"


def test_a_result_that_main_removed_and_a_job_made_again_blocks(world: World) -> None:
    world.job({"out/x": "1"})
    assert world.home()
    world.edit({"out/x": None})
    world.job({"out/x": "2"})
    assert world.from_main() == Blocked("both", ("out/x",)) == world.home()


def test_main_s_way_back_to_an_older_result_is_not_mistaken_for_a_result(world: World) -> None:
    world.job({"out/x": "1"})
    assert world.home()
    world.from_main()
    world.job({"out/x": "2"})
    assert world.home()
    git(world.main, "checkout", "-q", "HEAD~1", "--", "out/x")
    git(world.main, "commit", "-q", "-m", "back to result 1")
    world.job({"out/x": "3"})
    assert world.from_main() == Blocked("both", ("out/x",))


def test_an_input_that_main_changed_and_a_job_deleted_blocks(world: World) -> None:
    world.job({"inputs/2": None})
    world.edit({"inputs/2": "two, v2\n"})
    assert world.from_main() == Blocked("both", ("inputs/2",))


def test_what_a_job_made_of_an_input_is_not_undone_by_main_s_way_back_to_the_input_before(
    world: World,
) -> None:
    world.edit({"params.json": "v2\n"})
    world.from_main()
    world.job({"params.json": "fitted\n"})
    world.edit({"params.json": '{"p": 1}\n'})
    assert world.from_main() == Blocked("both", ("params.json",))


def test_a_text_that_both_changed_in_different_lines_has_both_changes(world: World) -> None:
    lines = "".join(f"line {number}\n" for number in range(20))
    world.job({"README.md": f"{lines}a job's\n"})
    world.edit({"README.md": f"main's\n{lines}"})
    assert world.from_main()
    assert world.in_run("README.md") == f"main's\n{lines}a job's\n"
    assert world.home() and world.in_main("README.md") == f"main's\n{lines}a job's\n"
    assert world.from_main() is None


def test_a_mode_that_one_side_changed_and_a_text_that_the_other_changed_go_together(world: World) -> None:
    world.job({"README.md": "a job's\n"})
    git(world.main, "update-index", "--chmod=+x", "README.md")
    git(world.main, "commit", "-q", "-m", "may be executed")
    git(world.main, "checkout", "-q", "--", ".")
    assert world.from_main()
    assert git(world.run, "ls-files", "-s", "README.md").startswith("100755")
    assert world.in_run("README.md") == "a job's\n"


def test_annexed_files_are_told_apart_by_their_key_not_by_whether_they_are_locked(world: World) -> None:
    world.edit(
        {"big/1": Annexed("K1"), "big/2": Annexed("K1"), "big/3": Annexed("K1"), "big/4": Annexed("K1")}
    )
    world.from_main()
    world.job(
        {
            "big/1": Annexed("K2", locked=False),
            "big/2": Annexed("K1", locked=False),
            "big/3": Annexed("K2"),
            "big/4": Annexed("K1", locked=False),
        }
    )
    world.edit(
        {
            "big/1": Annexed("K2"),
            "big/2": Annexed("K3"),
            "big/3": Annexed("K1", locked=False),
            "big/4": None,
        }
    )
    assert world.from_main()
    for path, content in {
        "big/1": Annexed("K2"),
        "big/2": Annexed("K3"),
        "big/3": Annexed("K2"),
        "big/4": None,
    }.items():
        assert world.in_run(path) == (content and content.text(path)), path
    assert world.home()


@pytest.mark.parametrize("locked", [True, False])
def test_annexed_files_that_got_other_contents_on_both_sides_block(world: World, locked: bool) -> None:
    world.edit({"big/1": Annexed("K1", locked)})
    world.from_main()
    world.job({"big/1": Annexed("K2", locked)})
    world.edit({"big/1": Annexed("K3", locked)})
    assert world.from_main() == Blocked("both", ("big/1",)) == world.home()


def test_an_input_that_a_job_only_unlocked_may_be_removed_in_main_and_the_other_way_round(
    world: World,
) -> None:
    world.edit({"big/1": Annexed("K1"), "big/2": Annexed("K1")})
    world.from_main()
    world.job({"big/1": Annexed("K1", locked=False), "big/2": None})
    world.edit({"big/1": None, "big/2": Annexed("K1", locked=False)})
    assert world.from_main()
    assert (world.in_run("big/1"), world.in_run("big/2")) == (None, None)


def test_no_rename_is_guessed_for_what_main_moved_elsewhere(world: World) -> None:
    lines = "".join(f"line {number}\n" for number in range(30))
    world.edit({"params.txt": lines})
    world.from_main()
    world.job({"params.txt": f"{lines}fitted\n"})
    world.edit({"params.txt": None, "code/params.txt" if world.kind == "paths" else "lib/params.txt": lines})
    assert world.from_main() == Blocked("both", ("params.txt",))


def test_outputs_whose_folder_main_renamed_block_and_none_follows_by_a_guess(world: World) -> None:
    world.job({f"out/{number}": f"content {number}" for number in range(3)})
    assert world.home()
    git(world.main, "mv", "out", "results")
    git(world.main, "commit", "-q", "-m", "renamed")
    world.job({"out/new": "n", "out/0": "changed"})
    assert world.from_main() == Blocked("both", ("out/0",))
    git(world.run, "mv", "out/0", "out/fresh")
    git(world.run, "commit", "-q", "-m", "another name")
    assert world.from_main()
    assert git(world.run, "ls-files", "out", "results").split() == [
        "out/fresh",
        "out/new",
        "results/0",
        "results/1",
        "results/2",
    ]


@pytest.mark.parametrize(
    ("jobs", "mains"),
    [
        ({"out/f": "a job's"}, {"out": "a file"}),
        ({"out": "a job's"}, {"out/f": "a file"}),
        ({"out/a/b/f": "a job's"}, {"out/a": "a file"}),
    ],
)
def test_a_file_against_a_folder_blocks(world: World, jobs: dict[str, str], mains: dict[str, str]) -> None:
    world.job(jobs)
    world.edit(mains)
    assert world.from_main() == Blocked("shape", tuple(jobs)) == world.home()
    put(world.main, next(iter(mains)), None)
    world.edit({"inputs/1": "one, v2\n"})
    assert world.from_main()
    assert world.in_run(next(iter(jobs))) == "a job's"


def test_a_folder_that_a_job_made_a_file_and_main_left_alone_is_that_file(world: World) -> None:
    world.edit({"out/a": "1", "out/b": "2"})
    world.from_main()
    world.job({"out": "one file\n"})
    world.edit({"inputs/1": "one, v2\n"})
    assert world.from_main()
    assert world.home() and world.in_main("out") == "one file\n"


def test_odd_names_are_carried_as_they_are(world: World) -> None:
    odd = ("out/a b", "out/*", "out/:(glob)x", 'out/"q"', "out/ü\ttab", "out/new\nline", "-dash", "out/\\b")
    world.job(dict.fromkeys(odd, "a job's"))
    world.edit({path.replace("out", "inputs"): "main's" for path in odd if path.startswith("out")})
    assert world.from_main()
    assert {world.in_run(path) for path in odd} == {"a job's"}
    assert world.home() and {world.in_main(path) for path in odd} == {"a job's"}
    world.edit({odd[0]: None})
    assert world.from_main() and world.in_run(odd[0]) is None and world.in_run("out/*") == "a job's"


def test_what_a_job_deleted_of_what_main_brought_stays_deleted_when_a_release_goes_aside(
    world: World,
) -> None:
    side = world.edit({"inputs/4": "four\n"})
    assert world.from_main()
    world.job({"inputs/4": None})
    git(world.main, "rm", "-q", "inputs/4")
    git(world.main, "commit", "-q", "-m", "as the job did")
    world.edit(code="V=2")
    world.release()
    assert not isinstance(world.release(side, rest=side), Blocked)
    assert world.in_run("inputs/4") is None


def test_what_main_did_to_a_copied_result_stands_after_its_history_was_taken_back(world: World) -> None:
    world.edit({"out/x": "0"})
    world.from_main()
    world.job({"out/x": "1"})
    copied = world.edit({"out/x": "1"})
    world.edit({"inputs/1": "one, v2\n"})
    world.from_main()
    world.reset(copied)
    world.edit({"out/x": None})
    assert world.from_main()
    assert world.in_run("out/x") is None


@pytest.mark.parametrize(
    ("before", "settled_in", "history"),
    [
        (None, "main", "reset"),
        ("0\n", "run", "squashed"),
        pytest.param(None, "run", "squashed", marks=pytest.mark.slow),
        pytest.param("0\n", "main", "reset", marks=pytest.mark.slow),
    ],
)
def test_what_a_job_took_back_and_main_changed_is_asked_for_though_main_lost_what_both_had(
    folder: World, before: str | None, settled_in: str, history: str
) -> None:
    """The job has again what was there before both had the same; that is no reason to let main's pass."""
    folder.job({"out/x": "1\n", "out/z": before})
    folder.home()
    start = folder.tip()
    folder.job({"out/z": "a job's\n"})
    own = folder.edit({"out/z": "main's\n"})
    assert folder.from_main() == Blocked("both", ("out/z",))
    if settled_in == "main":
        folder.edit({"out/z": "a job's\n"})
    else:
        folder.job({"out/z": "main's\n"}, "taken by hand")
    folder.edit({"inputs/1": "one, v2\n"})
    assert folder.from_main()
    folder.job({"out/z": before})
    folder.reset(own if history == "reset" else start, soft=history == "squashed")
    folder.edit({"out/z": "main's, again\n"})
    assert folder.from_main() == Blocked("both", ("out/z",)) == folder.home()
    git(folder.run, "checkout", "-q", "master", "--", "out/z")
    git(folder.run, "commit", "-q", "-m", "take main's")
    assert not isinstance(folder.from_main(), Blocked)
    assert not isinstance(folder.home(), Blocked)
    assert folder.in_main("out/z") == folder.in_run("out/z") == "main's, again\n"


@pytest.mark.parametrize("before", [None, "0\n"])
def test_a_copied_result_that_main_edited_and_a_job_took_back_is_asked_for(
    folder: World, before: str | None
) -> None:
    folder.job({"out/x": "1\n", "out/z": before})
    folder.home()
    folder.job({"out/z": "1\n"})
    folder.edit({"out/z": "1\n"})
    assert folder.from_main() is None, "both have the same"
    folder.job({"out/z": before})
    folder.edit({"out/z": "main's\n"})
    assert folder.from_main() == Blocked("both", ("out/z",)) == folder.home()


def test_what_came_from_main_and_no_job_wrote_since_is_main_s_whatever_a_job_wrote_before(
    folder: World,
) -> None:
    folder.job({"params.json": "fitted\n"})
    for text in ("fitted\n", "v2\n"):
        folder.edit({"params.json": text})
    assert folder.from_main()
    for text in ("fitted\n", "v3\n"):
        folder.edit({"params.json": text})
    assert not isinstance(folder.from_main(), Blocked)
    assert folder.in_run("params.json") == "v3\n"


@pytest.mark.parametrize("later", [None, "1\n"])
def test_a_release_from_before_a_result_went_home_is_no_base_for_what_a_job_makes_of_it_later(
    folder: World, later: str | None
) -> None:
    """The result stayed when that release came: so it is from the result that both sides go on."""
    old = folder.edit({"inputs/3": None})
    folder.from_main()
    folder.job({"inputs/3": "1\n"})
    folder.edit({"inputs/1": "one, v2\n"}, code="V=2")
    folder.release()
    assert folder.home()
    assert folder.release(old)
    assert folder.in_run("inputs/3") == "1\n"
    folder.job({"inputs/3": "2\n"})
    folder.edit({"inputs/3": later, "inputs/1": "one, v3\n"})
    if later is None:
        assert folder.home() == Blocked("both", ("inputs/3",)) == folder.from_main()
    else:
        assert not isinstance(folder.home(), Blocked)
        assert folder.in_main("inputs/3") == "2\n"


@pytest.mark.parametrize("taken", ["home", "copied"])
def test_a_job_that_makes_again_what_main_had_before_a_result_is_not_undone(
    folder: World, taken: str
) -> None:
    """Main went on from that only as it took the result; the job went on from the result."""
    folder.edit({"out/z": "1\n"})
    folder.from_main()
    folder.job({"out/z": "2\n"})
    if taken == "home":
        assert folder.home()
    else:
        folder.edit({"out/z": "2\n"})
    folder.job({"out/z": "1\n"})
    folder.edit({"inputs/1": "one, v2\n"})
    assert folder.from_main()
    assert folder.in_run("out/z") == "1\n"
    assert folder.home() and folder.in_main("out/z") == "1\n"


def test_what_a_job_makes_of_what_main_had_and_deleted_before_it_came_goes_home(folder: World) -> None:
    first = folder.tip()
    folder.edit({"out/z": "1\n", "inputs/1": "one, v2\n"})
    folder.edit({"out/z": None})
    for commit in (folder.tip(), first):
        assert folder.release(commit)
    folder.job({"out/z": "1\n"})
    assert folder.home() and folder.in_main("out/z") == "1\n"


def test_what_a_job_makes_again_after_it_deleted_it_goes_home_though_a_release_had_it(folder: World) -> None:
    old = folder.tip()
    folder.job({"inputs/3": None})
    assert folder.home()
    folder.edit({"inputs/1": "one, v2\n"}, code="V=2")
    folder.release()
    assert folder.release(old)
    folder.job({"inputs/3": "three\n"})
    assert folder.home() and folder.in_main("inputs/3") == "three\n"


def test_a_result_that_a_job_made_anew_after_what_came_took_the_older_one_is_asked_for(folder: World) -> None:
    first = folder.tip()
    folder.job({"out/z": "1\n"})
    copied = folder.edit({"out/z": "1\n"})
    folder.edit({"out/z": "main's\n"})
    folder.release()
    folder.release(first)
    assert folder.in_run("out/z") is None
    folder.job({"out/z": "2\n"})
    folder.reset(copied)
    folder.edit({"inputs/1": "one, v2\n"})
    assert folder.from_main() == Blocked("both", ("out/z",)) == folder.home()


def test_a_clock_that_was_wrong_brings_nothing_back_that_main_dropped(
    folder: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git goes by dates when it is to leave out what a commit comes from, and gives up after a few."""
    folder.job({"out/x": "1\n"})
    folder.home()
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2001-01-01T00:00:00Z")
    for number in range(12):
        folder.edit({"inputs/1": f"{number}\n"})
    assert folder.wrote() == ()
    folder.edit({"out/x": None})
    folder.release()
    assert folder.in_run("out/x") is None
