"""What a nested run tree consists of: survey what is there, decide what has to be made. Changes nothing."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from wtwatch.doors.porcelain import parse_tree
from wtwatch.doors.repo import Repo
from wtwatch.setup import maintree
from wtwatch.setup.dotgit import check_absorbed, check_links, shares_annex
from wtwatch.setup.finding import Finding, tried
from wtwatch.words.errors import CommandFailed, UsageError, WtwatchError
from wtwatch.words.model import Sha
from wtwatch.words.quoting import quoted


class Wanted(NamedTuple):
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


class Layout(NamedTuple):
    """What a run tree consists of: worktrees to make, worktrees that are there, subdatasets left empty."""

    missing: tuple[Wanted, ...]
    present: tuple[Path, ...]
    empty: tuple[str, ...]

    @property
    def trees(self) -> tuple[Path, ...]:
        """All worktrees that the run tree will have."""
        return (*self.present, *(wanted.path for wanted in self.missing))


def findings(main: Path, run_tree: Path, code: str, bookmark: str) -> Iterator[Finding]:
    """Look for what stands in the way of a run tree, such as an annex that would not be shared.

    ``main`` has passed :func:`wtwatch.setup.maintree.findings`. ``code`` is empty where it is no subdataset.
    """
    below = list(subdatasets(main, _commit(main, bookmark)))
    yield tried("git directories", lambda: check_absorbed([main, *(one.source for one in below)]))
    pairs = [(main, run_tree), *((one.source, run_tree / one.path) for one in below)]
    for found in (
        tried("links of worktrees", lambda: check_links(pairs)),
        tried("run tree", lambda: _check_place(main, run_tree, bookmark, paths=not code)),
    ):
        yield found
        if not found.ok:  # who knows what lies below
            return
    for one in below:
        yield tried(f"subdataset {one.path}", partial(check_below, one, run_tree, code, bookmark))
    if code:
        yield tried("code in the run tree", lambda: _check_has_code(main, code, bookmark, below))
    for wanted in survey(main, run_tree, code, bookmark, Sha("")).missing:
        yield tried(str(wanted.path), partial(check_vacant, wanted.path))


def survey(main: Path, run_tree: Path, code: str, bookmark: str, tip: Sha) -> Layout:
    """Return what there is of a run tree and what has to be made, ``code`` at ``tip``; changes nothing.

    Nothing may stand in the way: see :func:`findings`.
    """
    commit, new = _commit(main, bookmark), Repo(main).resolve(f"refs/heads/{bookmark}") is None
    present, missing, empty = [], [], []
    if stands(run_tree):
        present.append(run_tree)
    else:
        missing.append(Wanted(main, run_tree, commit, bookmark, new))
    for path, sha, source in subdatasets(main, commit):
        ours = run_tree / path
        if stands(ours):
            present.append(ours)
        elif path == code:
            missing.append(Wanted(source, ours, tip, None, False))
        elif (source / ".git").exists():
            first = Repo(source).resolve(f"refs/heads/{bookmark}") is None
            missing.append(Wanted(source, ours, sha, bookmark, first))
        else:
            empty.append(path)
    return Layout(tuple(missing), tuple(present), tuple(empty))


class Below(NamedTuple):
    """A subdataset: its path from the top, the commit that is named of it, and its main worktree."""

    path: str
    commit: Sha
    source: Path


def _commit(main: Path, bookmark: str) -> Sha:
    """Return the commit that the run tree of the superdataset is at, or will be."""
    commit = Repo(main).resolve(f"refs/heads/{bookmark}") or Repo(main).resolve("HEAD")
    assert commit is not None, "a main tree without a commit was refused"
    return commit


def subdatasets(main: Path, commit: Sha, below: str = "") -> Iterator[Below]:
    """Yield each subdataset that ``commit`` names, outside in."""
    listing = Repo(main).git("ls-tree", "-r", "-z", "--full-tree", commit).split("\0")
    for entry in parse_tree("\0".join(line for line in listing if line.startswith("160000 "))):
        inside = main / entry.path
        path = f"{below}/{entry.path}" if below else entry.path
        yield Below(path, entry.sha, inside)
        if (inside / ".git").exists() and Repo(inside).resolve(entry.sha):
            yield from subdatasets(inside, entry.sha, path)


def stands(path: Path) -> bool:
    """Return whether a worktree is at ``path``; one that git was cut off in making has no index yet."""
    return (path / ".git").exists() and (Repo(path).git_dir() / "index").exists()


def _check_place(main: Path, run_tree: Path, bookmark: str, paths: bool) -> None:
    """Refuse a place at which there is something else than this project's run tree, or nothing.

    ``bookmark`` is the branch for results, and where code is ``paths`` not called as the bookmark is.
    """
    here, there = main.resolve(), run_tree.resolve()
    if there.is_relative_to(here) or here.is_relative_to(there):
        raise UsageError(
            f"The run tree {run_tree} and the main tree {main} must not lie in each other.",
            "Give another place: --run-tree PATH.",
        )
    if not os.path.lexists(run_tree) or (run_tree.is_dir() and not any(run_tree.iterdir())):
        _check_not_taken(Repo(main), bookmark, run_tree)
        return
    if not os.path.lexists(run_tree / ".git"):
        raise UsageError(
            f"{run_tree} exists and is something else, not a worktree.",
            "Move it away, or give another place: --run-tree PATH.",
        )
    if _common_dir(run_tree) != Repo(main).common_dir():
        raise UsageError(
            f"{run_tree} is a repository, but not a worktree of {main}.",
            "Move it away, or give another place: --run-tree PATH.",
        )
    if not stands(run_tree):
        _check_not_taken(Repo(main), bookmark, run_tree)
        return
    branch = Repo(run_tree).branch()
    if branch != bookmark:
        where = f"the branch {branch}" if branch else "no branch"
        other = ", or name its branch: --bookmark." if branch and not paths else ""
        raise UsageError(f"{run_tree} is on {where}, not on {bookmark}.", _back(run_tree, bookmark) + other)


def _back(run_tree: Path, branch: str) -> str:
    """Return how to put a run tree on its branch, with what was committed off any, as where jj moved that."""
    repo = Repo(run_tree)
    own = repo.branch() is None and not repo.is_ancestor("HEAD", f"refs/heads/{branch}")
    return f"git -C {quoted(run_tree)} checkout {'-B ' if own else ''}{quoted(branch)}"


def _common_dir(tree: Path) -> Path | None:
    own = Repo(tree).git_dir()
    try:
        common = Repo(tree).common_dir()
    except CommandFailed:  # a worktree that git was cut off in making, at its very start
        common = own
    return own.parents[1] if common == own and own.parent.name == "worktrees" else common


def check_below(one: Below, run_tree: Path, code: str, bookmark: str) -> None:
    """Refuse a subdataset of which the run tree cannot have a worktree, or has something else there."""
    ours = run_tree / one.path
    if stands(ours):
        _check_same(one.source, ours)
    elif one.path != code and (one.source / ".git").exists():
        _check_branch(one, ours, bookmark)


def _check_branch(one: Below, ours: Path, bookmark: str) -> None:
    """Refuse a subdataset whose worktree cannot be on the branch ``bookmark``, at the commit named of it."""
    repo, source, sha = Repo(one.source), one.source, one.commit
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
            f"Let it have another name: git -C {quoted(source)} branch -m {quoted(bookmark)} "
            f"{quoted(f'{bookmark}-before')}",
        )
    _check_not_taken(repo, bookmark, ours)


def _check_has_code(main: Path, code: str, bookmark: str, below: Iterable[Below]) -> None:
    if code not in [one.path for one in below]:
        raise WtwatchError(
            f"The branch {bookmark} of {main} has no subdataset {code}.",
            f"It was made before {code} was; make it anew: git -C {quoted(main)} branch -m "
            f"{quoted(bookmark)} {quoted(f'{bookmark}-before')}",
        )


def _check_not_taken(repo: Repo, branch: str, by: Path) -> None:
    """Refuse a branch that another worktree than the one ``by`` is on: git allows it once."""
    tree = ""
    for field in repo.git("worktree", "list", "--porcelain", "-z").split("\0"):
        if field.startswith("worktree "):
            tree = field.removeprefix("worktree ")
        elif field == f"branch refs/heads/{branch}" and Path(tree).resolve() != by.resolve():
            raise UsageError(
                f"The branch {branch} is checked out in {tree}, and git allows that once.",
                _way_out(repo, Path(tree)),
            )


def _way_out(repo: Repo, tree: Path) -> str:
    """Return how to get a branch for the run tree that is checked out in ``tree``."""
    if tree.resolve() != repo.path.resolve():
        return f"Adopt that tree: --run-tree {quoted(tree)}\nOr choose another name: --bookmark NAME."
    other = next((name for name in ("main", "master") if repo.resolve(f"refs/heads/{name}")), None)
    switch = f"switch {other}" if other else "switch -c main"
    return f"Take it off there: git -C {quoted(tree)} {switch}\nOr choose another name: --bookmark NAME."


def _check_same(source: Path, ours: Path) -> None:
    if not os.path.lexists(source / ".git"):  # made in the run tree: a merge brings it home
        return
    if Repo(ours).common_dir() != Repo(source).common_dir():
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


def check_vacant(path: Path) -> None:
    """Refuse a place with files that are not merely what git was cut off in writing."""
    if not os.path.lexists(path) or (path.is_dir() and not path.is_symlink() and not any(path.iterdir())):
        return
    half_made = (path / ".git").exists() and not stands(path)
    if half_made and (inside := _worktree_in(path)):
        raise WtwatchError(
            f"{path} has no index, and the worktree {inside} in it: it was whole once.",
            f"Give it its index back: git -C {quoted(path)} read-tree HEAD",
        )
    own = _own_files(path) if half_made else _some_files(path)
    if own:
        raise WtwatchError(
            f"{path} holds files where a worktree has to be, such as {own[0]}.",
            "Move them away, then run `wtwatch init` again.",
        )


def _some_files(path: Path) -> list[str]:
    return sorted(os.listdir(path)) if path.is_dir() else [path.name]  # noqa: PTH208 - names alone


def _worktree_in(half_made: Path) -> str | None:
    """Return a subdataset that is installed in a worktree; they are only made when that is whole."""
    repo = Repo(half_made)
    if not repo.succeeds("cat-file", "-e", "HEAD^{tree}"):
        return None
    listing = repo.git("ls-tree", "-r", "-z", "--full-tree", "HEAD").split("\0")
    links = (entry.path for entry in parse_tree("\0".join(line for line in listing if line[:6] == "160000")))
    return next((path for path in links if os.path.lexists(half_made / path / ".git")), None)


def _own_files(half_made: Path) -> list[str]:
    """Return the files in a worktree that git was cut off in making which are not what git wrote there."""
    repo = Repo(half_made)
    if not repo.succeeds("cat-file", "-e", "HEAD^{tree}"):
        return [name for name in _some_files(half_made) if name != ".git"]
    with tempfile.TemporaryDirectory(prefix="wtwatch-") as scratch:
        env = {"GIT_INDEX_FILE": str(Path(scratch) / "index")}
        repo.git("read-tree", "HEAD", env=env)
        status = repo.git("status", "--porcelain", "-z", "--no-renames", "-uall", "--ignored", env=env)
    lines = [(line[:2], line[3:]) for line in status.split("\0") if line]
    return [path for word, path in lines if word != " D" and not (word == " M" and _is_cut_off(repo, path))]


def _is_cut_off(repo: Repo, path: str) -> bool:
    """Return whether a file is the start of the committed one: git was about to write it."""
    whole = os.fsencode(repo.git("cat-file", "--filters", f"HEAD:{path}") + "\n")
    return whole.startswith((repo.path / path).read_bytes())
