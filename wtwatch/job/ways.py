"""The ways in which a job is run: as a shell line, by DataLad as it is, or in parts.

In parts, what is slow of `datalad run` is left out, as the tree is known to be clean, and a result is saved
only once it was verified.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from wtwatch.doors import dataset, fastrun, gc, waiting
from wtwatch.doors.dataset import OUR_KEY, RunResult, results_of
from wtwatch.doors.fastrun import Plan, Saving
from wtwatch.doors.porcelain import Change
from wtwatch.doors.processes import bearing, identity, send
from wtwatch.doors.refs import head_of
from wtwatch.doors.repo import GITLINK, Repo
from wtwatch.job import ignored, outlived, patience, preparing, recording
from wtwatch.job.attempt import MARK, CommandEnd, Folder, Order, Usage
from wtwatch.job.readiness import Demands
from wtwatch.project import excludes
from wtwatch.tree import diff
from wtwatch.tree.changes import commits_since
from wtwatch.tree.states import After, Before, DatasetState, added
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Sha
from wtwatch.words.uses import Uses, recorded


class Ran(NamedTuple):
    """How a command ended: with which exit code of its own, and what it took, where that is known."""

    result: RunResult
    code: int | None = None
    used: Usage | None = None


class Around(NamedTuple):
    """What is called directly before a command, and directly after it, where DataLad runs it.

    The first is told whether all inputs were there, so that none was got; the latter returns what the command
    used of the code.
    """

    make_ready: Callable[[bool], None]
    is_over: Callable[[], Uses]


class Way(Protocol):
    """One way to run a job's command and to save what comes of it."""

    def run(self, around: Around) -> Ran:
        """Prepare the tree and run the command; what cannot be prepared is a failure."""

    def save(self, before: Before, after: After, end: CommandEnd) -> RunResult:
        """Save what a job changed that succeeded and was verified; may be cut off and done again."""


class Plain:
    """A shell line, which saves what it likes itself."""

    def __init__(self, order: Order) -> None:
        self._order = order

    def run(self, around: Around) -> Ran:
        """Run the command; see :class:`Way`."""
        around.make_ready(True)
        code, used = _call(self._order.spec.command, self._order.run_tree, {})
        return Ran(RunResult(code), code, used)

    def save(self, before: Before, after: After, end: CommandEnd) -> RunResult:
        """Save nothing."""
        return RunResult(0)


class AsDatalad:
    """`datalad run` or `rerun` as they are, which save before anything was verified."""

    def __init__(self, order: Order, ours: Mapping[str, Any]) -> None:
        self._order, self._ours = order, ours

    def run(self, around: Around) -> Ran:
        """Have DataLad run the command and save what comes of it; see :class:`Way`."""
        needed = self._order.left is not None
        ours = dict(self._ours)

        def is_over() -> None:
            ours["uses"] = recorded(around.is_over())  # DataLad writes its record later

        with dataset.around_commands(lambda: around.make_ready(False), needed, is_over):
            return Ran(dataset.run(self._order.run_tree, self._order.spec, {OUR_KEY: ours}))

    def save(self, before: Before, after: After, end: CommandEnd) -> RunResult:
        """Tell the superdataset of subdatasets that DataLad saved in; see :mod:`wtwatch.job.recording`."""
        with suppress(WtwatchError, OSError):  # whoever clears up does it again, and can wait for it
            recording.record(self._order, before, after)
        return RunResult(0)


