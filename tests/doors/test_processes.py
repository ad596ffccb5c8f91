"""Who works in a tree: real processes, found by where they stand."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from tests.building import DRUGS, SUBJECTS
from tests.lab import Lab, eventually, plot_of
from wtwatch.doors import processes
from wtwatch.doors.processes import bears, datalad_runs_in, identity, is_alive, serves, working_in
from wtwatch.project.config import PASSIVE
from wtwatch.project.jobenv import for_jobs
from wtwatch.project.tree import RunTree
from wtwatch.words.model import Process

WAITS = "read -r line"


@contextmanager
def at_work(folder: Path, *command: str | Path, name: str | None = None) -> Iterator[psutil.Process]:
    """Start a command that reads its stdin, and hold it there until the body ends.

    The body begins when the process has become the program ``name`` (default: that of the command).
    """
    with subprocess.Popen([*map(str, command)], cwd=folder, stdin=subprocess.PIPE) as process:
        try:
            known = psutil.Process(process.pid)
            eventually(lambda: known.name() == (name or Path(command[0]).name))
            yield known
        finally:
            process.kill()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "a trée"
    (folder / "code" / "src").mkdir(parents=True)
    return folder


def pids_in(tree: Path, **more: object) -> list[int]:
    return [process.pid for process in working_in(tree, **more)]  # type: ignore[arg-type]


@pytest.mark.parametrize("part", ["", "code", "code/src"])
def test_a_process_is_found_by_the_folder_it_stands_in(tree: Path, part: str) -> None:
    with at_work(tree / part, "cat") as known:
        (found,) = working_in(tree)
        assert (found.pid, found.name) == (known.pid, "cat")
        assert found.since.timestamp() == known.create_time()
    assert working_in(tree) == []


def test_a_process_in_the_folder_above_or_beside_is_elsewhere(tree: Path) -> None:
    beside = tree.with_name(tree.name + "-beside")
    beside.mkdir()
    with at_work(tree.parent, "cat"), at_work(beside, "cat"), at_work(tree / "code", "cat") as inside:
        assert pids_in(tree) == [inside.pid]
        assert pids_in(tree / "code" / "src") == []


def test_the_oldest_process_comes_first(tree: Path) -> None:
    with at_work(tree, "cat") as first, at_work(tree / "code", "cat") as second:
        found = working_in(tree)
    assert {process.pid for process in found} == {first.pid, second.pid}
    assert found == sorted(found, key=lambda process: process.since)


def test_a_symlink_to_the_tree_is_the_tree(tree: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tree)
    with at_work(link / "code", "cat") as known:
        assert pids_in(tree) == pids_in(link) == [known.pid]


@pytest.mark.slow  # not every machine lets everybody make a namespace
def test_a_process_that_sees_the_tree_through_a_bind_mount_is_found(tree: Path, tmp_path: Path) -> None:
    elsewhere, part, mounted = tmp_path / "mnt", tmp_path / "part", tmp_path / "mounted"
    elsewhere.mkdir()
    part.mkdir()
    binds = 'mount --bind "$1" "$2" && mount --bind "$1/code" "$3"'
    script = f'{binds} && cd "$2/code" && (cd "$3" && : > "$4" && {WAITS}) && {WAITS}'
    names = [] if os.getuid() == 0 else ["--map-root-user"]
    command = ["unshare", *names, "--mount", "--", "sh", "-c", script, "sh"]
    places = (tree, elsewhere, part, mounted)
    with at_work(tmp_path, *command, *places, name="sh") as shell, at_work(tree / "code", "cat") as cat:
        eventually(mounted.exists)
        assert {shell.pid, cat.pid} <= set(pids_in(tree))
        for process in shell.children():
            process.kill()


def test_this_process_its_parents_and_ignored_ones_are_left_out(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tree)
    asks = "import sys; from pathlib import Path; from wtwatch.doors.processes import working_in\n"
    asks += "print(*(process.pid for process in working_in(Path())))"
    with at_work(tree, "cat") as known:
        assert pids_in(tree, ignore=[known.pid]) == []
        answer = subprocess.run([sys.executable, "-c", asks], capture_output=True, text=True, check=True)
        assert answer.stdout.split() == [str(known.pid)]


def test_a_tree_that_is_gone_is_used_by_nobody(tmp_path: Path) -> None:
    assert working_in(tmp_path / "nowhere") == []


def test_a_zombie_works_no_more(tree: Path) -> None:
    with subprocess.Popen(["true"], cwd=tree) as process:
        eventually(lambda: psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE)
        assert working_in(tree) == []
        assert identity(process.pid) is None


# --- passive programs


def test_a_program_that_only_stands_there_is_passive(tree: Path) -> None:
    less = tree.parent / "less"  # any program of that name
    shutil.copy(shutil.which("cat") or "", less)
    with at_work(tree, less) as known:
        assert pids_in(tree) == [known.pid]
        assert pids_in(tree, passive=PASSIVE) == []


def test_a_name_that_the_kernel_cuts_short_is_known_whole(tree: Path) -> None:
    program, script = tree.parent / "jupyter-notebook", tree.parent / "pyright-langserver"
    shutil.copy(shutil.which("cat") or "", program)
    script.write_text(f"#!/bin/sh\n{WAITS}\n")
    script.chmod(0o755)
    with at_work(tree, program) as one, at_work(tree, script, name=script.name[:15]) as other:
        whole = {one.pid: program.name, other.pid: script.name}
        # the kernel has a new program's name before its words
        eventually(lambda: {process.pid: process.name for process in working_in(tree)} == whole)
        assert pids_in(tree, passive=PASSIVE) == []


@pytest.mark.parametrize("name", ["a) b (c", "(", "x y", "gé"])
def test_any_name_is_read_right(tree: Path, name: str) -> None:
    program = tree.parent / name
    shutil.copy(shutil.which("cat") or "", program)
    with at_work(tree, program) as known:
        assert working_in(tree) == [
            Process(known.pid, name, datetime.fromtimestamp(known.create_time(), UTC))
        ]


@pytest.mark.parametrize("options", [[], ["-s"], ["--norc"], ["--rcfile", "/dev/null"], ["-o", "emacs"]])
def test_a_shell_at_its_prompt_is_passive(tree: Path, options: list[str]) -> None:
    with at_work(tree, "bash", *options):
        eventually(lambda: pids_in(tree, passive=PASSIVE) == [])


@pytest.mark.parametrize(
    "words",
    [
        ["-c", WAITS],
        ["-ec", WAITS],
        ["./batch.sh"],
        ["-e", "./batch.sh", "-s"],
        ["-o", "pipefail", "batch.sh"],
    ],
)
def test_a_shell_that_runs_a_script_is_at_work(tree: Path, words: list[str]) -> None:
    (tree / "batch.sh").write_text(f"{WAITS}\n")
    with at_work(tree, "bash", *words) as known:
        assert pids_in(tree, passive=PASSIVE) == [known.pid]


NAMELESS = """
import ctypes
ctypes.CDLL(None).prctl(15, b"bash")  # PR_SET_NAME
stat = open("/proc/self/stat").read().rpartition(")")[2].split()
ctypes.memset(int(stat[45]), 0, int(stat[46]) - int(stat[45]))  # from arg_start to arg_end
input()
"""


def test_a_shell_whose_words_are_not_there_yet_is_at_work(tree: Path) -> None:
    with at_work(tree, sys.executable, "-c", NAMELESS, name="bash") as known:
        eventually(lambda: not any(known.cmdline()))
        assert pids_in(tree, passive=PASSIVE) == [known.pid]


def test_a_command_of_a_passive_shell_is_at_work(tree: Path) -> None:
    with subprocess.Popen(["bash"], cwd=tree, stdin=subprocess.PIPE, text=True) as shell:
        assert shell.stdin
        print("cat < /dev/zero > /dev/null & wait", file=shell.stdin, flush=True)
        known = psutil.Process(shell.pid)
        (child,) = eventually(lambda: [child for child in known.children() if child.name() == "cat"])
        assert pids_in(tree, passive=PASSIVE) == [child.pid]
        child.kill()
        shell.kill()


# --- who a process is


def test_a_process_is_the_same_as_long_as_it_lives() -> None:
    with at_work(Path("/"), "cat") as known:
        first = identity(known.pid)
        assert first is not None
        assert identity(known.pid) == first
        assert is_alive(first)
    assert identity(known.pid) is None
    assert not is_alive(first)


def test_a_pid_alone_is_never_believed() -> None:
    me = identity(os.getpid())
    assert me is not None
    assert is_alive(me)
    assert not is_alive(me._replace(ticks=me.ticks - 1))
    assert not is_alive(me._replace(boot="another boot"))


def test_a_clock_that_is_set_makes_nobody_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's own `btime`, which all wall-clock starts come from, moves when the clock is set."""
    me, since = identity(os.getpid()), processes._booted()
    monkeypatch.setattr(processes, "_booted", lambda: since + 5)
    assert me is not None and is_alive(me) and identity(os.getpid()) == me


