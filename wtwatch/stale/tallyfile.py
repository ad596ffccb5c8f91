"""A tally of all results as the project's file has it, with what it rests on."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from wtwatch import __version__
from wtwatch.doors.files import write_whole
from wtwatch.project.tree import RunTree
from wtwatch.queue.confirmed import how_many
from wtwatch.stale.tally import Behind, Reason, Tally
from wtwatch.tree.environment.note import Note
from wtwatch.words.model import Sha

VERSION = 1


def ground(tree: RunTree, code_sha: Sha, head: Sha) -> str:
    """Return what a tally rests on: as long as it is the same, so is the tally."""
    project = tree.project
    again = how_many(project.state / "state.db")
    rules = [__version__, project.code, project.paths, project.stale_on_environment]
    return json.dumps([code_sha, head, Note.of(tree).fingerprint, again, *rules])


def write(tree: RunTree, rests_on: str, tally: Tally) -> None:
    """Keep a tally, with what it rests on, for whoever asks."""
    facts = tally._asdict() | {
        "reasons": [one._asdict() for one in tally.reasons],
        "listed": [one._asdict() for one in tally.listed],
    }
    write_whole(_file(tree), json.dumps({"version": VERSION, "ground": rests_on, **facts}))


def read(tree: RunTree, code_sha: Sha, head: Sha) -> Tally | None:
    """Return the tally that was kept, if what it rests on is as it was."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        said = json.loads(_file(tree).read_text(encoding="utf-8"))
        if said["version"] == VERSION and said["ground"] == ground(tree, code_sha, head):
            counts = {name: int(said[name]) for name in ("results", "stale", "fed", "unknown")}
            reasons, listed = tuple(_reasons(said["reasons"])), tuple(_listed(said["listed"]))
            return Tally(**counts, reasons=reasons, listed=listed)
    return None


def _reasons(said: Iterable[dict[str, Any]]) -> Iterable[Reason]:
    return (Reason(**one) for one in said)


def _listed(said: Iterable[dict[str, Any]]) -> Iterable[Behind]:
    return (
        Behind(one["commit"], one["name"], tuple((path, how) for path, how in one["why"])) for one in said
    )


def _file(tree: RunTree) -> Path:
    return tree.project.state / "stale.json"
