"""Code comes by a release alone, whichever way that goes, and main's own code is never touched."""

from __future__ import annotations

from pathlib import Path

from tests.bring.world import Content, World, commit_id, entry, git
from wtwatch.bring.overlay import Blocked
from wtwatch.doors.repo import GITLINK


def test_ten_releases_with_jobs_between_leave_a_linear_branch_with_all_results(world: World) -> None:
    for number in range(10):
        world.edit(code=f"V={number + 2}")
        world.release()
        for job in range(3):
            world.job({f"out/{number}-{job}": f"{number} {job}\n"})
        if number % 4 == 3:
            assert world.home()
    assert git(world.run, "rev-list", "--count", "--merges", "HEAD") == "0"
    assert len(list((world.run / "out").iterdir())) == 30
    assert world.has_code(world.run, "V=11")


def test_a_bring_says_what_it_brings(folder: World) -> None:
    first, second = folder.applied, folder.edit(code="V=2")
    folder.release()
    said = git(folder.run, "log", "-1", "--format=%B").splitlines()
    assert said[0] == f"code: {first[:10]} → {second[:10]} edit"
    assert {f"Old: {first}", f"New: {second}", "Saved-by: wtwatch"} < set(said)
    third = folder.edit({"inputs/4": "four\n"})
    folder.from_main()
    assert git(folder.run, "log", "-1", "--format=%s") == f"from main: {third[:10]} edit"


def test_nothing_is_committed_where_there_is_nothing_to_bring(world: World) -> None:
    world.job({"out/x": "1"})
    before = world.tip(world.run)
    assert world.release() is None and world.from_main() is None
    assert world.tip(world.run) == before


def test_an_amended_release_replaces_the_code(world: World) -> None:
    world.edit(code="V=2")
    world.release()
    world.job({"out/x": "1"})
    world.edit(code="V=3", amend=True)
    world.release()
    world.job({"out/x": "2"})
    assert world.has_code(world.run, "V=3")
    assert world.home() and world.in_main("out/x") == "2"


def test_releases_that_were_squashed_leave_the_results_of_each(world: World) -> None:
    base = world.tip()
    for number in range(4):
        world.edit(code=f"V={number + 2}")
        world.release()
        world.job({f"out/{number}": "1"})
    world.reset(base, soft=True)
    git(world.main, "commit", "-q", "-m", "squashed")
    assert world.release() is None, "the same files"
    world.job({"out/9": "9"})
    assert world.home()
    assert [world.in_main(f"out/{number}") for number in (0, 3, 9)] == ["1", "1", "9"]


def test_a_release_that_goes_backwards_takes_code_and_inputs_back_and_home_takes_neither(
    world: World,
) -> None:
    first = world.tip()
    world.edit({"inputs/1": "one, v2\n", "inputs/new": "new\n"}, code="V=2")
    world.release()
    world.job({"out/x": "1"})
    world.release(first)
    assert world.has_code(world.run, "V=1")
    assert (world.in_run("inputs/1"), world.in_run("inputs/new"), world.in_run("out/x")) == (
        "one\n",
        None,
        "1",
    )
    world.job({"out/x": "2"})
    world.edit({"inputs/2": "two, v2\n"})
    assert world.home()
    assert (world.in_main("inputs/1"), world.in_main("inputs/new")) == ("one, v2\n", "new\n")
    assert world.has_code(world.main, "V=2") and world.in_main("out/x") == "2"


def test_a_release_from_before_the_run_branch_began_takes_inputs_back_as_well(tmp_path: Path) -> None:
    world = World.built(tmp_path / "w")
    oldest = world.tip()
    world.edit({"inputs/1": "one, v2\n", "inputs/new": "new\n"}, code="V=2")
    git(world.run, "reset", "-q", "--hard", "master")
    world.applied = world.fork = world.tip()
    world.job({"out/x": "1", "inputs/2": "a job's\n"})
    assert not isinstance(world.release(oldest), Blocked)
    assert (world.in_run("inputs/1"), world.in_run("inputs/new")) == ("one\n", None)
    assert (world.in_run("out/x"), world.in_run("inputs/2")) == ("1", "a job's\n")
    assert world.has_code(world.run, "V=1")


def test_a_side_branch_that_was_released_can_be_merged_into_main_later_with_all_it_has(world: World) -> None:
    git(world.main, "switch", "-q", "-c", "feature")
    feature = world.edit({"inputs/feature": "f\n"}, code="V=feature")
    git(world.main, "switch", "-q", "master")
    world.edit({"README.md": "other\n"})
    assert world.release(feature)
    assert world.has_code(world.run, "V=feature") and world.in_run("inputs/feature") == "f\n"
    world.job({"out/x": "1"})
    assert world.home()
    assert world.has_code(world.main, "V=1") and world.in_main("inputs/feature") is None
    git(world.main, "merge", "-q", "--no-edit", "feature")
    assert world.has_code(world.main, "V=feature") and world.in_main("inputs/feature") == "f\n"


def test_a_release_of_another_history_replaces_all_but_results(folder: World) -> None:
    folder.job({"out/x": "1"})
    git(folder.main, "switch", "-q", "--orphan", "alien")
    alien = folder.save(folder.main, {"code/z.py": "z\n", "inputs/9": "nine\n"}, "alien")
    git(folder.main, "switch", "-q", "master")
    assert folder.release(alien)
    assert (folder.in_run("code/z.py"), folder.in_run("inputs/9")) == ("z\n", "nine\n")
    assert (folder.in_run("code/a.py"), folder.in_run("inputs/1"), folder.in_run("out/x")) == (
        None,
        None,
        "1",
    )


