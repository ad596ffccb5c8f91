"""Who is busy in a tree: real processes, found by where they stand, what they write, what they name."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from tests.at_work import at_work
from tests.building import DRUGS, SUBJECTS
from tests.lab import Lab, eventually, plot_of
from wtwatch.doors.processes import identity
from wtwatch.doors.program import Asking
from wtwatch.project.config import PASSIVE, Project
from wtwatch.project.tree import RunTree
from wtwatch.tree.busy import datalad_runs_in, gits_in
from wtwatch.tree.busy import working_in as working_in_run_tree
from wtwatch.tree.busy import working_under as working_in

WAITS = "read -r line"


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
        assert abs(found.since.timestamp() - known.create_time()) < 2  # when the machine began is told anew
    assert working_in(tree) == []


def test_what_wtwatch_drives_is_no_stranger_until_its_wtwatch_is_gone(tree: Path) -> None:
    with Asking(["cat"], tree, os.environ, feed=True) as driven, at_work(tree, "cat") as foreign:
        pid = driven._process.pid
        eventually(lambda: psutil.Process(pid).name() == "cat")
        assert pids_in(tree) == [foreign.pid]
    start = f"Asking(['sleep', '60'], {str(tree)!r}, os.environ)"
    words = f"import os; from wtwatch.doors.program import Asking; print({start}._process.pid)"
    left = subprocess.run([sys.executable, "-c", words], capture_output=True, check=True, text=True)
    try:
        assert pids_in(tree) == [int(left.stdout)], "its wtwatch was killed"
    finally:
        os.kill(int(left.stdout), 9)


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
    asks = "import sys; from pathlib import Path; from wtwatch.tree.busy import working_under\n"
    asks += "print(*(process.pid for process in working_under(Path())))"
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


@pytest.mark.parametrize("options", [[], ["-s"], ["--norc"], ["--rcfile", "/dev/null"], ["-o", "emacs"]])
def test_a_shell_at_its_prompt_is_passive(tree: Path, options: list[str]) -> None:
    with at_work(tree, "bash", *options, tty=True):
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
    with at_work(tree, sys.executable, "-c", NAMELESS, name="bash", words=False) as known:
        eventually(lambda: not any(known.cmdline()))
        assert pids_in(tree, passive=PASSIVE) == [known.pid]


def test_a_command_of_a_passive_shell_is_at_work(tree: Path) -> None:
    ours, theirs = os.openpty()
    with subprocess.Popen(["bash"], cwd=tree, stdin=theirs) as shell:
        os.write(ours, b"cat < /dev/zero > /dev/null & wait\n")
        known = psutil.Process(shell.pid)
        (child,) = eventually(lambda: [child for child in known.children() if child.name() == "cat"])
        assert pids_in(tree, passive=PASSIVE) == [child.pid]
        child.kill()
        shell.kill()
    os.close(ours)
    os.close(theirs)


@pytest.mark.parametrize("options", [[], ["-s", "word"], ["-e"]])
def test_a_shell_that_is_fed_a_script_is_at_work(tree: Path, options: list[str]) -> None:
    with at_work(tree, "bash", *options) as known:  # as by `bash < batch.sh`, or from at(1)
        eventually(known.cmdline)
        assert pids_in(tree, passive=PASSIVE) == [known.pid]


def test_a_passive_script_is_known_though_its_interpreter_was_looked_up(tree: Path) -> None:
    """Of one that begins with `#!/usr/bin/env` the kernel has but the interpreter's name."""
    script = tree.parent / "pyright-langserver"
    script.write_text("#!/usr/bin/env python3\ninput()\n")
    script.chmod(0o755)
    python = tree.parent / "python3"
    python.symlink_to(sys.executable)
    with at_work(tree, python, script, name="python3") as known:
        eventually(known.cmdline)
        assert pids_in(tree) == [known.pid]
        assert pids_in(tree, passive=PASSIVE) == []
    (tree / "tail").mkdir()
    (tree / "tail" / "__main__.py").write_text("input()\n")
    with at_work(tree, python, "tail", name="python3") as known:
        assert pids_in(tree, passive=PASSIVE) == [known.pid], "a folder is a program of one's own"


