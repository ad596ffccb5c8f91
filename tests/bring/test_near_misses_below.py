"""The same beside a bring by hand, where code is a subdataset: see ``test_near_misses.py``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bring.test_from_main import NOW, clean, job_wrote, main_has, text
from tests.bring.test_near_misses import READS, WRITES, beside
from tests.house import House, write
from wtwatch.home import merge
from wtwatch.project.config import write_project
from wtwatch.project.tree import RunTree
from wtwatch.reconcile import Done, TickOptions, tick
from wtwatch.tree import save
from wtwatch.views import status

pytestmark = pytest.mark.slow

V2, V3 = {"a.py": "a = 2\n"}, {"a.py": "a = 3\n"}


@pytest.fixture
def house(tmp_path: Path) -> House:
    """A house whose project is known, with an input."""
    house = House.built(tmp_path)
    for name, value in (("user.name", "L"), ("user.email", "l@example.org")):
        house.git("config", name, value, cwd=house.project.main_tree)
    write_project(house.project)
    main_has(house, in__a="1\n")
    tick(house.project, NOW)
    return house


def moved(house: House, code: dict[str, str], **main: str | None) -> Done:
    """Have main come with a move of code."""
    if main:
        main_has(house, "from her desk", **main)
    house.commit(dict(code))
    return tick(house.project, TickOptions())


def mains(house: House, path: str) -> str | None:
    file = house.project.main_tree / path
    return file.read_text() if file.exists() else None


def above(house: House, *words: str) -> str:
    """Run git in the main tree's superdataset."""
    return house.git(*words, cwd=house.project.main_tree)


def below(house: House, *words: str) -> str:
    """Run git in the run tree's superdataset."""
    return house.git(*words, cwd=house.project.run_tree)


def amended(house: House) -> None:
    """Bring what main has, and amend that commit by hand with a file of the user's."""
    assert moved(house, V2, in__a="2\n").brought == 1
    write(house.project.run_tree, "mine.txt", "mine\n")
    below(house, "add", "mine.txt")
    below(house, "commit", "-q", "--amend", "--no-edit")


def test_a_bring_that_was_amended_by_hand_keeps_the_users_file_and_goes_home(house: House) -> None:
    amended(house)
    assert moved(house, V3, in__a="3\n").brought == 1
    assert [text(house, path) for path in ("mine.txt", "in/a", "code/a.py")] == ["mine\n", "3\n", "a = 3\n"]
    assert clean(house) and tick(house.project, NOW) == Done()
    merge.bring(house.project)
    assert (mains(house, "mine.txt"), mains(house, "in/a")) == ("mine\n", "3\n")


@pytest.mark.parametrize("way", ["back", "on"])
def test_after_the_run_branch_was_rewritten_both_ways_on_work(house: House, way: str) -> None:
    job_wrote(house, out__bad="1\n")
    job_wrote(house, out__x="1\n")
    assert moved(house, V2, in__a="2\n").brought == 1
    job_wrote(house, out__y="1\n")
    had = below(house, "rev-parse", "HEAD")
    bad = below(house, "log", "--format=%H", "--", "out/bad")
    below(house, "rebase", "-q", "--onto", f"{bad}^", bad)
    tick(house.project, TickOptions())
    if way == "back":
        below(house, "reset", "-q", "--hard", had)
    assert moved(house, V3, in__a="3\n", in__b="1\n").waits is None
    kept = "1\n" if way == "back" else None
    found = [text(house, path) for path in ("out/bad", "out/x", "out/y", "in/a", "in/b", "code/a.py")]
    assert found == [kept, "1\n", "1\n", "3\n", "1\n", "a = 3\n"]
    assert clean(house) and tick(house.project, NOW) == Done()
    merge.bring(house.project)
    assert [mains(house, path) for path in ("out/bad", "out/x", "out/y")] == [kept, "1\n", "1\n"]


def test_a_viewer_of_a_figure_keeps_nothing_waiting_and_what_it_shows_is_replaced(house: House) -> None:
    main_has(house, out__figure="old\n")
    tick(house.project, NOW)
    with beside(READS, house.project.run_tree / "out/figure") as viewer:
        done = moved(house, V2, out__figure="new\n")
        assert done.moved is not None and done.brought == 1
        viewer.communicate()
    assert (text(house, "out/figure"), text(house, "code/a.py")) == ("new\n", "a = 2\n") and clean(house)


