"""What commits changed one after the other is what differs in the end, and git is asked for both at once."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.house import House
from wtwatch.doors.repo import Repo
from wtwatch.home import differences
from wtwatch.tree import diff
from wtwatch.words.model import Sha


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House.built(tmp_path)


def run(house: House) -> Repo:
    return Repo(house.project.run_tree)


def committed(house: House, message: str) -> Sha:
    house.git("add", "-A", ".", ":(exclude)code", cwd=house.project.run_tree)
    house.git("commit", "-q", "--allow-empty", "-m", message, cwd=house.project.run_tree)
    return house.head(house.project.run_tree)


def alter(top: Path, chance: random.Random) -> None:
    """Write, delete, or make a link or a program of a file of few."""
    file = top / chance.choice(["a", "b", "d/e", "d/\x01odd\nname", "d/ü", "z z"])
    file.parent.mkdir(exist_ok=True)
    file.unlink(missing_ok=True)
    kind = chance.choice(["file", "file", "program", "link", "none"])
    if kind == "link":
        file.symlink_to(chance.choice(["here", "there"]))
    elif kind != "none":
        file.write_text(chance.choice(["1\n", "2\n"]))
        file.chmod(0o755 if kind == "program" else 0o644)


@pytest.mark.parametrize("seed", range(4))
def test_a_straight_span_tells_what_git_tells_of_its_ends(house: House, seed: int) -> None:
    chance, first = random.Random(seed), house.head(house.project.run_tree)
    for number in range(8):
        for _ in range(chance.randrange(4)):
            alter(house.project.run_tree, chance)
        tip = committed(house, f"commit {number}")
    span = differences.span(run(house), first, tip)
    assert span.straight and span.subjects == tuple(f"commit {number}" for number in range(8))
    told = differences.between(run(house), first, tip)
    assert sorted(told) == sorted(diff.between(run(house), first, tip)) and told
    for change in told:
        last = house.git("log", "-1", "--format=%s", "--", change.path, cwd=house.project.run_tree)
        assert span.wrote[change.path] == last.strip()


def test_a_span_that_is_not_straight_is_known_as_such(house: House) -> None:
    top, first = house.project.run_tree, house.head(house.project.run_tree)
    (top / "a").write_text("1\n")
    side = committed(house, "side")
    house.git("reset", "-q", "--hard", first, cwd=top)
    (top / "b").write_text("1\n")
    other = committed(house, "other")
    assert differences.span(run(house), first, other).straight
    assert not differences.span(run(house), side, other).straight, "they have parted"
    house.git("merge", "-q", "-m", "both", side, cwd=top)
    both = house.head(top)
    assert not differences.span(run(house), first, both).straight, "a merge follows two"
    assert [one.path for one in differences.between(run(house), first, both)] == ["a", "b"]
    assert differences.span(run(house), both, first) == differences.Span(), "there is nothing beyond"
    assert differences.span(run(house), first, Sha("1" * 40)) == differences.Span(), "it is not here"


def test_settings_of_what_a_diff_shows_hide_no_subdataset(house: House) -> None:
    first, code = house.head(house.project.run_tree), house.commit({"a.py": "a = 2\n"})
    house.git(
        "update-index", "--cacheinfo", f"160000,{code},{house.project.code}", cwd=house.project.run_tree
    )
    house.git("commit", "-q", "-m", "moved", cwd=house.project.run_tree)
    house.git("config", "diff.ignoreSubmodules", "all", cwd=house.project.main_tree)
    span = differences.span(run(house), first, house.head(house.project.run_tree))
    assert span.gitlinks == {house.project.code: (code,)} and span.straight
