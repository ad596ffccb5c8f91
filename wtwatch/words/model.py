"""The vocabulary of wtwatch as types. No input, no output, no tools.

Here, and where else values are defined, annotations are no strings (`from __future__ import annotations`):
the fields of a named tuple would be compiled one by one at each start, which takes half as long again.
"""

from datetime import UTC, datetime
from enum import Enum
from typing import NamedTuple, NewType

from wtwatch.words.spans import lasting as lasting  # noqa: PLC0414 - part of the vocabulary
from wtwatch.words.value import Value
from wtwatch.words.versioned import More

Sha = NewType("Sha", str)
"""A full commit id of git, in hexadecimal."""


def now() -> datetime:
    """Return the present moment in UTC."""
    return datetime.now(UTC)


def stamp(moment: datetime) -> str:
    """Return a moment as ISO 8601 in UTC with microseconds, as all JSON and files of wtwatch have it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def moment(text: str) -> datetime:
    """Return the moment that :func:`stamp` wrote."""
    return datetime.fromisoformat(text)


def counted(number: int, noun: str) -> str:
    """Return a number of things for people: "1 job", "2 jobs"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def sized(count: int) -> str:
    """Return a number of bytes for people: "1 byte", "512 bytes", "1.5 kB", "12 GB"."""
    if count < 1000:
        return counted(count, "byte")
    amount, units = count / 1000, ["kB", "MB", "GB", "TB"]
    while amount >= 999.5 and len(units) > 1:
        amount /= 1000
        units.pop(0)
    return f"{amount:.1f} {units[0]}" if amount < 9.95 else f"{amount:.0f} {units[0]}"


def spent(seconds: float) -> str:
    """Return how long something took, for people: "0.4 s", "42 s", "4 min 07 s", "3 h 12 min"."""
    if seconds < 9.95:
        return f"{max(seconds, 0):.1f} s"
    whole = round(seconds)
    for size, word, part, small in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            return f"{whole // size} {word} {whole % size // part:02d} {small}"
    return f"{whole} s"


def ago(moment: datetime, at: datetime | None = None) -> str:
    """Return how long before ``at`` (default: now) a moment was, for people; one to come is just now."""
    return lasting(((at or now()) - moment).total_seconds())


class Freshness(Enum):
    """How the run tree's code stands to the bookmark."""

    FRESH = "fresh"  # at the tip
    BEHIND = "behind"  # the bookmark has moved on
    BLOCKED = "blocked"  # a move would lose something, or cannot be done: see the reason
    MISSING = "missing"  # the run tree is gone


class EnvironmentState(Enum):
    """How ``code/.venv`` of the run tree stands to the applied commit."""

    OK = "ok"
    STALE = "stale"  # set up for other requirements
    BROKEN = "broken"  # does not start, or imports the project from elsewhere
    MISSING = "missing"
    NONE = "none"  # this code has no environment that wtwatch looks after


class Verdict(NamedTuple):
    """How the environment of a run tree stands, and why."""

    state: EnvironmentState
    detail: str | None = None

    @property
    def ready(self) -> bool:
        """Jobs may start."""
        return self.state in (EnvironmentState.OK, EnvironmentState.NONE)


class Outlived(NamedTuple):
    """What a job makes no more and what is still there: some paths from the top, and how many there are."""

    job: int
    paths: tuple[str, ...]
    number: int


class Process(NamedTuple):
    """A process that works in the run tree; ``command`` is what it was started with, for people."""

    pid: int
    name: str
    since: datetime
    command: str = ""


class Trigger(Enum):
    """When queued jobs become due."""

    NOW = "now"
    ON_MOVE = "on-move"
    EVERY_MOVE = "every-move"


class Outcome(Enum):
    """How a job ended. A batch goes on after each of them."""

    SUCCEEDED = "succeeded"
    UNCHANGED = "unchanged"  # it ran, and reproduced its outputs byte for byte: no commit
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"  # cut off by a crash or a power cut


class Waiting(Value):
    """Not started yet."""


