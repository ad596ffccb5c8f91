"""A real ``systemd --user`` of a test's own, in namespaces of its own; nothing of it is left behind.

It needs Linux with a mounted cgroup2 and unshare(1). As root it makes a control group for itself; anybody
else borrows one from the user manager of their login.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.lab import eventually

_MANAGERS = ("/usr/lib/systemd/systemd", "/lib/systemd/systemd")

# The manager refuses to start without /run/systemd/system, and wants cgroup2 where it always is.
_SCRIPT = """
set -e
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/systemd/system
mount -t tmpfs tmpfs /sys/fs
mkdir /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
exec "$1" --user
"""


@dataclass(frozen=True)
class UserManager:
    """A running user manager; commands that :meth:`run` starts see it as a login of its user would."""

    pid: int
    env: dict[str, str]

    def run(
        self, *command: str | Path, check: bool = True, folder: Path = Path("/"), **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command beside the manager, in ``folder``, with ``env`` added; its words are kept."""
        enter = ["nsenter", f"--target={self.pid}", "--mount", "--cgroup"]
        if os.getuid() != 0:
            enter += ["--user", "--preserve-credentials"]
        answer = subprocess.run(
            [*enter, f"--wd={folder}", "--", *map(str, command)],
            env=self.env | env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if check and answer.returncode != 0:
            raise AssertionError(f"{command} exited {answer.returncode}:\n{answer.stdout}{answer.stderr}")
        return answer

    def systemctl(self, *args: str, check: bool = True) -> str:
        """Return what ``systemctl --user`` prints."""
        return self.run("systemctl", "--user", *args, check=check).stdout.strip()

    def is_up(self) -> bool:
        """Return whether the start is over."""
        return self.systemctl("is-system-running", check=False) in ("running", "degraded")

    def show(self, unit: str, name: str) -> str:
        """Return one property of a unit, as the manager has it."""
        return self.systemctl("show", unit, f"--property={name}", "--value")


@contextmanager
def user_manager(home: Path, **env: str) -> Iterator[UserManager]:
    """Start a user manager whose user lives in ``home``; at the end, end all that it started."""
    program = next((path for path in _MANAGERS if Path(path).exists()), None)
    assert program, "systemd is not installed: apt-get install systemd"
    runtime = Path(tempfile.mkdtemp(prefix="wtwatch-"))  # short: a socket's path has at most 107 bytes
    given = {"PATH": os.environ["PATH"], "HOME": str(home), "LC_ALL": "C.UTF-8", **env}
    given["XDG_RUNTIME_DIR"] = str(runtime)
    assignments = [f"{key}={value}" for key, value in given.items()]
    with _control_group() as prefix, (home / "manager.log").open("w+") as log:
        process = subprocess.Popen(
            [*prefix, "env", "-i", *assignments, "bash", "-c", _SCRIPT, "bash", program],
            env={**os.environ, "XDG_RUNTIME_DIR": f"/run/user/{os.getuid()}"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            manager = UserManager(process.pid, given)
            eventually(lambda: process.poll() is not None or manager.is_up())
            assert process.poll() is None, (home / "manager.log").read_text()
            yield manager
        finally:
            _end(process)
            shutil.rmtree(runtime, ignore_errors=True)


@contextmanager
def _control_group() -> Iterator[list[str]]:
    """Yield the words in front of a command that put it into namespaces and a control group of its own."""
    unshare = ["unshare", "--mount", "--cgroup"]
    if os.getuid() != 0:
        scope = ["systemd-run", "--user", "--scope", "--quiet", "--property=Delegate=yes"]
        yield [*scope, *unshare, "--user", "--map-root-user"]
        return
    group = Path(tempfile.mkdtemp(prefix="wtwatch-", dir=_cgroup_root()))
    try:
        yield ["bash", "-c", 'echo $$ > "$0"/cgroup.procs; exec "$@"', str(group), *unshare]
    finally:
        group.rmdir()


def _cgroup_root() -> Path:
    lines = Path("/proc/self/mounts").read_text().splitlines()
    found = [Path(line.split()[1]) for line in lines if line.split()[2] == "cgroup2"]
    assert found, "no cgroup2 is mounted: mount -t cgroup2 cgroup2 /sys/fs/cgroup"
    return found[0]


def _end(process: subprocess.Popen[bytes]) -> None:
    group = _group_of(process.pid)
    if group is None:  # it did not come up
        process.kill()
        process.wait(30)
        return
    # all at once: jobs outlive their service, by promise, and so would outlive their manager
    (group / "cgroup.kill").write_text("1")
    process.wait(30)
    eventually(lambda: not _is_populated(group))
    for folder, _, _ in os.walk(group, topdown=False):
        if Path(folder) != group:
            Path(folder).rmdir()


def _is_populated(group: Path) -> bool:
    try:
        return "populated 1" in (group / "cgroup.events").read_text()
    except OSError:  # a borrowed group is taken away once it is empty
        return False


def _group_of(pid: int) -> Path | None:
    """Return the control group that the manager ``pid`` has for itself; it stands in a child of it."""
    try:
        place = Path(f"/proc/{pid}/cgroup").read_text().rpartition("0::/")[2].strip()
    except OSError:
        return None
    return _cgroup_root() / place.removesuffix("/init.scope") if place.endswith("/init.scope") else None
