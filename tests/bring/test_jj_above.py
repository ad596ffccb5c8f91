"""jj drives the superdataset itself, whose folder code/ is followed, as a user of jj would expect it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.conftest import Say
from tests.pathhouse import PathHouse
from wtwatch.bring import known
from wtwatch.home import merge
from wtwatch.project.listing import register
from wtwatch.reconcile import Done
from wtwatch.views import status
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Freshness


class JjHouse(PathHouse):
    """A main tree that a colocated jj drives; then git's HEAD is on no branch there."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.project = self.project._replace(main_branch="main")
        self.jj("git", "init", "--colocate")

    def jj(self, *words: str) -> str:
        done = subprocess.run(
            ["jj", "--quiet", *words], cwd=self.main, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def commit(self, **files: str) -> str:
        """Commit files by jj in the main tree."""
        for name, text in files.items():
            file = self.main / name.replace("__", "/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        self.jj("commit", "-m", " ".join(files))
        return self.git("rev-parse", "HEAD")

    def set(self, bookmark: str, revision: str = "@-") -> None:
        self.jj("bookmark", "set", "--allow-backwards", bookmark, "-r", revision)


@pytest.fixture
def house(tmp_path: Path) -> JjHouse:
    return JjHouse(tmp_path)


def pasted(hint: str | None, way: int) -> None:
    """Do what a hint says, as one pastes it into a shell: the first or the second of two ways."""
    assert hint is not None
    line = hint.split("; or ")[way].partition(": ")[2]
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, f"{line}: {done.stderr}"


def test_a_bookmark_that_jj_sets_is_released_and_results_come_home_to_where_jj_stands(
    house: JjHouse,
) -> None:
    new = house.commit(code__a="v2\n", in__b="2\n")
    house.set("runs-code")
    done = house.tick()
    assert done.moved is not None and done.moved.new == new
    assert (house.here("code/a"), house.here("in/b")) == ("v2\n", "2\n") and house.is_clean()
    house.job(out__x="1\n")
    (house.main / "draft").write_text("mine\n")
    merge.bring(house.project)
    assert house.here("out/x", house.main) == "1\n" and house.here("draft", house.main) == "mine\n"
    assert "out" not in house.jj("diff", "--summary") and "draft" in house.jj("diff", "--summary")
    assert house.git("merge-base", new, "HEAD") == new
    head = house.git("rev-parse", "HEAD")
    assert house.jj("log", "--no-graph", "-r", "@-", "-T", "commit_id").strip() == head
    assert status.describe(house.project).results.ahead == 0


def test_what_jj_committed_on_top_of_mains_branch_comes_and_what_lies_below_it_does_not(
    house: JjHouse,
) -> None:
    first = house.git("rev-parse", "main")
    house.commit(in__b="2\n")
    assert house.tick(from_main=True).brought == 1 and house.here("in/b") == "2\n"
    house.set("main")
    house.commit(in__c="3\n")
    house.set("main")
    house.jj("new", first)
    assert house.tick(from_main=True).brought == 0
    assert (house.here("in/b"), house.here("in/c")) == ("2\n", None)


@pytest.mark.parametrize("noted", [True, False], ids=["after a tick", "at once"])
@pytest.mark.parametrize("way", [0, 1], ids=["back", "on"])
def test_the_run_branch_set_by_jj_to_main_loses_no_result_and_both_ways_on_work(
    house: JjHouse, way: int, noted: bool, say: Say
) -> None:
    house.project.state.chmod(0o700)
    register("p", house.project.state)
    house.job(out__x="1\n")
    if noted:
        assert house.tick() == Done()
    had = house.git("rev-parse", "runs")
    new = house.commit(code__a="v2\n")
    house.set("runs")
    done = house.tick(start_jobs=True)
    assert done.waits is not None and "runs" in done.waits and had[:10] in done.waits
    shown = status.describe(house.project)
    assert shown.standpoint.freshness is Freshness.BLOCKED and shown.results.ahead == 1
    assert "all in the main tree" not in say(house.main, "status", code=1).out
    with pytest.raises(WtwatchError, match=had[:10]):
        merge.bring(house.project)
    pasted(done.hint, way)
    assert house.git("branch", "--show-current", cwd=house.run) == "runs"
    if way == 0:
        assert house.tick() == Done() and house.here("out/x") == "1\n"
        house.set("runs-code", new)
        house.tick()
        assert (house.here("code/a"), house.here("out/x")) == ("v2\n", "1\n")
        merge.bring(house.project)
        assert house.here("out/x", house.main) == "1\n"
        assert status.describe(house.project).results.ahead == 0
    else:
        assert known.lost(house.tree) is None
        house.set("runs-code", new)
        house.tick()
        assert house.here("code/a") == "v2\n" and house.is_clean() and house.tick() == Done()
        house.job(out__y="1\n")
        merge.bring(house.project)
        assert house.here("out/y", house.main) == "1\n"


def test_going_on_with_results_kept_apart_as_status_says_of_a_tree_off_its_branch_is_not_called_home(
    house: JjHouse,
) -> None:
    """Without a look in between: the tree was put on the branch where jj had set it."""
    house.job(out__x="1\n")
    house.tick()
    house.commit(code__a="v2\n")
    house.set("runs")
    house.git("branch", "kept-results", cwd=house.run)
    house.git("checkout", "-q", "runs", cwd=house.run)
    shown = status.describe(house.project)
    assert shown.results.ahead == 1 and shown.standpoint.freshness is Freshness.BLOCKED
    assert shown.standpoint.hint is not None
    pasted(shown.standpoint.hint, 0)
    assert house.tick() == Done() and house.here("out/x") == "1\n"


@pytest.mark.parametrize("way", [0, 1], ids=["back", "on"])
def test_a_run_branch_that_jj_rewrote_with_what_it_stands_on_is_noticed(house: JjHouse, way: int) -> None:
    house.job(out__x="1\n")
    house.tick()
    house.commit(code__a="v2\n")
    house.jj("describe", "--ignore-immutable", "-r", "runs-code", "-m", "first, better")
    assert house.git("branch", "--show-current", cwd=house.run) == ""
    done = house.tick()
    assert done.waits is not None and "runs" in done.waits
    pasted(done.hint, way)
    house.set("runs-code")
    house.tick()
    assert (house.here("code/a"), house.here("out/x")) == ("v2\n", "1\n") and house.is_clean()
    merge.bring(house.project)
    assert (house.here("code/a", house.main), house.here("out/x", house.main)) == ("v2\n", "1\n")


def test_a_tree_that_jj_left_behind_its_branch_with_nothing_to_lose_is_told_to_go_back(
    house: JjHouse,
) -> None:
    house.job(out__x="1\n")
    house.tick()
    house.git("checkout", "-q", "--detach", "HEAD~1", cwd=house.run)
    done = house.tick()
    assert done.waits is not None and "no branch" in done.waits and done.hint is not None
    back = done.hint.rpartition("then: ")[2]
    subprocess.run(["sh", "-c", back], check=True, capture_output=True, timeout=60)
    assert house.tick() == Done() and house.here("out/x") == "1\n"


def test_a_run_branch_that_jj_deleted_is_put_back_by_what_is_said(house: JjHouse) -> None:
    house.job(out__x="1\n")
    house.tick()
    house.jj("bookmark", "delete", "runs")
    done = house.tick()
    assert done.waits is not None and "gone" in done.waits
    assert status.describe(house.project).results.ahead == 1
    with pytest.raises(WtwatchError, match="gone"):
        merge.bring(house.project)
    pasted(done.hint, 0)
    assert house.tick() == Done() and house.here("out/x") == "1\n"
    merge.bring(house.project)
    assert house.here("out/x", house.main) == "1\n"


def test_a_commit_that_is_worked_on_in_jj_stays_with_its_words_when_results_come_home(house: JjHouse) -> None:
    house.job(out__x="1\n")
    house.commit(in__b="2\n")
    (house.main / "draft").write_text("mine\n")
    house.jj("describe", "-m", "a day's work")
    merge.bring(house.project)
    assert "draft" in house.jj("diff", "--summary") and (house.main / "draft").read_text() == "mine\n"
    assert "draft" in house.jj("diff", "--summary", "-r", 'description(substring:"a day")')
