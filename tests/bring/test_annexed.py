"""Where there is an annex, git-annex has a word in what concerns its files, and in nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.house import write
from tests.pathhouse import PathHouse
from wtwatch.tree import codetree


@pytest.fixture
def house(tmp_path: Path) -> PathHouse:
    house = PathHouse(tmp_path)
    house.git("annex", "init", "-q")
    house.git("annex", "init", "-q", cwd=house.run)
    return house


@pytest.fixture
def asked(house: PathHouse, tmp_path: Path) -> Callable[[], bool]:
    """Return what says whether git has asked git-annex about a file since it was called last."""
    note = tmp_path / "asked"
    house.git("config", "filter.annex.process", f"touch '{note}'; git-annex filter-process")

    def was_asked() -> bool:
        found = note.exists()
        note.unlink(missing_ok=True)
        return found

    return was_asked


def annexed(house: PathHouse, path: str, text: str) -> None:
    """Commit an unlocked file of the annex in the main tree."""
    write(house.main, path, text)
    house.git("annex", "add", "-q", "--force-large", path)
    house.git("annex", "unlock", "-q", path)
    house.git("commit", "-q", "-m", path, "--", path)


def test_a_release_of_plain_files_does_not_ask_git_annex(house: PathHouse, asked: Callable[[], bool]) -> None:
    for version in ("v2\n", "v3\n"):
        house.save(code__a=version, in__b=version)
        house.release()
        asked()
        assert house.tick().moved and not asked(), "git's index is of the same second as the files"
        assert (house.here("code/a"), house.here("in/b")) == (version, version)
    assert house.is_clean()


def test_unlocked_files_come_with_their_content_and_an_edit_of_one_is_seen(house: PathHouse) -> None:
    annexed(house, "in/large", "in v2\n")
    annexed(house, "code/large", "v2\n")
    house.release()
    done = house.tick()
    assert done.moved and done.backup is None
    assert (house.here("in/large"), house.here("code/large")) == ("in v2\n", "v2\n")
    assert codetree.facts_of(house.tree).edited == () and house.is_clean()
    for path in ("in/large", "code/large"):
        write(house.run, path, "mine\n")
    assert codetree.facts_of(house.tree).edited == ("code/large",)
    annexed(house, "in/large", "in v3\n")
    done = house.tick(from_main=True)
    assert done.unbrought is not None and "in/large" in done.unbrought[0]
    assert house.here("in/large") == "mine\n"


@pytest.mark.slow
def test_about_many_files_that_came_git_annex_is_not_asked_at_each_look_for_as_long_as_nobody_commits(
    house: PathHouse, asked: Callable[[], bool]
) -> None:
    house.save("many", None, **{f"in__{number}": f"{number}\n" for number in range(120)})
    assert house.tick(from_main=True).brought == 120
    asked()
    assert house.git("--no-optional-locks", "status", "--porcelain", cwd=house.run) == "" and not asked()
