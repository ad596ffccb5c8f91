"""Random histories of both branches against a plain model of whose each file is.

Main writes inputs and code, jobs write outputs. Whatever was amended, reset, released backwards or sideways,
brought, merged home or by hand: inputs are the target's, code the release's, outputs the newest of the jobs'.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.bring.world import Kind, World, git
from wtwatch.bring.overlay import Blocked
from wtwatch.words.model import Sha

_SEED = os.environ.get("WTWATCH_SEED")  # read here, since the room of a test is sealed

STEPS = 14


class Story:
    """A world and what its files have to be: ``outputs`` in the run tree, ``home`` those that are in main."""

    def __init__(self, root: Path, kind: Kind, dice: random.Random) -> None:
        self.world, self.dice = World.built(root, kind), dice
        self.outputs: dict[str, str] = {}
        self.home: dict[str, str] = {}
        self._removed: dict[str, str] = {}
        self.number = 0
        self.releases = [self.world.tip()]

    def play(self) -> None:
        """Play some steps, and look after each."""
        steps = (
            self.job, self.job, self.job, self.edit, self.edit, self.amend, self.release, self.release,
            self.backwards, self.sideways, self.from_main, self.go_home, self.go_home, self.delete,
            self.squash,
        )  # fmt: skip
        for _ in range(STEPS):
            step = self.dice.choice(steps)
            print(step.__name__)
            step()
            assert self.in_tree(self.world.run, "out/") == self.outputs
            assert self.in_tree(self.world.main, "out/") == self.home

    def in_tree(self, tree: Path, start: str) -> dict[str, str]:
        """Return the files below a folder, with what they say."""
        files = (file for file in (tree / start).rglob("*") if file.is_file())
        return {str(file.relative_to(tree)): file.read_text() for file in files}

    def fresh(self) -> str:
        self.number += 1
        return f"{self.number}"

    def job(self) -> None:
        name = f"out/{self.dice.randrange(6)}"
        if name in self._removed:  # made again, that would be for the user to decide
            return
        self.outputs[name] = self.fresh()
        self.world.job({name: self.outputs[name]})

    def _files(self) -> dict[str, str | None]:
        name = f"inputs/{self.dice.randrange(5)}"
        gone = self.dice.random() < 0.3 and (self.world.main / name).exists()
        return {name: None if gone else self.fresh()}

    def edit(self) -> None:
        self.world.edit(self._files(), code=f"V={self.fresh()}" if self.dice.random() < 0.6 else None)

    def amend(self) -> None:
        """Amend main's last commit; where results came with it, they are in it still."""
        self.world.edit(self._files(), code=f"V={self.fresh()}", amend=True)

    def _bring(self, target: Sha) -> None:
        done = self.world.release(target)
        assert not isinstance(done, Blocked), done
        self.releases.append(target)
        self._look(target)

    def _look(self, target: Sha) -> None:
        listed = git(self.world.main, "ls-tree", "-r", target, "--", "inputs")
        assert git(self.world.run, "ls-tree", "-r", "HEAD", "--", "inputs") == listed

    def release(self) -> None:
        self._bring(self.world.tip())
        self._taken_away()

    def backwards(self) -> None:
        """Release a commit of before, from a time without results."""
        old = self.dice.choice(self.releases)
        if git(self.world.main, "ls-tree", old, "--", "out"):
            return  # it has results of its time: whose they are then is another story
        before = dict(self.outputs)
        self._bring(old)
        self.outputs = before

    def sideways(self) -> None:
        world = self.world
        if self.home:
            return
        git(world.main, "switch", "-q", "-c", f"side-{self.fresh()}")
        side = world.edit(self._files(), code=f"V={self.fresh()}")
        git(world.main, "switch", "-q", "master")
        self._bring(side)
        self._taken_away()

    def from_main(self) -> None:
        world = self.world
        before = git(world.run, "ls-tree", "-r", "HEAD", "--", "code")
        done = world.from_main()
        assert not isinstance(done, Blocked), done
        assert git(world.run, "ls-tree", "-r", "HEAD", "--", "code") == before
        self._look(world.tip())
        self._taken_away()

    def _taken_away(self) -> None:
        """Main removed outputs that were home, and they were not made again: they are gone."""
        for name in [name for name in self.outputs if name in self._removed and name not in self.home]:
            if self.outputs[name] == self._removed[name]:
                del self.outputs[name]

    def go_home(self) -> None:
        world = self.world
        code = git(world.main, "ls-tree", "-r", "HEAD", "--", "code", "inputs")
        done = world.home()
        assert not isinstance(done, Blocked), done
        assert git(world.main, "ls-tree", "-r", "HEAD", "--", "code", "inputs") == code
        gone = {name for name, text in self._removed.items() if self.outputs.get(name) == text}
        self.home = {name: text for name, text in self.outputs.items() if name not in gone}

    def squash(self) -> None:
        """Take results home by hand, as one commit without a second parent."""
        new = {name: text for name, text in self.outputs.items() if self.home.get(name) != text}
        new = {name: text for name, text in new.items() if self._removed.get(name) != text}
        if new:
            self.world.edit(new)
            self.home |= new

    def delete(self) -> None:
        """Remove a result in main that is home, and the newest."""
        known = [name for name, text in self.home.items() if self.outputs.get(name) == text]
        if known:
            name = self.dice.choice(known)
            self._removed = {**self._removed, name: self.home.pop(name)}
            self.world.edit({name: None})


def played(root: Path, kind: Kind, seed: int) -> None:
    print(f"WTWATCH_SEED={seed}, {kind}")
    Story(root, kind, random.Random(seed)).play()


@pytest.mark.parametrize("kind", ["paths", "subdataset"])
@pytest.mark.parametrize("seed", range(12))
def test_a_random_history_loses_and_mixes_up_nothing(tmp_path: Path, kind: Kind, seed: int) -> None:
    played(tmp_path / "w", kind, seed)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["paths", "subdataset"])
@pytest.mark.parametrize("part", range(10))
def test_no_random_history_loses_or_mixes_up_anything(tmp_path: Path, kind: Kind, part: int) -> None:
    """Twenty parts of 15: others in each run, unless `WTWATCH_SEED` says which."""
    seeds = [int(_SEED)] if _SEED else [int.from_bytes(os.urandom(4)) for _ in range(15)]
    for number, seed in enumerate(seeds):
        played(tmp_path / f"{part}-{number}", kind, seed)
