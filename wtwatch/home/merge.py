"""Bring results home: from the run tree's branch into the main tree, never half, never over open edits."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from wtwatch.doors.files import held, scratch_folder
from wtwatch.doors.journal import Journal
from wtwatch.doors.repo import GITLINK, Repo
from wtwatch.home import harvest
from wtwatch.project.config import Project
from wtwatch.tree import checkout
from wtwatch.tree.busy import datalad_runs_in, gits_in
from wtwatch.words.errors import Busy, CommandFailed, WtwatchError
from wtwatch.words.model import Sha
from wtwatch.words.quoting import quoted


class Step(NamedTuple):
    """What one dataset of the main tree needs: its branch goes from ``ours`` to ``target``.

    ``path`` is relative to the main tree, empty for the superdataset itself. ``target`` is ``theirs`` where
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


class Report(NamedTuple):
    """What came (or would come) home."""

    steps: tuple[Step, ...] = ()
    jobs: int = 0
    files: int = 0
    size: int = 0
    pointer_differs: bool = False
    above: Path | None = None
    commits: tuple[str, ...] = ()


class Conflict(WtwatchError):
    """Both sides changed the same places; ``paths`` are relative to the main tree."""

    def __init__(self, message: str, hint: str, paths: tuple[str, ...]) -> None:
        super().__init__(message, hint)
        self.paths = paths


def conflicts(project: Project) -> tuple[str, ...]:
    """Return the paths, relative to the main tree, that would conflict in a merge; nothing is changed."""
    try:
        with scratch_folder("wtwatch-merge-") as scratch:
            _Planner(project, project.merge_pointer, scratch).steps_to_bookmark()
    except Conflict as conflict:
        return conflict.paths
    except WtwatchError:  # what else would stop a merge is for `merge` to say
        pass
    return ()


def prepare(project: Project, pointer: str | None = None) -> Report:
    """Return what a merge would do, subdatasets first, deepest first; changes nothing but loose objects.

    A merge that was cut off is ended first. ``pointer`` decides, where only the pointer of code conflicts:
    "main" or "run" keeps that side's. Raises :class:`Conflict`, and :class:`WtwatchError` for a main tree on
    no branch, an operation that is not finished, a job under way, or files that would be overwritten.
    """
    with _lock(project):
        recover(project)
    main = Repo(project.main_tree)
    _check_main(project, main)
    steps = tuple(_Planner(project, pointer or project.merge_pointer).steps_to_bookmark())
    for step in steps:
        _check_room(Repo(main.path / step.path), step)
    if not steps:
        return Report()
    found = harvest.total(main.path, [(step.path, step.ours, step.theirs) for step in steps])
    after = steps[-1].target if not steps[-1].path else "HEAD"
    differs = _pointer_differs(project, main, after)
    return Report(steps, found.jobs, found.files, found.size, differs, _above(main), found.commits)


def _lock(project: Project) -> AbstractContextManager[int]:
    return held(project.state / "merge.lock", wait=5.0, what="the main tree")


def _check_main(project: Project, main: Repo) -> None:
    if main.branch() == project.bookmark:
        raise WtwatchError(f"The main tree is itself on the branch {project.bookmark}.", "Switch to another.")
    under_way = datalad_runs_in(project.main_tree)
    if under_way:
        raise WtwatchError(
            f"`datalad run` (pid {under_way[0].pid}) is under way in the main tree, and would save what a "
            "merge brings as its own result.",
            "Merge when it has ended.",
        )


