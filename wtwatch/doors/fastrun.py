"""A run in parts: DataLad plans, records and saves; preparing, running and looking are for the caller.

`datalad run` looks at all files of all datasets before and after a command, which is most of what a job costs
where there are many. A caller that knows how the tree stands spares it that, and gets the same commit: the
record, its message and what goes into the annex are DataLad's own doing. For that this door uses what DataLad
does not promise (``run_command(dry_run=…)`` of datalad/core/local/run.py, two helpers beside it, ``save_`` of
a repository); :func:`reason_against` says where these are not as they are known.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from inspect import signature
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from wtwatch.doors import containers, dataset
from wtwatch.doors.dataset import RunResult
from wtwatch.doors.porcelain import GITLINK, Change
from wtwatch.doors.refs import head_of
from wtwatch.doors.repo import Repo
from wtwatch.words.model import JobSpec, Sha

_FORM = """\
[DATALAD RUNCMD] {}

=== Do not change lines below ===
{}
^^^ Do not change lines above ^^^
"""

_QUIET = {"gc.auto": "0", "maintenance.auto": "false"}
"""Settings of git for saving: cleaning up is for a time at which nobody waits."""


class Plan(NamedTuple):
    """What DataLad makes of a job: the command as it is to be run in ``folder``, and the record so far.

    ``inputs``, ``also`` (inputs that the command is not told of) and ``outputs`` are the paths that match
    now, from ``folder``; of those that match nothing, the patterns. ``accepted`` is an exit code that is no
    failure though it is not 0: that of the record that is run again. ``container``: what it runs in.
    """

    record: dict[str, Any]
    command: str
    folder: str
    message: str
    inputs: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    accepted: int = 0
    container: str | None = None


class Saving(NamedTuple):
    """What is to be saved in one dataset: its path from the top, where it stands, and what differs there."""

    path: str
    head: Sha | None
    changes: tuple[Change, ...]


@cache
def _unknown() -> str | None:
    """Return which part of DataLad is not as this module knows it, if one."""
    from datalad.core.local import run
    from datalad.core.local.save import Save
    from datalad.support.gitrepo import GitRepo

    needed = {
        "run_command": {"dry_run", "skip_dirtycheck", "rerun_info", "extra_info", "extra_inputs"},
        "prepare_inputs": {"dset_path", "inputs", "extra_inputs"},
        "_create_record": {"run_info", "sidecar_flag", "ds"},
        "_format_cmd_shorty": {"cmd"},
    }
    for name, words in needed.items():
        if not words <= _parameters(getattr(run, name, None)):
            return f"its {name} is not as expected"
    if not {"message", "paths", "_status"} <= _parameters(GitRepo.save_):
        return "its save_ is not as expected"
    if not {"dataset", "recursive", "message"} <= _parameters(Save.__call__):
        return "its save is not as expected"
    return None


def _parameters(function: object) -> set[str]:
    return set(signature(function).parameters) if callable(function) else set()


def reason_against(top: Path) -> str | None:
    """Return why jobs of a dataset have to go through DataLad as it is, if they have to.

    Hooks on results and extensions may change what `run` and `save` do, and would not be asked.
    """
    unknown = _unknown()
    if unknown:
        from datalad import __version__

        return f"DataLad {__version__} is not known: {unknown}"
    settings = dataset.at(str(top)).config
    hooks = [name for name, _ in settings.items() if name.startswith("datalad.result-hook.")]
    if hooks:
        return f"{hooks[0]} is set"
    if settings.get("datalad.extensions.load"):
        return "datalad.extensions.load is set"
    return None


def plan(top: Path, spec: JobSpec, extra_info: Mapping[str, Any]) -> Plan | RunResult:
    """Return what DataLad makes of a job in the dataset at ``top``, without touching anything.

    ``extra_info`` becomes part of the record. What DataLad refuses, a placeholder that it does not know, say,
    is returned as a failure. Raises as :func:`wtwatch.doors.dataset.asked`; :class:`KeyError` where DataLad
    answers otherwise than is known.
    """
    from datalad.core.local.run import GlobbedPaths, run_command

    words = dataset.asked(top, spec)
    answers = list(run_command(**words, extra_info=dict(extra_info), dry_run="basic", skip_dirtycheck=True))
    refused = [answer for answer in answers if answer["status"] != "ok"]
    if refused:
        return dataset.failure(refused[0])
    record, said = answers[-1]["run_info"], answers[-1]["dry_run_info"]
    command, folder, message = said["cmd_expanded"], said["pwd_full"], words["message"]
    earlier = words.get("rerun_info")
    return Plan(
        record=record,
        command=command,
        folder=folder,
        message=message if message is not None else _shortened(command),
        inputs=tuple(said["inputs"]),
        also=tuple(GlobbedPaths(record["extra_inputs"], pwd=folder).expand()),
        outputs=tuple(said["outputs"]),
        accepted=earlier.get("exit", 0) if earlier else 0,
        container=dataset.inside(top, spec),
    )


def _shortened(command: str) -> str:
    from datalad.core.local.run import _format_cmd_shorty

    return str(_format_cmd_shorty(command))


def get_inputs(top: Path, planned: Plan) -> RunResult:
    """Have DataLad get the content of declared inputs, and the subdatasets that they lie in."""
    from datalad.core.local.run import GlobbedPaths, prepare_inputs
    from datalad.utils import chpwd

    where = planned.folder
    inputs, also = (GlobbedPaths(planned.record[name], pwd=where) for name in ("inputs", "extra_inputs"))
    with chpwd(where):
        return dataset.drive(prepare_inputs(str(top), inputs, extra_inputs=also))


def environment(planned: Plan) -> dict[str, str]:
    """Return the variables that DataLad gives a command besides those of its own process."""
    inside = {containers.TELLS: planned.container} if planned.container else {}
    return {"PWD": planned.folder} | inside


def save(top: Path, planned: Plan, record: Mapping[str, Any], parts: Sequence[Saving]) -> RunResult:
    """Save what differs in datasets, given deepest first, and the new commits of those in the ones above.

    With the ``record`` of the run, now that its command has ended. Where nothing differs, nothing is
    committed. Nothing may be staged. The first that DataLad or git refuses ends it, with the reason.
    """
    message, sidecar = _message(top, planned, record)
    with _quiet_git():
        return dataset.drive(_saving(top, message, parts, sidecar))


def save_all(
    top: Path,
    planned: Plan,
    record: Mapping[str, Any],
    stood: Mapping[str, Sha | None],
    excludes: Path | None = None,
) -> RunResult:
    """Save as DataLad does after a command: whatever differs in any dataset, found by its own look.

    ``stood`` says where datasets stood before. Where the command made commits of its own, DataLad's way of
    naming them is followed (from 1.6.6 on, a merge commit). ``excludes`` is a file that says what git is to
    ignore meanwhile (core.excludesFile).
    """
    from datalad.core.local.save import Save
    from datalad.utils import chpwd

    message, _ = _message(top, planned, record)
    since: dict[str, Any] = {}
    there = {path: head for path, head in stood.items() if os.path.lexists(top / path / ".git")}
    moved = any(head != head_of(Repo(top / path)) for path, head in there.items())
    if moved and "since" in _parameters(Save.__call__):
        below = {str(top / path): head for path, head in there.items() if path}
        since = {"since": stood[""], "_since_sub_info": below or None}
        since["_sub_message"] = "Remaining changes after command execution"
    ignoring = {"core.excludesFile": str(excludes)} if excludes else {}
    with _quiet_git(ignoring), chpwd(planned.folder):
        return dataset.drive(
            Save.__call__(
                dataset=str(top),
                recursive=True,
                message=message,
                return_type="generator",
                result_renderer="disabled",
                on_failure="ignore",
                **since,
            )
        )


def _message(top: Path, planned: Plan, record: Mapping[str, Any]) -> tuple[str, Path | None]:
    """Return the message of the commits, and the file in which the record stands instead, if it was made."""
    from datalad.core.local.run import _create_record

    text, sidecar = _create_record(dict(record), None, dataset.at(str(top)))
    return _FORM.format(planned.message, f'"{text}"' if sidecar else text), sidecar


def _saving(
    top: Path, message: str, parts: Sequence[Saving], sidecar: Path | None
) -> Iterator[dict[str, Any]]:
    known = [part.path for part in parts]
    differing = {
        part.path: {change.path: _told(top / part.path, change) for change in part.changes} for part in parts
    }
    if sidecar is not None:
        name = sidecar.relative_to(top).as_posix()
        if not Repo(top).succeeds("ls-files", "--error-unmatch", "--", name):
            differing[""][name] = {"state": "untracked", "type": "file"}
    for part in parts:
        place, mine = top / part.path, differing[part.path]
        if mine:
            repo = dataset.at(str(place)).repo
            yield from repo.save_(
                message=message,
                paths=None,
                git=None if hasattr(repo, "uuid") else True,
                untracked="no",
                _status={repo.pathobj / path: facts for path, facts in mine.items()},
            )
        moved = head_of(Repo(place)) != part.head
        if moved and part.path:
            above = _above(part.path, known)
            name = os.path.relpath(part.path, above or ".")
            differing[above][name] = {"state": "modified", "type": "dataset"}
        yield {
            "action": "save",
            "type": "dataset",
            "path": str(place),
            "refds": str(top),
            "status": "ok" if moved else "notneeded",
        }


def _above(path: str, known: Sequence[str]) -> str:
    """Return the innermost of the ``known`` datasets that the one at ``path`` lies in."""
    return max((one for one in known if not one or path.startswith(f"{one}/")), key=len)


def _told(root: Path, change: Change) -> dict[str, str]:
    """Return what DataLad's status says of a path that differs from the index."""
    place = root / change.path
    kind = "symlink" if place.is_symlink() else "directory" if change.path.endswith("/") else "file"
    if change.untracked:
        return {"state": "untracked", "type": kind}
    if change.unstaged == "D":
        return {"state": "deleted", "type": "dataset" if change.in_index[0] == GITLINK else kind}
    return {"state": "modified", "type": "dataset" if change.in_index[0] == GITLINK else kind}


@contextmanager
def _quiet_git(also: Mapping[str, str] = MappingProxyType({})) -> Iterator[None]:
    """Have git leave its cleaning up for later while the body runs, in all that this process starts.

    ``also`` are more settings for it; of two of a name the later counts.
    """
    before = os.environ.get("GIT_CONFIG_COUNT")
    count, settings = int(before or 0), _QUIET | dict(also)
    for number, (name, value) in enumerate(settings.items(), count):
        os.environ[f"GIT_CONFIG_KEY_{number}"] = name
        os.environ[f"GIT_CONFIG_VALUE_{number}"] = value
    os.environ["GIT_CONFIG_COUNT"] = str(count + len(settings))
    try:
        yield
    finally:  # git does not read beyond the count
        os.environ.pop("GIT_CONFIG_COUNT")
        if before is not None:
            os.environ["GIT_CONFIG_COUNT"] = before
