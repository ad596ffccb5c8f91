"""The only door to git, always with a clean environment.

Plumbing goes to the git program itself: it is the reference, and a status must not wait 95 ms for an
import. Where objects are wanted, :mod:`wtwatch.doors.history` reads them.
"""

from __future__ import annotations

import os
import re
import select
import subprocess
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from wtwatch.doors.porcelain import GITLINK as GITLINK  # noqa: PLC0414 - part of what this door offers
from wtwatch.doors.porcelain import (
    Changes,
    GitObject,
    TreeEntry,
    entries_of_all,
    folders_above,
    parse_objects,
    parse_status,
    parse_tree,
)
from wtwatch.doors.program import LIMIT, Asking
from wtwatch.doors.toolenv import for_tools
from wtwatch.words.errors import CommandFailed, NoIdentity, WtwatchError
from wtwatch.words.model import Sha

ZERO = Sha("0" * 40)
"""The id that stands for "no object" (git-update-ref(1))."""

UNFILTERED = ("-c", "filter.annex.process=")
"""Goes before a command, which then takes files as they lie on the disk: an empty filter is none.

Else git starts git-annex, which takes ten times as long as itself, if a file was written in the second in
which it wrote its index. What is as git has it byte for byte is no edit; what is not may be none as well,
where it is the content of an unlocked file.
"""

_LINE = 1 << 16
"""Bytes of a file with one line, at most."""

_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")

# what git leaves in a work tree's git directory while it waits for the user (wt-status.c of git)
_OPERATIONS = {
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
    "MERGE_HEAD": "merge",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
    "BISECT_LOG": "bisect",
}


class GitAsking(Asking):
    """A git at work; its answer comes without the last newline."""

    @staticmethod
    def shown(command: Sequence[str]) -> list[str]:
        """Return the command without the settings that wtwatch gives to each."""
        return _without_settings(command)

    def answer(self, ok: Iterable[int] | None = (0,), stdin: str | None = None) -> str:
        """Return what git printed; see :meth:`Asking.answer`."""
        return super().answer(ok, stdin).removesuffix("\n")

    def objects(self) -> tuple[GitObject | None, ...]:
        """Return what :meth:`Repo.ask_objects` asked for, name by name."""
        return parse_objects(self.printed())


