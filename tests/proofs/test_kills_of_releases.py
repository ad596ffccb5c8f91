"""`kill -9` at random moments while a release of code that is paths comes: the next tick goes on with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.house import write
from tests.pathhouse import PathHouse
from tests.proofs.killing import laid_out_anew, locks_in, struck, ticked, undisturbed
from tests.tally import Kills
from wtwatch.bring import carry
from wtwatch.doors import refs
from wtwatch.doors.repo import Repo
from wtwatch.reconcile import Done, TickOptions
from wtwatch.tree import backups

TICK = """\
import sys
from pathlib import Path
from wtwatch.project.config import read_project
from wtwatch.reconcile import TickOptions, tick
tick(read_project(Path(sys.argv[1])), TickOptions())
"""

LARGE = 500


def with_much_to_release(root: Path) -> PathHouse:
    """Return a house with a release of 60 files that were changed, 60 that are new, and annexed ones.

    In the run tree one of the former was edited, one of the latter lies in the way, and there is a result.
    """
    house = PathHouse(root)
    house.git("annex", "init", "--quiet")
    old = {f"code__{number}": f"{number}\n" * LARGE for number in range(60)}
    (house.main / "code/open").write_text("one\n" * LARGE)
    house.git("annex", "add", "--quiet", "--force-large", "code/open")
    house.git("annex", "unlock", "--quiet", "code/open")
    house.save("old", None, **old)
    house.release()
    house.tick()
    house.job(out__a="the job's\n")
    house.tick()
    (house.main / "code/open").write_text("two\n" * LARGE)
    new = {f"code__new__{number}": f"{number}\n" * LARGE for number in range(60)}
    house.save(
        "new", None, in__b="2\n", code__b=None, **new, **{path: f"new {text}" for path, text in old.items()}
    )
    house.release()
    write(house.run, "code/7", "mine\n")
    write(house.run, "code/new/7", "mine too\n")
    write(house.run, "out/notes", "notes\n")
    return house


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_a_release_of_paths_that_is_killed_at_any_moment_comes_whole_in_the_end_and_edits_are_kept(
    tmp_path: Path, kills: Kills, part: int
) -> None:
    built = with_much_to_release(tmp_path / f"{part}")
    houses = laid_out_anew(built, tmp_path / f"{part}", built.main, built.run)

    def fresh() -> PathHouse:
        return next(houses)

    def words(house: PathHouse) -> tuple[str]:
        return (str(house.project.state / "config.toml"),)

    whole = undisturbed(TICK, *words(fresh()))
    for house in kills.each("a release of paths at random", struck(8, whole, fresh, TICK, words)):
        assert_released_by_the_next(house)


def assert_released_by_the_next(house: PathHouse) -> None:
    locks = locks_in(house.main)
    for _ in range(2):
        ticked(house.project, TickOptions())
    assert house.tick() == Done(), locks
    assert carry.journal(house.tree).read() is None
    assert house.git("status", "--porcelain", cwd=house.run) == "?? out/notes", locks
    tip, repo = house.git("rev-parse", "runs-code"), Repo(house.main)
    assert house.git("diff", "--name-only", tip, "runs", "--", "code") == ""
    assert refs.tip_of(repo, house.tree.applied_ref) == tip
    assert refs.tip_of(repo, house.tree.known_ref) == house.git("rev-parse", "runs")
    assert house.git("rev-parse", "HEAD", cwd=house.run) == house.git("rev-parse", "runs")
    found = [house.here(f"code/{name}") for name in ("7", "59", "new/7", "new/59", "open", "b")]
    changed, fresh_one = f"new {'7'}\n" + "7\n" * (LARGE - 1), "7\n" * LARGE
    last = f"new {'59'}\n" + "59\n" * (LARGE - 1)
    assert found == [changed, last, fresh_one, "59\n" * LARGE, "two\n" * LARGE, None]
    kept = {
        house.git("cat-file", "blob", entry.sha)
        for one in backups.listing(house.tree)
        for entry in repo.tree(one.commit, "code/7", "code/new/7").values()
    }
    assert {"mine", "mine too"} <= kept
    assert (house.here("out/a"), house.here("out/notes"), house.here("in/b")) == (
        "the job's\n", "notes\n", "2\n",
    )  # fmt: skip
    house.git("fsck", "--no-dangling")
