"""Moving the bookmark, through whatever drives the code: what is asked for, and then the move itself."""

from __future__ import annotations

from typing import NamedTuple

from wtwatch.doors import jj
from wtwatch.doors.repo import Repo
from wtwatch.project.config import Project
from wtwatch.words.errors import CommandFailed, UsageError, WtwatchError
from wtwatch.words.model import Sha
from wtwatch.words.quoting import quoted


class Aim(NamedTuple):
    """The commit that the bookmark is to point to.

    ``working_copy``: it is jj's working-copy commit, which each edit rewrites. ``left_out`` says which edits
    of the main tree's code are not in it. ``asked`` is the word that named it, if one did.
    """

    commit: Sha
    subject: str
    working_copy: bool = False
    left_out: str | None = None
    asked: str | None = None


def aim(project: Project, rev: str | None) -> Aim:
    """Return what ``rev`` names (default: the last commit); nothing moves.

    Raises :class:`UsageError` for what is no single commit that holds code, :class:`WtwatchError` where the
    bookmark cannot be moved there.
    """
    if rev is not None and not rev.strip():
        raise UsageError(
            "An empty revision names no commit.", "wtwatch release, for the last commit; or REV."
        )
    code = project.main_code
    return _by_jj(project, rev) if jj.drives(code) else _by_git(project, Repo(code), rev)


def _by_jj(project: Project, rev: str | None) -> Aim:
    code = project.main_code
    log = f"jj -R {quoted(code)} log"
    try:
        found = jj.revisions(code, rev or "@-")
    except CommandFailed as error:
        why = error.stderr.strip().removeprefix("Error: ")
        raise UsageError(f"jj does not know {rev or '@-'!r}: {why}", f"See: {log}") from error
    if len(found) != 1:
        number = "several commits" if found else "no commit"
        raise UsageError(f"{rev or '@-'!r} names {number}, and the bookmark can point to one.", f"See: {log}")
    (only,) = found
    if only.root:
        raise UsageError(
            f"{rev or '@-'!r} is jj's root commit, which is before all code.",
            f"Name one that has files: {log}" if rev else f"Commit first: jj -R {quoted(code)} commit",
        )
    left_out = None
    if rev is None and not jj.working_copy_is_empty(code):
        left_out = "Your working copy (@) has edits that are not in it; `jj commit` first to release them."
    return Aim(only.commit, only.subject, only.working_copy, left_out, rev)


def _by_git(project: Project, repo: Repo, rev: str | None) -> Aim:
    target, git = repo.resolve(rev or "HEAD"), f"git -C {quoted(repo.path)}"
    if target is None:
        raise UsageError(f"git does not know the commit {rev or 'HEAD'!r}.", f"See: {git} log")
    left_out = None
    if rev is None:
        edited = repo.changes("--untracked-files=no").edited
        if edited:
            left_out = f"Your edited files are not in it, such as {edited[0]}; commit to release them."
    if repo.branch() == project.bookmark and repo.resolve("HEAD") != target:
        raise WtwatchError(
            f"Your main code tree is itself on the branch {project.bookmark}, which its files go with.",
            f"{git} reset --keep {target}, or work on another branch.",
        )
    return Aim(target, repo.subject(target), left_out=left_out, asked=rev)


def move(project: Project, to: Aim) -> None:
    """Point the bookmark to what :func:`aim` found, sideways and backwards too."""
    repo = Repo(project.main_code)
    if jj.drives(repo.path):
        jj.set_bookmark(repo.path, project.bookmark, to.commit)
    elif repo.branch() != project.bookmark:  # else it is there already
        try:
            repo.git("branch", "-f", "--no-track", project.bookmark, to.commit)
        except CommandFailed as error:
            raise WtwatchError(
                f"git does not move the branch {project.bookmark}: {error.stderr.strip()}",
                "If the run tree's code is on it, `wtwatch sync` takes it off; else see who has it: "
                f"git -C {quoted(repo.path)} worktree list",
            ) from error
