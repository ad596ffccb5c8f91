"""``wtwatch release``: move the bookmark, through whatever drives the code."""

from __future__ import annotations

import click

from wtwatch.commands.front import project_option, ring_for, warn_of_daemon
from wtwatch.job import lifecycle
from wtwatch.project.config import Project
from wtwatch.project.registry import one
from wtwatch.project.tree import RunTree
from wtwatch.queue.jobs import Queue
from wtwatch.tree import release, tip
from wtwatch.tree.concerns import concerns_jobs
from wtwatch.views import releasing, status
from wtwatch.views.releasing import Outlook
from wtwatch.views.terminal import say, say_folded, warn, width
from wtwatch.words.model import now


@click.command("release")
@click.argument("rev", required=False)
@click.option("--dry-run", is_flag=True, help="say what would follow, change nothing")
@click.option(
    "--after",
    type=click.Choice(["batch", "job", "cancel"]),
    help="when the run tree moves: after the batch under way, after its job that runs, or at once, "
    "stopping that; what is left of the batch then runs on the new code (default: as the setting on_move has "
    "it, after the batch)",
)
@project_option
def command(rev: str | None, project: str | None, dry_run: bool, after: str | None) -> None:
    """Move the bookmark to REV (default: @- in jj, HEAD in git); batches that wait for that start at once."""
    chosen = one(project)
    before, to = tip.read(chosen).commit, release.aim(chosen, rev)
    watch = status.daemon()
    seen = releasing.look(chosen, to, after or _usual(chosen, to), watch.pid)
    new_batch = None
    if not dry_run:
        release.move(chosen, to)
        new_batch = _follow_up(chosen, to, seen, asked=after is not None)
    moved = "would point to" if dry_run else "now points to"
    verb = "is already at" if before == to.commit else moved
    say_folded(f"{chosen.bookmark} {verb} {to.commit[:10]} {to.subject or '(no description)'}")
    for line in releasing.lines(seen, to, now(), width(), new_batch):
        say(line)
    _warn(chosen, to)


def _usual(project: Project, to: release.Aim) -> str:
    """Return when the run tree moves if that was not said: as ``on_move`` has it, if that concerns jobs."""
    batch = Queue(project.state).under_way()
    code_sha = Queue(project.state).batch_code(batch) if batch else None
    if to.working_copy or not (code_sha and concerns_jobs(project, code_sha, to.commit)):
        return "batch"
    return project.on_move.removeprefix("after-")


def _follow_up(project: Project, to: release.Aim, seen: Outlook, asked: bool) -> int | None:
    """Have the batch under way give way as it was asked for; return the one that its jobs were put into."""
    queue, new_batch = Queue(project.state), None
    if asked and seen.after == "batch":
        queue.await_end(to.commit)
    if seen.under_way and seen.under_way.code_sha != to.commit and seen.after != "batch":
        passed = queue.pass_on(seen.under_way.batch, stop=seen.after == "cancel")
        new_batch = passed.batch
        for job in passed.stopped:
            lifecycle.stop(RunTree.of(project), job)
    queue.hurry(to.commit)
    ring_for(project)
    return new_batch


def _warn(project: Project, to: release.Aim) -> None:
    if to.left_out:
        warn(to.left_out)
    if to.working_copy:
        warn(
            f"That is jj's working-copy commit (@): each edit rewrites it, and {project.bookmark} follows.\n"
            "To release what is finished: jj commit, then wtwatch release."
        )
    warn_of_daemon(project, "the run tree does not follow and nothing starts")
