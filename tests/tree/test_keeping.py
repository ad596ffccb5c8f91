"""Keep refs of pointers that were replaced: dropped when it is sure that nothing names them, and packed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.house import House
from wtwatch.tree import keeping, save
from wtwatch.words.model import Sha


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setattr(keeping, "MANY", 6)
    monkeypatch.setattr(keeping, "RECENT", 1)
    return House.built(tmp_path / "p")


def storm(house: House, moves: int) -> list[Sha]:
    """Move the bookmark so often, with the pointer saved each time; return where it was."""
    made = []
    for number in range(moves):
        made.append(house.commit({"a.py": f"{number}"}))
        house.sync()
        save.record(house.tree, made[-1], foldable=True)
    return made


def kept(house: House) -> set[str]:
    listing = house.git("for-each-ref", "--format=%(refname)", keeping.PREFIX).splitlines()
    return {ref.removeprefix(keeping.PREFIX) for ref in listing}


def name_in(house: House, tree: Path, commit: Sha, branch: str | None = None) -> None:
    """Commit the pointer in a work tree of the superdataset."""
    if branch:
        house.git("checkout", "-q", "-b", branch, cwd=tree)
    house.git("update-index", "--add", "--cacheinfo", f"160000,{commit},code", cwd=tree)
    house.git("commit", "-qm", "by hand", cwd=tree)


def test_keep_refs_of_replaced_pointers_go_and_that_of_the_pointer_stays(house: House) -> None:
    made = storm(house, 8)  # of which the first is replaced by the second, and so on
    assert kept(house) == {*made[-3:]}, "the newest replaced one was left alone"
    assert house.git("rev-parse", "runs:code", cwd=house.project.main_tree) == made[-1]
    assert storm(house, 20)[-1] in kept(house) and len(kept(house)) < 12


def test_code_that_any_commit_or_index_names_stays_kept(house: House) -> None:
    main = house.project.main_tree
    made = storm(house, 3)
    name_in(house, main, made[0])
    name_in(house, main, made[1], "side")
    house.git("checkout", "-q", "main", cwd=main)
    house.git("update-index", "--cacheinfo", f"160000,{made[2]},code", cwd=main)
    more = storm(house, 6)
    assert {*made, more[-1]} <= kept(house)
    assert not set(more[:2]) & kept(house)
    house.git("update-ref", "refs/heads/runs", made[0])
    house.git("reflog", "expire", "--expire=now", "--all")
    house.git("gc", "-q", "--prune=now")
    for commit in made:
        assert house.git("cat-file", "-t", commit) == "commit"


def test_a_pointer_that_a_job_ran_on_is_not_replaced_and_stays_kept(house: House) -> None:
    (used,) = storm(house, 1)
    new = house.commit({"a.py": "used"})
    house.sync()
    save.record(house.tree, new, foldable=False)
    storm(house, 8)
    assert used in kept(house)


def test_where_code_is_used_elsewhere_too_all_keep_refs_stay_and_are_packed(
    house: House, tmp_path: Path
) -> None:
    """Another superdataset may name any of them."""
    house.git("worktree", "add", "-q", "--detach", str(tmp_path / "other" / "code"))
    made = storm(house, 8)
    assert set(made) <= kept(house)
    loose = house.project.main_code / ".git" / keeping.PREFIX
    assert len(list(loose.iterdir())) < 4 and house.head() == made[-1]


def test_a_tidying_that_cannot_be_done_waits_for_the_next(house: House) -> None:
    lock = house.project.main_code / ".git" / "packed-refs.lock"
    house.git("config", "core.packedRefsTimeout", "0")
    storm(house, 5)
    lock.touch()
    made = storm(house, 3)
    lock.unlink()
    assert house.git("rev-parse", "runs:code", cwd=house.project.main_tree) == made[-1]
    storm(house, 2)
    assert len(kept(house)) <= 4
