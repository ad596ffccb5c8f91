"""``wtwatch sync``: one reconcile, no daemon needed."""

from __future__ import annotations

from collections.abc import Sequence

import click

from wtwatch import reconcile
from wtwatch.bring import steps
from wtwatch.commands.front import project_argument, ring_for, warn_of_daemon
from wtwatch.doors import refs
from wtwatch.doors.processes import identity
from wtwatch.doors.repo import Repo
from wtwatch.job import giving_way
from wtwatch.job.others import others_in
from wtwatch.lanes import notes
from wtwatch.project import owner
from wtwatch.project.config import Project, host
from wtwatch.project.registry import of_this_place
from wtwatch.project.tree import RunTree
from wtwatch.queue.jobs import Queue
from wtwatch.tree import codetree, environment, sync
from wtwatch.tree import tip as bookmark
from wtwatch.tree.bytewise import NOTHING
from wtwatch.views import watch
from wtwatch.views.jobwords import outcome, ranged
from wtwatch.views.terminal import complain, say, warn
from wtwatch.words.errors import UsageError, WtwatchError
from wtwatch.words.model import Ended, Job, counted

_SHOWN = 10
_LETTERS = {NOTHING: "new    "}


@click.command("sync")
@project_argument
@click.option("--dry-run", is_flag=True, help="say what would be done, change nothing")
@click.option("--force", is_flag=True, help="back up what is in the way, then move")
@click.option("--from-main", is_flag=True, help="bring what the main tree has and the run tree lacks, now")
@click.option("--ignore-pid", "ignore", type=int, multiple=True, help="do not wait for this process")
def command(project: str | None, dry_run: bool, force: bool, from_main: bool, ignore: tuple[int, ...]) -> int:
    """Bring the run tree to the bookmark, its environment up to date, and save the pointer."""
    _check(ignore)
    found = of_this_place(project)
    for broken in found.broken:
        complain(broken.error)
    worst = 1 if found.broken else 0
    options = reconcile.TickOptions(
        force=force, hurry=True, ignore=ignore, patience=reconcile.PATIENCE, from_main=from_main
    )
    for one in found.projects:
        try:
            worst = max(worst, _preview(one, options) if dry_run else _sync_here(one, options))
        except WtwatchError as error:  # the others are independent of it
            complain(error)
            worst = max(worst, error.exit_code)
    return worst


def _check(pids: tuple[int, ...]) -> None:
    """Raise :class:`UsageError` for a number that is no process: it is mistyped, or holds nothing up."""
    for pid in pids:
        if identity(pid) is None:
            raise UsageError(f"There is no process {pid}.", "`wtwatch status` says who is waited for now.")


def _preview(project: Project, options: reconcile.TickOptions) -> int:
    tree = RunTree.of(project)
    facts = codetree.facts_of(tree)
    if not facts.present:
        raise WtwatchError(f"The run tree {project.run_tree} is gone.", "`wtwatch init` makes it anew.")
    match sync.next_step(tree, facts, options.force):
        case sync.Fresh():
            say(f"{project.name}: at the tip; nothing to do.")
        case sync.Blocked(reason=reason, hint=hint):
            raise WtwatchError(f"{project.name}: {reason}", hint)
        case sync.Move() as move:
            say(f"{project.name}: would move from {move.parked[:10]} to {move.to[:10]}.")
            for path in sorted({*facts.edited, *move.in_the_way}):
                say(f"  would back up {path}")
            for process in others_in(tree, Queue(project.state), options.ignore):
                say(f"  would wait for {process.name} (pid {process.pid})")
    if options.from_main:
        _preview_from_main(project, tree)
    return 0


def _preview_from_main(project: Project, tree: RunTree) -> None:
    found = steps.coming(tree)
    match found:
        case steps.Coming():
            say(f"{project.name}: would bring {counted(len(found.changes), 'file')} from main.")
            for change in found.changes[:_SHOWN]:
                say(f"  {_LETTERS.get(change.mode_before, 'changes')} {change.path}")
            if len(found.changes) > _SHOWN:
                say(f"  and {len(found.changes) - _SHOWN} more")
        case steps.Nothing():
            say(f"{project.name}: {_nothing(project, found)}")
        case steps.Held():
            raise WtwatchError(f"{project.name}: {found.reason}", found.hint)


def _nothing(project: Project, found: steps.Nothing) -> str:
    if found.away is None:
        return "main has nothing that the run tree lacks."
    return f"the main tree is on {found.away} instead of {project.main_branch}, so nothing comes from it."


