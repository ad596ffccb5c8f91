"""Bring results home: from the run tree's branch into the main tree, never half, never over open edits."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from wtwatch.config import Project
from wtwatch.errors import CommandFailed, WtwatchError
from wtwatch.model import Sha
from wtwatch.processes import datalad_runs_in
from wtwatch.repo import GITLINK, Repo, history

_MARK = "[DATALAD RUNCMD]"


@dataclass(frozen=True)
class Step:
    """What one dataset of the main tree needs: its branch goes from ``ours`` to ``result``.

    ``result`` is ``theirs`` where that is a fast-forward, else ``None`` until the merge commit is made of
    ``tree``, the merged files.
    """

    path: str
    branch: str
    ours: Sha
    theirs: Sha
    tree: str | None = None

    @property
    def fast_forward(self) -> bool:
        """No merge commit is needed."""
        return self.tree is None


@dataclass(frozen=True)
class Report:
    """What came (or would come) home."""

    steps: tuple[Step, ...] = ()
    jobs: int = 0
    files: int = 0
    size: int = 0
    pointer_differs: bool = False
    above: Path | None = None
    commits: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class Standing:
    """How the main branch and the run branch stand to each other; ``conflicts`` are paths."""

    ahead: int
    behind: int
    conflicts: tuple[str, ...] = ()


def standing(project: Project) -> Standing:
    """Return how many commits the run tree is ahead and behind, and which paths would conflict."""
    repo = Repo(project.main_tree)
    counts = repo.git("rev-list", "--left-right", "--count", f"HEAD...{project.bookmark_ref}", ok=(0, 128))
    if not counts:
        return Standing(0, 0)
    behind, ahead = (int(word) for word in counts.split())
    if not (ahead and behind):
        return Standing(ahead, behind)
    ours, theirs = repo.resolve("HEAD"), repo.resolve(project.bookmark_ref)
    assert ours and theirs
    _, conflicts = _try_merge(repo, ours, theirs)
    return Standing(ahead, behind, tuple(path for path in conflicts if not _decidable(project, path)))


def _decidable(project: Project, path: str) -> bool:
    return path == project.code and project.merge_pointer != "ask"


def _try_merge(repo: Repo, ours: Sha, theirs: Sha) -> tuple[str, tuple[str, ...]]:
    """Return the tree of a merge and the paths in conflict, without touching anything (git-merge-tree(1))."""
    out = repo.git(
        "merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", ours, theirs, ok=(0, 1)
    )
    tree, *conflicts = out.split("\0")
    return tree, tuple(path for path in conflicts if path)


def plan(project: Project, pointer: str | None = None) -> Report:
    """Return what a merge would do, subdatasets first, deepest first; changes nothing but loose objects.

    ``pointer`` decides, where only the pointer of code conflicts: "main" or "run" keeps that side's. Raises
    :class:`WtwatchError` for a conflict, a main tree on no branch, or an operation that is not finished.
    """
    main = Repo(project.main_tree)
    _check_main(project, main)
    steps = []
    for path in _subdatasets_with_results(project):
        step = _step(project, path, "ask")
        if step:
            steps.append(step)
    step = _step(project, "", pointer or project.merge_pointer)
    if step:
        steps.append(step)
    if step is None:
        return Report(tuple(steps))
    jobs, files, size, commits = _count(project, step)
    after = step.theirs if step.fast_forward else step.tree or ""
    return Report(
        tuple(steps), jobs, files, size, _pointer_differs(project, main, after), _above(main), commits
    )


def _check_main(project: Project, main: Repo) -> None:
    if main.branch() is None:
        raise WtwatchError(
            f"The main tree {main.path} is on no branch, so results would belong nowhere.",
            f"git -C {main.path} switch BRANCH",
        )
    if main.branch() == project.bookmark:
        raise WtwatchError(f"The main tree is itself on the branch {project.bookmark}.", "Switch to another.")
    word = main.operation()
    if word:
        raise WtwatchError(
            f"A {word} of the main tree is not finished.", f"git {word} --abort, or finish it."
        )
    under_way = datalad_runs_in(project.main_tree)
    if under_way:
        raise WtwatchError(
            f"`datalad run` (pid {under_way[0].pid}) is under way in the main tree, and would save what a "
            "merge brings as its own result.",
            "Merge when it has ended.",
        )


def _subdatasets_with_results(project: Project) -> list[str]:
    """Return the subdatasets, deepest first, whose commits in the run branch their main checkouts lack."""
    main = Repo(project.main_tree)
    ours, theirs = main.resolve("HEAD"), main.resolve(project.bookmark_ref)
    if not ours or not theirs:
        return []
    changed = _changed_gitlinks(main, ours, theirs)
    found = []
    for path in changed:
        if path == project.code or not (project.main_tree / path / ".git").exists():
            continue
        found.append(path)
        inside = Repo(project.main_tree / path)
        new = inside.resolve(project.bookmark_ref)
        old = inside.resolve("HEAD")
        if old and new:
            found += [f"{path}/{deeper}" for deeper in _changed_gitlinks(inside, old, new)]
    return sorted(found, key=lambda path: (-path.count("/"), path))


def _changed_gitlinks(repo: Repo, old: Sha, new: Sha) -> list[str]:
    base = repo.git("merge-base", old, new, ok=(0, 1)) or old
    raw = repo.git("diff-tree", "-r", "--raw", "-z", "--no-renames", base, new).split("\0")
    return [path for line, path in zip(raw[::2], raw[1::2], strict=False) if line.split()[1] == GITLINK]


def _step(project: Project, path: str, pointer: str) -> Step | None:
    repo = Repo(project.main_tree / path if path else project.main_tree)
    ours, theirs = repo.resolve("HEAD"), repo.resolve(project.bookmark_ref)
    if ours is None or theirs is None or repo.is_ancestor(theirs, ours):
        return None
    branch = repo.branch()
    if branch is None:
        raise WtwatchError(
            f"{repo.path} has results to take, but is on no branch.", f"git -C {repo.path} switch BRANCH"
        )
    if repo.is_ancestor(ours, theirs):
        return Step(path, branch, ours, theirs)
    tree, conflicts = _try_merge(repo, ours, theirs)
    if conflicts == (project.code,) and not path and pointer in ("main", "run"):
        side = repo.tree(ours if pointer == "main" else theirs, project.code)[project.code]
        tree, conflicts = repo.with_gitlink(tree, project.code, side.sha), ()
    if conflicts:
        raise WtwatchError(*_conflict(project, repo, conflicts))
    return Step(path, branch, ours, theirs, tree)


def _conflict(project: Project, repo: Repo, conflicts: tuple[str, ...]) -> tuple[str, str]:
    if conflicts == (project.code,):
        return (
            f"Only the pointer of {project.code} conflicts: both branches moved it.",
            "Say whose it shall be: wtwatch merge --pointer main   (or run)",
        )
    shown = ", ".join(conflicts[:5]) + (f" and {len(conflicts) - 5} more" if len(conflicts) > 5 else "")
    return (
        f"The results conflict with the main branch in {len(conflicts)} places of {repo.path}: {shown}. "
        "Nothing was changed.",
        f"Merge by hand: git -C {repo.path} merge {project.bookmark}",
    )


def _count(project: Project, step: Step) -> tuple[int, int, int, tuple[str, ...]]:
    """Return jobs, files and bytes that a step brings, and the subjects of its commits, oldest first."""
    repo = Repo(project.main_tree)
    base = repo.git("merge-base", step.ours, step.theirs)
    shape = ("-r", "-z", "--name-only", "--no-renames", "--diff-filter=AMT", "--ignore-submodules")
    paths = [path for path in repo.git("diff-tree", *shape, base, step.theirs).split("\0") if path]
    with history(project.main_tree) as reader:
        commits = [str(commit.summary) for commit in reader.commits(f"{step.ours}..{step.theirs}")]
        sizes = [_size(*reader.file(step.theirs, path)) for path in paths]
    jobs = sum(summary.startswith(_MARK) for summary in commits)
    return jobs, len(sizes), sum(sizes), tuple(reversed(commits))


def _size(size: int, link: str | None) -> int:
    """Return the bytes of a file's content; for an annexed one, as its key says (git-annex's key format)."""
    for part in (link or "").rsplit("/", 1)[-1].split("-"):
        if part[:1] == "s" and part[1:].isdigit():
            return int(part[1:])
    return size


def _pointer_differs(project: Project, main: Repo, after: str) -> bool:
    entry = main.tree(after, project.code).get(project.code)
    return entry is not None and entry.sha != Repo(project.main_code).resolve("HEAD")


def _above(main: Repo) -> Path | None:
    above = main.git("rev-parse", "--show-superproject-working-tree")
    return Path(above) if above else None


def act(project: Project, report: Report) -> None:
    """Do the steps of a plan in order, each whole or not at all; stops at the first that git refuses."""
    for step in report.steps:
        repo = Repo(project.main_tree / step.path if step.path else project.main_tree)
        target = step.theirs
        if step.tree is not None:
            message = f"Merge results of {project.bookmark}"
            target = Sha(
                repo.git("commit-tree", step.tree, "-p", step.ours, "-p", step.theirs, "-m", message)
            )
        try:
            repo.git("merge", "-q", "--ff-only", "--no-overwrite-ignore", target, hooks=True)
        except CommandFailed as error:
            raise WtwatchError(
                f"Git refused to change {repo.path}, and left it as it was:\n{error.stderr.strip()}",
                "Commit or move what it names, then `wtwatch merge` again.",
            ) from error
