from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Say
from tests.doors.at_lease import OTHER, old
from tests.home.test_merge import Site
from tests.house import House, write
from wtwatch.doors import exchange, lease
from wtwatch.doors.files import held, write_whole
from wtwatch.doors.repo import Repo
from wtwatch.home import merge, newcomers
from wtwatch.project import owner
from wtwatch.project.config import write_project
from wtwatch.project.listing import register
from wtwatch.queue.jobs import Queue
from wtwatch.tree import nested
from wtwatch.views.status import describe
from wtwatch.words.errors import Busy, WtwatchError
from wtwatch.words.model import JobSpec, Running, Trigger, now


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(House.built(tmp_path / "p"))


def make(site: Site, path: str, files: dict[str, str | None], above: str = "") -> None:
    """Make a repository in the run tree, as a job does, and have the dataset above it name its commit."""
    place = site.run / path
    place.mkdir(parents=True)
    site.house.git("init", "-q", "-b", "master", cwd=place)
    site.commit(place, files, "[DATALAD RUNCMD] in it")
    record(site, path, above)


def record(site: Site, path: str, above: str = "") -> None:
    commit = site.house.head(site.run / path)
    link = f"160000,{commit},{Path(path).relative_to(above).as_posix()}"
    site.house.git("update-index", "--add", "--cacheinfo", link, cwd=site.run / above)
    site.house.git("commit", "-q", "-m", f"[DATALAD RUNCMD] make {path}", cwd=site.run / above)


def with_one(site: Site) -> Site:
    make(site, "out/s1", {"res": "result\n", "d/more": "more\n"})
    return site


def with_two(site: Site) -> Site:
    """One repository, and one in it, of which the outer one names the commit."""
    make(site, "out/s1", {"res": "result\n"})
    make(site, "out/s1/x/deep", {"far": "far\n"}, above="out/s1")
    record(site, "out/s1")
    return site


def assert_home(site: Site, *paths: str) -> None:
    """All is in the main tree, clean in both trees, and the run tree's are worktrees of the main tree's."""
    assert site.house.git("status", "--porcelain", "-uall", cwd=site.main) == ""
    assert site.house.git("status", "--porcelain", "-uall", cwd=site.run) == ""
    for path in paths:
        assert nested.is_own(site.main / path) and not nested.is_own(site.run / path)
        main, run = Repo(site.main / path), Repo(site.run / path)
        assert main.common_dir() == run.common_dir() == site.main / path / ".git"
        assert main.branch() == "master" and run.branch() == "runs"
        assert main.resolve("HEAD") == run.resolve("HEAD")
        for repo in (main, run):
            assert repo.git("status", "--porcelain", "-uall", "--ignored") == ""
        assert run.git("fsck", "--connectivity-only", "--no-dangling") == ""
    assert nested.away(site.project) == [] and merge.bring(site.project) == merge.Report()
    assert describe(site.project).results.away == ()


def test_it_stays_where_it_is_while_another_host_acts_on_the_run_tree(site: Site) -> None:
    far = with_one(site).project._replace(executor=(("kind", "slurm"),))
    assert isinstance(lease.take(far.state, OTHER), lease.Lease)
    before = site.house.head(site.main)
    with pytest.raises(owner.Elsewhere, match="login2"):
        merge.bring(far)
    assert site.house.head(site.main) == before and not (site.main / "out/s1/.git").exists()
    old(far.state)
    merge.bring(far)
    assert_home(site, "out/s1")


def test_a_repository_that_a_job_made_comes_home_as_one(site: Site) -> None:
    report = merge.bring(with_one(site).project)
    assert [one.path for one in report.new] == ["out/s1"]
    assert (report.jobs, report.files, report.size) == (1, 2, 12)
    assert (site.main / "out/s1/res").read_text() == "result\n"
    assert_home(site, "out/s1")


