"""Which run made a file, of a job or by hand: read off git alone, in both trees and their subdatasets."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from wtwatch.bring import wrote
from wtwatch.doors import dataset, refs
from wtwatch.doors.dataset import OUR_KEY
from wtwatch.doors.repo import GITLINK, Repo
from wtwatch.job.tracked import TrackedPath, in_tree, place_of
from wtwatch.project.config import Project
from wtwatch.project.tree import RunTree
from wtwatch.queue.jobs import Queue
from wtwatch.queue.pages import who_made
from wtwatch.tree import pathcode
from wtwatch.words.errors import UsageError
from wtwatch.words.model import Job, JobSpec, Sha
from wtwatch.words.quoting import quoted


class Made(NamedTuple):
    """The run that made a file, as far as it is known.

    ``commit`` is that with the record, in the dataset ``within``; ``base`` what that stood at when it ran.
    ``code_sha`` is the code that ran, ``job`` the attempt that did it, where these are known; ``ours``:
    a job did it, though perhaps one that was removed from the queue.
    """

    within: Repo
    commit: Sha
    base: Sha | None
    at: datetime
    spec: JobSpec
    code_sha: Sha | None
    job: Job | None
    ours: bool


class Origin(NamedTuple):
    """Where a file comes from: ``made`` by a run, ``None``: by none that left a trace.

    ``last`` is the commit that changed it last, ``None`` if it is in no commit; ``changed``: that is not the
    commit of ``made``. ``state`` says how it differs on disk. ``away``: the main tree does not have it yet;
    ``newer`` is a later commit that only the other tree has.
    """

    place: TrackedPath
    made: Made | None
    last: Sha | None
    changed: bool = False
    state: str | None = None
    away: bool = False
    newer: Sha | None = None


def of_file(project: Project, path: Path) -> Origin:
    """Return where a file comes from: as its own tree has it, else as the other one does.

    Raises :class:`UsageError` for a path that is in neither.
    """
    place = place_of(project, path)
    trees = [top for top in (project.run_tree, project.main_tree) if top.is_dir()]
    places = [in_tree(top, place.path) for top in trees if top != place.top]
    for one in (place, *places):
        last = _last(*one.datasets[-1])
        if last is not None:
            return _as_it_is(project, one, last, [other for other in (place, *places) if other is not one])
    if not path.is_symlink() and not path.exists():
        raise UsageError(
            f"There is no {path}, and no commit has it.", f"See what is there: ls {quoted(path.parent)}"
        )
    return Origin(place, None, None, state="not saved in any commit")


def _as_it_is(project: Project, place: TrackedPath, last: Sha, others: list[TrackedPath]) -> Origin:
    """Return where a file comes from whose ``last`` commit is that of this tree."""
    made, changed = _made(project, place, last)
    away, newer = False, None
    for other in others:
        theirs, path = other.datasets[-1]
        if other.top == project.main_tree:
            away = not theirs.is_ancestor(last, "HEAD")
        elif (there := _last(theirs, path)) and not place.datasets[-1][0].is_ancestor(there, "HEAD"):
            newer = there
    return Origin(place, made, last, changed, _state(place), away, newer)


def _last(repo: Repo, path: str, *options: str) -> Sha | None:
    """Return the newest commit of HEAD that changed a path."""
    found = repo.git("log", "-1", "--format=%H", *options, "HEAD", "--", f":(top,literal){path}", ok=(0, 128))
    return Sha(found) if found else None


def _made(project: Project, place: TrackedPath, last: Sha) -> tuple[Made | None, bool]:
    """Return the run that made a file, and whether somebody changed it since, with its ``last`` commit."""
    repo, path = place.datasets[-1]
    if found := _climbed(project, place, last):
        return found, False
    older = _last(repo, path, "--fixed-strings", f"--grep={dataset.RECORD}")
    return (_climbed(project, place, older), True) if older else (None, False)


def _climbed(project: Project, place: TrackedPath, commit: Sha) -> Made | None:
    """Return the run whose result a commit of the innermost dataset is, if of any.

    A run saves a subdataset first and then each dataset above, so its record counts where it is uppermost.
    """
    found: tuple[Repo, Sha, str] | None = None
    below = ""
    at: Sha | None = commit
    for number, (repo, path) in enumerate(reversed(place.datasets)):
        if number:
            at = _taking_up(repo, path.removesuffix(f"/{below}"), at) if at else None
        below = path
        if at is not None and dataset.record_of(repo.path, at) is not None:
            found = repo, at, path
    if found is None:
        return _of_plain_job(project, place, commit)
    return _as_recorded(project, place, found[0], found[1])


def _taking_up(repo: Repo, link: str, commit: Sha) -> Sha | None:
    """Return the newest commit with a record by which a dataset took up one of the subdataset at ``link``."""
    asked = ("--raw", "--no-abbrev", "--format=%H", "--fixed-strings", f"--grep={dataset.RECORD}")
    text = repo.git("log", *asked, "HEAD", "--", f":(top,literal){link}", ok=(0, 128))
    inner = Repo(repo.path / link)
    taken: Sha | None = None
    for line in filter(None, text.split("\n")):
        if not line.startswith(":"):
            taken = Sha(line)
            continue
        old, new = line.split()[2:4]
        if new == commit or (inner.is_ancestor(commit, new) and not inner.is_ancestor(commit, old)):
            return taken
    return None


def _as_recorded(project: Project, place: TrackedPath, repo: Repo, commit: Sha) -> Made | None:
    record = dataset.record_of(repo.path, commit)
    spec = dataset.spec_of(repo.path, commit)
    if record is None or spec is None:
        return None
    ours: dict[str, Any] = record[OUR_KEY] if isinstance(record.get(OUR_KEY), dict) else {}
    base = repo.resolve(f"{commit}^")
    above = repo.path == place.top
    uuid = ours.get("attempt")
    job = who_made(Queue(project.state).file, commit, uuid if isinstance(uuid, str) else None)
    noted = Sha(ours["code"]) if isinstance(ours.get("code"), str) else None
    # what the dataset had is the truth, where it had code
    code_sha = (_code_of(project, repo, base or commit, noted) if above else None) or noted
    return Made(repo, commit, base, _moment(repo, commit), spec, code_sha, job, bool(ours or job))


def _of_plain_job(project: Project, place: TrackedPath, commit: Sha) -> Made | None:
    """Return the job that made a commit of the superdataset without a record, as one with `--plain` does."""
    repo = place.datasets[0][0]
    job = who_made(Queue(project.state).file, commit, None) if len(place.datasets) == 1 else None
    if job is None:
        return None
    base = repo.resolve(f"{commit}^")
    code_sha = _code_of(project, repo, base or commit, None)
    return Made(repo, commit, base, _moment(repo, commit), job.spec, code_sha, job, True)


def _code_of(project: Project, repo: Repo, at: Sha, noted: Sha | None) -> Sha | None:
    """Return the code that a commit of the superdataset has: what its gitlink names.

    Where code is paths, the release that came there last, that which was ``noted`` by a job, or where the
    run branch began; the commit itself, if its code is that of none of these.
    """
    if not project.paths:
        return _link(repo, at, project.code)
    released = next(wrote.releases(repo, at), None)
    known = (released, noted, refs.tip_of(repo, RunTree.of(project).fork_ref))
    alike = (one for one in known if one and repo.resolve(one))
    return next((one for one in alike if not pathcode.between(repo, project.paths, one, at)), at)


def _link(repo: Repo, commit: Sha, path: str) -> Sha | None:
    entry = repo.tree(commit, path).get(path)
    return entry.sha if entry and entry.mode == GITLINK else None


def _moment(repo: Repo, commit: Sha) -> datetime:
    return datetime.fromisoformat(repo.git("log", "-1", "--format=%cI", commit))


def _state(place: TrackedPath) -> str | None:
    """Return how a file on disk differs from what its tree has saved."""
    repo, path = place.datasets[-1]
    file = repo.path / path
    if not file.exists() and not file.is_symlink():
        return "gone from the tree"
    if repo.git("status", "--porcelain", "--ignore-submodules", "--", f":(top,literal){path}"):
        return "edited since, and not saved"
    if file.is_symlink() and not file.exists():
        return "its content is not here: git annex get"
    return None
