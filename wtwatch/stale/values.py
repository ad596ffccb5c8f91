"""What is looked at: results with what they were made from; and what comes of it. No input, no output."""

import os
from collections.abc import Collection, Mapping
from enum import Enum
from typing import NamedTuple

from wtwatch.words.model import JobSpec, Sha
from wtwatch.words.uses import Uses


class Evidence(NamedTuple):
    """The last run that made a result, or made it again just so: with which code and dataset, what it used.

    ``code_sha`` is ``None`` where nobody noted it, ``base`` where that was the first commit. ``environment``
    is the fingerprint of what was installed, where it is known.
    """

    code_sha: Sha | None
    base: Sha | None
    uses: Uses
    environment: str | None = None


def work_of(spec: JobSpec, secret: Collection[str] = ()) -> tuple[object, ...]:
    """Return what makes two jobs one, though one is known by its record alone, which has no secrets."""
    variables = tuple(sorted(pair for pair in spec.setenv if pair[0] not in secret))
    paths = (tuple(sorted(map(os.path.normpath, some))) for some in (spec.inputs, spec.outputs))
    return spec.command, *paths, variables


class Result(NamedTuple):
    """What a run with a record left in the history of the run tree.

    ``written`` are the files that its commit has otherwise than the one before: their blobs by path.
    ``attempt`` is the job's that made it, by its uuid; ``None``: a run by hand. ``by`` is the address of
    who committed it.
    """

    commit: Sha
    spec: JobSpec
    written: Mapping[str, Sha]
    evidence: Evidence
    attempt: str | None
    by: str

    @property
    def name(self) -> str:
        """What it is called: what it makes."""
        made = self.spec.outputs or tuple(self.written) or (self.commit,)
        return made[0] + (f" and {len(made) - 1} more" if len(made) > 1 else "")


class Why(NamedTuple):
    """One reason: the path that changed, and how ("changed", "came", "is gone")."""

    path: str
    how: str


class Standing(Enum):
    """How a result stands to code and inputs as they are now."""

    FRESH = "fresh"
    STALE = "stale"
    UNKNOWN = "unknown"  # something of what it used cannot be looked at: never run again unasked
    FED = "fed"  # fresh, but a stale one makes what it needs: looked at again when its turn comes


class Finding(NamedTuple):
    """A result, how it stands, and why; ``why`` of one that is fed names what will be made anew.

    ``then`` is the code that it was made with; ``detail`` says what cannot be told.
    """

    result: Result
    standing: Standing
    why: tuple[Why, ...] = ()
    detail: str | None = None
    then: Sha | None = None
