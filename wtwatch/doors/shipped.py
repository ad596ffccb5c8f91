"""The files that come with wtwatch and are not Python: git hooks and the systemd unit."""

from __future__ import annotations

from pathlib import Path

from wtwatch.words.errors import WtwatchError

_PACKAGE = Path(__file__).resolve().parents[1]
_HOMES = (_PACKAGE, _PACKAGE.parent)  # in an installed wheel, beside the package in a checkout


def shipped(folder: str, name: str) -> str:
    """Return the text of a shipped file, such as ``shipped("hooks", "post-commit")``.

    Raises :class:`WtwatchError` where the installation lacks it.
    """
    for home in _HOMES:
        file = home / folder / name
        if file.is_file():
            return file.read_text(encoding="utf-8")
    raise WtwatchError(
        f"This installation of wtwatch lacks its file {folder}/{name}.",
        "Install it again: python3 -m pip install --force-reinstall wtwatch",
    )
