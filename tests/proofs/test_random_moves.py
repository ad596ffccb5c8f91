"""A thousand random operations on six projects, with no sweep: what the watch does not tell is missed."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.moves import GIT_MOVES, JJ_MOVES, MovingCode, by_update_ref
from wtwatch.daemon.notice import Bell, Watch
from wtwatch.daemon.places import Fingerprint, fingerprint, marks, places, stood_still
from wtwatch.tree import tip as bookmark
from wtwatch.words.model import Sha

Move = Callable[[MovingCode], None]

OPERATIONS = 170
"""Operations on each of the six projects."""

LONG = 30.0


def pack(house: MovingCode) -> None:
    house.git("pack-refs", "--all")


def collect_garbage(house: MovingCode) -> None:
    house.git("gc", "--quiet")


def lead_elsewhere(house: MovingCode) -> None:
    """Have the bookmark be a symbolic ref to a branch that stands elsewhere."""
    house.git("branch", "-f", "trunk", house.another())
    house.git("symbolic-ref", house.ref, "refs/heads/trunk")


def move_the_trunk(house: MovingCode) -> None:
    house.git("update-ref", "refs/heads/trunk", house.another())


KINDS: dict[str, tuple[str, tuple[Move, ...]]] = {
    "plain": ("runs", GIT_MOVES),
    "nested": ("team/a/runs", (*GIT_MOVES, pack)),
    "packed": ("runs", (*GIT_MOVES, pack, collect_garbage, pack)),
    "symbolic": ("runs", (lead_elsewhere, move_the_trunk, move_the_trunk, by_update_ref, pack)),
    "jj": ("runs", (*GIT_MOVES, *JJ_MOVES)),
    "jj-nested": ("team/a/runs", (*GIT_MOVES, *JJ_MOVES, pack)),
}
"""Each project's bookmark, and what is done to it."""


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_no_move_is_missed_among_random_operations(tmp_path: Path, kind: str) -> None:
    seed = int.from_bytes(os.urandom(4))
    dice = random.Random(seed)
    name, ways = KINDS[kind]
    house = MovingCode.built(tmp_path / "house", name)
    if kind.startswith("jj"):
        house.let_jj_drive()
    done = moved = 0
    with Watch(Bell()) as watch:
        watch.aim([places(house.project)])
        noticed: Sha | None = None
        seen: Fingerprint = ()
        restless = True
        while done < OPERATIONS:
            burst = dice.choices(ways, k=dice.randint(1, 6))
            storm = threading.Thread(target=play, args=(house, burst))
            storm.start()
            deadline, before = time.monotonic() + LONG, noticed
            while (blows := storm.is_alive()) or noticed != bookmark.read(house.project).commit:
                deadline = time.monotonic() + LONG if blows else deadline
                assert time.monotonic() < deadline, (seed, [way.__name__ for way in burst])
                # as the daemon: a look only where it rang and something is new, and after a restless one
                if watch.wait(0.05) or restless:
                    at = places(house.project)
                    watch.aim([at])
                    before_look, now = marks(at), fingerprint(at)
                    if now != seen or restless:
                        noticed, seen = bookmark.read(house.project).commit, now
                        restless = not stood_still(before_look, marks(at))
            storm.join()
            done, moved = done + len(burst), moved + (noticed != before)
    assert moved > OPERATIONS / 20, "else nothing much happened"


def play(house: MovingCode, burst: list[Move]) -> None:
    for way in burst:
        if not house.tip():
            house.git("branch", house.bookmark, "a")
        way(house)