class Repo:
    """A work tree of a git repository, by its path. Cheap: holds nothing open.

    ``env`` are variables that each git here is given.
    """

    def __init__(self, path: Path, env: Mapping[str, str] | None = None) -> None:
        self.path = path
        self._env = dict(env or {})

    def ask(
        self,
        *args: str,
        env: Mapping[str, str] | None = None,
        hooks: bool = False,
        feed: bool | str = False,
        limit: float = LIMIT,
    ) -> GitAsking:
        """Start git here, and ask for its answer later; several may work side by side.

        ``hooks`` lets the repository's own hooks run; ``feed``: it is given something on standard input, or
        this text, where that or its answer is long, see :class:`Asking`; ``limit`` are the seconds that it
        may take.
        """
        settings = ["-c", "submodule.recurse=false", "-c", "gc.auto=0", "-c", "maintenance.auto=false"]
        if not hooks:  # what wtwatch does to the run tree is not what the user's hooks are for
            settings += ["-c", f"core.hooksPath={os.devnull}"]
        command = ["git", "--no-optional-locks", *settings, *args]
        try:
            given = for_tools() | self._env | dict(env or {})
            return GitAsking(command, self.path, given, feed, limit)
        except FileNotFoundError:
            if not self.path.is_dir():
                raise WtwatchError(f"The folder {self.path} is gone.") from None
            raise WtwatchError("git is not on PATH.", "Install git 2.38 or later.") from None

    def git(
        self,
        *args: str,
        ok: Iterable[int] | None = (0,),
        stdin: str | None = None,
        env: Mapping[str, str] | None = None,
        hooks: bool = False,
        limit: float = LIMIT,
    ) -> str:
        """Run git here and return what it printed, without the last newline; see :meth:`ask`.

        ``ok`` are the exit codes that are no error (``None``: all). Raises :class:`CommandFailed`.
        """
        with self.ask(*args, env=env, hooks=hooks, feed=stdin is not None, limit=limit) as asking:
            return asking.answer(ok, stdin)

    def told(self, *args: str, ok: Iterable[int] | None = (0,), stdin: str = "") -> str:
        """Return what :meth:`git` does, of a git that has much to tell."""
        with self.ask(*args, feed=stdin) as asking:
            return asking.answer(ok)

    def ask_objects(self, *names: str) -> GitAsking:
        """Start one git that reads the objects of these names, such as ``ID^{tree}`` (gitrevisions(7))."""
        text = "".join(f"{name}\n" for name in names)
        if len(text) > select.PIPE_BUF:  # it may answer before it has read all
            return self.ask("cat-file", "--batch", feed=text)
        return self.ask("cat-file", "--batch", feed=True).tell(text)

    def entries(self, *trees: str) -> list[tuple[TreeEntry, ...]]:
        """Return what each of several trees holds; raises :class:`WtwatchError` if one is not there."""
        with self.ask_objects(*trees) as asking:
            return entries_of_all(asking.objects(), trees)

    def succeeds(self, *args: str) -> bool:
        """Return whether git exits with 0."""
        with self.ask(*args) as asking:
            return asking.code() == 0

    def resolve(self, revision: str) -> Sha | None:
        """Return the commit that ``revision`` names, or ``None``."""
        if revision == "HEAD" and (detached := self.detached_at()):
            return detached
        found = self.git(
            "rev-parse", "--verify", "-q", "--end-of-options", f"{revision}^{{commit}}", ok=(0, 1, 128)
        )
        return Sha(found) if _SHA.fullmatch(found) else None  # git says ^SHA of what is to be left out

    def refs(self, *patterns: str) -> dict[str, Sha]:
        """Return full ref names and what they point to, for refs that match (git-for-each-ref(1))."""
        lines = self.git("for-each-ref", "--format=%(objectname) %(refname)", *patterns).splitlines()
        return {name: Sha(sha) for sha, name in (line.split(" ", 1) for line in lines)}

    def subject(self, commit: str) -> str:
        """Return the first line of a commit's message, or nothing where the commit is not here."""
        return self.git("log", "-1", "--format=%s", "--end-of-options", commit, ok=(0, 128))

    def subjects(self, commits: Collection[str]) -> dict[str, str]:
        """Return the first line of the message of each of many commits, by one git, where it is here."""
        if not commits:
            return {}
        asked = ("log", "--no-walk=unsorted", "--ignore-missing", "--stdin", "--format=%H %s")
        lines = self.git(*asked, ok=(0, 128), stdin="\n".join(commits) + "\n").split("\n")
        found = dict(line.partition(" ")[::2] for line in lines if line)
        return {commit: found[commit] for commit in commits if commit in found}

    def git_dir(self) -> Path:
        """Return this work tree's own git directory (``.git`` or ``.git/worktrees/ID``)."""
        return Path(self._git_dir())

    def _git_dir(self) -> str:
        link = f"{self.path}/.git"
        try:  # gitrepository-layout(5): a file with one line
            target = os.fsdecode(_content(link))
        except IsADirectoryError:  # also git-annex's symlink
            return real(link)
        except OSError:
            return self.git("rev-parse", "--absolute-git-dir")
        return real(str(self.path / target.removeprefix("gitdir: ").rstrip("\n")))

    def common_dir(self) -> Path:
        """Return the git directory that all work trees of the repository share."""
        own = self._git_dir()
        if not os.path.isfile(f"{own}/HEAD"):  # noqa: PTH113 - asked often; let git say what is wrong
            return Path(self.git("rev-parse", "--path-format=absolute", "--git-common-dir")).resolve()
        try:  # gitrepository-layout(5)
            shared = os.fsdecode(_content(f"{own}/commondir"))
        except FileNotFoundError:
            return Path(own)
        return Path(real(str(Path(own) / shared.rstrip("\n"))))

    def operation(self) -> str | None:
        """Return the operation that is under way here and waits for the user, as the word of its command."""
        folder = self.git_dir()
        return next((word for file, word in _OPERATIONS.items() if (folder / file).exists()), None)

    def branch(self) -> str | None:
        """Return the branch that HEAD is on, or ``None`` when detached."""
        head = self._head()
        if _SHA.fullmatch(head):
            return None
        name = head.removeprefix("ref: refs/heads/")
        if name not in (head, ".invalid"):  # .invalid: the refs are in a reftable
            return name
        return self.git("symbolic-ref", "-q", "--short", "HEAD", ok=(0, 1)) or None

    def detached_at(self) -> Sha | None:
        """Return the commit at which HEAD is detached, ``None`` if it is on a branch or no plain file."""
        detached = _SHA.fullmatch(self._head())
        return Sha(detached[0]) if detached else None

    def _head(self) -> str:
        """Return what the file HEAD of this work tree says, or nothing if that is not plain."""
        try:
            return (self.git_dir() / "HEAD").read_text(encoding="utf-8").rstrip("\n")
        except (OSError, UnicodeDecodeError):
            return ""

    def is_ancestor(self, old: str, new: str) -> bool:
        """Return whether ``old`` is reachable from ``new``."""
        return self.succeeds("merge-base", "--is-ancestor", old, new)

    def worktrees(self) -> dict[Path, Sha | None]:
        """Return all work trees of the repository with the commit at which each stands.

        A git that is killed while it adds one can leave the file which names the common directory empty, at
        which each `git worktree` then fails, in all of them. What belongs there is always the same
        (gitrepository-layout(5)), so it is written.
        """
        for link in self.common_dir().glob("worktrees/*/commondir"):
            with suppress(OSError):  # it is gone by now, or not ours to write
                if not link.stat().st_size:
                    link.write_text("../..\n")
        found: dict[Path, Sha | None] = {}
        path: Path | None = None
        for field in self.git("worktree", "list", "--porcelain", "-z").split("\0"):
            key, _, value = field.partition(" ")
            if key == "worktree":
                path = Path(value)
                found[path] = None
            elif key == "HEAD" and path is not None:
                found[path] = Sha(value)
        return found

    def detached_heads(self) -> set[Sha]:
        """Return where those work trees of the repository stand that are on no branch.

        As gitrepository-layout(5) has them: a file HEAD for the main one, and one for each that is linked.
        With reftables those that are on a branch count as well.
        """
        common = self.common_dir()
        if (common / "reftable").is_dir():  # where a HEAD is a table too
            return {head for head in self.worktrees().values() if head}
        heads = set()
        for file in (common / "HEAD", *common.glob("worktrees/*/HEAD")):
            with suppress(OSError, UnicodeDecodeError):  # pruned just now
                if detached := _SHA.fullmatch(file.read_text(encoding="utf-8").rstrip("\n")):
                    heads.add(Sha(detached[0]))
        return heads

    def tree(self, commit: str, *paths: str) -> dict[str, TreeEntry]:
        """Return the entries of a commit's top folder, or those at ``paths``, by path."""
        listing = self.git("ls-tree", "-z", "--full-tree", commit, *(["--", *paths] if paths else []))
        return {entry.path: entry for entry in parse_tree(listing)}

    def changes(self, *options: str) -> Changes:
        """Return how the work tree differs from HEAD (git-status(1), porcelain version 2).

        ``options`` are passed on, such as ``--untracked-files=all``.
        """
        return parse_status(self.git("status", "--porcelain=v2", "--branch", "-z", *options))

    def commits_among(self, names: Iterable[Sha]) -> set[Sha]:
        """Return those of many ids that are commits which are here, by one git (git-cat-file(1))."""
        asked = "".join(f"{name}\n" for name in names)
        if not asked:
            return set()
        listed = self.git("cat-file", "--batch-check=%(objectname) %(objecttype)", stdin=asked)
        lines = (line.split() for line in listed.splitlines())
        return {Sha(name) for name, kind in lines if kind == "commit"}  # else "missing"

    def trees_of(self, commits: Iterable[Sha]) -> dict[Sha, Sha]:
        """Return the tree of each of many commits, by one git, where it is here (git-cat-file(1))."""
        asked = [one for one in commits if _SHA.fullmatch(one)]
        words = ("cat-file", "--buffer", "--batch-check=%(objecttype) %(objectname)")
        lines = self.told(*words, stdin="".join(f"{one}^{{tree}}\n" for one in asked)) if asked else ""
        said = (line.split() for line in lines.split("\n"))
        return {one: Sha(tree) for one, (kind, tree) in zip(asked, said, strict=False) if kind == "tree"}

    def sizes(self, blobs: Collection[Sha]) -> dict[Sha, int]:
        """Return how many bytes each of many blobs has, by one git (git-cat-file(1))."""
        asked = ("cat-file", "--buffer", "--batch-check=%(objectsize)")
        answers = self.told(*asked, stdin="\n".join(blobs)).splitlines()
        return dict(zip(blobs, map(int, answers), strict=True))

    def contents(self, blobs: Collection[Sha]) -> dict[Sha, bytes]:
        """Return the bytes of each of many small blobs, by one git (git-cat-file(1))."""
        asked = ("cat-file", "--buffer", "--batch=%(objectsize)")
        with self.ask(*asked, feed="\n".join(blobs)) as asking:
            printed = asking.printed()
        lines = printed.split(b"\n")  # mostly two for each: its size, and itself
        sizes, texts = lines[:-1:2], lines[1::2]
        if len(texts) == len(blobs) and [b"%d" % len(text) for text in texts] == sizes:
            return dict(zip(blobs, texts, strict=True))
        found: dict[Sha, bytes] = {}
        at, end_of = 0, printed.index
        for blob in blobs:
            line = end_of(b"\n", at)
            end = line + 1 + int(printed[at:line])
            found[blob] = printed[line + 1 : end]
            at = end + 1  # with the end of its line
        return found

    def write_blob(self, blob: Sha, into: int) -> None:
        """Write the bytes of a blob, as git has them, to the file of a descriptor."""
        command = ["git", "cat-file", "blob", blob]
        done = subprocess.run(
            command,
            cwd=self.path,
            env=for_tools(),
            stdout=into,
            stderr=subprocess.PIPE,
            timeout=LIMIT,
            check=False,
        )
        if done.returncode != 0:
            words = done.stderr.decode("utf-8", "surrogateescape")
            raise CommandFailed(command, done.returncode, words, str(self.path))

    def update_ref(self, ref: str, new: Sha, old: Sha | None = None, why: str = "") -> None:
        """Point ``ref`` to ``new``; with ``old`` only if it is there now (:data:`ZERO`: if it is new)."""
        words = ["update-ref", "--create-reflog", "-m", f"wtwatch: {why}", ref, new, *([old] if old else [])]
        try:
            self.git(*words)
        except CommandFailed:
            if not ref.startswith("refs/wtwatch/") or not self.break_lock(ref):
                raise
            self.git(*words)

    def update_refs(self, refs: Mapping[str, Sha], why: str = "") -> None:
        """Point refs of ours, below ``refs/wtwatch/``, to commits: all at once, or none.

        ``why`` goes into the reflogs of those that have one.
        """
        lines = "".join(f"update {ref} {commit}\n" for ref, commit in sorted(refs.items()))
        words = ("update-ref", "-m", f"wtwatch: {why}", "--stdin")
        try:
            self.git(*words, stdin=lines)
        except CommandFailed:
            if not [ref for ref in refs if self.break_lock(ref)]:
                raise
            self.git(*words, stdin=lines)

    def break_lock(self, ref: str) -> bool:
        """Return whether the lock of a ref is gone now that was there: see :func:`break_lock`."""
        return break_lock(self.common_dir() / ref)

    def writing_to(self, objects: Path) -> Repo:
        """Return this work tree such that new objects go into a folder of their own (git(1), environment).

        So what git can only tell by writing leaves nothing behind.
        """
        ours = str(self.common_dir() / "objects").replace("\\", "\\\\").replace('"', '\\"')
        others = {"GIT_OBJECT_DIRECTORY": str(objects), "GIT_ALTERNATE_OBJECT_DIRECTORIES": f'"{ours}"'}
        return Repo(self.path, self._env | others)

    def with_gitlink(
        self, tree: str, path: str, commit: Sha, above: Sequence[tuple[TreeEntry, ...]] = ()
    ) -> str:
        """Write ``tree`` with the gitlink at ``path`` pointing to ``commit``; return the new tree's id.

        ``above``: what the folders of :func:`folders_above` hold, if that is known.
        """
        above = above or self.entries(*folders_above(tree, path))
        *folders, name = path.split("/")
        line, made = f"{GITLINK} commit {commit}\t{name}", ""
        for depth in range(len(folders), -1, -1):
            others = (entry for entry in above[depth] if entry.path != name)
            lines = [*(f"{entry.mode} {entry.kind} {entry.sha}\t{entry.path}" for entry in others), line]
            made = self.git("mktree", "--missing", "-z", stdin="\0".join(lines) + "\0")
            if depth:
                name = folders[depth - 1]
                line = f"040000 tree {made}\t{name}"
        return made

    def commit_tree(
        self, tree: str, parents: Iterable[Sha], message: str, env: Mapping[str, str] | None = None
    ) -> Sha:
        """Write a commit that is on no branch yet (git-commit-tree(1)) and return it.

        Raises :class:`NoIdentity` where git knows nobody to name as its author.
        """
        chain = [word for parent in parents for word in ("-p", parent)]
        try:
            return Sha(self.git("commit-tree", tree, *chain, stdin=message.rstrip("\n") + "\n", env=env))
        except CommandFailed:
            if self.knows_author(env):
                raise
            raise NoIdentity(str(self.path)) from None

    def commit_again(self, text: str, tree: str, parent: Sha) -> Sha:
        """Write a commit with author, committer, times and message of one, but other files and parent.

        ``text`` is what `git cat-file commit` has of that one. Where that is signed, so is this, by who
        commits now (git-commit-tree(1)).
        """
        head, _, message = text.partition("\n\n")
        signed = ["-S"] if "\ngpgsig" in head else []
        env: dict[str, str] = {}
        for line in head.splitlines():
            word, _, rest = line.partition(" ")
            if word in ("author", "committer"):
                name, _, after = rest.partition(" <")
                mail, _, at = after.rpartition("> ")
                who = f"GIT_{word.upper()}"
                env |= {f"{who}_NAME": name, f"{who}_EMAIL": mail, f"{who}_DATE": f"@{at}"}
        words = ("commit-tree", *signed, "-p", parent, tree)
        return Sha(self.git(*words, stdin=message.rstrip("\n") + "\n", env=env))

    def knows_author(self, env: Mapping[str, str] | None = None) -> bool:
        """Return whether git knows whom to name as author and committer of a commit here (git-var(1))."""
        with (
            self.ask("var", "GIT_AUTHOR_IDENT", env=env) as author,
            self.ask("var", "GIT_COMMITTER_IDENT", env=env) as committer,
        ):
            return bool(author.answer(ok=(0, 128)) and committer.answer(ok=(0, 128)))

    def detach(self, commit: Sha) -> None:
        """Say that this work tree stands detached at ``commit``, without a look at its files or index."""
        self.git("update-ref", "--no-deref", "-m", "wtwatch: detach", "HEAD", commit)


def real(path: str) -> str:
    """Return a path without symbolic links, as the kernel has it: quicker than to look at each folder."""
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return os.path.realpath(path)
    try:
        found = os.readlink(f"/proc/self/fd/{handle}")  # noqa: PTH115 - as text
    except OSError:
        found = ""
    finally:
        os.close(handle)
    return os.path.realpath(path) if not found or found.endswith(" (deleted)") else found


def _content(file: str) -> bytes:
    handle = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(handle, _LINE)
    finally:
        os.close(handle)


def break_lock(file: Path) -> bool:
    """Return whether the lock of a file is gone now that was there: git, when killed, leaves it behind.

    Git holds those that this is asked for for less than a millisecond; one that lasts for a second belongs to
    nobody.
    """
    lock = file.with_name(f"{file.name}.lock")
    if not lock.is_file():
        return False
    deadline = time.monotonic() + 1.0
    while lock.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    lock.unlink(missing_ok=True)
    return True


def _without_settings(words: Iterable[str]) -> list[str]:
    shown = []
    rest = iter(words)
    for word in rest:
        if word == "-c":
            next(rest)
        elif word != "--no-optional-locks":
            shown.append(word)
    return shown