def test_what_is_saved_in_it_later_comes_home_as_in_any_subdataset(site: Site) -> None:
    merge.bring(with_one(site).project)
    site.commit(site.run / "out/s1", {"res": "better\n"})
    record(site, "out/s1")
    report = merge.bring(site.project)
    assert not report.new and [step.path for step in report.steps] == ["out/s1", ""]
    assert (site.main / "out/s1/res").read_text() == "better\n"
    assert_home(site, "out/s1")


def test_a_repository_in_a_new_repository_comes_home_too(site: Site) -> None:
    report = merge.bring(with_two(site).project)
    assert [one.path for one in report.new] == ["out/s1", "out/s1/x/deep"]
    assert (site.main / "out/s1/x/deep/far").read_text() == "far\n"
    assert_home(site, "out/s1", "out/s1/x/deep")


def test_a_new_repository_in_a_subdataset_that_main_has_comes_home_too(site: Site) -> None:
    merge.bring(with_one(site).project)
    make(site, "out/s1/x/deep", {"far": "far\n"}, above="out/s1")
    record(site, "out/s1")
    merge.bring(site.project)
    assert (site.main / "out/s1/x/deep/far").read_text() == "far\n"
    assert_home(site, "out/s1", "out/s1/x/deep")


def test_it_comes_home_beside_commits_of_the_main_tree(site: Site) -> None:
    with_two(site)
    site.commit(site.main, {"mine": "1\n"})
    report = merge.bring(site.project)
    assert not report.steps[-1].fast_forward
    assert site.house.git("status", "--porcelain", "-uall", cwd=site.main) == ""
    assert (site.main / "out/s1/x/deep/far").exists()


def test_no_result_is_lost_if_the_run_tree_is_deleted_before_or_after(site: Site) -> None:
    with_two(site)
    with held(site.house.tree.lock):
        nested.take_in(site.house.tree)
    shutil.rmtree(site.run)
    merge.bring(site.project)
    assert (site.main / "out/s1/res").read_text() == "result\n"
    assert (site.main / "out/s1/x/deep/far").read_text() == "far\n"
    assert site.house.git("status", "--porcelain", "-uall", cwd=site.main) == ""


def test_a_dry_run_says_what_would_be_new_and_changes_nothing(site: Site, say: Say) -> None:
    with_two(site)
    write_project(site.project)
    register(site.project.name, site.project.state)
    said = say(site.main, "merge", "--dry-run").out
    assert "new, each a repository of its own: out/s1, out/s1/x/deep" in said
    assert nested.is_own(site.run / "out/s1") and not (site.main / "out").exists()
    assert not (site.run / "out/s1/.git/worktrees").exists()


@pytest.mark.parametrize("taken", ["file", "above", "link", "folder", "ignored", "repository", "tracked"])
def test_a_name_that_is_taken_in_the_main_tree_is_said_and_nothing_is_lost(site: Site, taken: str) -> None:
    write(site.main, ".git/info/exclude", "*.log\n")
    with_one(site)
    there = {
        "file": "out/s1",
        "above": "out",
        "link": "out",
        "folder": "out/s1/mine",
        "ignored": "out/s1/mine.log",
        "repository": "out/s1/mine",
        "tracked": "out/s1/mine",
    }[taken]
    write(site.main, there, "-> elsewhere" if taken == "link" else "mine\n")
    if taken == "repository":
        site.house.git("init", "-q", cwd=site.main / "out/s1")
        site.commit(site.main / "out/s1", {})
    if taken == "tracked":
        site.commit(site.main, {})
    before = site.facts()
    with pytest.raises(WtwatchError) as said:
        merge.bring(site.project)
    assert said.value.hint
    assert site.facts() == before and not (site.main / "out/s1/res").exists()
    assert taken == "link" or (site.main / there).read_text() == "mine\n"
    assert (site.run / "out/s1/res").read_text() == "result\n"
    if taken != "tracked":
        (site.main / "out").rename(site.main.parent / "moved-away")
        merge.bring(site.project)
        assert_home(site, "out/s1")


def test_it_is_waited_for_while_somebody_works_in_the_run_tree(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merge, "PATIENCE", 0.1)
    with_one(site)
    with held(site.house.tree.lock), pytest.raises(Busy, match="out/s1"):
        merge.bring(site.project)
    assert not (site.main / "out").exists()


