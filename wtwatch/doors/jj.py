"""The only door to jj.

It is run in the main code tree alone: inside a linked git worktree it can act on the main checkout instead.
"""

import json
from pathlib import Path
from typing import NamedTuple

from wtwatch.doors.program import Asking
from wtwatch.doors.repo import Repo
from wtwatch.doors.toolenv import for_tools
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Sha

CONFLICT_PREFIX = ".jjconflict-"
"""Top folders of this name are in the git tree of a commit that jj holds conflicts for."""


_EDITED = "normal_target.current_working_copy() || normal_target.working_copies()"
_TEMPLATE = f'json(self) ++ "\\t" ++ if(normal_target && ({_EDITED}), "edited") ++ "\\n"'

_REVISION = (
    '"[" ++ json(commit_id.short(64)) ++ "," ++ if(root, "1", "0") ++ ","'
    ' ++ if(current_working_copy || working_copies, "1", "0")'
    ' ++ "," ++ json(description.first_line()) ++ "]\\n"'
)
"""A line of JSON for a commit: id, whether it is the root, whether a workspace edits it, its subject."""


class Bookmark(NamedTuple):
    """A bookmark as jj has it.

    ``targets`` are the commits it points to (more than one: conflicted; none: deleted); ``git`` is where
    git's branch stood when jj last looked; ``working_copy``: a workspace edits that very commit, so jj
    rewrites it with its next snapshot and takes the bookmark along.
    """

    targets: tuple[Sha, ...]
    git: Sha | None
    working_copy: bool = False


class Revision(NamedTuple):
    """A commit as jj has it.

    ``root``: the one before all others, which git does not have; ``working_copy``: a workspace edits it.
    """

    commit: Sha
    subject: str
    root: bool
    working_copy: bool


def drives(code: Path) -> bool:
    """Return whether the repository at ``code`` is also a jj workspace."""
    return (code / ".jj").is_dir()


def store(code: Path) -> Path:
    """Return the folder of jj's own store; ``.jj/repo`` of a secondary workspace is a file that names it."""
    repo = code / ".jj" / "repo"
    if repo.is_file():
        return (repo.parent / repo.read_text(encoding="utf-8").strip()).resolve()
    return repo


def operation(code: Path) -> tuple[str, ...]:
    """Return the ids of jj's present operations; they change with everything that jj does."""
    try:
        return tuple(sorted(entry.name for entry in (store(code) / "op_heads" / "heads").iterdir()))
    except OSError:
        return ()


def is_colocated(code: Path) -> bool:
    """Return whether jj's commands tell git at once: its store keeps to the repository of code's ``.git``.

    Where that is a file (of a worktree, of a submodule), the store may name it, the git directory that it
    leads to, or the one that all worktrees share (jj 0.46 tells git in each case).
    """
    backend = store(code) / "store"
    try:
        target = (backend / "git_target").read_text(encoding="utf-8").strip()
    except OSError:
        return False
    named, own = (backend / target).resolve(), code / ".git"
    if named == own.resolve():
        return True
    repo = Repo(code)
    return own.is_file() and named in (repo.git_dir(), repo.common_dir())


def _exact(name: str) -> str:
    return f"exact:{json.dumps(name, ensure_ascii=False)}"


def ask_bookmark(code: Path, name: str) -> Asking:
    """Start to read a bookmark (21 ms, so other work may go on); pass it to :func:`bookmark`."""
    return _ask(
        code, "--ignore-working-copy", "bookmark", "list", "--all-remotes", _exact(name), "-T", _TEMPLATE
    )


def bookmark(code: Path, name: str, asked: Asking | None = None) -> Bookmark:
    """Return where jj has the bookmark; the working copy is neither looked at nor snapshot."""
    targets: tuple[Sha, ...] = ()
    git: Sha | None = None
    edited = False
    with asked or ask_bookmark(code, name) as asking:
        listing = asking.answer()
    for line in filter(None, listing.splitlines()):
        facts, _, mark = line.rpartition("\t")
        entry = json.loads(facts)
        commits = tuple(Sha(target) for target in entry["target"] if target)
        if "remote" not in entry:
            targets, edited = commits, bool(mark)
        elif entry["remote"] == "git" and len(commits) == 1:
            git = commits[0]
    return Bookmark(targets, git, edited)


def set_bookmark(code: Path, name: str, revision: str) -> None:
    """Create or move the bookmark to ``revision`` (a jj revset), sideways and backwards too."""
    _run(code, "bookmark", "set", "--allow-backwards", "--revision", revision, "--", name)


def revisions(code: Path, revision: str) -> list[Revision]:
    """Return the commits that ``revision`` (a jj revset) names, two of them where there are more.

    Raises :class:`CommandFailed` for what is no revset.
    """
    listing = _run(code, "log", "--no-graph", "--limit=2", f"--revisions={revision}", "-T", _REVISION)
    found = []
    for line in listing.splitlines():
        commit, root, edited, subject = json.loads(line)
        found.append(Revision(Sha(commit), subject, bool(root), bool(edited)))
    return found


def working_copy_is_empty(code: Path) -> bool:
    """Return whether jj's working-copy commit ``@`` changes nothing; jj takes its snapshot first."""
    return _run(code, "log", "--no-graph", "-r", "@", "-T", "json(empty)").strip() == "true"


def aliases(code: Path, level: str) -> dict[str, list[str]]:
    """Return the aliases and the words they stand for; ``level``: "--repo" alone, or "--include-defaults"."""
    template = 'json(name) ++ "\\t" ++ json(value) ++ "\\n"'
    found = {}
    for line in _run(code, "config", "list", level, "aliases", "-T", template).splitlines():
        name, _, words = line.partition("\t")
        found[json.loads(name).removeprefix("aliases.")] = list(json.loads(words))
    return found


def set_alias(code: Path, name: str, words: list[str]) -> None:
    """Have ``jj NAME`` stand for ``words`` in this repository."""
    _run(code, "config", "set", "--repo", f"aliases.{name}", json.dumps(words, ensure_ascii=False))


def drop_alias(code: Path, name: str) -> None:
    """Have ``jj NAME`` no longer mean what it does by an alias of this repository."""
    _run(code, "config", "unset", "--repo", f"aliases.{name}")


def help_of(code: Path, command: str) -> str:
    """Return what jj says of one of its own commands; raises :class:`CommandFailed` if it has none such."""
    return _run(code, "help", command)


def version() -> str:
    """Return what jj says of its version, such as "jj 0.46.0"; raises :class:`WtwatchError` without one."""
    return _run(Path("/"), "--version").strip()


def _run(code: Path, *args: str) -> str:
    with _ask(code, *args) as asking:
        return asking.answer()


def _ask(code: Path, *args: str) -> Asking:
    try:
        return Asking(["jj", "--no-pager", "--color=never", *args], code, for_tools())
    except FileNotFoundError:
        raise WtwatchError(
            f"{code} is driven by jj, but jj is not on PATH.",
            "Install jj, or put it on PATH; for the service: `wtwatch service install` notes the PATH anew.",
        ) from None


def installed() -> bool:
    """Return whether jj is on PATH."""
    import shutil

    return shutil.which("jj", path=for_tools()["PATH"]) is not None