# --- from elsewhere


HOLDS = "import sys, time; file = open(sys.argv[1], sys.argv[2]); input()"


@contextmanager
def holding(file: Path, mode: str, name: str = "python") -> Iterator[psutil.Process]:
    """Start a process in the root folder that has a file open."""
    program = file.parents[1] / name
    if not program.exists():
        program.symlink_to(sys.executable)
    with at_work(Path("/"), program, "-c", HOLDS, file, mode) as known:
        eventually(lambda: [one for one in Path(f"/proc/{known.pid}/fd").iterdir() if one.resolve() == file])
        yield known


@pytest.fixture
def file(tree: Path) -> Path:
    made = tree / "nohup.out"
    made.touch()
    return made.resolve()


@pytest.mark.parametrize(("mode", "busy"), [("w", True), ("a", True), ("r+", True), ("r", False)])
def test_a_process_is_found_by_a_file_it_has_open_for_writing(
    tree: Path, file: Path, mode: str, busy: bool
) -> None:
    with holding(file, mode) as known:
        assert pids_in(tree) == [known.pid] * busy
        assert pids_in(tree / "code") == []
        assert pids_in(tree, ignore=[known.pid]) == []
        file.unlink()
        assert pids_in(tree) == [], "what it writes into a removed file reaches nobody"


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="no disk in memory")
def test_a_tree_on_a_disk_in_memory_is_one_like_others() -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        tree = Path(folder) / "tree"
        tree.mkdir()
        with holding(tree / "out", "w") as known:
            assert pids_in(tree) == [known.pid]


def test_an_editor_that_holds_its_swap_file_open_is_passive(tree: Path, file: Path) -> None:
    with holding(file, "w", name="vim") as known:
        assert pids_in(tree) == [known.pid]
        assert pids_in(tree, passive=PASSIVE) == []


@pytest.mark.slow  # not every machine lets everybody make a namespace
def test_a_container_that_writes_into_the_tree_by_another_path_is_found(tree: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "mnt"
    elsewhere.mkdir()
    script = f'mount --bind "$1" "$2" && exec > "$2/code/out" && cd / && {WAITS}'
    names = [] if os.getuid() == 0 else ["--map-root-user"]
    command = ["unshare", *names, "--mount", "--", "sh", "-c", script, "sh"]
    with at_work(tmp_path, *command, tree, elsewhere, name="sh") as known:
        eventually((tree / "code" / "out").exists)
        eventually(lambda: known.cwd() == "/")
        assert pids_in(tree) == [known.pid]
        assert pids_in(tree / "code" / "src") == []


@pytest.fixture
def datalad(tmp_path: Path) -> Path:
    """A program of that name, a Python script as the real one is, that waits."""
    script = tmp_path / "datalad"
    script.write_text(f"#!{sys.executable}\ninput()\n")
    script.chmod(0o755)
    return script


@pytest.mark.parametrize(
    "said",
    [
        "run -d {tree} true",
        "run -d{tree} true",
        "run --dataset={tree} true",
        "run --dataset {tree}/code/.. true",
        "rerun -d {link}",
        "run -d {name} true",
        "run -d ./{name} true",
        "save {tree}/code",
        "run -o {tree}/not/there/yet true",
    ],
)
def test_a_datalad_that_names_the_tree_is_found_wherever_it_stands(
    tree: Path, datalad: Path, said: str, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(tree)
    words = [word.format(tree=tree, link=tmp_path / "link", name=tree.name) for word in said.split()]
    with at_work(tmp_path, datalad, *words) as known:
        assert pids_in(tree) == pids_in(tree, passive=PASSIVE) == [known.pid]


@pytest.mark.parametrize("said", ["run -d {beside} true", "run -m {name} true", "run true", "save -d ^"])
def test_a_datalad_that_names_something_else_is_elsewhere(
    tree: Path, datalad: Path, said: str, tmp_path: Path
) -> None:
    beside = tmp_path / "beside"
    beside.mkdir()
    words = [word.format(beside=beside, name=tree.name) for word in said.split()]
    with at_work(beside, datalad, *words):
        assert pids_in(tree) == []


def test_a_git_that_names_the_tree_is_found(tree: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tree)], check=True)
    words = [f"--git-dir={tree}/.git", f"--work-tree={tree}", "cat-file", "--batch"]
    with at_work(Path("/"), "git", *words) as known:
        assert pids_in(tree) == [known.pid]


