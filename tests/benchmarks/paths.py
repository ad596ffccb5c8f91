"""(g) Where code is a folder of the superdataset: from a moved bookmark to its release in the run tree."""

from __future__ import annotations

import time
from itertools import count
from pathlib import Path

from tests.benchmarks.grounds import Grounds
from tests.benchmarks.measure import Section, command, compared, goal, interleaved, median, processor
from wtwatch.bring import plan
from wtwatch.bring.overlay import Code
from wtwatch.bring.wrote import RunBranch
from wtwatch.doors.repo import Repo
from wtwatch.words.model import Sha

PATIENCE = 30.0
LOOK = 0.001
"""Seconds between two looks for the end of a move; a look reads two small files."""

OURS = "wtwatch, its daemon running"
HAND = "by hand: `git merge runs-code`, `uv sync`"
PLANNED = "the commit worked out and written by wtwatch"
MERGED = "`git merge runs-code`"

MOST = {1000: 90, 20_000: 180}
"""Milliseconds of a move by the number of files, on a machine like that of the README."""


def measure(grounds: Grounds, quick: bool) -> list[Section]:
    """Release code in projects of two sizes, watched, and merged by hand."""
    sizes = ((1000, 0),) if quick else ((1000, 0), (20_000, 2000))
    return [section for files, code in sizes for section in _at(grounds, files, code, 5 if quick else 25)]


def _at(grounds: Grounds, files: int, code: int, rounds: int) -> list[Section]:
    ours, hand = (_Story(grounds, f"paths-{name}-{files}", files, code) for name in ("ours", "hand"))
    hand.make_run_tree()
    more = f", {code:,} of them more in code/" if code else ""
    where = f"code as a folder, {files + code:,} files{more}"
    with ours.lab.daemon():
        moved = interleaved({OURS: ours.noticed, HAND: hand.typed}, rounds)
    made = interleaved({PLANNED: ours.planned, MERGED: hand.merged}, rounds)
    met = median(moved[OURS]) <= MOST[files]
    first = compared(
        moved, {OURS: [goal(f"≤ {MOST[files]} ms", met), goal("≤ 1 × by hand", _share(moved) <= 1)]}
    )
    second = compared(made, {PLANNED: [goal(f"≤ 0.5 × by hand ({_share(made):.2f})", _share(made) <= 0.5)]})
    return [
        Section(f"(g) a moved bookmark, {where}", first),
        Section(f"(g) the processor's time for its commit, {where}", second),
    ]


def _share(taken: dict[str, list[float]]) -> float:
    ours, hand = taken
    return median(taken[ours]) / median(taken[hand])


class _Story:
    """A project whose code is a folder, with a result in its run tree, so that a merge is one."""

    def __init__(self, grounds: Grounds, name: str, files: int, code: int) -> None:
        self.name = name
        self.lab = grounds.folder(name, files, code)
        self.release = count(2)
        if name.startswith("paths-ours"):
            self.lab.wtwatch("init", "--name", name)
            self.result()

    def make_run_tree(self) -> None:
        """Make the run tree as one does by hand."""
        self.lab.git("branch", "runs-code")
        self.lab.git("worktree", "add", "--quiet", "-b", "runs", str(self.lab.run))
        self.lab.say("uv", "sync", "--quiet", cwd=self.lab.run_code)
        self.result()

    def result(self) -> None:
        """Commit what a job would."""
        file = self.lab.run / "results" / f"{next(self.release)}.svg"
        file.parent.mkdir(exist_ok=True)
        file.write_text("<svg/>\n")
        self.lab.git("add", "results", cwd=self.lab.run)
        self.lab.git("commit", "--quiet", "--no-verify", "-m", "[DATALAD RUNCMD] plot", cwd=self.lab.run)

    def edit(self) -> Sha:
        """Commit another version of code in the main tree."""
        self.lab.edit_version(f"v{next(self.release)}")
        self.lab.git("commit", "--quiet", "--no-verify", "-m", "release", "--", "code")
        return self.lab.commit("HEAD", self.lab.main)

    def noticed(self) -> float:
        """Move the bookmark and only look on, until the run tree has the release and says so."""
        refs = self.lab.main / ".git" / "refs"
        new = self.edit()
        begin = time.perf_counter()
        command("git", "update-ref", "refs/heads/runs-code", new, cwd=self.lab.main)
        while _text(refs / "wtwatch" / self.name / "applied") != new:
            if time.perf_counter() - begin > PATIENCE:
                raise RuntimeError(f"The daemon did not bring {new}: see {self.lab.root}/daemon.log")
            time.sleep(LOOK)
        seconds = time.perf_counter() - begin
        self._check(new)
        return seconds

    def typed(self) -> float:
        """Do the same by hand."""
        new = self.edit()
        begin = time.perf_counter()
        command("git", "update-ref", "refs/heads/runs-code", new, cwd=self.lab.main)
        command("git", "merge", "--quiet", "--no-edit", "runs-code", cwd=self.lab.run)
        command("uv", "sync", "--quiet", cwd=self.lab.run_code)
        seconds = time.perf_counter() - begin
        self._check(new)
        return seconds

    def planned(self) -> float:
        """Have the commit of a release written, and then go there; return the processor's seconds for it."""
        repo, old = Repo(self.lab.run), self.lab.commit("runs-code", self.lab.main)
        new = self.edit()
        self.result()
        fork = Sha(self.lab.git("merge-base", "runs", old))
        branch = RunBranch(repo, self.lab.commit("HEAD", self.lab.run), fork)
        begin = processor()
        done = plan.release(branch, new, Code(("code",), new, old))
        seconds = processor() - begin
        if not isinstance(done, plan.Planned):
            raise RuntimeError(f"no commit: {done}")
        self.lab.git("merge", "--quiet", "--ff-only", done.commit, cwd=self.lab.run)
        self.lab.git("branch", "--force", "runs-code", new)
        self._check(new)
        return seconds

    def merged(self) -> float:
        """Have git make that commit, and go there."""
        new = self.edit()
        self.result()
        begin = processor()
        command("git", "merge", "--quiet", "--no-edit", new, cwd=self.lab.run)
        seconds = processor() - begin
        self._check(new)
        return seconds

    def _check(self, new: Sha) -> None:
        if self.lab.git("diff-tree", "-r", new, "HEAD", "--", "code", cwd=self.lab.run):
            raise RuntimeError(f"{self.lab.run}: code is not at {new}")


def _text(ref: Path) -> str:
    try:
        return ref.read_text().strip()
    except OSError:
        return ""
