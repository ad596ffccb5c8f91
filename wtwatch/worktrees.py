"""Nested worktrees: check what is there, make what is missing, adopt the rest; all or nothing."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from wtwatch.errors import CommandFailed, UsageError, WtwatchError
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
        return f"make the worktree {self.path} of {self.main} at {self.commit[:10]}, {where}"


@dataclass(frozen=True)
class Layout:
    """What a run tree consists of: worktrees to make, worktrees that are there, subdatasets left empty."""

    missing: tuple[Wanted, ...]
    present: tuple[Path, ...]
    empty: tuple[str, ...]


def find_superdataset(start: Path, code: str) -> Path:
    """Return the main tree that ``start`` lies in: the dataset around it, or around its code subdataset.

    Raises :class:`UsageError` outside of a dataset.
    """
    try:
        top = Repo(start).git("rev-parse", "--show-toplevel")
    except (CommandFailed, WtwatchError):
        top = ""
    if top:
        above = Repo(Path(top)).git("rev-parse", "--show-superproject-working-tree")
        if above and (Path(above) / code).resolve() == Path(top).resolve():
            top = above
    if not top or dataset_id(Path(top)) is None:
        where = f"{top} is a git repository, but" if top else f"{start} is in no git repository, so it is"
        raise UsageError(
            f"{where} not a DataLad dataset.",
            "Go to the main tree of your superdataset, or make one: "
            f"datalad create --force {shlex.quote(top or '.')}",
        )
    return Path(top)


def dataset_id(tree: Path) -> str | None:
    """Return the DataLad id of the dataset at ``tree``, or ``None`` if it is none."""
    if not (tree / ".datalad" / "config").is_file():
        return None
    return Repo(tree).git("config", "-f", ".datalad/config", "datalad.dataset.id", ok=(0, 1)) or None


def outermost(main: Path) -> Path:
    """Return the topmost superdataset that holds ``main`` (often itself)."""
    while True:
        above = Repo(main).git("rev-parse", "--show-superproject-working-tree")
        if not above:
            return main
        main = Path(above)


def check_main(main: Path, code: str, bookmark: str) -> None:
    """Refuse a main tree that cannot be worked with; raises :class:`UsageError` with the way out."""
    repo = Repo(main)
    branch = repo.branch()
    if branch and branch.startswith("adjusted/"):
        original = branch.split("/", 1)[1].split("(")[0]
        raise UsageError(
            f"{main} is on the adjusted branch {branch}, on which git-annex rewrites commits.",
            f"Leave it first: git -C {shlex.quote(str(main))} checkout {original}",
        )
    if not repo.succeeds("check-ref-format", "--branch", bookmark) or bookmark == "HEAD":
        raise UsageError(
            f"Git forbids {bookmark!r} as the name of a branch.", "Give another: --bookmark NAME."
        )
    _check_code(main, code)
    for tree in (main, main / code):
        _check_name_is_free(tree, bookmark)


def _check_code(main: Path, code: str) -> None:
    repo, folder = Repo(main), main / code
    listed = repo.git("ls-files", "--stage", "-z", "--", f":(literal){code}")
    is_subdataset = listed.startswith("160000 ")
    if is_subdataset and not (folder / ".git").exists():
        raise UsageError(
            f"The subdataset {code} is not installed in {main}.",
            f"datalad get -n {shlex.quote(code)}",
        )
    if is_subdataset and (folder / ".gitmodules").exists():
        raise UsageError(
            f"{folder} has submodules of its own, which wtwatch does not move.",
            "Keep what code needs as a package in its environment, or vendor it as plain files.",
        )
    if is_subdataset:
        return
    quoted, old = shlex.quote(code), shlex.quote(f"{code}.old")
    if folder.is_dir():
        raise UsageError(
            f"{folder} is a plain folder of the superdataset, not a subdataset.",
            "Turn it into one:\n"
            f"  mv {quoted} {old}\n"
            f"  git rm -r -q --cached --ignore-unmatch {quoted}\n"
            f"  git commit -q -m 'Make room for code as a subdataset'\n"
            f"  datalad create -d . --no-annex {quoted}\n"
            f"  cp -a {old}/. {quoted}/\n"
            f"  datalad save -d . -r -m 'Code is a subdataset'\n"
            "and remove the old folder when you have looked at the new one.",
        )
    raise UsageError(
        f"{main} has no subdataset {code!r}.",
        f"Name the one your code is in with --code PATH, or make it: datalad create -d . --no-annex {quoted}",
    )


def _check_name_is_free(tree: Path, bookmark: str) -> None:
    """Refuse what git cannot hold: the ref ``runs/alt`` needs a folder where ``runs`` is a file."""
    heads = [ref.removeprefix("refs/heads/") for ref in Repo(tree).refs("refs/heads")]
    for other in heads:
        if other.startswith(f"{bookmark}/") or bookmark.startswith(f"{other}/"):
            raise UsageError(
                f"Git cannot hold a branch {bookmark!r} beside the branch {other!r} of {tree}.",
                f"Choose another name, such as --bookmark {bookmark.replace('/', '-')}-2, or rename it.",
            )


def check_place(main: Path, run_tree: Path, bookmark: str) -> bool:
    """Return whether ``run_tree`` is there to be adopted; raises :class:`UsageError` if it cannot be used."""
    here, there = main.resolve(), run_tree.resolve()
    if there == here or there.is_relative_to(here) or here.is_relative_to(there):
        raise UsageError(
            f"The run tree {run_tree} and the main tree {main} must not lie in each other.",
            "Give another place: --run-tree PATH.",
        )
    if not os.path.lexists(run_tree) or (run_tree.is_dir() and not any(run_tree.iterdir())):
        return False
    if not (run_tree / ".git").exists():
        raise UsageError(
            f"{run_tree} exists and is something else, not a worktree.",
            "Give another place: --run-tree PATH.",
        )
    if Repo(run_tree).common_dir() != Repo(main).common_dir():
        raise UsageError(
            f"{run_tree} is a repository, but not a worktree of {main}.",
            "Give another place: --run-tree PATH.",
        )
    branch = Repo(run_tree).branch()
    if branch != bookmark:
        raise UsageError(
            f"{run_tree} is on {'the branch ' + branch if branch else 'no branch'}, not on {bookmark}.",
            f"git -C {shlex.quote(str(run_tree))} checkout {bookmark}, or name its branch: --bookmark.",
        )
    return True


def survey(main: Path, run_tree: Path, code: str, bookmark: str, tip: Sha) -> Layout:
    """Return what there is of a run tree and what has to be made; changes nothing.

    Raises :class:`WtwatchError` for what stands in the way, such as an annex that would not be shared.
    """
    adopted = check_place(main, run_tree, bookmark)
    repo = Repo(main)
    _check_annex(main)
    existing = repo.resolve(f"refs/heads/{bookmark}")
    commit = existing or repo.resolve("HEAD")
    if commit is None:
        raise UsageError(f"{main} has no commit yet.", "datalad save -d . -m 'First state'")
    present, missing, empty = [], [], []
    if adopted:
        present.append(run_tree)
    else:
        _check_not_taken(repo, bookmark)
        missing.append(Wanted(main, run_tree, commit, bookmark, existing is None))
    for path, sha, root in _subdatasets(main, commit):
        ours, source = run_tree / path, root / path
        if (ours / ".git").exists():
            _check_same(source, ours)
            present.append(ours)
        elif path == code:
            missing.append(Wanted(source, ours, tip, None, False))
        elif not (source / ".git").exists():
            empty.append(path)
        else:
            _check_annex(source)
            missing.append(_sub_worktree(source, ours, bookmark, sha))
    if (
        code not in {str(wanted.path.relative_to(run_tree)) for wanted in missing}
        and run_tree / code not in present
    ):
        raise WtwatchError(
            f"The branch {bookmark} of {main} has no subdataset {code}.",
            f"Merge a branch that has it: git -C {shlex.quote(str(run_tree))} merge BRANCH",
        )
    return Layout(tuple(missing), tuple(present), tuple(empty))


def _sub_worktree(source: Path, ours: Path, bookmark: str, sha: Sha) -> Wanted:
    repo = Repo(source)
    if repo.resolve(sha) is None:
        raise WtwatchError(
            f"The superdataset names {sha[:10]} of {source}, which that has not got.",
            f"datalad update -d {shlex.quote(str(source))}",
        )
    _check_name_is_free(source, bookmark)
    branch = repo.resolve(f"refs/heads/{bookmark}")
    if branch is not None and branch != sha:
        raise WtwatchError(
            f"The branch {bookmark} of {source} is at {branch[:10]}, but the superdataset names {sha[:10]}.",
            f"If nothing on it is needed: git -C {shlex.quote(str(source))} branch -f {bookmark} {sha[:10]}",
        )
    _check_not_taken(repo, bookmark)
    return Wanted(source, ours, sha, bookmark, branch is None)


def _check_not_taken(repo: Repo, branch: str) -> None:
    listing = repo.git("worktree", "list", "--porcelain", "-z").split("\0")
    tree = ""
    for field in listing:
        if field.startswith("worktree "):
            tree = field.removeprefix("worktree ")
        elif field == f"branch refs/heads/{branch}":
            raise UsageError(
                f"The branch {branch} is checked out in {tree}, and git allows that once.",
                f"Switch there (git -C {shlex.quote(tree)} switch …), adopt it with --run-tree, or use "
                "another --bookmark.",
            )


def _subdatasets(main: Path, commit: Sha, below: str = "") -> Iterator[tuple[str, Sha, Path]]:
    """Yield path, commit and the main tree's root for each subdataset that ``commit`` names, outside in."""
    root = main
    for _ in Path(below).parts:
        root = root.parent
    listing = Repo(main).git("ls-tree", "-r", "-z", "--full-tree", commit).split("\0")
    for entry in parse_tree("\0".join(line for line in listing if line.startswith("160000 "))):
        path = f"{below}/{entry.path}" if below else entry.path
        yield path, entry.sha, root
        inside = main / entry.path
        if (inside / ".git").exists() and Repo(inside).resolve(entry.sha):
            yield from _subdatasets(inside, entry.sha, path)


