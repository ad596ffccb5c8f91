"""`kill -9` at random moments of a merge and of an init: the next one ends it."""

from __future__ import annotations

import sys
from itertools import count
from pathlib import Path

import pytest

from tests.conftest import MakeLab
from tests.house import House
from tests.lab import Lab, Said, eventually
from tests.proofs.killing import locks_in, struck, undisturbed, until
from tests.tally import Kills
from wtwatch.home import merge
from wtwatch.words.errors import Busy

MERGE = """\
import sys
from pathlib import Path
from tests.house import House
from wtwatch.home import merge
project = House.at(Path(sys.argv[1])).project
merge.act(project, merge.prepare(project))
"""

WTWATCH = (sys.executable, "-P", "-m", "wtwatch")

INIT = """\
import sys
from wtwatch import cli
sys.exit(cli.run(["init"]))
"""


def with_results(root: Path) -> House:
    house = House.built(root)
    run, main = house.project.run_tree, house.project.main_tree
    for number in range(150):
        (run / f"out-{number}.txt").write_text(f"{number}\n" * 500)
    house.git("add", "out-*", cwd=run)
    house.git("commit", "-q", "-m", "results", cwd=run)
    (main / "more.txt").write_text("more\n")
    house.git("add", "more.txt", cwd=main)
    house.git("commit", "-q", "-m", "more", cwd=main)
    (main / "open.txt").write_text("mine\n")
    return house


@pytest.mark.slow
@pytest.mark.parametrize("part", range(5))
def test_a_merge_killed_at_any_moment_is_ended_by_the_next(tmp_path: Path, kills: Kills, part: int) -> None:
    folders = (tmp_path / f"{part}-{number}" for number in count())

    def fresh() -> House:
        return with_results(next(folders))

    def words(house: House) -> tuple[str]:
        return (str(house.project.main_tree.parent),)

    whole = undisturbed(MERGE, *words(fresh()))
    for house in kills.each("a merge at random", struck(10, whole, fresh, MERGE, words)):
        assert_merged_by_the_next(house)


def assert_merged_by_the_next(house: House) -> None:
    def merged() -> bool:
        try:
            merge.act(house.project, merge.prepare(house.project))
        except Busy:  # what was killed is not gone yet
            return False
        return True

    eventually(merged, within=60)
    main = house.project.main_tree
    runs = house.git("rev-parse", "runs", cwd=main)
    assert house.git("merge-base", "--is-ancestor", runs, "HEAD", cwd=main) == ""
    assert house.git("status", "--porcelain", "--ignore-submodules", cwd=main) == "?? open.txt"
    assert (main / "out-149.txt").read_text() == "149\n" * 500


@pytest.mark.slow
@pytest.mark.parametrize("part", range(5))
def test_an_init_killed_at_any_moment_is_ended_by_the_next(
    make_lab: MakeLab, monkeypatch: pytest.MonkeyPatch, kills: Kills, part: int
) -> None:
    names = (f"lab-{part}-{number}" for number in count())

    def fresh() -> Lab:
        lab = make_lab("git", next(names))
        monkeypatch.chdir(lab.main)
        lab.say(*WTWATCH, "forget", "L5b", code=(0, 1, 2))  # the one before
        return lab

    fresh()
    undisturbed(INIT)  # the first time much is read from the disk
    fresh()
    whole = undisturbed(INIT)
    for lab in kills.each("an init at random", struck(10, whole, fresh, INIT, lambda _: ())):
        locks = locks_in(lab.root)
        tried: list[Said] = []

        def follows(lab: Lab = lab, tried: list[Said] = tried) -> bool:  # what was killed may not be gone yet
            tried.append(lab.say(*WTWATCH, "init", code=(0, 1, 2)))
            return tried[-1].code == 0 and "follows the bookmark" in tried[-1].out

        assert until(follows, 60), f"{tried[:2]}, then {tried[-1]}; locks: {locks}, now {locks_in(lab.root)}"
        assert lab.commit("HEAD", lab.run_code) == lab.commit("runs")
        assert lab.git("status", "--porcelain", "-uall", cwd=lab.run) == ""
