"""Situations in which files have names that tools stumble over: one edited, one untracked in the way."""

from __future__ import annotations

import os

from tests.benchmarks.loss.scene import Scene
from tests.benchmarks.loss.situation import situation

NAMES = {
    "with a newline": "two\nlines",
    "with a tab": "a\tb",
    "with a carriage return": "a\rb\r",
    "with quotes": 'it\'s "so"',
    "with a backslash": "a\\b\\n",
    "with a leading dash": "-rf",
    "with blanks at the ends": " name ",
    "that is not UTF-8": os.fsdecode(b"caf\xe9"),
    "in NFC and NFD": "café/cafe\u0301",
    "like a pathspec": ":(top,glob)*[ab]?",
    "of 250 letters": "n" * 250,
    "like one of the folders of a backup": "what was staged/x",
    "like a ref": "HEAD",
    "with a control character": "a\x1b[31mb\x01",
}


def _enter(kind: str, name: str) -> None:
    folder, _, last = name.rpartition("/")
    places = [f"{folder}/{last}" if folder else last, f"deep/{name}", f"untracked/{name}"]

    @situation(
        f"names {kind}", given=dict.fromkeys(places[:2], "given\n"), tip=dict.fromkeys(places, "tip\n")
    )
    def named(at: Scene) -> None:
        at.add(places[0], "staged\n")
        at.write(places[0], "mine\n")
        at.write(places[1], "mine too\n")
        at.write(places[2], "in the way\n")


for _kind, _name in NAMES.items():
    _enter(_kind, _name)


@situation(
    "names that differ in case alone", given={"Readme": "given\n"}, tip={"README": "tip\n", "Readme": None}
)
def case(at: Scene) -> None:
    at.write("Readme", "mine\n")
    at.write("README", "in the way\n")


@situation(
    "names that differ in case alone, core.ignoreCase=true",
    given={"Readme": "given\n"},
    tip={"README": "tip\n", "Readme": None},
    settings={"core.ignoreCase": "true"},
)
def ignored_case(at: Scene) -> None:
    case(at)


@situation(
    "names in a folder 60 levels deep", given={"x/" * 60 + "f": "given\n"}, tip={"x/" * 60 + "f": "tip\n"}
)
def deep(at: Scene) -> None:
    at.write("x/" * 60 + "f", "mine\n")
