"""What is written down of a run tree's environment: for what it was set up, how that went, what it holds."""

import json
from typing import Any, NamedTuple, Self

from wtwatch.doors.files import write_whole
from wtwatch.project.tree import RunTree
from wtwatch.words.versioned import More, given, taken

OK, BEGUN, OUTDATED, BROKEN, FAILED = "ok", "begun", "outdated", "broken", "failed"


class Note(NamedTuple):
    """How the environment stood when it was looked at last.

    ``wanted`` and ``how`` are what it was set up for, and by which setting. ``state`` is "ok"; "begun", a
    set-up is under way or was cut off; "outdated" or "broken", found so and not mended yet; "failed", it
    cannot be set up. ``ours`` are the names of what set-ups installed (``None``: unknown), ``by_hand`` of
    what somebody else did. ``sources`` are what code's own packages were built from. It is kept in a file:
    see :mod:`wtwatch.words.versioned`.
    """

    wanted: str = ""
    how: str = ""
    state: str = ""
    detail: str | None = None
    ours: tuple[str, ...] | None = None
    by_hand: tuple[str, ...] = ()
    sources: tuple[tuple[str, str], ...] = ()
    fingerprint: str = ""
    python: str = ""
    version: int = 1
    more: More = ()

    @classmethod
    def of(cls, tree: RunTree) -> Self:
        """Return what is noted of a run tree's environment; an empty note where nothing is."""
        try:
            said = json.loads(_file(tree).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return cls()
        if not isinstance(said, dict):
            return cls()
        facts = taken(said, cls._fields)
        for key in ("ours", "by_hand"):
            if isinstance(facts.get(key), list):
                facts[key] = tuple(facts[key])
        facts["sources"] = tuple(dict(facts.get("sources") or {}).items())
        return cls(**facts)

    def write(self, tree: RunTree) -> None:
        """Write it down, if it is not there already."""
        if Note.of(tree) != self:
            facts: dict[str, Any] = given(self._asdict()) | {"sources": dict(self.sources)}
            write_whole(_file(tree), json.dumps(facts))

    def is_for(self, wanted: str, how: str) -> bool:
        """Return whether it is about these very requirements."""
        return (self.wanted, self.how) == (wanted, how)


def forget(tree: RunTree) -> None:
    """Have the environment looked at as if nothing were known, but for what is in it."""
    note = Note.of(tree)
    if note != Note():
        note._replace(state="", wanted="", detail=None).write(tree)


def _file(tree: RunTree) -> Any:
    return tree.state / "environment.json"
