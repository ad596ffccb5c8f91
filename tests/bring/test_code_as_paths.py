"""Code that is a folder of the superdataset is followed as a subdataset is, and nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.house import write
from tests.lab import eventually
from tests.pathhouse import PathHouse
from wtwatch.bring import carry
from wtwatch.home import merge
from wtwatch.home.plan import Conflict
from wtwatch.job import lifecycle
from wtwatch.queue.jobs import Queue
from wtwatch.reconcile import Done
from wtwatch.tree import backups, codetree, ending
from wtwatch.views import status
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Freshness, Job, JobSpec, Outcome, Trigger


@pytest.fixture
def house(tmp_path: Path) -> PathHouse:
    return PathHouse(tmp_path)


def run(house: PathHouse, *specs: JobSpec) -> list[Job]:
    """Queue jobs, have them run to their ends by ticks, and return them."""
    queue = Queue(house.project.state)
    made = queue.add(list(specs), Trigger.NOW, house.release("runs-code"))

    def over() -> bool:
        house.tick(start_jobs=True)
        return all(job.word not in ("waiting", "running") for job in map(queue.job, ids))

    ids = [job.id for job in made]
    eventually(over)
    house.tick()
    return [queue.job(number) for number in ids]


def test_a_release_brings_code_and_what_main_has_and_a_quiet_tick_does_nothing(house: PathHouse) -> None:
    house.save(code__a="v2\n", code__b=None, in__b="2\n")
    house.tick()
    assert house.here("code/a") == "v1\n", "main's draft is no release"
    new = house.release()
    done = house.tick()
    assert done.moved is not None and done.moved.new == new
    assert (house.here("code/a"), house.here("code/b"), house.here("in/b")) == ("v2\n", None, "2\n")
    assert house.is_clean() and house.git("branch", "--show-current", cwd=house.run) == "runs"
    assert house.tick() == Done()
    assert house.git("rev-parse", house.tree.applied_ref) == new


def test_what_main_has_comes_without_its_code(house: PathHouse) -> None:
    """Main's draft v2 never replaces the applied v1."""
    house.save(code__a="v2\n", in__b="2\n")
    assert house.tick(from_main=True).brought == 1
    assert (house.here("code/a"), house.here("in/b")) == ("v1\n", "2\n")
    assert house.is_clean() and codetree.facts_of(house.tree).written == ()


def test_backwards_and_sideways_releases_leave_results_and_main_as_they_are(house: PathHouse) -> None:
    first = house.git("rev-parse", "HEAD")
    house.save(code__a="v2\n")
    house.release()
    house.tick()
    house.job(out__x="of v2\n")
    house.release(first)
    house.tick()
    assert (house.here("code/a"), house.here("out/x")) == ("v1\n", "of v2\n")
    house.job(out__y="of v1\n")
    merge.bring(house.project)
    assert house.here("code/a", house.main) == "v2\n", "home never takes main's code back"
    assert house.here("out/x", house.main) == "of v2\n" and house.here("out/y", house.main) == "of v1\n"
    house.git("switch", "-q", "-c", "feature")
    house.save(code__a="feature\n", code__f="f\n")
    house.release("feature")
    house.git("switch", "-q", "main")
    house.tick()
    assert (house.here("code/a"), house.here("code/f")) == ("feature\n", "f\n")
    house.job(out__z="of the feature\n")
    merge.bring(house.project)
    assert house.here("code/f", house.main) is None
    house.git("merge", "-q", "--no-edit", "feature")
    assert house.here("code/f", house.main) == "f\n", "a side branch is not counted as merged"


def test_edits_in_the_run_trees_code_are_backed_up_before_a_release(house: PathHouse) -> None:
    write(house.run, "code/a", "mine\n")
    write(house.run, "code/new", "untracked\n")
    house.save(code__a="v2\n", code__new="theirs\n")
    house.release()
    done = house.tick()
    assert done.backup is not None and done.moved is not None
    assert (house.here("code/a"), house.here("code/new")) == ("v2\n", "theirs\n") and house.is_clean()
    kept = house.git("ls-tree", "-r", "--name-only", done.backup.commit)
    assert "code/a" in kept and "code/new" in kept
    assert house.git("show", f"{done.backup.commit}:code/a") == "mine"
    assert [one.id for one in backups.listing(house.tree)] == [done.backup.id]


@pytest.mark.parametrize("bar", ["an edit elsewhere", "a result on both sides"])
def test_a_release_that_cannot_come_leaves_edits_in_code_in_their_place(house: PathHouse, bar: str) -> None:
    if bar == "a result on both sides":
        house.job(out__f="the job's\n")
    else:
        write(house.run, "in/a", "mine\n")
    write(house.run, "code/a", "mine\n")
    write(house.run, "code/new", "untracked\n")
    house.save(code__a="v2\n", code__new="theirs\n", in__a="theirs\n", out__f="by hand\n")
    house.release()
    for _ in range(2):
        with pytest.raises(WtwatchError, match=r"in/a|out/f"):
            house.tick()
    assert (house.here("code/a"), house.here("code/new")) == ("mine\n", "untracked\n")
    assert backups.listing(house.tree) == []


