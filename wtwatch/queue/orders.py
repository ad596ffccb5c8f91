"""From the words of `queue add`, or of a file, to jobs: one for each combination of values."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from itertools import product
from pathlib import Path
from typing import NamedTuple

from wtwatch.doors import containers
from wtwatch.doors.containers import Container
from wtwatch.project.config import Project
from wtwatch.project.registry import need_run_tree
from wtwatch.queue import checks
from wtwatch.queue.checks import DATALAD_PLACEHOLDERS
from wtwatch.queue.wording import ON_LINE, Wording
from wtwatch.words.errors import UsageError
from wtwatch.words.model import JobSpec
from wtwatch.words.quoting import quoted
from wtwatch.words.variables import Variables, declared

# {{ and }} are how DataLad's format writes a single brace; ${NAME} is the shell's
_BRACES = re.compile(r"\{\{|\}\}|\$\{|\{(\w+)\}")

_SAFE = r"[\w@%+=:,./-]*"
_OPEN = re.compile(_SAFE + r"(?:\{(?:inputs|outputs)(?:\[\w+\])?\}" + _SAFE + ")+", re.ASCII)


class Request(NamedTuple):
    """What was asked of `queue add`, or stands in a file of `queue load`.

    ``words`` is the command; a single word is a shell line as it is, as `datalad run` has it. ``each`` are
    texts such as ``subject=A,B``, ``setenv`` such as ``NAME=VALUE`` or ``NAME``. ``container`` is what the
    dataset calls the container that the command is to run in. ``drop_fetched``: what a job got of its inputs
    is to go again. ``uses`` are paths that jobs are said to use. ``say`` is how all of this is called where
    it was asked.
    """

    words: tuple[str, ...]
    message: str | None = None
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    each: tuple[str, ...] = ()
    plain: bool = False
    setenv: tuple[str, ...] = ()
    container: str | None = None
    drop_fetched: bool = False
    uses: tuple[str, ...] = ()
    say: Wording = ON_LINE


Row = Mapping[str, str]
"""What one job has for each name."""


def expand(request: Request, project: Project) -> list[JobSpec]:
    """Return one job for each combination of values, the first name varying slowest.

    Raises :class:`UsageError` as :func:`expand_rows` does, and for ``--each`` that cannot be meant.
    """
    values = _values(request.each)
    return expand_rows(
        request, [dict(zip(values, row, strict=True)) for row in product(*values.values())], project
    )


def expand_rows(request: Request, rows: Sequence[Row], project: Project) -> list[JobSpec]:
    """Return one job for each row of values, of which there is one at least.

    Raises :class:`UsageError` for what cannot be meant; on disk, only settings are looked at, of git and of
    datasets.
    """
    say, names = request.say, list(rows[0])
    if request.message is not None and not request.message.strip():
        raise UsageError(
            "The message is empty.", f"Leave {say.message} out, and the command is the message.", "message"
        )
    if not any(word.strip() for word in request.words):
        raise UsageError("There is no command to queue.", say.example, "command")
    if request.plain and (request.inputs or request.outputs):
        raise UsageError(
            f"{say.plain} runs the command as it is, outside of `datalad run`, so nobody would look at "
            "inputs and outputs.",
            f"Leave out {say.plain}, or {say.inputs} and {say.outputs}.",
            "plain",
        )
    if request.drop_fetched and not request.inputs:
        raise UsageError(
            f"{say.drop_fetched} drops what a job got of its declared inputs, and none is declared.",
            f"Declare them with {say.inputs}, or leave {say.drop_fetched} out.",
            "drop_fetched",
        )
    if request.container is not None:
        _check_container(request, request.container)
    variables = declared(request.setenv, os.environ)
    if not request.plain:
        _check_braces(rows, say)
    _check_used(request, names)
    specs = [_spec(request, row)._replace(setenv=_filled(variables, row)) for row in rows]
    _check_distinct(specs, say)
    for output in dict.fromkeys(output for spec in specs for output in spec.outputs):
        _check_output(output, project, say)
    as_run = [*specs, *_in_containers(specs, project)]
    checks.check_paths(as_run, say)
    checks.check_placeholders(as_run, project.run_tree, names, say)
    return specs


def shell_line(words: Sequence[str]) -> str:
    """Return the command as one shell line, as `datalad run` makes it of its words.

    But a word with {inputs} or {outputs} stays open, so that DataLad's replacement, which it quotes itself,
    becomes as many words as there are files; `datalad run` makes one word of them all.
    """
    if len(words) == 1:
        return words[0]
    return " ".join(word if _OPEN.fullmatch(word) else shlex.quote(word) for word in words)


def _values(each: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for text in each:
        name, _, listed = text.partition("=")
        values = [value.strip() for value in listed.split(",")]
        if name in found:
            raise UsageError(f"--each names {name!r} twice.", f"Put all in one: --each {name}=A,B")
        try:
            check_axis(name, values, ON_LINE)
        except UsageError as error:
            raise UsageError(f"--each {text!r}: {error.message}", error.hint) from None
        found[name] = values
    return found


def check_axis(name: str, values: Sequence[str], say: Wording) -> None:
    """Raise :class:`UsageError` for a name that no placeholder can have, or one without values."""
    if not name.isidentifier():
        raise UsageError(
            f"{name!r} cannot be a name: letters, digits and _ only.",
            f"Write it like {say.values.format(name='subject')}",
        )
    if name in DATALAD_PLACEHOLDERS:
        raise UsageError(f"{{{name}}} means something to DataLad already.", "Take another name.")
    if not values or not all(value.strip() for value in values):
        raise UsageError(
            f"{name!r} has {'an empty value' if any(values) else 'no values'}.",
            f"Write it like {say.values.format(name=name)}",
        )


def _check_container(request: Request, name: str) -> None:
    say = request.say
    if not name.strip():
        raise UsageError(
            "The name of the container is empty.", f"Leave {say.container} out, or name one.", "container"
        )
    if request.plain:
        raise UsageError(
            f"{say.plain} runs the command as it is, and no container is entered.",
            f"Leave out {say.plain}, or have the command itself call "
            f"`datalad containers-run -n {quoted(name)}`.",
            "container",
        )


def _in_containers(specs: Iterable[JobSpec], project: Project) -> list[JobSpec]:
    """Return the jobs that run in containers as DataLad will run them, with what these need.

    Raises :class:`UsageError` for a container that the run tree does not know.
    """
    inside = [(spec, spec.container) for spec in specs if spec.container]
    if inside:
        need_run_tree(project)
    known = {name: _container(name, project) for name in dict.fromkeys(name for _, name in inside)}
    return [
        spec._replace(command=known[name].around(spec.command), inputs=known[name].inputs)
        for spec, name in inside
    ]


def _container(name: str, project: Project) -> Container:
    try:
        return containers.found(project.run_tree, name)
    except UsageError as error:
        with suppress(UsageError):
            containers.found(project.main_tree, name)
            error.hint = "The main tree has it: save that there, and `wtwatch sync --from-main` brings it."
        raise


def _check_braces(rows: Sequence[Row], say: Wording) -> None:
    """Refuse what DataLad records in a way that its own `rerun` cannot read again."""
    for name, value in dict.fromkeys(pair for row in rows for pair in row.items()):
        if "{" in value or "}" in value:
            raise UsageError(
                f"{say.each}{name}: the value {value!r} has a brace, and `datalad rerun` could not make "
                "such a result again.",
                f"Have the command add the brace itself, or run it with {say.plain}.",
                f"each.{name}",
            )


def _check_used(request: Request, names: Sequence[str]) -> None:
    say, texts = request.say, [*request.words, request.message or "", *request.inputs, *request.outputs]
    texts += [*request.setenv, *request.uses, request.container or ""]
    used = {match[1] for text in texts for match in _BRACES.finditer(text)}
    for name in names:
        if name not in used:
            raise UsageError(
                f"{say.each}{name}=…: nothing says {{{name}}}, so all of its jobs would be the same.",
                f"Write {{{name}}} where the value belongs: in the command, {say.inputs}, {say.outputs} or "
                f"{say.message}.",
                f"each.{name}",
            )


def _spec(request: Request, values: Mapping[str, str]) -> JobSpec:
    return JobSpec(
        command=shell_line([_fill(word, values) for word in request.words]),
        message=None if request.message is None else _fill(request.message, values),
        inputs=tuple(_fill(path, values) for path in request.inputs),
        outputs=tuple(_fill(path, values) for path in request.outputs),
        plain=request.plain,
        container=None if request.container is None else _fill(request.container, values),
        drop_fetched=request.drop_fetched,
        values=tuple(values.items()),
        uses=tuple(
            os.path.normpath(filled) if (filled := _fill(path, values)) else "" for path in request.uses
        ),
    )


def _filled(variables: Variables, values: Mapping[str, str]) -> Variables:
    return tuple((name, _fill(text, values)) for name, text in variables)


def _fill(text: str, values: Mapping[str, str]) -> str:
    return _BRACES.sub(lambda match: values.get(match[1] or "", match[0]), text)


def _check_distinct(specs: Sequence[JobSpec], say: Wording) -> None:
    seen = set()
    for spec in specs:
        what = (spec.command, spec.inputs, spec.outputs, spec.container)
        if what in seen:
            raise UsageError(
                f"Several combinations of the {say.each.strip(' .')} values give the same job: "
                f"{spec.command}",
                f"Use each name in the command, {say.inputs} or {say.outputs}, and give each value once.",
                "each",
            )
        seen.add(what)


def check_inside(specs: Iterable[JobSpec], top: Path) -> None:
    """Raise :class:`UsageError` for a record whose declared paths lead out of the dataset at ``top``.

    A record comes with a commit, and may be of anybody. A path leads out by ``..``, from the root, or
    through a symlink on its way.
    """
    outside = {"": False}
    for spec in specs:
        for path in (*spec.inputs, *spec.outputs):
            if _leads_out(path, top, outside):
                raise UsageError(
                    f"The record of {spec.rerun_of} declares {path!r}, which lies outside of {top}.",
                    "Look at it with `git show`, and run the command by hand if that is meant.",
                )


def _leads_out(path: str, top: Path, outside: dict[str, bool]) -> bool:
    """Return whether a path leads out of ``top``; ``outside`` are the folders that were looked at so far."""
    plain = os.path.normpath(path)
    if plain.startswith("/") or plain.split("/", 1)[0] == "..":
        return True
    folder = plain.rpartition("/")[0]  # the file itself may be a link
    if folder not in outside:
        leads_out = _leads_out(folder, top, outside)
        outside[folder] = leads_out or not (top / folder).resolve().is_relative_to(top.resolve())
    return outside[folder]


def _check_output(output: str, project: Project, say: Wording) -> None:
    roots = (project.run_tree, project.main_tree)
    within = (path for path in project.code_paths for root in roots if _is_within(output, root, path))
    held = next(within, None)
    if held is not None:
        raise UsageError(
            f"The output {output!r} lies in {held}/, which holds the code that the jobs run on.",
            f"Write results elsewhere in the superdataset, or run the command with {say.plain}.",
            "outputs",
        )


def _is_within(path: str, root: Path, folder: str) -> bool:
    """Return whether ``path``, seen from ``root``, may lie in ``folder``; it may have wildcards."""
    relative = os.path.relpath(os.path.join(root, path), root)  # noqa: PTH118 (words alone, no disk)
    parts, wanted = relative.split("/"), os.path.normpath(folder).split("/")
    return len(parts) >= len(wanted) and all(
        fnmatchcase(there, pattern) for there, pattern in zip(wanted, parts, strict=False)
    )
