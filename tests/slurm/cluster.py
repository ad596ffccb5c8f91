"""A real one-node Slurm of a test's own, with a process space and a host name of its own.

Its node is another host as far as processes can tell: pids and /proc of it are not those of whoever submits,
while files are the same. It lies in a folder of its own, listens on loopback at free ports, and is ended
whole when its first process is, which the kernel sees to if the tests die. It needs root, and Debian's
slurm-wlm, slurmdbd, mariadb-server and munge.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

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
MessageTimeout=5
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

_NOT_SYNCED = ("--innodb-flush-log-at-trx-commit=0", "--skip-log-bin", "--innodb-buffer-pool-size=16M")


def missing() -> list[str]:
    """Return what has to be installed for it, or is not allowed."""
    lacking = [name for name in PROGRAMS if shutil.which(name) is None]
    return lacking if os.geteuid() == 0 else [*lacking, "root"]


@dataclass
class Cluster:
    """A Slurm that runs; its clients need ``env``, and PATH."""

    folder: Path
    first: int
    env: dict[str, str]
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

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

    def kill(self, name: str) -> None:
        """End a service by SIGKILL, as it may end at any instant."""
        entered = self.running.pop(name)
        for child in psutil.Process(entered.pid).children():  # nsenter has a child in the other space
            child.kill()
        entered.wait(10)

    def is_up(self) -> bool:
        """Return whether the controller answers and its node takes jobs."""
        state = self.say("sinfo", "--noheader", "--format=%T", "--partition=test", check=False)
        if state.rstrip("*") in ("down", "drained", "draining"):
            self.say("scontrol", "update", f"nodename={NODE}", "state=resume", check=False)
        return state in ("idle", "mixed", "allocated")

    def is_accounting(self) -> bool:
        """Return whether finished jobs can be asked for."""
        return bool(self.say("sacctmgr", "--noheader", "list", "cluster", check=False))

    def mend(self) -> None:
        """Start what a test ended, end what it submitted, and wait until all is as at the start."""
        for name in self._services():
            if name not in self.running:
                self.start(name)
        eventually(self.is_up, within=60)
        eventually(self.is_accounting, within=60)
        self.say("scancel", "--user=root", check=False)
        self.say("scancel", "--user=root", "--signal=KILL", "--full", check=False)
        eventually(lambda: not self.say("squeue", "--noheader"), within=60)

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
        eventually(lambda: self.say("scontrol", "ping", check=False).endswith("UP"), within=60)

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
def cluster(min_job_age: int = 300, **settings: str) -> Iterator[Cluster]:
    """Bring a Slurm up, and end all of it; ``settings`` go into its slurm.conf(5).

    ``min_job_age``: for how many seconds its controller knows of a job that ended.
    """
    lacking = missing()
    assert not lacking, f"not there: {', '.join(lacking)}; apt-get install slurm-wlm slurmdbd mariadb-server"
    folder = Path(tempfile.mkdtemp(prefix="wtwatch-slurm-", dir="/tmp"))  # a socket's path is short
    with ExitStack() as undo:
        undo.callback(shutil.rmtree, folder, ignore_errors=True)
        _lay_out(folder, min_job_age, settings)
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
        made = Cluster(folder, first, env)
        undo.callback(lambda: [one.wait(30) for one in made.running.values()])
        undo.callback(os.kill, first, signal.SIGKILL)
        try:
            _start_all(made)
        except BaseException:
            for told in sorted((folder / "log").iterdir()):
                print(f"== {told.name}\n{told.read_text(errors='replace')[-2000:]}")
            raise
        yield made


def processes_of(first: int) -> dict[psutil.Process, str]:
    """Return the processes in the same process space as ``first`` (pid_namespaces(7)), with their names."""
    space = Path(f"/proc/{first}/ns/pid").readlink()
    found = {}
    for one in psutil.process_iter():
        with suppress(OSError, psutil.NoSuchProcess):
            if Path(f"/proc/{one.pid}/ns/pid").readlink() == space:
                found[one] = one.name()
    return found


def _lay_out(folder: Path, min_job_age: int, settings: dict[str, str]) -> None:
    for name in ("munge", "ctld", "slurmd", "log", "run", "database"):
        (folder / name).mkdir()
    folder.chmod(0o755)
    key = folder / "munge" / "key"
    key.touch(0o600)
    key.write_bytes(os.urandom(1024))
    ports = dict(zip(("ctld", "slurmd", "dbd"), _free_ports(3), strict=True))
    given = {"proctrack": "proctrack/linuxproc", "task": "task/none", "prolog": "Alloc"} | settings
    facts = {"folder": folder, "node": NODE, "cpus": CPUS, "memory": MEMORY, "kill_wait": KILL_WAIT}
    text = _CONF.format(**facts, **ports, min_job_age=min_job_age, **given)
    (folder / "slurm.conf").write_text(text)
    cards = [folder / f"card{number}" for number in range(2)]
    for card in cards:  # no graphics cards, but devices, which is all that Slurm looks at
        os.mknod(card, stat.S_IFCHR | 0o600, os.makedev(1, 3))
    (folder / "gres.conf").write_text("".join(f"NodeName={NODE} Name=gpu File={card}\n" for card in cards))
    prolog = folder / "taskprolog"
    prolog.write_text(_TASK_PROLOG)
    prolog.chmod(0o755)
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
    made.start("munged")
    made.start("mariadbd")
    eventually((made.folder / "munge" / "socket").exists, within=30)
    eventually((made.folder / "sql").exists, within=60)
    made.start("slurmdbd")
    eventually(lambda: _sacctmgr(made, "list", "cluster"), within=60)
    for words in (
        ("add", "cluster", "wttest"),
        ("add", "account", "lab", "cluster=wttest"),
        ("add", "user", "root", "account=lab", "defaultaccount=lab", "cluster=wttest"),
    ):
        _sacctmgr(made, *words)
    made.start("slurmctld")
    made.start("slurmd")
    eventually(made.is_up, within=60)


def _sacctmgr(made: Cluster, *words: str) -> bool:
    done = subprocess.run(
        ["sacctmgr", "--immediate", "--quiet", *words],
        env={**os.environ, **made.env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    return done.returncode == 0


def _free_ports(number: int) -> list[int]:
    """Return ports that are free on loopback now; all are kept until the last is known."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _end(space: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        space.kill()
    space.wait(30)
