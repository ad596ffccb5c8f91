"""Code that is paths of the superdataset itself: which these are, and whether they can be followed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from functools import partial
from pathlib import Path, PurePosixPath

from wtwatch.doors import jj
from wtwatch.doors.repo import GITLINK, Repo
from wtwatch.project.config import Project
from wtwatch.setup import maintree
from wtwatch.setup.finding import Finding, tried
from wtwatch.words.errors import UsageError
from wtwatch.words.quoting import quoted

FOLDERS = ("code", "src", "scripts", "bin", "workflow")
"""Where datasets have their code, the first as `datalad create -c yoda` makes it."""

SCRIPTS = (
    "*.py", "*.R", "*.sh", "*.m", "*.jl", "*.ipynb", "Makefile", "Snakefile", "pyproject.toml",
    "requirements*.txt", "uv.lock", "poetry.lock", "environment.yml",
)  # fmt: skip
"""What is code at the top of a dataset that has no folder for it."""

_DESCRIBE = (".gitattributes", ".gitignore", ".gitkeep")

BOOKMARK, RUN_BRANCH = "runs-code", "runs"
"""What the two branches are called by default (``runs/code`` could not be beside ``runs``)."""


def found_in(main: Path) -> tuple[str, ...]:
    """Return which tracked paths of a main tree are its code, as far as one can tell; perhaps none."""
    tops = _tops(main)
    folders = tuple(name for name in FOLDERS if name in tops and (main / name).is_dir())
    with_files = tuple(name for name in folders if number_of_files(main, name))
    if with_files:
        return with_files
    return tuple(name for name in tops if _is_script(name))


def _tops(main: Path) -> list[str]:
    return Repo(main).git("ls-tree", "--name-only", "-z", "HEAD", ok=(0, 128)).split("\0")


def _is_script(name: str) -> bool:
    return any(fnmatch(name, pattern) for pattern in SCRIPTS)


def number_of_files(main: Path, path: str) -> int:
    """Return how many files git tracks at a path, other than those that only describe a folder."""
    listed = Repo(main).git("ls-files", "-z", "--", f":(top,literal){path}").split("\0")
    return sum(bool(name) and not name.endswith(_DESCRIBE) for name in listed)


def findings(project: Project) -> Iterator[Finding]:
    """Look whether a main tree can be worked with, in which code is paths."""
    main = project.main_tree
    names = [
        tried("bookmark's name", partial(maintree.check_bookmark, name))
        for name in (project.bookmark, project.branch)
    ]
    yield from names
    yield from maintree.about(main)
    yield tried("bookmark and branches", lambda: _check_names(project))
    yield tried("history", lambda: _check_history(main))
    yield tried("code", lambda: check_paths(main, project.paths))
    if all(name.ok for name in names):
        for name in (project.bookmark, project.branch):
            yield tried(f"branches of {main}", partial(maintree.check_name_is_free, main, name))


def check_paths(main: Path, paths: Sequence[str]) -> None:
    """Raise :class:`UsageError` for paths that cannot be code, or lie in each other."""
    repo = Repo(main)
    for path in paths:
        if not repo.git("ls-files", "-z", "--", f":(top,literal){path}"):
            _check_is_here(main, path)
            save = f"datalad save -d {quoted(main)} {quoted(main / path)}"
            raise UsageError(
                f"{main / path} is not tracked by git, so it cannot be followed.",
                f"Save it: {save}; or name another path: --code PATH",
            )
    for one in paths:
        inside = next((other for other in paths if other != one and other.startswith(f"{one}/")), None)
        if inside is not None:
            raise UsageError(f"The code path {inside} lies in {one}.", f"Leave it out: --code {quoted(one)}")


def _check_is_here(main: Path, path: str) -> None:
    if not os.path.lexists(main / path):
        raise UsageError(f"{main / path} is not there.", "Name folders or files that are: --code PATH")
    above = (str(folder) for folder in PurePosixPath(path).parents if str(folder) != ".")
    dataset = next((folder for folder in above if (main / folder / ".git").exists()), None)
    if dataset is not None:
        raise UsageError(
            f"{main / path} lies in the subdataset {dataset}, which is code as a whole, or not at all.",
            f"Name that: --code {quoted(dataset)}",
        )


def _check_names(project: Project) -> None:
    main = Repo(project.main_tree).branch()
    if project.bookmark == project.branch:
        raise UsageError(
            f"{project.bookmark} cannot be both the bookmark and the branch for results, as code is no "
            "subdataset.",
            f"Choose another name: --bookmark {BOOKMARK}",
        )
    for name, what in ((project.bookmark, "the bookmark"), (project.branch, "the branch for results")):
        if name == main:
            raise UsageError(
                f"The main tree is itself on {name}, which cannot be {what}.",
                "Choose another name: --bookmark NAME.",
            )


def _check_history(main: Path) -> None:
    if Repo(main).git("rev-parse", "--is-shallow-repository") == "true":
        raise UsageError(
            f"{main} is a shallow clone, so what came from where cannot be told.",
            f"Get the rest: git -C {quoted(main)} fetch --unshallow",
        )


def remarks(project: Project) -> Iterator[str]:
    """Yield what one ought to know of code that is paths: in the annex, or with litter that git would see."""
    main, repo = project.main_tree, Repo(project.main_tree)
    literal = [f":(top,literal){path}" for path in project.paths]
    listed = repo.git("ls-files", "--stage", "-z", "--", *literal).split("\0")
    links = [line.partition("\t")[2] for line in listed if line.startswith("120000 ")]
    annexed = [path for path in links if ".git/annex/objects/" in str((main / path).readlink())]
    if annexed:
        yield from _into_git(project, annexed)
    yield from _litter(project, repo)
    yield from _beside(project)
    nested = [line.partition("\t")[2] for line in listed if line.startswith(f"{GITLINK} ")]
    if nested:
        yield f"  {nested[0]} in it is a subdataset ({len(nested)}): what is released is its commit."
    words = ("log", "-1", "--format=%h %s", "--fixed-strings", "--grep=[DATALAD RUNCMD]", "HEAD", "--")
    record = repo.git(*words, *literal)
    if record:
        yield (
            f"  A DataLad run wrote into code before ({record}): done again as a job, it fails. Have such "
            "files elsewhere, or make them in the main tree."
        )
    if jj.drives(main):
        yield (
            "  jj drives the superdataset: it commits the content of an unlocked annexed file into git. Lock "
            "them (git annex lock), or save with datalad."
        )


def _into_git(project: Project, annexed: list[str]) -> Iterator[str]:
    """Yield what comes of code in the annex, and the lines that have it in git from now on.

    What was annexed stays so when it is saved again, thus it is taken out of the annex first
    (git-annex-unannex(1), which leaves the content to what older commits name).
    """
    main, paths = project.main_tree, " ".join(map(quoted, project.paths))
    more = f" and {len(annexed) - 1} more" if len(annexed) > 1 else ""
    patterns = [f"/{path}/**" if (main / path).is_dir() else f"/{path}" for path in project.paths]
    wanted = " ".join(quoted(pattern.replace(" ", "?")) for pattern in patterns)  # gitattributes(5)
    yield f"  {annexed[0]}{more}: in the annex. Python follows such a link, and does not find what"
    yield "  lies beside the script. To have code in git:"
    yield f"    cd {quoted(main)} && printf '%s annex.largefiles=nothing\\n' {wanted} >> .gitattributes"
    yield f"    git annex unannex {paths} && datalad save -m 'code in git' .gitattributes {paths}"
    yield "    wtwatch release"


def _beside(project: Project) -> Iterator[str]:
    """Yield what looks like code, lies at the top, and is not followed; and the line that has it followed."""
    beside = [name for name in _tops(project.main_tree) if _is_script(name) and name not in project.paths]
    if beside:
        named = beside[:3]
        more = f" and {len(beside) - 3} more" if len(beside) > 3 else ""
        words = " ".join(f"--code {quoted(path)}" for path in (*project.paths, *named))
        yield f"  Beside it, so they come from main as they are: {', '.join(named)}{more}."
        yield "  To have them released as code too:"
        yield f"    wtwatch forget, then wtwatch init {words}"


def _litter(project: Project, repo: Repo) -> Iterator[str]:
    """Yield what jobs leave in code that git does not ignore, and the line that has it ignored."""
    first = project.paths[0]
    top = f"{first}/" if (project.main_tree / first).is_dir() else ""
    seen = [
        name for name in (".venv/", "__pycache__/") if not repo.succeeds("check-ignore", "-q", f"{top}{name}")
    ]
    if seen:
        named = " and ".join(f"{top}{name}" for name in seen)
        yield f"  Not ignored by git: {named}; `datalad save` would take it into the dataset."
        yield f"    echo {' '.join(seen)} | tr ' ' '\\n' >> {quoted(project.main_tree / '.gitignore')}"
