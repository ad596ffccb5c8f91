"""What a project rests on: all faults are found, and `init` stops at the first."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.house import House
from tests.room import let_git_know_nobody
from wtwatch.setup import checks, init
from wtwatch.setup.finding import Finding, demand, tried
from wtwatch.setup.intent import Asked
from wtwatch.words.errors import UsageError, WtwatchError


@pytest.fixture
def house(tmp_path: Path) -> House:
    """A house that `init` takes for a dataset."""
    made = House.built(tmp_path)
    config = made.project.main_tree / ".datalad" / "config"
    config.parent.mkdir()
    config.write_text('[datalad "dataset"]\n\tid = 1\n')
    return made


def faults(findings: Iterable[Finding]) -> list[Finding]:
    return [found for found in findings if not found.ok]


def refused(house: House) -> WtwatchError:
    with pytest.raises(WtwatchError) as error:
        init.decide(house.project.main_tree, Asked(run_tree=house.project.run_tree), ())
    return error.value


def without(program: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a program on PATH that fails, in the place of the one of that name."""
    place.mkdir(exist_ok=True)
    (place / program).write_text("#!/bin/sh\nexit 1\n")
    (place / program).chmod(0o755)
    monkeypatch.setenv("PATH", f"{place}:{os.environ['PATH']}")


def test_where_all_is_well_each_subject_says_so(house: House) -> None:
    found = list(checks.project(house.project))
    assert all(one.ok for one in found), faults(found)
    subjects = [one.subject for one in found]
    assert {"main tree", "code", "author", "bookmark", "run tree"} <= set(subjects)
    assert len(set(subjects)) == len(subjects)
    assert all(one.ok for one in checks.tools())


def test_each_tool_that_does_not_run_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without("git-annex", tmp_path / "bin", monkeypatch)
    monkeypatch.setitem(sys.modules, "datalad", None)
    told = list(checks.tools())
    assert [(one.subject, one.ok) for one in told] == [
        ("git", True),
        ("git-annex", False),
        ("DataLad", False),
    ]
    with pytest.raises(WtwatchError, match="git-annex does not run"):
        demand(told)


def test_two_faults_of_a_main_tree_are_both_found_and_init_names_the_first(house: House) -> None:
    house.git("checkout", "-q", "-b", "adjusted/main(unlocked)", cwd=house.project.main_tree)
    house.project.main_code.rename(house.project.main_tree.parent / "code")
    first, second = faults(checks.project(house.project))
    assert "adjusted branch" in first.message and "is not installed" in second.message
    assert first.hint and second.hint and first.usage
    said = refused(house)
    assert (type(said), said.message, said.hint) == (UsageError, first.message, first.hint)


def test_who_git_does_not_know_hides_no_fault_of_the_run_tree(house: House) -> None:
    let_git_know_nobody(Path.home())
    house.git("checkout", "-q", "--detach", cwd=house.project.run_tree)
    author, place = faults(checks.project(house.project))
    assert "does not know who you are" in author.message and "is on no branch" in place.message
    assert refused(house).message == author.message
    assert refused(house).exit_code == 1


def test_faults_of_several_subdatasets_are_all_found(tmp_path: Path, house: House) -> None:
    main = house.project.main_tree
    for name in ("one", "two"):
        house.git("init", "-q", "-b", "main", str(main / name), cwd=main)
        house.git("commit", "-q", "--allow-empty", "-m", name, cwd=main / name)
        house.git("-c", "advice.addEmbeddedRepo=false", "add", name, cwd=main)
        house.git("branch", "alt/x", cwd=main / name)
    house.git("commit", "-q", "-m", "two more", cwd=main)
    other = house.project._replace(bookmark="alt", run_tree=tmp_path / "alt")
    assert [one.subject for one in faults(checks.project(other))] == ["subdataset one", "subdataset two"]


def test_a_check_that_cannot_be_made_is_a_fault_too(tmp_path: Path) -> None:
    def ask() -> None:
        raise WtwatchError("It broke.", "Mend it.")

    assert tried("it", ask) == Finding("it", False, "It broke.", "Mend it.")
    assert tried("it", lambda: None).ok
