"""``wtwatch exec``: a command by hand in the run tree, in the jobs' environment, with the tree held."""

from __future__ import annotations

import os
import signal
import subprocess

import click

from wtwatch.commands.front import project_option, ring_for
from wtwatch.doors.files import held
from wtwatch.doors.processes import identity
from wtwatch.project.excludes import excludes_env
from wtwatch.project.jobenv import for_jobs
from wtwatch.project.registry import here, need_run_tree, one
from wtwatch.project.tree import RunTree
from wtwatch.queue.facts import ExecNote
from wtwatch.queue.jobs import Queue
from wtwatch.tree import save
from wtwatch.words.errors import UsageError
from wtwatch.words.model import now


@click.command("exec", context_settings={"allow_interspersed_args": False})
@project_option
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="-- COMMAND...")
def command(project: str | None, words: tuple[str, ...]) -> int:
    """Run COMMAND in the run tree as a job would find it; nothing moves there until it ends."""
    if not words:
        raise UsageError("There is no command.", "wtwatch exec -- COMMAND…")
    chosen = one(project)
    need_run_tree(chosen)
    tree, queue = RunTree.of(chosen), Queue(chosen.state)
    folder = here()
    if not folder.is_relative_to(chosen.run_tree):
        folder = chosen.run_tree
    env = for_jobs(tree) | excludes_env(tree)
    with held(tree.lock, wait=1.0):
        base = save.pointer_of(tree).head
        queue.note_used(base)
        myself = identity(os.getpid())
        assert myself is not None
        queue.note_exec(ExecNote(myself, words[0], now()))
        before = signal.signal(signal.SIGINT, _leave_it_to_the_command)
        try:
            code = subprocess.run(words, cwd=folder, env=env, check=False).returncode
        except OSError as error:
            raise UsageError(
                f"Cannot run {words[0]!r}: {error.strerror}.",
                "Is it on the PATH that jobs have? wtwatch exec -- env",
            ) from error
        finally:
            signal.signal(signal.SIGINT, before)
            queue.note_exec(None)
            save.keep_named(tree, base)
    ring_for(chosen)  # now that the tree is free
    return code if code >= 0 else 128 - code


def _leave_it_to_the_command(*_: object) -> None:
    """Take Ctrl-C and do nothing; SIG_IGN would be inherited, so that the command never felt it."""
