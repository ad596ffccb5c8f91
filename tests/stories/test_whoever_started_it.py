"""The same job finds the same, whether a rich shell, a bare one or the service started the daemon."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.lab import Lab, eventually, running_daemon
from tests.user_manager import user_manager
from wtwatch.doors.dataset import record_of

pytestmark = pytest.mark.slow

KEPT = ("HOME", "PATH", "TMPDIR", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "GIT_CONFIG_NOSYSTEM", "UV_CACHE_DIR")
"""What a bare shell has here: where the user's folders are."""


def rich(lab: Lab) -> dict[str, str]:
    """Return what a shell has in which the main tree's environment is active, and much else."""
    venv = lab.code / ".venv"
    return {
        "PATH": f"{venv}/bin:{lab.root}:{os.environ['PATH']}",
        "VIRTUAL_ENV": str(venv),
        "VIRTUAL_ENV_PROMPT": "L5b",
        "CONDA_PREFIX": "/opt/conda",
        "PYTHONPATH": str(lab.code / "src"),
        "PYTHONOPTIMIZE": "1",
        "PYTHONHASHSEED": "7",
        "FSLDIR": "/opt/fsl",
        "OMP_NUM_THREADS": "4",
        "LD_LIBRARY_PATH": "/opt/lib",
        "R_LIBS": "/opt/r",
        "LANG": "de_DE.UTF-8",
        "TZ": "Asia/Tokyo",
        "EDITOR": "vi",
        "SECRET_OF_THE_SHELL": "s3cret",
        "SSH_AUTH_SOCK": "/run/agent",
        "https_proxy": "http://proxy.example.org",
    }


def result_of(lab: Lab, name: str) -> tuple[Any, str]:
    """Wait for the result of that name; return its digest, and what the job found in its environment."""
    eventually(lambda: (lab.run / name).exists() and lab.jobs()[-1]["state"] == "succeeded", within=60)
    record = record_of(lab.run, "HEAD")
    assert record is not None and record["outputs"] == [name]
    return record["wtwatch"]["environment"], (lab.run / name).read_text()


def queued(lab: Lab, name: str) -> None:
    lab.wtwatch("queue", "add", "-o", name, "--", "env | sort > {outputs}; python -c 'import process2p'")


def test_a_job_s_digest_is_the_same_whoever_started_the_daemon(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.wtwatch("init", "--no-hooks")
    found = {}
    queued(lab, "rich.txt")
    with running_daemon(lab.root, rich(lab)):
        found["rich"] = result_of(lab, "rich.txt")
    queued(lab, "bare.txt")
    with monkeypatch.context() as patch:
        for name in set(os.environ) - set(KEPT):
            patch.delenv(name)
        with running_daemon(lab.root):
            patch.undo()
            found["bare"] = result_of(lab, "bare.txt")
    queued(lab, "service.txt")
    kept = {key: value for key, value in os.environ.items() if key != "XDG_RUNTIME_DIR"}
    with user_manager(Path.home(), **kept) as manager:
        words = (sys.executable, "-P", "-m", "wtwatch", "service")
        shell = [f"{name}={value}" for name, value in rich(lab).items()]
        manager.run("env", *shell, *words, "install", folder=lab.main)
        found["service"] = result_of(lab, "service.txt")
        manager.run(*words, "uninstall", folder=lab.main)
    assert len({noted["digest"] for noted, _ in found.values()}) == 1, found
    assert {str(noted["packages"]) for noted, _ in found.values()} == {str(found["bare"][0]["packages"])}
    for _, seen in found.values():
        names = {line.partition("=")[0] for line in seen.splitlines()}
        assert not names & {"SECRET_OF_THE_SHELL", "PYTHONPATH", "FSLDIR", "CONDA_PREFIX", "EDITOR"}
        assert "LANG=C.UTF-8\n" in seen and f"{lab.code}/.venv" not in seen
