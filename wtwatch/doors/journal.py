"""What is under way, on disk before it starts: the next start finishes or undoes it."""

import json
from pathlib import Path

from wtwatch.doors.files import sync_folder, write_whole


class Journal:
    """One step that was announced and has not ended. Who opens it holds the lock of what it changes."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def open(self, facts: dict[str, str]) -> None:
        """Announce a step, with the facts that its recovery needs."""
        write_whole(self.file, json.dumps(facts))

    def read(self) -> dict[str, str] | None:
        """Return the facts of a step that did not end, or ``None``."""
        try:
            facts = json.loads(self.file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return {str(key): str(value) for key, value in facts.items()}

    def close(self, lasting: bool = True) -> None:
        """Say that the step ended; not ``lasting``: it does no harm if it is back after a power cut."""
        self.file.unlink(missing_ok=True)
        if lasting:
            sync_folder(self.file.parent)

    def hand_over(self, then: "Journal") -> None:
        """Say in one breath that the step ended, and that one begins which follows from it."""
        self.file.replace(then.file)
