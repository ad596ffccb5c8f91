"""One cell of the matrix: make a situation, go one way to the bookmark, and look what became of all goods."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.loss import goods, ways
from tests.benchmarks.loss.goods import Commit, Evidence, File, Good, State
from tests.benchmarks.loss.scene import Mode, Scene, made
from tests.benchmarks.loss.situation import Situation
from tests.benchmarks.loss.situations import SITUATIONS
from wtwatch.doors.files import scratch_folder


@dataclass(frozen=True)
class Cell:
    """How one way went in one situation and mode.

    ``outcome`` is "kept", "backed up", "refused" or "LOST": the worst that happened to any good, or "refused"
    where nothing at all was changed. ``refused_first``: `wtwatch sync` refused, and then got ``--force``.
    ``lost`` tells what is gone, ``odd`` what else is not as it should be, ``said`` what the commands said.
    """

    situation: str
    mode: Mode
    way: str
    outcome: str
    at_tip: bool
    refused_first: bool = False
    lost: tuple[str, ...] = ()
    odd: tuple[str, ...] = ()
    said: tuple[str, ...] = ()

    @property
    def is_well(self) -> bool:
        """Whether it is as wtwatch promises: nothing lost, at the tip or held back by a named reason."""
        stays = SITUATIONS[self.situation].stays
        return self.outcome != "LOST" and not self.odd and (self.at_tip or stays is not None)


def measure(root: Path, situation: Situation, mode: Mode, way: str) -> Cell:
    """Play one cell in the folder ``root``, which is made and removed."""
    root.mkdir(parents=True)
    try:
        with made(root, mode, situation) as scene:
            return _played(scene, situation, way)
    except Exception as error:
        error.add_note(f"in: {situation.name}, {mode}, {way}")
        raise
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _played(scene: Scene, situation: Situation, way: str) -> Cell:
    clean = goods.look(scene)
    situation.trouble(scene)
    at_stake = goods.goods(scene, clean, goods.look(scene))
    scene.move_bookmark(situation)
    troubled = goods.look(scene)

    said = [ways.go(scene, way)]
    first = goods.look(scene)
    odd = []
    forced = way == ways.WTWATCH and said[0].code != 0
    if forced:
        if first != troubled and "backup" not in said[0].words:
            odd.append(f"`wtwatch sync` failed, named no backup, and changed {_difference(troubled, first)}")
        said.append(ways.wtwatch(scene, "sync", "--force"))
    end = goods.look(scene)
    at_tip = _is_at_tip(scene)
    words = tuple(answer.words for answer in said)
    facts = (situation.name, scene.mode, way)
    if end == troubled and said[-1].code != 0:
        return Cell(*facts, "refused", at_tip, forced, odd=tuple(odd), said=words)
    at_stake += [goods.written(*work()) for work in scene.later]
    evidence, trouble = _gathered(scene, at_stake)
    end = goods.look(scene)
    fates = {good: goods.fate(good, end, evidence) for good in at_stake}
    lost = tuple(goods.told(good) for good, fate in fates.items() if fate == "LOST")
    worst = next((word for word in ("LOST", "backed up") if word in fates.values()), "kept")
    return Cell(*facts, worst, at_tip, forced, lost, (*odd, *trouble), words)


def _difference(before: State, after: State) -> str:
    changed = sorted(dict(before.files.items() ^ after.files.items()))
    others = [
        name for name in ("index", "refs", "under_way") if getattr(before, name) != getattr(after, name)
    ]
    return ", ".join([*map(ascii, changed[:4]), *others])


def _is_at_tip(scene: Scene) -> bool:
    """Return whether HEAD, index and files are as the tip has them, by an index made for the question."""
    if scene.asks("rev-parse", "HEAD") != scene.tip:
        return False
    with scratch_folder("tip-", scene.house.project.main_tree.parent) as scratch:
        fresh = {"GIT_INDEX_FILE": str(scratch / "index")}
        scene.asks("read-tree", scene.tip, env=fresh)
        # where the filter of a situation fails, what it would be given counts
        lenient = ("-c", "filter.strip.required=false")
        scene.asks(*lenient, "update-index", "-q", "--refresh", env=fresh)
        differ = scene.asks(*lenient, "diff-files", "--name-only", "-z", env=fresh).split("\0")
    sparse = {line[2:] for line in scene.asks("ls-files", "-t", "-z").split("\0") if line.startswith("S ")}
    absent = {path for path in sparse if not os.path.lexists(scene.code / path)}
    staged = scene.asks("diff-index", "--cached", "--name-only", scene.tip)
    return not set(differ) - {""} - absent and not staged


def _gathered(scene: Scene, at_stake: Sequence[Good]) -> tuple[Evidence, tuple[str, ...]]:
    """Collect all garbage, and get back what backups hold; return what is there then, and what went wrong."""
    house = scene.house
    held = scene.asks("rev-list", "--exclude=refs/wtwatch/*", "--all", *goods.held(scene)).split()
    # in the run tree: elsewhere git knows nothing of the refs that are a work tree's own
    for command in (("reflog", "expire", "--expire=now", "--all"), ("gc", "--prune=now", "--quiet")):
        scene.asks(*command)
    reached = {line[:40] for line in house.git("rev-list", "--objects", "--all").splitlines()}
    by_hand = {str(good.id) for good in at_stake if isinstance(good, Commit)}
    by_hand.update(scene.asks("rev-list", scene.applied).split())
    committed = {file for commit in by_hand & reached for file in goods.committed(scene, commit)}
    restored, odd = set(goods.listed(house.tree.shelf)), []
    linked: set[File] = set()
    prefix = house.tree.backup_prefix
    for ref in house.git("for-each-ref", "--format=%(refname)", prefix).splitlines():
        name = ref.removeprefix(prefix)
        folder = house.project.main_tree.parent / f"restored-{name}"
        said = ways.wtwatch(scene, "backups", "restore", name, "--to", str(folder))
        if said.code != 0:
            odd.append(f"`wtwatch backups restore` failed: {said.words}")
        restored.update(goods.listed(folder))
        linked.update(file for file in goods.committed(scene, ref) if file.item.mode == "160000")
    return Evidence(restored, set(held), reached, committed, linked), tuple(odd)


_place = Path()
_count = 0


def _enter(base: Path, env: dict[str, str]) -> None:
    from tests.room import sealed_env

    global _place  # noqa: PLW0603 - one a process
    _place = base / str(os.getpid())
    sealed = sealed_env(_place / "home", base / "uv-cache", env)
    os.environ.clear()
    os.environ.update(sealed)


def _one(job: tuple[str, Mode, str]) -> Cell:
    global _count  # noqa: PLW0603
    _count += 1
    name, mode, way = job
    return measure(_place / str(_count), SITUATIONS[name], mode, way)


def played(base: Path, jobs: Sequence[tuple[str, Mode, str]], workers: int) -> Iterator[Cell]:
    """Play all cells in turn, several at once, each process in a sealed room of its own below ``base``."""
    with ProcessPoolExecutor(workers, initializer=_enter, initargs=(base, dict(os.environ))) as pool:
        yield from pool.map(_one, jobs)
