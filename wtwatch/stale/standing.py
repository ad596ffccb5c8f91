"""The standing order that runs at each move what it touches: of all jobs, or of what lies at some paths."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress

from wtwatch.project.tree import RunTree
from wtwatch.queue.batches import Anew
from wtwatch.queue.confirmed import attempts
from wtwatch.queue.jobs import Queue
from wtwatch.stale import look
from wtwatch.stale.touched import NEEDED
from wtwatch.stale.values import Finding
from wtwatch.words import model, resources
from wtwatch.words.model import JobSpec, Sha
from wtwatch.words.resources import Resources


def template_of(paths: Sequence[str], want: Resources) -> str:
    """Return what is kept of `queue rerun --stale --every-move`: the paths, and what its jobs ask for."""
    return json.dumps({"version": 1, "stale": list(paths), "asked": resources.note(want)})


def specs_of(found: Sequence[Finding], want: Resources) -> tuple[JobSpec, ...]:
    """Return the jobs that make results anew if they are stale when their turn comes."""
    specs = (one.result.spec._replace(if_stale=True) for one in found)
    return tuple(resources.with_wishes(spec, want) for spec in specs)


def mine(tree: RunTree, found: Sequence[Finding]) -> list[Finding]:
    """Return the results of this queue's jobs, and what the user ran elsewhere, or by hand.

    What others ran is not run unasked, whatever its record says.
    """
    known, me = attempts(Queue(tree.project.state).file), look.whoami(tree)
    return [one for one in found if one.result.attempt in known or one.result.by == me]


def at_a_move(tree: RunTree, tip: Sha, standing: model.Standing) -> Anew | None:
    """Return which results such an order is for at a move to ``tip``, and which of them are to run.

    ``None`` for standing jobs of another kind. Raises :class:`WtwatchError` if nobody can look at results.
    """
    kept = _kept(standing)
    if kept is None:
        return None
    paths, want = kept
    found = mine(tree, look.all_results(tree, tip, paths))
    start = specs_of([one for one in found if one.standing in NEEDED], want)
    return Anew(standing.template or "", specs_of(found, want) or standing.specs, start=start)


def _kept(standing: model.Standing) -> tuple[tuple[str, ...], Resources] | None:
    with suppress(ValueError, LookupError, TypeError):
        kept = json.loads(standing.template or "")
        return tuple(map(str, kept["stale"])), resources.noted(kept["asked"])
    return None