class _Planner:
    """Works out the steps of a merge.

    With ``scratch``, a folder, its objects go there, and are only the trees of merge commits.
    """

    def __init__(self, project: Project, pointer: str, scratch: Path | None = None) -> None:
        self.project = project
        self.pointer = pointer
        self.scratch = scratch

    def steps_to_bookmark(self) -> list[Step]:
        """Return all steps, deepest first."""
        theirs = Repo(self.project.main_tree).resolve(self.project.bookmark_ref)
        return self._steps("", theirs) if theirs else []

    def _steps(self, path: str, theirs: Sha) -> list[Step]:
        repo = Repo(self.project.main_tree / path)
        if self.scratch:  # each its own: what stands for a commit here is a tree there
            objects = self.scratch / path / "objects"
            objects.mkdir(parents=True)
            repo = repo.writing_to(objects)
        ours = repo.resolve("HEAD")
        if ours is None or repo.is_ancestor(theirs, ours):
            return []
        if repo.resolve(theirs) is None:
            raise WtwatchError(
                f"{repo.path} lacks the commit {theirs[:10]} that the results name.",
                f"git -C {repo.path} fetch --all, or `datalad update` there.",
            )
        branch = repo.branch()
        if branch is None:
            raise WtwatchError(
                f"{repo.path} has results to take, but is on no branch.", f"git -C {repo.path} switch BRANCH"
            )
        inner: list[Step] = []
        for name, recorded in _changed_gitlinks(repo, ours, theirs):
            below = f"{path}/{name}" if path else name
            if below != self.project.code and (repo.path / name / ".git").exists():
                inner += self._steps(below, recorded)
        target = theirs
        if not repo.is_ancestor(ours, theirs):
            done = {step.path.removeprefix(f"{path}/" if path else ""): step.target for step in inner}
            target = self._merged(repo, path, ours, theirs, done)
        return [*inner, Step(path, branch, ours, theirs, target)]

    def _merged(self, repo: Repo, path: str, ours: Sha, theirs: Sha, done: dict[str, Sha]) -> Sha:
        tree, conflicts = _try_merge(repo, ours, theirs)
        for name in [name for name in conflicts if name in done]:
            tree = repo.with_gitlink(tree, name, done[name])
            conflicts = tuple(other for other in conflicts if other != name)
        code = self.project.code
        if conflicts == (code,) and not path and self.pointer in ("main", "run"):
            side = repo.tree(ours if self.pointer == "main" else theirs, code).get(code)
            if side is not None and side.mode == GITLINK:
                tree, conflicts = repo.with_gitlink(tree, code, side.sha), ()
        if conflicts:
            raise _conflict(self.project, repo, path, conflicts)
        if self.scratch:
            return Sha(tree)
        return repo.commit_tree(tree, [ours, theirs], f"Merge results of {self.project.bookmark}")


def _try_merge(repo: Repo, ours: Sha, theirs: Sha) -> tuple[str, tuple[str, ...]]:
    """Return the tree of a merge and the paths in conflict, without touching anything (git-merge-tree(1))."""
    out = repo.git(
        "merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", ours, theirs, ok=(0, 1)
    )
    tree, *conflicts = out.split("\0")
    return tree, tuple(path for path in conflicts if path)


def _changed_gitlinks(repo: Repo, ours: Sha, theirs: Sha) -> Iterator[tuple[str, Sha]]:
    """Yield the subdatasets that ``theirs`` changed, and the commits that it records for them."""
    base = repo.git("merge-base", ours, theirs, ok=(0, 1)) or ours
    raw = repo.git("diff-tree", "-r", "--raw", "-z", "--no-renames", base, theirs).split("\0")
    for line, path in zip(raw[::2], raw[1::2], strict=False):
        if line.split()[1] == GITLINK:
            yield path, Sha(line.split()[3])


def _conflict(project: Project, repo: Repo, path: str, conflicts: tuple[str, ...]) -> Conflict:
    paths = tuple(f"{path}/{name}" if path else name for name in conflicts)
    if paths == (project.code,):
        return Conflict(
            f"Only the pointer of {project.code} conflicts: both branches moved it. Nothing was changed.",
            "Say whose it shall be: wtwatch merge --pointer main   (or run)",
            paths,
        )
    shown = ", ".join(conflicts[:5]) + (f" and {len(conflicts) - 5} more" if len(conflicts) > 5 else "")
    return Conflict(
        f"The results conflict with the main branch in {len(conflicts)} places of {repo.path}: {shown}. "
        "Nothing was changed.",
        f"Merge by hand: git -C {repo.path} merge {project.bookmark}",
        paths,
    )