def test_mains_draft_of_code_never_replaces_what_is_applied(world: World) -> None:
    applied = world.edit(code="V=3")
    world.release()
    draft = world.edit({"inputs/1": "one, v2\n"}, code="V=draft 2")
    assert world.from_main(draft)
    assert world.has_code(world.run, "V=3") and world.in_run("inputs/1") == "one, v2\n"
    world.job({"out/x": "1"})
    world.edit({"inputs/2": "two, v2\n"}, code="V=draft 3")
    assert world.from_main()
    assert world.has_code(world.run, "V=3") and world.in_run("inputs/2") == "two, v2\n"
    assert world.release(applied, rest=world.tip()) is None
    assert world.home() and world.has_code(world.main, "V=draft 3")


def test_code_of_one_release_and_the_rest_of_mains_tip_alternate_with_what_comes_from_main(
    world: World,
) -> None:
    first = world.tip()
    git(world.main, "switch", "-q", "-c", "side")
    side = world.edit({"inputs/side": "side\n"}, code="V=side")
    git(world.main, "switch", "-q", "master")
    for number, release in enumerate((None, first, side, None, side, first, None)):
        tip = world.edit({"inputs/1": f"one, {number}\n"}, code=f"V={number + 2}")
        world.release(release, rest=tip)
        expected = {None: f"V={number + 2}", first: "V=1", side: "V=side"}[release]
        assert world.has_code(world.run, expected) and world.in_run("inputs/1") == f"one, {number}\n"
        assert world.in_run("inputs/side") is None, "main does not have it"
        world.job({"out/x": f"{number}", f"out/{number}": "new"})
        world.edit({"inputs/2": f"two, {number}\n", "inputs/3": None if number % 2 else "3\n"})
        world.from_main()
        assert world.has_code(world.run, expected) and world.in_run("inputs/2") == f"two, {number}\n"
        assert (world.in_run("inputs/3") is None) == bool(number % 2)
        if number % 3 == 2:
            assert world.home()
    assert world.home() is None or world.in_main("out/x") == "6"
    assert {world.in_run(f"out/{number}") for number in range(7)} == {"new"}


def test_code_may_change_its_shape_from_release_to_release(folder: World) -> None:
    shapes: tuple[dict[str, Content], ...] = (
        {"code/lib/util.py": "1\n", "code/b.py": "2\n"},
        {"code/b.py": None, "code/c.py": "2\n", "code/lib": "now a file\n"},
        {"code/lib": None, "code/lib/x/y.py": "1\n"},
        {"code/lib": None, "code/c.py": None, "code/a.py": None},
        {"code": "a file of that name\n"},
        {"code": None, "code/a.py": "again\n"},
    )
    for number, shape in enumerate(shapes):
        folder.edit(shape)
        assert folder.release()
        assert git(folder.run, "ls-tree", "-r", "HEAD", "--", "code") == git(
            folder.main, "ls-tree", "-r", "HEAD", "--", "code"
        )
        folder.job({f"out/{number}": "1"})


def test_a_file_at_the_top_that_is_code_may_become_a_folder(tmp_path: Path) -> None:
    world = World.built(tmp_path / "w", code=("code", "Makefile"))
    world.edit({"Makefile": "all:\n"})
    assert world.release()
    world.job({"out/x": "1"})
    world.edit({"Makefile": None, "Makefile/inc.mk": "all:\n"}, amend=True)
    assert world.release()
    assert world.in_run("Makefile/inc.mk") == "all:\n" and world.in_run("out/x") == "1"


def test_several_code_paths_move_together(tmp_path: Path) -> None:
    world = World.built(tmp_path / "w", code=("src", "scripts/a b", "Snakefile"))
    release = world.edit(
        {"src/a.py": "1\n", "scripts/a b/x": "1\n", "scripts/other": "1\n", "Snakefile": "1\n"}
    )
    world.release()
    tip = world.edit({"src/a.py": "2\n", "scripts/a b/x": "2\n", "scripts/other": "2\n", "Snakefile": "2\n"})
    assert world.from_main(tip)
    found = [world.in_run(path) for path in ("src/a.py", "scripts/a b/x", "Snakefile", "scripts/other")]
    assert found == ["1\n", "1\n", "1\n", "2\n"]
    assert world.release(tip, rest=release)
    found = [world.in_run(path) for path in ("src/a.py", "scripts/a b/x", "Snakefile", "scripts/other")]
    assert found == ["2\n", "2\n", "2\n", "1\n"]


def test_what_runs_and_what_is_applied_is_the_same_for_every_result(folder: World) -> None:
    for number in range(5):
        folder.edit(code=f"V={number}", amend=number % 2 == 1)
        folder.release()
        folder.job({f"out/{number}": "1", "out/x": f"{number}"})
        if number == 2:
            folder.home()
    shape = "--format=%H\t%s\t%(trailers:key=Code,valueonly,separator=%x2C)"
    code, results = "", 0
    for line in git(folder.run, "log", "--first-parent", "--reverse", shape).splitlines():
        commit, subject, new = line.split("\t")
        code = new or code
        if "RUNCMD" in subject:
            results += 1
            assert entry(folder.run, f"{commit}^", "code") == entry(folder.run, code, "code")
    assert results == 5


def test_the_pointer_of_code_is_a_gitlink_to_the_end(tmp_path: Path) -> None:
    world = World.built(tmp_path / "w", "subdataset")
    world.edit({"inputs/1": "v2\n"}, code="V=2")
    world.release()
    assert entry(world.run, "HEAD", "code") == (GITLINK, commit_id("V=2"))
