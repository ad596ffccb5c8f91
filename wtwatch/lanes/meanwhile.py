"""Starting jobs in lanes while `wtwatch exec` has the run tree: more of the batch under way, on its code.

Whoever has the run tree's lock may do with it what they like, so nothing is asked of it: jobs start from the
commit at which it stood when the command began, as that noted, in lanes that are there. Results wait, as what
they read or wrote is compared when they are laid. No new batch begins, for that may need a move.

So that no job starts twice, whoever starts some has the lanes' lock: a tick besides that of the run tree, and
after it, as the command may end at any moment; here without that. Nobody waits for the run tree meanwhile.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path

from wtwatch.doors.files import held
from wtwatch.doors.processes import is_alive
from wtwatch.job import giving_way
from wtwatch.lanes import ending, starting
from wtwatch.lanes.starting import Begun
from wtwatch.lanes.turn import Ground, Nobody, Turn
from wtwatch.project.tree import RunTree
from wtwatch.tree import tip as bookmark
from wtwatch.words.errors import Locked

PATIENCE = 10.0
"""Seconds that a tick waits for who starts jobs beside a command that has ended by now."""


def kept_out(tree: RunTree) -> AbstractContextManager[object]:
    """Have nobody start jobs without the run tree's lock, which the caller has.

    Where there are no lanes nothing is written: who starts jobs so makes the file before it looks whether
    somebody else has the run tree. Raises :class:`Locked` if that takes long.
    """
    if not (tree.project.in_lanes or _lock(tree).exists()):
        return nullcontext()
    return held(_lock(tree), wait=PATIENCE, what="the lanes")


def start(turn: Turn) -> Begun:
    """Start more jobs in lanes without the lock of the run tree, if `wtwatch exec` has that.

    Nothing is started, either, while somebody else does so.
    """
    if not (turn.options.start_jobs and turn.tree.project.in_lanes):
        return Begun()
    with suppress(Locked), held(_lock(turn.tree), what="the lanes"):
        found = ground(turn)
        if found is not None:
            ending.clear_up(turn)
            return starting.start(turn._replace(beside=Nobody(), ground=found), found.code_sha)
    return Begun()


def ground(turn: Turn) -> Ground | None:
    """Return where jobs may start while `wtwatch exec` has the run tree; ``None``: not now."""
    tree, queue = turn.tree, turn.queue
    note, batch = queue.executes(), queue.next_batch()
    if note is None or note.base is None or batch is None or not is_alive(note.process):
        return None
    code_sha = queue.batch_code(batch)
    if code_sha is None or code_sha != note.code:
        return None
    if tree.project.on_move != giving_way.STAYS:
        tip = bookmark.read(tree.project).commit
        if tip is not None and tip != code_sha and not queue.awaits_end(tip):
            return None
    return Ground(note.base, code_sha, batch)


def _lock(tree: RunTree) -> Path:
    return tree.state / "lanes.lock"
