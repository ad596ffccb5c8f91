"""Situations that lie in the tip: where the bookmark went, and what it holds."""

from __future__ import annotations

from tests.benchmarks.loss.scene import Scene
from tests.benchmarks.loss.situation import Gitlink, Link, Script, situation

SUBMODULES = "the tip has submodules inside code"


def _edits(at: Scene) -> None:
    at.add("a.py", "staged\n")
    at.write("a.py", "mine\n")
    at.write("new.py", "in the way\n")


@situation(
    "the bookmark moved back, edits", given={"a.py": "a = 7\n", "later.py": "later\n"}, tip={}, onto="before"
)
def back(at: Scene) -> None:
    _edits(at)
    at.write("later.py", "mine\n")


@situation(
    "the bookmark moved to an unrelated history, edits",
    tip={"new.py": "new = 1\n", "a.py": "other\n"},
    onto="nothing",
)
def unrelated(at: Scene) -> None:
    _edits(at)
    at.write("d/x.py", "mine\n")
    at.write("d/notes.log", "ignored\n")


@situation("the bookmark moved to an unrelated history, a commit", tip={"a.py": "other\n"}, onto="nothing")
def unrelated_commit(at: Scene) -> None:
    at.commit("b.py", "mine\n")


@situation("a tip that changes no file, edits", tip={})
def same_files(at: Scene) -> None:
    _edits(at)


@situation("a tip that changes a mode alone, an edit", tip={"a.py": Script("a = 1\n")})
def mode_alone(at: Scene) -> None:
    at.write("a.py", "mine\n")


@situation("a tip without any file, edits", tip={"": None})
def empty(at: Scene) -> None:
    _edits(at)


@situation("a tip that makes a file a symlink, an edit", tip={"a.py": Link("b.py")})
def to_symlink(at: Scene) -> None:
    at.write("a.py", "mine\n")


@situation("a tip that makes a folder a symlink, files in it", tip={"d": Link("other"), "other/x.py": "x\n"})
def folder_to_symlink(at: Scene) -> None:
    at.write("d/notes.txt", "mine\n")
    at.write("d/run.log", "ignored\n")
    at.write("d/x.py", "edited\n")


@situation("a tip that makes a file a folder, an edit", tip={"a.py": None, "a.py/__init__.py": "a = 2\n"})
def to_folder(at: Scene) -> None:
    at.write("a.py", "mine\n")


@situation("a tip that moves an edited file", tip={"a.py": None, "src/a.py": "a = 1\n"})
def moves_file(at: Scene) -> None:
    at.write("a.py", "mine\n")
    at.write("src/a.py", "in the way\n")


@situation("a tip in conflict of jj, edits", tip={".jjconflict-base-0/a.py": "a\n", "README": "conflict\n"})
def conflicted(at: Scene) -> None:
    _edits(at)


@situation(
    "a tip with a submodule, edits",
    stays=SUBMODULES,
    tip={"lib": Gitlink(), ".gitmodules": '[submodule "lib"]\n\tpath = lib\n\turl = ./lib\n'},
)
def submodule(at: Scene) -> None:
    _edits(at)
    at.write("lib/notes.txt", "mine\n")


@situation(
    "a tip with a submodule that .gitmodules does not name, edits",
    stays=SUBMODULES,
    tip={"a.py": "a = 2\n", "lib": Gitlink()},
)
def bare_gitlink(at: Scene) -> None:
    _edits(at)
    at.write("lib", "mine\n")


@situation(
    "a tip that un-ignores and tracks what is ignored here",
    given={".gitignore": "*.log\ncache/\n"},
    tip={".gitignore": "", "cache/x": "tip\n", "run.log": "tip\n"},
)
def unignores(at: Scene) -> None:
    at.write("cache/x", "mine\n")
    at.write("cache/y", "mine\n")
    at.write("run.log", "mine\n")


BYTECODE = "__pycache__/a.cpython-311.pyc"


@situation("bytecode that is tracked", given={BYTECODE: b"\0old", "a.py": "a = 1\n"}, tip={"a.py": "a = 2\n"})
def tracked_bytecode(at: Scene) -> None:
    at.write("b.py", "mine\n")


@situation(
    "bytecode that the tip tracks, other bytecode in the way", tip={BYTECODE: b"\0tip", "a.py": "a = 2\n"}
)
def bytecode_in_the_way(at: Scene) -> None:
    at.write(BYTECODE, b"\0mine")


@situation(
    "a sparse checkout, an edit in it",
    given={"far/x.py": "far\n"},
    tip={"far/x.py": "tip\n", "d/x.py": "2\n"},
)
def sparse(at: Scene) -> None:
    at.git("sparse-checkout", "set", "d")
    at.write("d/x.py", "mine\n")


@situation(
    "a sparse checkout, a file beyond it edited",
    given={"far/x.py": "far\n"},
    tip={"far/x.py": "tip\n", "d/x.py": "2\n"},
)
def beyond_sparse(at: Scene) -> None:
    at.git("sparse-checkout", "set", "d")
    at.write("far/x.py", "mine, though not in the cone\n")
    at.write("d/x.py", "mine\n")


@situation(
    "a sparse checkout, an untracked file beyond it in the way", tip={"far/x.py": "tip\n", "d/x.py": "2\n"}
)
def untracked_beyond_sparse(at: Scene) -> None:
    at.git("sparse-checkout", "set", "d")
    at.write("far/x.py", "mine\n")
