"""A real one-node Slurm of a test's own, with a process space and a host name of its own.

Its node is another host as far as processes can tell: pids and /proc of it are not those of whoever submits,
while files are the same. It lies in a folder of its own, listens on loopback at free ports, and is ended
whole when its first process is, which the kernel sees to if the tests die. It needs root, and Debian's
slurm-wlm, slurmdbd, mariadb-server and munge.
"""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from tests.lab import eventually

NODE = "wtnode"
"""What the node calls itself (uname(2))."""

PROGRAMS = ("munged", "mariadbd", "slurmdbd", "slurmctld", "slurmd", "sbatch", "mariadb-install-db")
"""All that has to be installed."""

KILL_WAIT = 12
"""Seconds between Slurm's TERM and its KILL (slurm.conf(5), KillWait; 30 by default)."""

MEMORY = 128_000
"""MB that the node has to give, whatever the machine has."""

CPUS = 128
"""Processors of the node, whatever the machine has: a controller that was killed takes some for busy."""

PATIENCE = 120.0
"""Seconds for what a cluster does by itself, on a machine that has much else to do."""

TRIES = 3
"""How often a Slurm is brought up, where somebody took one of its ports meanwhile."""

PARTITIONS = ("test", "low", "high")

_FIRST_PROCESS = """
set -e
hostname "$0"
{ cat /etc/hosts; echo "127.0.0.1 $0"; } > "$1/hosts"
mount --bind "$1/hosts" /etc/hosts
touch "$1/run/first"
while :; do sleep 3600 & wait $!; done
"""
"""Takes care of orphans, as whoever is process 1 has to (bash does)."""

_CONF = """
ClusterName=wttest
SlurmctldHost={node}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
SlurmctldPort={ctld}
SlurmdPort={slurmd}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation={folder}/ctld
SlurmdSpoolDir={folder}/slurmd
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd.pid
ProctrackType={proctrack}
TaskPlugin={task}
PrologFlags={prolog}
Prolog={folder}/prolog
TaskProlog={folder}/taskprolog
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={dbd}
AccountingStoragePass={folder}/munge/socket
AccountingStorageEnforce=associations
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
PreemptType=preempt/partition_prio
PreemptMode=CANCEL
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
KillWait={kill_wait}
MinJobAge={min_job_age}
InactiveLimit=0
SlurmctldTimeout=30
SlurmdTimeout=10
MessageTimeout=10
DefMemPerCPU=900
MailProg=/bin/true
GresTypes=gpu
NodeName={node} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} Gres=gpu:2 State=UNKNOWN
PartitionName=test Nodes={node} Default=YES MaxTime=1:00:00 PriorityTier=1 OverSubscribe=NO State=UP
PartitionName=low Nodes={node} MaxTime=1:00:00 PriorityTier=1 State=UP
PartitionName=high Nodes={node} MaxTime=1:00:00 PriorityTier=9 PreemptMode=OFF State=UP
"""

_DBD = """
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={dbd}
CommunicationParameters=NoInAddrAny
SlurmUser=root
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
StorageLoc=slurm_acct
PidFile={folder}/run/slurmdbd.pid
"""

_TASK_PROLOG = """#!/bin/sh
echo export TMPDIR=/tmp/of-the-node
echo export ROCR_VISIBLE_DEVICES=7
"""
"""What a site may set for each job (slurm.conf(5), TaskProlog)."""

_PROLOG = """#!/bin/sh
[ ! -e {folder}/prolog-fails ]
"""
"""What a site runs on a node before each job; where it fails, the job is held (slurm.conf(5), Prolog)."""

_NOT_SYNCED = ("--innodb-flush-log-at-trx-commit=0", "--skip-log-bin", "--innodb-buffer-pool-size=16M")


def missing() -> list[str]:
    """Return what has to be installed for it, or is not allowed."""
    lacking = [name for name in PROGRAMS if shutil.which(name) is None]
    return lacking if os.geteuid() == 0 else [*lacking, "root"]


class PortTaken(Exception):
    """A service could not have the port that was free a moment ago."""


