"""A program that was started, and whose answer is asked for later: several may work side by side."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from wtwatch.words.errors import CommandFailed

LIMIT = 600.0
"""Seconds after which a program that gives no answer is ended: none of those that are asked takes minutes."""


class Asking:
    r"""A program at work in the folder ``where``. It speaks bytes; its answer comes as text.

    Names of files may be any bytes, ``\r`` among them, so no line end is translated; what is no UTF-8 comes
    as surrogates (PEP 383). As a context manager it ends a program that nobody asked. Raises
    :class:`FileNotFoundError` if there is no such program or folder.
    """

    def __init__(
        self,
        command: Sequence[str],
        where: Path,
        env: Mapping[str, str],
        feed: bool = False,
        limit: float = LIMIT,
    ) -> None:
        self._shown = self.shown(command)
        self._where = where
        self._limit = limit
        self._process = subprocess.Popen(
            command,
            cwd=where,
            env=env,
            stdin=subprocess.PIPE if feed else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
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

    def printed(self, ok: Iterable[int] | None = (0,), stdin: str | None = None) -> bytes:
        """Wait for the end and return what was printed; ``ok`` are the exit codes that are no error.

        ``None`` takes any exit code. Raises :class:`CommandFailed` for others, and for a program that is not
        done after its time limit, which is ended.
        """
        fed = None if stdin is None else stdin.encode("utf-8", "surrogateescape")
        try:
            out, err = self._process.communicate(fed, timeout=self._limit)
        except subprocess.TimeoutExpired:
            self.close()
            slow = f"It gave no answer within {self._limit:.0f} seconds, and was ended."
            raise CommandFailed(self._shown, -9, slow, str(self._where)) from None
        if ok is not None and self._process.returncode not in ok:
            words = err.decode("utf-8", "surrogateescape")
            raise CommandFailed(self._shown, self._process.returncode, words, str(self._where))
        return out

    def tell(self, text: str) -> Self:
        """Write all of its standard input now, rather than when it is asked: a few lines, for it to go on."""
        stream, self._process.stdin = self._process.stdin, None
        assert stream is not None
        with suppress(BrokenPipeError), stream:
            stream.write(text.encode("utf-8", "surrogateescape"))
        return self

    def code(self) -> int:
        """Wait for the end and return the exit code."""
        self.answer(ok=None)
        return self._process.returncode

    def close(self) -> None:
        """End the program if it is still at work, and let go of it; not of what it has started itself."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None and not stream.closed:
                stream.close()
