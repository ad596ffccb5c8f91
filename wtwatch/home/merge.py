"""Bring results home: from the run tree's branch into the main tree, never half, never over open edits."""

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from wtwatch.doors import refs
from wtwatch.doors.files import held, scratch_folder
from wtwatch.doors.journal import Journal
from wtwatch.doors.porcelain import TreeEntry
from wtwatch.doors.repo import GITLINK, Repo
from wtwatch.home import differences, harvest, newcomers
from wtwatch.home.harvest import Harvest
from wtwatch.home.newcomers import Newcomer
from wtwatch.home.plan import Conflict, Planner, Step
from wtwatch.project.config import Project
from wtwatch.project.tree import RunTree
from wtwatch.tree import checkout, diff, keeping, named, obstacles, vouching
from wtwatch.tree.busy import datalad_runs_in, gits_in
from wtwatch.words.errors import Busy, CommandFailed, WtwatchError
from wtwatch.words.model import Job, Process, Running, Sha
from wtwatch.words.quoting import quoted

PATIENCE = 5.0
"""Seconds that a merge waits for another one, or for a tick that works on the run tree."""


class Report(NamedTuple):
    """What came (or would come) home.

    ``pointer_differs``: the main tree's code stands elsewhere than the superdataset names then;
    ``only_pointer``: both sides differ, but the run tree's in the pointer of code alone. ``lacking`` is a
    remote of code, and how many code commits that these results name it seems to lack. ``new`` are
    repositories that the main tree gets, outside in, before all steps. ``later`` says what cannot come yet.
    """

    steps: tuple[Step, ...] = ()
    harvest: Harvest = Harvest()
    pointer_differs: bool = False
    only_pointer: bool = False
    above: Path | None = None
    lacking: tuple[str, int] | None = None
    new: tuple[Newcomer, ...] = ()
    later: str | None = None

    @property
    def jobs(self) -> int:
        """How many results of DataLad's runs come."""
        return self.harvest.jobs

    @property
    def files(self) -> int:
        """How many files come."""
        return self.harvest.files

    @property
    def size(self) -> int:
        """How many bytes they have."""
        return self.harvest.size

    @property
    def commits(self) -> tuple[str, ...]:
        """The subjects of the superdataset's commits, oldest first."""
        return self.harvest.commits


class Foreseen(NamedTuple):
    """What a merge would come to: whether there is ``nothing`` to bring, and the paths in conflict."""

    nothing: bool = False
    conflicts: tuple[str, ...] = ()


def foreseen(project: Project, theirs: Sha | None = None) -> Foreseen:
    """Return what a merge would come to, paths relative to the main tree; nothing is changed.

    There is nothing to bring where the run tree's branch has commits of wtwatch's own alone. ``theirs`` is
    another commit than that branch is at.
    """
    try:
        with scratch_folder("wtwatch-merge-") as scratch:
            return Foreseen(nothing=not Planner(project, None, scratch).steps_to_bookmark(theirs))
    except Conflict as conflict:
        return Foreseen(conflicts=conflict.paths)
    except WtwatchError:  # what else would stop a merge is for `merge` to say
        return Foreseen()


def conflicts(project: Project) -> tuple[str, ...]:
    """Return the paths, relative to the main tree, that would conflict in a merge; nothing is changed."""
    return foreseen(project).conflicts


def prepare(project: Project, pointer: str | None = None) -> Report:
    """Return what a merge would do, subdatasets first, deepest first; changes nothing but loose objects.

    A merge that was cut off is ended first. ``pointer`` decides, where only the pointer of code conflicts:
    "main" or "run" keeps that side's. Raises :class:`Conflict`, and :class:`WtwatchError` for a main tree on
    no branch, an operation that is not finished, a job under way, or files that would be overwritten.
    """
    with _lock(project):
        recover(project)
    report = _plan(project, pointer)
    if (own := _own(report)) and (job := _job(project)) is not None:
        return _before_what_runs(project, pointer, _held_up(own, f"job {job.id} is"))
    return report


def bring(project: Project, pointer: str | None = None) -> Report:
    """Do what :func:`prepare` plans, and return what was done; what another merge just did is not in it."""
    with _lock(project):
        recover(project)
        report = _plan(project, pointer)
        try:
            _take_in(project, report)
        except Busy as busy:
            report = _before_what_runs(project, pointer, busy)
        _do(project, report)
    return report


def _before_what_runs(project: Project, pointer: str | None, busy: Busy) -> Report:
    """Return what a merge can do of what there was before the job that runs; ``busy`` if that is nothing."""
    job = _job(project)
    if job is None or not isinstance(job.state, Running):
        raise busy
    report = _plan(project, pointer, job.state.base)
    if not report.steps or _own(report):
        raise busy
    return report._replace(later=f"What job {job.id} has made so far comes when it has ended: {busy.message}")


