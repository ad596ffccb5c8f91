"""Situations in which other programs are at work, or left something behind."""

from __future__ import annotations

import os
import sys

from tests.benchmarks.loss.scene import Scene
from tests.benchmarks.loss.situation import situation

BUSY = "somebody works in the run tree"
LOCKED = "git's index is locked"


@situation("a script that runs in the tree, an edit", stays=BUSY)
def busy(at: Scene) -> None:
    at.write("a.py", "mine\n")
    at.start("sleep", "600")


@situation("a program elsewhere that has a file in the way open for writing", stays=BUSY)
def open_untracked(at: Scene) -> None:
    _write_on(at, "new.py")


@situation("a program elsewhere that has a tracked file open for writing", stays=BUSY)
def open_tracked(at: Scene) -> None:
    _write_on(at, "a.py")


def _write_on(at: Scene, path: str) -> None:
    """Let a program write to a file before and after the move."""
    at.elsewhere.mkdir()
    at.write(path, "")
    writing = (
        "f = open(sys.argv[1], 'a', 1)",
        "f.write('before\\n')",
        "sys.stdin.read(1)",
        "f.write('after\\n')",
    )
    program = "; ".join(("import sys", *writing))
    reads, writes = os.pipe()
    at.undo.callback(os.close, writes)
    working = at.start(
        sys.executable,
        "-c",
        program,
        str(at.code / path),
        cwd=at.elsewhere,
        stdin=reads,
        ready=lambda: (at.code / path).read_text() != "",
    )
    os.close(reads)

    def write_on() -> tuple[str, bytes]:
        os.write(writes, b"!")
        working.wait()
        return path, b"before\nafter\n"

    at.later.append(write_on)


@situation("index.lock of a git that crashed, an edit", stays=LOCKED)
def dead_lock(at: Scene) -> None:
    at.write("a.py", "mine\n")
    (at.git_dir / "index.lock").touch()


@situation("index.lock of a git that waits for an editor, an edit", stays=LOCKED)
def living_lock(at: Scene) -> None:
    at.write("a.py", "mine\n")
    lock = at.git_dir / "index.lock"
    at.start("git", "-c", "core.editor=sleep 600; :", "commit", "-a", ready=lock.exists)


@situation("HEAD.lock of a git that crashed, an edit", stays="HEAD is locked")
def head_lock(at: Scene) -> None:
    at.write("a.py", "mine\n")
    (at.git_dir / "HEAD.lock").touch()


@situation(
    "an editor's swap and backup files, an edit",
    given={".gitignore": "*~\n.*.swp\n"},
    tip={"a.py": "a = 2\n", "a.py~": "tip\n"},
)
def editor(at: Scene) -> None:
    at.write("a.py", "mine\n")
    at.write("a.py~", "mine before\n")
    at.write(".a.py.swp", "mine unsaved\n")


@situation("a hook of the user's that fails, an edit")
def failing_hook(at: Scene) -> None:
    hooks = at.house.project.main_code / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("post-checkout", "pre-commit", "post-index-change"):
        (hooks / name).write_text("#!/bin/sh\nexit 1\n")
        (hooks / name).chmod(0o755)
    at.write("a.py", "mine\n")


@situation(
    "an alias and settings that get in the way, edits",
    settings={
        "core.quotePath": "true",
        "status.showUntrackedFiles": "no",
        "diff.external": "false",
        "add.ignoreErrors": "true",
        "core.attributesFile": "/nowhere",
        "diff.noprefix": "true",
        "checkout.guess": "false",
        "color.ui": "always",
        "diff.ignoreSubmodules": "all",
        "commit.gpgSign": "true",
        "gpg.program": "false",
        "core.fileMode": "true",
        "status.relativePaths": "true",
        "log.showSignature": "true",
    },
)
def settings(at: Scene) -> None:
    at.add("b.py", "staged\n")
    at.write("b.py", "and on\n")
    at.write("a.py", "mine\n")
    at.write("new.py", "in the way\n")


@situation(
    "no git identity, an edit", settings={"user.useConfigOnly": "true", "user.email": "", "user.name": ""}
)
def no_identity(at: Scene) -> None:
    at.write("a.py", "mine\n")


@situation("an edit in a file that git-annex or a user locked read-only")
def read_only_file(at: Scene) -> None:
    at.write("a.py", "mine\n").chmod(0o444)
    at.write("new.py", "in the way\n").chmod(0o400)