def test_who_copies_files_into_the_run_tree_is_waited_for_and_keeps_them(house: House) -> None:
    place = house.project.run_tree / "in/.data.XyZ"
    with beside(WRITES, place) as rsync:
        done = moved(house, V2, in__data="main's\n")
        assert done.moved is None and [one.pid for one in done.busy] == [rsync.pid]
        place.rename(place.with_name("data"))
        place.with_name("data").write_text("copied\n")
        rsync.communicate()
    done = tick(house.project, TickOptions())
    assert done.moved is not None and done.unbrought is not None and "in/data" in done.unbrought[0]
    assert (text(house, "in/data"), text(house, "code/a.py")) == ("copied\n", "a = 2\n")
    place.with_name("data").rename(house.project.run_tree.parent / "aside")
    assert tick(house.project, NOW).brought == 1
    assert text(house, "in/data") == "main's\n" and clean(house)


def test_open_edits_of_main_in_code_and_in_what_comes_stay_and_come_with_none(house: House) -> None:
    main_has(house, in__b="1\n")
    house.commit(dict(V2))
    for file, said in {"code/a.py": "draft\n", "code/new.py": "untracked\n", "in/a": "draft\n"}.items():
        write(house.project.main_tree, file, said)
    above(house, "add", "in/a")
    house.git("add", "a.py")
    before = above(house, "status", "--porcelain"), house.git("status", "--porcelain")
    done = tick(house.project, TickOptions())
    assert done.moved is not None and done.brought == 1
    found = [text(house, path) for path in ("code/a.py", "code/new.py", "in/a", "in/b")]
    assert found == ["a = 2\n", None, "1\n", "1\n"]
    job_wrote(house, out__x="1\n")
    merge.bring(house.project)
    assert house.git("status", "--porcelain") == before[1]
    assert (mains(house, "code/a.py"), mains(house, "in/a"), mains(house, "out/x")) == (
        "draft\n",
        "draft\n",
        "1\n",
    )


def test_from_a_main_tree_on_another_branch_than_the_noted_one_code_comes_alone_and_status_says_so(
    house: House,
) -> None:
    project = house.project._replace(main_branch="main")
    above(house, "switch", "-q", "-c", "feature")
    main_has(house, in__b="2\n")
    house.commit(dict(V2))
    done = tick(project, TickOptions(from_main=True))
    assert done.moved is not None and done.brought == 0 and text(house, "code/a.py") == "a = 2\n"
    found = status.describe(project).results
    assert (found.elsewhere, found.from_main) == ("feature", 0)
    above(house, "switch", "-q", "main")
    assert status.describe(project).results.elsewhere is None
    above(house, "switch", "-q", "--detach")
    assert status.describe(project).results.elsewhere == "no branch"


def test_results_that_went_home_to_another_branch_go_home_to_main_as_well(house: House) -> None:
    project = house.project._replace(main_branch="main")
    job_wrote(house, out__x="1\n")
    above(house, "switch", "-q", "-c", "feature")
    merge.bring(project)
    assert mains(house, "out/x") == "1\n" and status.describe(project).results.ahead == 0
    above(house, "switch", "-q", "main")
    assert mains(house, "out/x") is None and status.describe(project).results.ahead
    merge.bring(project)
    assert mains(house, "out/x") == "1\n"


@pytest.fixture
def second(house: House) -> House:
    """Another project over the same code, with a bookmark and a run tree of its own."""
    main = house.project.main_tree
    other = House(
        house.project._replace(
            name="q", state=main / ".git/wtwatch/q", run_tree=main.parent / "second", bookmark="two"
        )
    )
    first = house.head()
    house.git("branch", "two", first)
    above(house, "worktree", "add", "-q", "-b", "two", str(other.project.run_tree))
    house.git("worktree", "add", "-q", "--detach", str(other.code), first)
    house.git("update-ref", other.tree.applied_ref, first)
    other.project.state.mkdir(parents=True)
    write_project(other.project)
    tick(other.project, TickOptions())
    return other


