"""Objects that are worked out here, and written by one git that gets them as a pack (gitformat-pack(5))."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from wtwatch.doors import digests
from wtwatch.doors.porcelain import GitObject
from wtwatch.doors.repo import Repo
from wtwatch.words.model import Sha

_KINDS = {"commit": 1, "tree": 2}
_SHA1 = 40
_QUICKLY = 1


def made(kind: str, body: bytes, digits: int) -> GitObject:
    """Return an object with its id in git: by SHA-1, or SHA-256 if it has 64 ``digits``."""
    digest = digests.new(_digest(digits), len(body))
    digest.update(b"%s %d\0" % (kind.encode("ascii"), len(body)))
    digest.update(body)
    return GitObject(Sha(digest.hexdigest()), kind, body)


class Unpacking:
    """A git that waits for objects and writes each to a file of its own (git-unpack-objects(1)).

    It starts beside the work on them. As a context manager it is ended with the body.
    """

    def __init__(self, repo: Repo) -> None:
        self._asking = repo.ask("unpack-objects", "-q", feed=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._asking.close()

    def write(self, objects: Sequence[GitObject]) -> None:
        """Write trees and commits, once; raises :class:`CommandFailed`. What they name need not be there."""
        self._asking.printed(stdin=_pack(objects))


def _pack(objects: Sequence[GitObject]) -> bytes:
    digits = len(objects[0].sha)
    content = b"PACK" + (2).to_bytes(4, "big") + len(objects).to_bytes(4, "big")
    content += b"".join(_head(one) + zlib.compress(one.body, _QUICKLY) for one in objects)
    digest = digests.new(_digest(digits), len(content))
    digest.update(content)
    return content + bytes.fromhex(digest.hexdigest())


def _head(one: GitObject) -> bytes:
    """Return kind and size of an object: four bits of that, then seven each, with a mark that more follow."""
    size = len(one.body)
    found = [_KINDS[one.kind] << 4 | size & 15]
    size >>= 4
    while size:
        found[-1] |= 128
        found.append(size & 127)
        size >>= 7
    return bytes(found)


def _digest(digits: int) -> str:
    return "sha1" if digits == _SHA1 else "sha256"
