"""Another version that is installed under a running daemon takes over, once it is whole."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import wtwatch
from tests.lab import eventually, running_daemon
from wtwatch.project.config import daemon_file
from wtwatch.project.listing import registry_file


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of wtwatch that looks at its own files whenever the bell rings."""
    return copied(tmp_path)


def copied(tmp_path: Path) -> Path:
    copy = tmp_path / "site" / "wtwatch"
    ours = Path(wtwatch.__file__).parent
    shutil.copytree(ours, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("hooks", "systemd"):
        shutil.copytree(ours.parent / name, copy.parent / name)
    module = copy / "daemon" / "upgrade.py"
    module.write_text(module.read_text().replace("EVERY = 10.0", "EVERY = 0.0"))
    return copy


def install(package: Path, version: str) -> None:
    start = package / "__init__.py"
    draft = start.with_name("draft")
    draft.write_text(start.read_text().replace(wtwatch.__version__, version))
    draft.replace(start)


def version() -> str | None:
    """Return which version the daemon says it is; each asking rings its bell."""
    (registry_file().parent / "bell").write_text("")
    try:
        return str(json.loads(daemon_file().read_text())["version"])
    except (OSError, ValueError):
        return None


@pytest.mark.slow
def test_an_upgrade_takes_over_as_the_same_process_when_it_is_whole(package: Path, tmp_path: Path) -> None:
    log = tmp_path / "daemon.log"
    broken = package / "commands" / "watch.py"
    whole = broken.read_text()
    with running_daemon(tmp_path, {"PYTHONPATH": str(package.parent)}) as daemon:
        eventually(lambda: version() == wtwatch.__version__)  # its file may be in the midst of being written
        broken.write_text("as if half written")
        install(package, "99.0")
        eventually(lambda: version() and "99.0 is installed, but does not start" in log.read_text())
        eventually(lambda: version() == wtwatch.__version__)
        broken.write_text(whole)
        eventually(lambda: version() == "99.0")
        assert daemon.poll() is None
    assert "takes over" in log.read_text()


def test_the_same_version_installed_again_is_no_reason_to_start_anew(package: Path, tmp_path: Path) -> None:
    with running_daemon(tmp_path, {"PYTHONPATH": str(package.parent)}) as daemon:
        began = json.loads(daemon_file().read_text())["since"]
        install(package, wtwatch.__version__)
        (package / "__init__.py").touch()
        (package / "daemon" / "upgrade.py").unlink()  # whoever starts anew now fails
        install(package, wtwatch.__version__)
        assert version() == wtwatch.__version__
        assert daemon.poll() is None
        assert json.loads(daemon_file().read_text())["since"] == began
