"""Which jobs that somebody declared have no result that is still fresh: those that a move touches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from wtwatch.project.tree import RunTree
from wtwatch.queue.meeting import TOP
from wtwatch.stale import look
from wtwatch.stale.values import Finding, Standing, work_of
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import JobSpec, Sha

NEEDED = (Standing.STALE, Standing.FED)


class Touched(NamedTuple):
    """Those of some jobs that a move touches, and which of them have no result yet."""

    start: tuple[JobSpec, ...]
    unmade: tuple[JobSpec, ...] = ()


def touched(tree: RunTree, specs: Sequence[JobSpec], code_sha: Sha) -> Touched:
    """Return those of the jobs that have no result, or one that code at ``code_sha`` left behind.

    One of which that cannot be told is left out; where nothing can be told, all are to run.
    """
    try:
        found = look.all_results(tree, code_sha, (TOP,))
    except WtwatchError:
        return Touched(tuple(specs))
    secret = tree.project.secret
    standing = {work_of(one.result.spec, secret): one.standing for one in found}
    works = {spec: work_of(spec, secret) for spec in specs}
    start = (spec for spec in specs if standing.get(works[spec], Standing.STALE) in NEEDED)
    return Touched(tuple(start), tuple(spec for spec in specs if works[spec] not in standing))


def result_of(tree: RunTree, spec: JobSpec, code_sha: Sha) -> Finding | None:
    """Return how the newest result of a job that was declared stands; ``None`` where it has none."""
    found = look.all_results(tree, code_sha, spec.outputs) if spec.outputs else []
    work = work_of(spec, tree.project.secret)
    return next(
        (one for one in reversed(found) if work_of(one.result.spec, tree.project.secret) == work), None
    )
