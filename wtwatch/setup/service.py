"""The background service: a systemd user unit that keeps ``wtwatch watch`` running from login on."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from wtwatch import __version__
from wtwatch.doors.files import holder, write_whole
from wtwatch.doors.shipped import shipped
from wtwatch.doors.toolenv import for_tools
from wtwatch.project.config import FIRST, UNIT, daemon_file, unit_file
from wtwatch.words.errors import WtwatchError

_SEAL = "# Written by `wtwatch service install`. Seal: "
_BY_HAND = "Run `wtwatch watch` in a terminal that stays, such as tmux or screen: it needs no service."
_CARRIED = ("XDG_CONFIG_HOME", "XDG_STATE_HOME")  # where the registry and the daemon's lock are

LINGER = Path("/var/lib/systemd/linger")
"""Where logind keeps a file for each user whose services go on."""


class Installed(NamedTuple):
    """What :func:`install` did.

    ``replaced``: the version of the daemon that ran and made way for this one;
    ``lingers``: goes on after log-out, as logind says; ``None``: unknown.
    """

    unit: Path
    changed: bool
    replaced: str | None
    lingers: bool | None


class ServiceState(NamedTuple):
    """How the service stands: is its file there, does it start at log-in, does it run, and in words."""

    unit: Path
    installed: bool
    enabled: bool
    active: bool
    pid: int | None
    detail: str


def install() -> Installed:
    """Install the service, start it, and have it start at each log-in; safe to call again.

    A daemon that runs an older form of the service, or another version, is restarted; its jobs go on. Raises
    :class:`WtwatchError` where there is no systemd for users, where the unit's file is not as wtwatch
    wrote it, where a daemon runs outside the service, and where the service does not start.
    """
    unit = unit_file()
    before = _present(unit)
    _systemctl("show", "--property=Version")  # is anybody there? nothing is written before
    now = state()
    _refuse_second_daemon(now)
    replaced = _other_version(now)
    text = _sealed(unit_text(sys.executable, _environment(), _umask()))
    changed = before != text
    if changed:
        unit.parent.mkdir(parents=True, exist_ok=True)
        write_whole(unit, text)
        _systemctl("daemon-reload")
    # by its path, since a user manager that was started with another XDG_CONFIG_HOME looks elsewhere
    _systemctl("enable", "--quiet", str(unit))
    _start("restart" if changed or replaced else "start")
    return Installed(unit, changed, replaced, lingers())


def restart() -> None:
    """Start the service's daemon anew, however often that was done before; its jobs go on.

    Raises :class:`WtwatchError` where the service is not installed, or does not start.
    """
    if not unit_file().exists():
        raise WtwatchError("The service is not installed.", "wtwatch service install")
    _systemctl("show", "--property=Version")  # is anybody there?
    _refuse_second_daemon(state())
    _start("restart")


def uninstall() -> bool:
    """Stop the service and remove its file; return whether there was one. Running jobs go on.

    Raises :class:`WtwatchError` where there is no systemd for users, and where the unit's file is not
    as wtwatch wrote it.
    """
    unit = unit_file()
    if _present(unit) is None:
        return False
    _systemctl("disable", "--now", "--quiet", UNIT)
    unit.unlink()
    _systemctl("daemon-reload")
    return True


def can_run() -> bool:
    """Return whether there is a systemd for users that the service could be installed in, and is not."""
    return (
        not unit_file().exists() and _ask("systemctl", "--user", "show", "--property=Version").returncode == 0
    )


def state() -> ServiceState:
    """Look at the service. Without a systemd for users it does not run, and ``detail`` says why."""
    unit = unit_file()
    try:
        shown = _systemctl("show", UNIT, "--property=UnitFileState,ActiveState,Result,MainPID,StatusText")
    except WtwatchError as error:
        return ServiceState(unit, unit.exists(), False, False, None, error.message)
    facts = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    active = facts.get("ActiveState") in ("active", "reloading")
    pid = int(facts.get("MainPID") or 0) or None
    return ServiceState(
        unit, unit.exists(), facts.get("UnitFileState") == "enabled", active, pid, _in_words(facts, active)
    )


def _in_words(facts: dict[str, str], active: bool) -> str:
    if active:
        return facts.get("StatusText") or "running"
    if facts.get("ActiveState") == "activating":
        return "starting" if facts.get("Result", "success") == "success" else "restarting"
    if facts.get("Result", "success") != "success":
        return f"failed ({facts['Result']}); see `journalctl --user -u {UNIT} -e`"
    return "not running"


def unit_text(python: str, environment: dict[str, str], umask: int) -> str:
    """Return the unit that runs ``python -m wtwatch watch`` with ``environment`` added to the manager's.

    Raises :class:`WtwatchError` for what a unit file cannot hold.
    """
    lines = "\n".join(f"Environment={unit_word(f'{name}={value}')}" for name, value in environment.items())
    text = shipped("systemd", UNIT).replace("@PYTHON@", _program(python))
    return text.replace("@UMASK@", f"{umask:04o}").replace("@ENVIRONMENT@", lines)


def _program(path: str) -> str:
    # systemd takes no program whose own path holds one of these, but takes them in an argument
    if any(letter in "\"'\\" or letter < " " for letter in path):
        return " ".join(["/bin/sh", "-c", unit_word('exec "$0" "$@"'), unit_word(path)])
    return unit_word(path)


def unit_word(word: str) -> str:
    """Return ``word`` as one word of a unit file (systemd.syntax(7), systemd.unit(5) on specifiers).

    Raises :class:`WtwatchError` for bytes that are not UTF-8, which systemd ignores a line for.
    """
    if any("\ud800" <= letter <= "\udfff" for letter in word):
        raise WtwatchError(f"systemd cannot have {word!r}, which is not UTF-8.", _BY_HAND)
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    escaped = "".join(letter if letter >= " " else f"\\x{ord(letter):02x}" for letter in escaped)
    return f'"{escaped}"'


def _environment() -> dict[str, str]:
    # a relative folder would mean another one to the daemon
    folders = [folder for folder in for_tools()["PATH"].split(os.pathsep) if folder.startswith("/")]
    environment = {"PATH": os.pathsep.join(dict.fromkeys(folders))}
    for name in _CARRIED:
        if os.environ.get(name, "").startswith("/"):
            environment[name] = os.environ[name]
    return environment


def _umask() -> int:
    current = os.umask(0o077)
    os.umask(current)
    return current


def _sealed(body: str) -> str:
    import hashlib  # loads a cryptographic library, which `wtwatch status` must not wait for

    return f"{_SEAL}{hashlib.sha256(os.fsencode(body)).hexdigest()[:16]}\n{body}"


def _present(unit: Path) -> str | None:
    """Return the unit's text, ``None`` if there is none; refuse one that is not as we wrote it."""
    if not unit.is_symlink() and not unit.exists():
        return None
    if unit.is_symlink() or not unit.is_file():
        raise WtwatchError(f"{unit} is not a file of wtwatch.", "Move it away, then try again.")
    text = unit.read_text(encoding="utf-8", errors="surrogateescape")
    if not text.startswith(_SEAL):
        raise WtwatchError(f"{unit} was not written by wtwatch.", "Move it away, then try again.")
    if text != _sealed(text.partition("\n")[2]):
        raise WtwatchError(
            f"{unit} was edited after wtwatch wrote it.",
            "Put the changes into a file of their own with `systemctl --user edit wtwatch`, "
            "move this one away, then try again.",
        )
    return text


