"""A run branch that somebody rewrote is noticed before anything comes to it, and both ways on work."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.bring.test_code_as_paths import run
from tests.pathhouse import PathHouse
from wtwatch.bring import known
from wtwatch.home import merge
from wtwatch.reconcile import Done
from wtwatch.tree import backups
from wtwatch.views import status
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Freshness, JobSpec


@pytest.fixture
def house(tmp_path: Path) -> PathHouse:
    return PathHouse(tmp_path)


def released(house: PathHouse, text: str) -> Done:
    house.save(code__a=text)
    house.release()
    return house.tick()


def rewrite(house: PathHouse) -> tuple[str, str]:
    """Have a branch with a result, a bring and a result, in which the first result has another message."""
    house.job(out__x="1\n")
    released(house, "v2\n")
    house.job(out__y="2\n")
    house.tick()
    known = house.git("rev-parse", "runs")
    released(house, "v3\n")
    known = house.git("rev-parse", "runs")
    tree, fork = house.git("rev-parse", "runs^{tree}"), house.git("rev-parse", house.tree.fork_ref)
    other = house.git("commit-tree", tree, "-p", fork, "-m", "all in one")
    house.git("reset", "-q", "--hard", other, cwd=house.run)
    return known, other


def ways(error: WtwatchError) -> list[str]:
    """Return the commands that an error names."""
    assert error.hint is not None
    return [way.partition(": ")[2] for way in error.hint.split("; or ")]


def refused(house: PathHouse) -> WtwatchError:
    with pytest.raises(WtwatchError) as caught:
        released(house, "v4\n")
    return caught.value


def test_a_rewritten_run_branch_is_noticed_and_nothing_comes_to_it(house: PathHouse) -> None:
    _, other = rewrite(house)
    error = refused(house)
    assert "rewr" in error.message and len(ways(error)) == 2
    assert house.git("rev-parse", "runs") == other and house.here("code/a") == "v3\n"
    house.save(in__b="2\n")
    assert house.git("rev-parse", "runs") == other


def test_main_does_not_come_to_a_rewritten_run_branch_either(house: PathHouse) -> None:
    _, other = rewrite(house)
    house.save(in__b="2\n")
    done = house.tick(from_main=True)
    assert done.unbrought is not None and "rewr" in done.unbrought[0]
    assert house.git("rev-parse", "runs") == other and house.here("in/b") is None


@pytest.mark.parametrize("way", [0, 1], ids=["back", "on"])
def test_each_way_on_that_is_named_works(house: PathHouse, way: int) -> None:
    known, other = rewrite(house)
    words = shlex.split(ways(refused(house))[way])
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    house.tick()
    assert (house.here("code/a"), house.here("out/x"), house.here("out/y")) == ("v4\n", "1\n", "2\n")
    assert house.git("merge-base", (known, other)[way], "runs") == (known, other)[way]
    assert house.is_clean() and house.tick() == Done()
    merge.bring(house.project)
    assert (house.here("out/x", house.main), house.here("out/y", house.main)) == ("1\n", "2\n")


@pytest.mark.slow
@pytest.mark.parametrize("way", [0, 1], ids=["back", "on"])
def test_what_only_the_way_had_that_was_not_taken_is_in_a_backup_until_that_is_dropped(
    house: PathHouse, way: int
) -> None:
    known, _ = rewrite(house)
    mine = house.job(out__mine="mine\n")
    line, left = ways(refused(house))[way], (mine, known)[way]
    subprocess.run(shlex.split(line), check=True, capture_output=True, timeout=60)
    for _ in range(2):
        house.tick()
    assert house.git("for-each-ref", f"--contains={left}", "refs/heads") == ""
    (kept,) = backups.listing(house.tree)
    words = ("as it was rewritten", "before it was rewritten")[way]
    assert kept.summary == f"the branch runs, {words}" and status.describe(house.project).backups_unseen == 1
    for ref in house.tree.rewritten_refs:
        assert house.git("for-each-ref", ref) == ""
    for folder in (house.main, house.run):
        house.git("reflog", "expire", "--expire=now", "--all", cwd=folder)
    house.git("gc", "-q", "--prune=now")
    assert house.git("cat-file", "-t", left) == "commit"
    backups.drop(house.tree, [kept])
    house.git("gc", "-q", "--prune=now")
    assert house.git("for-each-ref", f"--contains={house.git('rev-parse', 'runs')}", "refs/heads") != ""
    done = subprocess.run(["git", "cat-file", "-e", left], cwd=house.main, capture_output=True, check=False)
    assert done.returncode, "it has an end"


def test_of_a_run_branch_that_was_set_to_main_nothing_is_kept_that_main_has(house: PathHouse) -> None:
    house.job(out__x="1\n")
    released(house, "v2\n")
    had = house.git("rev-parse", "runs")
    house.save(in__b="2\n")
    house.git("reset", "-q", "--hard", "main", cwd=house.run)
    error = refused(house)
    subprocess.run(shlex.split(ways(error)[0]), check=True, capture_output=True, timeout=60)
    house.tick()
    assert house.git("merge-base", had, "runs") == had and backups.listing(house.tree) == []


def test_what_jobs_and_the_user_commit_is_no_rewriting(house: PathHouse) -> None:
    for number in range(3):
        house.job(**{f"out__{number}": "1\n"})
        assert released(house, f"v{number + 5}\n").moved is not None
    assert house.git("rev-parse", house.tree.known_ref) == house.git("rev-parse", "runs")


def test_a_run_branch_whose_beginning_was_rewritten_with_main_goes_on_from_the_new_one(
    house: PathHouse,
) -> None:
    """As jj does it: the commit below both branches is described anew, and all that stands on it."""
    house.job(out__x="1\n")
    released(house, "v2\n")
    house.job(out__y="2\n")
    script = "cat > /dev/null; echo first, better"
    house.git("checkout", "-q", "--detach", cwd=house.run)
    env = {"FILTER_BRANCH_SQUELCH_WARNING": "1"}
    words = ["git", "filter-branch", "-f", "--msg-filter", script, "--", "main", "runs", "runs-code"]
    done = subprocess.run(
        words, cwd=house.main, env=os.environ | env, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    house.git("checkout", "-q", "runs", cwd=house.run)
    (_, on) = ways(refused(house))
    subprocess.run(shlex.split(on), check=True, capture_output=True, timeout=60)
    house.tick()
    assert (house.here("code/a"), house.here("out/x"), house.here("out/y")) == ("v4\n", "1\n", "2\n")
    merge.bring(house.project)
    assert (house.here("out/x", house.main), house.here("code/a", house.main)) == ("1\n", "v4\n")


def test_a_run_branch_whose_last_release_was_taken_back_by_hand_says_so_and_gets_it_again(
    house: PathHouse,
) -> None:
    house.job(out__x="1\n")
    released(house, "v2\n")
    had = house.git("rev-parse", "runs")
    house.git("reset", "-q", "--hard", "HEAD~1", cwd=house.run)
    done = house.tick()
    assert done.waits is not None and had[:10] in done.waits and done.hint is not None
    subprocess.run(shlex.split(done.hint.rpartition(": ")[2]), check=True, capture_output=True, timeout=60)
    assert house.tick().moved is not None and house.tick() == Done()
    assert (house.here("code/a"), house.here("out/x")) == ("v2\n", "1\n") and house.is_clean()


def test_what_a_rewritten_run_branch_lacks_of_wtwatchs_own_is_nothing_to_bring_home(house: PathHouse) -> None:
    released(house, "v2\n")
    house.git("reset", "-q", "--hard", "HEAD~1", cwd=house.run)
    shown = status.describe(house.project)
    assert shown.standpoint.freshness is Freshness.BLOCKED and shown.results.ahead == 0


def test_a_run_branch_that_is_begun_anew_from_main_is_followed_once_the_old_one_is_let_go(
    house: PathHouse,
) -> None:
    house.job(out__x="1\n")
    released(house, "v2\n")
    house.save(code__a="draft\n", in__c="3\n")
    house.git("worktree", "remove", "--force", str(house.run))
    house.git("branch", "-q", "-D", "runs")
    house.git("worktree", "add", "-q", "-b", "runs", str(house.run))
    house.git("update-ref", "-d", house.tree.known_ref)
    assert house.tick().waits is None
    assert (house.here("code/a"), house.here("in/c")) == ("v2\n", "3\n") and house.is_clean()
    house.job(out__y="1\n")
    merge.bring(house.project)
    assert (house.here("code/a", house.main), house.here("out/y", house.main)) == ("draft\n", "1\n")


def test_what_a_failed_job_committed_to_the_run_branch_is_no_rewriting_once_it_is_cleared_away(
    house: PathHouse,
) -> None:
    (job,) = run(house, JobSpec("echo 1 > x && git add x && git commit -qm x && exit 3", plain=True))
    assert job.word == "failed" and house.tick().waits is None and known.lost(house.tree) is None
