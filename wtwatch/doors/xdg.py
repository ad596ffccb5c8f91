"""Where a user's files lie (XDG Base Directory Specification).

In our own words and without pathlib: platformdirs takes a tenth of the time that a status has.
"""

import os


def user_folder(variable: str, default: str) -> str:
    """Return a folder of the user's, ``default`` below home unless ``variable`` names another.

    A path that is not absolute counts as none.
    """
    named = os.environ.get(variable, "")
    return named if named.startswith("/") else os.path.join(os.path.expanduser("~"), default)


def config_folder() -> str:
    """Return where wtwatch's own settings lie."""
    return os.path.join(user_folder("XDG_CONFIG_HOME", ".config"), "wtwatch")


def state_folder() -> str:
    """Return where wtwatch keeps what is of no project."""
    return os.path.join(user_folder("XDG_STATE_HOME", ".local/state"), "wtwatch")


def host() -> str:
    """Return the name of this machine, as a project's owner host has it."""
    return os.uname().nodename


def registry_file() -> str:
    """Return the file that lists all projects of this user."""
    return os.path.join(config_folder(), "projects.toml")


def daemon_file() -> str:
    """Return the file that this host's daemon holds locked while it runs (its facts are in it, as JSON)."""
    return os.path.join(state_folder(), f"daemon-{host()}.json")


def live_folder() -> str:
    """Return the folder, or the link to it, of what this host's daemon keeps up to date while it runs."""
    return os.path.join(state_folder(), f"live-{host()}")
