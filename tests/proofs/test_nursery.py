"""What proofs start and strike down: when it is over, and when all is that it left running."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.proofs.killing import python

LEAVES_ONE = """\
import subprocess, sys
subprocess.Popen(["sh", "-c", 'read -r word < go && echo "$word" > heard'], start_new_session=True, stderr=-3)
sys.exit(3)
"""


def test_a_program_is_over_before_what_it_left_running_which_can_be_outlived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("go")
    with python(LEAVES_ONE) as process:
        process.communicate(timeout=60)
        assert process.returncode == 3
        with pytest.raises(subprocess.TimeoutExpired):
            process.outlive(0)
        Path("go").write_text("gone\n")
        process.outlive(60)
    assert Path("heard").read_text() == "gone\n"
