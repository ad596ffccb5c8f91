"""What happens by hand beside a bring, or instead of it: nothing is lost, and what is said of it is so."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.house import write
from tests.pathhouse import PathHouse
from wtwatch.bring import carry
from wtwatch.home import merge
from wtwatch.project.config import write_project
from wtwatch.project.tree import RunTree
from wtwatch.reconcile import Done, TickOptions, tick
from wtwatch.views import status
from wtwatch.words.errors import WtwatchError

READS = "import sys; held = open(sys.argv[1]); print(held.read(1), flush=True); sys.stdin.read()"
WRITES = "import sys; held = open(sys.argv[1], 'w'); print('x', flush=True); sys.stdin.read()"


@pytest.fixture
def house(tmp_path: Path) -> PathHouse:
    return PathHouse(tmp_path)


def released(house: PathHouse, **files: str | None) -> Done:
    house.save("more", None, **files)
    house.release()
    return house.tick()


def beside(script: str, file: Path) -> subprocess.Popen[str]:
    """Start a program that holds a file open until its input ends."""
    program = subprocess.Popen(
        [sys.executable, "-c", script, str(file)],
        cwd="/",
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert program.stdout is not None and program.stdout.readline()
    return program


def test_a_viewer_of_a_figure_keeps_no_release_waiting_and_what_it_shows_is_replaced(
    house: PathHouse,
) -> None:
    released(house, out__figure="old\n")
    with beside(READS, house.run / "out/figure") as viewer:
        assert released(house, out__figure="new\n", code__a="v2\n").moved is not None
        viewer.communicate()
    assert (house.here("out/figure"), house.here("code/a")) == ("new\n", "v2\n") and house.is_clean()


def test_who_copies_files_into_the_run_tree_is_waited_for_and_keeps_them(house: PathHouse) -> None:
    with beside(WRITES, house.run / "in/.data.XyZ") as rsync:
        done = released(house, code__a="v2\n", in__data="main's\n")
        assert done.moved is None and [one.pid for one in done.busy] == [rsync.pid]
        (house.run / "in/.data.XyZ").rename(house.run / "in/data")
        (house.run / "in/data").write_text("copied\n")
        rsync.communicate()
    with pytest.raises(WtwatchError, match="in/data"):
        house.tick()
    assert (house.here("in/data"), house.here("code/a")) == ("copied\n", "v1\n")
    (house.run / "in/data").rename(house.run.parent / "aside")
    house.tick()
    assert (house.here("in/data"), house.here("code/a")) == ("main's\n", "v2\n")


@pytest.mark.parametrize("file", ["in/data", "in/a"], ids=["new", "tracked"])
def test_a_file_that_is_copied_there_at_the_last_moment_is_not_overwritten(
    house: PathHouse, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_out = carry._check_out

    def late(*words: object) -> None:
        write(house.run, file, "copied\n")
        check_out(*words)  # type: ignore[arg-type]

    house.save("more", None, code__a="v2\n", **{file.replace("/", "__"): "main's\n"})
    house.release()
    with monkeypatch.context() as patch:
        patch.setattr(carry, "_check_out", late)
        with pytest.raises(WtwatchError, match=file):
            house.tick()
    assert (house.here(file), house.here("code/a")) == ("copied\n", "v1\n")
    (house.run / file).rename(house.run.parent / "aside")
    if file == "in/a":
        house.git("checkout", "-q", "--", file, cwd=house.run)
    house.tick()
    assert (house.here(file), house.here("code/a")) == ("main's\n", "v2\n") and house.is_clean()


def test_open_edits_of_main_in_the_paths_of_a_release_stay_and_come_with_none(house: PathHouse) -> None:
    house.save(code__a="v2\n")
    house.release()
    for file, text in {"code/a": "draft\n", "code/new": "untracked\n", "in/a": "draft\n"}.items():
        write(house.main, file, text)
    house.git("add", "in/a")
    before = house.git("status", "--porcelain")
    assert house.tick().moved is not None
    assert (house.here("code/a"), house.here("code/new"), house.here("in/a")) == ("v2\n", None, "1\n")
    house.job(out__x="1\n")
    merge.bring(house.project)
    assert house.git("status", "--porcelain") == before
    assert house.here("code/a", house.main) == "draft\n" and house.here("out/x", house.main) == "1\n"


def test_from_a_main_tree_on_another_branch_than_the_noted_one_code_comes_alone_and_status_says_so(
    house: PathHouse,
) -> None:
    project = house.project._replace(main_branch="main")
    house.git("switch", "-q", "-c", "feature")
    house.save(in__b="2\n")
    assert tick(project, TickOptions(from_main=True)).brought == 0
    found = status.describe(project).results
    assert (found.elsewhere, found.from_main) == ("feature", 0)
    house.git("switch", "-q", "main")
    assert status.describe(project).results.elsewhere is None
    house.git("switch", "-q", "--detach")
    assert status.describe(project).results.elsewhere == "no branch"


def test_results_that_went_home_to_another_branch_go_home_to_main_as_well(house: PathHouse) -> None:
    project = house.project._replace(main_branch="main")
    house.job(out__x="1\n")
    house.git("switch", "-q", "-c", "feature")
    house.save(code__a="draft\n")
    merge.bring(project)
    assert house.here("out/x", house.main) == "1\n" and status.describe(project).results.ahead == 0
    house.git("switch", "-q", "main")
    assert house.here("out/x", house.main) is None and status.describe(project).results.ahead == 1
    merge.bring(project)
    assert (house.here("out/x", house.main), house.here("code/a", house.main)) == ("1\n", "v1\n")
    house.git("merge", "-q", "--no-edit", "feature")
    assert house.here("code/a", house.main) == "draft\n"


def test_results_do_not_go_home_to_a_main_tree_on_no_branch_and_the_way_out_works(house: PathHouse) -> None:
    house.job(out__x="1\n")
    house.git("switch", "-q", "--detach")
    with pytest.raises(WtwatchError, match="on no branch") as caught:
        merge.bring(house.project)
    assert "switch" in (caught.value.hint or "") and house.here("out/x", house.main) is None
    house.git("switch", "-q", "main")
    merge.bring(house.project)
    assert house.here("out/x", house.main) == "1\n"


@pytest.fixture
def second(house: PathHouse) -> PathHouse:
    """Another project over the same paths of the same superdataset."""
    other = object.__new__(PathHouse)
    other.main, other.run = house.main, house.main.parent / "second"
    other.project = house.project._replace(
        name="q",
        state=house.main / ".git/wtwatch/q",
        run_tree=other.run,
        bookmark="two",
        run_branch="two-results",
    )
    house.git("branch", "two")
    house.git("worktree", "add", "-q", "-b", "two-results", str(other.run))
    other.project.state.mkdir(parents=True)
    write_project(other.project)
    other.tick()
    return other


def test_two_projects_over_the_same_paths_follow_each_its_own_release(
    house: PathHouse, second: PathHouse
) -> None:
    house.save(code__a="v2\n", in__b="2\n")
    house.release()
    assert house.tick().moved is not None and second.tick() == Done()
    assert (house.here("code/a"), second.here("code/a")) == ("v2\n", "v1\n")
    house.job(out__x="of v2\n")
    second.job(out__y="of v1\n")
    for one in (house, second):
        merge.bring(one.project)
    assert (house.here("out/x", house.main), house.here("out/y", house.main)) == ("of v2\n", "of v1\n")
    house.save(code__a="v3\n")
    house.git("branch", "-f", "two", "main")
    assert second.tick().moved is not None
    assert (second.here("code/a"), second.here("out/x")) == ("v3\n", "of v2\n")
    assert house.here("code/a") == "v2\n" and house.tick() == Done()
    for one in (house, second):
        assert status.describe(one.project).results.ahead == 0
        assert RunTree.of(one.project).known_ref in house.git("for-each-ref", "refs/wtwatch")


@pytest.mark.parametrize("way", ["--ff", "--no-ff"])
def test_the_run_branch_merged_by_hand_into_main_is_home(house: PathHouse, way: str) -> None:
    released(house, code__a="v2\n")
    house.job(out__x="1\n")
    house.tick()
    house.git("merge", "-q", way, "--no-edit", "runs")
    assert status.describe(house.project).results.ahead == 0
    assert merge.bring(house.project).steps == ()
    assert released(house, code__a="v3\n", out__x=None).moved is not None
    assert (house.here("code/a"), house.here("out/x")) == ("v3\n", None)
    house.job(out__y="1\n")
    merge.bring(house.project)
    assert (house.here("out/x", house.main), house.here("out/y", house.main)) == (None, "1\n")


@pytest.mark.parametrize("results", [True, False], ids=["a merge", "a fast-forward"])
def test_main_merged_by_hand_into_the_run_tree_wants_its_code_released(
    house: PathHouse, results: bool
) -> None:
    if results:
        house.job(out__x="1\n")
        house.tick()
    new = house.save(code__a="v2\n", in__b="2\n")
    house.git("merge", "-q", "--no-edit", "main", cwd=house.run)
    done = house.tick(start_jobs=True)
    assert done.waits is not None and "code/a" in done.waits and "wtwatch release" in (done.hint or "")
    house.release()
    assert house.tick().moved is not None and house.tick() == Done() and house.is_clean()
    assert house.git("rev-parse", house.tree.applied_ref) == new
    assert status.describe(house.project).results.ahead == (2 if results else 0)
    assert released(house, code__a="v3\n").moved is not None
    house.job(out__y="1\n")
    merge.bring(house.project)
    assert house.here("out/y", house.main) == "1\n" and house.here("code/a", house.main) == "v3\n"


def test_code_taken_back_after_a_merge_of_main_by_hand_is_that_of_the_release(house: PathHouse) -> None:
    house.job(out__x="1\n")
    house.save(code__a="v2\n", in__b="2\n")
    house.git("merge", "-q", "--no-edit", "main", cwd=house.run)
    assert house.tick().waits is not None
    house.git("checkout", "-q", house.release("runs-code"), "--", "code/a", cwd=house.run)
    house.git("commit", "-q", "-m", "back", cwd=house.run)
    assert house.tick() == Done() and (house.here("code/a"), house.here("in/b")) == ("v1\n", "2\n")
    merge.bring(house.project)
    assert (house.here("code/a", house.main), house.here("out/x", house.main)) == ("v2\n", "1\n")


def test_a_results_folder_that_main_removed_stays_away_and_new_results_come(house: PathHouse) -> None:
    house.job(out__old__x="1\n", out__old__y="1\n")
    merge.bring(house.project)
    house.save(out__old__x=None, out__old__y=None, code__a="v2\n")
    house.release()
    assert house.tick().moved is not None and not (house.run / "out").exists()
    house.job(out__old__z="1\n")
    merge.bring(house.project)
    assert not (house.main / "out/old/x").exists() and house.here("out/old/z", house.main) == "1\n"


def test_a_results_folder_that_main_removed_with_files_that_nobody_saved_is_named(house: PathHouse) -> None:
    house.job(out__old__x="1\n")
    merge.bring(house.project)
    write(house.run, "out/old/notes", "mine\n")
    write(house.run, "out/old/x", "mine\n")
    house.save(out__old__x=None, code__a="v2\n")
    house.release()
    with pytest.raises(WtwatchError, match="out/old/x"):
        house.tick()
    assert (house.here("out/old/x"), house.here("out/old/notes")) == ("mine\n", "mine\n")
    house.git("checkout", "-q", "--", "out/old/x", cwd=house.run)
    house.tick()
    assert (house.here("out/old/x"), house.here("out/old/notes"), house.here("code/a")) == (
        None,
        "mine\n",
        "v2\n",
    )


def test_a_bring_that_was_amended_by_hand_keeps_the_users_file_and_goes_home(house: PathHouse) -> None:
    released(house, code__a="v2\n", in__b="2\n")
    write(house.run, "mine.txt", "mine\n")
    house.git("add", "mine.txt", cwd=house.run)
    house.git("commit", "-q", "--amend", "--no-edit", cwd=house.run)
    house.save(code__a="v3\n", in__b="3\n")
    house.release()
    with pytest.raises(WtwatchError, match="rewritten") as caught:
        house.tick()
    assert caught.value.hint is not None
    on = caught.value.hint.rpartition(": ")[2]
    subprocess.run(["sh", "-c", on], check=True, capture_output=True, timeout=60)
    assert house.tick().moved is not None
    assert [house.here(path) for path in ("mine.txt", "code/a", "in/b")] == ["mine\n", "v3\n", "3\n"]
    merge.bring(house.project)
    assert house.here("mine.txt", house.main) == "mine\n"
