"""What a change of commit does to a work tree: what is in its way, and what to do if it was cut off.

git writes the files first, then the index, then HEAD; killed in between it leaves them apart.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from wtwatch.doors.files import scratch_folder
from wtwatch.doors.repo import GITLINK, Repo
from wtwatch.words.model import Sha

_NOTHING = "000000"  # the mode of what is not there (git-diff-tree(1))


def index_lock(repo: Repo) -> Path | None:
    """Return the lock of the work tree's index if it is there: a git works, or one crashed."""
    lock = repo.git_dir() / "index.lock"
    return lock if lock.exists() else None


def index_is_at(repo: Repo, commit: Sha) -> bool:
    """Return whether the index holds exactly the files of ``commit``."""
    return repo.succeeds("diff-index", "--cached", "--quiet", commit)


def is_here(root: Path, path: str) -> bool:
    """Return whether something lies at ``path`` in the tree itself, and not behind a symlink in it."""
    parts = path.split("/")[:-1]
    parents = ("/".join(parts[:depth]) for depth in range(1, len(parts) + 1))
    return not any((root / parent).is_symlink() for parent in parents) and os.path.lexists(root / path)


def in_the_way(
    repo: Repo, old: Sha, new: Sha, also: Iterable[str] = (), own: Collection[str] = ()
) -> list[str]:
    """Return untracked or ignored files that lie where a file of ``new`` that ``old`` lacks has to be.

    ``also`` are more paths that must be free, ``own`` top paths that are left out. A folder that is a
    repository of its own ends with a slash.
    """
    wanted = set(also)
    if old != new:
        names = ("--name-only", "--diff-filter=AT", "-z", old, new)
        wanted.update(filter(None, repo.git("diff-tree", "-r", "--no-renames", *names).split("\0")))
    checked: dict[str, str | None] = {}
    hits = {hit for path in wanted for hit in _occupants(repo.path, path, checked)}
    hits = {hit for hit in hits if not any(f"{hit}/".startswith(f"{path.strip('/')}/") for path in own)}
    if not hits:
        return []
    listing = repo.git("ls-files", "-z", "--full-name").split("\0") if len(hits) > 500 else None
    if listing is None:
        asked = (f":(top,literal){hit}" for hit in sorted(hits) if not hit.endswith("/"))
        listing = repo.git("ls-files", "-z", "--full-name", "--", *asked).split("\0")
    return sorted(hits - set(listing))


def hindrances(repo: Repo, old: Sha, new: Sha) -> list[str]:
    """Return the paths that bar the way from ``old`` to ``new``: open edits, and files that git lacks."""
    shape = ("--name-only", "--no-renames", "-z")
    changed = repo.ask("diff-tree", "-r", *shape, old, new)
    edited = repo.ask("diff", "--no-ext-diff", "--ignore-submodules", *shape)
    staged = repo.ask("diff-index", "--cached", *shape, "HEAD")
    opened = {*edited.answer().split("\0"), *staged.answer().split("\0")} - {""}
    hit = opened.intersection(changed.answer().split("\0"))
    return sorted({*hit, *in_the_way(repo, old, new)})


def _occupants(root: Path, path: str, checked: dict[str, str | None]) -> Iterator[str]:
    """Yield what lies on disk at ``path``, at one of its parents that is no plain folder, or below it."""
    parts = path.split("/")
    for depth in range(1, len(parts)):
        parent = "/".join(parts[:depth])
        if parent not in checked:
            checked[parent] = _hindrance(root, parent)
        if checked[parent] is not None:
            yield str(checked[parent])
            return
    full = root / path
    if not full.is_dir() or full.is_symlink():
        if os.path.lexists(full):
            yield path
        return
    for folder, subfolders, files in os.walk(full):
        if ".git" in subfolders or ".git" in files:
            subfolders.clear()
            yield os.path.relpath(folder, root) + "/"
            continue
        links = [name for name in subfolders if (Path(folder) / name).is_symlink()]
        yield from (os.path.relpath(Path(folder) / name, root) for name in (*files, *links))


def _hindrance(root: Path, parent: str) -> str | None:
    full = root / parent
    if full.is_symlink() or (full.exists() and not full.is_dir()):
        return parent
    return f"{parent}/" if os.path.lexists(full / ".git") else None


def restore(repo: Repo, edited: Sequence[str], folders: Sequence[str]) -> None:
    """Bring paths back as HEAD has them, in the index and on disk; those that HEAD lacks go.

    ``edited`` are files that git tracks, ``folders`` are paths below which it may track some.
    """
    known = {"GIT_LITERAL_PATHSPECS": "1"}
    below = repo.git("ls-files", "-z", "--", *folders, env=known).split("\0") if folders else []
    paths = sorted({path for path in (*edited, *below) if path})
    if paths:
        words = ("--source=HEAD", "--staged", "--worktree", "--pathspec-from-file=-", "--pathspec-file-nul")
        repo.git("restore", "-q", *words, env=known, stdin="\0".join(paths))