@pytest.mark.parametrize(
    ("said", "busy"),
    [
        ("log --stdin", False),
        ("-C code -c core.pager=cat --no-pager show --stdin", False),
        ("grep -f -", False),
        ("cat-file --batch", True),
        ("-c a.b=log hash-object --stdin", True),
    ],
)
def test_a_git_that_only_shows_something_holds_nothing_up(tree: Path, said: str, busy: bool) -> None:
    subprocess.run(["git", "init", "-q", str(tree)], check=True)
    with at_work(tree, "git", *said.split()) as known:
        eventually(lambda: known.cmdline()[:1] == ["git"])
        assert pids_in(tree) == [known.pid] * busy


def test_what_starts_one_datalad_after_another_is_found_between_two(tree: Path, datalad: Path) -> None:
    loop = f"{WAITS}; for s in 1 2; do {datalad} run -d '{tree}/code' plot $s; done"
    (tree.parent / "link").symlink_to(tree)
    other_loop = f"{WAITS}; while ({datalad} rerun --dataset={tree.parent}/link);do :;done"
    with (
        at_work(Path("/"), "xargs", datalad, "run", "-d", tree) as known,
        at_work(Path("/"), "bash", "-c", loop) as script,
        at_work(Path("/"), "sh", "-c", other_loop) as other,
    ):
        assert set(pids_in(tree, passive=PASSIVE)) == {known.pid, script.pid, other.pid}


def test_a_program_that_only_speaks_of_the_tree_is_elsewhere(tree: Path) -> None:
    with at_work(Path("/"), "sh", "-c", WAITS, "sh", tree), at_work(Path("/"), "bash", "-c", WAITS, "git"):
        assert pids_in(tree) == []


# --- who waits for wtwatch


@pytest.fixture
def wtwatch(tmp_path: Path) -> Path:
    script = tmp_path / "wtwatch"
    script.write_text(f"#!{sys.executable}\ninput()\n")
    script.chmod(0o755)
    return script


def test_a_script_that_waits_for_its_jobs_does_not_hold_them_up(tree: Path, wtwatch: Path) -> None:
    script = f"{wtwatch} queue wait; true"
    with at_work(tree / "code", "bash", "-c", script) as known:
        eventually(lambda: [child for child in known.children() if child.name() == "wtwatch"])
        eventually(lambda: pids_in(tree, passive=PASSIVE) == [])
        for child in known.children():
            child.kill()
    with at_work(tree / "code", "bash", "-c", script.replace("queue wait", "queue list")) as known:
        (child,) = eventually(lambda: [one for one in known.children() if one.name() == "wtwatch"])
        assert pids_in(tree, passive=PASSIVE) == [known.pid]
        child.kill()


@pytest.mark.parametrize(
    ("reader", "busy"), [("tee", False), ("cat", False), ("while read -r line; do :; done", True)]
)
def test_who_only_passes_on_what_a_waiting_one_says_holds_nothing_up(
    tree: Path, wtwatch: Path, reader: str, busy: bool
) -> None:
    """`queue wait | tee log` stands still; what may work at each line does not."""
    last = "bash" if busy else reader
    with at_work(tree / "code", "bash", "-c", f"{wtwatch} queue wait | {reader}; true") as known:
        waits = eventually(lambda: child_of(known, "wtwatch"))
        reads = eventually(lambda: child_of(known, last))
        eventually(lambda: (reads in pids_in(tree, passive=PASSIVE)) == busy)
        for pid in (reads, waits):  # the reader first: it ends by itself with what it reads from
            with suppress(psutil.NoSuchProcess):
                psutil.Process(pid).kill()


