"""The settings of a project one by one: what each does, how it is written, how it is changed."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any, get_type_hints

from wtwatch.doors.files import held
from wtwatch.project import config
from wtwatch.project.config import Project
from wtwatch.words.errors import UsageError

CHANGEABLE = {
    "settle": "seconds that the bookmark has to be still before waiting batches start",
    "on_move": "when code moves during a batch: after-batch, after-job, or cancel (stop its job)",
    "merge_pointer": "whose pointer of code a merge keeps if only that conflicts: ask, main or run",
    "from_main": "when what main has comes into the run tree: with each move, or if you ask",
    "main_branch": "the branch that this comes from, as init found it; empty: whichever the main tree is on",
    "max_failures": "after how many failed jobs of a batch the queue pauses; 0: it always goes on",
    "keep_failed": "how many attempts of failed jobs keep what they wrote to their outputs",
    "busy_alarm": "seconds that somebody may work in the run tree before status asks for attention",
    "ignore_untracked": "untracked files that may lie in the run tree when a job starts",
    "ignore_outputs": "outputs, such as *.log, that are no result where nothing else changed",
    "prune_outputs": "whether a rerun removes files in its output folders that it does not make any more",
    "stale_on_environment": "whether another environment makes results stale: true or false",
    "protected": "paths in code that no move touches",
    "carry": "files that git ignores in code, such as .env, to copy from the main tree with each move",
    "passive": "programs that do not count as work in the run tree",
    "env": "variables that jobs get: env.NAME, in which $NAME stands for what is there",
    "secret": "names of variables whose values no record may show",
    "preamble": "lines of bash before each job, such as `module load fsl/6`",
    "limits": "what holds for jobs: limits.umask, limits.open_files, limits.nice",
    "fast": "whether jobs are spared DataLad's looks at all files; false: they go through it as it is",
    "lanes": "how many jobs of a batch run side by side; 1: one after the other, in the run tree",
    "executor": "where jobs run: executor.kind (here or slurm), .partition, .account, .options, .setup",
    "on_attention": "a command that the daemon runs when something needs you",
    "on_batch_end": "a command that the daemon runs when a batch is over",
    "environment": "what sets code/.venv up: auto (by uv), none, or a command",
    "env_files": "files that such a command reads; by default those that are known as such, or that it names",
    "env_prefix": "where such a command puts the environment, from code's folder",
    "env_exact": "whether what was installed by hand goes when the environment is set up: true or false",
    "env_limit": "seconds that a set-up of the environment may take",
}
"""What `wtwatch config` sets, and what it does."""

FIXED = {
    "name": "the project's name",
    "main_tree": "where you write",
    "run_tree": "where batches run",
    "bookmark": "the bookmark of code that the run tree follows",
    "code": "the subdataset that the code is in",
    "paths": "the paths of the superdataset that are code, where that is no subdataset",
    "run_branch": "the branch for results, where it is another than the bookmark",
    "host": "the host whose daemon looks after it",
}
"""What `wtwatch init` decides, and what it is."""


TABLES = ("env", "executor", "limits")
"""The settings that are names with values."""


def known(key: str) -> str:
    """Return ``key`` if it is a setting; raises :class:`UsageError` that names the one that may be meant.

    One name in a table is a setting too, such as ``env.FSLDIR``.
    """
    table, dot, name = key.partition(".")
    if dot and table in TABLES:
        if not name:
            raise UsageError(f"Which one of {table}?", f"wtwatch config {table}.NAME VALUE")
        return key
    if key not in CHANGEABLE and key not in FIXED:
        alike = get_close_matches(key, [*CHANGEABLE, *FIXED], n=1)
        meant = f"Did you mean {alike[0]}? " if alike else ""
        raise UsageError(f"There is no setting {key!r}.", f"{meant}`wtwatch config` shows all.")
    return key


def as_words(value: object) -> str:
    """Return a value as it is written on the command line."""
    if isinstance(value, tuple):
        return ",".join("=".join(each) if isinstance(each, tuple) else str(each) for each in value)
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def default(key: str) -> str | None:
    """Return the default of a setting as it is written, ``None`` if it has none."""
    found = Project._field_defaults.get(key)
    return None if found in (None, "", ()) else as_words(found)


def change(project: Project, key: str, text: str) -> Project:
    """Write one setting, the others as they are in the file by now; return the project as it is then.

    What is not of a setting, comments that is, is not kept: the file is written anew. Raises
    :class:`UsageError` for a setting that is not there or not to be changed so, and for a wrong value.
    """
    if known(key) in FIXED:
        raise UsageError(
            f"{key} is decided by `wtwatch init`, and is no setting to change.",
            "`wtwatch init -h` says how; `wtwatch forget` first, for another run tree.",
        )
    file = project.state / "config.toml"
    with held(project.state / "config.lock", wait=5.0, what="the settings"):
        now = config.read_project(file)
        table, _, name = key.partition(".")
        changed = now._replace(**{table: _in_table(now, table, name, text) if name else _value(key, text)})
        config.write_project(changed)
    return changed


def value_of(project: Project, key: str) -> str:
    """Return a setting, or one name in a table of them, as it is written; "" where it is not set."""
    table, _, name = known(key).partition(".")
    found = getattr(project, table)
    return dict(found).get(name, "") if name else as_words(found)


def _value(key: str, text: str) -> Any:
    if text == "default":
        return Project._field_defaults[key]
    if key in TABLES:
        raise UsageError(f"{key} has a value for each name.", f"wtwatch config {key}.NAME VALUE")
    return config.sound(key, _read(key, text))


def _in_table(project: Project, table: str, name: str, text: str) -> Any:
    """Return a table with one name at another value, or, at "default", without it."""
    found = dict(getattr(project, table))
    found.pop(name, None)  # the last declared comes last, and may use those before
    return config.sound(table, found if text == "default" else {**found, name: text})


def _read(key: str, text: str) -> Any:
    """Return what a text of the command line stands for, of the kind that the setting has."""
    kind = get_type_hints(Project)[key]
    if kind is str:
        return text
    if kind is bool:
        return {"true": True, "false": False}.get(text.lower(), text)
    if kind not in (float, int):
        return [part.strip() for part in text.split(",")]
    try:
        return int(text) if kind is int else float(text)
    except ValueError:
        raise UsageError(
            f"{key} must be a number, not {text!r}.", f"wtwatch config {key} {default(key)}"
        ) from None
