"""The look at all results of a run tree, or at one: which are stale on a commit of code, and why."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from wtwatch.doors import refs
from wtwatch.doors.repo import Repo
from wtwatch.job.attempt import Folder
from wtwatch.project.tree import RunTree
from wtwatch.queue.confirmed import Confirmed, attempts, confirmed
from wtwatch.queue.jobs import Queue
from wtwatch.queue.meeting import paths_meet
from wtwatch.stale import history, inputs
from wtwatch.stale.alive import alive
from wtwatch.stale.code import CHANGED, CodeSpans
from wtwatch.stale.history import FINGERPRINTS, fingerprint_in
from wtwatch.stale.inputs import Differs
from wtwatch.stale.order import in_order
from wtwatch.stale.since import NOBODY_KNOWS, Since
from wtwatch.stale.values import Evidence, Finding, Result, Standing, Why, work_of
from wtwatch.tree import environment
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import JobSpec, Sha
from wtwatch.words.uses import Uses

ENVIRONMENT = "the environment"


class _Ground(NamedTuple):
    """What results are held against: a commit of the run tree, and one of code."""

    tree: RunTree
    head: Sha
    code_sha: Sha
    since: Since = NOBODY_KNOWS


def all_results(tree: RunTree, code_sha: Sha, paths: Sequence[str] = ()) -> list[Finding]:
    """Return how the results of jobs stand to code at ``code_sha``; each after those that it needs.

    With ``paths``, as seen from the dataset's top, of those alone that lie there, and of runs by hand too.
    Only results count of which something is still as it was made. Raises :class:`WtwatchError`.
    """
    ground, found = _there(tree, code_sha)
    if ground is None:
        return []
    chosen = [one for one in found if _lies_in(one, paths)] if paths else _of_jobs(tree, found)
    return _ordered(ground, chosen)


def with_own_by_hand(tree: RunTree, code_sha: Sha) -> tuple[list[Finding], list[Finding]]:
    """Return what :func:`all_results` does of jobs, and the same of what the user ran by hand."""
    ground, found = _there(tree, code_sha)
    if ground is None:
        return [], []
    me = whoami(tree)
    by_hand = [one for one in found if not one.attempt and one.by == me]
    return _ordered(ground, _of_jobs(tree, found)), _ordered(ground, by_hand)


def _there(tree: RunTree, code_sha: Sha) -> tuple[_Ground | None, list[Result]]:
    """Return all results of which something is still as it was made, and what they are held against."""
    repo = Repo(tree.path)
    head = refs.head_of(repo)
    if head is None:
        return None, []
    told = history.history(repo, head)
    return _Ground(tree, head, code_sha, Since(told.line)), alive(repo, head, told.results)


def _of_jobs(tree: RunTree, found: Sequence[Result]) -> list[Result]:
    """Return the results of this queue's jobs, and of the user's elsewhere."""
    known, me = attempts(Queue(tree.project.state).file), whoami(tree)
    return [one for one in found if one.attempt and (one.attempt in known or one.by == me)]


def _ordered(ground: _Ground, found: Sequence[Result]) -> list[Finding]:
    """Return how results stand, each after those that it needs."""
    if not found:
        return []
    confirmed = _confirmed(ground.tree, Repo(ground.tree.path), ground.head, found)
    return in_order(list(_judged(ground, confirmed)))


def of_one(tree: RunTree, spec: JobSpec, code_sha: Sha, at: Repo | None = None) -> Finding | None:
    """Return how the result stands whose record a job runs again; ``None`` where there is no such record.

    If the same was run again meanwhile, by another batch, say, that of the last such run. What somebody
    changed or removed by hand meanwhile is *unknown*: it is not to be made over. ``at``: the tree of the
    dataset whose HEAD it is held against, if not the run tree.
    """
    repo = at or Repo(tree.path)
    head = refs.head_of(repo)
    if head is None or spec.rerun_of is None:
        return None
    result = history.result(repo, spec.rerun_of)
    if result is None:
        return None
    last = _last(repo, head, result, tree.project.secret)
    if last is None:
        return Finding(result, Standing.UNKNOWN, detail="its result was changed by hand since")
    found = _confirmed(tree, repo, head, [last])
    return next(_judged(_Ground(tree, head, code_sha), found), None)


def _last(repo: Repo, head: Sha, one: Result, secret: Collection[str]) -> Result | None:
    """Return what the last run of the same work left, if it is still there.

    It changed an output, or there was none.
    """
    if not inputs.differing(repo, head, {(one.commit, path) for path in one.spec.outputs}):
        return one
    work = work_of(one.spec, secret)
    later = reversed(history.later(repo, one.commit, head))
    last = next((again for again in later if work_of(again.spec, secret) == work), one)
    return last if alive(repo, head, [last]) else None


def whoami(tree: RunTree) -> str:
    """Return the address by which the user commits in the run tree; nothing where git does not know."""
    return Repo(tree.path).git("config", "user.email", ok=(0, 1))


def _lies_in(result: Result, paths: Sequence[str]) -> bool:
    places = (*result.spec.outputs, *result.written)
    return any(paths_meet(path, place) for path in paths for place in places)


def _confirmed(tree: RunTree, repo: Repo, head: Sha, found: Sequence[Result]) -> list[Result]:
    """Return results of which a later run made just the same with that run as evidence."""
    queue = Queue(tree.project.state)
    again = confirmed(queue.file)
    if not again or not found:
        return list(found)
    commits = repo.told("rev-list", "--topo-order", head).split()  # the newest first
    number = {commit: place for place, commit in enumerate(commits)}
    results = {one.commit: one for one in found}
    uses = queue.all_uses()
    secret = tree.project.secret
    by_work = {work_of(one.spec, secret): one.commit for one in found}
    for one in again:
        commit = by_work.get(work_of(one.spec, secret))
        if commit is None or one.base not in number:  # the history was rewritten since
            continue
        if number[one.base] <= number.get(commit, -1):
            used = uses.get((one.job, one.attempt)) or Uses(whole=history.EARLIER)
            evidence = Evidence(one.code_sha, one.base, used, _environment(tree, one))
            results[commit] = results[commit]._replace(evidence=evidence)
    return list(results.values())


def _environment(tree: RunTree, one: Confirmed) -> str | None:
    with suppress(WtwatchError):
        order = Folder.of(tree.project.state, one.job, one.attempt).order()
        return fingerprint_in(dict(order.packages)) if order else None
    return None


def _judged(ground: _Ground, found: Sequence[Result]) -> Iterator[Finding]:
    """Yield how each result stands; all that is asked of git is asked of all at once."""
    tree, head, code_sha, since = ground
    repo = Repo(tree.path)
    codes = _codes(tree, repo, found)
    ran = ((codes[one.commit], one.evidence.uses) for one in found)
    spans = CodeSpans(tree, code_sha, [(code, uses) for code, uses in ran if code])
    asked = {
        (base, path)
        for one in found
        if (base := one.evidence.base)
        for path in (*one.spec.inputs, *_stated(tree, one))
        if since.touched(base, inputs.place_of(path))
    }
    differs = inputs.differing(repo, head, asked)
    differing = {base for base, _ in differs}
    installed = _installed(tree)
    for one in found:
        code, evidence = codes[one.commit], one.evidence
        if code is None or code not in spans:
            what = f"its code {code[:10]} is not here" if code else "nobody noted its code"
            yield Finding(one, Standing.UNKNOWN, detail=what)
            continue
        lacking, why = _of_paths(tree, one, differs) if evidence.base in differing else (None, [])
        if lacking:
            yield Finding(one, Standing.UNKNOWN, detail=lacking)
            continue
        why = [*spans.touching(code, evidence.uses, one.spec.command), *why]
        if installed and evidence.environment and evidence.environment not in installed:
            why.append(Why(ENVIRONMENT, CHANGED))
        yield Finding(one, Standing.STALE if why else Standing.FRESH, tuple(why), evidence.uses.whole, code)


def _installed(tree: RunTree) -> tuple[str, ...]:
    """Return by which fingerprints an environment is the one of now; of an earlier record it is the whole."""
    if not tree.project.stale_on_environment:
        return ()
    said = dict(environment.packages(tree))
    return tuple(said[name] for name in FINGERPRINTS if name in said)


def _of_paths(
    tree: RunTree, one: Result, differs: Mapping[inputs.Asked, Differs]
) -> tuple[str | None, list[Why]]:
    """Return what is lacking, in words, and what differs of inputs, and of stated uses beside code."""
    base = one.evidence.base
    if base is None:
        return None, []
    mine = [(path, each) for path in one.spec.inputs if (each := differs.get((base, path)))]
    stated = [each for path in _stated(tree, one) if (each := differs.get((base, path)))]
    told = (*(_lacking(path, each) for path, each in mine), *map(_missing, stated))
    beside = (why for why in _of_inputs(one, stated) if not _is_code(tree, why.path))
    found = dict.fromkeys((*_of_inputs(one, (each for _, each in mine)), *beside))
    return next(filter(None, told), None), list(found)


def _stated(tree: RunTree, one: Result) -> Iterator[str]:
    """Yield what a result's job was said to use that may lie beside code."""
    return (path for path in one.evidence.uses.stated if not _is_code(tree, path))