def test_edits_outside_of_code_hold_a_release_up_and_are_named(house: PathHouse) -> None:
    write(house.run, "in/a", "mine\n")
    house.save(code__a="v2\n", in__a="theirs\n")
    house.release()
    with pytest.raises(Exception, match="in/a"):
        house.tick()
    assert (house.here("in/a"), house.here("code/a")) == ("mine\n", "v1\n")
    house.git("checkout", "-q", "--", "in/a", cwd=house.run)
    house.tick()
    assert (house.here("in/a"), house.here("code/a")) == ("theirs\n", "v2\n")


def test_code_committed_to_in_the_run_tree_blocks_with_both_ways_out(house: PathHouse) -> None:
    house.job(code__a="hot fix\n")
    house.save(code__b="b2\n")
    house.release()
    done = house.tick()
    assert done.waits is not None and "code/a" in done.waits
    assert status.describe(house.project).standpoint.freshness is Freshness.BLOCKED
    house.git("cherry-pick", "runs")
    house.release()
    assert house.tick().waits is not None, "the applied release has it not yet, and its results may"
    applied = house.git("rev-parse", house.tree.applied_ref)
    house.git("checkout", "-q", applied, "--", "code/a", cwd=house.run)
    house.git("commit", "-q", "-m", "back", cwd=house.run)
    house.tick()
    assert (house.here("code/a"), house.here("code/b")) == ("hot fix\n", "b2\n")


def test_a_job_runs_on_the_release_and_names_it(house: PathHouse) -> None:
    (job,) = run(house, JobSpec("cat code/a > out && git add out && git commit -qm out", plain=True))
    assert job.word == Outcome.SUCCEEDED.value, job
    assert house.here("out") == "v1\n"
    assert job.state.code_sha == house.git("rev-parse", "runs-code")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("echo mine > code/a", "was written to"),
        ("echo mine > code/new", "was written to"),
        ("echo mine > code/a && git commit -qam mine", "was committed to"),
        ("git checkout -q --detach", "left its branch"),
        ("git checkout -q --detach && git checkout -q runs", "elsewhere and back"),
    ],
)
def test_a_job_that_touches_code_has_not_succeeded(house: PathHouse, command: str, said: str) -> None:
    (job,) = run(house, JobSpec(command, plain=True))
    assert job.word == Outcome.FAILED.value
    assert said in (job.state.detail or "")  # type: ignore[union-attr]
    if "commit" not in command:
        assert house.here("code/a") == "v1\n" and house.is_clean()
        assert house.git("branch", "--show-current", cwd=house.run) == "runs"


@pytest.mark.parametrize("elsewhere", [False, True])
def test_housekeeping_of_git_under_a_job_hides_nothing_and_is_no_fault(
    house: PathHouse, elsewhere: bool
) -> None:
    there = "git checkout -q --detach && git checkout -q runs && " if elsewhere else ""
    (job,) = run(house, JobSpec(f"{there}git gc -q", plain=True))
    assert job.word == (Outcome.FAILED if elsewhere else Outcome.SUCCEEDED).value, job


def test_no_job_starts_on_code_that_is_not_the_release(house: PathHouse) -> None:
    house.job(code__a="hot fix\n")
    queue = Queue(house.project.state)
    queue.add([JobSpec("true", plain=True)], Trigger.NOW, house.release("runs-code"))
    done = house.tick(start_jobs=True)
    assert done.started is None and done.waits is not None and "code/a" in done.waits


def test_a_batch_keeps_its_code(house: PathHouse) -> None:
    queue = Queue(house.project.state)
    old = house.release("runs-code")
    gate = house.main.parent / "gate"
    wait = f"until test -e {gate}; do sleep 0.05; done; cat code/a > $OUT"
    specs = [JobSpec(wait.replace("$OUT", f"/{house.main.parent}/{n}"), plain=True) for n in "12"]
    queue.add(specs, Trigger.NOW, old)
    assert house.tick(start_jobs=True).started is not None
    house.save(code__a="v2\n")
    new = house.release()
    assert house.tick().moved is None
    gate.touch()
    eventually(lambda: house.tick(start_jobs=True).started or queue.running() is None)
    eventually(lambda: (house.tick(start_jobs=True), queue.under_way() is None)[1])
    house.tick()
    assert [(house.main.parent / n).read_text() for n in "12"] == ["v1\n", "v1\n"]
    assert house.here("code/a") == "v2\n" and house.git("rev-parse", house.tree.applied_ref) == new


