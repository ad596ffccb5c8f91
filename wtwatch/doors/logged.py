"""Commits as git-log(1) tells of them, each with the paths that it changed."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from wtwatch.doors.repo import Repo

_RAW = ("--no-show-signature", "--no-mailmap", "--raw", "-r", "-z", "--no-renames", "--no-abbrev")


class Logged(NamedTuple):
    """A commit: the ``facts`` that were asked for; of each path a line of ``--raw``, and its name."""

    facts: Sequence[str]
    lines: Sequence[str]
    paths: Sequence[str]


def logged(repo: Repo, facts: Sequence[str], *words: str, ok: Sequence[int] = (0,)) -> Iterator[Logged]:
    """Yield what `git log` tells with the ``words``, one git in all.

    ``facts`` are formats such as ``%H``; where the exit code is none of ``ok``: :class:`CommandFailed`.
    """
    shape = "--format=%x01" + "%x00".join(facts)
    fields = repo.told("log", *_RAW, shape, *words, ok=ok).split("\0")
    at, number = 0, len(facts)
    while at < len(fields):
        if not fields[at].startswith("\1"):  # an empty one, between two commits
            at += 1
            continue
        begin = end = at + number
        told = [fields[at][1:], *fields[at + 1 : begin]]
        fields[begin] = fields[begin].lstrip("\n")  # a line of its own stands before the first
        while fields[end][:1] == ":":
            end += 2
        yield Logged(told, fields[begin:end:2], fields[begin + 1 : end : 2])
        at = end
