"""The options by which jobs ask for processors, memory, time and graphics cards."""

from __future__ import annotations

from functools import wraps
from typing import Any

import click

from wtwatch.words import resources
from wtwatch.words.resources import Resources


def wish_options(function: Any) -> Any:
    """Give a command the options of what jobs ask for, in ``want``."""

    @wraps(function)
    def gathered(mem: str | None, time: str | None, cpus: int | None, gpus: int | None, **given: Any) -> None:
        function(
            want=Resources(
                cpus,
                None if mem is None else resources.memory(mem),
                None if time is None else resources.span(time),
                gpus,
            ),
            **given,
        )

    decorated: Any = gathered
    for word, kind, metavar, help_text in (
        ("--time", str, "SPAN", "end a job that takes longer, such as 2h or 90min"),
        ("--gpus", click.IntRange(min=1), "N", "graphics cards that a job has to itself"),
        ("--mem", str, "SIZE", "memory that a job may take, such as 20GB"),
        (
            "--cpus",
            click.IntRange(min=1),
            "N",
            "processors that a job takes, and threads of OpenMP, MKL, BLAS",
        ),
    ):
        decorated = click.option(word, type=kind, metavar=metavar, help=help_text)(decorated)
    return decorated