@pytest.mark.parametrize("cut", ["before the files", "after the files", "before it is applied"])
def test_a_release_that_was_cut_off_is_gone_on_with(
    house: PathHouse, cut: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.save(code__a="v2\n", code__c="c\n", in__b="2\n")
    house.release()

    class Killed(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        if cut == "before the files":
            patch.setattr(carry, "_check_out", die)
        elif cut == "after the files":
            patch.setattr(ending, "fill_in", die)
        else:
            patch.setattr("wtwatch.tree.save.keep_ref", die)
        with pytest.raises(Killed):
            house.tick()
    house.tick()
    assert (house.here("code/a"), house.here("code/c"), house.here("in/b")) == ("v2\n", "c\n", "2\n")
    assert house.is_clean() and house.git("rev-parse", house.tree.applied_ref) == house.release("runs-code")
    assert house.tick() == Done()


def test_a_release_on_its_way_is_no_commit_of_somebody_to_code(
    house: PathHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its commit is on the run branch a moment before it is noted as applied."""
    house.save(code__a="v2\n")
    house.release()
    seen: list[tuple[str, ...]] = []
    monkeypatch.setattr(ending, "fill_in", lambda *_: seen.append(codetree.facts_of(house.tree).written))
    house.tick()
    assert seen == [()] and house.here("code/a") == "v2\n"
    house.job(code__a="mine\n")
    assert codetree.facts_of(house.tree).written == ("code/a",)


def test_amended_releases_and_an_input_that_was_dropped_never_come_back(house: PathHouse) -> None:
    house.save(code__a="v2\n", in__secret="s\n")
    house.release()
    house.tick()
    house.job(out__x="1\n")
    (house.main / "in/secret").unlink()
    house.git("add", "-A")
    house.git("commit", "-q", "--amend", "-m", "without it")
    house.release()
    house.tick()
    assert house.here("in/secret") is None and house.here("out/x") == "1\n"
    merge.bring(house.project)
    assert house.here("in/secret", house.main) is None and house.here("out/x", house.main) == "1\n"


def test_the_same_output_by_hand_and_by_a_job_is_a_conflict_that_changes_nothing(house: PathHouse) -> None:
    house.job(out__f="the job's\n")
    house.save(out__f="by hand\n", code__a="v2\n")
    house.release()
    with pytest.raises(Exception, match="out/f"):
        house.tick()
    assert house.here("code/a") == "v1\n" and house.here("out/f") == "the job's\n" and house.is_clean()
    with pytest.raises(Conflict):
        merge.bring(house.project)
    assert house.here("out/f", house.main) == "by hand\n"
    house.git("checkout", "-q", "main", "--", "out/f", cwd=house.run)
    house.git("commit", "-q", "-m", "take main's", cwd=house.run)
    house.tick()
    assert house.here("code/a") == "v2\n" and house.here("out/f") == "by hand\n"


def test_open_edits_of_main_are_left_alone_by_release_and_merge(house: PathHouse) -> None:
    house.save(code__a="v2\n")
    house.release()
    write(house.main, "code/a", "draft\n")
    house.tick()
    house.job(out__x="1\n")
    merge.bring(house.project)
    assert house.here("code/a", house.main) == "draft\n" and house.here("out/x", house.main) == "1\n"


def test_status_says_fresh_behind_and_home(house: PathHouse) -> None:
    shown = status.describe(house.project)
    assert shown.standpoint.freshness is Freshness.FRESH and shown.saved and shown.results.ahead == 0
    house.save(code__a="v2\n")
    house.release()
    assert status.describe(house.project).standpoint.freshness is Freshness.BEHIND
    house.tick()
    assert status.describe(house.project).results.ahead == 0, "nothing was written but what came from main"
    house.job(out__x="1\n")
    assert status.describe(house.project).results.ahead > 0
    merge.bring(house.project)
    assert status.describe(house.project).results.ahead == 0


def test_several_paths_and_a_file_at_the_top_are_code_together(tmp_path: Path) -> None:
    house = PathHouse(tmp_path, "code", "Makefile")
    house.save(Makefile="all:\n", code__a="v2\n", other="o\n")
    house.release()
    house.tick()
    assert house.here("Makefile") == "all:\n" and house.here("code/a") == "v2\n"
    house.save(Makefile="draft:\n", other="o2\n")
    assert house.tick(from_main=True).brought == 1
    assert house.here("Makefile") == "all:\n" and house.here("other") == "o2\n"
    assert lifecycle.demands(house.tree, JobSpec("x"), house.release("runs-code")).is_code("Makefile")


def test_a_lock_that_is_left_where_a_backup_before_a_release_was_cut_off_bars_nothing(
    house: PathHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(house.run, "code/a", "mine\n")
    house.save(code__a="v2\n")
    house.release()
    lock = Path(house.git("rev-parse", "--absolute-git-dir", cwd=house.run)) / "index.lock"

    class Killed(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        lock.touch()
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("wtwatch.tree.checkout.restore", die)
        with pytest.raises(Killed):
            house.tick()
    house.tick()
    assert house.here("code/a") == "v2\n" and house.is_clean() and not lock.exists()
    assert house.tick() == Done()
    commits = [one.commit for one in backups.listing(house.tree)]  # the next look may keep that it is gone
    kept = [commit for commit in commits if "code/a" in house.git("ls-tree", "-r", "--name-only", commit)]
    assert [house.git("show", f"{commit}:code/a") for commit in kept] == ["mine"]
