"""Where the bookmark is, in the one way that all of wtwatch asks: in git's words and jj's together."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from wtwatch.doors import jj, refs
from wtwatch.doors.repo import Repo
from wtwatch.project.config import Project
from wtwatch.words.model import Sha


class Tip(NamedTuple):
    """The commit that the bookmark points to.

    Without one, ``missing`` says why it is at no single commit, such as "conflicted"; ``None``: it was
    deleted. ``working_copy``: it is jj's working-copy commit, which the next snapshot rewrites.
    """

    commit: Sha | None
    missing: str | None = None
    working_copy: bool = False


_seen: dict[tuple[Path, str], tuple[tuple[str, ...], jj.Bookmark]] = {}


def read(project: Project) -> Tip:
    """Return where the bookmark is; starts jj if that did anything since, and git for reftables alone."""
    return ask(project)()


def ask(project: Project, anew: bool = False) -> Callable[[], Tip]:
    """Start to ask where the bookmark is, which takes 21 ms if jj has to be asked; return what waits for it.

    ``anew``: jj is asked even if it seems to have done nothing.
    """
    code = project.main_code
    answer = _ask_jj(code, project.bookmark, anew) if jj.drives(code) else None

    def wait() -> Tip:
        in_jj = answer() if answer else None  # git last: what jj exports meanwhile is no move by git
        return _tip(in_git(project), in_jj)

    return wait


def in_git(project: Project) -> Sha | None:
    """Return where git has the bookmark, read off its files; jj may know better."""
    return refs.tip_of(Repo(project.main_code), project.bookmark_ref)


def _ask_jj(code: Path, bookmark: str, anew: bool) -> Callable[[], jj.Bookmark]:
    key, operation = (code, bookmark), jj.operation(code)
    known = _seen.get(key)
    if known and known[0] == operation and not anew:
        return lambda: known[1]
    asked = jj.ask_bookmark(code, bookmark)

    def answer() -> jj.Bookmark:
        found = jj.bookmark(code, bookmark, asked)
        _seen[key] = (operation, found)
        return found

    return answer


def _tip(in_git: Sha | None, in_jj: jj.Bookmark | None) -> Tip:
    """Say where the bookmark is: in git's words where git moved it last, else in jj's."""
    if in_jj is None:
        return Tip(in_git)
    targets = in_jj.targets
    if in_git != in_jj.git:  # git moved it since jj looked
        moved_in_jj = targets not in ((), (in_jj.git,), (in_git,))
        return Tip(None, "conflicted") if moved_in_jj else Tip(in_git)
    if len(targets) > 1:
        return Tip(None, "conflicted")
    return Tip(targets[0], working_copy=in_jj.working_copy) if targets else Tip(None)