def test_what_was_there_before_a_job_that_runs_comes_home_though_that_made_a_repository(
    site: Site, say: Say
) -> None:
    write_project(site.project)
    register("p", site.project.state)
    site.commit(site.run, {"before": "1\n"}, "[DATALAD RUNCMD] before")
    queue, base = Queue(site.project.state), site.house.head(site.run)
    (job,) = queue.add([JobSpec("true")], Trigger.NOW, site.house.head())
    queue.begin(job.id, Running(now(), site.house.head(), base, "uuid"))
    with_one(site)
    with held(site.house.tree.lock):
        planned = " ".join(say(site.main, "merge", "--dry-run").out.split())
        assert f"What job {job.id} has made so far comes when it has ended" in planned
        assert not (site.main / "before").exists()
        told = " ".join(say(site.main, "merge").out.split())
        assert f"What job {job.id} has made so far comes when it has ended" in told and "out/s1" in told
        assert (site.main / "before").exists() and not (site.main / "out").exists()
        with pytest.raises(Busy, match=f"job {job.id} is at work"):
            merge.bring(site.project)
    merge.bring(site.project)
    assert_home(site, "out/s1")


def test_what_was_taken_in_comes_home_also_while_a_job_runs(site: Site) -> None:
    with_one(site)
    with held(site.house.tree.lock):
        nested.take_in(site.house.tree)
        merge.bring(site.project)
    assert_home(site, "out/s1")


def test_status_tells_of_a_repository_that_a_merge_by_hand_left_behind(site: Site) -> None:
    with_two(site)
    for taken_in in (False, True):
        if taken_in:
            with held(site.house.tree.lock):
                nested.take_in(site.house.tree)
        else:
            write(site.run, ".gitmodules", '[submodule "out/s1"]\n\tpath = out/s1\n\turl = ./out/s1\n')
            site.house.git("commit", "-q", "-a", "-m", "modules", cwd=site.run)
            site.house.git("merge", "-q", "--ff-only", "runs", cwd=site.main)
        assert "out/s1" in describe(site.project).results.away
    report = merge.bring(site.project)
    assert not report.steps and [one.path for one in report.new] == ["out/s1", "out/s1/x/deep"]
    assert_home(site, "out/s1", "out/s1/x/deep")


def test_one_that_the_main_tree_has_removed_stays_where_it_is(site: Site) -> None:
    with_one(site)
    with held(site.house.tree.lock):
        nested.take_in(site.house.tree)
    site.house.git("merge", "-q", "--ff-only", "runs", cwd=site.main)
    site.house.git("rm", "-q", "--cached", "out/s1", cwd=site.main)
    site.house.git("commit", "-q", "-m", "not wanted", cwd=site.main)
    assert merge.bring(site.project) == merge.Report()
    assert describe(site.project).results.away == ()
    assert (site.run / "out/s1/res").read_text() == "result\n"


def test_one_that_is_made_anew_at_the_same_place_takes_nothing_away_from_the_first(site: Site) -> None:
    with_one(site)
    with held(site.house.tree.lock):
        nested.take_in(site.house.tree)
        shutil.rmtree(site.run / "out/s1")
        site.house.git("rm", "-q", "--cached", "out/s1", cwd=site.run)
        site.house.git("commit", "-q", "-m", "gone", cwd=site.run)
        make(site, "out/s1", {"res": "second\n"})
        nested.take_in(site.house.tree)
    (first,) = (site.project.state / "nested-before").rglob("*.git")
    assert site.house.git("--git-dir", str(first), "show", "master:res") == "result"
    merge.bring(site.project)
    assert (site.main / "out/s1/res").read_text() == "second\n"
    assert_home(site, "out/s1")