def _refuse_second_daemon(now: ServiceState) -> None:
    pid = holder(daemon_file())
    if pid is not None and pid != now.pid:
        raise WtwatchError(
            f"A daemon runs already, outside the service (pid {pid}).",
            f"Stop it (Ctrl-C in its terminal, or `kill {pid}`; its jobs go on), then try again.",
        )


def _other_version(now: ServiceState) -> str | None:
    """Return the version of the service's daemon, if one runs and it is not this one."""
    if not now.active or holder(daemon_file()) is None:
        return None
    try:
        version = json.loads(daemon_file().read_text(encoding="utf-8")).get("version", FIRST)
    except (OSError, ValueError):  # it is writing just now
        return None
    return None if version == __version__ else str(version)


def _start(verb: str) -> None:
    _ask("systemctl", "--user", "reset-failed", UNIT)  # else five failures in a row forbid a sixth try
    answer = _ask("systemctl", "--user", verb, UNIT)
    if answer.returncode != 0:
        raise WtwatchError(
            f"The service is installed, but does not start ({state().detail}).",
            f"`systemctl --user status {UNIT}` says more. Or take it back with `wtwatch service uninstall`.",
        )


def lingers() -> bool | None:
    """Return whether the service goes on after the last log-out; ``None``: nobody here says so.

    As logind says, or, where that cannot be asked, as its folder has it (loginctl(1), enable-linger).
    """
    answer = _ask("loginctl", "show-user", str(os.getuid()), "--property=Linger", "--value")
    said = {"yes": True, "no": False}.get(answer.stdout.strip())
    if said is None and LINGER.is_dir():
        return (LINGER / pwd.getpwuid(os.getuid()).pw_name).exists()
    return said


def _systemctl(*args: str) -> str:
    answer = _ask("systemctl", "--user", *args)
    if answer.returncode == 0:
        return answer.stdout
    if _ask("systemctl", "--user", "show", "--property=Version").returncode == 0:
        raise WtwatchError(
            f"`systemctl --user {' '.join(args)}` failed: {answer.stderr.strip()}",
            f"Mend what it says, then try again. {_BY_HAND}",
        )
    raise WtwatchError(
        f"There is no systemd for your own services here: {answer.stderr.strip() or 'systemctl failed'}",
        "Where systemd runs, `loginctl enable-linger` starts it for you; then log in anew, without `su` or "
        f"`sudo`. Elsewhere (containers, macOS): {_BY_HAND[0].lower()}{_BY_HAND[1:]}",
    )


def _ask(*command: str) -> subprocess.CompletedProcess[str]:
    env = {**for_tools(), "LC_ALL": "C"}
    own = f"/run/user/{os.getuid()}"
    if "XDG_RUNTIME_DIR" not in env and Path(own).is_dir():  # a login by su, or cron, does not set it
        env["XDG_RUNTIME_DIR"] = own
    try:
        return subprocess.run(
            command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        return subprocess.CompletedProcess(command, 127, "", f"{error.filename} is not on PATH.")
