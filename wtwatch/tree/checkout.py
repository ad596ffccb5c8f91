"""What a change of commit does to a work tree: what is in its way, and what to do if it was cut off.

git writes the files first, then the index, then HEAD; killed in between it leaves them apart. On a full disk
it leaves files cut off or out, and may say that all went well (seen with git 2.39).
"""

import os
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from wtwatch.doors.files import scratch_folder
from wtwatch.doors.memory import Memory
from wtwatch.doors.repo import GITLINK, UNFILTERED, Repo
from wtwatch.tree import bytewise
from wtwatch.tree.bytewise import LINK, NOTHING
from wtwatch.words.errors import CommandFailed, WtwatchError
from wtwatch.words.model import Sha
from wtwatch.words.quoting import quoted

_LITERAL: Mapping[str, str] = {"GIT_LITERAL_PATHSPECS": "1"}
_HEADS = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "REBASE_HEAD")
_LEFT = (*_HEADS, "MERGE_MSG", "MERGE_MODE", "BISECT_*")
_FOLDERS = ("rebase-merge", "rebase-apply", "sequencer")
_OWN_REFS = ("refs/bisect", "refs/rewritten")
"""Refs that belong to an operation in one work tree, and go with it (gitrepository-layout(5))."""


class Change(NamedTuple):
    """One path in which two commits differ: its mode and blob in the old one, and in the new one."""

    path: str
    mode_before: str
    before: Sha
    mode_after: str
    after: Sha


@contextmanager
def between_asked(repo: Repo, old: Sha | None, new: Sha | None) -> Iterator[Callable[[], tuple[Change, ...]]]:
    """Start to ask what differs between two commits; what is yielded returns it. From or to none: nothing."""
    if old is None or new is None or old == new:
        yield tuple
        return
    with repo.ask("diff-tree", "-r", "--raw", "--no-renames", "-z", old, new) as asking:
        yield lambda: changes_in(asking.answer())


_FEW = 200
"""Paths that git is told one by one, where it need not look at all files."""

_ID = 40
"""Characters of a commit's full name, at least."""

_changes: Memory[tuple[Sha, Sha], tuple[Change, ...]] = Memory(100)
"""What differs between two commits, which never changes."""


def between(repo: Repo, old: Sha, new: Sha) -> tuple[Change, ...]:
    """Return what differs between two commits, path by path."""
    found = _changes.get((old, new))
    if found is None:
        with between_asked(repo, old, new) as answer:
            found = answer()
        note_between(old, new, found)
    return found


def note_between(old: Sha, new: Sha, changes: tuple[Change, ...]) -> None:
    """Note what differs between two commits, so that git need not be asked."""
    if min(len(old), len(new)) >= _ID and len(changes) <= _FEW:
        _changes[old, new] = changes


def changes_in(listing: str) -> tuple[Change, ...]:
    """Read ``git diff-tree --raw -z``."""
    fields = listing.split("\0")
    lines = ((line[1:].split(), path) for line, path in zip(fields[::2], fields[1::2], strict=False))
    return tuple(Change(path, facts[0], Sha(facts[2]), facts[1], Sha(facts[3])) for facts, path in lines)


def index_lock(repo: Repo) -> Path | None:
    """Return the lock of the work tree's index if it is there: a git works, or one crashed."""
    lock = repo.git_dir() / "index.lock"
    return lock if lock.exists() else None


def index_is_at(repo: Repo, commit: Sha) -> bool:
    """Return whether the index holds exactly the files of ``commit``."""
    return repo.succeeds("diff-index", "--cached", "--quiet", commit)


def is_here(root: Path, path: str) -> bool:
    """Return whether something lies at ``path`` in the tree itself, and not behind a symlink in it."""
    parents = path.split("/")[:-1]
    for depth in range(1, len(parents) + 1):
        if os.path.islink(f"{root}/{'/'.join(parents[:depth])}"):  # noqa: PTH114 - for many files, and quicker
            return False
    return os.path.lexists(f"{root}/{path}")


