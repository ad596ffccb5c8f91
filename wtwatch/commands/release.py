"""``wtwatch release``: move the bookmark, through whatever drives the code."""

from __future__ import annotations

import click

from wtwatch.commands.front import project_option, ring_for
from wtwatch.doors import jj
from wtwatch.doors.repo import Repo
from wtwatch.project.config import Project
from wtwatch.project.registry import one
from wtwatch.queue.jobs import Queue
from wtwatch.tree import tip
from wtwatch.views.terminal import say, warn
from wtwatch.words.errors import CommandFailed, UsageError, WtwatchError
from wtwatch.words.model import Sha
from wtwatch.words.quoting import quoted


@click.command("release")
@click.argument("rev", required=False)
@project_option
def command(rev: str | None, project: str | None) -> None:
    """Move the bookmark to REV (default: @- in jj, HEAD in git); batches that wait for that start at once."""
    chosen = one(project)
    repo = Repo(chosen.main_code)
    before = tip.read(chosen).commit
    target = _release_by_jj(chosen, rev) if jj.drives(repo.path) else _release_by_git(chosen, repo, rev)
    Queue(chosen.state).hurry(target)
    ring_for(chosen)
    verb = "is already at" if before == target else "now points to"
    say(f"{chosen.bookmark} {verb} {target[:10]} {repo.subject(target)}")


def _release_by_jj(project: Project, rev: str | None) -> Sha:
    code = project.main_code
    try:
        target = jj.commit_of(code, rev or "@-")
    except CommandFailed as error:
        raise UsageError(
            f"jj does not know {rev!r}: {error.stderr.strip()}", f"See `jj log` in {code}."
        ) from error
    if rev is None and not jj.working_copy_is_empty(code):
        warn("Your working copy (@) has edits that are not in it; `jj commit` first to release them.")
    jj.set_bookmark(code, project.bookmark, target)
    return target


def _release_by_git(project: Project, repo: Repo, rev: str | None) -> Sha:
    target = repo.resolve(rev or "HEAD")
    if target is None:
        raise UsageError(f"git does not know the commit {rev or 'HEAD'!r}.", f"See `git -C {repo.path} log`.")
    if rev is None:
        edited = repo.changes("--untracked-files=no").edited
        if edited:
            warn(f"{len(edited)} edited files are not in it, such as {edited[0]}; commit to release them.")
    if repo.branch() == project.bookmark:
        if repo.resolve("HEAD") != target:
            raise WtwatchError(
                f"Your main code tree is itself on the branch {project.bookmark}, which its files go with.",
                f"git -C {quoted(repo.path)} reset --keep {target}, or work on another branch.",
            )
        return target
    repo.git("branch", "-f", "--no-track", project.bookmark, target)
    return target
