"""Very many backups, and very many pointer commits of the superdataset."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

from tests.benchmarks.grounds import Grounds
from tests.benchmarks.measure import Row, Section, command, goal, median, milliseconds
from tests.benchmarks.scale.queues import WTWATCH
from tests.gits import counted_gits
from tests.house import House
from tests.lab import Lab
from wtwatch.project.tree import RunTree
from wtwatch.tree import save
from wtwatch.words.model import Sha

PERSON = "committer L <l@example.org> 1735689600 +0000"


def measure_backups(grounds: Grounds, quick: bool) -> list[Section]:
    """List and acknowledge many backups, and count the gits that it takes beside a few."""
    number, rounds = (20, 3) if quick else (200, 9)
    lab = grounds.watched("backups")
    ways = (("backups", "list"), ("ack", "--all"))
    _back_up(lab, range(2))
    few = {words: _gits(lab, words) for words in ways}
    _back_up(lab, range(2, number))
    rows = []
    for words in ways:
        taken = [command(*WTWATCH, *words, cwd=lab.main) for _ in range(rounds)]
        gits = _gits(lab, words)
        fixed = (goal("gits as with two", gits == few[words]),)
        rows.append(Row(f"`{' '.join(words)}`", milliseconds(taken), f"{gits} gits", fixed))
    return [Section(f"backups, {number} of them", tuple(rows))]


def _gits(lab: Lab, words: tuple[str, ...]) -> int:
    with counted_gits(lab.root / "trace") as started:
        lab.wtwatch(*words)
        return started()


def _back_up(lab: Lab, numbers: Iterable[int]) -> None:
    """Make backups that hold two files each, by one git."""
    base, prefix = lab.commit("refs/heads/runs"), "refs/wtwatch/backups/backup/"
    said = "wtwatch: backup of a run tree before a sync\n\nKept: a.py, b.py\n"
    made = (
        f"commit {prefix}20250101T{at:06d}Z-{at:06x}\n{PERSON}\ndata {len(said)}\n{said}\nfrom {base}\n"
        f"M 100644 inline a.py\ndata 4\n{at:04d}\nM 100644 inline b.py\ndata 4\n{at:04d}\n"
        for at in numbers
    )
    _import(lab.code, made)


def _import(repo: Path, commands: Iterable[str]) -> None:
    words = ("git", "fast-import", "--quiet")
    subprocess.run(words, cwd=repo, input="\n".join(commands), text=True, check=True)


def measure_pointers(grounds: Grounds, quick: bool) -> list[Section]:
    """Keep the code that very many commits name: as after an exec, once new, once all there already."""
    number, rounds = (500, 3) if quick else (5000, 5)
    root = grounds.root / "pointers"
    root.mkdir()
    house = House.built(root)
    tree, start = RunTree.of(house.project), house.head(house.project.run_tree)
    _name_many(house, start, number)
    house.git("reset", "-q", "--soft", "refs/heads/named", cwd=house.project.run_tree)
    first = _kept(tree, start)
    again = [_kept(tree, start) for _ in range(rounds)]
    with counted_gits(root / "trace") as started:
        save.keep_named(tree, start)
        gits = started()
    rows = (
        Row("their code kept, all new", milliseconds([first])),
        Row(
            "looked at again",
            milliseconds(again),
            f"{gits} gits",
            (goal("≤ 500 ms", median(again) <= 500),),
        ),
    )
    return [Section(f"pointers, {number:,} commits", rows)]


def _name_many(house: House, start: str, number: int) -> None:
    """Commit so many code commits, on a branch, and commits of the superdataset that each name one."""
    codes = (
        f"commit refs/heads/many\n{PERSON}\ndata 2\nc\nM 100644 inline n\ndata 5\n{at:05d}\n"
        for at in range(number)
    )
    _import(house.project.main_code, codes)
    commits = house.git("rev-list", "--reverse", "refs/heads/many").split()
    pointers = (
        f"commit refs/heads/named\n{PERSON}\ndata 2\np\n{f'from {start}' if at == 0 else ''}\n"
        f"M 160000 {commit} {house.project.code}\n"
        for at, commit in enumerate(commits)
    )
    _import(house.project.main_tree, pointers)


def _kept(tree: RunTree, since: str) -> float:
    begin = time.perf_counter()
    save.keep_named(tree, Sha(since))
    return time.perf_counter() - begin