def _check_room(repo: Repo, step: Step) -> None:
    """Raise :class:`WtwatchError` if git would refuse a step, so that no step before it is done alone."""
    word, lock = repo.operation(), checkout.index_lock(repo)
    if word:
        raise WtwatchError(f"A {word} in {repo.path} is not finished.", f"git {word} --abort, or finish it.")
    if lock:
        hint = f"Wait for it; if no git runs there (it crashed), remove {lock}."
        raise Busy(f"Another git command works in {repo.path}.", hint)
    hindered = checkout.hindrances(repo, step.ours, step.target)
    if hindered:
        more = f" and {len(hindered) - 3} more" if len(hindered) > 3 else ""
        raise WtwatchError(
            f"The results would overwrite {', '.join(hindered[:3])}{more} in {repo.path}, edited or not "
            "saved there. Nothing was changed.",
            "Save it or move it away, then `wtwatch merge` again.",
        )


def _pointer_differs(project: Project, main: Repo, after: str) -> bool:
    entry = main.tree(after, project.code).get(project.code)
    return entry is not None and entry.sha != Repo(project.main_code).resolve("HEAD")


def _above(main: Repo) -> Path | None:
    above = main.git("rev-parse", "--show-superproject-working-tree")
    return Path(above) if above else None


def act(project: Project, report: Report) -> None:
    """Do the steps of a plan in order, each whole or not at all; stops at the first that git refuses.

    Journalled, so that the next merge ends one that was cut off.
    """
    with _lock(project):
        recover(project)
        for step in report.steps:
            repo, journal = Repo(project.main_tree / step.path), _journal(project)
            facts = {"path": step.path, "branch": step.branch, "from": step.ours, "to": step.target}
            journal.open(facts)
            words = ("-q", "--ff-only", "--no-autostash", "--no-overwrite-ignore", step.target)
            try:
                repo.git("merge", *words, hooks=True)
            except CommandFailed as error:
                _end_cut_off(project)
                raise WtwatchError(
                    f"Git refused to change {repo.path}, and left it as it was:\n{error.stderr.strip()}",
                    f"{_way_out(repo, error.stderr)}, then `wtwatch merge` again: it does the rest.",
                ) from error
            _make_whole(repo, step.ours, step.target)
            journal.close()


def _way_out(repo: Repo, said: str) -> str:
    if "unable to write" in said or "No space left" in said:
        return f"Make room on its disk (df -h {quoted(repo.path)})"
    return "Commit or move what it names"


def _make_whole(repo: Repo, old: Sha, new: Sha) -> None:
    """See to it that all files which a merge brought are whole: on a full disk git may end well without.

    Raises :class:`checkout.NotWhole`; the journal then stays, and the next merge goes on from there.
    """
    brought = checkout.written(checkout.between(repo, old, new))
    try:
        checkout.make_whole(repo, brought, checkout.tags(repo))
    except checkout.NotWhole as error:
        raise checkout.NotWhole(error.message, f"{error.hint} Then `wtwatch merge` again.") from error


def _journal(project: Project) -> Journal:
    return Journal(project.state / "journal.merge")


def recover(project: Project) -> None:
    """Finish or undo the step of a merge that was cut off, with the merge's lock held by the caller.

    Raises :class:`Busy` while a git is still at work in the main tree, and :class:`checkout.NotWhole` while
    its files cannot be written.
    """
    if _journal(project).read() is None:
        return
    alive = gits_in(project.main_tree)
    if alive:
        raise Busy(
            f"git (pid {alive[0].pid}) is at work in the main tree, where a merge was cut off.",
            "`wtwatch merge` again when it has ended.",
        )
    _end_cut_off(project)


def _end_cut_off(project: Project) -> None:
    cut_off = _journal(project).read()
    if cut_off is None:
        return
    repo = Repo(project.main_tree / cut_off["path"])
    if (repo.path / ".git").exists() and repo.branch() == cut_off["branch"]:
        old, new = Sha(cut_off["from"]), Sha(cut_off["to"])
        if checkout.settle(repo, old, new) == new:
            _make_whole(repo, old, new)
    _journal(project).close()
