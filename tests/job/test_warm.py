"""Of a job that a warm process forked nothing is other than of one that was started by itself."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.at_work import has_ended
from tests.full_disk import fill, mounted
from tests.job.bench import FIGURE_OF_LSD, TABLE, Bench, over
from tests.lab import eventually
from tests.tally import Kills
from wtwatch.doors.dataset import OUR_KEY
from wtwatch.job import lifecycle, warming
from wtwatch.job.warming import Warming
from wtwatch.project.jobenv import for_any_tree, for_jobs
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Job, Outcome

pytestmark = pytest.mark.slow

Warm = Callable[..., Warming]


@pytest.fixture
def warm(monkeypatch: pytest.MonkeyPatch) -> Iterator[Warm]:
    """Have jobs started as the daemon does it, by a process that is ready now."""
    made: list[Warming] = []

    def ready(*command: str) -> Warming:
        one = Warming(command) if command else Warming()
        made.append(one)
        monkeypatch.setattr(lifecycle.HERE, "warming", one)
        monkeypatch.setattr(warming, "ANSWER", 60.0)  # whether it is warm is asked, not how quick that is
        one.expect()
        assert eventually(lambda: one.pid)
        return one

    yield ready
    for one in made:
        one.close()


def was_warm(bench: Bench, job: Job) -> bool:
    """Whether the process that a job is, which waits at a gate, was forked from what is warm."""
    words = psutil.Process(bench.process(job).pid).cmdline()
    assert ("wtwatch.job.warm" in words) is not ("wtwatch.job.wrapper" in words)
    return "wtwatch.job.warm" in words


def started_warm(bench: Bench, command: str = "true", **spec: object) -> bool:
    """Run a job to its end; return whether it was warm."""
    gate = bench.lab.gate(secrets.token_hex(4))
    job = bench.start(bench.job(f"{bench.gated(gate)}; {command}", **{"plain": True, **spec}))
    eventually(gate.reached)
    found = was_warm(bench, job)
    gate.open()
    assert over(bench.wait(job)).outcome in (Outcome.SUCCEEDED, Outcome.UNCHANGED), bench.log(job)
    return found


LOOK = """
for of in $$ $PPID; do
    echo "== $of"
    env | sort
    ls -l /proc/$of/fd
    grep -E '^(Umask|Uid|Gid|Groups|Threads|Sig|Shd|Cap|NoNew|Secc|Cpus|Mems)' /proc/$of/status | grep -v SigQ
    cd /proc/$of
    cat limits cgroup oom_score_adj coredump_filter sessionid loginuid timerslack_ns personality
    readlink cwd root exe ns/*
    cut -d' ' -f4-8,18-20,38,40,41 stat
    cd "$OLDPWD"
done
umask; ulimit -a; nice
"""
"""What a command sees of itself, and of the process that started it.

Of proc_pid_stat(5): parent, group, session, terminal and its group; priority, niceness, threads; the signal
at its end, the classes of scheduling.
"""


def view(bench: Bench, job: Job, seen: Path) -> str:
    """What was seen, without what is another for each job."""
    pid = str(bench.process(job).pid)
    text = re.sub(r"(pipe|socket|anon_inode):\[\d+\]", r"\1", seen.read_text())
    command = text.splitlines()[0].removeprefix("== ")
    text = re.sub(rf"\b{pid}\b", "JOB", re.sub(rf"\b{command}\b", "COMMAND", text))
    text = re.sub(r"WTWATCH_ATTEMPT=.*", "WTWATCH_ATTEMPT", text)
    text = re.sub(r"jobs/\d+\.\d+", "jobs/N", text)
    text = re.sub(r"(?m)^\S+ +\d+ \S+ +\S+ +\d+ \w+ +\d+ [\d:]+ (\d+) ->", r"\1 ->", text)
    own, _, process = text.partition("== JOB")
    process = process.replace("SigCgt:\t00000001", "SigCgt:\t00000000")  # glibc's own, with threads: nptl(7)
    handles = sorted(re.findall(r"(?m)^\d+ ->( .*)", process))  # their numbers do not matter there
    return "\n".join([own, *handles, re.sub(r"(?m)^\d+ -> .*\n", "", process)])


@pytest.mark.parametrize("plain", [True, False], ids=["plain", "DataLad"])
def test_nothing_of_a_job_differs(bench: Bench, warm: Warm, plain: bool, tmp_path: Path) -> None:
    seen = []
    look = tmp_path / "look"
    look.write_text(LOOK)
    for way in ("cold", "warm"):
        if way == "warm":
            warm()
        gate = bench.lab.gate(secrets.token_hex(4))
        job = bench.start(bench.job(f"{bench.gated(gate)}; . {look} > {tmp_path / 'seen'} 2>&1", plain=plain))
        eventually(gate.reached)
        assert was_warm(bench, job) is (way == "warm")
        gate.open()
        bench.wait(job)
        seen.append(view(bench, job, tmp_path / "seen"))
    cold, warmed = seen
    assert warmed.splitlines() == cold.splitlines()
    assert "Max open files" in cold and "SigIgn" in cold
    compiled = bench.place.bytecode / Path(lifecycle.__file__).parent.relative_to("/")
    assert not compiled.exists(), "what wtwatch is made of is compiled once, not for each tree"


def test_a_job_goes_by_the_settings_of_git_as_they_are_now(bench: Bench, warm: Warm) -> None:
    one = warm()
    pid = one.pid
    draw = {"outputs": (FIGURE_OF_LSD,), "plain": False}
    for number, name in enumerate(("First", "Second")):
        git_config("user.name", name)
        assert started_warm(
            bench, f"mkdir -p 05_visualization/240226I/LSD; echo {number} > {FIGURE_OF_LSD}", **draw
        )
        assert bench.lab.git("log", "-1", "--format=%an", cwd=bench.tree) == name
    assert one.pid == pid
    git_config("datalad.run.record-sidecar", "true")
    assert not started_warm(bench, f"echo sidecar > {FIGURE_OF_LSD}", **draw), (
        "what DataLad loaded may rest on it"
    )
    assert f'"{OUR_KEY}"' not in bench.lab.git("log", "-1", "--format=%B", cwd=bench.tree)
    one.expect()
    eventually(lambda: one.pid not in (None, pid))
    assert started_warm(bench, write("again"), **draw)
    assert f'"{OUR_KEY}"' not in bench.lab.git("log", "-1", "--format=%B", cwd=bench.tree)


def write(text: str) -> str:
    return f"mkdir -p $(dirname {FIGURE_OF_LSD}); cat {TABLE} > /dev/null; echo {text} > {FIGURE_OF_LSD}"


def git_config(name: str, value: str) -> None:
    subprocess.run(["git", "config", "--global", name, value], check=True)


def test_a_variable_that_is_declared_reaches_datalad_as_it_does_without(bench: Bench, warm: Warm) -> None:
    bench.project = bench.project._replace(env=(("DATALAD_RUN_RECORD__SIDECAR", "yes"),))
    found = []
    for way in ("cold", "warm"):
        if way == "warm":
            warm()
        assert started_warm(bench, write(way), outputs=(FIGURE_OF_LSD,), plain=False) is (way == "warm")
        found.append(f'"{OUR_KEY}"' in bench.lab.git("log", "-1", "--format=%B", cwd=bench.tree))
    assert found[0] == found[1]


PATCHED = """
import os, random, sys, tempfile, uuid
from datalad.support.external_versions import external_versions
from wtwatch.job import warm, wrapper
def ended(self, result, known=wrapper.Steps.ended):
    new = sorted(set(sys.modules) - loaded)
    drawn = (random.random(), str(uuid.uuid4()), next(tempfile._get_candidate_names()))
    annex = external_versions["cmd:annex"]
    with open({file!r}, "a") as out:
        print(new, annex, *drawn, sep="\t", file=out)
    known(self, result)
wrapper.Steps.ended = ended
def serve(*given, known=warm._serve):
    loaded.update(sys.modules)
    random.random(), next(tempfile._get_candidate_names())
    return known(*given)
loaded = set()
warm._serve = serve
warm.main(sys.argv[1:])
"""


def test_nothing_is_loaded_after_the_fork_and_nothing_drawn_twice(
    bench: Bench, warm: Warm, tmp_path: Path
) -> None:
    file = tmp_path / "seen"
    warm(sys.executable, "-I", "-c", PATCHED.format(file=str(file)))
    for text in ("one", "two"):
        bench.do(write(text), inputs=(TABLE,), outputs=(FIGURE_OF_LSD,))
    first, second = (line.split("\t") for line in file.read_text().splitlines())
    assert first[0] == second[0] == "[]"
    assert not set(first[2:]) & set(second[2:])


def test_datalad_knows_the_git_annex_of_the_run_tree(bench: Bench, warm: Warm, tmp_path: Path) -> None:
    file = tmp_path / "seen"
    warm(sys.executable, "-I", "-c", PATCHED.format(file=str(file)))
    draw = {"outputs": (FIGURE_OF_LSD,)}
    bench.do(write("with that of all"), **draw)
    for program in ("git", "git-annex"):  # else all jobs would ask which they are
        ways = [shutil.which(program, path=env["PATH"]) for env in (for_any_tree(), for_jobs(bench.place))]
        assert ways[0] is not None and os.path.realpath(ways[0]) == os.path.realpath(str(ways[1]))
    own = bench.place.prefix / "bin" / "git-annex"
    own.parent.mkdir(parents=True, exist_ok=True)
    real = shutil.which("git-annex")
    own.write_text(f'#!/bin/sh\n[ "$*" = "version --raw" ] && printf 10.20990101 || exec {real} "$@"\n')
    own.chmod(0o755)
    bench.do(write("with its own"), **draw)
    first, second = (line.split("\t")[1] for line in file.read_text().splitlines())
    assert first != second == "10.20990101"


def test_twenty_jobs_leave_nothing_in_it(bench: Bench, warm: Warm) -> None:
    one = warm()
    pid = one.pid
    process = psutil.Process(pid)
    sizes = []
    for _ in range(20):
        bench.do("true", plain=True)
        sizes.append(process.memory_info().rss)
    assert one.pid == pid
    eventually(lambda: process.children() == [])  # the last one wrote its end a moment before it was over
    assert process.num_threads() == 1
    assert {entry.name for entry in Path(f"/proc/{pid}/fd").iterdir()} == {"0", "1", "2", *sockets(pid)}
    assert len(sockets(pid)) == 1
    assert max(sizes[10:]) <= sizes[0] + 2**20
    assert [bench.folder(job).result() is not None for job in bench.made] == [True] * 20


def sockets(pid: int | None) -> list[str]:
    return [
        one.name for one in Path(f"/proc/{pid}/fd").iterdir() if str(one.readlink()).startswith("socket:")
    ]


def test_a_kill_between_two_jobs_or_during_one_costs_neither(bench: Bench, warm: Warm, kills: Kills) -> None:
    one = warm()
    with kills.survived("what starts jobs, between two"):
        bench.do("true", plain=True)
        psutil.Process(one.pid).kill()
        assert not started_warm(bench)
    one.expect()
    assert eventually(lambda: one.pid)
    with kills.survived("what starts jobs, during one"):
        gate = bench.lab.gate("during")
        job = bench.start(bench.job(f"{bench.gated(gate)}; echo it went on > out", plain=True))
        eventually(gate.reached)
        assert was_warm(bench, job)
        psutil.Process(one.pid).kill()
        gate.open()
        assert over(bench.wait(job)).outcome is Outcome.SUCCEEDED
        assert (bench.tree / "out").read_text() == "it went on\n"


def test_one_that_hangs_is_ended_and_the_job_is_begun_once(
    bench: Bench, warm: Warm, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    one = warm()
    process = psutil.Process(one.pid)
    process.suspend()
    monkeypatch.setattr(warming, "ANSWER", 0.1)
    assert not started_warm(bench, f"echo ran >> {tmp_path / 'ran'}")
    assert (tmp_path / "ran").read_text() == "ran\n"
    eventually(lambda: has_ended(process))


def test_one_that_was_given_up_does_not_begin_though_it_is_ready(
    bench: Bench, warm: Warm, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The daemon's last moment to turn back: it was told that all is ready, and does not say to go."""
    heard = []

    def turn_back(ours: socket.socket, request: dict[str, str]) -> bool:
        ours.settimeout(60)
        ours.sendall(json.dumps(request).encode() + b"\n")
        heard.append(ours.recv(1))
        return False

    warm()
    monkeypatch.setattr(warming, "_agreed", turn_back)
    assert not started_warm(bench, f"echo ran >> {tmp_path / 'ran'}")
    assert heard == [warming.READY] and (tmp_path / "ran").read_text() == "ran\n"


def test_it_ends_by_itself_when_nobody_has_the_other_end_of_its_socket() -> None:
    ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
    command = [sys.executable, "-I", "-m", "wtwatch.job.warm", str(theirs.fileno())]
    with subprocess.Popen(command, pass_fds=[theirs.fileno()]) as process:
        theirs.close()
        assert ours.recv(64)
        ours.close()
        assert process.wait(30) == 0


def test_an_upgrade_in_between_is_heard_of(bench: Bench, warm: Warm, tmp_path: Path) -> None:
    """Whoever installs something changes the folder that modules are looked for in."""
    venv.create(tmp_path / "env", symlinks=True)
    (site,) = (tmp_path / "env").glob("lib/python*/site-packages")
    others = [path for path in sys.path if path.endswith("site-packages")]
    (site / "all.pth").write_text("".join(f"import site; site.addsitedir({path!r})\n" for path in others))
    one = warm(str(tmp_path / "env" / "bin" / "python"), "-I", "-m", "wtwatch.job.warm")
    pid = one.pid
    assert started_warm(bench)
    (site / "datalad-9.9.dist-info").mkdir()
    assert not started_warm(bench)
    one.expect()
    assert eventually(lambda: one.pid) != pid
    assert started_warm(bench)


@pytest.mark.needs_root("mount a small disk")
def test_a_start_on_a_full_disk_says_the_same(bench: Bench, warm: Warm) -> None:
    said = []
    with mounted(bench.project.state / "jobs", 1) as disk:
        for way in ("cold", "warm"):
            if way == "warm":
                warm()
            job = bench.job("true", plain=True)
            ballast = fill(disk, 64)
            with pytest.raises(WtwatchError) as error:
                bench.start(job)
            assert bench.folder(job).started() is None
            said.append(f"{error.value.message} {error.value.hint}".replace(f"{job.id}.1", "N"))
            assert str(job.id) not in said[-1] or "full" in said[-1]
            ballast.unlink()
            bench.folder(job).discard()
    assert "is full" in said[0]
    assert said[1].replace("Job 2", "Job 1") == said[0]
