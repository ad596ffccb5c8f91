"""The list of this user's projects: a file that names each one and the folder of its state."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tomli

from wtwatch.doors import xdg
from wtwatch.doors.files import held, write_whole
from wtwatch.project.config import VERSION
from wtwatch.words.errors import UsageError


def registry_file() -> Path:
    """Return the file that lists all projects of this user."""
    return Path(xdg.registry_file())


def registered() -> dict[str, Path]:
    """Return the names of all registered projects and the folder of each one's state."""
    projects = _table().get("projects", {})
    if not isinstance(projects, dict) or not all(isinstance(state, str) for state in projects.values()):
        raise UsageError(f'{registry_file()}: under [projects], each line must be NAME = "FOLDER".')
    return {name: Path(state) for name, state in projects.items()}


def register(name: str, state: Path) -> None:
    """Add a project to the list, or say anew where its state is."""
    with _alone():
        _write(registered() | {name: state})


def unregister(name: str) -> None:
    """Take a project off the list."""
    with _alone():
        _write({other: state for other, state in registered().items() if other != name})


@contextmanager
def _alone() -> Iterator[None]:
    """Keep other writers out from reading to writing, so that none undoes what another did."""
    file = registry_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    with held(file.with_name(".projects.lock"), wait=10.0, what="the list of projects"):
        yield


def _table() -> dict[str, Any]:
    """Return the list as the file has it, with what a newer version says besides."""
    file = registry_file()
    try:
        return tomli.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UsageError(f"Cannot read {file}: {error.strerror}.") from error
    except (tomli.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{file} is not valid TOML: {error}.", "Mend it, or delete it and run `wtwatch init` again."
        ) from error


def _write(projects: Mapping[str, Path]) -> None:
    import tomli_w

    listed = {name: str(state) for name, state in projects.items()}
    write_whole(registry_file(), tomli_w.dumps({"version": VERSION} | _table() | {"projects": listed}))
