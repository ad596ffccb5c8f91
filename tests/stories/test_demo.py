"""`wtwatch demo` with code as a folder: the story plays there too, with all that it promises."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Say


@pytest.mark.slow
def test_the_story_plays_with_code_as_a_folder(tmp_path: Path, say: Say) -> None:
    said = say(tmp_path, "demo", "--folder", "--keep", str(tmp_path / "demo")).out
    assert "All as promised" in said
    assert "runs-code" in said and (tmp_path / "demo/study/plots/240227J/LSD.txt").exists()
