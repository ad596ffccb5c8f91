"""Commits as git-log(1) tells of them, each with the paths that it changed."""

from collections.abc import Iterable, Iterator, Sequence
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
    shape, number = "--format=%x01" + "%x00".join(facts), len(facts)
    with repo.ask("log", *_RAW, shape, *words) as asking:
        fields: list[str] = []  # of commits that are not told as yet
        end = 0  # of those that were looked at
        for more in _fields(asking.pieces(ok)):
            fields += more
            at = 0
            while at < len(fields):
                if fields[at][:1] != "\1":  # an empty one, between two commits
                    at += 1
                    continue
                begin = at + number
                end = max(begin, end)
                if begin < len(fields):  # a line of its own stands before the first
                    fields[begin] = fields[begin].lstrip("\n")
                while end + 1 < len(fields) and fields[end][:1] == ":":
                    end += 2
                if end >= len(fields) or fields[end][:1] == ":":  # the rest of it is still to come
                    break
                told = [fields[at][1:], *fields[at + 1 : begin]]
                yield Logged(told, fields[begin:end:2], fields[begin + 1 : end : 2])
                at = end
            del fields[:at]
            end -= at


def _fields(pieces: Iterable[bytes]) -> Iterator[list[str]]:
    """Yield as text what stands between NULs, piece by piece; at the end what a next commit begins with."""
    rest = b""
    for piece in pieces:
        whole, end, rest = (rest + piece).rpartition(b"\0")
        if end:
            yield whole.decode("utf-8", "surrogateescape").split("\0")
    yield [rest.decode("utf-8", "surrogateescape"), "\1"]
