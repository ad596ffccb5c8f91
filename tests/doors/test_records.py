"""Records of runs that stand in files: where these lie is said by git's settings, or by the dataset's own."""

from __future__ import annotations

import json
import lzma
import subprocess
from pathlib import Path

import pytest

from wtwatch.doors.dataset import record_of
from wtwatch.words.errors import WtwatchError

MESSAGE = """[DATALAD RUNCMD] x

=== Do not change lines below ===
"abc"
^^^ Do not change lines above ^^^
"""


def git(dataset: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=dataset, check=True, capture_output=True)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    top = tmp_path / "dataset"
    (top / ".datalad").mkdir(parents=True)
    git(top, "init", "-q")
    git(top, "commit", "-q", "--allow-empty", "-m", MESSAGE)
    return top


def put(folder: Path, command: str) -> None:
    folder.mkdir(parents=True)
    with lzma.open(folder / "abc", "wt", encoding="utf-8") as file:
        file.write(json.dumps({"cmd": command}) + "\n")


def test_a_record_in_a_file_is_found_where_the_dataset_says_and_git_has_the_last_word(dataset: Path) -> None:
    put(dataset / ".datalad" / "runinfo", "as usual")
    put(dataset / "told", "as tracked")
    put(dataset / "own", "as git has it")
    key = "datalad.run.record-directory"
    assert record_of(dataset, "HEAD") == {"cmd": "as usual"}
    git(dataset, "config", "-f", ".datalad/config", key, "told")
    assert record_of(dataset, "HEAD") == {"cmd": "as tracked"}
    git(dataset, "config", key, "own")
    assert record_of(dataset, "HEAD") == {"cmd": "as git has it"}


@pytest.mark.parametrize("folder", ["../outside", "/tmp", "told/../../outside"])
def test_a_folder_that_came_with_a_commit_leads_nowhere_else(dataset: Path, folder: str) -> None:
    put(dataset.parent / "outside", "of another")
    git(dataset, "config", "-f", ".datalad/config", "datalad.run.record-directory", folder)
    with pytest.raises(WtwatchError, match="leads out of the dataset"):
        record_of(dataset, "HEAD")
