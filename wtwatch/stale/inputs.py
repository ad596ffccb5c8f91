"""What of declared inputs differs between two commits of a dataset, in all of its subdatasets, by content.

Content is told by its key of git-annex, else by its blob: one that was only locked or unlocked is the same.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from wtwatch.doors.repo import GITLINK, Repo
from wtwatch.job.ingredients import keys_of
from wtwatch.tree import diff
from wtwatch.tree.bytewise import FILE, NOTHING
from wtwatch.words.model import Sha
from wtwatch.words.patterns import before_magic, fits

Asked = tuple[Sha, str]
"""A commit, and a declared path as seen from the dataset's top."""


class Differs(NamedTuple):
    """The paths that a pattern matches and that differ; ``missing``: what cannot be looked at, in words."""

    changed: tuple[str, ...] = ()
    came: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    missing: str | None = None

    @property
    def any(self) -> bool:
        """Whether anything differs, or may."""
        return bool(self.changed or self.came or self.gone or self.missing)


_ALIKE = Differs()


class _Object(NamedTuple):
    kind: str
    sha: Sha


def differing(repo: Repo, head: Sha, asked: Collection[Asked]) -> dict[Asked, Differs]:
    """Return for each commit and path that is asked what ``head`` has otherwise; what is alike is left out.

    A path that neither commit has, or that leads out of the dataset, is not git's to tell, and left out.
    """
    wanted = {one: os.path.normpath(one[1]) for one in asked}
    wanted = {one: path for one, path in wanted.items() if not path.startswith(("/", ".."))}
    wanted = {one: path for one, path in wanted.items() if "\n" not in path}
    places = {one: place_of(path) for one, path in wanted.items()}
    found = _objects(repo, {(commit, places[commit, path]) for commit, path in wanted})
    found |= _objects(repo, {(head, place) for place in set(places.values())})
    answers: dict[Asked, Differs] = {}
    pairs: dict[Asked, tuple[_Object, _Object]] = {}
    inside: list[Asked] = []
    for one, place in places.items():
        then, now = found[one[0], place], found[head, place]
        if then is None or now is None:
            inside.append(one)
        elif then != now:
            pairs[one] = then, now
    answers |= _below_links(repo, head, {one: wanted[one] for one in inside}, places, found)
    answers |= _of_pairs(repo, pairs, wanted, places)
    return {one: answer for one, answer in answers.items() if answer.any}


def place_of(path: str) -> str:
    """Return the file or folder that holds all which a declared path may mean; for the top ``""``."""
    plain = os.path.normpath(path)
    return "" if plain == "." else before_magic(plain)


def _objects(repo: Repo, names: Collection[tuple[Sha, str]]) -> dict[tuple[Sha, str], _Object | None]:
    """Return what commits have at paths, by one git; ``None`` for nothing, and for a subdataset."""
    asked = list(names)
    if not asked:
        return {}
    words = ("cat-file", "--buffer", "--batch-check=%(objecttype) %(objectname)")
    lines = repo.told(*words, stdin="".join(f"{commit}:{path}\n" for commit, path in asked)).split("\n")
    return dict(zip(asked, map(_object, lines), strict=False))


def _object(line: str) -> _Object | None:
    kind, _, sha = line.partition(" ")
    return _Object(kind, Sha(sha)) if kind in ("blob", "tree") else None


def _below_links(
    repo: Repo,
    head: Sha,
    wanted: Mapping[Asked, str],
    places: Mapping[Asked, str],
    found: Mapping[tuple[Sha, str], _Object | None],
) -> dict[Asked, Differs]:
    """Return what differs of paths that one of the commits does not have itself: a subdataset may."""
    if not wanted:
        return {}
    answers: dict[Asked, Differs] = {}
    links = Links(repo, {head, *(commit for commit, _ in wanted)}, [places[one] for one in wanted])
    inner: dict[str, dict[Asked, Asked]] = {}
    heads: dict[str, Sha] = {}
    for one, path in wanted.items():
        link = links.on_the_way(head, places[one]) or links.on_the_way(one[0], places[one])
        if link is None:
            then, now = found[one[0], places[one]], found[head, places[one]]
            if then is not None or now is not None:
                answers[one] = Differs(gone=(path,)) if now is None else Differs(came=(path,))
            continue
        then_at, now_at = links.at(one[0], link), links.at(head, link)
        if then_at == now_at:
            continue
        if then_at is None or now_at is None:
            answers[one] = Differs(gone=(path,)) if now_at is None else Differs(came=(path,))
            continue
        rest = path.removeprefix(link).removeprefix("/") or "."
        inner.setdefault(link, {})[one] = (then_at, rest)
        heads[link] = now_at
    for link, inside in inner.items():
        answers |= _in_subdataset(Repo(repo.path / link), link, heads[link], inside)
    return answers


