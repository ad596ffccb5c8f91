"""Subdatasets that changed on both sides are brought and taken home in the same way, deepest first."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bring.world import Content, Nested, World, entry, git, put
from wtwatch.bring import inside, plan
from wtwatch.bring.overlay import Blocked
from wtwatch.bring.plan import Planned
from wtwatch.words.model import Sha

S, N = "inputs/S", "inputs/S/deep/N"


class Nests:
    """A world whose main tree has the subdataset S, and in that N; the run tree has worktrees of both."""

    def __init__(self, world: World) -> None:
        self.world = world
        for path in (S, N):
            (world.main / path).mkdir(parents=True)
            git(world.main / path, "init", "-q", "-b", "master")
        self.commit(world.main, N, {"n": "1\n"})
        self.commit(world.main, S, {"s": "1\n"})
        self.above(world.main)
        git(world.run, "merge", "-q", "--ff-only", "master")
        world.applied = world.fork = world.tip()
        for path in (S, N):
            (world.run / path).rmdir()
            git(world.main / path, "worktree", "add", "-q", "-b", "runs", str(world.run / path))
        world.inside = inside.bringing(world.run)

    def commit(self, tree: Path, path: str, files: dict[str, Content]) -> Sha:
        """Commit files in a subdataset, with what is nested in it."""
        for name, content in files.items():
            put(tree / path, name, content)
        git(tree / path, "-c", "advice.addEmbeddedRepo=false", "add", "-A")
        git(tree / path, "commit", "-q", "--allow-empty", "-m", f"in {path}")
        return self.world.tip(tree / path)

    def above(self, tree: Path) -> None:
        """Record in the superdataset what its subdatasets are at."""
        git(tree, "-c", "advice.addEmbeddedRepo=false", "add", "-A")
        git(tree, "commit", "-q", "-m", "subdatasets")

    def write(self, tree: Path, in_s: dict[str, Content], in_n: dict[str, Content]) -> None:
        """Commit files in N, in S, and above."""
        if in_n:
            self.commit(tree, N, in_n)
        self.commit(tree, S, in_s)
        self.above(tree)

    def brought(self, done: object) -> dict[str, str]:
        """Return the files, by path, of what S comes to in a plan, with those of N in it."""
        assert isinstance(done, Planned)
        found: dict[str, str] = {}
        for where, path in ((self.world.run, S), (self.world.run / S, "deep/N")):
            commit = done.commit if path == S else found[S]
            at = entry(where, commit, path)
            assert at is not None
            found[path] = at[1]
            for name in git(where / path, "ls-tree", "-r", "--name-only", at[1]).splitlines():
                if entry(where / path, at[1], name)[0] != "160000":  # type: ignore[index]
                    found[f"{path}/{name}"] = git(where / path, "show", f"{at[1]}:{name}")
        return {path: text for path, text in found.items() if path not in (S, "deep/N")}


@pytest.fixture
def nests(folder: World) -> Nests:
    return Nests(folder)


def planned(nests: Nests) -> Planned | Blocked | None:
    """Plan what comes from main, without moving a tree."""
    world = nests.world
    return plan.from_main(world.branch(), world.tip(), world.code, world.inside)


def test_what_both_wrote_in_nested_subdatasets_is_in_one_commit_of_each(nests: Nests) -> None:
    nests.write(nests.world.run, {"result": "a job's\n"}, {"result": "a job's\n"})
    nests.write(nests.world.main, {"s": "2\n"}, {"n": "2\n"})
    assert nests.brought(planned(nests)) == {
        f"{S}/s": "2",
        f"{S}/result": "a job's",
        "deep/N/n": "2",
        "deep/N/result": "a job's",
    }


def test_a_subdataset_that_was_brought_so_has_one_parent(nests: Nests) -> None:
    run, main = nests.world.run, nests.world.main
    nests.write(run, {"result": "1\n"}, {})
    nests.write(main, {"s": "2\n"}, {})
    done = planned(nests)
    assert isinstance(done, Planned)
    at = entry(run, done.commit, S)
    assert at is not None
    assert git(run / S, "rev-list", "--parents", "-1", at[1]).split()[1:] == [nests.world.tip(run / S)]


def test_a_conflict_deep_inside_blocks_by_its_whole_path(nests: Nests) -> None:
    nests.write(nests.world.run, {}, {"n": "a job's\n"})
    nests.write(nests.world.main, {"s": "2\n"}, {"n": "main's\n"})
    assert planned(nests) == Blocked("both", (f"{N}/n",))


def test_a_subdataset_whose_one_side_has_all_of_the_other_s_is_at_that(nests: Nests) -> None:
    run, main = nests.world.run, nests.world.main
    nests.write(run, {"result": "1\n"}, {})
    git(main / S, "merge", "-q", "--ff-only", "runs")
    ahead = nests.commit(main, S, {"s": "2\n"})
    nests.above(main)
    done = planned(nests)
    assert isinstance(done, Planned)
    assert entry(run, done.commit, S) == ("160000", ahead)


@pytest.mark.parametrize("who", ["main", "a job"])
def test_a_subdataset_that_one_side_removed_and_the_other_changed_blocks(nests: Nests, who: str) -> None:
    world = nests.world
    removing, writing = (world.main, world.run) if who == "main" else (world.run, world.main)
    nests.write(writing, {"s": "2\n"}, {})
    git(removing, "rm", "-q", "--cached", S)
    git(removing, "commit", "-q", "-m", "removed")
    assert planned(nests) == Blocked("both", (S,))


def test_a_subdataset_that_only_one_side_added_removed_or_changed_is_as_that_has_it(folder: World) -> None:
    old, new, jobs = ("1" * 40, "2" * 40, "3" * 40)
    folder.edit({"inputs/A": Nested(old), "inputs/B": Nested(old), "inputs/C": Nested(old)})
    folder.from_main()
    folder.job({"out/made": Nested(jobs), "inputs/C": Nested(jobs)})
    folder.edit({"inputs/A": Nested(new), "inputs/B": None, "inputs/new": Nested(new)})
    done = folder.from_main()
    assert isinstance(done, Planned) and done.laid == ("inputs/C", "out/made")
    found = {path: entry(folder.run, "HEAD", path) for path in ("inputs/A", "inputs/B", "inputs/new")}
    assert found == {"inputs/A": ("160000", new), "inputs/B": None, "inputs/new": ("160000", new)}
    assert entry(folder.run, "HEAD", "out/made") == entry(folder.run, "HEAD", "inputs/C")
    assert folder.home()
    assert entry(folder.main, "HEAD", "out/made") == ("160000", jobs)


def test_two_subdatasets_of_one_name_and_one_that_is_not_installed_block(nests: Nests) -> None:
    world = nests.world
    world.job({"out/S": Nested("1" * 40)})
    world.edit({"out/S": Nested("2" * 40)})
    assert planned(nests) == Blocked("both", ("out/S",))


def test_subdatasets_that_both_sides_add_are_both_in_gitmodules(world: World) -> None:
    def section(name: str) -> str:
        return f'[submodule "{name}"]\n\tpath = {name}\n\turl = ./{name}\n\tdatalad-recursiveinstall = skip\n'

    world.edit({".gitmodules": section("A") + section("B")})
    world.from_main()
    world.job({".gitmodules": section("A") + section("B") + section("out/job's")})
    world.edit({".gitmodules": section("A") + section("inputs/main's")})
    assert world.from_main()
    assert world.in_run(".gitmodules") == section("A") + section("inputs/main's") + section("out/job's")
    assert world.home() and world.in_main(".gitmodules") == world.in_run(".gitmodules")
