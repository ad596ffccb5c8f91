"""Commits as git-log(1) tells of them, each with the paths that it changed."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from wtwatch.doors.repo import Repo

_RAW = ("--no-show-signature", "--no-mailmap", "--raw", "-r", "-z", "--no-renames", "--no-abbrev")


class Logged(NamedTuple):
    """A commit: the ``facts`` that were asked for; of each path a line of ``--raw``, and its name."""

    facts: Sequence[str]
    lines: Sequence[str]
    paths: Sequence[str]


def logged(repo: Repo, facts: Sequence[str], *words: str, ok: Sequence[int] = (0,)) -> Iterator[Logged]:
    """Yield what `git log` tells with the ``words``, one git in all, while it works.

    ``facts`` are formats such as ``%H``; where the exit code is none of ``ok``: :class:`CommandFailed`.
    """
    shape = "--format=%x01" + "%x00".join(facts)
    with repo.ask("log", *_RAW, shape, *words) as asking:
        fields = _fields(asking.pieces(ok))
        field = next(fields, None)
        while field is not None:
            if field[:1] != "\1":  # an empty one, between two commits
                field = next(fields, None)
                continue
            told, lines, paths = [field[1:], *islice(fields, len(facts) - 1)], [], []
            field = next(fields, "").lstrip("\n")  # a line of its own stands before the first
            while field[:1] == ":":
                lines.append(field)
                paths.append(next(fields))
                field = next(fields, "")
            yield Logged(told, lines, paths)


def _fields(pieces: Iterable[bytes]) -> Iterator[str]:
    """Yield as text what stands between NULs."""
    rest = b""
    for piece in pieces:
        whole, end, rest = (rest + piece).rpartition(b"\0")
        if end:
            yield from whole.decode("utf-8", "surrogateescape").split("\0")
    yield rest.decode("utf-8", "surrogateescape")
