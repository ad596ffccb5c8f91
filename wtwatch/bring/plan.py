"""The commits of a bring and of a way home, worked out and written, but on no branch yet.

On the run branch a bring has one parent: so the branch stays linear, whatever is done to a release. Home has
two, is never a fast-forward, and its code is that of the main branch.
"""

from __future__ import annotations

from wtwatch.bring import wrote
from wtwatch.bring.overlay import Blocked, Code, Inside, Overlaid, overlay
from wtwatch.bring.wrote import Both, Bring, Entry, RunBranch
from wtwatch.doors.repo import ZERO, Repo
from wtwatch.tree import diff, named
from wtwatch.tree.bytewise import NOTHING
from wtwatch.tree.diff import Change
from wtwatch.tree.save import SIGN
from wtwatch.words.model import Sha
from wtwatch.words.value import Value


class Planned(Value):
    """A commit that a branch is to go to, and the paths of it that jobs wrote, not the target."""

    commit: Sha
    laid: tuple[str, ...]


def from_main(
    branch: RunBranch, main: Sha, code: tuple[str, ...], inside: Inside | None = None
) -> Planned | Blocked | None:
    """Return the commit that has what ``main`` has, with code as it is; ``None`` if the run branch has it.

    As long as nothing was brought, and main is where the run branch began, it has.
    """
    found = wrote.since(branch, main)
    if found.base == main and not found.brings:
        return None
    done = overlay(branch, main, Code(code, branch.tip), inside, found)
    if not isinstance(done, Overlaid):
        return done
    words = f"from main: {main[:10]} {_subject(branch.repo, main)}\n\nWhat main had, and the run tree lacked."
    return _planned(branch, done, f"{words}\n\n{wrote.TARGET}: {main}", main)


def release(
    branch: RunBranch, target: Sha, code: Code, inside: Inside | None = None
) -> Planned | Blocked | None:
    """Return the commit that has the code of a release, which is the source of ``code``, for that applied.

    All else is that of ``target``. ``None`` if the run branch has all of it.
    """
    done = overlay(branch, target, code, inside)
    if not isinstance(done, Overlaid):
        return done
    old, new = code.applied or branch.fork, code.source
    more = f" and {len(code.paths) - 1} more" if len(code.paths) > 2 else ""
    where = f"{code.paths[0]}{more}" if more else " ".join(code.paths)
    subject = f"{where}: {old[:10]} → {new[:10]} {_subject(branch.repo, new)}"
    said = f"Old: {old}\nNew: {new}\n{wrote.TARGET}: {target}\n{wrote.CODE}: {new}"
    return _planned(branch, done, f"{subject}\n\n{said}", target, new)


def home(
    branch: RunBranch, code: Code, message: str, inside: Inside | None = None
) -> Planned | Blocked | None:
    """Return the merge that has what was written over main, the source of ``code``; ``None``: nothing was."""
    done = overlay(branch, code.source, code, inside)
    if not isinstance(done, Overlaid):
        return done
    if not done.wrote.paths:
        return None
    parents = [code.source, branch.tip]
    return Planned(branch.repo.commit_tree(done.tree, parents, message), done.laid)


def _planned(
    branch: RunBranch, done: Overlaid, words: str, target: Sha, code: Sha | None = None
) -> Planned | None:
    if not done.changes:
        return None
    message = f"{words}\n{wrote.TREE}: {done.tree}\n{SIGN}\n"
    made = branch.repo.commit_tree(done.tree, [branch.tip], message)
    wrote.note(branch, Bring(made, target, code), done.wrote.base, done.tree, done.changes)
    diff.note_between(branch.tip, made, tuple(_change(path, both) for path, both in done.changes))
    return Planned(made, done.laid)


def _change(path: str, both: Both) -> Change:
    old, new = (side or Entry(NOTHING, ZERO) for side in both)
    return Change(path, old.mode, old.sha, new.mode, new.sha)


def _subject(repo: Repo, commit: Sha) -> str:
    known = named.of(repo, commit)
    return known.subject if known else repo.subject(commit)