def _check_same(source: Path, ours: Path) -> None:
    if not (source / ".git").exists() or Repo(ours).common_dir() != Repo(source).common_dir():
        raise WtwatchError(
            f"{ours} is a clone of its own, not a worktree of {source}: what is made there stays there.",
            "Bring its content home (datalad push), move it away, and run `wtwatch init` again.",
        )
    _check_annex(source)


def is_annexed(tree: Path) -> bool:
    """Return whether the repository at ``tree`` has an annex."""
    return bool(Repo(tree).git("config", "annex.uuid", ok=(0, 1)))


def _check_annex(tree: Path) -> None:
    """Refuse a git directory that lies in the superdataset's ``.git/modules``.

    A worktree of such a repository gets an annex of its own: content made there is invisible to the main
    tree, and lost with the worktree.
    """
    if not is_annexed(tree):
        return
    git_dir = Repo(tree).common_dir()
    link = tree / ".git"
    if link.is_dir() and not link.is_symlink():
        return
    if "modules" in git_dir.parts:
        place, source = shlex.quote(str(link)), shlex.quote(str(git_dir))
        raise WtwatchError(
            f"The git directory of {tree} is absorbed into its superdataset, so a worktree of it would not "
            "share its annex.",
            f"Bring it back in place:\n  rm {place}\n  mv {source} {place}\n"
            f"  git config -f {shlex.quote(str(link / 'config'))} --unset core.worktree",
        )


