"""`kill -9` at random moments while what main has comes into the run tree: the next tick goes on with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bring.test_from_main import job_wrote, main_has, save_below, subdataset
from tests.house import House
from tests.proofs.killing import laid_out_anew, locks_in, struck, ticked, undisturbed
from tests.tally import Kills
from wtwatch.bring import carry
from wtwatch.reconcile import TickOptions, tick

BRING = """\
import sys
from pathlib import Path
from tests.house import House
from wtwatch.reconcile import TickOptions, tick
tick(House.at(Path(sys.argv[1])).project, TickOptions(from_main=True))
"""


def with_much_in_main(root: Path) -> House:
    """Return a house whose main has 100 new files, and subdatasets that are new, updated, and removed."""
    house = House.built(root)
    top = house.project.main_tree
    for name, value in (("user.name", "L"), ("user.email", "l@example.org")):
        house.git("config", name, value, cwd=top)
    updated, _ = subdataset(house, "in/updated"), subdataset(house, "in/removed")
    tick(house.project, TickOptions(from_main=True))
    (house.project.run_tree / "in/removed/mine").write_text("mine\n")
    job_wrote(house, out__a="the job's\n")
    (updated / "x").write_text("2\n" * 500)
    save_below(house, "in/updated")
    subdataset(house, "in/new")
    house.git("rm", "-q", "--cached", "in/removed", cwd=top)
    main_has(house, **{f"in__{number}": f"{number}\n" * 500 for number in range(100)})
    return house


@pytest.mark.slow
@pytest.mark.parametrize("part", range(5))
def test_what_comes_from_main_and_is_killed_at_any_moment_comes_in_the_end(
    tmp_path: Path, kills: Kills, part: int
) -> None:
    built = with_much_in_main(tmp_path / f"{part}")
    houses = laid_out_anew(built, tmp_path / f"{part}", built.project.main_tree, built.project.run_tree)

    def fresh() -> House:
        return next(houses)

    def words(house: House) -> tuple[str]:
        return (str(house.project.main_tree.parent),)

    whole = undisturbed(BRING, *words(fresh()))
    for house in kills.each("a bring at random", struck(10, whole, fresh, BRING, words)):
        assert_brought_by_the_next(house)


def assert_brought_by_the_next(house: House) -> None:
    locks = locks_in(house.project.main_tree)
    ticked(house.project, TickOptions(from_main=True))
    ticked(house.project, TickOptions(from_main=True))
    run = house.project.run_tree
    assert carry.journal(house.tree).read() is None
    assert house.git("status", "--porcelain", cwd=run) == "", locks
    assert (run / "in/99").read_text() == "99\n" * 500
    assert (run / "in/updated/x").read_text() == "2\n" * 500
    assert (run / "in/new/x").read_text() == "1\n"
    assert (run / "out/a").read_text() == "the job's\n"
    [kept] = house.tree.shelf.glob("removed/*/in/removed")
    assert (kept / "mine").read_text() == "mine\n"
    assert house.git("status", "--porcelain", cwd=kept) == "?? mine"
    house.git("fsck", "--no-dangling", cwd=run)
