"""What the shell offers to complete a word with. Whatever goes wrong, it offers nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import click
from click.shell_completion import CompletionItem

from wtwatch.project import listing
from wtwatch.project.config import Project
from wtwatch.project.registry import one
from wtwatch.project.tree import RunTree
from wtwatch.queue.jobs import Queue
from wtwatch.views.jobwords import caption, standing_caption
from wtwatch.words.errors import WtwatchError

MOST = 100
"""Jobs that are offered: the newest."""

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _completer(offered: Callable[[Project], Iterator[tuple[str, str]]], or_files: bool = False) -> Completer:
    """Make a completer of what yields words and what they are, of the project that is meant.

    ``or_files``: where none of them fits, the shell offers files.
    """

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        fitting = []
        with suppress(WtwatchError, OSError):
            found = offered(one(ctx.params.get("project")))
            fitting = [CompletionItem(word, help=text) for word, text in found if word.startswith(incomplete)]
        return fitting or (files(ctx, param, incomplete) if or_files else [])

    return complete


def _jobs(project: Project) -> Iterator[tuple[str, str]]:
    for job in reversed(Queue(project.state).jobs()[-MOST:]):
        yield str(job.id), f"{job.word}: {caption(job.spec)}"


def _batches(project: Project) -> Iterator[tuple[str, str]]:
    seen: dict[int, int] = {}
    for job in Queue(project.state).jobs():
        seen[job.batch] = seen.get(job.batch, 0) + 1
    for batch in sorted(seen, reverse=True)[:MOST]:
        yield str(batch), f"{seen[batch]} jobs"


def _standing(project: Project) -> Iterator[tuple[str, str]]:
    for template in Queue(project.state).standing():
        yield f"s{template.id}", standing_caption(template)


def _backups(project: Project) -> Iterator[tuple[str, str]]:
    from wtwatch.tree import backups as kept  # for who completes alone

    for name in sorted(kept.names(RunTree.of(project)), reverse=True):
        yield name, "a backup"


def _droppable(project: Project) -> Iterator[tuple[str, str]]:
    yield from _backups(project)
    from wtwatch.tree import aside

    yield from ((old.id, "an environment") for old in aside.environments(RunTree.of(project)))


def _things(project: Project) -> Iterator[tuple[str, str]]:
    yield from _jobs(project)
    yield from ((f"b{batch}", text) for batch, text in _batches(project))
    yield from _standing(project)
    yield from _backups(project)


def _jobs_and_backups(project: Project) -> Iterator[tuple[str, str]]:
    yield from _jobs(project)
    yield from _backups(project)


def _jobs_and_standing(project: Project) -> Iterator[tuple[str, str]]:
    yield from _jobs(project)
    yield from _standing(project)


def _containers(project: Project) -> Iterator[tuple[str, str]]:
    from wtwatch.doors import containers as containers_of

    yield from ((name, "a container") for name in containers_of.names(project.run_tree))


jobs = _completer(_jobs)
containers = _completer(_containers)
batches = _completer(_batches)
backups = _completer(_backups)
droppable = _completer(_droppable)
things = _completer(_things, or_files=True)
jobs_and_backups = _completer(_jobs_and_backups)
jobs_and_standing = _completer(_jobs_and_standing)


def projects(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the names of all projects."""
    with suppress(WtwatchError):
        return [CompletionItem(name) for name in listing.registered() if name.startswith(incomplete)]
    return []


def files(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Have the shell offer files, as it does by itself."""
    return [CompletionItem(incomplete, type="file")]


def batch_option(text: str) -> Callable[..., Any]:
    """Give a command the option --batch, which may be given more than once; ``text`` is its help."""
    return click.option("--batch", "batches", multiple=True, metavar="N", help=text, shell_complete=batches)
