"""What a merge would do, worked out without touching a file: a step a dataset, deepest first."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from wtwatch.doors import jj, refs
from wtwatch.doors.repo import GITLINK, Repo
from wtwatch.home import differences, pointers
from wtwatch.project.config import Project
from wtwatch.project.tree import RunTree
from wtwatch.tree import nested
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Sha
from wtwatch.words.quoting import quoted

if TYPE_CHECKING:  # of most merges nothing is laid over main, and they do not wait for what does it
    from wtwatch.home.over import Over


class Step(NamedTuple):
    """What one dataset of the main tree needs: its branch goes from ``ours`` to ``target``.

    ``path`` is relative to the main tree, empty for the superdataset itself; ``branch`` is empty where jj
    drives it, which has HEAD on none. ``target`` is ``theirs`` where
    that is a fast-forward, else the merge commit.
    """

    path: str
    branch: str
    ours: Sha
    theirs: Sha
    target: Sha

    @property
    def fast_forward(self) -> bool:
        """No merge commit is needed."""
        return self.target == self.theirs


class Conflict(WtwatchError):
    """Both sides changed the same places; ``paths`` are relative to the main tree."""

    def __init__(self, message: str, hint: str, paths: tuple[str, ...]) -> None:
        super().__init__(message, hint)
        self.paths = paths


class Planner:
    """Works out the steps of a merge.

    ``pointer`` says whose pointer of code is kept where both moved it: "main", "run", or ``None`` for what
    the settings say; then nothing is done about a pointer alone (:attr:`only_pointer` is set). With
    ``scratch``, a folder, its objects go there, and are only the trees of merge commits. Subdatasets that the
    main tree does not have as repositories are noted as :attr:`missing`.
    """

    def __init__(self, project: Project, pointer: str | None, scratch: Path | None = None) -> None:
        self.project = project
        self.asked = pointer is not None
        self.pointer = pointer or project.merge_pointer
        self.scratch = scratch
        self.only_pointer = False
        self.missing: list[str] = []
        self._away = frozenset(nested.away(project))

    def steps_to_bookmark(self, theirs: Sha | None = None) -> list[Step]:
        """Return all steps, deepest first; ``theirs`` is another commit than the run branch is at."""
        theirs = theirs or refs.tip_of(Repo(self.project.main_tree), self.project.branch_ref)
        return self._steps("", theirs) if theirs else []

    def _steps(self, path: str, theirs: Sha) -> list[Step]:
        repo = Repo(self.project.main_tree / path)
        if self.scratch:  # each its own: what stands for a commit here is a tree there
            objects = self.scratch / path / "objects"
            objects.mkdir(parents=True)
            repo = repo.writing_to(objects)
        ours = refs.head_of(repo)
        if ours is None:
            return []
        base = self._base(repo, path, ours, theirs)
        if base == theirs:
            return []
        if not base and repo.resolve(theirs) is None:
            raise WtwatchError(
                f"{repo.path} lacks the commit {theirs[:10]} that the results name.",
                f"git -C {quoted(repo.path)} fetch --all, or `datalad update` there.",
            )
        branch = repo.branch()
        if branch is None and not jj.drives(repo.path):
            raise WtwatchError(
                f"{repo.path} has results to take, but is on no branch.",
                f"git -C {quoted(repo.path)} switch BRANCH",
            )
        laid = self._laid(repo, path, ours, theirs, base)
        forward = laid is None and base == ours
        if laid is not None:
            changed, gitlinks = set(laid.wrote.paths), laid.gitlinks()
        else:
            changes = differences.between(repo, base or ours, theirs)
            changed = set() if forward else {change.path for change in changes}  # they may be many
            gitlinks = {change.path: change.after for change in changes if change.mode_after == GITLINK}
        pointer = {self.project.code}
        if not path and changed == pointer and not (forward or self.asked or self.project.paths):
            self.only_pointer = True
            return []
        if laid is not None and not changed:
            return []
        inner = self._below(repo, path, gitlinks)
        target = theirs
        if not forward:
            done = {step.path.removeprefix(f"{path}/" if path else ""): step.target for step in inner}
            tried = laid.tried(done) if laid else _try_merge(repo, ours, theirs)
            target = self._merged(repo, path, (ours, theirs), tried, done)
        return [*inner, Step(path, branch or "", ours, theirs, target)]

    def _laid(self, repo: Repo, path: str, ours: Sha, theirs: Sha, base: Sha | None) -> Over | None:
        """Return how a dataset's results come home if they are laid over main, ``None`` if they are not."""
        if self._is_laid_over(repo) if not path else base:
            from wtwatch.home.over import over, within

            if not path:
                return over(self.project, repo, ours, theirs)
            return within(repo, ours, theirs, base) if base else None
        return None

    def _is_laid_over(self, repo: Repo) -> bool:
        """Return whether results may be laid over main: code is paths there, or something came from it."""
        project = self.project
        return bool(project.paths) or refs.tip_of(repo, RunTree.of(project).fork_ref) is not None

    def _base(self, repo: Repo, path: str, ours: Sha, theirs: Sha) -> Sha | None:
        """Return where two commits part; git tells it with what is told of them in the end, if it can."""
        if (path or not self._is_laid_over(repo)) and differences.span(repo, ours, theirs).straight:
            return ours
        from wtwatch.bring import wrote

        return next(iter(wrote.shared(repo, ours, theirs)), None)

    def _below(self, repo: Repo, path: str, gitlinks: Mapping[str, Sha]) -> list[Step]:
        """Return the steps of subdatasets, by the commits that results name; the missing are noted."""
        inner: list[Step] = []
        for name, recorded in gitlinks.items():
            below = f"{path}/{name}" if path else name
            if below == self.project.code and not self.project.paths:
                continue
            if below in self._away or not (repo.path / name / ".git").exists():
                self.missing.append(below)
            else:
                inner += self._steps(below, recorded)
        return inner

    def _merged(
        self,
        repo: Repo,
        path: str,
        sides: tuple[Sha, Sha],
        tried: tuple[str, tuple[str, ...]],
        done: dict[str, Sha],
    ) -> Sha:
        """Return the merge commit of ``sides``, ours and theirs, from what was ``tried``: tree, conflicts."""
        ours, theirs = sides
        tree, conflicts = tried
        for name in [name for name in conflicts if name in done]:
            tree = repo.with_gitlink(tree, name, done[name])
            conflicts = tuple(other for other in conflicts if other != name)
        code = self.project.code if not self.project.paths else ""
        if conflicts == (code,) and not path and self.pointer in ("main", "run"):
            side = repo.tree(ours if self.pointer == "main" else theirs, code).get(code)
            if side is not None and side.mode == GITLINK:
                tree, conflicts = repo.with_gitlink(tree, code, side.sha), ()
        if conflicts == (code,) and not path:
            raise self._pointer_conflict(repo, ours, theirs)
        if conflicts:
            raise _conflict(self.project, repo, path, conflicts)
        if self.scratch:
            return Sha(tree)
        return repo.commit_tree(tree, [ours, theirs], f"Merge results of {self.project.branch}")

    def _pointer_conflict(self, repo: Repo, ours: Sha, theirs: Sha) -> Conflict:
        code = self.project.code
        sides = [] if self.scratch else pointers.sides(self.project, repo, ours, theirs)
        said = f"Only the pointer of {code} conflicts: both branches moved it. Nothing was changed."
        hint = "Say whose it shall be: wtwatch merge --pointer main   (or run)"
        return Conflict("\n".join([said, *sides]), hint, (code,))


def _try_merge(repo: Repo, ours: Sha, theirs: Sha) -> tuple[str, tuple[str, ...]]:
    """Return the tree of a merge and the paths in conflict, without touching anything (git-merge-tree(1))."""
    out = repo.git(
        "merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", ours, theirs, ok=(0, 1)
    )
    tree, *conflicts = out.split("\0")
    return tree, tuple(path for path in conflicts if path)


def _conflict(project: Project, repo: Repo, path: str, conflicts: tuple[str, ...]) -> Conflict:
    paths = tuple(f"{path}/{name}" if path else name for name in conflicts)
    shown = ", ".join(conflicts[:5]) + (f" and {len(conflicts) - 5} more" if len(conflicts) > 5 else "")
    return Conflict(
        f"The results conflict with the main branch in {len(conflicts)} places of {repo.path}: {shown}. "
        "Nothing was changed.",
        f"Merge by hand: git -C {quoted(repo.path)} merge {quoted(project.branch)}",
        paths,
    )
