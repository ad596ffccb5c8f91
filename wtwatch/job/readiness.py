"""May a job start in a tree that stands like this? Decided from one look, without another."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch, fnmatchcase
from pathlib import Path
from typing import NamedTuple

from wtwatch.doors.repo import Repo
from wtwatch.tree import hidden
from wtwatch.tree.save import off_branch
from wtwatch.tree.states import DatasetState, TreeState
from wtwatch.words.errors import NoIdentity
from wtwatch.words.model import JobSpec, Sha
from wtwatch.words.quoting import quoted

_SHOWN = 3


class Demands(NamedTuple):
    """What a job demands of the tree ``top``, in which code is the dataset at ``code_path``.

    Code must stand at ``code_sha``, and hold nothing untracked but ``allowed`` (patterns of fnmatch(3)); the
    superdataset must be on ``branch`` (``None``: on any). ``paths``: code is these paths of the dataset at
    ``code_path``, which must be as ``code_sha`` has them.
    """

    top: Path
    code_path: str
    code_sha: Sha
    branch: str | None
    allowed: tuple[str, ...]
    spec: JobSpec
    paths: tuple[str, ...] = ()

    def is_code(self, path: str) -> bool:
        """Return whether a path of the dataset that code is in, or is, is code."""
        return not self.paths or any(f"{path}/".startswith(f"{one}/") for one in self.paths)


def hindrances(demands: Demands, state: TreeState) -> list[str]:
    """Return what keeps the job from starting, as sentences with the way out; nothing: go."""
    above, code = state.at(""), state.at(demands.code_path)
    if above is None or code is None:
        return [f"{demands.top} is not whole: it lacks {demands.code_path}."]
    found = [*_off_branch(demands, above), *_absent(demands, state)]
    found += _code(demands, code) if not demands.paths else []
    for dataset in state.datasets:
        found += _unfinished(demands.top / dataset.path, dataset)
        if dataset is not code or demands.paths:
            found += _unsaved(demands.top / dataset.path, dataset)
    return found


def identity_problem(demands: Demands) -> list[str]:
    """Return what to do if git knows nobody to commit the job's results as; asks git."""
    if demands.spec.plain or Repo(demands.top).knows_author():
        return []
    unknown = NoIdentity(str(demands.top))
    return [f"{unknown.message} {unknown.hint}"]


def other_code(demands: Demands, commit: str = "HEAD") -> list[str]:
    """Return the code that a commit has otherwise than the job is for, where code is paths; asks git."""
    if not demands.paths:
        return []
    words = ("diff-tree", "-r", "--name-only", "--no-renames", "-z", demands.code_sha, commit, "--")
    found = Repo(demands.top).git(*words, *demands.paths, env={"GIT_LITERAL_PATHSPECS": "1"})
    return [path for path in found.split("\0") if path]


def moved_code(demands: Demands) -> list[str]:
    """Return what to do about code, where it is paths, that the branch has otherwise; asks git."""
    found = other_code(demands)
    if not found:
        return []
    return [
        f"Code moved: {listed(found)} in {demands.top} is not as {demands.code_sha[:10]} has it, which the "
        "job is for. `wtwatch sync` says the way out."
    ]


def hidden_edits(demands: Demands) -> list[str]:
    """Return what to do about edits in code that git was told not to look at; asks git."""
    place = demands.top / demands.code_path
    found = hidden.edits(Repo(place))
    if not found:
        return []
    path, mark = next(iter(found.items()))
    see = f"git -C {quoted(place)} update-index --no-{mark} {quoted(path)}"
    return [
        f"{listed(list(found))} in {place}: not as the applied commit has it, and marked {mark}, so that "
        f"git does not say so. To have git see it: {see}"
    ]


def _off_branch(demands: Demands, above: DatasetState) -> Iterator[str]:
    if demands.branch is not None and above.branch != demands.branch:
        problem = off_branch(demands.top, demands.branch, above.branch)
        yield f"{problem.message} {problem.hint}"


def _code(demands: Demands, code: DatasetState) -> Iterator[str]:
    place = demands.top / demands.code_path
    if code.head != demands.code_sha:
        there = code.head or "no commit"
        yield f"Code moved: {place} stands at {there}, but the job is for {demands.code_sha}."
    odd = [change for change in code.changes if not is_allowed(change.path, demands.allowed)]
    if edited := [change.path for change in odd if not change.untracked]:
        undo = f"git -C {quoted(place)} checkout HEAD -- {quoted(edited[0])}"
        yield f"{listed(edited)} in {place}: not as the applied commit has it. To undo that: {undo}"
    if new := [change.path for change in odd if change.untracked]:
        yield f"{listed(new)} in {place}: not part of the applied commit. Move that away."


def is_allowed(path: str, patterns: Sequence[str]) -> bool:
    """Return whether an untracked path of code may be there: one of ``patterns``, or below one."""
    parts = path.rstrip("/").split("/")
    above = ["/".join(parts[:depth]) for depth in range(1, len(parts) + 1)]
    return any(fnmatch(place, pattern.strip("/")) for place in above for pattern in patterns)


def _absent(demands: Demands, state: TreeState) -> Iterator[str]:
    for path in state.absent:
        for declared in (*demands.spec.inputs, *demands.spec.outputs):
            if reaches_into(declared, path, demands.top):
                yield (
                    f"{declared} lies in the subdataset {path}, which is not in the run tree. Where "
                    f"the main tree lacks it as well: `datalad get -n {quoted(path)}` there."
                )
                break


def reaches_into(declared: str, folder: str, top: Path) -> bool:
    """Return whether a declared path, which may have wildcards, is a folder of ``top`` or lies in it."""
    relative = os.path.relpath(os.path.join(top, declared), top)  # noqa: PTH118 (words alone, no disk)
    parts, wanted = Path(relative).parts, Path(folder).parts
    return len(parts) >= len(wanted) and all(
        fnmatchcase(there, pattern) for there, pattern in zip(wanted, parts, strict=False)
    )


def _unfinished(place: Path, dataset: DatasetState) -> Iterator[str]:
    if dataset.operation:
        yield f"A git {dataset.operation} is under way in {place}. End it there, or call it off."


def _unsaved(place: Path, dataset: DatasetState) -> Iterator[str]:
    names = sorted(str(Path(dataset.path, change.path)) for change in dataset.changes)
    if names:
        yield f"{listed(names)}: not saved. Commit, move or delete that in {place}."


def listed(names: Sequence[str]) -> str:
    """Return the first few of some names, and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" * (len(names) > _SHOWN)
    return f"{', '.join(names[:_SHOWN])}{more}"
