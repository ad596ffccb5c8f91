"""A run tree as a place: where it lies, what holds it, and what is written down about it."""

from pathlib import Path
from typing import NamedTuple, Self

from wtwatch.doors.journal import Journal
from wtwatch.project.config import DEFAULT_PREFIX, Project


class RunTree(NamedTuple):
    """A place where jobs run: nested work trees of the superdataset and its subdatasets, code among them.

    A project has one, and lanes beside it, which are such places too; its settings hold for all. ``path``
    is the superdataset's work tree, ``state`` the folder in which lock, journals and notes of this tree
    lie, ``lane`` the number of a lane, which is on no branch.
    """

    project: Project
    path: Path
    state: Path
    lane: int | None = None

    @classmethod
    def of(cls, project: Project) -> Self:
        """Return the run tree of a project, which need not be there."""
        return cls(project, project.run_tree, project.state)

    @classmethod
    def of_lane(cls, project: Project, number: int) -> Self:
        """Return a lane of a project, beside its run tree; it need not be there."""
        path = project.run_tree.with_name(f"{project.run_tree.name}.lane{number}")
        return cls(project, path, project.state / "lanes" / str(number), number)

    @classmethod
    def lanes_of(cls, project: Project) -> list[Self]:
        """Return the lanes of a project that were begun, whatever there is of them, by their numbers."""
        folders = (project.state / "lanes").glob("*/")
        numbers = sorted(int(folder.name) for folder in folders if folder.name.isdecimal())
        return [cls.of_lane(project, number) for number in numbers]

    @classmethod
    def lane_at(cls, project: Project, folder: Path) -> Self | None:
        """Return the lane of a project in which ``folder`` lies, which has no links on its way."""
        for above in (folder, *folder.parents):
            name, _, number = above.name.rpartition(".lane")
            if name == project.run_tree.name and number.isdecimal():
                lane = cls.of_lane(project, int(number))
                if lane.path.resolve() == above:
                    return lane
        return None

    @property
    def code_path(self) -> Path:
        """The work tree of code: of its subdataset, or of the superdataset if code is paths of that."""
        return self.path if self.project.paths else self.path / self.project.code

    @property
    def code_home(self) -> str:
        """The folder, from the top, that has code's environment: that of code, or the top itself."""
        if not self.project.paths:
            return self.project.code
        first = self.project.paths[0]
        return first if len(self.project.paths) == 1 and (self.path / first).is_dir() else ""

    @property
    def code_folder(self) -> Path:
        """The folder that has code's environment."""
        return self.path / self.code_home

    @property
    def prefix(self) -> Path:
        """The folder of that environment, with ``bin`` in it, which need not be there."""
        by_command = self.project.environment not in ("auto", "none")
        return self.code_folder / (self.project.env_prefix if by_command else DEFAULT_PREFIX)

    @property
    def branch(self) -> str:
        """The branch of the superdataset on which results are committed."""
        return self.project.branch

    @property
    def lock(self) -> Path:
        """Held by whatever moves or uses the tree: a sync, a job, an ``exec``."""
        return self.state / "tree.lock"

    @property
    def shelf(self) -> Path:
        """The folder beside the run tree, on its file system, for what is moved out of it or of a lane."""
        run_tree = self.project.run_tree if self.lane else self.path
        return run_tree.parent / f".{run_tree.name}.wtwatch"

    @property
    def bytecode(self) -> Path:
        """Where Python keeps what it compiles of the modules that jobs import."""
        return self.state / "bytecode"

    @property
    def applied_ref(self) -> str:
        """The ref that records at which commit code is parked."""
        return f"{self.project.ref_prefix}/{f'lane{self.lane}/' if self.lane else ''}applied"

    @property
    def fork_ref(self) -> str:
        """The ref, in the superdataset's repository, that records where the run branch began."""
        return f"{self.project.ref_prefix}/fork"

    @property
    def known_ref(self) -> str:
        """The ref, in the superdataset's repository, that keeps the run branch as wtwatch last saw it."""
        return f"{self.project.ref_prefix}/runs"

    @property
    def rewritten_refs(self) -> tuple[str, str]:
        """The refs that keep a rewritten run branch as it was and as it became, until that is settled."""
        return f"{self.known_ref}-was", f"{self.known_ref}-became"

    @property
    def backup_prefix(self) -> str:
        """Where the refs start that hold backups of what was taken out of the way."""
        return f"{self.project.ref_prefix}/backup/"

    def journal(self, step: str = "") -> Journal:
        """Return the journal of a step, such as ``pointer``; without a name, that of a move of code."""
        return Journal(self.state / (f"journal.{step}" if step else "journal"))
