"""Results as the history of the run tree has them, each with the run that made it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from wtwatch.doors.dataset import RECORD, noted_in
from wtwatch.doors.logged import Logged, logged
from wtwatch.doors.repo import Repo
from wtwatch.stale.values import Evidence, Result
from wtwatch.tree.bytewise import NOTHING
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Sha
from wtwatch.words.uses import Uses, from_record

BY_HAND = "a run by hand, of which nobody saw what it used"
EARLIER = "it ran before wtwatch saw what jobs use"

FINGERPRINTS = "others", "fingerprint"
"""Which of the digests of an environment tells whether it is another, the first that is there."""

_FACTS = ("%H", "%P", "%ce", "%B")
_WORDS = ("--topo-order", "--diff-merges=first-parent")


class History(NamedTuple):
    """What led to a commit: ``results``, oldest first; ``line`` are its first parents, newest first.

    Each of these with the paths in which it differs from its own first parent.
    """

    results: list[Result]
    line: Sequence[tuple[Sha, Sequence[str]]]


def history(repo: Repo, head: Sha) -> History:
    """Return what runs left in all commits that lead to one. A record that cannot be read is passed over."""
    results: list[Result] = []
    line: list[tuple[Sha, Sequence[str]]] = []
    after = str(head)
    for each in logged(repo, _FACTS, *_WORDS, head):  # a parent comes after its children
        commit, parents, *_ = each.facts
        if commit == after:
            line.append((Sha(commit), each.paths))
            after = parents.partition(" ")[0]
        if one := _result(repo, each):
            results.append(one)
    results.reverse()
    return History(results, line)


def result(repo: Repo, commit: Sha) -> Result | None:
    """Return what a run left in a commit, if one did."""
    return next((_result(repo, one) for one in logged(repo, _FACTS, *_WORDS, "--no-walk", commit)), None)


def later(repo: Repo, commit: Sha, head: Sha) -> list[Result]:
    """Return what runs left in the commits that lead to ``head`` and not to ``commit``, the oldest first."""
    told = list(logged(repo, _FACTS, *_WORDS, f"{commit}..{head}"))
    return [one for each in reversed(told) if (one := _result(repo, each))]


def _result(repo: Repo, told: Logged) -> Result | None:
    commit, parents, by, message = told.facts
    if RECORD not in message:
        return None
    with suppress(WtwatchError):
        noted = noted_in(repo, Sha(commit), message)
        if noted is not None:
            ours = noted.ours or {}
            attempt = ours.get("attempt") if isinstance(ours.get("attempt"), str) else None
            base, _, others = parents.partition(" ")
            evidence = Evidence(
                _code(ours), Sha(base) if base else None, _uses(ours, attempt), _environment(ours)
            )
            written = {} if others else _written(told.lines, told.paths)
            return Result(Sha(commit), noted.spec, written, evidence, attempt, by)
    return None


def _code(ours: Mapping[str, Any]) -> Sha | None:
    return Sha(ours["code"]) if isinstance(ours.get("code"), str) else None


def _environment(ours: Mapping[str, Any]) -> str | None:
    noted = ours.get("environment")
    packages = noted.get("packages") if isinstance(noted, dict) else None
    return fingerprint_in(packages) if isinstance(packages, dict) else None


def fingerprint_in(packages: Mapping[str, Any]) -> str | None:
    """Return the fingerprint of what was installed, code's own packages apart, which are uses of code."""
    found = next((packages[name] for name in FINGERPRINTS if name in packages), None)
    return found if isinstance(found, str) else None


def _uses(ours: Mapping[str, Any], attempt: str | None) -> Uses:
    if attempt is None:
        return Uses(whole=BY_HAND)
    return from_record(ours.get("uses")) or Uses(whole=EARLIER)


def _written(lines: Sequence[str], paths: Sequence[str]) -> dict[str, Sha]:
    found = {}
    for line, path in zip(lines, paths, strict=True):
        _, mode, _, blob, _ = line.split(" ")
        if mode != NOTHING:
            found[path] = Sha(blob)
    return found