def _is_code(tree: RunTree, path: str) -> bool:
    roots = tree.project.paths or (tree.project.code,)
    return any(path == root or path.startswith(f"{root}/") for root in roots)


def _missing(differs: Differs) -> str | None:
    return f"{differs.missing}, which it needs, is not here" if differs.missing else None


def _lacking(path: str, differs: Differs) -> str | None:
    return _missing(differs) or (f"its input {path} is gone" if path in differs.gone else None)


def _of_inputs(one: Result, found: Iterable[Differs]) -> Iterator[Why]:
    """Yield what differs of a result's inputs; what it makes itself is none of them."""
    for each in found:
        for how, paths in (("changed", each.changed), ("came", each.came), ("is gone", each.gone)):
            for path in paths:
                if path not in one.written and not any(paths_meet(path, made) for made in one.spec.outputs):
                    yield Why(path, how)


def _codes(tree: RunTree, repo: Repo, found: Sequence[Result]) -> dict[Sha, Sha | None]:
    """Return the code that ran for each result, by its commit: as noted, else as its dataset had it."""
    noted = {one.commit: one.evidence.code_sha for one in found}
    bases = {one.commit: one.evidence.base for one in found if noted[one.commit] is None}
    if tree.project.paths:
        return noted | bases
    links = inputs.Links(repo, {base for base in bases.values() if base}, [tree.project.code])
    return noted | {commit: base and links.at(base, tree.project.code) for commit, base in bases.items()}
