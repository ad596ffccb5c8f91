"""Nested worktrees: survey what is there, make what is missing, adopt the rest; all or nothing."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from wtwatch import maintree
from wtwatch.errors import CommandFailed, UsageError, WtwatchError
from wtwatch.maintree import is_annexed, quoted
from wtwatch.model import Sha
from wtwatch.repo import Repo, parse_tree


@dataclass(frozen=True)
class Wanted:
    """One worktree that the run tree needs: of the repository ``main``, at ``path``.

    ``branch`` is the branch it goes on (``None``: detached), ``new_branch`` that it has to be made.
    """

    main: Path
    path: Path
    commit: Sha
    branch: str | None
    new_branch: bool

    def __str__(self) -> str:
        where = "detached" if self.branch is None else f"on {'new ' * self.new_branch}branch {self.branch}"
        return f"{self.path}, of {self.main} at {self.commit[:10]}, {where}"


@dataclass(frozen=True)
class Layout:
    """What a run tree consists of: worktrees to make, worktrees that are there, subdatasets left empty."""

    missing: tuple[Wanted, ...]
    present: tuple[Path, ...]
    empty: tuple[str, ...]

    @property
    def trees(self) -> tuple[Path, ...]:
        """All worktrees that the run tree will have."""
        return (*self.present, *(wanted.path for wanted in self.missing))


def survey(main: Path, run_tree: Path, code: str, bookmark: str, tip: Sha) -> Layout:
    """Return what there is of a run tree and what has to be made; changes nothing.

    ``main`` has passed :func:`wtwatch.maintree.check`. Raises :class:`WtwatchError` for what stands in the
    way, such as an annex that would not be shared.
    """
    repo = Repo(main)
    existing = repo.resolve(f"refs/heads/{bookmark}")
    commit = existing or repo.resolve("HEAD")
    assert commit is not None, "a main tree without a commit was refused"
    below = list(_subdatasets(main, commit))
    _check_absorbed([main, *(source for _, _, source in below)])
    present, missing, empty = [], [], []
    if _is_to_be_adopted(main, run_tree, bookmark):
        present.append(run_tree)
    else:
        _check_not_taken(repo, bookmark, run_tree)
        missing.append(Wanted(main, run_tree, commit, bookmark, existing is None))
    for path, sha, source in below:
        ours = run_tree / path
        if stands(ours):
            _check_same(source, ours)
            present.append(ours)
        elif path == code:
            missing.append(Wanted(source, ours, tip, None, False))
        elif (source / ".git").exists():
            missing.append(_sub_worktree(source, ours, bookmark, sha))
        else:
            empty.append(path)
    if code not in [path for path, _, _ in below]:
        raise WtwatchError(
            f"The branch {bookmark} of {main} has no subdataset {code}.",
            f"It was made before {code} was; make it anew: git -C {quoted(main)} branch -m {bookmark} "
            f"{bookmark}-before",
        )
    for wanted in missing:
        _check_vacant(wanted.path)
    return Layout(tuple(missing), tuple(present), tuple(empty))


def _subdatasets(main: Path, commit: Sha, below: str = "") -> Iterator[tuple[str, Sha, Path]]:
    """Yield path, commit and main worktree of each subdataset that ``commit`` names, outside in."""
    listing = Repo(main).git("ls-tree", "-r", "-z", "--full-tree", commit).split("\0")
    for entry in parse_tree("\0".join(line for line in listing if line.startswith("160000 "))):
        inside = main / entry.path
        path = f"{below}/{entry.path}" if below else entry.path
        yield path, entry.sha, inside
        if (inside / ".git").exists() and Repo(inside).resolve(entry.sha):
            yield from _subdatasets(inside, entry.sha, path)


def stands(path: Path) -> bool:
    """Return whether a worktree is at ``path``; one that git was cut off in making has no index yet."""
    return (path / ".git").exists() and (Repo(path).git_dir() / "index").exists()


def _is_to_be_adopted(main: Path, run_tree: Path, bookmark: str) -> bool:
    """Return whether a tree is at ``run_tree`` already; raises :class:`UsageError` if it cannot be used."""
    here, there = main.resolve(), run_tree.resolve()
    if there.is_relative_to(here) or here.is_relative_to(there):
        raise UsageError(
            f"The run tree {run_tree} and the main tree {main} must not lie in each other.",
            "Give another place: --run-tree PATH.",
        )
    if not os.path.lexists(run_tree) or (run_tree.is_dir() and not any(run_tree.iterdir())):
        return False
    if not os.path.lexists(run_tree / ".git"):
        raise UsageError(
            f"{run_tree} exists and is something else, not a worktree.",
            "Move it away, or give another place: --run-tree PATH.",
        )
    if not Repo(run_tree).git_dir().is_dir():
        raise UsageError(
            f"{run_tree} is a worktree, but what its .git points to is gone: was a superdataset moved?",
            f"If it belongs to {main}: git -C {quoted(main)} worktree repair {quoted(run_tree)}",
        )
    if _common_dir(run_tree) != Repo(main).common_dir():
        raise UsageError(
            f"{run_tree} is a repository, but not a worktree of {main}.",
            "Move it away, or give another place: --run-tree PATH.",
        )
    if not stands(run_tree):
        return False
    branch = Repo(run_tree).branch()
    if branch != bookmark:
        where = f"the branch {branch}" if branch else "no branch"
        raise UsageError(
            f"{run_tree} is on {where}, not on {bookmark}.",
            f"git -C {quoted(run_tree)} checkout {quoted(bookmark)}, or name its branch: --bookmark.",
        )
    return True


def _common_dir(tree: Path) -> Path | None:
    try:
        return Repo(tree).common_dir()
    except CommandFailed:  # a worktree that git was cut off in making, at its very start
        own = Repo(tree).git_dir()
        return own.parents[1] if own.parent.name == "worktrees" else None


def _sub_worktree(source: Path, ours: Path, bookmark: str, sha: Sha) -> Wanted:
    repo = Repo(source)
    if repo.resolve(sha) is None:
        raise WtwatchError(
            f"The superdataset names {sha[:10]} of {source}, which that has not got.",
            f"datalad update -d {quoted(source)}",
        )
    maintree.check_name_is_free(source, bookmark)
    branch = repo.resolve(f"refs/heads/{bookmark}")
    if branch is not None and branch != sha:
        raise WtwatchError(
            f"The branch {bookmark} of {source} is at {branch[:10]}, but the superdataset names {sha[:10]}.",
            f"Let it have another name: git -C {quoted(source)} branch -m {bookmark} {bookmark}-before",
        )
    _check_not_taken(repo, bookmark, ours)
    return Wanted(source, ours, sha, bookmark, branch is None)


def _check_not_taken(repo: Repo, branch: str, by: Path) -> None:
    """Refuse a branch that another worktree than the one ``by`` is on: git allows it once."""
    tree = ""
    for field in repo.git("worktree", "list", "--porcelain", "-z").split("\0"):
        if field.startswith("worktree "):
            tree = field.removeprefix("worktree ")
        elif field == f"branch refs/heads/{branch}" and Path(tree).resolve() != by.resolve():
            other = next((name for name in ("main", "master") if repo.resolve(f"refs/heads/{name}")), None)
            switch = f"switch {other}" if other else "switch -c main"
            raise UsageError(
                f"The branch {branch} is checked out in {tree}, and git allows that once.",
                f"Take it off there: git -C {quoted(tree)} {switch}\n"
                f"Or choose another name (--bookmark), or adopt that tree (--run-tree {quoted(tree)}).",
            )


def _check_same(source: Path, ours: Path) -> None:
    if not (source / ".git").exists() or Repo(ours).common_dir() != Repo(source).common_dir():
        raise WtwatchError(
            f"{ours} is a clone of its own, not a worktree of {source}: what is made there stays there.",
            "Bring its content home (datalad push), move it away, and run `wtwatch init` again.",
        )
    if not shares_annex(source, ours):
        raise WtwatchError(
            f"{ours} has an annex of its own, so what is made there is invisible in {source}.",
            f"Bring its content home (git -C {quoted(ours)} annex copy --all --to …), move it away, and run "
            "`wtwatch init` again.",
        )


def _check_absorbed(trees: Sequence[Path]) -> None:
    absorbed = [tree for tree in trees if (tree / ".git").exists() and maintree.is_absorbed(tree)]
    trapped = [tree for tree in absorbed if is_annexed(tree)]
    if not trapped:
        return
    steps = []
    for tree in reversed(absorbed):  # inner ones lie in the git directories of outer ones
        link, place = quoted(tree / ".git"), quoted(Repo(tree).git_dir())
        steps += [
            f"rm {link}",
            f"mv {place} {link}",
            f"git config -f {link}/config --unset-all core.worktree",
        ]
    raise WtwatchError(
        f"The git directory of {trapped[0]} is absorbed into its superdataset, so a worktree of it would "
        "have an annex of its own.",
        "Bring it back in place:\n" + "\n".join(f"  {step}" for step in steps),
    )


def shares_annex(main: Path, worktree: Path) -> bool:
    """Return whether content that arrives in ``worktree`` is seen from ``main``: one annex for both."""
    if not is_annexed(main):
        return True
    ours = Repo(worktree).git_dir() / "annex"
    # git-annex links it when it first works in a worktree
    return not os.path.lexists(ours) or ours.resolve() == (Repo(main).common_dir() / "annex").resolve()


@contextmanager
def made(layout: Layout, reason: str) -> Iterator[None]:
    """Make what is missing, locked with ``reason``; if that or the body fails, take all of it back."""
    above = [folder for wanted in layout.missing[:1] for folder in wanted.path.parents if not folder.exists()]
    begun: list[tuple[Wanted, bool]] = []
    try:
        for wanted in layout.missing:
            _clear_half_made(wanted)
            begun.append((wanted, wanted.path.is_dir()))
            _add(wanted, reason)
        yield
    except BaseException:
        for wanted, was_folder in reversed(begun):
            _take_back(wanted)
            if was_folder:
                wanted.path.mkdir(parents=True, exist_ok=True)
        for folder in above:
            with suppress(OSError):
                folder.rmdir()
        raise


def _check_vacant(path: Path) -> None:
    if not os.path.lexists(path) or (path.is_dir() and not path.is_symlink() and not any(path.iterdir())):
        return
    own = _own_files(path) if (path / ".git").exists() else _some_files(path)
    if own:
        raise WtwatchError(
            f"{path} holds files where a worktree has to be, such as {own[0]}.",
            "Move them away, then run `wtwatch init` again.",
        )


def _some_files(path: Path) -> list[str]:
    return sorted(os.listdir(path)) if path.is_dir() else [path.name]  # noqa: PTH208 - names alone


def _own_files(half_made: Path) -> list[str]:
    """Return the files in a worktree that git was cut off in making which are not what git wrote there."""
    repo = Repo(half_made)
    if not _knows_head(repo):
        return [name for name in _some_files(half_made) if name != ".git"]
    with tempfile.TemporaryDirectory(prefix="wtwatch-") as scratch:
        env = {"GIT_INDEX_FILE": str(Path(scratch) / "index")}
        repo.git("read-tree", "HEAD", env=env)
        status = repo.git("status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", env=env)
    return [line[3:] for line in status.split("\0") if line and line[:2] != " D"]


def _knows_head(repo: Repo) -> bool:
    try:
        return repo.resolve("HEAD") is not None
    except CommandFailed:
        return False


def _clear_half_made(wanted: Wanted) -> None:
    """Remove what is left of a worktree that was cut off in the making, or whose folder was deleted."""
    if wanted.path in Repo(wanted.main).worktrees():
        _check_vacant(wanted.path)
        _remove(wanted)


def _add(wanted: Wanted, reason: str) -> None:
    repo = Repo(wanted.main)
    where = ["--detach"] if wanted.branch is None else ["-b", wanted.branch] if wanted.new_branch else []
    what = wanted.branch if wanted.branch and not wanted.new_branch else wanted.commit
    repo.git("worktree", "add", "-q", "--lock", "--reason", reason, *where, "--", str(wanted.path), what)
    new = Repo(wanted.path)
    if new.git("config", "--type=bool", "core.sparseCheckout", ok=(0, 1)) == "true":
        new.git("sparse-checkout", "disable")  # git-worktree(1) copies it; results would lose all other files
    if is_annexed(wanted.main):
        new.git("annex", "smudge", "--update", hooks=True)
        if not shares_annex(wanted.main, wanted.path):
            raise WtwatchError(
                f"The new worktree {wanted.path} does not share the annex of {wanted.main}.",
                "See `git annex info` in both; is git-annex older than 10?",
            )


def _take_back(wanted: Wanted) -> None:
    _remove(wanted)
    if wanted.branch and wanted.new_branch:
        with suppress(CommandFailed):
            Repo(wanted.main).git("update-ref", "-d", f"refs/heads/{wanted.branch}", wanted.commit)


def _remove(wanted: Wanted) -> None:
    """Remove a worktree that we made; git's own `remove` fails where git-annex made a symlink of `.git`."""
    shutil.rmtree(wanted.path, ignore_errors=True)
    with suppress(CommandFailed):  # it was not registered yet
        Repo(wanted.main).git("worktree", "remove", "--force", "--force", "--", str(wanted.path))


def lock(trees: Sequence[Path], reason: str) -> None:
    """Lock worktrees, so that a prune while their disk is unmounted cannot lose them (git-worktree(1))."""
    for tree in trees:
        repo = Repo(tree)
        if not (repo.git_dir() / "locked").exists():
            repo.git("worktree", "lock", "--reason", reason, "--", str(tree))


def unlock(trees: Sequence[Path], reason: str) -> None:
    """Take away the locks that :func:`lock` made with this ``reason``; those of others stay."""
    for tree in trees:
        mark = Repo(tree).git_dir() / "locked"
        with suppress(OSError, CommandFailed):
            if mark.read_text(encoding="utf-8").strip() == reason:
                Repo(tree).git("worktree", "unlock", "--", str(tree))
