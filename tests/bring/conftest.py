"""Worlds in which code is a folder, a subdataset, or each in turn."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from tests.bring.world import Kind, World


@pytest.fixture(params=["paths", "subdataset"])
def world(tmp_path: Path, request: pytest.FixtureRequest) -> World:
    """A world of each kind."""
    return World.built(tmp_path / "w", cast(Kind, request.param))


@pytest.fixture
def folder(tmp_path: Path) -> World:
    """A world in which code is the folder `code`."""
    return World.built(tmp_path / "w", "paths")
