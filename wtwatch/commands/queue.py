"""``wtwatch queue``: queue jobs, and look after them."""

from __future__ import annotations

from typing import Any

import click

from wtwatch.commands import queue_list, queue_logs, queue_wait, show
from wtwatch.commands.front import project_option, ring_for
from wtwatch.doors import dataset
from wtwatch.doors.repo import Repo
from wtwatch.job import lifecycle
from wtwatch.job.attempt import Folder
from wtwatch.project.config import Project
from wtwatch.project.registry import need_run_tree, one
from wtwatch.project.tree import RunTree
from wtwatch.queue import orders
from wtwatch.queue.jobs import Queue
from wtwatch.tree import tip as bookmark
from wtwatch.views import status
from wtwatch.views.jobwords import needs_attention
from wtwatch.views.terminal import say, warn
from wtwatch.words.errors import UsageError, WtwatchError
from wtwatch.words.model import JobSpec, Trigger, counted
from wtwatch.words.quoting import quoted


@click.group("queue")
def command() -> None:
    """Queue jobs for the run tree, and look after them."""


for _view in (queue_list.show_list, show.command, queue_logs.logs, queue_wait.wait):
    command.add_command(_view)


def _triggers(function: Any) -> Any:
    for flag, text in (
        (Trigger.EVERY_MOVE, "a new batch at every move"),
        (Trigger.ON_MOVE, "once, after the next move of the bookmark"),
        (Trigger.NOW, "next in line (default)"),
    ):
        name = f"--{flag.value}"
        function = click.option(name, "trigger", flag_value=flag.value, default=None, help=text)(function)
    return function


@command.command("add", context_settings={"allow_interspersed_args": False})
@_triggers
@click.option("-m", "--message", metavar="MSG", help="the message of the result commit")
@click.option("-i", "--input", "inputs", multiple=True, metavar="IN", help="a file or folder that is needed")
@click.option("-o", "--output", "outputs", multiple=True, metavar="OUT", help="a file or folder that is made")
@click.option("--each", multiple=True, metavar="NAME=A,B", help="one job for each value of {NAME}")
@click.option("--plain", is_flag=True, help="run the command as it is, not through `datalad run`")
@project_option
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="-- COMMAND...")
def add(trigger: str | None, each: tuple[str, ...], project: str | None, **asked: Any) -> None:
    """Queue COMMAND, as `datalad run` has it; with --each, one job for each combination."""
    if not asked["words"]:
        raise UsageError("There is no command.", "wtwatch queue add [OPTIONS] -- COMMAND…")
    chosen = one(project)
    specs = orders.expand(orders.Request(each=each, **asked), chosen)
    _queue(chosen, specs, Trigger(trigger or Trigger.NOW.value))


@command.command("rerun")
@_triggers
@project_option
@click.argument("revisions", nargs=-1, metavar="REV...")
def rerun(trigger: str | None, project: str | None, revisions: tuple[str, ...]) -> None:
    """Queue the commands that result commits REV record, to run again on the newest code."""
    if not revisions:
        raise UsageError("Which results?", "wtwatch queue rerun REV…   (see `git log` of the run tree)")
    chosen = one(project)
    need_run_tree(chosen)
    _queue(chosen, [_rerun_of(chosen, rev) for rev in revisions], Trigger(trigger or Trigger.NOW.value))


def _rerun_of(project: Project, rev: str) -> JobSpec:
    commit = Repo(project.run_tree).resolve(rev)
    if commit is None:
        raise UsageError(
            f"{project.run_tree} has no commit {rev!r}.", f"git -C {quoted(project.run_tree)} log"
        )
    spec = dataset.spec_of(project.run_tree, commit)
    if spec is None:
        hint = f"git -C {quoted(project.run_tree)} log --grep 'DATALAD RUNCMD'"
        raise UsageError(f"The commit {rev} has no record of a `datalad run`.", hint)
    orders.check_inside(spec, project.run_tree)
    return spec


def _queue(project: Project, specs: list[JobSpec], trigger: Trigger) -> None:
    queue = Queue(project.state)
    tip, missing, _ = bookmark.read(project)
    if tip is None:
        how = missing or "gone"
        raise WtwatchError(f"The bookmark {project.bookmark} is {how}.", "wtwatch release REV sets it anew.")
    if trigger is Trigger.EVERY_MOVE:
        made = queue.add_standing(specs, tip)
        each_time = counted(len(specs), "job")
        say(f"Standing s{made.id}: {each_time}, a new batch at every move of {project.bookmark}.")
    else:
        jobs = queue.add(specs, trigger, tip)
        first, last = jobs[0].id, jobs[-1].id
        named = f"Job {first}" if first == last else f"Jobs {first}–{last}"
        when = "next in line" if trigger is Trigger.NOW else f"after the next move of {project.bookmark}"
        which = "on the code that the run tree is at when the batch starts"
        say(f"{named} in batch {jobs[0].batch}: {when}, {which} (now {tip[:10]}).")
    ring_for(project)
    if not status.daemon().running:
        warn("No daemon runs, so nothing starts: wtwatch service install, or wtwatch watch.")


@command.command("cancel")
@click.argument("jobs", nargs=-1, required=True, metavar="JOB...")
@project_option
def cancel(jobs: tuple[str, ...], project: str | None) -> None:
    """Take waiting or standing jobs back; stop running ones."""
    chosen = one(project)
    running = Queue(chosen.state).cancel(jobs)
    for job in running:
        lifecycle.stop(RunTree.of(chosen), job)
    ring_for(chosen)
    say("Stopping what runs; the rest is cancelled." if running else "Cancelled.")


@command.command("retry")
@click.argument("jobs", nargs=-1, metavar="[JOB]...")
@click.option("--failed", is_flag=True, help="all that failed or were interrupted, and were not acknowledged")
@project_option
def retry(jobs: tuple[str, ...], failed: bool, project: str | None) -> None:
    """Queue jobs again, as a new batch on the code of today."""
    chosen = one(project)
    queue = Queue(chosen.state)
    wanted: list[int | str] = [*jobs]
    if failed:
        wanted += [job.id for job in queue.jobs() if needs_attention(job)]
    if not wanted:
        raise UsageError("Which jobs?", "wtwatch queue retry JOB…, or --failed (there are none that failed).")
    made = queue.retry(wanted)
    ring_for(chosen)
    say(f"{counted(len(made), 'job')} again, in batch {made[0].batch}.")


@command.command("pause")
@project_option
def pause(project: str | None) -> None:
    """Start no further job; the one that runs goes on, and a batch under way keeps its code."""
    Queue(one(project).state).pause()
    say("Paused. `wtwatch queue resume` goes on.")


@command.command("resume")
@project_option
def resume(project: str | None) -> None:
    """Start jobs again."""
    chosen = one(project)
    Queue(chosen.state).resume()
    ring_for(chosen)
    say("Going on.")


@command.command("remove")
@click.argument("jobs", nargs=-1, required=True, metavar="JOB...")
@project_option
def remove(jobs: tuple[str, ...], project: str | None) -> None:
    """Forget jobs that do not run, and their logs; results stay, and so does what failed ones left."""
    chosen = one(project)
    shelf = RunTree.of(chosen).shelf
    kept = []
    for job in Queue(chosen.state).remove(jobs):
        for attempt in Folder.all_of(chosen.state, job):
            attempt.forget()
        kept += sorted(shelf.glob(f"jobs/{job}.*"))
    say("Removed.")
    for folder in kept:
        say(f"What it left stays in {folder}")
