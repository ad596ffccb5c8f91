"""`kill -9` at random moments of a move, from its first look to the saved pointer: nothing is lost."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

from tests.house import House
from tests.proofs.killing import struck, ticked, undisturbed
from tests.tally import Kills
from wtwatch.reconcile import TickOptions

TICK = """\
import sys
from pathlib import Path
from tests.house import House
from wtwatch.reconcile import TickOptions, tick
tick(House.at(Path(sys.argv[1])).project, TickOptions(force=True, hurry=True))
"""

MANY = {f"many/{number}.py": f"n = {number}\n" * 50 for number in range(120)}
MINE = {
    "a.py": "edited\n",
    "d/x.py": "staged\n",
    ".env": "secret\n",
    "new.py": "mine, where the tip has one\n",
    "out.log": "ignored, where the tip has one\n",
    "untouched": "in nobody's way\n",
}
"""What is somebody's in the run tree's code, and has to be there afterwards, or in a backup."""


def ready_to_move(root: Path) -> House:
    house = House.built(root)
    tip = {
        "a.py": "a = 2\n",
        "d/x.py": "x = 2\n",
        "new.py": "new\n",
        "out.log": "tracked\n",
        ".env": "tracked\n",
    }
    house.commit(tip | MANY)
    for path, text in MINE.items():
        house.edit(path, text)
    house.here("add", "d/x.py")
    house.edit("d/x.py", "edited on\n")
    return house


def assert_nothing_is_lost(house: House) -> None:
    backups = house.git("for-each-ref", "--format=%(refname)", house.tree.backup_prefix).split()
    kept = [house.git("rev-list", "--parents", "-n", "1", ref).split() for ref in backups]
    commits = {commit for line in kept for commit in line}
    for path, text in (MINE | {"d/x.py": "edited on\n"}).items():
        in_place = (house.code / path).read_text() == text if (house.code / path).exists() else False
        assert in_place or any(holds(house, commit, path, text) for commit in commits), path
    assert any(holds(house, commit, "d/x.py", "staged\n") for commit in commits), "what was staged"


def holds(house: House, commit: str, path: str, text: str) -> bool:
    found = house.git("ls-tree", commit, "--", path)
    return bool(found) and house.git("cat-file", "blob", f"{commit}:{path}") == text.removesuffix("\n")


@pytest.mark.slow
@pytest.mark.parametrize("part", range(5))
def test_a_move_killed_at_any_moment_loses_nothing_and_is_ended_by_the_next_tick(
    tmp_path: Path, kills: Kills, part: int
) -> None:
    folders = (tmp_path / f"{part}-{number}" for number in count())

    def fresh() -> House:
        return ready_to_move(next(folders))

    def words(house: House) -> tuple[str]:
        return (str(house.project.main_tree.parent),)

    whole = undisturbed(TICK, *words(fresh()))
    for house in kills.each("a move at random", struck(10, whole, fresh, TICK, words)):
        done = ticked(house.project, TickOptions(force=True, hurry=True, patience=60))
        tip = house.head(house.project.main_code)
        house.assert_exactly_at(tip)
        assert house.git("rev-parse", "HEAD:code", cwd=house.project.run_tree) == tip, done.waits
        assert_nothing_is_lost(house)
