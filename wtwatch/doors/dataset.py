"""The only door to DataLad, imported inside its functions: run, rerun, and read the records of both."""

from __future__ import annotations

import glob
import json
import lzma
import os
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from wtwatch.doors.repo import Repo
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import JobSpec, Sha

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
    from datalad.ui import ui

    ui.set_backend("no-progress")  # which asks no questions either


@contextmanager
def just_before_commands(act: Callable[[], None]) -> Iterator[None]:
    """Have ``act`` called while the body runs, each time that DataLad is about to start a command.

    Then it has looked whether the tree is clean, has got inputs, and unlocked or removed outputs: what is put
    there any earlier it would refuse or delete. DataLad offers no way to do that (datalad/core/local/run.py);
    raises :class:`WtwatchError` where a version of it has no such place any more.
    """
    from datalad.core.local import run as module

    known = getattr(module, "_execute_command", None)
    if known is None:
        raise WtwatchError(
            "This version of DataLad has no place for what an earlier attempt left.",
            "wtwatch queue retry without --resume",
        )

    def with_act(*args: Any, **kwargs: Any) -> Any:
        act()
        return known(*args, **kwargs)

    module._execute_command = with_act
    try:
        yield
    finally:
        module._execute_command = known


def run(dataset: Path, spec: JobSpec, extra_info: Mapping[str, Any], explicit: bool = False) -> RunResult:
    """Run a job's command as `datalad run` does; ``extra_info`` becomes part of the record.

    With ``explicit`` the tree need not be clean, and declared outputs alone are saved.
    What DataLad raises where it should report is passed on.
    """
    from datalad.core.local.run import run_command
    from datalad.distribution.dataset import Dataset

    return _drive(
        run_command(
            spec.command,
            dataset=Dataset(str(dataset)),
            inputs=list(spec.inputs),
            outputs=list(spec.outputs),
            message=spec.message,
            extra_info=dict(extra_info),
        )
    )


def rerun(dataset: Path, spec: JobSpec, extra_info: Mapping[str, Any], explicit: bool = False) -> RunResult:
    """Run the record of the commit ``spec.rerun_of`` again, on HEAD; the rest of ``spec`` does not matter.

    The commit that comes of it is what `datalad rerun` makes, but nothing is ever checked out: for a record
    that is a merge commit, that checks out its parent and moves the branch there. A record of another
    dataset, or none, raises :class:`WtwatchError`.
    """
    from datalad.core.local.run import run_command
    from datalad.distribution.dataset import Dataset
    from datalad.local.rerun import get_run_info

    ds = Dataset(str(dataset))
    commit = ds.repo.get_hexsha(spec.rerun_of)
    message, info = get_run_info(ds, ds.repo.format_commit("%B", commit))
    if info is None:
        raise WtwatchError(f"The commit {commit} holds no run record.")
    if info.get("dsid") not in (None, ds.id):
        raise WtwatchError(f"The record of {commit} is one of another dataset ({info['dsid']}).")
    if ds.repo.dirty:
        found = Repo(dataset).changes("--untracked-files=all")
        paths = [*found.edited, *found.unmerged, *found.untracked]
        shown = ", ".join(paths[:3]) or "see `datalad status`"
        return RunResult(1, f"The run tree has changes that are not saved: {shown}.", began=False)
    info["chain"] = [*info.get("chain", []), commit]
    return _drive(
        run_command(
            info["cmd"],
            dataset=ds,
            inputs=info.get("inputs", []),
            extra_inputs=info.get("extra_inputs", []),
            outputs=info.get("outputs", []),
            rerun_outputs=_written_then(ds, commit, info),
            message=message,
            rerun_info=info,
            extra_info=dict(extra_info),
        )
    )


def _written_then(ds: Any, commit: str, info: Mapping[str, Any]) -> list[str]:
    """Return the files that the recorded run wrote beyond its declared outputs, as `datalad rerun` has it."""
    from datalad.local.rerun import diff_revision, new_or_modified

    declared = info.get("outputs", [])
    base = Path(ds.path, info["pwd"])
    written = [found["path"] for found in new_or_modified(diff_revision(ds, commit))]
    return [path for path in written if os.path.relpath(path, base) not in declared]


def _drive(results: Iterator[dict[str, Any]]) -> RunResult:
    """Draw DataLad's results up to the first that is not good, as `datalad run` does (on_failure=stop)."""
    from datalad.interface.utils import generic_result_renderer
    from datalad.support.exceptions import CommandError, IncompleteResultsError

    try:
        with closing(results):  # type: ignore[type-var]
            for result in results:
                generic_result_renderer(result)
                if result["status"] not in ("ok", "notneeded"):
                    return _failure(result)
    except IncompleteResultsError as error:
        return _failure(error.failed[0]) if error.failed else RunResult(1, str(error))
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


def _failure(result: Mapping[str, Any]) -> RunResult:
    if result.get("action") == "run" and result.get("exit_code"):
        return RunResult(int(result["exit_code"]))
    message = result.get("message") or "DataLad gave no reason"
    if isinstance(message, tuple):
        message = message[0] % message[1:]
    refused = result["action"] == "run" and "clean dataset required" in message
    error = f"{result['action']} of {result.get('path', 'the dataset')}: {message}"
    return RunResult(1, error, began=not refused)


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

    Its inputs and outputs are paths from the top of the dataset.
    """
    repo = Repo(dataset)
    commit, text = repo.git("log", "-1", "--format=%H%n%B", "--end-of-options", revision).split("\n", 1)
    record, found = _record(repo, commit, text), _MESSAGE.match(text)
    if record is None or found is None:
        return None
    command = record["cmd"]
    ours = record.get(OUR_KEY)
    return JobSpec(
        command=command if isinstance(command, str) else shlex.join(command),
        message=found["message"],
        inputs=_from_top(record, "inputs"),
        outputs=_from_top(record, "outputs"),
        rerun_of=Sha(commit),
        setenv=_declared(ours if isinstance(ours, dict) else {}),
    )


def _declared(ours: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return the variables that were set for the job of a record, those apart whose values are secret."""
    noted = ours.get("environment")
    setenv = noted.get("setenv") if isinstance(noted, dict) else None
    pairs = setenv.items() if isinstance(setenv, dict) else ()
    return tuple((name, value) for name, value in pairs if isinstance(value, str))


def _from_top(record: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Return declared paths as seen from the dataset's top; a record has them as seen from its ``pwd``."""
    pwd = str(record.get("pwd") or ".")
    return tuple(os.path.normpath(os.path.join(pwd, path)) for path in record.get(name) or ())  # noqa: PTH118


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
        return spec.command.format(**facts)
    except (LookupError, ValueError, AttributeError, TypeError):
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
    if not found:
        return None
    try:
        record = json.loads(found["record"])
        if isinstance(record, str):
            record = _from_sidecar(repo, record)
    except (ValueError, OSError, lzma.LZMAError) as error:
        raise WtwatchError(f"The run record of {commit} cannot be read: {error}.") from error
    return record if isinstance(record, dict) and "cmd" in record else None


def _from_sidecar(repo: Repo, name: str) -> Any:
    """Read a record that stands in a file, where the message has its name (datalad.run.record-sidecar)."""
    if "/" in name:  # it came with a commit, and may be of anybody
        raise ValueError(f"{name!r} is no name of a file")
    folder = repo.git("config", "--get", "datalad.run.record-directory", ok=(0, 1)) or ".datalad/runinfo"
    with lzma.open(repo.path / folder / name, "rt", encoding="utf-8") as lines:
        return json.loads(lines.readline())