class InParts:
    """DataLad plans, records and saves; preparing, running and looking at the tree are done here.

    ``folder`` keeps the plan, so that what was computed is saved though this process is killed. ``then`` are
    whole paths that are outputs though none is declared.
    """

    def __init__(
        self, order: Order, demanded: Demands, folder: Folder, planned: Plan, then: Sequence[str] = ()
    ) -> None:
        self._order, self._demanded, self._folder = order, demanded, folder
        self._planned, self._then = planned, then
        self._stood: list[outlived.Stood] = []

    def run(self, around: Around) -> Ran:
        """Prepare inputs and outputs, and run the command; see :class:`Way`."""
        planned, top = self._planned, self._order.run_tree
        self._folder.write_plan(planned._asdict())
        where = planned.folder
        inputs = [f"{where}/{path}" for path in (*planned.inputs, *planned.also)]
        all_is_there = not (preparing.is_lacking(inputs) or preparing.outside(inputs, top))
        if not all_is_there:
            got = fastrun.get_inputs(top, planned)
            if got != RunResult(0):
                return Ran(got)
        outputs = (*planned.outputs, *(os.path.relpath(path, where) for path in self._then))
        elsewhere = preparing.outside((f"{where}/{path}" for path in outputs), top)
        if elsewhere:
            return Ran(RunResult(1, f"{os.path.relpath(elsewhere[0], where)} is an output outside of {top}"))
        preparing.make_writable(f"{where}/{path}" for path in outputs)
        self._stood = outlived.look(where, planned.record["outputs"])
        around.make_ready(all_is_there)
        code, used = _call(planned.command, Path(where), fastrun.environment(planned))
        return Ran(RunResult(0 if code == planned.accepted else code), code, used)

    def save(self, before: Before, after: After, end: CommandEnd) -> RunResult:
        """Save as DataLad does, all or nothing; see :class:`Way`."""
        done = RunResult(1)
        gits = [Repo(self._order.run_tree / then.path).common_dir() for then in self._still_there(before)]
        journals = {git / "annex" / "journal.lck" for git in gits}
        try:
            with (
                gc.held_off(gits, tell=patience.tell_of_gc),
                patience.limited(sorted(journals), self._ours, self._stop) as waited,
            ):
                done = self._save(before, after, end)
            if waited.why and done != RunResult(0):
                done = RunResult(1, f"the result could not be saved: {waited.why}")
        finally:
            if done != RunResult(0):
                self._take_back(before)
        return done

    def _still_there(self, before: Before) -> list[DatasetState]:
        """Return the datasets that the command left: git would take another one for one that is gone."""
        top = self._order.run_tree
        return [then for then in before.datasets if os.path.lexists(top / then.path / ".git")]

    def _ours(self) -> list[int]:
        """Return the processes of this attempt."""
        return bearing(MARK, self._order.uuid, identity(os.getpid()))

    def _stop(self) -> None:
        """Tell what this process started to end."""
        send([pid for pid in self._ours() if pid != os.getpid()], signal.SIGTERM)

    def _take_back(self, before: Before) -> None:
        """Leave what the command made as it made it, where only a part of it was staged or committed."""
        for then in self._still_there(before):
            repo = Repo(self._order.run_tree / then.path)
            if then.head and self._start_of(then, head_of(repo)) != then.head:
                repo.git("reset", "-q", then.head, ok=None)
            elif self._demanded.paths or then.path != self._demanded.code_path:
                repo.git("reset", "-q", ok=None)

    def _save(self, before: Before, after: After, end: CommandEnd) -> RunResult:
        top, planned = self._order.run_tree, self._planned
        record = planned.record | {"exit": end.code or 0}
        if end.used:
            learned = {"used": end.used._asdict(), "uses": recorded(self._folder.uses())}
            record[OUR_KEY] = record[OUR_KEY] | learned
        after = self._without_outlived(record, after)
        if self._is_ignored(before, after):
            return RunResult(0)  # whoever clears up puts back what changed
        if self._is_plain(before, after):
            parts = [
                Saving(then.path, then.head, self._to_save(before, after, then.path))
                for then in reversed(before.datasets)
            ]
            return fastrun.save(top, planned, record, parts)
        heads = {now.path: now.head for now in after.datasets}
        stood = {then.path: self._start_of(then, heads.get(then.path)) for then in before.datasets}
        with excludes.besides(top, self._left_in_code(before, after)) as ignoring:
            done = fastrun.save_all(top, planned, record, stood, ignoring)
        if done == RunResult(0):
            with suppress(WtwatchError, OSError):
                recording.record(self._order, before, After.of(top, os.environ))
        return done

    def _without_outlived(self, record: Mapping[str, Any], after: After) -> After:
        """Note what the command makes no more; return how the tree stands, without that if it is removed."""
        try:
            after, passed = outlived.settled(self._order, record, self._stood, after)
            if passed.paths:
                self._folder.write_outlived(*passed)
        except (WtwatchError, OSError):  # a result is none the worse for it; some may be removed by now
            return After.of(self._order.run_tree, os.environ)
        return after

    def _is_ignored(self, before: Before, after: After) -> bool:
        """Return whether nothing changed that is a result, and note that."""
        with suppress(WtwatchError, OSError):  # else it is one
            if ignored.alone(self._order, self._demanded, before, after):
                self._folder.write_ignored()
                return True
        return False

    def _to_save(self, before: Before, after: After, path: str) -> tuple[Change, ...]:
        """Return what is to be saved in a dataset: nothing of code, where Python may have left bytecode."""
        found = added(before, after, path)
        if path != self._demanded.code_path:
            return found
        return tuple(change for change in found if not self._demanded.is_code(change.path))

    def _left_in_code(self, before: Before, after: After) -> list[str]:
        """Return what is not to be saved: see :meth:`_to_save`."""
        found = added(before, after, self._demanded.code_path)
        return [change.path for change in found if self._demanded.is_code(change.path)]

    def _is_plain(self, before: Before, after: After) -> bool:
        """Return whether the command committed, staged and created no dataset, which DataLad sees to."""
        if [then.path for then in before.datasets] != [now.path for now in after.datasets]:
            return False
        pairs = zip(before.datasets, after.datasets, strict=True)
        return all(self._start_of(then, now.head) == now.head for then, now in pairs) and not any(
            change.tracked and change.staged != "." for now in after.datasets for change in now.changes
        )

    def _start_of(self, then: DatasetState, head: Sha | None) -> Sha | None:
        """Return where a dataset stood that is at ``head``, commits apart that this attempt itself made."""
        if head is None or then.head is None or then.head == head:
            return then.head
        place = self._order.run_tree / then.path
        made, ours = commits_since(place, then.head), results_of(place, self._order.uuid, then.head)
        return head if made and set(made) <= set(ours) else then.head


