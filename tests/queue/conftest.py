"""A queue that was never used yet."""

from __future__ import annotations

from pathlib import Path

import pytest

from wtwatch.queue.jobs import Queue


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    return Queue(tmp_path / "state")
