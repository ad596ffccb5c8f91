"""What a main tree must be like, so that a run tree can stand beside it. Only looks, changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath

from wtwatch.doors.repo import GITLINK, Repo
from wtwatch.setup.finding import Finding, tried
from wtwatch.words.errors import CommandFailed, UsageError
from wtwatch.words.quoting import quoted


def trees_around(start: Path) -> Iterator[Path]:
    """Yield the work trees that ``start`` lies in, innermost first: a subdataset before its superdataset."""
    try:
        top = Repo(start).git("rev-parse", "--show-toplevel")
    except CommandFailed:  # no repository, or inside a git directory
        return
    while top:
        yield Path(top)
        top = Repo(Path(top)).git("rev-parse", "--show-superproject-working-tree")


def find(start: Path, code: str) -> Path:
    """Return the dataset around ``start`` that has the subdataset ``code``, else the innermost dataset.

    Raises :class:`UsageError` outside of all datasets.
    """
    around = list(trees_around(start))
    datasets = [tree for tree in around if dataset_id(tree)]
    if not datasets:
        what = f"{around[0]} is a git repository, but" if around else f"{start} is in no git repository, so"
        top = quoted(around[0] if around else start)
        raise UsageError(
            f"{what} not a DataLad dataset.",
            f"Go to the main tree of your superdataset, or make one here: datalad create --force {top}",
        )
    return next((tree for tree in datasets if has_subdataset(tree, code)), datasets[0])


def dataset_id(tree: Path) -> str | None:
    """Return the DataLad id of the dataset at ``tree``, or ``None`` if it is none."""
    if not (tree / ".datalad" / "config").is_file():
        return None
    return Repo(tree).git("config", "-f", ".datalad/config", "datalad.dataset.id", ok=(0, 1)) or None


def has_subdataset(tree: Path, path: str) -> bool:
    """Return whether the superdataset at ``tree`` has a subdataset at ``path``, installed or not."""
    listed = Repo(tree).git("ls-files", "--stage", "-z", "--", f":(literal){path}")
    return listed.startswith(f"{GITLINK} ")


def outermost(main: Path) -> Path:
    """Return the topmost superdataset that holds ``main`` (often itself)."""
    return list(trees_around(main))[-1]


def code_path(text: str) -> str:
    """Return a path of code in its plain form; raises :class:`UsageError` for what can be none."""
    path = PurePosixPath(text)
    if path == PurePosixPath():
        raise UsageError(
            f"--code {text!r} is not the path of a subdataset, but the whole superdataset, results and all.",
            "Name the folders or files in it that are code, such as --code code.",
        )
    if path.is_absolute() or ".." in path.parts:
        raise UsageError(
            f"--code {text!r} is not the path of a subdataset, or of files, within the superdataset.",
            "Give it as seen from there, such as --code code.",
        )
    if path.parts[0].startswith((".git", ".datalad")):
        raise UsageError(
            f"--code {text!r} is what git, git-annex and DataLad have for themselves.",
            "Name the folders or files that are code, such as --code code.",
        )
    return path.as_posix()


def findings(main: Path, code: str, bookmark: str) -> Iterator[Finding]:
    """Look whether a main tree can be worked with, in which code is a subdataset."""
    name = tried("bookmark's name", lambda: check_bookmark(bookmark))
    yield name
    yield from about(main)
    found = tried("code", lambda: _check_code(main, code))
    yield found
    for tree in (main, main / code) if found.ok else (main,):
        if name.ok:
            yield tried(f"branches of {tree}", partial(check_name_is_free, tree, bookmark))


def about(main: Path) -> Iterator[Finding]:
    """Look whether a main tree can be worked with, whatever its code is."""
    yield tried("main tree's branch", lambda: _check_branch(main))
    yield tried("main tree", lambda: _check_commit(main))


def _check_branch(main: Path) -> None:
    branch = Repo(main).branch()
    if branch and branch.startswith("adjusted/"):
        original = branch.split("/", 1)[1].split("(")[0]
        raise UsageError(
            f"{main} is on the adjusted branch {branch}, whose commits git-annex rewrites.",
            f"Leave it first: git -C {quoted(main)} checkout {quoted(original)}",
        )


def _check_commit(main: Path) -> None:
    if Repo(main).resolve("HEAD") is None:
        raise UsageError(f"{main} has no commit yet.", f"datalad save -d {quoted(main)} -m 'First state'")


def check_bookmark(name: str) -> None:
    """Refuse what git refuses as the name of a branch."""
    # not `--branch`, which also resolves @{-1} to another name
    fine = Repo(Path("/")).succeeds("check-ref-format", f"refs/heads/{name}")
    if not fine or name.startswith("-") or name == "HEAD":
        raise UsageError(
            f"Git forbids {name!r} as the name of a branch.",
            "Give another: --bookmark NAME (see `man git-check-ref-format`).",
        )


def check_name_is_free(tree: Path, bookmark: str) -> None:
    """Refuse what git cannot hold: the ref ``runs/alt`` needs a folder where ``runs`` is a file."""
    for ref in Repo(tree).refs("refs/heads"):
        other = ref.removeprefix("refs/heads/")
        if other.startswith(f"{bookmark}/") or bookmark.startswith(f"{other}/"):
            free = bookmark.replace("/", "-") if "/" in bookmark else f"{bookmark}-2"
            raise UsageError(
                f"Git cannot hold a branch {bookmark!r} beside the branch {other!r} of {tree}.",
                f"Choose another name, such as --bookmark {quoted(free)}.",
            )


def _check_code(main: Path, code: str) -> None:
    folder = main / code
    if not has_subdataset(main, code):
        if (folder / ".git").exists():
            raise UsageError(
                f"{folder} is a repository, but the superdataset does not know it as its subdataset.",
                f"Save it there: datalad save -d {quoted(main)} {quoted(folder)}",
            )
        raise UsageError(
            f"{main} has no subdataset {code!r}.",
            "Name the one that your code is in with --code PATH, or make it: "
            f"datalad create -d {quoted(main)} --no-annex {quoted(folder)}",
        )
    if not (folder / ".git").exists():
        raise UsageError(
            f"The subdataset {folder} is not installed.", f"datalad get -n -d {quoted(main)} {quoted(folder)}"
        )
    if (folder / ".gitmodules").exists():
        raise UsageError(
            f"{folder} has submodules of its own, which wtwatch does not move.",
            "Have what the code needs as a package in its environment, or as plain files in it.",
        )
