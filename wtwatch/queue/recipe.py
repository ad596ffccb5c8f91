"""A batch as a file: what its TOML says, checked key by key, with the line of what cannot be meant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import tomli

from wtwatch.queue.axes import Axis, Rules
from wtwatch.queue.orders import Request, check_axis
from wtwatch.queue.tomlplaces import line_of
from wtwatch.queue.wording import IN_FILE
from wtwatch.words import resources
from wtwatch.words.errors import UsageError
from wtwatch.words.model import Trigger
from wtwatch.words.resources import Resources
from wtwatch.words.variables import check_name

_EXAMPLE = {
    "name": 'name = "plots"',
    "message": 'message = "Plot {subject}"',
    "command": 'command = "python code/plot.py {inputs} {outputs}"',
    "inputs": 'inputs = ["frames/{subject}.pkl"]',
    "outputs": 'outputs = ["plots/{subject}"]',
    "trigger": 'trigger = "every-move"',
    "stale": "stale = true",
    "uses": 'uses = ["code/src/plot.py", "code/src/lib"]',
    "plain": "plain = true",
    "drop_fetched": "drop_fetched = true",
    "container": 'container = "fsl-6"',
    "exclude": 'exclude = [{subject = "A", drug = "LSD"}]',
    "include": 'include = [{subject = "A", drug = "LSD"}]',
    "each": '[each], and below it: subject = ["A", "B"]',
    "resources": '[resources], and below it: cpus = 2, mem = "20GB", time = "2h", gpus = 1',
    "env": '[env], and below it: OMP_NUM_THREADS = "2"',
}
"""The keys of a file, each as it is written."""

_RESOURCES = {"cpus": "cpus = 2", "mem": 'mem = "20GB"', "time": 'time = "2h"', "gpus": "gpus = 1"}
_AXIS = ("glob", "file")


class Source(NamedTuple):
    """A file and its text; ``path`` is what it is called for people."""

    path: str
    text: str

    def wrong(self, key: str, message: str, hint: str | None, value: str | None = None) -> UsageError:
        """Return what is wrong with a key, and where that stands, as far as that is to be seen."""
        tried = [key, *(key.rsplit(".", number)[0] for number in range(1, key.count(".") + 1))]
        lines = (line_of(self.text, one, value) for one in tried)
        line = next(filter(None, lines), None)
        where = f"{self.path}, line {line}" if line else self.path
        return UsageError(f"{where}, {key}: {message}", hint, key)


class Recipe(NamedTuple):
    """What a file asks for: the jobs of each row of its axes, when they start, and what each takes.

    ``stale``: of them only those that a move touches. ``lists`` are the files, as they are named there, that
    values of axes were read from.
    """

    source: Source
    name: str
    trigger: Trigger
    stale: bool
    request: Request
    axes: tuple[Axis, ...]
    rules: Rules
    want: Resources
    lists: tuple[str, ...] = ()

    @property
    def looks(self) -> bool:
        """Whether an axis is looked for in the dataset, so that its values may be others tomorrow."""
        return any(axis.glob is not None for axis in self.axes)


def parse(source: Source, listed: Callable[[str], str]) -> Recipe:
    """Return what a file says; ``listed`` returns the text of a file of values that it names.

    Raises :class:`UsageError` with file, line and key for what cannot be meant; ``listed`` may raise
    :class:`OSError` or :class:`UnicodeDecodeError`.
    """
    try:
        table = tomli.loads(source.text)
    except tomli.TOMLDecodeError as error:
        raise UsageError(
            f"{source.path} is not valid TOML: {error}.", "Mend that line; see https://toml.io."
        ) from error
    _known(source, "", table, _EXAMPLE)
    take = _Taker(source, table)
    axes, lists = _axes(source, take.table("each"), listed)
    trigger = _trigger(source, take.text("trigger"))
    stale = _stale(source, take, trigger)
    request = Request(
        words=take.words("command"),
        message=take.text("message"),
        inputs=take.texts("inputs"),
        outputs=take.texts("outputs"),
        plain=take.flag("plain"),
        setenv=_variables(source, take.table("env")),
        container=take.text("container"),
        drop_fetched=take.flag("drop_fetched"),
        uses=take.texts("uses"),
        say=IN_FILE,
    )
    name = take.text("name")
    if name is not None and not name.strip():
        raise source.wrong("name", "it is empty.", "Leave it out, and the name of the file is taken.")
    return Recipe(
        source=source,
        name=name or Path(source.path).stem,
        trigger=trigger,
        stale=stale,
        request=request,
        axes=axes,
        rules=Rules(
            _left_out(source, take.tables("exclude"), axes), _besides(source, take.tables("include"), axes)
        ),
        want=_wants(source, take.table("resources")),
        lists=lists,
    )


class _Taker(NamedTuple):
    """Takes the values of keys from a table, each of the kind that it has to be."""

    source: Source
    values: Mapping[str, Any]

    def text(self, key: str) -> str | None:
        value = self.values.get(key)
        return None if value is None else _text(self.source, key, value, _EXAMPLE[key])

    def flag(self, key: str) -> bool:
        value = self.values.get(key, False)
        if not isinstance(value, bool):
            raise self.source.wrong(key, f"it is true or false, not {value!r}.", _EXAMPLE[key])
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.values.get(key, [])
        if not isinstance(value, list):
            raise self.source.wrong(key, f"it is a list of paths, not {value!r}.", _EXAMPLE[key])
        return tuple(_text(self.source, key, one, _EXAMPLE[key]) for one in value)

    def words(self, key: str) -> tuple[str, ...]:
        """Return a line for a shell as the one word that it is, and a list as its words."""
        if key not in self.values:
            raise self.source.wrong(key, "there is none.", _EXAMPLE[key])
        value = self.values[key]
        return (
            self.texts(key) if isinstance(value, list) else (_text(self.source, key, value, _EXAMPLE[key]),)
        )

    def table(self, key: str) -> Mapping[str, Any]:
        value = self.values.get(key, {})
        if not isinstance(value, dict):
            raise self.source.wrong(key, f"it is a table, not {value!r}.", _EXAMPLE[key])
        return value

    def tables(self, key: str) -> Sequence[Mapping[str, Any]]:
        value = self.values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(one, dict) and one for one in value):
            raise self.source.wrong(key, f"it is a list of tables, not {value!r}.", _EXAMPLE[key])
        return value


def _text(source: Source, key: str, value: object, example: str) -> str:
    if not isinstance(value, str):
        raise source.wrong(key, f"{value!r} is no text.", f"Write it in quotes, like {example}")
    if "\0" in value:
        raise source.wrong(key, "it has a null byte in it.", "Take that out.")
    return value


def _known(source: Source, above: str, table: Mapping[str, object], known: Iterable[str]) -> None:
    for key in table:
        if key not in known:
            from difflib import get_close_matches

            alike = get_close_matches(key, list(known), n=1, cutoff=0.7)
            hint = f"Did you mean {alike[0]}?" if alike else f"There are {', '.join(known)}."
            raise source.wrong(f"{above}{key}", "there is no such key.", hint)


def _trigger(source: Source, word: str | None) -> Trigger:
    words = [trigger.value for trigger in Trigger]
    if word is not None and word not in words:
        raise source.wrong("trigger", f"it is one of {', '.join(words)}, not {word!r}.", _EXAMPLE["trigger"])
    return Trigger(word or Trigger.NOW.value)


def _stale(source: Source, take: _Taker, trigger: Trigger) -> bool:
    stale = take.flag("stale")
    if stale and trigger is Trigger.NOW:
        raise source.wrong(
            "stale", "it is for what a move touches, and these jobs wait for none.", _EXAMPLE["trigger"]
        )
    if stale and not take.texts("outputs"):
        raise source.wrong(
            "stale", "results are known by their outputs, and there are none.", _EXAMPLE["outputs"]
        )
    if stale and "container" in take.values:
        raise source.wrong(
            "stale", "results of containers are not told apart yet.", "Take that line out, for now."
        )
    return stale


def _variables(source: Source, table: Mapping[str, object]) -> tuple[str, ...]:
    """Return the variables as texts such as ``NAME=VALUE``."""
    found = []
    for name, value in table.items():
        key = f"env.{name}"
        try:
            check_name(name)
        except UsageError as error:
            raise source.wrong(key, error.message, f'Write it like {name.upper().strip("=")} = "…"') from None
        found.append(f"{name}={_text(source, key, value, _EXAMPLE['env'])}")
    return tuple(found)


def _wants(source: Source, table: Mapping[str, Any]) -> Resources:
    _known(source, "resources.", table, _RESOURCES)
    found: dict[str, int | None] = dict.fromkeys(_RESOURCES)
    for name, value in table.items():
        key = f"resources.{name}"
        try:
            if name in ("mem", "time"):
                read = resources.memory if name == "mem" else resources.span
                found[name] = read(_text(source, key, value, _RESOURCES[name]), "")
            elif type(value) is int and 1 <= value <= resources.MOST:
                found[name] = value
            else:
                raise UsageError(f"it is a number from 1 on, not {value!r}.", _RESOURCES[name])
        except UsageError as error:
            raise error if error.about else source.wrong(key, error.message, error.hint) from None
    return Resources(found["cpus"], found["mem"], found["time"], found["gpus"])


def _axes(
    source: Source, table: Mapping[str, object], listed: Callable[[str], str]
) -> tuple[tuple[Axis, ...], tuple[str, ...]]:
    """Return the axes in the order of the file, and the files that values were read from."""
    axes, lists = [], []
    for name, said in table.items():
        key = f"each.{name}"
        if isinstance(said, dict):
            _known(source, f"{key}.", said, _AXIS)
            if len(said) != 1:
                raise source.wrong(key, "it is one of glob and file.", f'{name} = {{file = "{name}s.txt"}}')
            kind, value = next(iter(said.items()))
            where = _text(source, f"{key}.{kind}", value, f'{name} = {{{kind} = "…"}}')
            if kind == "glob":
                axes.append(_looked_for(source, name, where))
                continue
            lists.append(where)
            values = _lines(source, key, where, listed)
        elif isinstance(said, list):
            values = tuple(_value(source, key, one) for one in said)
        else:
            raise source.wrong(key, f"it is a list, not {said!r}.", IN_FILE.values.format(name=name))
        axes.append(_listed(source, name, values))
    return tuple(axes), tuple(lists)


def _value(source: Source, key: str, value: object) -> str:
    return str(value) if type(value) is int else _text(source, key, value, 'subject = ["A", "B"]').strip()


def _listed(source: Source, name: str, values: tuple[str, ...]) -> Axis:
    key = f"each.{name}"
    try:
        check_axis(name, values, IN_FILE)
    except UsageError as error:
        raise source.wrong(key, error.message, error.hint) from None
    twice = [value for value, number in Counter(values).items() if number > 1]
    if twice:
        raise source.wrong(key, f"{twice[0]!r} is there twice.", "Name it once.")
    return Axis(name, values)


def _looked_for(source: Source, name: str, pattern: str) -> Axis:
    key, field = f"each.{name}", f"{{{name}}}"
    _listed(source, name, ("x",))
    parts = pattern.split("/")
    if field not in pattern:
        raise source.wrong(
            key, f"{pattern!r} does not say where {field} is.", f'{name} = {{glob = "data/{field}"}}'
        )
    if "{" in pattern.replace(field, ""):
        raise source.wrong(
            key, f"{pattern!r} has a placeholder besides {field}.", "Write * for what may be anything."
        )
    if pattern.startswith("/") or ".." in parts or ".git" in parts:
        raise source.wrong(
            key,
            f"{pattern!r} does not lie in the dataset.",
            "Give it as seen from the top of the superdataset.",
        )
    return Axis(name, glob=pattern)


def _lines(source: Source, key: str, where: str, listed: Callable[[str], str]) -> tuple[str, ...]:
    """Return the values in a file, one a line; empty lines, and those that begin with #, are none."""
    hint = "It is looked for beside the batch's own file, and has one value a line."
    try:
        text = listed(where)
    except OSError as error:
        raise source.wrong(key, f"cannot read {where}: {error.strerror}.", hint) from error
    except UnicodeDecodeError as error:
        raise source.wrong(key, f"{where} is not UTF-8 text: {error.reason}.", hint) from error
    values = (line.strip() for line in text.removeprefix("\ufeff").splitlines())
    return tuple(value for value in values if value and not value.startswith("#"))


