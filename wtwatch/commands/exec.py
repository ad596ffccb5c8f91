"""``wtwatch exec``: a command by hand in the run tree, in the jobs' environment, with the tree held."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from wtwatch.bring import carry
from wtwatch.commands import completing
from wtwatch.commands.front import project_option, ring_for
from wtwatch.doors.files import held
from wtwatch.doors.processes import identity
from wtwatch.job import starting
from wtwatch.project import owner
from wtwatch.project.excludes import excludes_env
from wtwatch.project.jobenv import for_jobs
from wtwatch.project.registry import here, need_run_tree, one
from wtwatch.project.tree import RunTree
from wtwatch.project.variables import Wanted, binds, made
from wtwatch.queue.facts import ExecNote
from wtwatch.queue.jobs import Queue
from wtwatch.setup import nested
from wtwatch.tree import environment, save, sync
from wtwatch.tree.changes import subdatasets
from wtwatch.views.terminal import warn
from wtwatch.words.errors import Busy, UsageError
from wtwatch.words.model import Running, ago, now

PAUSE = 0.2
"""Seconds from one try to hold the run tree to the next."""


@click.command("exec", context_settings={"allow_interspersed_args": False})
@project_option
@click.option("--wait", is_flag=True, help="begin as soon as nobody holds the run tree, rather than refuse")
@click.argument(
    "words",
    nargs=-1,
    type=click.UNPROCESSED,
    metavar="-- COMMAND...",
    shell_complete=completing.files,
)
def command(project: str | None, wait: bool, words: tuple[str, ...]) -> int:
    """Run COMMAND in the run tree as a job would find it; nothing moves there until it ends."""
    if not words:
        raise UsageError("There is no command.", "wtwatch exec -- COMMAND…")
    chosen = one(project)
    need_run_tree(chosen)
    tree, queue = RunTree.of(chosen), Queue(chosen.state)
    folder = here()
    if not folder.is_relative_to(chosen.run_tree):
        folder = chosen.run_tree
    env = for_jobs(tree) | excludes_env(tree) | _of_the_terminal()
    with owner.acting(chosen, "exec -- …"), _held(tree, queue, wait) as lock:
        sync.recover(tree)
        environment.recover(tree)
        carry.recover(tree, lambda: nested.complete(chosen))
        pointer = save.pointer_of(tree)
        base = pointer.head
        if pointer.branch != tree.branch:  # it may be what brings it back
            astray = save.off_branch(tree.path, tree.branch, pointer.branch)
            warn(f"{astray.message}\n{astray.hint}")
        if problem := environment.unusable(tree):
            warn(f"No job would run here now: {problem}\n`wtwatch sync` sets the environment up again.")
        queue.note_used(base)
        myself = identity(os.getpid())
        assert myself is not None
        queue.note_exec(ExecNote(myself, words[0], now(), *(starting.footing(tree) or ())))
        try:
            exit_code = _run(words, folder, _made(tree, env), lock)
        except OSError as error:
            raise UsageError(
                f"Cannot run {words[0]!r}: {error.strerror}.",
                "Is it on the PATH that jobs have? wtwatch exec -- env",
            ) from error
        finally:
            queue.note_exec(None)
            save.keep_named(tree, base)
    ring_for(chosen)  # now that the tree is free
    return exit_code if exit_code >= 0 else 128 - exit_code


def _made(tree: RunTree, base: dict[str, str]) -> dict[str, str]:
    """Return what a job without variables of its own would get, on what all have."""
    settings = tree.project
    datasets = ["", *(sub.path for sub in subdatasets(tree.path) if sub.installed)]
    wanted = Wanted(settings.preamble, settings.env)
    return made(base | binds(tree.path, datasets, settings.main_tree), wanted, tree.path).env


def _of_the_terminal() -> dict[str, str]:
    """Return what a command by hand needs to be seen, on a terminal or in a window."""
    names = ("TERM", "COLORTERM", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY")
    return {name: os.environ[name] for name in names if name in os.environ}


@contextmanager
def _held(tree: RunTree, queue: Queue, wait: bool) -> Iterator[int]:
    """Hold the run tree; told to ``wait``, as soon as nobody else does, rather than raise :class:`Busy`."""
    told = False
    with ExitStack() as stack:
        while True:
            try:
                lock = stack.enter_context(_held_now(tree, queue))
                break
            except Busy as busy:
                if not wait:
                    raise
                if not told:
                    warn(f"{busy.message} Waiting for that; Ctrl-C ends it.")
                told = True
            time.sleep(PAUSE)
        yield lock


@contextmanager
def _held_now(tree: RunTree, queue: Queue) -> Iterator[int]:
    """Hold the run tree as :func:`held` does; say which job it is that holds it, if one does."""
    job = queue.in_run_tree()
    if job is not None and isinstance(job.state, Running):
        raise Busy(
            f"Job {job.id} runs in the run tree (for {ago(job.state.started)}).",
            "To begin when it has ended: wtwatch exec --wait -- COMMAND. To see it end: wtwatch queue wait. "
            "So that no other starts: wtwatch queue pause.",
        )
    with ExitStack() as stack:
        try:
            lock = stack.enter_context(held(tree.lock, wait=1.0))
        except Busy as busy:  # the daemon, say, which moves code or sets up its environment
            hint = "To begin when that has ended: wtwatch exec --wait -- COMMAND."
            raise Busy(busy.message, hint, busy.processes) from busy
        yield lock


def _run(words: tuple[str, ...], folder: Path, env: dict[str, str], lock: int) -> int:
    """Run the command, which inherits ``lock``: it holds the tree on if this process is killed.

    Ctrl-C is told it by the terminal, SIGTERM is passed on, also one that comes before it has begun.
    """
    begun: list[subprocess.Popen[bytes]] = []
    told: list[int] = []

    def pass_on(number: int, _: object) -> None:
        told.append(number)
        for process in begun:
            process.terminate()

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, _leave_it_to_the_command)
    signal.signal(signal.SIGTERM, pass_on)
    try:
        with subprocess.Popen(words, cwd=folder, env=env, pass_fds=(lock,)) as process:
            begun.append(process)
            if told:
                process.terminate()
            return process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave_it_to_the_command(*_: object) -> None:
    """Take Ctrl-C and do nothing; SIG_IGN would be inherited, so that the command never felt it."""
