"""The only door to DataLad, imported inside its functions: run, rerun, and read the records of both."""

from __future__ import annotations

import glob
import json
import lzma
import os
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from wtwatch.doors import containers
from wtwatch.doors.repo import Repo
from wtwatch.words import resources
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import JobSpec, Sha
from wtwatch.words.uses import from_record

_PROGRAMS = ("cmd:git", "cmd:annex")

OUR_KEY = "wtwatch"
"""The key in a run record under which wtwatch notes what DataLad does not."""


class RunResult(NamedTuple):
    """How a run ended: the command's exit code, or 1 where ``error`` says what else went wrong.

    ``began``: the command was started; where not, somebody had changed the tree that very moment.
    """

    exit: int
    error: str | None = None
    began: bool = True


def load() -> None:
    """Import all that a run needs (0.3 s), so that an upgrade of DataLad meanwhile does no harm."""
    import datalad.core.local.diff
    import datalad.core.local.run
    import datalad.local.rerun
    import datalad.support.annexrepo  # noqa: F401
    from datalad.support.external_versions import external_versions
    from datalad.ui import ui

    ui.set_backend("no-progress")  # which asks no questions either
    with suppress(Exception):  # what is wrong with these programs, it says itself where it needs them
        for program in _PROGRAMS:
            external_versions[program]


@cache
def at(top: str) -> Any:
    """Return the dataset at ``top`` as DataLad has it, always the same: it reads settings only once then."""
    from datalad.distribution.dataset import Dataset

    return Dataset(top)


def load_beforehand() -> None:
    """Import what :func:`load` does, and what runs import besides, for processes that are forked."""
    import concurrent.futures.thread  # noqa: F401
    import ctypes  # noqa: F401 - for inotify
    import encodings.ascii  # noqa: F401

    load()


def own_settings() -> dict[str, object]:
    """Return DataLad's own settings by name, as it knows them; some it goes by from when it was loaded on."""
    import datalad

    names = [name for name in datalad.cfg.keys() if name.startswith("datalad.")]  # noqa: SIM118 - no mapping
    return {name: datalad.cfg.get(name) for name in names}


def read_settings() -> None:
    """Have DataLad read git's settings as they are for this process now (5 ms), after a fork."""
    import datalad

    datalad.cfg.reload(force=True)


def forget_programs() -> None:
    """Have DataLad ask git and git-annex anew for their versions, when :func:`load` is called next."""
    from datalad.support.external_versions import external_versions

    for program in _PROGRAMS:
        external_versions._versions.pop(program, None)


def warn_of_identity() -> None:
    """Have DataLad say what it says when it is loaded, where git knows no author."""
    import datalad
    from datalad.config import warn_on_undefined_git_identity

    warn_on_undefined_git_identity(datalad.cfg)