def test_a_repository_that_is_on_the_bookmarks_branch_itself_comes_home(site: Site) -> None:
    place = site.run / "out/s1"
    place.mkdir(parents=True)
    site.house.git("init", "-q", "-b", "runs", cwd=place)
    site.commit(place, {"res": "result\n"})
    record(site, "out/s1")
    merge.bring(site.project)
    assert (site.main / "out/s1/res").read_text() == "result\n"
    assert site.house.git("status", "--porcelain", "-uall", cwd=site.main) == ""
    assert site.house.git("status", "--porcelain", "-uall", cwd=place) == ""
    site.commit(place, {"res": "better\n"})
    record(site, "out/s1")
    merge.bring(site.project)
    assert (site.main / "out/s1/res").read_text() == "better\n"


@pytest.mark.parametrize("state", ["a rebase", "an index lock"])
def test_one_in_which_git_is_not_done_is_left_alone_and_named(site: Site, state: str) -> None:
    with_one(site)
    folder = site.run / "out/s1/.git"
    (folder / ("rebase-merge" if state == "a rebase" else "x")).mkdir()
    if state == "an index lock":
        (folder / "index.lock").touch()
    with held(site.house.tree.lock):
        nested.take_in(site.house.tree)
    assert nested.is_own(site.run / "out/s1")
    with pytest.raises(WtwatchError, match="out/s1"):
        merge.bring(site.project)
    assert not (site.main / "out").exists()


def test_it_comes_home_where_the_file_system_cannot_exchange_two_names(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "_EXCHANGE", 1 << 20)  # as NFS answers: EINVAL
    merge.bring(with_two(site).project)
    assert_home(site, "out/s1", "out/s1/x/deep")


class Killed(BaseException):
    """What nothing in between may take for an error of its own."""


@contextmanager
def killed_at(step: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], int]]:
    """Die at the ``step``-th thing that is done to the disk; what is yielded says how many there were."""
    done = 0

    def dying(real: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*words: Any, **more: Any) -> Any:
            nonlocal done
            done += 1
            if done == step:
                raise Killed
            return real(*words, **more)

        return counted

    with monkeypatch.context() as patched:
        patched.setattr(Repo, "git", dying(Repo.git))
        patched.setattr(nested, "write_whole", dying(write_whole))
        patched.setattr(os, "replace", dying(os.replace))
        for name in ("rename", "unlink", "symlink_to", "mkdir"):
            patched.setattr(Path, name, dying(getattr(Path, name)))
        for module in (nested, newcomers):
            patched.setattr(module, "exchange", dying(module.exchange))
        yield lambda: done


def assert_ended_after_each_kill(
    root: Path, monkeypatch: pytest.MonkeyPatch, start: int, stride: int, one_step: bool
) -> None:
    step = start
    while True:
        site = with_two(Site(House.built(root / str(step))))
        site.commit(site.main, {"mine": "1\n"})
        with killed_at(step, monkeypatch) as done:
            if not one_step:
                monkeypatch.setattr(exchange, "_EXCHANGE", 1 << 20)
            try:
                merge.bring(site.project)
            except Killed:
                pass
            else:
                assert done() < step
                return
        merge.bring(site.project)
        assert (site.main / "out/s1/res").read_text() == "result\n", step
        assert (site.main / "out/s1/x/deep/far").read_text() == "far\n", step
        assert (site.run / "out/s1/x/deep/far").read_text() == "far\n", step
        assert site.house.git("status", "--porcelain", "-uall", cwd=site.main) == "", step
        assert site.house.git("status", "--porcelain", "-uall", cwd=site.run) == "", step
        assert nested.away(site.project) == [], step
        step += stride


def test_a_merge_killed_while_a_repository_comes_home_is_ended_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_ended_after_each_kill(tmp_path, monkeypatch, 3, 17, one_step=True)


@pytest.mark.slow
@pytest.mark.parametrize("one_step", [True, False])
@pytest.mark.parametrize("start", range(1, 5))
def test_a_merge_killed_at_each_step_while_a_repository_comes_home_is_ended_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: int, one_step: bool
) -> None:
    assert_ended_after_each_kill(tmp_path, monkeypatch, start, 4, one_step)
