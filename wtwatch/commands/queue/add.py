"""``wtwatch queue add``: queue a command, or one for each combination of values."""

from __future__ import annotations

from typing import Any

import click

from wtwatch.commands import completing
from wtwatch.commands.front import project_option
from wtwatch.commands.ordering import Order, order_options, queue_jobs
from wtwatch.commands.wishes import wish_options
from wtwatch.project.registry import one
from wtwatch.queue import orders
from wtwatch.words import resources
from wtwatch.words.errors import UsageError
from wtwatch.words.resources import Resources


@click.command("add", context_settings={"allow_interspersed_args": False})
@click.option("-m", "--message", metavar="MSG", help="the message of the result commit")
@click.option(
    "-i",
    "--input",
    "inputs",
    multiple=True,
    metavar="IN",
    help="a file or folder that is needed",
    shell_complete=completing.files,
)
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    metavar="OUT",
    help="a file or folder that is made",
    shell_complete=completing.files,
)
@click.option("--each", multiple=True, metavar="NAME=A,B", help="one job for each value of {NAME}")
@click.option(
    "--setenv",
    multiple=True,
    metavar="NAME[=VALUE]",
    help="a variable for the command; NAME: as in this shell",
)
@click.option(
    "--container",
    metavar="NAME",
    help="run it in this container, as `datalad containers-run -n NAME` does",
    shell_complete=completing.containers,
)
@wish_options
@click.option("--drop-fetched", is_flag=True, help="drop again what a job itself got of its inputs")
@click.option(
    "--uses",
    multiple=True,
    metavar="PATH",
    help="what it uses, instead of what is seen: files, folders, globs",
    shell_complete=completing.files,
)
@click.option("--plain", is_flag=True, help="run the command as it is, not through `datalad run`")
@project_option
@click.argument(
    "words",
    nargs=-1,
    type=click.UNPROCESSED,
    metavar="-- COMMAND...",
    shell_complete=completing.files,
)
@order_options
def command(order: Order, each: tuple[str, ...], project: str | None, want: Resources, **asked: Any) -> None:
    """Queue COMMAND, as `datalad run` has it; with --each, one job for each combination."""
    if not asked["words"]:
        raise UsageError("There is no command.", "wtwatch queue add [OPTIONS] -- COMMAND…")
    chosen = one(project)
    specs = orders.expand(orders.Request(each=each, **asked), chosen)
    queue_jobs(chosen, [resources.with_wishes(spec, want) for spec in specs], order)
