"""A house with lanes, in which jobs are played by hand, so that their results can be laid one by one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.house import House, write
from wtwatch.doors.files import held
from wtwatch.job.attempt import Folder, Order
from wtwatch.lanes import laying, making, moving, notes
from wtwatch.lanes.laying import Laid, Laying, Result
from wtwatch.project.tree import RunTree
from wtwatch.setup import nested
from wtwatch.tree.changes import commits_since, subdatasets
from wtwatch.tree.states import Before
from wtwatch.words.model import JobSpec, Sha, now

Files = Mapping[str, str | None]


@dataclass
class World:
    """Run tree and lanes of a house; ``inside`` are subdatasets besides code, if it was built with some."""

    house: House
    jobs: int = 0
    inside: tuple[str, ...] = field(default=())

    @classmethod
    def built(cls, root: Path, *inside: str) -> World:
        """Build a house with two lanes; of ``inside`` each is a subdataset, whose outer ones come first."""
        house = House.built(root, lanes=2)
        world = cls(house, inside=inside)
        for path in inside:
            world._add_subdataset(path)
        world.by_hand({"inputs/a": "one\n", "plots/p": "old\n"})
        return world

    def _add_subdataset(self, path: str) -> None:
        main = self.house.project.main_tree
        place = main / path
        place.mkdir(parents=True)
        self.house.git("init", "-q", "-b", "main", cwd=place)
        write(place, "data", "1\n")
        self.house.git("add", "-A", cwd=place)
        self.house.git("commit", "-q", "-m", "first", cwd=place)
        self.house.git("worktree", "add", "-q", "-b", "runs", str(self.run / path), cwd=place)
        self._tell_above(path, "a subdataset more")

    def _tell_above(self, path: str, message: str) -> None:
        """Have the datasets above one in the run tree name where that is."""
        while path:
            above = max(
                (one for one in ("", *self.inside) if one == "" or path.startswith(f"{one}/")), key=len
            )
            name = path.removeprefix(f"{above}/") if above else path
            head = self.house.head(self.run / path)
            folder = self.run / above
            self.house.git("update-index", "--add", "--cacheinfo", f"160000,{head},{name}", cwd=folder)
            self.house.git("commit", "-q", "-m", message, cwd=folder)
            path = above

    @property
    def run(self) -> Path:
        return self.house.project.run_tree

    @property
    def tree(self) -> RunTree:
        return self.house.tree

    def by_hand(self, files: Files, inside: str = "") -> Sha:
        """Commit files in the run tree, in the dataset ``inside`` and above; return the top's commit."""
        _commit(self.house, self.run / inside, files, "by hand")
        if inside:
            self._tell_above(inside, "by hand")
        return self.house.head(self.run)

    def lane(self, number: int = 1) -> RunTree:
        """Return a lane that stands where the run tree does."""
        lane = RunTree.of_lane(self.house.project, number)
        notes.begin(lane)
        with held(lane.lock):
            if lane.path.exists():
                moving.move(lane, self.house.head(self.run))
            making.make(lane, making.lacking(self.tree, lane, self.house.head(self.run)))
        return lane

    def job(self, lane: RunTree, *reads: str) -> Result:
        """Begin a job in a lane, which reads what is said."""
        self.jobs += 1
        folder = Folder.of(self.house.project.state, self.jobs, 1)
        order = Order(
            job=self.jobs,
            attempt=1,
            queued=now(),
            uuid=f"uuid-{self.jobs}",
            at=now(),
            run_tree=lane.path,
            code_path=lane.code_path,
            code_sha=self.house.head(),
            base=self.house.head(lane.path),
            bell=self.run,
            spec=JobSpec("x"),
        )
        folder.write_order(order)
        return Result(folder, order, Before.of(lane.path, {}), reads, ())

    def writes(self, job: Result, files: Files, inside: str = "", message: str = "a job") -> Sha:
        """Commit what a job makes in its lane, there and above; return the top's commit."""
        lane = job.order.run_tree
        _commit(self.house, lane / inside, files, message)
        while inside:
            above = max(
                (one for one in ("", *self.inside) if one == "" or inside.startswith(f"{one}/")), key=len
            )
            _commit(self.house, lane / above, {}, message, [inside.removeprefix(f"{above}/")])
            inside = above
        return self.house.head(lane)

    def lay(self, job: Result) -> Laying:
        if not job.commits:
            job = job._replace(commits=commits_since(job.order.run_tree, job.order.base))
        laying.keep(self.tree, job)
        with held(self.tree.lock):
            return laying.lay(self.tree, job, lambda: nested.complete(self.house.project))

    def laid(self, job: Result) -> tuple[Sha, ...]:
        """Lay a job's result, which must be possible, and look that the run tree is whole then."""
        done = self.lay(job)
        assert isinstance(done, Laid), done
        self.assert_whole()
        return done.commits

    def assert_whole(self) -> None:
        """No dataset of the run tree differs from HEAD, history has no merge, and no ref of ours is left."""
        for path in ["", *(sub.path for sub in subdatasets(self.run))]:
            assert self.house.git("status", "--porcelain", cwd=self.run / path) == "", path
            refs = self.house.git(
                "for-each-ref", "refs/wtwatch/*/done", "refs/wtwatch/*/laid", cwd=self.run / path
            )
            assert refs == "", path
        assert self.house.git("rev-list", "--merges", "HEAD", cwd=self.run) == ""
        assert self.house.git("symbolic-ref", "HEAD", cwd=self.run) == "refs/heads/runs"

    def text(self, path: str) -> str:
        return (self.run / path).read_text(encoding="utf-8")


def _commit(house: House, folder: Path, files: Files, message: str, links: list[str] | None = None) -> None:
    for path, text in files.items():
        write(folder, path, text)
    if links:
        house.git("add", "--", *links, cwd=folder)
    elif files:
        house.git("add", "-A", "--", *files, cwd=folder)
    house.git("commit", "-q", "-m", message, cwd=folder)
