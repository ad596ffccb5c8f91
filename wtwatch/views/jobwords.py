"""How a job is said in a few words, the same on each screen."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from wtwatch.words.model import Ended, Held, Job, JobSpec, Outcome, Running, Standing, counted, now

COLOURS = {
    "succeeded": "green",
    "unchanged": "green",
    "failed": "red",
    "interrupted": "red",
    "running": "cyan",
    "held": "yellow",
}
"""The colour of each state that has one."""

MARKS = {
    "succeeded": "✓",
    "unchanged": "✓",
    "failed": "✗",
    "interrupted": "✗",
    "cancelled": "–",
    "running": "▶",
    "waiting": "·",
    "held": "!",
}
"""One letter for each state; one that only a newer version knows has "?"."""

BAD = (Outcome.FAILED, Outcome.INTERRUPTED)
"""How a job ends that somebody has to look at."""


def harmless(text: str) -> str:
    """Return text that does nothing to a terminal: control characters are escaped."""
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text
    )


def one_line(text: str) -> str:
    """Return text as one line, with single blanks, that does nothing to a terminal."""
    return harmless(" ".join(text.split()))


def caption(spec: JobSpec) -> str:
    """Return what a job does: its message, else its command, with those of its values that do not show."""
    said = one_line(spec.message or spec.command)
    missing = [f"{name}={one_line(value)}" for name, value in spec.values if value not in said]
    return f"{said} ({', '.join(missing)})" if missing else said


def standing_number(template: Standing) -> str:
    """Return how much of a standing order is run at every move, such as "6 jobs"."""
    number = len(template.specs)
    return (
        f"those of {counted(number, 'result')} that it touches"
        if template.if_stale
        else counted(number, "job")
    )


def standing_caption(template: Standing) -> str:
    """Return what standing jobs do: as the only one of them, or as the first of so many."""
    first, *others = template.specs
    return caption(first) + (f" … {len(others)} more" if others else "")


def ranged(numbers: Iterable[int]) -> str:
    """Return numbers of jobs as JOBS of a command line: "3 5-8"."""
    ends: list[list[int]] = []
    for number in sorted(numbers):
        if ends and number == ends[-1][1] + 1:
            ends[-1][1] = number
        else:
            ends.append([number, number])
    return " ".join(str(first) if first == last else f"{first}-{last}" for first, last in ends)


def exit_words(code: int) -> str:
    """Return how a command ended: "exit 3", or by which signal it was killed (a number below 0)."""
    if code >= 0:
        return f"exit {code}"
    import signal  # for which a status that needs no such word does not wait

    known = {known.value: known.name for known in signal.Signals}
    return f"killed by {known.get(-code, f'signal {-code}')}"


def is_bad(job: Job) -> bool:
    """Return whether a job failed or was interrupted."""
    return isinstance(job.state, Ended) and job.state.outcome in BAD


def needs_attention(job: Job) -> bool:
    """Return whether a job ended badly and nobody said that they saw it."""
    return is_bad(job) and not job.acknowledged


def outcome(job: Job) -> str:
    """Return a job's state in words, with the exit code of one that failed: "failed (exit 1)"."""
    if isinstance(job.state, Ended) and is_bad(job) and job.state.exit not in (None, 0):
        return f"{job.word} ({exit_words(job.state.exit)})"
    return "needs approval" if isinstance(job.state, Held) else job.word


def seconds(job: Job, at: datetime | None = None) -> float | None:
    """Return for how long a job ran, or has been running at a moment; ``None`` if it was not started."""
    match job.state:
        case Running(started=started):
            return ((at or now()) - started).total_seconds()
        case Ended(started=started, ended=ended) if started:
            return (ended - started).total_seconds()
    return None


def local(moment: datetime, at: datetime | None = None) -> str:
    """Return a moment in the time of this place: "14:05" today, "24 Nov 14:05" this year, else with it."""
    here, today = moment.astimezone(), (at or now()).astimezone()
    if here.date() == today.date():
        return f"{here:%H:%M}"
    return f"{here.day} {here:%b %H:%M}" if here.year == today.year else f"{here:%Y-%m-%d %H:%M}"