def in_the_way(
    repo: Repo, changes: Iterable[Change], also: Iterable[str] = (), own: Collection[str] = ()
) -> list[str]:
    """Return untracked or ignored files that lie where a file has to be after ``changes``, but not before.

    ``also`` are more paths that must be free, ``own`` top paths that are left out. A folder that is a
    repository of its own ends with a slash.
    """
    wanted = set(also)
    for change in changes:
        new, other_kind = change.mode_before == NOTHING, change.mode_before[:3] != change.mode_after[:3]
        if change.mode_after != NOTHING and (new or other_kind):
            wanted.add(change.path)
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


def hindrances(repo: Repo, changes: Sequence[Change]) -> list[str]:
    """Return the paths that bar the way of changes: open edits, and files that git lacks."""
    if not changes:
        return []
    shape, only = ("--name-only", "--no-renames", "-z"), _only(changes)
    paths = {change.path for change in changes}
    diff = ("diff", "--no-ext-diff", "--ignore-submodules", *shape, *only)
    with (
        repo.ask(*UNFILTERED, *diff, env=_LITERAL) as edited_asked,
        repo.ask("diff-index", "--cached", *shape, "HEAD", *only, env=_LITERAL) as staged,
    ):
        edited = paths.intersection(edited_asked.answer().split("\0"))
        if edited:
            edited = paths.intersection(repo.git(*diff, env=_LITERAL).split("\0"))
        hit = edited | paths.intersection(staged.answer().split("\0"))
    return sorted({*hit, *in_the_way(repo, changes)})


def are_no_matter_of_annex(repo: Repo, changes: Sequence[Change]) -> bool:
    """Return whether git can make ``changes`` without git-annex, though there is one: no file is unlocked.

    Of many changes that is not looked up.
    """
    if len(changes) > _FEW or not (repo.common_dir() / "annex").is_dir():
        return False
    sides = (((one.mode_before, one.before), (one.mode_after, one.after)) for one in changes)
    files = {blob for both in sides for mode, blob in both if mode in (bytewise.FILE, bytewise.PROGRAM)}
    sizes = repo.sizes(files) if files else {}
    small = [blob for blob, size in sizes.items() if size <= bytewise.POINTER_SIZE]
    return not bytewise.pointers_among(repo, small)


def _only(changes: Collection[Change]) -> tuple[str, ...]:
    """Return the words that have git look at the paths of few changes alone; of many, at all files."""
    return ("--", *(change.path for change in changes)) if 0 < len(changes) <= _FEW else ()


def _occupants(root: Path, path: str, checked: dict[str, str | None]) -> Iterator[str]:
    """Yield what lies on disk at ``path``, at one of its parents that is no plain folder, or below it.

    ``checked`` keeps what :func:`_bar` said of parents, as many paths share theirs.
    """
    bar = _bar(root, path.rpartition("/")[0], checked)
    if bar is not None:
        yield from filter(None, (bar,))
        return
    try:
        kind = os.lstat(f"{root}/{path}").st_mode
    except OSError:
        return
    if not stat.S_ISDIR(kind):
        yield path
        return
    for folder, subfolders, files in os.walk(root / path):
        if ".git" in subfolders or ".git" in files:
            subfolders.clear()
            yield os.path.relpath(folder, root) + "/"
            continue
        links = [name for name in subfolders if (Path(folder) / name).is_symlink()]
        yield from (os.path.relpath(Path(folder) / name, root) for name in (*files, *links))


def _bar(root: Path, folder: str, checked: dict[str, str | None]) -> str | None:
    """Return what bars the way to all that lies in a folder of the tree: see :func:`_hindrance`."""
    if not folder:
        return None
    if folder not in checked:
        above = _bar(root, folder.rpartition("/")[0], checked)
        checked[folder] = above if above is not None else _hindrance(root, folder)
    return checked[folder]


def _hindrance(root: Path, parent: str) -> str | None:
    """Return what bars the way at a folder: ``None`` if that is plain, nothing ("") if nothing lies there."""
    full = root / parent
    if not os.path.lexists(full):
        return ""
    if full.is_symlink() or not full.is_dir():
        return parent
    return f"{parent}/" if os.path.lexists(full / ".git") else None