def child_of(process: psutil.Process, name: str) -> int | None:
    """Return the pid of a child of that name, once there is one."""
    with suppress(psutil.Error):
        return next((child.pid for child in process.children() if child.name() == name), None)
    return None


def test_wtwatch_itself_holds_nothing_up(tree: Path, wtwatch: Path) -> None:
    with at_work(tree, wtwatch, "watch"):
        assert pids_in(tree) == []


def test_who_works_there_is_told_with_what_was_started(tree: Path, tmp_path: Path) -> None:
    project = Project("p", tmp_path / "state", tmp_path / "main", tree)
    with at_work(tree, "cat", "-") as known:
        (found,) = working_in_run_tree(RunTree.of(project))
        assert (found.pid, found.name, found.command) == (known.pid, "cat", "cat -")
        assert working_in_run_tree(RunTree.of(project), ignore=[known.pid]) == []


# --- datalad runs


@pytest.mark.parametrize(
    ("said", "under_way"),
    [
        ("run -d {tree} true", True),
        ("containers-run --dataset={tree}/code true", True),
        ("-l warning rerun -d{tree}", True),
        ("run -d {beside} -i {tree}/code true", False),
        ("save -d {tree}", False),
    ],
)
def test_a_datalad_run_is_under_way_in_its_dataset(
    tree: Path, datalad: Path, tmp_path: Path, said: str, under_way: bool
) -> None:
    words = [word.format(tree=tree, beside=tmp_path) for word in said.split()]
    with at_work(Path("/"), datalad, *words) as known:
        assert [process.pid for process in datalad_runs_in(tree)] == [known.pid] * under_way


def test_what_only_has_its_log_in_a_tree_is_no_run_and_no_git_of_that(
    tree: Path, datalad: Path, tmp_path: Path
) -> None:
    (tree / ".git").mkdir()
    logs = f"exec > {shlex.quote(str(tree / '.git' / 'log'))} && exec"
    beside = tmp_path / "beside"
    subprocess.run(["git", "init", "-q", str(beside)], check=True)
    with (
        at_work(beside, "sh", "-c", f"{logs} {datalad} run true", name="datalad") as run,
        at_work(beside, "sh", "-c", f"{logs} git cat-file --batch", name="git") as git,
    ):
        assert set(pids_in(tree)) == {run.pid, git.pid}
        assert datalad_runs_in(tree) == gits_in(tree) == []
        assert [process.pid for process in gits_in(beside)] == [git.pid]


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_datalad_run_is_told_from_other_work(lab: Lab, elsewhere: bool) -> None:
    gate = lab.gate()
    command = plot_of(SUBJECTS[0], DRUGS[0], gate.words)
    path = {"PATH": os.pathsep.join([str(lab.code / ".venv" / "bin"), os.environ["PATH"]])}
    run = ["datalad", "-f", "disabled", "run", "-m", "a plot"]
    run += ["-d", str(lab.main), f"cd {lab.main}; {command}"] if elsewhere else [command]
    where = Path("/") if elsewhere else lab.main
    with at_work(lab.main, "cat"), subprocess.Popen(run, cwd=where, env=os.environ | path) as datalad:
        eventually(gate.reached)
        assert [process.pid for process in datalad_runs_in(lab.main)] == [datalad.pid]
        assert len(working_in(lab.main)) > 2
        assert datalad_runs_in(lab.run) == []
        gate.open()
    assert datalad.returncode == 0
    assert datalad_runs_in(lab.main) == []
