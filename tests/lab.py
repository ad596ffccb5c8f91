"""The test house: a scientist's project to work in, built by ``building.py``, in the sealed ``room.py``.

A test asks for one of the fixtures of ``conftest.py`` (``lab``: code/ driven by git; ``jj_lab``; ``any_lab``:
both; ``make_lab``: wherever it likes) and works on its own copy, with real tools throughout.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import psutil
import pytest

from tests import building
from tests.building import DRUGS, SUBJECTS
from wtwatch.doors.clock import instant
from wtwatch.doors.files import holder
from wtwatch.project.config import Project, daemon_file, host
from wtwatch.words.model import Sha

T = TypeVar("T")
Driver = Literal["git", "jj"]

PATIENCE = 120.0
"""Seconds after which a command is taken to hang."""

FILES = ("04_dataframes/{subject}/{drug}/F.pkl", "inputs/L5b_2p/{subject}/{drug}/data.bin")
FIGURE = "05_visualization/{subject}/{drug}/F.svg"


def eventually(holds: Callable[[], T], within: float = 60.0) -> T:
    """Return what ``holds`` says as soon as it is true; fail the test after ``within`` seconds.

    What it waits for has half of the time to itself, where asking takes long.
    """
    deadline = time.monotonic() + within
    while True:
        asked = time.monotonic()
        if value := holds():
            return value
        now = time.monotonic()
        if now > deadline:
            line = getattr(getattr(holds, "__code__", None), "co_firstlineno", "?")  # which of many lambdas
            pytest.fail(f"still not so after {within} s: {holds} of line {line} said {value!r}")
        time.sleep(max(0.02, now - asked))


def plot(files: str, figure: str, options: str = "") -> str:
    """Return the command that makes ``figure``; for ``options`` see ``sample/process2p/plot.py``."""
    return " ".join(filter(None, ("python code/src/process2p/plot.py", options, files, figure)))


def plot_of(subject: str, drug: str, options: str = "") -> str:
    """Return the command that plots one subject and drug."""
    files, figure = (text.format(subject=subject, drug=drug) for text in (" ".join(FILES), FIGURE))
    return plot(files, figure, options)


class Said(NamedTuple):
    """What a command answered."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Gate:
    """A place where a job waits until the test lets it go on; see ``--until`` of ``plot.py``."""

    file: Path

    @property
    def words(self) -> str:
        return f"--until {shlex.quote(str(self.file))}"

    def reached(self) -> bool:
        return self.file.with_name(self.file.name + ".reached").exists()

    def open(self) -> None:
        self.file.touch()


