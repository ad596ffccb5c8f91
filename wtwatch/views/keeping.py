"""Keep what was seen of a project, for who looks later: only of one at rest at the tip, and what is sure.

While code is behind, blocked or edited, what keeps it there lies in files of the run tree, which nothing
tells of: then everybody looks anew.
"""

from __future__ import annotations

from pathlib import Path

from wtwatch.doors import jj, refs
from wtwatch.doors.clock import instant
from wtwatch.doors.repo import Repo
from wtwatch.job.attempt import Folder
from wtwatch.project.config import Project
from wtwatch.project.tree import RunTree
from wtwatch.queue.jobs import Queue
from wtwatch.tree import codetree
from wtwatch.views import status
from wtwatch.views.ground import Ground
from wtwatch.views.kept import Kept
from wtwatch.views.snapshot import ProjectSnapshot, Standpoint
from wtwatch.words.model import Freshness


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
        tree.code_path,  # what the environment would be set up for
    )
    job = Queue(state).running()
    stamps = (
        *([Folder.of(state, job.id, job.attempt).path / "started"] if job else []),
        code / "packed-refs",
        above / "packed-refs",
        state / "state.db",
        state / "config.toml",
        state / "environment.json",
        state / "journal",
        tree.path / ".git",
        tree.code_path / ".git",
        project.main_code / ".git",
    )
    return Ground(_paths(texts), _paths(listings), _paths(stamps))


def _paths(found: tuple[Path, ...]) -> tuple[str, ...]:
    return tuple(map(str, found))


def keep(project: Project, watch: int) -> tuple[ProjectSnapshot, Kept | None]:
    """Look at a project, and return that to be kept, ``None`` where it must not be; ``watch``: the daemon.

    Raises :class:`WtwatchError`.
    """
    if not codetree.is_present(RunTree.of(project)):
        return status.describe(project, watch), None
    ground, at = ground_of(project), instant()
    found, racy = ground.look(), ground.is_racy()
    seen = status.see(project, watch)
    shown = seen.project
    sure = shown.standpoint == Standpoint(Freshness.FRESH) and not (seen.waits or shown.edited)
    same = not racy and ground.look() == found
    return shown, Kept(shown, seen.noted, at, ground, found) if sure and same else None
