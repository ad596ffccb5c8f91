"""Whether what main has and the run tree lacks is to come: with each move of code, if it is set so."""

from __future__ import annotations

from wtwatch.bring import steps
from wtwatch.doors.repo import Repo
from wtwatch.project.tree import RunTree
from wtwatch.queue.facts import Brought
from wtwatch.queue.jobs import Queue
from wtwatch.words.model import Sha


def is_due(tree: RunTree, queue: Queue, tip: Sha) -> bool:
    """Return whether code moved since main was looked at, and main did; which is then noted of code alone.

    A run tree that is new has all that main has.
    """
    if tree.project.from_main != "move":
        return False
    known, main = queue.brought(), steps.main_tip(tree.project)[0]
    if known is None:
        has_all = main is not None and Repo(tree.path).is_ancestor(main, "HEAD")
        queue.note_brought(Brought(tip, main if has_all else None))
        return False
    if known.code == tip:
        return False
    if known.main is not None and known.main == main:
        queue.note_brought(known._replace(code=tip))
        return False
    return True