def test_a_process_serves_whom_it_descends_from_unless_it_is_in_a_session_of_its_own() -> None:
    with at_work(Path("/"), "cat") as helper, at_work(Path("/"), "setsid", "cat", name="cat") as job:
        assert serves(helper.pid, os.getpid()) and not serves(os.getpid(), helper.pid)
        assert not serves(job.pid, os.getpid()) and not serves(helper.pid, job.pid)
    assert serves(helper.pid, job.pid), "one that is over keeps nobody waiting"


def test_a_process_bears_what_it_was_given_in_its_environment() -> None:
    with at_work(Path("/"), "env", "MARK=größe", "setsid", "cat", name="cat") as known:
        assert bears(known.pid, "MARK", "größe") and not bears(known.pid, "MARK", "gr")
    assert not bears(known.pid, "MARK", "größe")


# --- what runs in a run tree


def test_jobs_get_the_trees_own_environment_and_no_other(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIRTUAL_ENV", str(lab.code / ".venv"))
    monkeypatch.setenv("PYTHONPATH", str(lab.code / "src"))
    lab.handmade_run_tree()
    env = for_jobs(RunTree.of(lab.project()))
    assert {"VIRTUAL_ENV", "PYTHONPATH"}.isdisjoint(env)
    answer = subprocess.run(
        ["python", "-c", "import process2p; print(process2p.__file__)"],
        cwd=lab.run,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(answer.stdout.strip()).is_relative_to(lab.run_code)


def test_a_datalad_run_is_told_from_other_work(lab: Lab) -> None:
    gate = lab.gate()
    command = plot_of(SUBJECTS[0], DRUGS[0], gate.words)
    path = {"PATH": os.pathsep.join([str(lab.code / ".venv" / "bin"), os.environ["PATH"]])}
    run = ["datalad", "-f", "disabled", "run", "-m", "a plot", command]
    with at_work(lab.main, "cat"), subprocess.Popen(run, cwd=lab.main, env=os.environ | path) as datalad:
        eventually(gate.reached)
        assert [process.pid for process in datalad_runs_in(lab.main)] == [datalad.pid]
        assert len(working_in(lab.main)) > 2
        assert datalad_runs_in(lab.run) == []
        gate.open()
    assert datalad.returncode == 0
    assert datalad_runs_in(lab.main) == []
