"""``wtwatch queue``: queue jobs, and look after them."""

from __future__ import annotations

import click

from wtwatch.commands.lazy import LazyGroup

COMMANDS = {
    "add": "queue a command; with --each, one job for each of many values",
    "load": "queue the jobs that a file describes, and keep what it says",
    "rerun": "queue again what made results; with --stale, those out of date",
    "list": "list jobs by batch, the newest last",
    "show": "what a job is, and how it stands",
    "logs": "what jobs printed",
    "wait": "wait until jobs have ended",
    "cancel": "take waiting or standing jobs back; stop running ones",
    "retry": "queue jobs again, as a new batch on the code of today",
    "approve": "let jobs start whose commands came with somebody else's commits",
    "pause": "start no further job; what runs goes on",
    "resume": "start jobs again",
    "remove": "forget jobs that do not run, and their logs; results stay",
}


@click.group("queue", cls=LazyGroup, package=__name__, listed={"Commands": COMMANDS})
def command() -> None:
    """Queue jobs for the run tree, and look after them."""
