"""datalad-container's format: which containers a dataset knows, and what running a command in one is.

They stand in a dataset's settings as ``datalad.containers.NAME.image`` (a path from its top), ``.cmdexec``
(the shell line that a command becomes part of) and ``.extra-input``, in ``.datalad/config`` or in git's own;
those of a subdataset are called by its name as well, ``SUB/NAME`` (datalad-containers-add(1) and
datalad-containers-run(1), as version 1.2.6 has it).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from wtwatch.doors.repo import GITLINK, Repo
from wtwatch.words.errors import UsageError, WtwatchError
from wtwatch.words.quoting import quoted

TELLS = "DATALAD_CONTAINER_NAME"
"""The variable by which the program that starts a container learns what that is called."""

_PREFIX = "datalad.containers."
_SEPARATORS = frozenset(";&|")


class Container(NamedTuple):
    """A container as the dataset at the top sees it; ``dataset`` and ``image`` are paths from there.

    ``call`` is the shell line that runs {cmd} in it (``None``: the image is a program), ``also`` what else
    that needs.
    """

    name: str
    dataset: str
    image: str
    call: str | None = None
    also: tuple[str, ...] = ()

    @property
    def inputs(self) -> tuple[str, ...]:
        """What has to be there for any command in it: the image, and what else was declared."""
        places = {key: value for key, value in self._known("").items() if key.startswith("img_")}
        return (self.image, *(self._filled(text, places, "extra-input") for text in self.also))

    def around(self, command: str) -> str:
        """Return the shell line that runs a command in it; raises :class:`WtwatchError` where none can.

        Where the image is a program, it is called as seen from the top, so that the record can be run again
        in another folder (datalad-container writes the whole path).
        """
        if self.call is None:
            return f"{quoted(self.image if '/' in self.image else f'./{self.image}')} {command}"
        line = self._filled(self.call, self._known(command), "cmdexec")
        if "{python}" in self.call and "datalad_container" in self.call and not _has_adapters():
            raise WtwatchError(
                f"The container {self.name} is called by a program of datalad-container, which is not "
                f"installed beside wtwatch ({sys.executable}).",
                f"{quoted(sys.executable)} -m pip install datalad-container",
            )
        return line

    def leaves_out(self, command: str) -> bool:
        """Return whether a part of a shell line would run outside: of ``a && b`` a call takes ``a`` alone."""
        import shlex

        call = self.call or ""
        if "'{cmd}'" in call or '"{cmd}"' in call:
            return False
        try:
            words = list(shlex.shlex(command, posix=False, punctuation_chars=True))
        except ValueError:  # a quote that is open
            return False
        return any(_SEPARATORS.issuperset(word) for word in words)

    def _known(self, command: str) -> dict[str, str]:
        return {
            "python": sys.executable,
            "img": self.image,
            "cmd": command,
            "img_dspath": self.dataset or ".",
            "img_dirpath": os.path.dirname(self.image) or ".",  # noqa: PTH120 - a path as text
        }

    def _filled(self, text: str, known: dict[str, str], setting: str) -> str:
        try:
            return text.format(**known)
        except (LookupError, ValueError, AttributeError) as error:
            names = ", ".join(f"{{{name}}}" for name in known)
            raise UsageError(
                f"{_PREFIX}{self.name}.{setting} cannot be read: {error!r} in {text!r}.",
                f"Known are {names}; {{{{ and }}}} are braces. Set it anew: datalad containers-add --update",
            ) from error


def _has_adapters() -> bool:
    from importlib.util import find_spec

    return find_spec("datalad_container") is not None


@contextmanager
def told(name: str | None) -> Iterator[None]:
    """Have programs that are started meanwhile find out in which container they are to run something."""
    if name is not None:
        os.environ[TELLS] = name
    try:
        yield
    finally:
        if name is not None:
            os.environ.pop(TELLS, None)


def found(top: Path, name: str) -> Container:
    """Return the container that the dataset at ``top`` calls ``name``, or whose image lies at that path.

    Raises :class:`UsageError`, with the names that there are, if there is none.
    """
    container = _found(top, name)
    if container is not None:
        return container
    there = names(top)
    if not there:
        raise UsageError(
            f"{top} knows no container {name!r}, nor any other.",
            "Add it in the main tree with `datalad containers-add`, then `wtwatch sync --from-main`.",
        )
    from difflib import get_close_matches

    alike = get_close_matches(name, there, n=1, cutoff=0.6)
    raise UsageError(
        f"{top} knows no container {name!r}, but {', '.join(there)}.",
        f"Did you mean --container {alike[0]}?" if alike else f"Name one of these: --container {there[0]}",
    )


def _found(top: Path, name: str, dataset: str = "", called: str = "") -> Container | None:
    known = _known(top / dataset)
    image = os.path.normpath(name)
    rest = name if name in known else next((one for one in known if known[one][0] == image), None)
    if rest is not None:
        where, call, also = known[rest]
        return Container(called + rest, dataset, os.path.join(dataset, where), call, also)  # noqa: PTH118
    for sub, path in _subdatasets(top / dataset):
        if not name.startswith(f"{sub}/"):
            continue
        inner = os.path.join(dataset, path)  # noqa: PTH118 - a path as text
        if not os.path.lexists(top / inner / ".git"):
            raise UsageError(
                f"The container {called}{name} is of the subdataset {inner}, which is not in {top}.",
                f"Run `datalad get -n {quoted(inner)}` in the main tree, then `wtwatch init` again there.",
            )
        container = _found(top, name.removeprefix(f"{sub}/"), inner, f"{called}{sub}/")
        if container is not None:
            return container
    return None


def names(top: Path) -> list[str]:
    """Return what the dataset at ``top`` calls the containers that it knows, sorted."""
    return sorted(_names(top))


def _names(folder: Path, called: str = "") -> Iterator[str]:
    """Yield what a dataset calls the containers that it has, and those that its subdatasets have here."""
    yield from (f"{called}{name}" for name in _known(folder))
    for sub, path in _subdatasets(folder):
        if os.path.lexists(folder / path / ".git"):
            yield from _names(folder / path, f"{called}{sub}/")


_Known = tuple[str, str | None, tuple[str, ...]]  # image, call, what else is needed


def _known(folder: Path) -> dict[str, _Known]:
    """Return the containers of a dataset by name; git's own settings count more than the tracked ones."""
    said: dict[str, dict[str, list[str]]] = {}
    for source in (("-f", ".datalad/config"), ()):
        for key, value in _settings(folder, *source, pattern=rf"^{_PREFIX.replace('.', '[.]')}").items():
            name, _, item = key.removeprefix(_PREFIX).partition(".")
            said.setdefault(name, {})[item] = value
    return {
        name: (os.path.normpath(items["image"][-1]), *_call(items))
        for name, items in said.items()
        if items.get("image")
    }


