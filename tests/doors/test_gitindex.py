"""What an index lists is read as git reads it, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.house import House
from wtwatch.doors import gitindex


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House.built(tmp_path)


def listed(house: House) -> list[tuple[str, int, str]] | None:
    found = gitindex.entries(house.here("rev-parse", "--path-format=absolute", "--git-path", "index"))
    return None if found is None else [(path, mode, blob.hex()) for path, mode, blob in found]


def as_git_has_it(house: House) -> list[tuple[str, int, str]]:
    lines = house.here("ls-files", "-s", "-z").split("\0")[:-1]
    parts = [(line.partition("\t")[2], line.split()[:2]) for line in lines]
    return [(path, int(mode, 8), blob) for path, (mode, blob) in parts]


def test_an_index_lists_what_git_says(house: House) -> None:
    for number in range(60):
        house.edit(f"{'n' * number}-{number}/ü {number}.py", f"{number}\n")
    house.edit("deep/" + "/".join("abc" * 9) + "x" * 200, "")
    house.edit("link", "-> a.py")
    house.here("add", "-A")
    (house.code / "a.py").chmod(0o755)
    house.here("add", "-A")
    assert listed(house) == as_git_has_it(house) and len(as_git_has_it(house)) > 60
    house.here("commit", "-q", "-m", "more")
    house.here("status")
    assert listed(house) == as_git_has_it(house)


@pytest.mark.parametrize(
    "words",
    [
        ("update-index", "--assume-unchanged", "a.py"),
        ("update-index", "--skip-worktree", "a.py"),
        ("update-index", "--split-index"),
        ("update-index", "--index-version", "4"),
        ("update-index", "--add", "--cacheinfo", f"160000,{'a' * 40},sub"),
        ("rm", "-q", "--cached", "-r", "."),
    ],
)
def test_what_is_not_plain_files_alone_is_not_read(house: House, words: tuple[str, ...]) -> None:
    house.here(*words)
    assert listed(house) in (None, as_git_has_it(house))
    assert (listed(house) is None) == (words[0] != "rm")


def test_intents_conflicts_and_broken_files_are_not_read(house: House, tmp_path: Path) -> None:
    house.edit("new.py", "")
    house.here("add", "-N", "new.py")
    assert listed(house) is None
    whole = Path(house.here("rev-parse", "--path-format=absolute", "--git-path", "index")).read_bytes()
    for broken in (b"", b"DIRC", whole[:-1], whole[:40], whole + b"x", b"\0" * 99):
        (tmp_path / "index").write_bytes(broken)
        assert gitindex.entries(str(tmp_path / "index")) is None
    assert gitindex.entries(str(tmp_path / "none")) is None
    assert gitindex.entries(str(tmp_path)) is None


def test_an_index_lacks_what_it_lists_nothing_of_at_that_path_above_it_or_below(house: House) -> None:
    house.commit({"results/of/one": "1\n", "plain": "x\n"})
    index = house.git("rev-parse", "--path-format=absolute", "--git-path", "index")
    for new in ("results/two", "results/of/two", "quite/new", "pla", "plain.txt", "results/of/on"):
        assert gitindex.lacks(index, [new]), new
    for there in ("plain", "plain/below", "results", "results/of", "results/of/one", "results/of/one/x"):
        assert not gitindex.lacks(index, ["quite/new", there]), there
    (house.project.main_code / "intended").touch()
    house.git("add", "-N", "intended")
    assert not gitindex.lacks(index, ["intended"])
    house.git("update-index", "--index-version", "4")
    assert not gitindex.lacks(index, ["quite/new"])
    house.git("update-index", "--index-version", "2")
    assert gitindex.lacks(index, ["quite/new"])
    assert not gitindex.lacks(index, (f"new/{number}" for number in range(100_000)))  # git is quicker
    house.git("update-index", "--split-index")
    assert not gitindex.lacks(index, ["quite/new"])
    assert not gitindex.lacks(f"{index}.none", ["quite/new"])
