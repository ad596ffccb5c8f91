"""Changes that are no result where nothing else changed, such as a usage log that each run appends to."""

from __future__ import annotations

import os
from collections.abc import Iterator

from wtwatch.job.attempt import Order
from wtwatch.job.leftovers import has_content
from wtwatch.job.readiness import Demands
from wtwatch.tree.changes import unlocked
from wtwatch.tree.states import After, Before, added
from wtwatch.words.patterns import names


def alone(order: Order, demanded: Demands, before: Before, after: After) -> bool:
    """Return whether something changed, and all that did is what the project's ``ignore_outputs`` name.

    What a command wrote anew as it was is no change, nor is what was made writable for it. Raises
    :class:`WtwatchError` and :class:`OSError`.
    """
    if not order.ignore_outputs or _moved(before, after):
        return False
    found = list(_changed(order, demanded, before, after))
    return bool(found) and all(names(path, order.ignore_outputs) for path in found)


def _moved(before: Before, after: After) -> bool:
    """Return whether the command made a commit or a dataset."""
    return [(one.path, one.head) for one in before.datasets] != [
        (one.path, one.head) for one in after.datasets
    ]


def _changed(order: Order, demanded: Demands, before: Before, after: After) -> Iterator[str]:
    """Yield what differs by its content, from the top; nothing of code."""
    for state in after.datasets:
        folder, changes = order.run_tree / state.path, added(before, after, state.path)
        contents = unlocked(folder, changes)
        for change in changes:
            same = change.unstaged in ".T" and has_content(folder / change.path, contents.get(change.path))
            of_code = state.path == demanded.code_path and demanded.is_code(change.path)
            if not same and not of_code:
                yield os.path.join(state.path, change.path)  # noqa: PTH118 - words alone; the top has none
