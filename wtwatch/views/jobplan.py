"""What jobs would be queued, before they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from wtwatch.doors.dataset import expanded
from wtwatch.views.jobwords import one_line
from wtwatch.words import resources
from wtwatch.words.model import JobSpec, counted


def lines(specs: Sequence[JobSpec], dataset: Path, values: bool = False) -> Iterator[str]:
    """Yield each job with its command as it would run in ``dataset``, then what it needs and makes.

    Of a container its name is shown, not what enters it. With ``values`` also those that it was made with.
    """
    places = len(str(len(specs)))
    for number, spec in enumerate(specs, start=1):
        command = one_line(expanded(spec._replace(container=None), dataset))
        yield f"{number:>{places}}  {one_line(spec.message) if spec.message else command}"
        margin = " " * (places + 2)
        if spec.message:
            yield f"{margin}{command}"
        if values and spec.values:
            yield f"{margin}of {', '.join(f'{name} = {one_line(value)}' for name, value in spec.values)}"
        if spec.container:
            yield f"{margin}in the container {one_line(spec.container)}"
        if asked := ", ".join(resources.words(resources.of(spec))):
            yield f"{margin}asks for {asked}"
        for word, paths in (("needs", spec.inputs), ("makes", spec.outputs), ("is said to use", spec.uses)):
            if paths:
                yield f"{margin}{word} {', '.join(one_line(path) for path in paths)}"
        if values and spec.setenv:
            yield f"{margin}with {', '.join(name for name, _ in spec.setenv)} set"
        if spec.drop_fetched:
            yield f"{margin}and drops again what it gets of what it needs"
    yield f"That would be {counted(len(specs), 'job')}; nothing was queued."
