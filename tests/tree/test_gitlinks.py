"""Which subdatasets a tree has: known from one process to the next, and always as they are."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.counting import programs
from tests.lanes.world import World
from wtwatch.doors.repo import Repo
from wtwatch.job.attempt import Folder, Order
from wtwatch.tree import gitlinks
from wtwatch.tree.changes import Subdataset, subdatasets
from wtwatch.words.model import JobSpec, now


def test_what_is_known_of_subdatasets_spares_the_next_process_its_questions(tmp_path: Path) -> None:
    world = World.built(tmp_path / "house", "in", "in/deep")
    found, known = list(subdatasets(world.run)), gitlinks.known_below(world.run)
    assert {path: links for path, _, links in known} == {"code": (), "in": ("deep",), "in/deep": ()}
    told = _through_an_order(world, known)
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(world.run, elsewhere, symlinks=True)
    gitlinks.note(elsewhere, world.house.head(world.run), gitlinks.gitlinks(Repo(world.run)))
    gitlinks.take_over(elsewhere, told)
    with programs() as started:
        assert list(subdatasets(elsewhere)) == found
    assert started == []


def test_what_is_known_of_another_commit_is_made_right(tmp_path: Path) -> None:
    world = World.built(tmp_path / "house", "in", "in/deep")
    list(subdatasets(world.run))
    known = gitlinks.known_below(world.run)
    world.house.git("rm", "-q", "--cached", "deep", cwd=world.run / "in")
    world.house.git("commit", "-q", "-m", "no more", cwd=world.run / "in")
    gitlinks.take_over(world.run, known)
    assert list(subdatasets(world.run)) == [Subdataset("code", True), Subdataset("in", True)]


def _through_an_order(world: World, known: tuple[gitlinks.Named, ...]) -> tuple[gitlinks.Named, ...]:
    """Return what a job's process is told, of what the daemon knows."""
    folder, head = Folder.of(world.tree.project.state, 1, 1), world.house.head()
    run, code = world.run, world.tree.code_path
    order = Order(1, 1, now(), "uuid", now(), run, code, head, head, run, JobSpec("x"), below=known)
    folder.write_order(order)
    read = folder.order()
    assert read is not None and read.below == known
    return read.below