class Held(Value):
    """Not to start before somebody approved it: its command came with somebody else's commits."""


class Running(Value):
    """Started on ``code_sha``, with the superdataset at ``base``; in which lane, if not in the run tree."""

    started: datetime
    code_sha: Sha
    base: Sha
    uuid: str
    lane: int | None = None


class Ended(Value):
    """Over. ``started`` and ``code_sha`` are ``None`` only for a job that was cancelled while it waited.

    ``lane`` is where it ran, if not in the run tree.
    """

    started: datetime | None
    ended: datetime
    code_sha: Sha | None
    outcome: Outcome
    exit: int | None = None
    commits: tuple[Sha, ...] = ()
    detail: str | None = None
    lane: int | None = None


class Foreign(Value):
    """In a state that only a newer version knows: shown by that word, and left alone."""

    word: str


JobState = Waiting | Held | Running | Ended | Foreign


class JobSpec(NamedTuple):
    """What a job is to do.

    ``command`` is one shell line, as DataLad records it. ``plain`` runs it as it is, else it goes through
    DataLad's run. ``rerun_of`` is the result commit whose record is run again (then the record rules, and
    ``command`` only shows it). ``values`` are the names of ``--each`` and what this job has for them,
    ``setenv`` are variables that its command gets; ``resume``: it finds what it left of its outputs when it
    failed. ``container`` is the name by which the dataset knows the container that it runs in.
    ``drop_fetched``: what it got of its inputs is dropped again. ``if_stale``: it runs only if, when its turn
    comes, something has changed that its result was made from. ``uses`` are the paths that it was said to
    use, instead of what is seen. ``cpus``, ``mem`` (MB), ``seconds`` and
    ``gpus`` are what it asks for, see :mod:`wtwatch.words.resources`. It is kept in files: see
    :mod:`wtwatch.words.versioned`.
    """

    command: str
    message: str | None = None
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    plain: bool = False
    rerun_of: Sha | None = None
    values: tuple[tuple[str, str], ...] = ()
    setenv: tuple[tuple[str, str], ...] = ()
    resume: bool = False
    container: str | None = None
    drop_fetched: bool = False
    cpus: int | None = None
    mem: int | None = None
    seconds: int | None = None
    gpus: int | None = None
    if_stale: bool = False
    uses: tuple[str, ...] = ()
    version: int = 1
    more: More = ()


class PutBack(NamedTuple):
    """That an attempt, which had begun, had to wait once more: how often, when last, and why."""

    times: int
    at: datetime
    why: str


class Job(NamedTuple):
    """One command of a batch, and how far it is."""

    id: int
    batch: int
    attempt: int
    spec: JobSpec
    queued: datetime
    state: JobState = Waiting()
    acknowledged: bool = False
    cancel_requested: bool = False
    put_back: PutBack | None = None

    @property
    def word(self) -> str:
        """The state in the word of the command-line contract."""
        match self.state:
            case Waiting():
                return "waiting"
            case Held():
                return "held"
            case Running():
                return "running"
            case Ended(outcome=outcome):
                return outcome.value
            case Foreign(word=word):
                return word


class Standing(NamedTuple):
    """Jobs that become a new batch at every move (``--every-move``).

    ``base`` is the code commit they last started from, or the tip when they were queued. ``loaded`` is the
    file that they came from, if from one; ``template`` what they are made from anew at each move.
    """

    id: int
    base: Sha
    specs: tuple[JobSpec, ...]
    queued: datetime
    loaded: str | None = None
    template: str | None = None

    @property
    def if_stale(self) -> bool:
        """Whether of all its jobs those alone are run at a move that this touches."""
        return bool(self.specs) and all(spec.if_stale for spec in self.specs)


class Backup(NamedTuple):
    """What a sync took out of the run tree: a commit under a ref of its own in the code repository."""

    id: str
    commit: Sha
    made: datetime
    summary: str


class SyncDone(NamedTuple):
    """One finished sync. ``seconds`` is wall time from looking to pointer saved."""

    at: datetime
    old: Sha
    new: Sha
    seconds: float
    backup: str | None