@dataclass
class Cluster:
    """A Slurm that runs; its clients need ``env``, and PATH. ``hurt``: one of its services was ended."""

    folder: Path
    first: int
    env: dict[str, str]
    ports: Mapping[str, int]
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    hurt: bool = False

    def say(self, *command: str, check: bool = True) -> str:
        """Run a client of Slurm as its user; return what it printed."""
        done = subprocess.run(
            command,
            env={**os.environ, **self.env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert not check or done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stderr}"
        return done.stdout.strip()

    def inside(self, *command: str) -> list[str]:
        """Return a command that runs another on the node."""
        return ["nsenter", f"--target={self.first}", "--pid", "--mount", "--uts", "--", *command]

    def start(self, name: str) -> None:
        """Start one of the services, which stays this one's child; it need not answer yet."""
        words, env = self._services()[name]
        with (self.folder / "log" / name).open("ab") as log:
            self.running[name] = subprocess.Popen(
                self.inside(*words),
                env={**os.environ, **self.env, **env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def has_saved(self) -> bool:
        """Return whether the controller has written down all jobs that run by now, as running.

        Starts are told in whole seconds. Of one that may have come after the last writing something is
        changed, so that the controller writes once more.
        """
        running = self.say("squeue", "--noheader", "--states=running", "--format=%A|%S").split()
        saved = (self.folder / "ctld" / "job_state").stat().st_mtime
        starts = dict(line.split("|") for line in running)
        late = [one for one, at in starts.items() if datetime.fromisoformat(at).timestamp() + 1.5 > saved]
        for one in late:
            self.say("scontrol", "update", f"jobid={one}", "comment=late")
        return not late

    def kill(self, name: str) -> None:
        """End a service by SIGKILL, as it may end at any instant."""
        self.hurt = True
        entered = self.running.pop(name)

        def is_over() -> bool:
            with suppress(psutil.NoSuchProcess):
                for child in psutil.Process(entered.pid).children():  # of nsenter, in the other space; soon
                    child.kill()
            return entered.poll() is not None

        eventually(is_over)

    def is_up(self) -> bool:
        """Return whether the controller answers and its node takes jobs."""
        state = self.say("sinfo", "--noheader", "--format=%T", "--partition=test", check=False)
        if state.rstrip("*") in ("down", "drained", "draining"):
            self.say("scontrol", "update", f"nodename={NODE}", "state=resume", check=False)
        return state in ("idle", "mixed", "allocated") and _listens(self.ports["slurmd"])

    def is_accounting(self) -> bool:
        """Return whether finished jobs can be asked for."""
        return bool(self.say("sacctmgr", "--noheader", "list", "cluster", check=False))

    def mend(self) -> None:
        """Start what a test ended, end what it submitted, and wait until all is as at the start."""
        for name in self._services():
            if name in self.running and self.running[name].poll() is not None:
                self.hurt = True
                print(f"{name} ended by itself: {self.told_by(name)}")
            elif name in self.running:
                continue
            self.start(name)
        eventually(self.is_up, within=PATIENCE)
        (self.folder / "prolog-fails").unlink(missing_ok=True)
        for partition in PARTITIONS:
            self.say("scontrol", "update", f"partitionname={partition}", "state=up")
        eventually(self._is_empty, within=PATIENCE)
        if self.hurt:  # each of its services may answer before it has found the others again
            eventually(self._has_done_a_job, within=PATIENCE)
        for name in ("slurmstepd", "slurm_script"):  # of jobs that it forgot
            for one in self.processes(name):
                with suppress(psutil.NoSuchProcess):
                    one.kill()
        self.hurt = False

    def _is_empty(self) -> bool:
        """Return whether no job waits or lives; those that do are told to end."""
        if not self.say("squeue", "--noheader"):
            return True
        self.say("scancel", "--user=root", check=False)
        self.say("scancel", "--user=root", "--signal=KILL", "--full", check=False)
        self.is_up()
        return False

    def _has_done_a_job(self) -> bool:
        """Return whether a job that is submitted now is done, and accounted for."""
        name = f"mended-{uuid4()}"
        words = ("--output=/dev/null", f"--job-name={name}", "--no-requeue", "--wrap", "true")
        if not self.say("sbatch", "--parsable", *words, check=False):
            return False

        def over() -> str:
            self.is_up()
            ended = self.say("sacct", "-nXPD", f"--name={name}", "--format=state", check=False)
            if "held" in self.say("squeue", "--noheader", f"--name={name}", "--format=%r", check=False):
                ended = "HELD"  # its node had another one of that number, and did not take it
            return "" if ended.startswith(("PENDING", "RUNNING", "REQUEUED")) else ended

        ended = eventually(over, within=PATIENCE)
        self.say("scancel", f"--name={name}", check=False)
        return ended == "COMPLETED"

    def told_by(self, name: str) -> str:
        """Return the last words of a service."""
        return (self.folder / "log" / name).read_text(errors="replace")[-2000:]

    def processes(self, name: str | None = None) -> list[psutil.Process]:
        """Return the processes on the node, of that name."""
        return [one for one, called in processes_of(self.first).items() if name in (None, called)]

    def lose_jobs(self) -> None:
        """Have everything that belongs to jobs on the node die in this instant, unseen by Slurm."""
        self.kill("slurmd")
        for name in ("slurmstepd", "slurm_script", "python"):
            for one in self.processes(name):
                with suppress(psutil.NoSuchProcess):
                    one.kill()

    def forget(self) -> None:
        """Have the controller lose all that it knows; its numbers begin at 1 again.

        A node that runs is started again, since it refuses jobs with numbers of which it had others.
        """
        self.kill("slurmctld")
        if "slurmd" in self.running:
            self.kill("slurmd")
            self.start("slurmd")
        shutil.rmtree(self.folder / "ctld")
        (self.folder / "ctld").mkdir()
        self.start("slurmctld")
        eventually(lambda: self.say("scontrol", "ping", check=False).endswith("UP"), within=PATIENCE)

    def _services(self) -> Mapping[str, tuple[Sequence[str], Mapping[str, str]]]:
        conf, munge = str(self.folder / "slurm.conf"), self.folder / "munge"
        database = self.folder / "database"
        return {
            "munged": (
                [
                    "munged", "--foreground", "--force", "--num-threads=2", f"--key-file={munge}/key",
                    f"--socket={munge}/socket", f"--pid-file={self.folder}/run/munged.pid",
                    f"--seed-file={munge}/seed",
                ],
                {},
            ),
            "mariadbd": (
                [
                    "mariadbd", "--no-defaults", "--user=root", f"--datadir={database}", "--skip-networking",
                    f"--socket={self.folder}/sql", f"--pid-file={self.folder}/run/sql.pid", *_NOT_SYNCED,
                    "--innodb-lock-wait-timeout=900", f"--tmpdir={self.folder}/run",
                ],
                {},
            ),
            "slurmdbd": (["slurmdbd", "-D"], {"MYSQL_UNIX_PORT": str(self.folder / "sql")}),
            "slurmctld": (["slurmctld", "-D", "-f", conf], {}),
            "slurmd": (["slurmd", "-D", "-f", conf, "-N", NODE], {}),
        }  # fmt: skip


@contextmanager
def cluster(
    min_job_age: int = 300, ports: Callable[[int], list[int]] | None = None, **settings: str
) -> Iterator[Cluster]:
    """Bring a Slurm up, and end all of it; ``settings`` go into its slurm.conf(5).

    ``min_job_age``: for how many seconds its controller knows of a job that ended; ``ports`` finds it ports.
    """
    lacking = missing()
    assert not lacking, f"not there: {', '.join(lacking)}; apt-get install slurm-wlm slurmdbd mariadb-server"
    with ExitStack() as undo:
        for turn in range(1, TRIES + 1):
            try:
                made = _brought_up(undo, min_job_age, dict(settings), (ports or free_ports)(3))
                break
            except PortTaken:
                undo.close()
                if turn == TRIES:
                    raise
        yield made


def _brought_up(undo: ExitStack, min_job_age: int, settings: dict[str, str], ports: list[int]) -> Cluster:
    """Bring a Slurm up at these ports; whatever comes, ``undo`` ends it."""
    folder = Path(tempfile.mkdtemp(prefix="wtwatch-slurm-", dir="/tmp"))  # a socket's path is short
    undo.callback(shutil.rmtree, folder, ignore_errors=True)
    named = dict(zip(("ctld", "slurmd", "dbd"), ports, strict=True))
    _lay_out(folder, min_job_age, named, settings)
    log = undo.enter_context((folder / "log" / "first").open("wb"))
    space = subprocess.Popen(
        [
            "setpriv", "--pdeathsig=KILL", "unshare", "--pid", "--fork", "--kill-child=KILL",
            "--mount-proc", "--uts", "bash", "-c", _FIRST_PROCESS, NODE, str(folder),
        ],
        stdin=subprocess.DEVNULL,
        stderr=log,
    )  # fmt: skip
    undo.callback(_end, space)
    eventually((folder / "run" / "first").exists)
    first = psutil.Process(space.pid).children()[0].pid
    env = {"SLURM_CONF": str(folder / "slurm.conf"), "PATH": os.environ["PATH"]}
    made = Cluster(folder, first, env, named)
    undo.callback(lambda: [one.wait(30) for one in made.running.values()])
    undo.callback(os.kill, first, signal.SIGKILL)
    try:
        _start_all(made)
    except BaseException:
        for told in sorted((folder / "log").iterdir()):
            print(f"== {told.name}\n{made.told_by(told.name)}")
        raise
    return made


def processes_of(first: int) -> dict[psutil.Process, str]:
    """Return the processes in the same process space as ``first`` (pid_namespaces(7)), with their names."""
    space = Path(f"/proc/{first}/ns/pid").readlink()
    found = {}
    for one in psutil.process_iter():
        with suppress(OSError, psutil.NoSuchProcess):
            if Path(f"/proc/{one.pid}/ns/pid").readlink() == space:
                found[one] = one.name()
    return found


def _lay_out(folder: Path, min_job_age: int, ports: Mapping[str, int], settings: dict[str, str]) -> None:
    for name in ("munge", "ctld", "slurmd", "log", "run", "database"):
        (folder / name).mkdir()
    folder.chmod(0o755)
    key = folder / "munge" / "key"
    key.touch(0o600)
    key.write_bytes(os.urandom(1024))
    given = {"proctrack": "proctrack/linuxproc", "task": "task/none", "prolog": "Alloc"} | settings
    facts = {"folder": folder, "node": NODE, "cpus": CPUS, "memory": MEMORY, "kill_wait": KILL_WAIT}
    text = _CONF.format(**facts, **ports, min_job_age=min_job_age, **given)
    (folder / "slurm.conf").write_text(text)
    cards = [folder / f"card{number}" for number in range(2)]
    for card in cards:  # no graphics cards, but devices, which is all that Slurm looks at
        os.mknod(card, stat.S_IFCHR | 0o600, os.makedev(1, 3))
    (folder / "gres.conf").write_text("".join(f"NodeName={NODE} Name=gpu File={card}\n" for card in cards))
    for name, text in (("taskprolog", _TASK_PROLOG), ("prolog", _PROLOG.format(folder=folder))):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    dbd = folder / "slurmdbd.conf"
    dbd.touch(0o600)
    dbd.write_text(_DBD.format(folder=folder, **ports))
    made = subprocess.run(
        [
            "mariadb-install-db", "--no-defaults", "--user=root", f"--datadir={folder}/database",
            "--auth-root-authentication-method=socket", "--skip-test-db", f"--tmpdir={folder}/run",
            *_NOT_SYNCED,
        ],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stdout + made.stderr


def _start_all(made: Cluster) -> None:
    def until(holds: Callable[[], object]) -> None:
        eventually(lambda: _all_run(made) and holds(), within=PATIENCE)

    made.start("munged")
    made.start("mariadbd")
    until((made.folder / "munge" / "socket").exists)
    until((made.folder / "sql").exists)
    made.start("slurmdbd")
    until(lambda: _sacctmgr(made, "list", "cluster"))
    for words in (
        ("add", "cluster", "wttest"),
        ("add", "account", "lab", "cluster=wttest"),
        ("add", "user", "root", "account=lab", "defaultaccount=lab", "cluster=wttest"),
    ):
        _sacctmgr(made, *words)
    made.start("slurmctld")
    made.start("slurmd")
    until(made.is_up)


def _all_run(made: Cluster) -> bool:
    """Return that all that was started runs; fail the test if one of them ended, and tell a taken port."""
    for name, process in made.running.items():
        if process.poll() is not None:
            told = made.told_by(name)
            if os.strerror(errno.EADDRINUSE) in told:
                raise PortTaken(f"{name}: {told}")
            pytest.fail(f"{name} ended by itself: {told}")
    return True


def _sacctmgr(made: Cluster, *words: str) -> bool:
    done = subprocess.run(
        ["sacctmgr", "--immediate", "--quiet", *words],
        env={**os.environ, **made.env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    return done.returncode == 0


def free_ports(number: int) -> list[int]:
    """Return ports that are free on loopback now; all are kept until the last is known.

    They are not of those that the system gives to connections by itself (ip(7), ip_local_port_range), so that
    a service which is started again has its port again.
    """
    given = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    ports = range(10_000, max(int(given[0]), 12_000))
    found: list[int] = []
    with ExitStack() as stack:
        while len(found) < number:
            one = stack.enter_context(socket.socket())
            with suppress(OSError):
                one.bind(("127.0.0.1", random.SystemRandom().choice(ports)))
                found.append(one.getsockname()[1])
    return found


def _listens(port: int) -> bool:
    """Return whether somebody takes connections there."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
        return True
    return False


def _end(space: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        space.kill()
    space.wait(30)