def _ignore(project: Project, queue: Queue, pids: tuple[int, ...]) -> None:
    """Have nothing wait for these processes as long as they live: no move, and no job of the daemon's."""
    known = [found for pid in pids if (found := identity(pid))]
    if known:
        queue.ignore(known)
        named = ", ".join(str(one.pid) for one in known)
        say(f"{project.name}: nothing waits for pid {named} any more, jobs neither.")
        say('  Never to wait for a program NAME: wtwatch config passive "$(wtwatch config passive),NAME"')


def _sync_here(project: Project, options: reconcile.TickOptions) -> int:
    """Do it, unless another host acts on the project."""
    with owner.acting(project):
        return _sync(project, options)


def _sync(project: Project, options: reconcile.TickOptions) -> int:
    queue = Queue(project.state)
    if options.from_main:
        _check_no_batch(project, queue)
    before = queue.living()
    code = Repo(project.main_code)
    moved = bookmark.read(project).commit != refs.tip_of(code, RunTree.of(project).applied_ref)
    for tree in (RunTree.of(project), *notes.known(project)):
        environment.forget_failure(tree)
    _ignore(project, queue, options.ignore)
    alone = _acts_alone(project)
    done = reconcile.tick(project, options._replace(start_jobs=alone))
    ring_for(project)
    still = {job.id for job in queue.living()}
    running = [job for job in before if job.id in still]
    if running:
        say(f"{project.name}: {_held_by(running, moved, project, done)}")
    _tell(project, done)
    if done.waits:
        raise WtwatchError(f"{project.name}: {done.waits}", done.hint)
    if done.unbrought and options.from_main:
        raise WtwatchError(f"{project.name}: {done.unbrought[0]}", done.unbrought[1])
    batch = queue.under_way()
    if batch is not None and not before:
        then = "keeps its code; the move follows after it" if moved else "is on the code of the tip"
        say(f"{project.name}: batch {batch} is under way and {then}.")
    elif not before and options.from_main and not done.brought:
        say(f"{project.name}: {_nothing(project, steps.away(project))}")
    elif not (before or done.moved or done.pointer or done.brought):
        say(f"{project.name}: at the tip; nothing to do.")
    if queue.next_job() is not None and not alone:
        warn_of_daemon(project)
    return 0


def _acts_alone(project: Project) -> bool:
    """Return whether this command starts jobs itself: on a cluster, where no daemon may stay, say.

    From any host then: that no other acts on the project is known by now.
    """
    by_daemon = project.host in ("", host()) and watch.daemon().running
    return owner.is_needed(project) and not by_daemon


def _held_by(jobs: Sequence[Job], moved: bool, project: Project, done: reconcile.Done) -> str:
    """Return what jobs that run mean for the move, if there is one."""
    several = len(jobs) > 1
    who = f"jobs {ranged([job.id for job in jobs])}" if several else f"job {jobs[0].id}"
    run, its, it = ("run", "their", "them") if several else ("runs", "its", "it")
    if not moved:
        return f"at the tip; {who} {run}."
    if not done.gave_way:
        return f"{who} {run}, so nothing moves; the move follows after {its} batch."
    stopped = project.on_move == giving_way.STOPS
    run = ("are stopped" if several else "is stopped") if stopped else run
    return f"{who} {run}; the move follows after {it}."


def _tell(project: Project, done: reconcile.Done) -> None:
    """Say what a tick did."""
    for job in done.beside:
        if isinstance(job.state, Ended):
            say(f"{project.name}: job {job.id} {outcome(job)} in lane {job.state.lane}.")
    for job, why in done.put_back:
        say(f"{project.name}: job {job.id} waits once more: {why}.")
    if done.backup:
        warn(f"{project.name}: kept {done.backup.summary}: wtwatch backups show {done.backup.id}")
    if done.gave_way:
        batch, into = done.gave_way
        say(f"{project.name}: batch {batch} gives way; what it has left goes on as batch {into}.")
    if done.moved:
        seconds = done.moved.seconds
        say(f"{project.name}: moved from {done.moved.old[:10]} to {done.moved.new[:10]} in {seconds:.2f} s.")
    if done.pointer:
        say(f"{project.name}: saved the pointer in {done.pointer[:10]}.")
    if done.fired:
        say(f"{project.name}: the move starts batch {', '.join(map(str, done.fired))}.")
    if done.brought:
        say(f"{project.name}: brought {counted(done.brought, 'file')} from main.")


def _check_no_batch(project: Project, queue: Queue) -> None:
    """Raise :class:`WtwatchError` while a batch is under way: all its jobs have the same inputs."""
    batch = queue.under_way()
    if batch is not None:
        raise WtwatchError(
            f"{project.name}: batch {batch} is under way, and nothing comes from main within a batch.",
            f"When it is over: wtwatch queue wait --batch {batch}; wtwatch sync --from-main",
        )
