"""A program that was started, and whose answer is asked for later: several may work side by side."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from wtwatch.doors.traces import is_full
from wtwatch.words.errors import CommandFailed
from wtwatch.words.quoting import quoted

LIMIT = 600.0
"""Seconds after which a program that gives no answer is ended: none of those that are asked takes minutes."""

ON_A_FULL_DISK = 5.0
"""The same where no room is left: there git-annex waits for some, for as long as there is none."""

_PIECE = 1 << 16
"""Bytes that are read at once: what a pipe holds (pipe(7))."""

DRIVER = "WTWATCH_DRIVER"
"""The variable that names, to a program that wtwatch drives, the process which does so."""


def driven() -> dict[str, str]:
    """Return the variable that tells a program that this process drives it."""
    return {DRIVER: str(os.getpid())}


class Asking:
    r"""A program at work in the folder ``where``. It speaks bytes; its answer comes as text.

    Names of files may be any bytes, ``\r`` among them, so no line end is translated; what is no UTF-8 comes
    as surrogates (PEP 383). As a context manager it ends a program that nobody asked. ``feed``: it is given
    something on standard input, when it is asked for its answer, or this text, where that or the answer is
    long: both lie in memory then, as a pipe takes little at a time. Raises :class:`FileNotFoundError` if
    there is no such program or folder.
    """

    def __init__(
        self,
        command: Sequence[str],
        where: Path,
        env: Mapping[str, str],
        feed: bool | str = False,
        limit: float = LIMIT,
    ) -> None:
        self._shown = self.shown(command)
        self._where = where
        self._limit = limit
        self._answer = _in_memory() if isinstance(feed, str) else None
        with ExitStack() as given:
            stdin = given.enter_context(_in_memory(_bytes(feed))) if isinstance(feed, str) else None
            self._process = subprocess.Popen(
                command,
                cwd=where,
                env={**env, **driven()},
                stdin=stdin or (subprocess.PIPE if feed else subprocess.DEVNULL),
                stdout=self._answer or subprocess.PIPE,
                stderr=subprocess.PIPE,
            )

    @staticmethod
    def shown(command: Sequence[str]) -> list[str]:
        """Return the command as messages have it, to be pasted."""
        return list(command)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def answer(self, ok: Iterable[int] | None = (0,), stdin: str | None = None) -> str:
        """Wait for the end and return what was printed, as text; see :meth:`printed`."""
        return self.printed(ok, stdin).decode("utf-8", "surrogateescape")

    def printed(self, ok: Iterable[int] | None = (0,), stdin: str | bytes | None = None) -> bytes:
        """Wait for the end and return what was printed; ``ok`` are the exit codes that are no error.

        ``None`` takes any exit code. Raises :class:`CommandFailed` for others, and for a program that is not
        done after its time limit, which is ended.
        """
        fed = None if stdin is None else _bytes(stdin)
        try:
            out, err = self._answered(fed)
        except subprocess.TimeoutExpired as late:
            self.close()
            within = late.timeout if late.timeout <= ON_A_FULL_DISK else self._limit
            slow = self._with_the_cause(f"It gave no answer within {within:.0f} seconds, and was ended.")
            raise CommandFailed(self._shown, -9, slow, str(self._where)) from None
        if ok is not None and self._process.returncode not in ok:
            words = self._with_the_cause(err.decode("utf-8", "surrogateescape"))
            raise CommandFailed(self._shown, self._process.returncode, words, str(self._where))
        if self._answer is not None:
            self._answer.seek(0)
            return self._answer.read()
        return out

    def pieces(self, ok: Iterable[int] | None = (0,)) -> Iterator[bytes]:
        """Yield what is printed piece by piece while the program works, if it was not fed a text.

        Where it is silent for a while, the rest comes at once; see :meth:`printed` for that, and for the end.
        """
        stream, coming = self._process.stdout, select.poll()
        assert stream is not None
        coming.register(stream, select.POLLIN)
        while coming.poll(ON_A_FULL_DISK * 1000) and (piece := os.read(stream.fileno(), _PIECE)):
            yield piece
        yield self.printed(ok)

    def _answered(self, fed: bytes | None) -> tuple[bytes, bytes]:
        """Wait for the end; for a short time only on a full disk, where git-annex waits for room for ever."""
        try:
            return self._process.communicate(fed, timeout=min(ON_A_FULL_DISK, self._limit))
        except subprocess.TimeoutExpired:
            if self._limit <= ON_A_FULL_DISK or is_full(self._where):
                raise
        return self._process.communicate(timeout=self._limit - ON_A_FULL_DISK)

    def _with_the_cause(self, words: str) -> str:
        """Add what git leaves out of some of its words: that it could not write since the disk is full."""
        if not is_full(self._where):
            return words
        return f"{words.rstrip()}\nIts disk is full: make room on it (df -h {quoted(self._where)})."

    def tell(self, text: str) -> Self:
        """Write all of its standard input now, rather than when it is asked: a few lines, for it to go on."""
        stream, self._process.stdin = self._process.stdin, None
        assert stream is not None
        with suppress(BrokenPipeError), stream:
            stream.write(_bytes(text))
        return self

    def told(self, text: str, end: bytes) -> None:
        """Write a few lines to standard input, and wait until what is printed to that ends with ``end``.

        The program goes on. Raises :class:`CommandFailed` if it ends, or says nothing within its time limit.
        """
        stdin, stdout, coming = self._process.stdin, self._process.stdout, select.poll()
        assert stdin is not None and stdout is not None
        sys.audit("wtwatch.told", self._shown, text)
        with suppress(BrokenPipeError):
            os.write(stdin.fileno(), _bytes(text))
        coming.register(stdout, select.POLLIN)
        printed, until = b"", time.monotonic() + self._limit
        while not printed.endswith(end):
            late = not coming.poll(max(until - time.monotonic(), 0) * 1000)
            piece = b"" if late else os.read(stdout.fileno(), _PIECE)
            if not piece:
                if late:
                    self._process.kill()
                self.printed(ok=())
            printed += piece

    def code(self) -> int:
        """Wait for the end and return the exit code."""
        self.answer(ok=None)
        return self._process.returncode

    def close(self) -> None:
        """End the program if it is still at work, and let go of it; not of what it has started itself."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr, self._answer):
            if stream is not None and not stream.closed:
                stream.close()


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")


def _in_memory(content: bytes = b"") -> BinaryIO:
    """Return a file that has no name and lies in memory, to be read from its begin (memfd_create(2))."""
    file = open(os.memfd_create("wtwatch"), "w+b", buffering=0)  # noqa: PTH123, SIM115 - of a descriptor
    file.write(content)
    file.seek(0)
    return file