def unseen_edits(repo: Repo, changes: Iterable[Change], known: Collection[str]) -> list[str]:
    """Return files that ``changes`` take away, of which git would not give back what lies on disk.

    It takes a file for unchanged that is so after line ends are made equal or a clean filter has dropped
    something, or if it was told not to look; ``known`` are the edits that it sees. Only bytes tell: those of
    the blob, or else what a checkout makes of it.
    """
    altered = [change for change in changes if change.path not in known and _is_altered(repo.path, change)]
    if altered and (repo.common_dir() / "annex").is_dir():  # annexed content is safe in the annex
        pointers = bytewise.pointers_among(repo, [change.before for change in altered])
        altered = [change for change in altered if change.before not in pointers]
    if not altered:
        return []
    paths = [change.path for change in altered]
    with scratch_folder("wtwatch-") as scratch:
        words = ("checkout-index", "-q", "-z", "--stdin", f"--prefix={scratch}{os.sep}")
        repo.git(*words, stdin="".join(f"{path}\0" for path in paths), ok=(0, 1, 128))
        return [path for path in paths if not _are_alike(repo.path / path, scratch / path)]


def _is_altered(root: Path, change: Change) -> bool:
    if change.mode_before in (NOTHING, GITLINK) or not is_here(root, change.path):
        return False
    full = root / change.path
    if full.is_symlink() and change.mode_before != LINK:
        return True
    return bytewise.is_file(full) and bytewise.blob_id(full, len(change.before)) != change.before


def _are_alike(one: Path, other: Path) -> bool:
    kinds = (one.is_symlink(), other.is_symlink())
    return not any(kinds) and other.is_file() and one.read_bytes() == other.read_bytes()


UNLOOKED = ("skip-worktree", "assume-unchanged")
"""The marks in the index that make git pass a file over (git-update-index(1))."""


def unlooked(repo: Repo, paths: Sequence[str]) -> dict[str, str]:
    """Return which of ``paths`` git was told not to look at, and by which mark."""
    known = {"GIT_LITERAL_PATHSPECS": "1"}
    listing = repo.git("ls-files", "-v", "-z", "--", *paths, env=known).split("\0") if paths else []
    tags = {line[2:]: line[0] for line in listing if line}
    skipped = {path: UNLOOKED[0] for path, tag in tags.items() if tag in "Ss"}
    return skipped | {path: UNLOOKED[1] for path, tag in tags.items() if tag == "h"}


def look_again(repo: Repo, paths: Sequence[str]) -> None:
    """Take the marks off that make git pass files over."""
    for mark in UNLOOKED:
        repo.git("update-index", f"--no-{mark}", "-z", "--stdin", stdin="".join(f"{p}\0" for p in paths))


def restore(repo: Repo, edited: Sequence[str], folders: Sequence[str]) -> None:
    """Bring paths back as HEAD has them, in the index and on disk; those that HEAD lacks go.

    ``edited`` are files that git tracks, ``folders`` are paths below which it may track some.
    """
    known = {"GIT_LITERAL_PATHSPECS": "1"}
    below = repo.git("ls-files", "-z", "--", *folders, env=known).split("\0") if folders else []
    paths = sorted({path for path in (*edited, *below) if path})
    if paths:
        words = ("--source=HEAD", "--staged", "--worktree", "--pathspec-from-file=-", "--pathspec-file-nul")
        # in a sparse tree too, where git would not find what it is not to check out
        repo.git("restore", "-q", "--ignore-skip-worktree-bits", *words, env=known, stdin="\0".join(paths))


def files_of_operation(git_dir: Path) -> list[str]:
    """Return what an operation under way keeps in a work tree's git directory, relative to that."""
    below = (file for folder in _FOLDERS for file in sorted((git_dir / folder).rglob("*")))
    files = (*below, *(file for pattern in _LEFT for file in sorted(git_dir.glob(pattern))))
    return [str(file.relative_to(git_dir)) for file in files if file.is_file() and not file.is_symlink()]


