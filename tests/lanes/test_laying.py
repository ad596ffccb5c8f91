"""A result on its way from a lane to the run branch: what is kept, what bars it, what makes it run again."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.counting import programs
from tests.house import write
from tests.lanes.world import World
from wtwatch.lanes import making, moving, newborn
from wtwatch.lanes.laying import Met, Result, Unlayable
from wtwatch.tree.changes import commits_since
from wtwatch.words.errors import WtwatchError


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.built(tmp_path / "house")


def test_a_result_of_what_the_run_tree_has_becomes_its_next_commit_as_it_is(world: World) -> None:
    job = world.job(world.lane())
    made = world.writes(job, {"plots/q": "new\n"})
    assert world.laid(job) == (made,)
    assert world.house.head(world.run) == made and world.text("plots/q") == "new\n"


def test_results_of_two_lanes_are_laid_one_upon_another_with_their_own_authors(world: World) -> None:
    one, two = (world.job(world.lane(number)) for number in (1, 2))
    for job, name in ((one, "a"), (two, "b")):
        world.house.git("config", "user.name", f"Anna {name}", cwd=job.order.run_tree)
        world.writes(job, {f"plots/{name}": f"{name}\n"}, message=f"job {name}\n\nof many lines\n")
    was = world.house.git("log", "-1", "--format=%an %ae %ai %cn %ci %B", cwd=two.order.run_tree)
    world.laid(one)
    (made,) = world.laid(two)
    assert world.house.git("log", "-1", "--format=%an %ae %ai %cn %ci %B", made, cwd=world.run) == was
    assert (world.text("plots/a"), world.text("plots/b")) == ("a\n", "b\n")


def test_a_commit_that_is_laid_over_others_says_what_it_said_to_the_letter(world: World) -> None:
    world.house.git("config", "i18n.commitEncoding", "latin1", cwd=world.run)
    job = world.job(world.lane())
    message = b"\n\xfcber \n\n\nof odd lines\n\n\n".decode("latin1")
    world.writes(job, {"plots/q": "new\n"}, message="soon another")
    verbatim = ("-c", "commit.cleanup=verbatim", "commit", "-q", "--amend", "--allow-empty-message", "-m")
    world.house.git(*verbatim, message, cwd=job.order.run_tree)
    world.by_hand({"notes": "hand\n"})
    (made,) = commits_since(job.order.run_tree, job.order.base)
    (laid,) = world.laid(job)
    assert made != laid
    was, now = (_told(world, commit) for commit in (made, laid))
    assert was == now and b"encoding latin1" in was and b"of odd lines\n\n\n" in was


def _told(world: World, commit: str) -> bytes:
    """Return what a commit says, apart from its files and parents."""
    words = ["git", "cat-file", "commit", commit]
    said = subprocess.run(words, cwd=world.run, check=True, capture_output=True).stdout
    return b"\n".join(line for line in said.split(b"\n") if not line.startswith((b"tree ", b"parent ")))


def test_a_signed_commit_is_laid_signed_or_not_at_all(world: World) -> None:
    world.house.git("config", "gpg.program", "false", cwd=world.run)
    job = world.job(world.lane())
    made = world.writes(job, {"plots/q": "new\n"})
    said = world.house.git("cat-file", "commit", made, cwd=world.run)
    head, message = said.split("\n\n", 1)
    written = world.run.parent / "signed"
    written.write_text(f"{head}\ngpgsig -----BEGIN PGP SIGNATURE-----\n no real one\n\n{message}\n")
    signed = world.house.git("hash-object", "-t", "commit", "-w", str(written), cwd=world.run)
    world.house.git("reset", "-q", "--hard", signed, cwd=job.order.run_tree)
    at = world.by_hand({"notes": "hand\n"})
    with pytest.raises(WtwatchError, match="gpg failed to sign"):
        world.lay(job)
    assert world.house.head(world.run) == at


def test_a_result_beside_what_others_did_takes_few_programs(world: World) -> None:
    job = world.job(world.lane())
    world.writes(job, {"plots/q": "new\n"})
    world.by_hand({"notes": "hand\n"})
    with programs() as started:
        world.lay(job)  # with a question of its own: what the job committed
    assert len(started) <= 5, [" ".join(words)[150:] for words in started]
    assert world.text("plots/q") == "new\n"


def test_all_commits_of_a_job_are_laid_in_their_order(world: World) -> None:
    job = world.job(world.lane())
    world.writes(job, {"plots/a": "1\n", "plots/p": None}, message="first")
    world.writes(job, {"plots/a": "2\n"}, message="second")
    world.by_hand({"notes": "hand\n"})
    laid = world.laid(job)
    subjects = world.house.git("log", "--format=%s", "-3", cwd=world.run).split("\n")
    assert subjects == ["second", "first", "by hand"] and world.house.head(world.run) == laid[-1]
    assert world.text("plots/a") == "2\n" and not (world.run / "plots/p").exists()


def test_a_job_runs_again_if_what_it_wrote_or_read_changed_meanwhile(world: World) -> None:
    cases: list[tuple[str, str, tuple[str, ...]]] = [
        ("plots/1", "plots/1", ()),
        ("plots/2", "plots/2/r", ()),
        ("plots/3/r", "plots/3", ()),
        ("inputs/a", "plots/q", ("inputs/a",)),
        ("inputs/a", "plots/q", ("inputs",)),
        ("inputs/a", "plots/q", ("inputs/*",)),
        ("inputs/a", "plots/q", ("./inputs//a",)),
        ("inputs/a", "plots/q", (".",)),
    ]
    for number, (by_hand, writes, reads) in enumerate(cases):
        job = world.job(world.lane(), *reads)
        world.writes(job, {writes: "of the job\n"})
        at = world.by_hand({by_hand: f"by hand {number}\n"})
        assert world.lay(job) == Met((by_hand,)), (by_hand, writes, reads)
        assert world.house.head(world.run) == at and world.text(by_hand) == f"by hand {number}\n"


def test_what_others_renamed_takes_no_result_along(world: World) -> None:
    """A merge would move what the job makes in a folder to where that went."""
    world.by_hand({f"plots/{number}": f"{number}\n" for number in range(9)})
    job = world.job(world.lane())
    world.writes(job, {"plots/new": "new\n"})
    for number in range(9):
        world.house.git("mv", f"plots/{number}", f"inputs/{number}", cwd=world.run)
    world.by_hand({"inputs/9": "9\n"})
    world.laid(job)
    assert world.text("plots/new") == "new\n" and not (world.run / "inputs/new").exists()


@pytest.mark.parametrize("ignored", [False, True])
def test_a_file_of_somebody_in_the_way_is_waited_for_and_never_overwritten(
    world: World, ignored: bool
) -> None:
    world.by_hand({".gitignore": "*.tmp\n"})
    name = "plots/q.tmp" if ignored else "plots/q"
    job = world.job(world.lane())
    (job.order.run_tree / name).write_text("of the job\n")
    world.house.git("add", "-f", name, cwd=job.order.run_tree)
    world.house.git("commit", "-q", "-m", "a job", cwd=job.order.run_tree)
    (world.run / name).write_text("precious\n")
    with pytest.raises(WtwatchError, match=r"job 1 has would overwrite plots/q"):
        world.lay(job)
    assert world.text(name) == "precious\n"
    (world.run / name).unlink()
    world.laid(job)
    assert world.text(name) == "of the job\n"


def test_what_is_laid_already_is_not_laid_twice(world: World) -> None:
    one, two = (world.job(world.lane(number)) for number in (1, 2))
    world.writes(one, {"plots/a": "a\n"})
    world.writes(two, {"plots/b": "b\n"})
    world.laid(one)
    laid = world.laid(two)
    world.by_hand({"notes": "hand\n"})
    at = world.house.head(world.run)
    assert world.laid(two) == laid and world.house.head(world.run) == at


def test_a_result_that_waits_outlives_a_gc_and_the_loss_of_its_lane(world: World) -> None:
    job = world.job(world.lane())
    made = world.writes(job, {"plots/q": "new\n"})
    world.by_hand({"notes": "hand\n"})
    (world.run / "plots/q").write_text("in the way\n")
    with pytest.raises(WtwatchError):
        world.lay(job)
    world.house.git("worktree", "unlock", str(job.order.run_tree), cwd=world.run)
    world.house.git("worktree", "remove", "--force", "--force", str(job.order.run_tree), cwd=world.run)
    world.house.git("gc", "-q", "--prune=now", cwd=world.run)
    assert world.house.git("cat-file", "-t", made, cwd=world.run) == "commit"


def test_history_that_a_job_rewrote_is_refused_and_nothing_changes(world: World) -> None:
    world.by_hand({"notes": "hand\n"})
    job = world.job(world.lane())
    world.house.git("commit", "-q", "--amend", "-m", "rewritten", cwd=job.order.run_tree)
    at = world.house.head(world.run)
    refused = world.lay(job)
    assert isinstance(refused, Unlayable) and "rewrote the history" in refused.reason
    assert world.house.head(world.run) == at


@pytest.mark.slow
class TestSubdatasets:
    """Results in subdatasets, deepest first."""

    @pytest.fixture
    def world(self, tmp_path: Path) -> World:
        return World.built(tmp_path / "house", "data", "data/deep", "more")

    def test_a_result_in_one_comes_with_it(self, world: World) -> None:
        job = world.job(world.lane())
        made = world.writes(job, {"x": "1\n"}, inside="data/deep")
        assert world.laid(job)[-1] == made
        assert world.text("data/deep/x") == "1\n"

    def test_results_in_the_same_one_are_laid_there_too(self, world: World) -> None:
        one, two = (world.job(world.lane(number)) for number in (1, 2))
        world.writes(one, {"x": "1\n"}, inside="data/deep")
        world.writes(two, {"y": "2\n"}, inside="data/deep")
        world.writes(two, {"z": "3\n"}, inside="more")
        world.laid(one)
        world.laid(two)
        assert [world.text(f"data/deep/{name}") for name in "xy"] == ["1\n", "2\n"]
        assert world.text("more/z") == "3\n"
        assert world.house.git("rev-list", "--count", "HEAD", cwd=world.run / "data/deep") == "3"
        for path in ("data", "data/deep", "more"):
            assert world.house.git("symbolic-ref", "HEAD", cwd=world.run / path) == "refs/heads/runs"

    @pytest.mark.parametrize("reads", ["data/deep/data", "data/deep", "data", "data/*/data"])
    def test_what_is_read_in_one_counts(self, world: World, reads: str) -> None:
        job = world.job(world.lane(), reads)
        world.writes(job, {"plots/q": "new\n"})
        world.by_hand({"data": "2\n"}, inside="data/deep")
        assert isinstance(world.lay(job), Met)

    def test_what_others_changed_in_one_that_it_does_not_touch_is_no_matter(self, world: World) -> None:
        job = world.job(world.lane(), "more/data")
        world.writes(job, {"plots/q": "new\n"})
        world.by_hand({"data": "2\n"}, inside="data/deep")
        world.laid(job)
        assert world.text("data/deep/data") == "2\n"

    def test_a_lane_goes_to_where_the_run_tree_is_in_all_of_them(self, world: World) -> None:
        lane = world.lane()
        world.by_hand({"data": "2\n"}, inside="data/deep")
        world.by_hand({"data": "2\n"}, inside="more")
        assert world.lane() == lane
        assert (lane.path / "data/deep/data").read_text() == "2\n"
        assert world.house.git("status", "--porcelain", cwd=lane.path) == ""

    def test_a_lane_gives_up_a_dataset_that_the_run_tree_has_no_more_but_never_with_contents(
        self, world: World
    ) -> None:
        lane = world.lane()
        (lane.path / "data/deep/mine").write_text("precious\n")
        world.house.git("rm", "-q", "--cached", "data", cwd=world.run)
        world.house.git("commit", "-q", "-m", "no data any more", cwd=world.run)
        with pytest.raises(WtwatchError, match="data/deep/mine"):
            moving.move(lane, world.house.head(world.run))
        (lane.path / "data/deep/mine").unlink()
        moving.move(lane, world.house.head(world.run))
        assert not (lane.path / "data").exists()
        assert world.house.git("status", "--porcelain", cwd=lane.path) == ""
        assert (world.run / "data/deep/data").exists(), "the run tree's own is nobody's business here"

    def test_a_dataset_that_a_job_made_comes_with_it_though_its_lane_is_used_again(
        self, world: World
    ) -> None:
        lane = world.lane()
        job = made_datasets(world, world.job(lane), "new/made", "new/made/inner")
        with pytest.raises(WtwatchError, match="new/made is a repository that was made there"):
            making.remove(lane)
        name = job.folder.path.name
        assert newborn.move_aside(lane, name) and newborn.waiting(world.tree, name) == ["new/made"]
        world.by_hand({"notes": "hand\n"})
        world.lane()  # for the next job, which does not have it yet
        assert not (lane.path / "new").exists()
        job = job._replace(made=("new/made",))
        for _ in range(2):  # it may be cut off, and done again
            world.laid(job)
        assert world.text("new/made/inner/x") == "x\n"
        assert not (world.run / "new/made/.git").is_dir(), "it is taken in, as one that was made there"
        assert newborn.waiting(world.tree, name) == []
        world.lane()
        assert (lane.path / "new/made/x").read_text() == "x\n"
        assert world.house.git("status", "--porcelain", cwd=lane.path) == ""

    def test_what_lies_in_the_way_of_a_dataset_that_a_job_made_is_left_alone(self, world: World) -> None:
        lane = world.lane()
        job = made_datasets(world, world.job(lane), "made")
        newborn.move_aside(lane, job.folder.path.name)
        write(world.run, "made/mine", "precious\n")
        with pytest.raises(WtwatchError, match="made"):
            world.lay(job._replace(made=("made",)))
        assert world.text("made/mine") == "precious\n"
        shutil.rmtree(world.run / "made")
        world.laid(job._replace(made=("made",)))
        assert world.text("made/x") == "x\n"


def made_datasets(world: World, job: Result, *places: str) -> Result:
    """Have a job make datasets, each but the first in the one before, and commit them; return it."""
    above = job.order.run_tree
    for place in places:
        folder = job.order.run_tree / place
        world.house.git("init", "-q", str(folder), cwd=above)
        write(folder, "x", "x\n")
        world.house.git("add", "x", cwd=folder)
        world.house.git("commit", "-q", "-m", "first", cwd=folder)
    for place, outer in zip(reversed(places), [*reversed(places[:-1]), ""], strict=True):
        top = job.order.run_tree / outer
        world.house.git("add", "--", str(job.order.run_tree / place), cwd=top)
        world.house.git("commit", "-q", "-m", "a job", cwd=top)
    return job._replace(commits=commits_since(job.order.run_tree, job.order.base))