@contextmanager
def around_commands(
    act: Callable[[], None], needed: bool = True, then: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Have ``act`` called while the body runs, each time that DataLad is about to start a command.

    And ``then`` when that is over.

    Then it has looked whether the tree is clean, has got inputs, and unlocked or removed outputs: what is put
    there any earlier it would refuse or delete. DataLad offers no way to do that (datalad/core/local/run.py);
    where a version of it has no such place any more, ``act`` is called at once, or, where that would not do
    (``needed``), :class:`WtwatchError` is raised.
    """
    from datalad.core.local import run as module

    known = getattr(module, "_execute_command", None)
    if known is None and not needed:
        act()
        yield
        return
    if known is None:
        raise WtwatchError(
            "This version of DataLad has no place for what an earlier attempt left.",
            "wtwatch queue retry without --resume",
        )

    def with_act(*args: Any, **kwargs: Any) -> Any:
        act()
        try:
            return known(*args, **kwargs)
        finally:
            then()

    module._execute_command = with_act
    try:
        yield
    finally:
        module._execute_command = known


def run(dataset: Path, spec: JobSpec, extra_info: Mapping[str, Any]) -> RunResult:
    """Run a job's command as `datalad run` does, in a container as `datalad containers-run` does.

    Or run the record of the commit ``spec.rerun_of`` again, on HEAD; then the rest of ``spec`` does not
    matter. The commit that comes of it is what `datalad rerun` makes, but nothing is ever checked out: for a
    record that is a merge commit, that checks out its parent and moves the branch there. ``extra_info``
    becomes part of the record. What DataLad raises where it should report is passed on; a record of another
    dataset, or none, raises :class:`WtwatchError`.
    """
    from datalad.core.local.run import run_command

    words = asked(dataset, spec)
    if spec.rerun_of:
        if words["dataset"].repo.dirty:
            found = Repo(dataset).changes("--untracked-files=all")
            paths = [*found.edited, *found.unmerged, *found.untracked]
            shown = ", ".join(paths[:3]) or "see `datalad status`"
            return RunResult(1, f"The run tree has changes that are not saved: {shown}.", began=False)
        words["rerun_outputs"] = _written_then(words["dataset"], words["rerun_info"])
    with containers.told(inside(dataset, spec)):
        return drive(run_command(**words, extra_info=dict(extra_info)))


def inside(dataset: Path, spec: JobSpec) -> str | None:
    """Return the name of the container that a job's command runs in, if one; a record says it itself."""
    return containers.found(dataset, spec.container).name if spec.container and not spec.rerun_of else None


def asked(dataset: Path, spec: JobSpec) -> dict[str, Any]:
    """Return a job as the arguments of DataLad's ``run_command``; see :func:`run` for what is raised."""
    from datalad.local.rerun import get_run_info

    ds = at(str(dataset))
    if not spec.rerun_of:
        container = containers.found(dataset, spec.container) if spec.container else None
        return {
            "cmd": container.around(spec.command) if container else spec.command,
            "dataset": ds,
            "inputs": list(spec.inputs),
            "extra_inputs": list(container.inputs) if container else [],
            "outputs": list(spec.outputs),
            "message": spec.message,
        }
    commit = ds.repo.get_hexsha(spec.rerun_of)
    message, info = get_run_info(ds, ds.repo.format_commit("%B", commit))
    if info is None:
        raise WtwatchError(f"The commit {commit} holds no run record.")
    if info.get("dsid") not in (None, ds.id):
        raise WtwatchError(f"The record of {commit} is one of another dataset ({info['dsid']}).")
    info["chain"] = [*info.get("chain", []), commit]
    return {
        "cmd": info["cmd"],
        "dataset": ds,
        "inputs": info.get("inputs", []),
        "extra_inputs": info.get("extra_inputs", []),
        "outputs": info.get("outputs", []),
        "message": message,
        "rerun_info": info,
    }


def _written_then(ds: Any, info: Mapping[str, Any]) -> list[str]:
    """Return the files that the recorded run wrote beyond its declared outputs, as `datalad rerun` has it."""
    from datalad.local.rerun import diff_revision, new_or_modified

    declared = info.get("outputs", [])
    base = Path(ds.path, info["pwd"])
    written = [found["path"] for found in new_or_modified(diff_revision(ds, info["chain"][-1]))]
    return [path for path in written if os.path.relpath(path, base) not in declared]


def drive(results: Iterator[dict[str, Any]]) -> RunResult:
    """Draw DataLad's results up to the first that is not good, as `datalad run` does (on_failure=stop)."""
    from datalad.interface.utils import generic_result_renderer
    from datalad.support.exceptions import CommandError, IncompleteResultsError

    try:
        with closing(results):  # type: ignore[type-var]
            for result in results:
                generic_result_renderer(result)
                if result["status"] not in ("ok", "notneeded"):
                    return failure(result)
    except IncompleteResultsError as error:
        return failure(error.failed[0]) if error.failed else RunResult(1, str(error))
    except CommandError as error:
        return RunResult(1, _said_by(error.cmd, error.stderr) or str(error))
    return RunResult(0)


def _said_by(command: object, stderr: object) -> str | None:
    """Return in one line what a command that DataLad ran said as it failed, without that command's arguments.

    These may be a whole commit message, with the record in it.
    """
    words = list(command) if isinstance(command, list | tuple) else str(command).split()
    said = os.fsdecode(stderr) if isinstance(stderr, bytes) else str(stderr or "")
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    verb = next((word for word in words if word in ("commit", "add", "checkout")), None)
    if not lines:
        return None
    what = "the result could not be committed" if verb == "commit" else f"`{words[0]} {verb or '…'}` failed"
    return f"{what}: {'; '.join(lines[-2:])}"


def failure(result: Mapping[str, Any]) -> RunResult:
    """Return what a result of DataLad that is not good comes to."""
    if result.get("action") == "run" and result.get("exit_code"):
        return RunResult(int(result["exit_code"]))
    message = result.get("message") or "DataLad gave no reason"
    if isinstance(message, tuple):
        message = message[0] % message[1:]
    refused = result["action"] == "run" and "clean dataset required" in message
    error = f"{result['action']} of {result.get('path', 'the dataset')}: {message}"
    return RunResult(1, error, began=not refused)


RECORD = "=== Do not change lines below ==="
"""What stands in the message of each commit that has a record."""

_MESSAGE = re.compile(
    r"\[DATALAD RUNCMD\] (?P<message>.*?)\s*^=== Do not change lines below ===$\n"
    r"(?P<record>.*)\n^\^\^\^ Do not change lines above \^\^\^$",
    re.DOTALL | re.MULTILINE,
)


def record_of(dataset: Path, revision: str) -> dict[str, Any] | None:
    """Return the run record of a commit, or ``None`` if it has none; DataLad is not needed for that."""
    repo = Repo(dataset)
    text = repo.git("log", "-1", "--format=%B", "--end-of-options", revision)
    return _record(repo, revision, text)


def spec_of(dataset: Path, revision: str) -> JobSpec | None:
    """Return the job that runs the record of a commit again, or ``None`` if it has no record.

    Its inputs, the image of a container among them, and outputs are paths from the top of the dataset.
    """
    repo = Repo(dataset)
    commit, text = repo.git("log", "-1", "--format=%H%n%B", "--end-of-options", revision).split("\n", 1)
    noted = noted_in(repo, Sha(commit), text)
    return noted.spec if noted else None


class Noted(NamedTuple):
    """What a message has of a run: the job that runs it again, and what a job of wtwatch noted besides."""

    spec: JobSpec
    ours: Mapping[str, Any] | None


def noted_in(repo: Repo, commit: Sha, text: str) -> Noted | None:
    """Return what the message ``text`` of a commit has of a run; ``None`` if it has no record.

    Raises :class:`WtwatchError` for one that cannot be read.
    """
    found = _MESSAGE.match(text)
    record = _read(repo, commit, found["record"]) if found else None
    if record is None or found is None:
        return None
    command = record["cmd"]
    noted = record.get(OUR_KEY)
    ours = noted if isinstance(noted, dict) else {}
    spec = JobSpec(
        command=command if isinstance(command, str) else shlex.join(command),
        message=found["message"],
        inputs=(*_from_top(record, "inputs"), *_from_top(record, "extra_inputs")),
        outputs=_from_top(record, "outputs"),
        rerun_of=commit,
        setenv=_declared(ours),
        uses=_stated(ours),
    )
    if "asked" in ours:
        spec = resources.with_wishes(spec, resources.noted(ours["asked"]))
    return Noted(spec, ours or None)


def _stated(ours: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the paths that the job of a record was said to use."""
    noted = ours.get("uses")
    if not (isinstance(noted, dict) and noted.keys() & {"stated", "packed"}):  # of ten thousand, none mostly
        return ()
    found = from_record(noted)
    return found.stated if found else ()


def _declared(ours: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return the variables that were set for the job of a record, those apart whose values are secret."""
    noted = ours.get("environment")
    setenv = noted.get("setenv") if isinstance(noted, dict) else None
    pairs = setenv.items() if isinstance(setenv, dict) else ()
    return tuple((name, value) for name, value in pairs if isinstance(value, str))


def _from_top(record: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Return declared paths as seen from the dataset's top; a record has them as seen from its ``pwd``."""
    pwd, declared = str(record.get("pwd") or "."), record.get(name)
    if not declared:
        return ()
    paths = declared if pwd == "." else (os.path.join(pwd, path) for path in declared)  # noqa: PTH118
    return tuple(map(os.path.normpath, paths))


def expanded(spec: JobSpec, dataset: Path) -> str:
    """Return a job's command as DataLad will run it, or ran it, with what its files match now.

    A record has the command as it was asked for (datalad-run(1), "Command format"). What cannot be told
    stays as it is: a command that DataLad would refuse, and one whose record is run again.
    """
    if spec.plain or spec.rerun_of:
        return spec.command
    facts = {
        "inputs": _Words(_matching(dataset, spec.inputs)),
        "outputs": _Words(_matching(dataset, spec.outputs)),
        "pwd": str(dataset),
        "dspath": str(dataset),
        "tmpdir": "{tmpdir}",
    }
    try:
        inside = containers.found(dataset, spec.container) if spec.container else None
        return (inside.around(spec.command) if inside else spec.command).format(**facts)
    except (LookupError, ValueError, AttributeError, TypeError, WtwatchError):
        return spec.command


class _Words(list[str]):
    """Words of a shell that a placeholder stands for, all or one of them."""

    def __format__(self, _how: str) -> str:
        return " ".join(self)


def _matching(dataset: Path, patterns: Iterable[str]) -> list[str]:
    """Return the files that patterns match, quoted; a pattern that matches none stays."""
    found = []
    for pattern in (pattern for pattern in patterns if pattern.strip() != "."):
        matches = sorted(glob.glob(pattern, root_dir=dataset, recursive=True))  # noqa: PTH207 - as DataLad has it
        found += [shlex.quote(path) for path in matches or [pattern]]
    return found


def results_of(dataset: Path, attempt: str, since: Sha) -> list[Sha]:
    """Return the commits of HEAD after ``since`` whose record says that they are of this attempt."""
    repo = Repo(dataset)
    found = []
    for entry in filter(None, repo.git("log", "-z", "--format=%H%n%B", f"{since}..HEAD").split("\0")):
        commit, text = entry.split("\n", 1)
        ours = (_record(repo, commit, text) or {}).get(OUR_KEY)
        if isinstance(ours, dict) and ours.get("attempt") == attempt:
            found.append(Sha(commit))
    return found


def _record(repo: Repo, commit: str, text: str) -> dict[str, Any] | None:
    found = _MESSAGE.match(text)
    return _read(repo, commit, found["record"]) if found else None


def _read(repo: Repo, commit: str, text: str) -> dict[str, Any] | None:
    """Return the record that stands in a message, or in the file that it names."""
    try:
        record = json.loads(text)
        if isinstance(record, str):
            record = _from_sidecar(repo, record)
    except (ValueError, OSError, lzma.LZMAError) as error:
        raise WtwatchError(f"The run record of {commit} cannot be read: {error}.") from error
    return record if isinstance(record, dict) and "cmd" in record else None


def _from_sidecar(repo: Repo, name: str) -> Any:
    """Read a record that stands in a file, where the message has its name (datalad.run.record-sidecar)."""
    if "/" in name:  # it came with a commit, and may be of anybody
        raise ValueError(f"{name!r} is no name of a file")
    with lzma.open(repo.path / _sidecar_folder(repo) / name, "rt", encoding="utf-8") as lines:
        return json.loads(lines.readline())


def _sidecar_folder(repo: Repo) -> str:
    """Return where such files lie, as git's settings say, or else those that the dataset tracks."""
    asked = ("--get", "datalad.run.record-directory")
    if own := repo.git("config", *asked, ok=(0, 1)):
        return own
    tracked = repo.git("config", "-f", ".datalad/config", *asked, ok=(0, 1)) or ".datalad/runinfo"
    if Path(tracked).is_absolute() or ".." in Path(tracked).parts:
        raise ValueError(f"{tracked!r} leads out of the dataset")
    return tracked