def _plan(project: Project, pointer: str | None, theirs: Sha | None = None) -> Report:
    main = Repo(project.main_tree)
    _check_main(project, main)
    planner = Planner(project, pointer)
    steps = tuple(planner.steps_to_bookmark(theirs))
    new = newcomers.find(project, {step.path: step.target for step in steps}, planner.missing)
    if not steps and not new:
        return Report(only_pointer=planner.only_pointer)
    newcomers.check(project, new)
    found = _look(main, steps, new)
    after = steps[-1].target if steps and not steps[-1].path else None
    code = None if project.paths else _entry(main, after, project.code)
    differs = code is not None and code.sha != refs.head_of(Repo(project.main_code))
    commits = {*found.gitlinks.get(project.code, ()), *([code.sha] if code else [])}
    return Report(
        steps,
        found,
        pointer_differs=differs,
        above=_above(main),
        lacking=keeping.lacking(project, commits),
        new=new,
    )


def _entry(main: Repo, commit: Sha | None, path: str) -> TreeEntry | None:
    """Return what a commit has at a path, or HEAD; of one that was made just now mostly without a git."""
    if commit and "/" not in path and (found := named.of(main, commit)):
        return next((entry for entry in found.top if entry.path == path), None)
    return main.tree(commit or "HEAD", path).get(path)


def _lock(project: Project) -> AbstractContextManager[int]:
    return held(project.state / "merge.lock", wait=PATIENCE, what="the main tree")


def _check_main(project: Project, main: Repo) -> None:
    if main.branch() == project.branch:
        raise WtwatchError(
            f"The main tree is itself on the branch {project.branch}.",
            f"Put it on another: git -C {quoted(main.path)} switch BRANCH",
        )
    if project.paths:
        from wtwatch.bring import known  # which most projects do without

        lost = known.lost(RunTree.of(project))
        if lost is not None:
            raise WtwatchError(lost.reason, lost.hint)
    under_way = datalad_runs_in(project.main_tree)
    if under_way:
        raise WtwatchError(
            f"`datalad run` (pid {under_way[0].pid}) is under way in the main tree, and would save what a "
            "merge brings as its own result.",
            "Merge when it has ended.",
        )


def _check_room(repo: Repo, step: Step) -> None:
    """Raise :class:`WtwatchError` if git would refuse a step, so that no step before it is done alone."""
    word, lock = repo.operation(), checkout.index_lock(repo)
    if word:
        undo = "bisect reset" if word == "bisect" else f"{word} --abort"
        raise WtwatchError(
            f"A {word} in {repo.path} is not finished.", f"git -C {quoted(repo.path)} {undo}, or finish it."
        )
    if lock:
        hint = f"Wait for it; if no git runs there (it crashed), remove {quoted(lock)}."
        raise Busy(f"Another git command works in {repo.path}.", hint)
    changes = [
        change
        for change in differences.between(repo, step.ours, step.target)
        if change.mode_after != GITLINK or not _is_home(repo.path / change.path, change.after)
    ]
    hindered = obstacles.hindrances(repo, changes)
    if hindered:
        more = f" and {len(hindered) - 3} more" if len(hindered) > 3 else ""
        raise WtwatchError(
            f"The results would overwrite {', '.join(hindered[:3])}{more} in {repo.path}, edited or not "
            "saved there. Nothing was changed.",
            "Save it or move it away, then `wtwatch merge` again.",
        )


def _is_home(place: Path, commit: Sha) -> bool:
    """Return whether a subdataset that comes is a repository here already, which has its commit."""
    return os.path.lexists(place / ".git") and Repo(place).resolve(commit) is not None


def _look(main: Repo, steps: Sequence[Step], new: Sequence[Newcomer]) -> Harvest:
    """Return what the steps bring, once it is clear that git would take them all."""
    for step in steps:
        _check_room(Repo(main.path / step.path), step)
    return harvest.total(
        main.path,
        [(step.path, step.ours, step.theirs, step.target) for step in steps],
        [(one.path, one.source, one.commit) for one in new],
    )


def _above(main: Repo) -> Path | None:
    if not any((folder / ".git").exists() for folder in main.path.parents):
        return None
    above = main.git("rev-parse", "--show-superproject-working-tree")
    return Path(above) if above else None


def act(project: Project, report: Report) -> None:
    """Do the steps of a plan in order, each whole or not at all; stops at the first that git refuses.

    Journalled, so that the next merge ends one that was cut off.
    """
    with _lock(project):
        recover(project)
        _take_in(project, report)
        _do(project, report)


