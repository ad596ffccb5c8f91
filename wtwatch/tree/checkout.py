"""What a change of commit does to a work tree, and what to do if it was cut off.

git writes the files first, then the index, then HEAD; killed in between it leaves them apart. On a full disk
it leaves files cut off or out, and may say that all went well (seen with git 2.39).
"""

import os
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from wtwatch.doors import digests, loose
from wtwatch.doors.files import scratch_folder
from wtwatch.doors.repo import GITLINK, UNFILTERED, Repo
from wtwatch.tree import bytewise
from wtwatch.tree.bytewise import NOTHING
from wtwatch.tree.diff import FEW, LITERAL, Change, between, paths_of_few
from wtwatch.tree.obstacles import is_here
from wtwatch.words.errors import CommandFailed, WtwatchError
from wtwatch.words.model import Sha
from wtwatch.words.quoting import quoted


def index_lock(repo: Repo) -> Path | None:
    """Return the lock of the work tree's index if it is there: a git works, or one crashed."""
    lock = repo.git_dir() / "index.lock"
    return lock if lock.exists() else None


def index_is_at(repo: Repo, commit: Sha) -> bool:
    """Return whether the index holds exactly the files of ``commit``."""
    return repo.succeeds("diff-index", "--cached", "--quiet", commit)


def are_no_matter_of_annex(repo: Repo, changes: Sequence[Change]) -> bool:
    """Return whether git can make ``changes`` without git-annex, though there is one: no file is unlocked.

    Of many changes that is not looked up.
    """
    if len(changes) > FEW or not (repo.common_dir() / "annex").is_dir():
        return False
    sides = (((one.mode_before, one.before), (one.mode_after, one.after)) for one in changes)
    files = {blob for both in sides for mode, blob in both if mode in (bytewise.FILE, bytewise.PROGRAM)}
    if files and (read := loose.objects(repo.common_dir(), sorted(files), bytewise.POINTER_SIZE)):
        return not any(bytewise.annex_key(blob.body) for blob in read)
    sizes = repo.sizes(files) if files else {}
    small = [blob for blob, size in sizes.items() if size <= bytewise.POINTER_SIZE]
    return not bytewise.pointers_among(repo, small)


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
    if (repo.common_dir() / "annex").is_dir():
        restage(repo, before)


def restage(repo: Repo, wanted: Mapping[str, Sha]) -> None:
    """Have the index know files that were filled in: by their size alone git takes them for edited.

    One whose content is not that of its pointer is an edit, and is left so.
    """
    altered = {line[2:] for line in repo.git("ls-files", "-z", "-t", "--modified").split("\0")}
    asked = [path for path in wanted if path in altered and "\n" not in path]
    pointers = bytewise.pointers_among(repo, [wanted[path] for path in asked])
    asked = [path for path in asked if wanted[path] in pointers and bytewise.is_file(repo.path / path)]
    found = repo.git("hash-object", "--stdin-paths", stdin="".join(f"{path}\n" for path in asked)).split()
    same = [path for path, blob in zip(asked, found, strict=True) if blob == wanted[path]]
    repo.git("update-index", "-z", "--stdin", stdin="".join(f"{path}\0" for path in same))


class NotWhole(WtwatchError):
    """Files of a checkout could not be written: the disk is full, say, or a filter fails."""


def tags(repo: Repo, changes: Collection[Change] = ()) -> dict[str, str]:
    """Return all files that git tracks here, each with how it stands (git-ls-files(1), -t).

    Of few ``changes``: those of theirs, and the bytecode of Python files among them.

    ``H``: as in the index, ``C``: changed, or content of the annex, ``R``: removed, ``S``: git does not look.
    """
    only = paths_of_few(changes)
    folders = {str(Path(path).parent / "__pycache__") for path in only if path.endswith(".py")}
    words = ("ls-files", "-z", "-t", "--cached", "--modified", "--deleted", *only, *sorted(folders))
    listing = repo.git(*UNFILTERED, *words, env=LITERAL)
    return {line[2:]: line[0] for line in listing.split("\0") if line}  # the latter word on a path counts


def written(changes: Iterable[Change]) -> dict[str, Sha]:
    """Return what a checkout of ``changes`` writes: the blobs of its files by path."""
    there = (change for change in changes if change.mode_after not in (NOTHING, GITLINK))
    return {change.path: change.after for change in there}


def are_whole(repo: Repo, changes: Sequence[Change]) -> bool:
    """Return whether files lie here byte for byte as ``changes`` have them: few and small ones.

    ``False`` where git has to be asked, as with line ends that it converts.
    """
    wanted, left = written(changes), digests.LITTLE
    if len(wanted) > FEW:
        return False
    with suppress(OSError):
        for path, blob in wanted.items():
            file = repo.path / path
            found = file.lstat()
            left -= found.st_size
            plain = stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode)
            if not plain or left < 0 or bytewise.blob_id(file, len(blob)) != blob:
                return False
        return True
    return False


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