def held_by_operation(repo: Repo) -> list[Sha]:
    """Return the commits that an operation under way here holds on to, and perhaps no ref."""
    names = [f"{word}_HEAD" for word in ("MERGE", "CHERRY_PICK", "REVERT", "REBASE")]
    for folder in ("rebase-merge", "rebase-apply"):
        names += [f"{folder}/orig-head", f"{folder}/autostash"]
    found = []
    for file in (repo.git_dir() / name for name in names):
        if file.is_file():
            words = file.read_text(encoding="utf-8", errors="replace").split()
            found += [repo.resolve(word) for word in words if len(word) >= 40]
    return [commit for commit in found if commit]


def quit_operation(repo: Repo) -> None:
    """End the operation that is under way here; HEAD, index and files stay as they are."""
    word = repo.operation()
    if word == "bisect":
        repo.git("bisect", "reset", "HEAD")
    elif word == "rebase" and (repo.git_dir() / "rebase-apply" / "applying").exists():
        repo.git("am", "--quit")
    elif word:
        repo.git(word, "--quit")


def settle(repo: Repo, old: Sha, new: Sha) -> Sha | None:
    """Finish or undo a checkout from ``old`` to ``new`` that was cut off; return where HEAD is then.

    No git may be at work in the tree any more, and nothing of the user's may have been in the way when it
    began: then files that equal ``new``, or begin as its do, are git's own work. All else is left as it is.
    """
    (repo.git_dir() / "index.lock").unlink(missing_ok=True)
    head = repo.resolve("HEAD")
    if head != old or old == new:
        return head
    if index_is_at(repo, new):
        repo.git("update-ref", "-m", "wtwatch: finish a checkout that was cut off", "HEAD", new, old)
        return new
    _undo(repo, old, new)
    return old


def _undo(repo: Repo, old: Sha, new: Sha) -> None:
    listing = repo.git("diff-tree", "-r", "--raw", "--no-renames", "-z", old, new).split("\0")
    changed = {path: line.split() for line, path in zip(listing[::2], listing[1::2], strict=False)}
    goal = {path: line for path, line in changed.items() if line[1] not in (_NOTHING, GITLINK)}
    for path in _written(repo, goal):
        (repo.path / path).unlink()
        _drop_empty_folders(repo.path, path)
    before = [path for path, line in changed.items() if line[0] not in (":" + _NOTHING, ":" + GITLINK)]
    lacking = [path for path in before if not os.path.lexists(repo.path / path)]
    if lacking:  # a filter that fails is what may have stopped the checkout: then the rest still comes
        repo.git("checkout-index", "-q", "-z", "--stdin", stdin="\0".join(lacking), ok=(0, 1, 128))
    repo.git("update-index", "-q", "--refresh", ok=(0, 1, 128))


def _written(repo: Repo, goal: dict[str, list[str]]) -> list[str]:
    """Return the paths of ``goal`` (diff-tree's lines by path) whose files on disk a checkout has written."""
    here = {path: line for path, line in goal.items() if is_here(repo.path, path)}
    here = {path: line for path, line in here.items() if not _is_folder(repo.path / path)}
    if not here:
        return []
    with scratch_folder("wtwatch-") as scratch:
        env = {"GIT_INDEX_FILE": str(scratch / "index")}
        entries = "".join(f"{line[1]} {line[3]}\t{path}\0" for path, line in here.items())
        repo.git("update-index", "-z", "--index-info", stdin=entries, env=env)
        repo.git("update-index", "-q", "--refresh", ok=(0, 1, 128), env=env)
        others = set(repo.git("diff-files", "--name-only", "-z", env=env).split("\0"))
    return [path for path, line in here.items() if path not in others or _is_begun(repo, path, line[3])]


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _is_begun(repo: Repo, path: str, blob: str) -> bool:
    """Return whether the file holds only the first bytes of ``blob``, as git leaves one it is writing."""
    full = repo.path / path
    if not stat.S_ISREG(full.lstat().st_mode) or full.stat().st_size >= int(repo.git("cat-file", "-s", blob)):
        return False
    whole = repo.git("cat-file", "blob", blob).encode("utf-8", "surrogateescape")
    return whole.startswith(full.read_bytes().replace(b"\r\n", b"\n").replace(b"\r", b"\n"))


def _drop_empty_folders(root: Path, path: str) -> None:
    with suppress(OSError):
        for parent in (root / path).parents:
            if parent == root:
                return
            parent.rmdir()


def drop_bytecode(code: Repo, old: Sha, new: Sha) -> None:
    """Delete the bytecode of Python files that differ between two commits; Python makes it anew.

    It takes a file for unchanged whose size and time in whole seconds are as noted (PEP 3147), so two quick
    moves could have the code of one run under the name of the other.
    """
    listing = code.git("diff-tree", "-r", "--no-renames", "--name-only", "-z", old, new, "--", "*.py")
    for path in filter(None, listing.split("\0")):
        file = code.path / path
        for made in (file.parent / "__pycache__").glob("*.pyc"):
            if made.name.startswith(f"{file.stem}."):
                made.unlink(missing_ok=True)
