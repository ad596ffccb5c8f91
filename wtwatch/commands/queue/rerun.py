"""``wtwatch queue rerun``: what results' commits record, run again."""

from __future__ import annotations

import gc
import os
from collections.abc import Sequence
from pathlib import Path

import click

from wtwatch.commands import completing
from wtwatch.commands.front import project_option, warn_of_daemon
from wtwatch.commands.ordering import Order, order_options, queue_jobs
from wtwatch.commands.wishes import wish_options
from wtwatch.doors import dataset
from wtwatch.doors.repo import Repo
from wtwatch.job.tracked import place_of
from wtwatch.project.config import Project
from wtwatch.project.registry import need_run_tree, one
from wtwatch.project.tree import RunTree
from wtwatch.queue import orders
from wtwatch.queue.jobs import Queue
from wtwatch.queue.meeting import TOP
from wtwatch.stale import look, standing
from wtwatch.stale.touched import NEEDED
from wtwatch.stale.values import Finding, Standing
from wtwatch.tree import tip as bookmark
from wtwatch.views import stale as screen
from wtwatch.views.jobwords import one_line
from wtwatch.views.terminal import say, say_folded, warn, width
from wtwatch.words import resources
from wtwatch.words.errors import UsageError, WtwatchError
from wtwatch.words.model import JobSpec, Sha, Trigger, counted
from wtwatch.words.quoting import quoted
from wtwatch.words.resources import Resources

NAMED = 5
"""Results of others that are named one by one."""


@click.command("rerun")
@click.option("--stale", is_flag=True, help="results of which code, inputs or environment changed since")
@project_option
@click.argument("words", nargs=-1, metavar="[REV]...", shell_complete=completing.files)
@wish_options
@order_options
def command(order: Order, project: str | None, want: Resources, words: tuple[str, ...], stale: bool) -> None:
    """Queue the commands that result commits REV record, to run again on the newest code.

    With --stale: those of all jobs whose results are stale. Paths after it mean what lies there, and then
    runs by hand as well; what somebody else ran waits for `queue approve`. What turns out fresh when its turn
    comes is not run.
    """
    if not words and not stale:
        raise UsageError(
            "Which results?",
            "wtwatch queue rerun REV…   (see `git log` of the run tree)\n"
            "wtwatch queue rerun --stale --dry-run   shows which ones code has left behind",
        )
    chosen = one(project)
    need_run_tree(chosen)
    if stale:
        _rerun_stale(chosen, words, want, order)
        return
    specs = [_rerun_of(chosen, rev) for rev in words]
    queue_jobs(chosen, [resources.with_wishes(spec, want) for spec in specs], order)


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
    orders.check_inside([spec], project.run_tree)
    return spec


def _rerun_stale(project: Project, words: Sequence[str], want: Resources, order: Order) -> None:
    gc.disable()  # values by the hundred thousand, and no garbage among them
    tree = RunTree.of(project)
    paths = [_path(project, word) for word in words]
    tip = _tip(project)
    found, left_out = (look.all_results(tree, tip, paths), []) if paths else look.with_own_by_hand(tree, tip)
    taken = standing.mine(tree, found)
    commits = {each.result.commit for each in taken}
    if order.dry_run and (lines := list(screen.lines(tree, taken, tip, width()))):
        say("\n".join(lines))
    others = [each for each in found if each.result.commit not in commits and each.standing in NEEDED]
    stale = [each for each in taken if each.standing in NEEDED]
    meant = stale if order.trigger is Trigger.NOW else taken
    if others:
        _hold(project, others, want, order)
    if not meant:
        if taken or not others:
            say(_nothing(taken))
        _name_left_out(project, left_out)
        return
    specs = list(standing.specs_of(meant, want))
    orders.check_inside(specs, project.run_tree)
    if order.dry_run:
        say(f"That would be {counted(len(specs), 'job')} at most; nothing was queued.")
    elif order.trigger is Trigger.EVERY_MOVE:
        made = Queue(project.state).add_standing(specs, tip, standing.template_of(paths, want))
        touched = f"those of {counted(len(specs), 'result')} that it touches"
        say_folded(f"Standing s{made.id}: at every move of {project.bookmark}, {touched}.")
        warn_of_daemon(project)
    else:
        queue_jobs(project, specs, order)
    if order.trigger is Trigger.NOW:
        _name_left_out(project, left_out)


def _name_left_out(project: Project, by_hand: Sequence[Finding]) -> None:
    """Say which of the user's own runs by hand are stale too, which are meant by their paths alone."""
    stale = (each.result for each in by_hand if each.standing is Standing.STALE)
    places = [one.spec.outputs or tuple(one.written) for one in stale]
    if not places:
        return
    which = "1 result is" if len(places) == 1 else f"{len(places)} results are"
    say_folded(f"Of your own `datalad run`s {which} stale, and made again by path:")
    named = sorted({path for some in places for path in some})
    shown = [project.main_tree / path for path in named] if len(named) <= NAMED else [project.main_tree]
    say(f"→ wtwatch queue rerun --stale {' '.join(quoted(os.path.relpath(path)) for path in shown)}")


def _path(project: Project, word: str) -> str:
    """Return a path that was named as seen from the dataset's top, whichever tree it lies in."""
    path = Path(os.path.abspath(word))  # noqa: PTH100 - what a link leads to is not meant
    tops = [Path(os.path.realpath(top)) for top in (project.run_tree, project.main_tree)]
    return TOP if Path(os.path.realpath(path)) in tops else place_of(project, path).path


def _tip(project: Project) -> Sha:
    tip, missing, _ = bookmark.read(project)
    if tip is None:
        how = missing or "gone"
        raise WtwatchError(f"The bookmark {project.bookmark} is {how}.", "wtwatch release REV sets it anew.")
    return tip


def _hold(project: Project, others: Sequence[Finding], want: Resources, order: Order) -> None:
    """Have what somebody else ran wait for the user's approval, as one batch; or say that it needs that."""
    by = ", ".join(sorted({one_line(each.result.by) or "nobody" for each in others}))
    names = [one_line(each.result.name) for each in others]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    what = f"{counted(len(others), 'stale result')} made by {by} ({', '.join(names[:NAMED])}{more})"
    if order.dry_run or order.trigger is not Trigger.NOW:
        say_folded(f"{what}: held until you approve, if you rerun --stale what lies there, --now.")
        return
    queue = Queue(project.state)
    held = {job.spec for job in queue.held()}
    asked = [
        spec for spec in standing.specs_of(others, want) if spec not in held and _lies_inside(spec, project)
    ]
    if not asked:
        say_folded(f"{what}: held already, see `wtwatch queue list --state held`.")
        return
    made = queue.hold(asked)
    say_folded(f"{what}: held, as batch {made[0].batch}, until you approve.")
    say(f"→ wtwatch queue list --batch {made[0].batch} · wtwatch queue approve --batch {made[0].batch}")


def _lies_inside(spec: JobSpec, project: Project) -> bool:
    """Return whether a record of somebody else stays in the dataset; else say that it does not."""
    try:
        orders.check_inside([spec], project.run_tree)
    except UsageError as error:
        warn(error.message)
        return False
    return True


def _nothing(found: Sequence[Finding]) -> str:
    unknown = sum(each.standing is Standing.UNKNOWN for each in found)
    if unknown:
        return f"Nothing is stale as far as can be told: {counted(unknown, 'result')} cannot be looked at."
    return f"Nothing is stale: {counted(len(found), 'result')} fresh." if found else "There are no results."
