"""A tree with some entries changed is written folder by folder, and is what git makes of it in an index."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.bring.world import git
from wtwatch.bring import trees
from wtwatch.bring.wrote import Entry
from wtwatch.doors.repo import GITLINK, Repo
from wtwatch.words.model import Sha

NAMES = ("a", "a.b", "a-b", "ä", "b c", 'q"', "tab\tbed")


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    git(tmp_path, "init", "-q", "-b", "main")
    return Repo(tmp_path)


def a_path(dice: random.Random) -> str:
    return "/".join(dice.choices(NAMES, k=dice.randint(1, 4)))


def an_entry(repo: Repo, dice: random.Random) -> Entry:
    mode = dice.choice(("100644", "100755", "120000", GITLINK))
    if mode == GITLINK:
        return Entry(mode, Sha(f"{dice.getrandbits(160):040x}"))
    return Entry(mode, Sha(git(repo.path, "hash-object", "-w", "--stdin", stdin=str(dice.randint(0, 5)))))


def through_an_index(repo: Repo, tree: Sha, put: Mapping[str, Entry | None]) -> Sha:
    """Return the tree that git makes of another with entries put over it: first what goes, as it may bar."""
    env = {"GIT_INDEX_FILE": str(repo.path / ".git" / "an index")}
    gone = "".join(f"0 {'0' * 40}\t{path}\0" for path, entry in put.items() if entry is None)
    there = "".join(f"{entry.mode} {entry.sha}\t{path}\0" for path, entry in put.items() if entry)
    repo.git("read-tree", tree, env=env)
    repo.git("update-index", "--add", "--replace", "-z", "--index-info", stdin=gone + there, env=env)
    return Sha(repo.git("write-tree", env=env))


def tidy(put: dict[str, Entry | None]) -> dict[str, Entry | None]:
    """Leave out what lies in what is a file: nobody asks for both."""
    files = {path for path, entry in put.items() if entry}
    above = {path: {path[:at] for at, sign in enumerate(path) if sign == "/"} for path in put}
    return {path: entry for path, entry in put.items() if not (entry and above[path] & files)}


@pytest.mark.parametrize("seed", range(12))
def test_any_change_is_as_through_an_index(repo: Repo, seed: int) -> None:
    dice = random.Random(seed)
    start = tidy({a_path(dice): an_entry(repo, dice) for _ in range(12)})
    empty = Sha(git(repo.path, "mktree", stdin=""))
    tree = through_an_index(repo, empty, start)
    gone: dict[str, Entry | None] = dict.fromkeys(dice.sample(list(start), min(4, len(start))))
    new: dict[str, Entry | None] = {a_path(dice): an_entry(repo, dice) for _ in range(5)}
    put = tidy({**gone, **new, a_path(dice): None})
    commit = repo.commit_tree(tree, [], "start")
    tree = trees.with_entries(repo, commit, put)
    assert tree == through_an_index(repo, commit, put)
    git(repo.path, "fsck", "--strict", tree)


@pytest.mark.parametrize("put", [{"a/b": None}, {"line\nend/a": None}], ids=["all of it", "a line end"])
def test_what_is_left_empty_and_odd_names_come_out_as_well(repo: Repo, put: dict[str, Entry | None]) -> None:
    blob = Sha(git(repo.path, "hash-object", "-w", "--stdin", stdin="x"))
    start = {path: Entry("100644", blob) for path in put}
    tree = through_an_index(repo, Sha(git(repo.path, "mktree", stdin="")), start)
    commit = repo.commit_tree(tree, [], "start")
    assert trees.with_entries(repo, commit, put) == git(repo.path, "mktree", stdin="")