def _written_then(order: Order, planned: Plan) -> list[str]:
    """Return what the run whose record is run again wrote, as whole paths: declared outputs, and others."""
    if not order.spec.rerun_of:
        return []
    earlier = Sha(planned.record["chain"][-1])
    top = order.run_tree
    parent = Repo(top).resolve(f"{earlier}^")
    return [str(top / path) for path in _new_or_modified(top, "", parent, earlier)] if parent else []


def _new_or_modified(top: Path, path: str, old: Sha, new: Sha) -> list[str]:
    """Return the files that are new or modified between two commits of a dataset, and in those below."""
    repo, found = Repo(top / path), list[str]()
    for change in diff.between(repo, old, new):
        full = os.path.join(path, change.path)  # noqa: PTH118 - words alone
        if change.mode_before == change.mode_after == GITLINK:
            if os.path.lexists(top / full / ".git"):
                found += _new_or_modified(top, full, change.before, change.after)
        elif change.mode_after != GITLINK and change.after.strip("0"):
            found.append(full)
    return found


def _call(command: str, folder: Path, env: Mapping[str, str]) -> tuple[int, Usage]:
    """Run a shell line; return its exit code, and what it and all that it waited for took."""
    with waiting.heard() as hear:
        process = subprocess.Popen(command, shell=True, cwd=folder, env=os.environ | env)
        status, taken = waiting.wait(process.pid, hear)
    process.returncode = os.waitstatus_to_exitcode(status)
    cpu = round(taken.ru_utime + taken.ru_stime, 2)
    return process.returncode, Usage(cpu, taken.ru_maxrss // 1024)


def choose(
    order: Order,
    demanded: Demands,
    folder: Folder,
    ours: Mapping[str, Any],
) -> Way | RunResult:
    """Return the way in which a job is run; a failure where DataLad refuses it before its command begins.

    ``ours`` is what the record is to say besides. Nothing is touched.
    """
    if order.spec.plain:
        return Plain(order)
    if order.fast and fastrun.reason_against(order.run_tree) is None:
        try:
            planned = fastrun.plan(order.run_tree, order.spec, {OUR_KEY: {**ours, "way": "in parts"}})
        except (KeyError, TypeError):  # a DataLad that answers otherwise
            return AsDatalad(order, {**ours, "way": "as DataLad"})
        if isinstance(planned, RunResult):
            return planned
        return InParts(order, demanded, folder, planned, _written_then(order, planned))
    return AsDatalad(order, {**ours, "way": "as DataLad"})


def taken_up(order: Order, demanded: Demands, folder: Folder) -> Way | None:
    """Return the way of an attempt whose command has ended in another process, with its plan; if one has."""
    facts = folder.plan()
    return InParts(order, demanded, folder, Plan(**facts)) if facts is not None else None
