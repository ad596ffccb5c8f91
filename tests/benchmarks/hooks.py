"""(b) What our hooks add to `git commit`."""

from __future__ import annotations

from itertools import count
from pathlib import Path

from tests.benchmarks.grounds import Grounds
from tests.benchmarks.measure import Section, Way, command, compared, goal, interleaved, median
from tests.lab import Lab


def measure(grounds: Grounds, quick: bool) -> list[Section]:
    """Commit in three repositories in turn: with our hooks, with a hook that does nothing, with none."""
    ours = "`git commit` with the hooks of wtwatch"
    empty = "with a hook that is `exit 0`"
    bare, idle = grounds.lab("hooks-bare"), grounds.lab("hooks-empty")
    hook = idle.code / ".git" / "hooks" / "post-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 0\n")
    hook.chmod(0o755)
    ways = {
        ours: _committing(grounds.watched("hooks-ours")),
        empty: _committing(idle),
        "without hooks": _committing(bare),
    }
    taken = interleaved(ways, 30 if quick else 200)
    added = median(taken[ours]) - median(taken[empty])
    goals = {ours: [goal(f"within 1 ms of `exit 0` ({added:+.2f} ms)", added <= 1)]}
    return [Section("(b) a commit in code/", compared(taken, goals))]


def _committing(lab: Lab) -> Way:
    file: Path = lab.code / "notes.txt"
    numbers = count()
    lab.git("branch", "--force", "runs", cwd=lab.code, code=(0, 128))

    def commit() -> float:
        file.write_text(f"{next(numbers)}\n")
        lab.git("add", "notes.txt", cwd=lab.code)
        return command("git", "commit", "--quiet", "-m", "a note", cwd=lab.code)

    return commit