def held_by_operation(repo: Repo) -> list[Sha]:
    """Return the commits that an operation under way here holds on to, and perhaps no ref that stays.

    Those are in its refs, and named in its files: what is still to be done, what was made already.
    """
    root = repo.git_dir()
    files = [root / path for path in files_of_operation(root)]
    words = {word for file in files for word in file.read_text("utf-8", "replace").split() if _is_id(word)}
    names = sorted({*words, *repo.refs(*_OWN_REFS).values()})
    asked = "".join(f"{name}^{{commit}}\n" for name in names)
    answers = repo.git("cat-file", "--batch-check", stdin=asked).splitlines() if names else []
    found = [Sha(answer.split()[0]) for answer in answers if answer.split()[1] == "commit"]
    return [Sha(name) for name in repo.git("merge-base", "--independent", *found).split()] if found else []


def _is_id(word: str) -> bool:
    """Return whether a word may name an object: a cherry-pick notes what is to be done by short ids."""
    return len(word) >= 7 and not word.strip("0123456789abcdef")


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
    Raises :class:`NotWhole` where files cannot be brought back; where HEAD is at ``new``, the caller asks
    :func:`make_whole`.
    """
    for lock in ("index.lock", "HEAD.lock", "ORIG_HEAD.lock"):
        (repo.git_dir() / lock).unlink(missing_ok=True)
    branch = repo.branch()
    if branch is not None:
        repo.break_lock(f"refs/heads/{branch}")
    head = repo.resolve("HEAD")
    if head != old or old == new:
        return head
    if index_is_at(repo, new):
        repo.git("update-ref", "-m", "wtwatch: finish a checkout that was cut off", "HEAD", new, old)
        return new
    _undo(repo, between(repo, old, new))
    return old


def _undo(repo: Repo, changes: Sequence[Change]) -> None:
    goal = {change.path: change for change in changes if change.mode_after not in (NOTHING, GITLINK)}
    for path in _written(repo, goal):
        (repo.path / path).unlink()
        _drop_empty_folders(repo.path, path)
    before = {
        change.path: change.before for change in changes if change.mode_before not in (NOTHING, GITLINK)
    }
    make_whole(repo, before, tags(repo))
    repo.git("update-index", "-q", "--refresh", ok=(0, 1, 128))


class NotWhole(WtwatchError):
    """Files of a checkout could not be written: the disk is full, say, or a filter fails."""


def tags(repo: Repo, changes: Collection[Change] = ()) -> dict[str, str]:
    """Return all files that git tracks here, each with how it stands (git-ls-files(1), -t).

    Of few ``changes``: those of theirs, and the bytecode of Python files among them.

    ``H``: as in the index, ``C``: changed, or content of the annex, ``R``: removed, ``S``: git does not look.
    """
    only = _only(changes)
    folders = {str(Path(path).parent / "__pycache__") for path in only if path.endswith(".py")}
    words = ("ls-files", "-z", "-t", "--cached", "--modified", "--deleted", *only, *sorted(folders))
    listing = repo.git(*UNFILTERED, *words, env=_LITERAL)
    return {line[2:]: line[0] for line in listing.split("\0") if line}  # the latter word on a path counts


def written(changes: Iterable[Change]) -> dict[str, Sha]:
    """Return what a checkout of ``changes`` writes: the blobs of its files by path."""
    there = (change for change in changes if change.mode_after not in (NOTHING, GITLINK))
    return {change.path: change.after for change in there}


def make_whole(repo: Repo, wanted: Mapping[str, Sha], known: Mapping[str, str]) -> None:
    """Write again what a checkout left out or cut off: ``wanted`` are its paths, with the blobs of the index.

    ``known`` are the :func:`tags`. A file that is neither missing nor the beginning of what it should be was
    written by somebody since, and is left as it is. Raises :class:`NotWhole`.
    """
    lacking = _lacking(repo, wanted, known)
    if not lacking:
        return
    for path in lacking:
        (repo.path / path).unlink(missing_ok=True)
    said = ""
    try:
        listing = "".join(f"{path}\0" for path in lacking)
        repo.git("checkout-index", "-q", "-u", "-z", "--stdin", stdin=listing)
    except CommandFailed as error:
        said = error.stderr.strip()
    lacking = _lacking(repo, wanted, tags(repo))
    if lacking:
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        raise NotWhole(
            f"Git could not write all of {lacking[0]}{more} in {repo.path}. {said}".strip(),
            f"Make room on its disk (df -h {quoted(repo.path)}), or mend what is named.",
        )


def _lacking(repo: Repo, wanted: Mapping[str, Sha], known: Mapping[str, str]) -> list[str]:
    off = [path for path in wanted if known.get(path, "H") in "CR"]
    return [
        path for path in off if not os.path.lexists(repo.path / path) or _is_begun(repo, path, wanted[path])
    ]


def _written(repo: Repo, goal: Mapping[str, Change]) -> list[str]:
    """Return the paths of ``goal`` whose files on disk a checkout has written."""
    here = {path: change for path, change in goal.items() if is_here(repo.path, path)}
    here = {path: change for path, change in here.items() if not _is_folder(repo.path / path)}
    left, found = here, list[str]()
    for settings in (UNFILTERED, ()):  # git-annex puts content in place of pointers that it finds staged
        others = _differing(repo, left, settings) if left else set()
        found += [path for path in left if path not in others]
        left = {path: change for path, change in left.items() if path in others}
    return found + [path for path, new in left.items() if _is_begun(repo, path, new.after)]


def _differing(repo: Repo, wanted: Mapping[str, Change], settings: Sequence[str]) -> set[str]:
    """Return which of the paths are otherwise on disk than they are ``wanted``; the index stays as it is."""
    with scratch_folder("wtwatch-") as scratch:
        env = {"GIT_INDEX_FILE": str(scratch / "index")}
        entries = "".join(f"{new.mode_after} {new.after}\t{path}\0" for path, new in wanted.items())
        repo.git("update-index", "-z", "--index-info", stdin=entries, env=env)
        repo.git(*settings, "update-index", "-q", "--refresh", ok=(0, 1, 128), env=env)
        return set(repo.git("diff-files", "--name-only", "-z", env=env).split("\0"))


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _is_begun(repo: Repo, path: str, blob: Sha) -> bool:
    """Return whether the file holds only the first bytes of ``blob``, as git leaves one it is writing."""
    full = repo.path / path
    if not stat.S_ISREG(full.lstat().st_mode):
        return False
    size = full.stat().st_size
    return any(
        size < len(whole) and whole.startswith(full.read_bytes()) for whole in _forms(repo, path, blob)
    )


def _forms(repo: Repo, path: str, blob: Sha) -> Iterator[bytes]:
    """Yield the bytes of a blob, then those that filters and line ends make of it in a work tree."""
    for words in (("blob", blob), ("--filters", f"--path={path}", blob)):
        with repo.ask("cat-file", *words) as asking:
            yield asking.printed(ok=(0, 128))


def _drop_empty_folders(root: Path, path: str) -> None:
    with suppress(OSError):
        for parent in (root / path).parents:
            if parent == root:
                return
            parent.rmdir()


def drop_bytecode(repo: Repo, changes: Iterable[Change], tracked: Collection[str]) -> None:
    """Delete the bytecode of Python files that ``changes`` altered; Python makes it anew.

    It takes a file for unchanged whose size and time in whole seconds are as noted (PEP 3147), so two quick
    moves could have the code of one run under the name of the other. What is ``tracked`` is the user's.
    """
    altered: dict[str, set[str]] = {}
    for change in changes:
        folder, _, name = change.path.rpartition("/")
        if name.endswith(".py"):
            altered.setdefault(f"{folder}/__pycache__".lstrip("/"), set()).add(name.removesuffix(".py"))
    for cache, stems in altered.items():
        if not is_here(repo.path, f"{cache}/"):
            continue
        for made in (repo.path / cache).glob("*.pyc"):
            words = made.name.split(".")  # a module, perhaps with dots, then a tag of the Python that made it
            known = any(".".join(words[:end]) in stems for end in range(1, len(words)))
            if known and f"{cache}/{made.name}" not in tracked:
                made.unlink(missing_ok=True)
