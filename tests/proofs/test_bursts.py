"""Bursts of moves while the daemon runs: the last one counts, and nothing of the run tree's is lost."""

from __future__ import annotations

import random
import subprocess
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.house import House
from tests.lab import eventually, running_daemon
from wtwatch.project.config import write_project
from wtwatch.project.listing import register
from wtwatch.words.model import Sha

BURSTS = 60
LONGEST_GAP = 0.08


def in_step(house: House, tip: Sha) -> bool:
    """Code is at ``tip``, as the applied ref says, and the superdataset names it, in its index as well."""
    if house.head() != tip or house.git("rev-parse", house.tree.applied_ref) != tip:
        return False
    above = house.project.run_tree
    named = house.git("ls-files", "-s", "--", "code", cwd=above).split()[1]
    return (house.git("rev-parse", "HEAD:code", cwd=above), named) == (tip, tip)


def is_kept(house: House, text: str) -> bool:
    """An edit of a.py is in place, or in a backup."""
    if (house.code / "a.py").read_text() == text:
        return True
    backups = house.git("for-each-ref", "--format=%(refname)", house.tree.backup_prefix).split()
    return any(house.git("show", f"{ref}:a.py") + "\n" == text for ref in backups)


def by_git(house: House, tip: Sha) -> None:
    house.git("update-ref", house.project.bookmark_ref, tip)


def by_jj(house: House, tip: Sha) -> None:
    words = ["jj", "--quiet", "bookmark", "set", "--allow-backwards", house.project.bookmark, "-r", tip]
    subprocess.run(words, cwd=house.project.main_code, check=True)


@pytest.mark.slow
@pytest.mark.parametrize(("move", "seed"), [(by_git, 0), (by_git, 1), (by_git, 2), (by_jj, 3)])
def test_after_each_burst_of_moves_all_is_in_step_and_every_edit_has_its_backup(
    tmp_path: Path, move: Callable[[House, Sha], None], seed: int
) -> None:
    dice, gap = random.Random(seed), threading.Event()
    house = House.built(tmp_path / "house")
    write_project(house.project)
    register("p", house.project.state)
    tips = [
        house.commit({"a.py": f"a = {number}\n", f"only/{number}.py": f"n = {number}\n"}, bookmark=False)
        for number in range(8)
    ]
    if move is by_jj:
        house.git("checkout", "-q", "--detach")
        init = ["jj", "--quiet", "git", "init", "--colocate"]
        subprocess.run(init, cwd=house.project.main_code, check=True)
    edits = []
    with running_daemon(tmp_path):
        for number in range(BURSTS):
            if dice.random() < 0.3:
                edits.append(f"edit {number} by hand\n")
                house.edit("a.py", edits[-1])
            # each another one, so that the tree is there only when the last of them was followed
            for tip in dice.sample([one for one in tips if one != house.head()], dice.randint(1, 6)):
                move(house, tip)
                gap.wait(dice.uniform(0, LONGEST_GAP))
            eventually(partial(in_step, house, tip))
        assert [text for text in edits if not is_kept(house, text)] == []
        house.edit("a.py", house.git("show", f"{tip}:a.py") + "\n")
    house.assert_exactly_at(tip)
    assert house.git("status", "--porcelain", cwd=house.project.run_tree) == ""