def _call(items: dict[str, list[str]]) -> tuple[str | None, tuple[str, ...]]:
    return items["cmdexec"][-1] if "cmdexec" in items else None, tuple(items.get("extra-input", ()))


def _subdatasets(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the names and paths of the subdatasets that HEAD of a dataset has; they need not be there."""
    said = _settings(folder, "-f", ".gitmodules", pattern=r"^submodule[.].*[.]path$")
    named = {key.removeprefix("submodule.").removesuffix(".path"): value[-1] for key, value in said.items()}
    paths = {name: path for name, path in named.items() if path[:1] != "/" and ".." not in path.split("/")}
    there = Repo(folder).tree("HEAD", *paths.values()) if paths else {}
    yield from ((name, path) for name, path in paths.items() if path in there and there[path].mode == GITLINK)


def _settings(folder: Path, *source: str, pattern: str) -> dict[str, list[str]]:
    """Return what git's settings say, from one file or from all, for keys that match a pattern."""
    if source and not (folder / source[-1]).is_file():
        return {}
    said: dict[str, list[str]] = {}
    for entry in Repo(folder).git("config", *source, "-z", "--get-regexp", pattern, ok=(0, 1)).split("\0"):
        key, _, value = entry.partition("\n")
        if key:
            said.setdefault(key, []).append(value)
    return said
