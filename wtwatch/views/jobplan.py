"""What jobs would be queued, before they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from wtwatch.doors.dataset import expanded
from wtwatch.views.jobwords import one_line
from wtwatch.words.model import JobSpec, counted


def lines(specs: Sequence[JobSpec], dataset: Path) -> Iterator[str]:
    """Yield each job with its command as it would run in ``dataset``, then what it needs and makes."""
    places = len(str(len(specs)))
    for number, spec in enumerate(specs, start=1):
        head = one_line(spec.message or expanded(spec, dataset))
        yield f"{number:>{places}}  {head}"
        margin = " " * (places + 2)
        if spec.message:
            yield f"{margin}{one_line(expanded(spec, dataset))}"
        for word, paths in (("needs", spec.inputs), ("makes", spec.outputs)):
            if paths:
                yield f"{margin}{word} {', '.join(one_line(path) for path in paths)}"
    yield f"That would be {counted(len(specs), 'job')}; nothing was queued."