@dataclass(frozen=True)
class Lab:
    """A superdataset `L5b` with subdatasets inputs/L5b_2p and code.

    The run tree is not made yet, but in what a bench is made of (kind "run").
    """

    root: Path
    driver: Driver = "git"

    @classmethod
    def copied(cls, template: Path, root: Path, driver: Driver) -> Lab:
        """Put a project at ``root`` as the template has it, with an environment in main's code/."""
        building.copy(template, root)
        lab = cls(root, driver)
        trees = [lab.main, lab.inputs, lab.code]
        if lab.run.exists():
            building.join(root)
            trees += [root / tree for tree in building.RUN_TREES]
        # A copy has other inodes than its index says. What is annexed in it is locked, so git-annex's filter,
        # which takes 60 ms to start, has no word in that.
        plain = ("-c", "filter.annex.process=", "-c", "filter.annex.clean=cat")
        refresh = ("git", *plain, "update-index", "-q", "--refresh")
        for tree, refreshing in [(tree, subprocess.Popen(refresh, cwd=tree)) for tree in trees]:
            assert refreshing.wait(PATIENCE) == 0, tree
        lab.say("uv", "sync", "--quiet", cwd=lab.code)
        return lab

    @property
    def main(self) -> Path:
        return self.root / "L5b"

    @property
    def code(self) -> Path:
        return self.main / "code"

    @property
    def inputs(self) -> Path:
        return self.main / "inputs" / "L5b_2p"

    @property
    def run(self) -> Path:
        """Where `wtwatch init` puts the run tree, unless told otherwise."""
        return self.root / "L5b-runs"

    @property
    def run_code(self) -> Path:
        return self.run / "code"

    def project(self, **changes: Any) -> Project:
        """Return the settings that `wtwatch init` would write; nothing is written here."""
        state = self.main / ".git" / "wtwatch" / "L5b"
        return Project("L5b", state, self.main, self.run, host=host())._replace(**changes)

    def say(
        self,
        *command: str,
        cwd: Path | None = None,
        code: int | Collection[int] = 0,
        env: Mapping[str, str] | None = None,
        stdin: str | None = None,
    ) -> Said:
        """Run a command (in the main tree, unless told otherwise); fail the test on another exit code."""
        done = subprocess.run(
            command,
            cwd=cwd or self.main,
            env=os.environ | dict(env or {}),
            input=stdin if stdin is not None else "",
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            timeout=PATIENCE,
            check=False,
        )
        if done.returncode not in ([code] if isinstance(code, int) else code):
            pytest.fail(f"{command} in {cwd}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
        return Said(done.returncode, done.stdout, done.stderr)

    def git(self, *args: str, cwd: Path | None = None, code: int | Collection[int] = 0) -> str:
        return self.say("git", *args, cwd=cwd, code=code).out.removesuffix("\n")

    def jj(self, *args: str, cwd: Path | None = None, code: int | Collection[int] = 0) -> str:
        return self.say("jj", *args, cwd=cwd or self.code, code=code).out.removesuffix("\n")

    def datalad(self, *args: str, cwd: Path | None = None, code: int | Collection[int] = 0) -> str:
        return self.say("datalad", *args, cwd=cwd, code=code).out

    def wtwatch(
        self,
        *args: str,
        cwd: Path | None = None,
        code: int | Collection[int] = 0,
        env: Mapping[str, str] | None = None,
        stdin: str | None = None,
    ) -> Said:
        """Run the real command line; no traceback may ever show."""
        said = self.say(*_wtwatch(*args), cwd=cwd, code=code, env=env, stdin=stdin)
        assert "Traceback (most recent call last)" not in said.err, said.err
        return said

    def status(self, name: str = "L5b") -> dict[str, Any]:
        """Return what `wtwatch status --json` says of one project."""
        answer = json.loads(self.wtwatch("status", "--json", code=(0, 1)).out)
        return next(project for project in answer["projects"] if project["name"] == name)

    def jobs(self) -> list[dict[str, Any]]:
        """Return what `wtwatch queue list --json` says of all jobs."""
        found: list[dict[str, Any]] = json.loads(self.wtwatch("queue", "list", "--json").out)["jobs"]
        return found

    def queue_plots(
        self,
        *words: str,
        subjects: Collection[str] = SUBJECTS,
        drugs: Collection[str] = DRUGS,
        options: str = "",
        code: int = 0,
    ) -> Said:
        """Queue one plot for each subject and drug; ``words`` go before, ``options`` to ``plot.py``."""
        declared = [word for file in FILES for word in ("-i", file)]
        each = ["--each", f"subject={','.join(subjects)}", "--each", f"drug={','.join(drugs)}"]
        command = plot("{inputs}", "{outputs}", options)
        return self.wtwatch("queue", "add", *words, *declared, "-o", FIGURE, *each, "--", command, code=code)

    def gate(self, name: str = "gate") -> Gate:
        """Return a gate for jobs: `options=gate.words`. It lies outside all datasets."""
        return Gate(self.root / name)

    def change_code(self, version: str, message: str) -> Sha:
        """Edit VERSION in main's code/ and commit it; return the new commit. The bookmark stays."""
        self.edit_version(version)
        if self.driver == "jj":
            self.jj("commit", "--quiet", "-m", message)
            return self.commit("HEAD")  # a colocated jj keeps HEAD at @-
        self.git("commit", "--quiet", "--all", "-m", message, cwd=self.code)
        return self.commit("HEAD")

    def amend_code(self, version: str) -> Sha:
        """Rewrite the newest code commit with another VERSION; return what it became."""
        self.edit_version(version)
        if self.driver == "jj":
            self.jj("squash", "--quiet")
        else:
            self.git("commit", "--quiet", "--all", "--amend", "--no-edit", cwd=self.code)
        return self.commit("HEAD")

    def edit_version(self, version: str, tree: Path | None = None) -> None:
        """Write another VERSION into a work tree of code (default: main's), and commit nothing."""
        file = (tree or self.code) / "src" / "process2p" / "version.py"
        file.write_text(
            f'"""What changes from one release of the analysis to the next."""\n\nVERSION = "{version}"\n'
        )

    def move_bookmark(self, rev: str | None = None, bookmark: str = "runs") -> Sha:
        """Point the bookmark to ``rev`` (default: the newest commit), by the tool that drives code/."""
        if self.driver == "jj":
            self.jj("bookmark", "set", "--quiet", "--allow-backwards", bookmark, "-r", rev or "@-")
        else:
            self.git("branch", "--quiet", "--force", bookmark, rev or "HEAD", cwd=self.code)
        return self.commit(f"refs/heads/{bookmark}")

    def commit(self, revision: str, tree: Path | None = None) -> Sha:
        """Return the id of a commit, of main's code/ unless told otherwise."""
        return Sha(self.git("rev-parse", "--verify", f"{revision}^{{commit}}", cwd=tree or self.code))

    def handmade_run_tree(self) -> None:
        """Make the nested run tree as one does by hand: everything, code too, is *on* branch `runs`."""
        self.move_bookmark()
        self.git("worktree", "add", "--quiet", "-b", "runs", str(self.run))
        self.git(
            "worktree", "add", "--quiet", "-b", "runs", str(self.run / "inputs" / "L5b_2p"), cwd=self.inputs
        )
        self.git("worktree", "add", "--quiet", str(self.run_code), "runs", cwd=self.code)
        self.say("uv", "sync", "--quiet", cwd=self.run_code)

    @contextmanager
    def daemon(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run `wtwatch watch` as a process of its own while the body lasts; then it must stop well.

        The body may end it itself, by SIGKILL say. What it logged is shown with a test that fails.
        """
        with running_daemon(self.root) as daemon:
            yield daemon

    def clear_out(self) -> None:
        """End what still works in this lab: jobs outlive the daemon, and a failed test leaves them."""
        for process in psutil.process_iter():
            try:
                if Path(process.cwd()).is_relative_to(self.root) and process.pid != os.getpid():
                    process.kill()
            except (psutil.Error, OSError):
                continue


@contextmanager
def running_daemon(
    root: Path, env: Mapping[str, str] | None = None, before: str = ""
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `wtwatch watch` in the folder ``root``, which gets its log; see :meth:`Lab.daemon`.

    ``before``: what Python shall do in that process first.
    """
    program = (
        f"{before}\nimport sys\nfrom wtwatch.__main__ import main\nsys.argv = ['wtwatch', 'watch']\nmain()"
    )
    log, begun = root / "daemon.log", instant().seconds
    with log.open("ab") as out:
        daemon = subprocess.Popen(
            [sys.executable, "-P", "-c", program] if before else _wtwatch("watch"),
            cwd=root,
            env=os.environ | dict(env or {}),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    try:
        eventually(lambda: daemon.poll() is not None or _says_it_runs(daemon.pid, begun))
        assert daemon.poll() in (None, -9), f"the daemon ended with {daemon.returncode}"
        yield daemon
        if daemon.poll() is None:
            daemon.terminate()
        assert daemon.wait(60) in (0, -9), f"the daemon ended with {daemon.returncode}"
    finally:
        daemon.kill()
        daemon.wait()
        print(f"--- log of the daemon, pid {daemon.pid}", log.read_text(errors="replace"), sep="\n")


def _wtwatch(*args: str) -> list[str]:
    return [sys.executable, "-P", "-m", "wtwatch", *args]


def _says_it_runs(pid: int, begun: float) -> bool:
    """Return whether a daemon says so itself: what the one before said is there for a moment more."""
    text = daemon_file().read_text() if holder(daemon_file()) == pid else ""
    with suppress(ValueError):  # it is writing just now
        beat = json.loads(text).get("beat")  # version 0.1.0 has none
        return beat is None or beat["seconds"] >= begun
    return False
