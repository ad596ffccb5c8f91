"""Results as the history of the run tree has them, each with the run that made it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from wtwatch.doors.dataset import RECORD, noted_in
from wtwatch.doors.repo import Repo
from wtwatch.stale.values import Evidence, Result
from wtwatch.tree.bytewise import NOTHING
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Sha
from wtwatch.words.uses import Uses, from_record

BY_HAND = "a run by hand, of which nobody saw what it used"
EARLIER = "it ran before wtwatch saw what jobs use"

_LOG = (
    "log", "--topo-order", "--reverse", "--no-show-signature", "--fixed-strings", f"--grep={RECORD}",
    "--format=%x01%H %P%x00%ce%x00%B", "--raw", "-r", "-z", "--no-renames", "--no-abbrev",
)  # fmt: skip


def results(repo: Repo, revisions: Sequence[str]) -> list[Result]:
    """Return what runs left in the commits that ``revisions`` name (git-log(1)), the oldest first.

    A record that cannot be read is passed over.
    """
    found = []
    for commit, parent, by, message, written in _commits(repo.told(*_LOG, *revisions)):
        with suppress(WtwatchError):
            noted = noted_in(repo, commit, message)
            if noted is None:
                continue
            ours = noted.ours or {}
            attempt = ours.get("attempt") if isinstance(ours.get("attempt"), str) else None
            evidence = Evidence(_code(ours), parent, _uses(ours, attempt), _environment(ours))
            found.append(Result(commit, noted.spec, written, evidence, attempt, by))
    return found


def _code(ours: Mapping[str, Any]) -> Sha | None:
    return Sha(ours["code"]) if isinstance(ours.get("code"), str) else None


def _environment(ours: Mapping[str, Any]) -> str | None:
    noted = ours.get("environment")
    packages = noted.get("packages") if isinstance(noted, dict) else None
    found = packages.get("fingerprint") if isinstance(packages, dict) else None
    return found if isinstance(found, str) else None


def _uses(ours: Mapping[str, Any], attempt: str | None) -> Uses:
    if attempt is None:
        return Uses(whole=BY_HAND)
    return from_record(ours.get("uses")) or Uses(whole=EARLIER)


def _commits(told: str) -> Iterator[tuple[Sha, Sha | None, str, str, dict[str, Sha]]]:
    """Read `git log`: of each commit its id and first parent, who committed, its message, what it wrote."""
    fields = told.split("\0")
    at = 0
    while at < len(fields):
        if not fields[at].startswith("\1"):  # an empty one, between two commits
            at += 1
            continue
        commit, _, parents = fields[at][1:].partition(" ")
        by, message = fields[at + 1 : at + 3]
        begin = end = at + 3
        while end < len(fields) and fields[end].lstrip("\n")[:1] == ":":
            end += 2
        written = _written(fields[begin:end:2], fields[begin + 1 : end : 2])
        parent = Sha(parents.split(" ")[0]) if parents else None
        yield Sha(commit), parent, by, message, written
        at = end


def _written(lines: Sequence[str], paths: Sequence[str]) -> dict[str, Sha]:
    found = {}
    for line, path in zip(lines, paths, strict=True):
        _, mode, _, blob, _ = line.lstrip("\n").split(" ")
        if mode != NOTHING:
            found[path] = Sha(blob)
    return found