def _left_out(
    source: Source, tables: Sequence[Mapping[str, object]], axes: Sequence[Axis]
) -> tuple[Mapping[str, Sequence[str]], ...]:
    known = {axis.name: axis for axis in axes}
    found = []
    for table in tables:
        for name, said in table.items():
            _check_known_axis(source, "exclude", name, known)
            for value in said if isinstance(said, list) else [said]:
                text = _value(source, "exclude", value)
                if known[name].glob is None and text not in known[name].values:
                    raise source.wrong(
                        "exclude", f"{name} has no value {text!r}.", "Take that out, or mend it.", text
                    )
        pairs = {name: said if isinstance(said, list) else [said] for name, said in table.items()}
        found.append({name: [_value(source, "exclude", one) for one in said] for name, said in pairs.items()})
    return tuple(found)


def _besides(
    source: Source, tables: Sequence[Mapping[str, object]], axes: Sequence[Axis]
) -> tuple[Mapping[str, str], ...]:
    known = {axis.name: axis for axis in axes}
    found = []
    for table in tables:
        for name in table:
            _check_known_axis(source, "include", name, known)
        for name in known:
            if name not in table:
                raise source.wrong(
                    "include", f"one of its tables has no {name}.", f"Give all of {', '.join(known)} in each."
                )
        found.append({name: _value(source, "include", value) for name, value in table.items()})
    return tuple(found)


def _check_known_axis(source: Source, key: str, name: str, known: Mapping[str, Axis]) -> None:
    if name not in known:
        there = f"There are {', '.join(known)}." if known else "[each] has none."
        raise source.wrong(key, f"there is no axis {name!r}.", there)
