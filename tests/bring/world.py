"""A main tree and a run tree of plain git, in which stories of a bring and of a way home are played.

Code is either a folder or a subdataset, of which only its pointer is played: an empty folder will do for git.
Files of the annex are made by hand, as links and pointers.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple, Self

from tests.mould import Mould
from wtwatch.bring import plan, wrote
from wtwatch.bring.overlay import Blocked, Code, Inside
from wtwatch.bring.plan import Planned
from wtwatch.bring.wrote import RunBranch
from wtwatch.doors.refs import head_of
from wtwatch.doors.repo import GITLINK, Repo
from wtwatch.tree import diff
from wtwatch.tree.save import SIGN
from wtwatch.words.model import Sha

Kind = Literal["paths", "subdataset"]


class Annexed(NamedTuple):
    """A file whose content git-annex has, by its key."""

    key: str
    locked: bool = True

    def text(self, path: str) -> str:
        """Return what the link at ``path`` points to, or what its pointer says."""
        if not self.locked:
            return f"/annex/objects/{self.key}\n"
        return f"{'../' * path.count('/')}.git/annex/objects/zX/9q/{self.key}/{self.key}"


class Link(NamedTuple):
    """A symlink."""

    target: str


class Nested(NamedTuple):
    """The pointer of a subdataset that is not installed."""

    commit: str


Content = str | Annexed | Link | Nested | None
"""What a file is to be; ``None``: gone."""

START: dict[str, Content] = {
    "inputs/1": "one\n",
    "inputs/2": "two\n",
    "inputs/3": "three\n",
    "params.json": '{"p": 1}\n',
    "README.md": "".join(f"line {number}\n" for number in range(20)),
}

_MOULDS: dict[tuple[Kind, tuple[str, ...]], Mould] = {}
"""Of each kind of world; see :meth:`World.built`."""


def git(where: Path, *words: str, stdin: str | None = None) -> str:
    """Run git in a folder and return what it printed."""
    done = subprocess.run(
        ["git", "-c", "maintenance.auto=false", *words],
        cwd=where,
        input=stdin,
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, f"git {' '.join(words)}: {done.stdout}{done.stderr}"
    return done.stdout.strip("\n")


def commit_id(version: str) -> str:
    """Return a made-up commit of code for a version of it."""
    return hashlib.sha1(version.encode()).hexdigest()


class World:
    """Both trees, and what wtwatch would note: where the run branch began, which release is applied."""

    def __init__(self, root: Path, kind: Kind, code: tuple[str, ...]) -> None:
        self.main = root / "main"
        self.run = root / "run"
        self.kind = kind
        self.code = code
        self.applied = self.fork = Sha("")
        self.inside: Inside | None = None

    @classmethod
    def built(cls, root: Path, kind: Kind = "paths", code: tuple[str, ...] = ("code",)) -> Self:
        """Return both trees at one commit, of code V=1 and a few inputs; the first of a kind is the mould."""
        world = cls(root, kind, code)
        if (kind, code) in _MOULDS:
            _MOULDS[kind, code].cast(root)
        else:
            world.main.mkdir(parents=True)
            git(world.main, "init", "-q", "-b", "master")
            world.edit(START, code="V=1")
            git(world.main, "worktree", "add", "-q", "-b", "runs", str(world.run))
            _MOULDS[kind, code] = Mould.of(root, world.main, world.run)
        world.applied = world.fork = world.tip()
        return world

    # the user, in the main tree

    def edit(
        self, files: Mapping[str, Content] | None = None, code: str | None = None, amend: bool = False
    ) -> Sha:
        """Commit files in the main tree, and a version of code; return the commit."""
        return self.save(self.main, {**(files or {}), **self.version(code)}, "edit", amend=amend)

    def version(self, code: str | None) -> dict[str, Content]:
        """Return the file or pointer that a version of code is."""
        if code is None:
            return {}
        if self.kind == "subdataset":
            return {"code": Nested(commit_id(code))}
        return {"code/a.py": f"{code}\n"}

    def save(self, tree: Path, files: Mapping[str, Content], said: str, amend: bool = False) -> Sha:
        """Write files into a tree and commit all that differs there."""
        for path, content in files.items():
            put(tree, path, content)
        git(tree, "add", "-A")
        git(tree, "commit", "-q", "--allow-empty", *(["--amend"] if amend else []), "-m", said)
        return self.tip(tree)

    def reset(self, commit: Sha, soft: bool = False) -> None:
        """Take main's branch back to a commit."""
        git(self.main, "reset", "-q", "--soft" if soft else "--hard", commit)

    # a job

    def job(self, files: Mapping[str, Content], said: str = "[DATALAD RUNCMD] a job") -> Sha:
        """Commit what a job wrote in the run tree; return the commit."""
        return self.save(self.run, files, said)

    # wtwatch

    def branch(self) -> RunBranch:
        """Return the run branch as it is now."""
        return RunBranch(Repo(self.run), self.tip(self.run), self.fork)

    def release(self, source: Sha | None = None, rest: Sha | None = None) -> Planned | Blocked | None:
        """Apply a release (default: main's tip); all else is that of ``rest`` (default: of the release).

        Where code is a subdataset: its pointer is saved first, by itself; then comes the rest.
        """
        source = source or self.tip()
        if self.kind == "subdataset":
            self.point(source)
            return self.from_main(rest or source)
        code = Code(self.code, source, self.applied)
        done = plan.release(self.branch(), rest or source, code, self.inside)
        if not isinstance(done, Blocked):
            self.move(self.run, done, source)
            self.applied = source
        return done

    def point(self, source: Sha) -> None:
        """Save the pointer of code as a release has it, as wtwatch does at each move."""
        self.applied = source
        pointer = entry(self.run, source, "code")
        assert pointer is not None
        if entry(self.run, "HEAD", "code") != pointer:
            self.job({"code": Nested(pointer[1])}, f"code: new pointer\n\n{SIGN}")

    def from_main(self, main: Sha | None = None) -> Planned | Blocked | None:
        """Bring what main has and the run tree lacks."""
        branch = self.branch()
        done = plan.from_main(branch, main or self.tip(), self.code, self.inside)
        if not isinstance(done, Blocked):
            self.move(self.run, done, branch.tip)
        return done

    def home(self) -> Planned | Blocked | None:
        """Take results into the main tree."""
        applied = self.applied if self.kind == "paths" else None
        code = Code(self.code, self.tip(), applied)
        done = plan.home(self.branch(), code, "Merge results", self.inside)
        if not isinstance(done, Blocked):
            self.move(self.main, done, self.tip())
        return done

    def move(self, tree: Path, planned: Planned | None, source: Sha) -> None:
        """Take a tree to a commit that was planned, as wtwatch does.

        All is clean then, and code as the source of it has it.
        """
        if planned is not None:
            known = diff.between(Repo(tree), self.tip(tree), planned.commit)
            words = ("diff-tree", "-r", "--raw", "--no-renames", "-z", self.tip(tree), planned.commit)
            assert known == diff.changes_in(git(tree, *words)), "what is noted is what git says"
            git(tree, "merge", "-q", "--ff-only", "--no-overwrite-ignore", planned.commit)
            assert git(tree, "status", "--porcelain") == ""
            git(tree, "diff-tree", "-r", "--exit-code", source, planned.commit, "--", *self.code)

    # what there is

    def tip(self, tree: Path | None = None) -> Sha:
        """Return the commit at which a tree stands (default: the main tree)."""
        found = head_of(Repo(tree or self.main))
        assert found is not None
        return found

    def in_run(self, path: str) -> str | None:
        """Return what the run tree has at a path, ``None`` if nothing."""
        return text(self.run, path)

    def in_main(self, path: str) -> str | None:
        """Return what the main tree has at a path, ``None`` if nothing."""
        return text(self.main, path)

    def has_code(self, tree: Path, code: str) -> bool:
        """Return whether the commit of a tree has this version of code."""
        if self.kind == "subdataset":
            return entry(tree, "HEAD", "code") == (GITLINK, commit_id(code))
        return text(tree, "code/a.py") == f"{code}\n"

    def wrote(self, target: Sha | None = None) -> tuple[str, ...]:
        """Return which paths were written that a target (default: main) does not hold."""
        return wrote.since(self.branch(), target or self.tip()).paths