def test_two_projects_over_the_same_code_follow_each_its_own_bookmark(house: House, second: House) -> None:
    assert moved(house, V2, in__b="2\n").moved is not None
    assert tick(second.project, TickOptions()) == Done()
    assert (text(house, "code/a.py"), text(second, "code/a.py")) == ("a = 2\n", "a = 1\n")
    job_wrote(house, out__x="of v2\n")
    job_wrote(second, out__y="of v1\n")
    merge.bring(house.project)
    merge.bring(second.project, "main")
    assert (mains(house, "out/x"), mains(house, "out/y")) == ("of v2\n", "of v1\n")
    house.git("branch", "-f", "two", house.commit(dict(V3), bookmark=False))
    assert tick(second.project, TickOptions()).moved is not None
    assert (text(second, "code/a.py"), text(second, "out/x")) == ("a = 3\n", "of v2\n")
    assert text(house, "code/a.py") == "a = 2\n" and tick(house.project, TickOptions()) == Done()
    for one in (house, second):
        assert status.describe(one.project).results.ahead == 0
        assert RunTree.of(one.project).applied_ref in house.git("for-each-ref", "refs/wtwatch")


@pytest.mark.parametrize("way", ["--ff", "--no-ff"])
def test_the_run_branch_merged_by_hand_into_main_is_home(house: House, way: str) -> None:
    moved(house, V2)
    job_wrote(house, out__x="1\n")
    tick(house.project, TickOptions())
    above(house, "merge", "-q", way, "--no-edit", "runs")
    assert status.describe(house.project).results.ahead == 0
    assert merge.bring(house.project).steps == ()
    assert moved(house, V3, out__x=None).brought == 1
    assert (text(house, "code/a.py"), text(house, "out/x")) == ("a = 3\n", None)
    job_wrote(house, out__y="1\n")
    merge.bring(house.project)
    assert (mains(house, "out/x"), mains(house, "out/y")) == (None, "1\n")


@pytest.mark.parametrize("results", [True, False], ids=["a merge", "a fast-forward"])
def test_main_merged_by_hand_into_the_run_tree_leaves_code_where_it_is(house: House, results: bool) -> None:
    """Main's pointer is at a draft, which the merge by hand brings: the run tree's is put right again."""
    if results:
        job_wrote(house, out__x="1\n")
        tick(house.project, TickOptions())
    applied, draft = house.head(), house.commit({"a.py": "a = 'draft'\n"}, bookmark=False)
    above(house, "update-index", "--cacheinfo", f"160000,{draft},code")
    main_has(house, in__b="2\n")
    below(house, "merge", "-q", "--no-edit", "main")
    assert tick(house.project, TickOptions()).waits is None
    assert house.head() == applied == save.pointer_of(house.tree).recorded
    assert (text(house, "code/a.py"), text(house, "in/b")) == ("a = 1\n", "2\n") and clean(house)
    assert moved(house, V3, in__b="3\n").brought == 1
    job_wrote(house, out__y="1\n")
    merge.bring(house.project, "run")
    assert (mains(house, "out/y"), mains(house, "in/b")) == ("1\n", "3\n")


def test_a_results_folder_that_main_removed_stays_away_and_new_results_come(house: House) -> None:
    job_wrote(house, out__old__x="1\n", out__old__y="1\n")
    merge.bring(house.project)
    assert moved(house, V2, out__old__x=None, out__old__y=None).brought == 2
    assert not (house.project.run_tree / "out").exists()
    job_wrote(house, out__old__z="1\n")
    merge.bring(house.project)
    assert (mains(house, "out/old/x"), mains(house, "out/old/z")) == (None, "1\n")


def test_a_results_folder_that_main_removed_with_files_that_nobody_saved_is_named(house: House) -> None:
    job_wrote(house, out__old__x="1\n")
    merge.bring(house.project)
    for name in ("notes", "x"):
        write(house.project.run_tree, f"out/old/{name}", "mine\n")
    done = moved(house, V2, out__old__x=None)
    assert done.moved is not None and done.unbrought is not None and "out/old/x" in done.unbrought[0]
    assert (text(house, "out/old/x"), text(house, "out/old/notes")) == ("mine\n", "mine\n")
    below(house, "checkout", "-q", "--", "out/old/x")
    assert tick(house.project, NOW).brought == 1
    assert (text(house, "out/old/x"), text(house, "out/old/notes")) == (None, "mine\n")
