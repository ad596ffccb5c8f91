"""Facts on a screen: a label, and behind it a text that goes on in further lines where it does not fit."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from wtwatch.views.jobwords import one_line
from wtwatch.views.terminal import folded
from wtwatch.words import resources
from wtwatch.words.model import JobSpec, Sha

LABEL = 12
"""Columns of what stands before the facts."""


def fact(label: str, text: str, columns: int | None) -> Iterator[str]:
    """Yield a fact behind its label; what does not fit goes on in further lines."""
    margin = LABEL + 3
    for number, line in enumerate(folded(one_line(text), columns and columns - margin)):
        yield f"  {'' if number else label:<{LABEL}} {line}"


def spec_facts(spec: JobSpec, command: str) -> Iterator[tuple[str, str]]:
    """Yield what a job is to do, with ``command`` as it is run, as labels and texts; not its message."""
    if spec.values:
        yield "values", " · ".join(f"{name}={value}" for name, value in spec.values)
    yield ("by hand" if spec.plain else "command"), command
    if spec.container:
        yield "container", spec.container
    if asked := ", ".join(resources.words(resources.of(spec))):
        yield "asks for", asked
    for number, (name, value) in enumerate(spec.setenv):
        yield "" if number else "variables", f"{name}={value}"
    if command != spec.command:
        yield "asked as", spec.command
    if spec.rerun_of:
        yield "rerun of", f"the record of {spec.rerun_of[:10]}"
    yield from listed("input", spec.inputs)
    if spec.drop_fetched:
        yield "", "(dropped again, what the job itself gets of them)"
    yield from listed("output", spec.outputs)
    yield from (("" if number else "said to use", path) for number, path in enumerate(spec.uses))


def without_secrets(spec: JobSpec, secret: Collection[str]) -> JobSpec:
    """Return what a job is to do as it may be shown: of variables in ``secret`` the names alone."""
    shown = ((name, "(secret)" if name in secret else value) for name, value in spec.setenv)
    return spec._replace(setenv=tuple(shown))


def listed(label: str, texts: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield several texts under one label."""
    for number, text in enumerate(texts):
        yield (f"{label}s" if len(texts) > 1 else label) if not number else "", text


def commit_words(commit: Sha, subjects: dict[str, str]) -> str:
    """Return a commit by its short name and what it says."""
    return f"{commit[:10]} {subjects.get(commit, '(not here)')}".strip()
