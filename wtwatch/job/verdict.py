"""Did a job run on the code that it was for, to its end? Judged from two looks, without another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from wtwatch.doors.porcelain import Change
from wtwatch.doors.repo import Repo
from wtwatch.job.readiness import Demands, is_allowed, listed, other_code, reaches_into
from wtwatch.tree import reflog
from wtwatch.tree.states import After, Before, DatasetState, added

BYTECODE = "__pycache__"

_ELSEWHERE = ("checkout:", "reset:", "rebase")
"""How the reflog says what takes a work tree to other files (git-reflog(1)); a commit says "commit"."""


def faults(demands: Demands, before: Before, after: After) -> list[str]:
    """Return why the job has not succeeded, whatever its command says; nothing: it ran as it should.

    If code was written to, moved or committed into by anybody while it ran, or the superdataset left its
    branch, nobody knows any more what its results come from.
    """
    found = [*_branch(demands, before, after)]
    then, now = before.at(demands.code_path), after.at(demands.code_path)
    if then is None or now is None:
        return [*found, f"{demands.code_path} is gone"]
    moved = _moved(demands, then, now) if not demands.paths else ()
    found += [*moved, *_written(demands, added(before, after, demands.code_path))]
    return [*found, *_below(demands, before, after)]


def _branch(demands: Demands, before: Before, after: After) -> Iterator[str]:
    then, now = before.at(""), after.at("")
    if then is None or now is None or then.branch == now.branch:
        return
    yield f"the superdataset left its branch {then.branch or '(none)'}: it is on {now.branch or 'none'}"


def _moved(demands: Demands, then: DatasetState, now: DatasetState) -> Iterator[str]:
    code = demands.code_path
    if then.head != now.head:
        yield f"{code} was taken from {_short(then)} to {_short(now)} while it ran"
    elif then.entry is not None and now.entry not in ("", then.entry):  # none: git dropped what is very old
        yield f"{code} was taken elsewhere and back while it ran (git reflog there shows it)"
    elif then.branch != now.branch:
        yield f"{code} was put on {now.branch or 'no branch'} while it ran"
    if now.operation and now.operation != then.operation:
        yield f"a {now.operation} was begun in {code} while it ran"


def _below(demands: Demands, before: Before, after: After) -> Iterator[str]:
    """Yield what happened in subdatasets of code, with which code would be another."""
    for now in after.datasets:
        if demands.paths:
            inside = bool(now.path) and demands.is_code(now.path)
        else:
            inside = now.path.startswith(f"{demands.code_path}/")
        then = before.at(now.path)
        names = [change.path for change in added(before, after, now.path) if not may_be(demands, change)]
        if inside and names:
            yield f"{now.path}, which is code, was written to while it ran: {listed(names)}"
        elif inside and (then is None or then.head != now.head):
            yield f"{now.path}, which is code, was taken to {_short(now)} while it ran"


def _short(state: DatasetState) -> str:
    return state.head[:10] if state.head else "no commit"


def _written(demands: Demands, changes: Sequence[Change]) -> Iterator[str]:
    of_code = (change for change in changes if demands.is_code(change.path))
    names = [change.path for change in of_code if not may_be(demands, change)]
    if names:
        what = demands.code_path or "code"
        yield f"{what} was written to while it ran: {listed(names)}"


def may_be(demands: Demands, change: Change) -> bool:
    """Return whether a job may leave this in code: an untracked file that is nobody's code."""
    if not change.untracked:
        return False
    if is_allowed(change.path, demands.allowed) or BYTECODE in change.path.split("/"):
        return True
    full = f"{demands.code_path}/{change.path}".lstrip("/")
    return demands.spec.plain and any(is_below(full, output, demands) for output in demands.spec.outputs)


def is_below(path: str, declared: str, demands: Demands) -> bool:
    """Return whether ``path``, from the top, is what was declared, or lies below it; wildcards count."""
    parts = path.rstrip("/").split("/")
    above = ("/".join(parts[:depth]) for depth in range(1, len(parts) + 1))
    wanted = len(declared.rstrip("/").split("/"))
    return any(
        reaches_into(declared, place, demands.top) for place in above if len(place.split("/")) == wanted
    )


def of_attempt(
    demands: Demands, before: Before | None, after: After, written: Sequence[str] = ()
) -> tuple[str, ...]:
    """Return the :func:`faults` of an attempt; one of version 0.1.0 has no look from before its command.

    Then the tree is known to have been clean, with code at its commit. ``written`` are the files of code,
    from the top, that somebody wrote to meanwhile, as far as that was seen: it may be undone by now.
    """
    if before is not None:
        found = (*faults(demands, before, after), *_committed(demands, before, after))
        return found or tuple(_undone(demands, written))
    code = after.at(demands.code_path)
    if code is None or code.head == demands.code_sha:
        return ()
    return (f"{demands.code_path} was taken from {demands.code_sha[:10]} to {_short(code)} while it ran",)


def _undone(demands: Demands, written: Sequence[str]) -> Iterator[str]:
    if written:
        what, inside = demands.code_path or "code", f"{demands.code_path}/".lstrip("/")
        names = listed([path.removeprefix(inside) for path in written])
        yield f"{what} was written to while it ran, though it is as before by now: {names}"


def _committed(demands: Demands, before: Before, after: After) -> Iterator[str]:
    """Yield what commits made of code while a job ran, where code is paths of the superdataset; asks git."""
    then, now = before.at(""), after.at("")
    if not demands.paths or then is None or now is None or now.head is None:
        return
    names = other_code(demands, now.head)
    if names:
        yield f"code was committed to while it ran: {listed(names)}"
    if then.entry is not None and any(
        why.startswith(_ELSEWHERE) for why in reflog.since(Repo(demands.top), then.entry)
    ):
        yield "the superdataset, and code with it, was taken elsewhere and back (git reflog there shows it)"


def in_words(error: str | None, found: Sequence[str]) -> str | None:
    """Return what went wrong, for people: what DataLad or we have to say, then the faults; or ``None``."""
    return "; ".join([*([error] if error else []), *found]) or None
