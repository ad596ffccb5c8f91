"""What an attempt uses of the code: learned around its command, judged with what git knows, written down."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from wtwatch.doors.beside import Beside
from wtwatch.doors.repo import Repo
from wtwatch.job.attempt import Order
from wtwatch.job.learning import Learning, Place, several_hosts
from wtwatch.job.readiness import Demands, is_allowed
from wtwatch.job.seen import Code, Seen, uses_of, written
from wtwatch.job.steps import Steps
from wtwatch.tree.states import Before
from wtwatch.words.errors import WtwatchError
from wtwatch.words.uses import Uses

TEXT = 256 * 1024
"""Bytes up to which a file is read as a program; what is longer is none that people wrote."""


class Lesson:
    """Watches over the code of an attempt while its command runs, and writes down what it used."""

    def __init__(self, order: Order, demanded: Demands, before: Before, steps: Steps) -> None:
        self._order, self._demanded, self._before, self._steps = order, demanded, before, steps
        self._learning: Learning | None = None
        self._tracked: Beside[frozenset[str]] | None = None
        self._uses: Uses | None = None

    def begin(self) -> None:
        """Learn from now on; see :meth:`Learning.begin`. The environment is that of the command by now."""
        if self._learning is None:
            if not self._demanded.paths:
                _settle(Repo(self._order.code_path))
            self._learning = Learning(self._place())
            self._learning.begin()
            self._tracked = Beside(lambda: frozenset(self._list()))

    def end(self) -> Uses:
        """Write down what was used until now, and return it; may be called again, for the same."""
        if self._uses is not None:
            return self._uses
        if self._tracked:
            self._tracked.end()  # git, or it would seem to be a process of the job that goes on
        seen = self._learning.end() if self._learning else Seen("its command was not begun")
        seen.lost = seen.lost or several_hosts(os.environ)
        touched: tuple[str, ...] = ()
        try:
            code = self._code()
            self._uses, touched = uses_of(seen, code), written(seen, code)
            if stated := self._order.spec.uses:
                self._uses = Uses(stated=stated)
        except (WtwatchError, OSError) as error:
            self._uses = Uses(whole=f"what it used could not be judged: {error}")
        self._steps.learned(self._uses, touched)
        return self._uses

    def _place(self) -> Place:
        order = self._order
        starts = str(order.prefix / "pyvenv.cfg") if order.prefix else None
        bytecode = os.environ.get("PYTHONPYCACHEPREFIX")
        return Place(order.run_tree, self._roots(), self._is_apart, bytecode, starts, order.copies)

    def _roots(self) -> tuple[str, ...]:
        """Return the paths of code, from the top of the tree."""
        return self._demanded.paths or (self._demanded.code_path,)

    def _is_apart(self, path: str) -> bool:
        """Return whether a path, from the top, may lie in code, or was carried there from the main tree."""
        inside = path if self._demanded.paths else path.removeprefix(f"{self._demanded.code_path}/")
        return is_allowed(inside, self._demanded.allowed) or inside in dict(self._order.carried)

    def _code(self) -> Code:
        top, command = self._order.run_tree, self._order.spec.command
        tracked = self._tracked.answer() if self._tracked else frozenset(self._list())

        def text(path: str) -> str | None:
            return text_of(Path(top, path))

        return Code(tracked, self._is_apart, text, command, self._order.leads)

    def _list(self) -> Iterator[str]:
        """Yield the files of code that git keeps, in the datasets inside of it, too; asks git."""
        places = [f"{state.path}/" if state.path else "" for state in self._before.datasets]
        for place, asked in _asked(self._roots(), places).items():
            words = ("ls-files", "-z", "--", *asked)
            listed = Repo(self._order.run_tree / place).git(*words, env={"GIT_LITERAL_PATHSPECS": "1"})
            yield from (place + path for path in listed.split("\0") if path)


def _asked(roots: Sequence[str], places: Sequence[str]) -> dict[str, list[str]]:
    """Return which paths of which datasets are code, by the ``places`` of these; of no path: all are.

    Of a dataset that is all around code nothing is asked: it may have a hundred thousand files of data.
    """
    found: dict[str, list[str]] = {
        place: [] for place in places for root in roots if place.startswith(f"{root}/")
    }
    for root in roots:
        place = max((place for place in places if f"{root}/".startswith(place)), key=len)
        if place not in found or found[place]:
            found.setdefault(place, []).append(root.removeprefix(place))
    return found


def _settle(repo: Repo) -> None:
    """Have git's index be younger than the files that a checkout wrote.

    Where it is of the same second, whoever asks git how things stand has it read these files to be sure
    (racy-git of git's technical documentation), and a job that runs meanwhile would seem to.
    """
    with suppress(OSError, WtwatchError):
        folder = repo.git_dir()
        written, moved = (int((folder / name).stat().st_mtime) for name in ("index", "logs/HEAD"))
        if written <= moved < int(time.time()):
            repo.git("update-index", "-q", "--refresh", "--force-write-index", ok=None)


def text_of(file: Path) -> str | None:
    """Return what a program says; ``None`` for what is no text that people wrote."""
    with suppress(OSError, ValueError):
        if file.stat().st_size <= TEXT:
            text = file.read_text(encoding="utf-8")
            return None if "\0" in text else text
    return None