def shares_annex(main: Path, worktree: Path) -> bool:
    """Return whether content that arrives in ``worktree`` is seen from ``main``: one annex for both."""
    if not is_annexed(main):
        return True
    return (Repo(worktree).git_dir() / "annex").resolve() == (Repo(main).common_dir() / "annex").resolve()


def make(layout: Layout, reason: str) -> None:
    """Make what is missing; if one of them fails, take back those that were made, and raise."""
    made: list[Wanted] = []
    try:
        for wanted in layout.missing:
            _check_vacant(wanted.path)
            made.append(wanted)
            _add(wanted, reason)
    except BaseException:
        for wanted in reversed(made):
            _take_back(wanted)
        raise


def _check_vacant(path: Path) -> None:
    if os.path.lexists(path) and (not path.is_dir() or path.is_symlink() or any(path.iterdir())):
        raise WtwatchError(
            f"{path} holds files where a worktree has to be.", "Move them away, then `wtwatch init` again."
        )


def _add(wanted: Wanted, reason: str) -> None:
    repo = Repo(wanted.main)
    where = ["--detach"] if wanted.branch is None else ["-b", wanted.branch] if wanted.new_branch else []
    what = wanted.branch if wanted.branch and not wanted.new_branch else wanted.commit
    repo.git("worktree", "add", "-q", "--lock", "--reason", reason, *where, "--", str(wanted.path), what)
    if is_annexed(wanted.main):
        Repo(wanted.path).git("annex", "smudge", "--update", hooks=True)
        if not shares_annex(wanted.main, wanted.path):
            raise WtwatchError(
                f"The new worktree {wanted.path} does not share the annex of {wanted.main}.",
                "See `git annex info` in both; is git-annex older than 10?",
            )


def _take_back(wanted: Wanted) -> None:
    repo = Repo(wanted.main)
    with suppress(CommandFailed):
        repo.git("worktree", "unlock", str(wanted.path))
    shutil.rmtree(wanted.path, ignore_errors=True)  # made by us a moment ago
    repo.git("worktree", "prune")
    if wanted.branch and wanted.new_branch:
        with suppress(CommandFailed):
            repo.git("update-ref", "-d", f"refs/heads/{wanted.branch}", wanted.commit)


def lock(trees: Sequence[Path], reason: str) -> None:
    """Lock worktrees, so that a prune while their disk is unmounted cannot lose them (git-worktree(1))."""
    for tree in trees:
        repo = Repo(tree)
        if not (repo.git_dir() / "locked").exists():
            repo.git("worktree", "lock", "--reason", reason, str(tree))
