"""Who works in a run tree and is to be waited for: before a move, a start, and clearing up behind a job."""

from __future__ import annotations

from collections.abc import Collection

from wtwatch.doors.proc import parents
from wtwatch.doors.processes import is_alive
from wtwatch.project.tree import RunTree
from wtwatch.queue.facts import QueueFacts
from wtwatch.tree.busy import working_in
from wtwatch.words.model import Process


def others_in(tree: RunTree, queue: QueueFacts, ignore: Collection[int] = ()) -> list[Process]:
    """Return who is busy in the tree, oldest first, as :func:`working_in` does.

    Left out are the pids ``ignore``, and those of which somebody said to the queue that nothing shall wait
    for them, with what they started.
    """
    busy = working_in(tree, ignore)
    ignored = {one.pid for one in queue.ignored() if is_alive(one)} if busy else set()
    return [one for one in busy if ignored.isdisjoint({one.pid, *parents(one.pid)})] if ignored else busy