def _own(report: Report) -> list[Newcomer]:
    """Return the repositories of a plan that were made in the run tree, and only lie there."""
    return [one for one in report.new if one.own]


def _take_in(project: Project, report: Report) -> None:
    """Have the git directories of what comes as a repository at hand: see :mod:`wtwatch.tree.nested`.

    Raises :class:`Busy` while somebody works in the run tree.
    """
    own = _own(report)
    if not own:
        return
    from wtwatch.project import owner  # most merges do without

    runs = _job(project) is not None  # which has the tree for longer than anybody waits
    try:
        with (
            owner.acting(project, f"merge --project {project.name}"),
            held(RunTree.of(project).lock, wait=0.0 if runs else PATIENCE),
        ):
            newcomers.take_in(project, own)
    except owner.Elsewhere:
        raise
    except Busy as busy:
        raise _held_up(own, _who(project, busy), busy.processes) from busy


def _job(project: Project) -> Job | None:
    """Return the job that runs in the run tree."""
    from wtwatch.queue.jobs import Queue  # what is mostly brought home does not wait for it to load

    return Queue(project.state).in_run_tree()


def _held_up(own: Sequence[Newcomer], who: str, processes: tuple[Process, ...] = ()) -> Busy:
    return Busy(
        f"The repository {own[0].path} was made in the run tree, where {who} at work.",
        "`wtwatch merge` again when that has ended; between two jobs: wtwatch queue pause",
        processes,
    )


def _who(project: Project, busy: Busy) -> str:
    job = _job(project)
    if job is not None:
        return f"job {job.id} is"
    return f"{busy.processes[0].name} (pid {busy.processes[0].pid}) is" if busy.processes else "somebody is"


def _do(project: Project, report: Report) -> None:
    for one in report.new:
        _journal(project).open({"new": one.path, "commit": one.commit})
        newcomers.place(project, one.path, one.commit)
        _journal(project).close()
    for step in report.steps:
        repo, journal = Repo(project.main_tree / step.path), _journal(project)
        facts = {"path": step.path, "branch": step.branch, "from": step.ours, "to": step.target}
        journal.open(facts)
        words = ("-q", "--ff-only", "--no-autostash", "--no-overwrite-ignore", step.target)
        try:
            repo.git("merge", *words, hooks=True)
        except CommandFailed as error:
            _end_cut_off(project)
            raise WtwatchError(
                f"Git refused to change {repo.path}, and left it as it was:\n{error.stderr.strip()}",
                f"{_way_out(repo, error.stderr)}, then `wtwatch merge` again: it does the rest.",
            ) from error
        _make_whole(repo, step.ours, step.target)
        journal.close()
    vouching.vouch((Repo(project.main_tree / step.path) for step in report.steps), report.files)


def _way_out(repo: Repo, said: str) -> str:
    if any(words in said for words in ("unable to write", "No space left", "disk is full")):
        return f"Make room on its disk (df -h {quoted(repo.path)})"
    return "Commit or move what it names"


def _make_whole(repo: Repo, old: Sha, new: Sha) -> None:
    """See to it that all files which a merge brought are whole: on a full disk git may end well without.

    Raises :class:`checkout.NotWhole`; the journal then stays, and the next merge goes on from there.
    """
    brought = checkout.written(diff.between(repo, old, new))
    try:
        checkout.make_whole(repo, brought, checkout.tags(repo))
    except checkout.NotWhole as error:
        raise checkout.NotWhole(error.message, f"{error.hint} Then `wtwatch merge` again.") from error


def _journal(project: Project) -> Journal:
    return Journal(project.state / "journal.merge")


def recover(project: Project) -> None:
    """Finish or undo the step of a merge that was cut off, with the merge's lock held by the caller.

    Raises :class:`Busy` while a git is still at work in the main tree, and :class:`checkout.NotWhole` while
    its files cannot be written.
    """
    if _journal(project).read() is None:
        return
    alive = gits_in(project.main_tree)
    if alive:
        raise Busy(
            f"git (pid {alive[0].pid}) is at work in the main tree, where a merge was cut off.",
            "`wtwatch merge` again when it has ended.",
        )
    _end_cut_off(project)


def _end_cut_off(project: Project) -> None:
    cut_off = _journal(project).read()
    if cut_off is None:
        return
    if "new" in cut_off:
        newcomers.place(project, cut_off["new"], Sha(cut_off["commit"]))
        _journal(project).close()
        return
    repo = Repo(project.main_tree / cut_off["path"])
    if (repo.path / ".git").exists() and (repo.branch() or "") == cut_off["branch"]:
        old, new = Sha(cut_off["from"]), Sha(cut_off["to"])
        if checkout.settle(repo, old, new) == new:
            _make_whole(repo, old, new)
    _journal(project).close()
