"""Keep what was seen of a project, for who looks later: only of one at rest at the tip, and what is sure.

While code is behind, blocked or edited, what keeps it there lies in files of the run tree, which nothing
tells of: then everybody looks anew.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from wtwatch import __version__
from wtwatch.doors import jj, refs
from wtwatch.doors.clock import instant
from wtwatch.doors.repo import Repo
from wtwatch.job.attempt import Folder
from wtwatch.lanes import notes
from wtwatch.project.config import Project
from wtwatch.project.tree import RunTree
from wtwatch.queue.changed import files_of
from wtwatch.queue.jobs import Queue
from wtwatch.tree import codetree, untouched
from wtwatch.views import as_json, attention, status, text
from wtwatch.views.ground import RACY, Ground
from wtwatch.views.kept import Kept
from wtwatch.views.snapshot import DaemonSnapshot, ProjectSnapshot, Snapshot, Standpoint
from wtwatch.views.terminal import harmless
from wtwatch.words.model import Freshness, now

if TYPE_CHECKING:
    from wtwatch.views.glance import Left


def ground_of(project: Project) -> Ground:
    """Return what a view of a project rests on; its run tree is there. Raises :class:`WtwatchError`."""
    tree, state = RunTree.of(project), project.state
    code, main = Repo(project.main_code).common_dir(), Repo(project.main_tree).git_dir()
    above = Repo(project.main_tree).common_dir()
    run_code, run = Repo(tree.code_path).git_dir(), Repo(tree.path).git_dir()
    tables = [folder / "reftable" / "tables.list" for folder in (code, run_code, main, above, run)]
    branch = Repo(project.main_tree).branch()
    texts = (
        *(code / ref for ref in refs.chain(code, project.bookmark_ref)),
        code / tree.applied_ref,
        above / tree.known_ref,
        *(folder / "HEAD" for folder in (run_code, main, run)),
        *(above / ref for ref in refs.chain(above, f"refs/heads/{branch}")),
        *(above / ref for ref in refs.chain(above, f"refs/heads/{tree.branch}")),
        *tables,
    )
    listings = (
        (jj.store(project.main_code) / "op_heads" / "heads").resolve(),
        code / tree.backup_prefix.rstrip("/"),
        run_code,  # a lock, or an operation that waits for the user
        run,
        state / "lanes",
    )
    queue = Queue(state)
    attempts = [Folder.of(state, job.id, job.attempt).path for job in queue.living()]
    stamps = (
        *(attempt / "started" for attempt in attempts),
        *(attempt / "outcome" for attempt in attempts),
        *(attempt / "seen" for attempt in attempts),
        *(lane.state / name for lane in notes.known(project) for name in ("held", "making")),
        *(file for one in queue.loaded() for file in files_of(one, project)),
        *(tree.path / path for one in queue.outlived() for path in one.paths),
        code / "packed-refs",
        above / "packed-refs",
        state / "state.db",
        state / "config.toml",
        state / "environment.json",
        state / "carried.json",
        state / "stale.json",
        state / "journal",
        state / "journal.bring",
        tree.path / ".git",
        tree.code_path / ".git",
        project.main_code / ".git",
    )
    within = f"{tree.code_folder}/"  # what the environment would be set up for; a listing would seem a job's
    return Ground(_paths(texts), _paths(listings), (*_paths(stamps), within))


def _paths(found: tuple[Path, ...]) -> tuple[str, ...]:
    return tuple(map(str, found))


class Keeping(NamedTuple):
    """A project as it was ``shown``, what is to be ``kept`` of that, and what a ``glance`` may show.

    ``racy``: its files changed so lately that a glance has to wait until they could not do so unseen.
    """

    shown: ProjectSnapshot
    kept: Kept | None = None
    glance: Left | None = None
    racy: bool = False


def keep(project: Project, watch: int) -> Keeping:
    """Look at a project, and at what must be so for that to be kept; ``watch``: the daemon.

    Raises :class:`WtwatchError`.
    """
    tree = RunTree.of(project)
    if not codetree.is_present(tree):
        return Keeping(status.describe(project, watch))
    ground, at = ground_of(project), instant()
    found, racy, files = ground.look(), ground.is_racy(), _files(tree)
    seen = status.see(project, watch, files, busy=())  # which is looked at each time that it is shown
    shown = seen.project
    sure = shown.standpoint == Standpoint(Freshness.FRESH) and not (seen.waits or shown.edited)
    sure = sure and not shown.elsewhere  # whose signs of life nothing tells of
    sure = sure and not any(map(_is_held_by_somebody, notes.known(project)))
    if racy or not sure or ground.look() != found:
        return Keeping(shown)
    kept = Kept(shown, seen.noted, at, ground, found)
    if files is None or _files(tree) != files:
        return Keeping(shown, kept)
    if untouched.newest(files) > time.time_ns() - RACY:
        return Keeping(shown, kept, racy=True)
    return Keeping(shown, kept, _glance(project, kept, files))


def _is_held_by_somebody(lane: RunTree) -> bool:
    """Return whether a process keeps a lane from being used, of whose end nothing tells."""
    found = notes.held(lane)
    return found is not None and found.by is not None


def _files(tree: RunTree) -> untouched.Left | None:
    """Return the files of code, and how they stand."""
    code = Repo(tree.code_path)
    width = len(refs.head_of(code) or "") // 2
    return untouched.look(str(tree.code_path), str(code.git_dir() / "index"), width, tree.project.paths)


def _glance(project: Project, kept: Kept, files: untouched.Left) -> Left | None:
    """Return what a glance shows: of a project where its jobs run, or nothing, nor is about to."""
    shown, noted, at = kept.project._replace(busy=()), kept.noted, now()
    queue = shown.queue
    runs, settles = bool(shown.running and noted.leader and noted.mark), queue.settling or queue.lost
    is_idle = not (shown.running or shown.batch or noted.job)
    if settles or noted.by_hand or not (runs or shown.beside or is_idle):
        return None
    lines = [line.parts() for line in text.lines(shown, at)]
    daemon = DaemonSnapshot(running=True, pid=os.getpid(), version=__version__)
    reasons = attention.reasons(Snapshot(daemon, (shown,)), at)
    said = [shown.name, str(shown.path), *reasons, *(line[1] for line in lines)]
    if any(harmless(words) != words for words in said):
        return None
    document = None if shown.batch else as_json.project_document(shown, at)  # what a batch takes yet shrinks
    return {
        "name": shown.name,
        "place": str(shown.path),
        "run_tree": str(project.run_tree),
        "lock": os.path.realpath(noted.lock),
        "passive": project.passive,
        "job": (noted.leader, os.fsencode("=".join(noted.mark or ()))) if runs else None,
        "ground": tuple(kept.ground),
        "found": kept.found,
        "files": files,
        "lines": lines,
        "reasons": reasons,
        "short": text.short_words(shown),
        "document": document,
    }


def _beside_lanes(project: Project) -> str:
    """Return how the run tree is called where its lanes lie, be it a link there."""
    return os.path.join(os.path.realpath(project.run_tree.parent), project.run_tree.name)  # noqa: PTH118


def listed(projects: Iterable[Project], registry: list[int] | None, daemon: DaemonSnapshot) -> Left | None:
    """Return what a glance has to know of all ``projects`` and of the ``daemon``.

    ``None`` if not all is well with them. ``registry``: their list, as it was before it was read.
    """
    if registry is None or daemon.stuck:
        return None
    trees = [
        (one.name, tuple({*map(os.path.realpath, (one.main_tree, one.run_tree)), _beside_lanes(one)}))
        for one in projects
    ]
    lines = [line.parts() for line in text.daemon_lines(daemon)]
    document = as_json.document(Snapshot(daemon))
    return {
        "pid": daemon.pid,
        "registry": registry,
        "trees": trees,
        "lines": lines,
        "document": document,
    }