def _in_subdataset(repo: Repo, link: str, head: Sha, inside: Mapping[Asked, Asked]) -> dict[Asked, Differs]:
    there = repo.commits_among({head, *(then for then, _ in inside.values())}) if _is_there(repo) else set()
    known = {one: asked for one, asked in inside.items() if {asked[0], head} <= there}
    answers = {one: Differs(missing=f"a commit of {link}") for one in inside if one not in known}
    found = differing(repo, head, set(known.values())) if known else {}
    for one, asked in known.items():
        if answer := found.get(asked):
            answers[one] = _below(link, answer)
    return answers


def _is_there(repo: Repo) -> bool:
    return (repo.path / ".git").exists()


def _below(folder: str, answer: Differs) -> Differs:
    def below(paths: Iterable[str]) -> tuple[str, ...]:
        return tuple(f"{folder}/{path}" for path in paths)

    missing = f"{answer.missing} in {folder}" if answer.missing else None
    return Differs(below(answer.changed), below(answer.came), below(answer.gone), missing)


class Links:
    """The subdatasets on the way to paths, in commits."""

    def __init__(self, repo: Repo, commits: Iterable[Sha], places: Iterable[str]) -> None:
        above = {name for place in set(places) for name in _with_all_above(place)}
        folders = sorted({os.path.dirname(name) for name in above})  # noqa: PTH120 - words alone
        asked = [(commit, folder) for commit in set(commits) for folder in folders]
        there = {one: it.sha for one, it in _objects(repo, asked).items() if it and it.kind == "tree"}
        trees = list(set(there.values()))
        held = dict(zip(trees, repo.entries(*trees), strict=True)) if trees else {}
        self._links = {
            (commit, os.path.join(folder, entry.path)): entry.sha  # noqa: PTH118
            for (commit, folder), tree in there.items()
            for entry in held[tree]
            if entry.mode == GITLINK and os.path.join(folder, entry.path) in above  # noqa: PTH118
        }

    def on_the_way(self, commit: Sha, place: str) -> str | None:
        """Return the outermost subdataset that a path of a commit lies in, or is."""
        return next((name for name in _with_all_above(place) if (commit, name) in self._links), None)

    def at(self, commit: Sha, link: str) -> Sha | None:
        """Return the commit that a subdataset is at in one of the superdataset."""
        return self._links.get((commit, link))


def _with_all_above(place: str) -> Iterator[str]:
    parts = place.split("/") if place else []
    return ("/".join(parts[:depth]) for depth in range(1, len(parts) + 1))


def _of_pairs(
    repo: Repo,
    pairs: Mapping[Asked, tuple[_Object, _Object]],
    wanted: Mapping[Asked, str],
    places: Mapping[Asked, str],
) -> dict[Asked, Differs]:
    """Return what differs of paths that both commits have, and not alike."""
    trees = {(then.sha, now.sha) for then, now in pairs.values() if then.kind == now.kind == "tree"}
    listed = diff.of_pairs(repo, trees)
    answers: dict[Asked, Differs] = {}
    blobs: dict[Sha, str] = {}
    changes: dict[Asked, list[tuple[str, tuple[str, Sha], tuple[str, Sha]]]] = {}
    for one, (then, now) in pairs.items():
        if then.kind != now.kind:
            answers[one] = Differs(changed=(wanted[one],))
        elif then.kind == "blob":
            changes[one] = [(wanted[one], (FILE, then.sha), (FILE, now.sha))]
        else:
            changes[one] = [
                (path, (change.mode_before, change.before), (change.mode_after, change.after))
                for change in listed.get((then.sha, now.sha), ())
                if matches(path := _joined(places[one], change.path), wanted[one])
            ]
    for found in changes.values():
        for _, *sides in found:
            blobs |= {sha: mode for mode, sha in sides if mode not in (NOTHING, GITLINK)}
    keys = keys_of(repo, blobs)
    for one, found in changes.items():
        answers[one] = _sorted(
            (path, was, now)
            for path, was, now in found
            if keys.get(was[1], was[1]) != keys.get(now[1], now[1])
        )
    return answers


def _joined(folder: str, path: str) -> str:
    return f"{folder}/{path}" if folder else path


def matches(path: str, pattern: str) -> bool:
    """Return whether a declared path, which may be a folder or a glob, means a file; both from the top."""
    return pattern == "." or path.startswith(f"{pattern}/") or path == pattern or fits(path, pattern)


def _sorted(found: Iterable[tuple[str, tuple[str, Sha], tuple[str, Sha]]]) -> Differs:
    listed = list(found)
    came = tuple(path for path, (was, _), _ in listed if was == NOTHING)
    gone = tuple(path for path, _, (now, _) in listed if now == NOTHING)
    return Differs(tuple(path for path, *_ in listed if path not in {*came, *gone}), came, gone)