def put(tree: Path, path: str, content: Content) -> None:
    """Make a path of a work tree be this, and what is in its way be gone."""
    file = tree / path
    for above in file.parents:
        if above.is_symlink() or above.is_file():
            above.unlink()
    if file.is_symlink() or file.is_file():
        file.unlink()
    elif file.is_dir() and not isinstance(content, Nested):
        shutil.rmtree(file)
    if isinstance(content, Nested):
        file.mkdir(parents=True, exist_ok=True)
        git(tree, "update-index", "--add", "--cacheinfo", f"{GITLINK},{content.commit},{path}")
    elif content is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Link):
            file.symlink_to(content.target)
        elif isinstance(content, Annexed) and content.locked:
            file.symlink_to(content.text(path))
        else:
            file.write_text(content.text(path) if isinstance(content, Annexed) else content)


def text(tree: Path, path: str) -> str | None:
    """Return what a file says, or where a link points to; ``None`` if there is neither."""
    file = tree / path
    if file.is_symlink():
        return str(file.readlink())
    return file.read_text() if file.is_file() else None


def entry(where: Path, commit: str, path: str) -> tuple[str, str] | None:
    """Return mode and id of what a commit has at a path."""
    listed = git(where, "ls-tree", commit, "--", path)
    mode, _, rest = listed.partition(" ")
    return (mode, rest.split()[1]) if listed else None
