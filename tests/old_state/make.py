"""Makes the folder of one version here: ``python tests/old_state/make.py CHECKOUT VERSION``.

CHECKOUT is a checkout of that version with its environment in ``.venv``; nothing else of it is used than the
programs there. A small superdataset is made in a folder of its own, with a home of its own, and that
version's daemon, queue and jobs do real work in it. At two moments they are killed, and the project's state
is kept as it lies there then:

- ``running``: the daemon was killed while a job runs (and the job after it), and the bookmark had moved;
- ``moving``: that job ended, and ``wtwatch sync`` was killed as git began to check out the new code.

What is of this machine or differs from run to run and has to be right in a test is written as a word between
two @ (see PLACES below). The database is kept as the statements that make it, ``state.sql``.
"""

from __future__ import annotations

import json
import platform
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

CODE = {".gitignore": ".venv/\n", "requirements.txt": "# nothing\n", "a.py": "a = 1\n", "b.py": "b = 1\n"}
"""The files of code at the first commit; the second changes both modules."""

SETTINGS = 'settle = 0.5\nkeep_failed = 3\nprotected = [".venv", "local"]\nmerge_pointer = "run"\n'

PLACES = """\
@ROOT@  the folder that holds main/ (the superdataset) and main-runs/ (the run tree)
@OLD@   the commit of code that the run tree is at; @NEW@: where the bookmark went while the job ran
@BASE@  the commit of the superdataset's branch `runs` that the job was started on
@HOST@  the name of this machine; @BOOT@: of a start of it
"""


class Old:
    """A project that an old version works on."""

    def __init__(self, checkout: Path, root: Path) -> None:
        self.root = root
        self.main = root / "main"
        self.code = self.main / "code"
        self.runs = root / "main-runs"
        self.state = self.main / ".git" / "wtwatch" / "main"
        programs = f"{checkout / '.venv' / 'bin'}:/usr/local/bin:/usr/bin:/bin"
        self.env = {
            "HOME": str(root / "home"),
            "PATH": programs,
            "GIT_CONFIG_NOSYSTEM": "1",
            "LANG": "C.UTF-8",
        }
        (root / "home").mkdir()
        (root / "home" / ".gitconfig").write_text("[user]\n\tname = Author\n\temail = author@example.org\n")

    def run(self, *command: str, cwd: Path | None = None, code: int = 0, path: str = "") -> str:
        env = self.env | {"PATH": f"{path}{self.env['PATH']}"}
        done = subprocess.run(
            command, cwd=cwd or self.main, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout.strip()

    def wtwatch(self, *words: str, code: int = 0, path: str = "") -> str:
        return self.run("wtwatch", *words, code=code, path=path)

    def commit(self, revision: str, tree: Path) -> str:
        return self.run("git", "rev-parse", revision, cwd=tree)

    def write_code(self, number: int) -> None:
        for name, text in CODE.items():
            (self.code / name).write_text(text.replace("1", str(number)))
        self.run("git", "add", ".", cwd=self.code)
        self.run("git", "commit", "-q", "-m", f"version {number}", cwd=self.code)

    @contextmanager
    def daemon(self) -> Iterator[subprocess.Popen[bytes]]:
        """Have the daemon run while the body lasts, which may end it itself."""
        log = self.root / "daemon.log"
        with log.open("ab") as out:
            daemon = subprocess.Popen(
                ["wtwatch", "watch"], cwd=self.root, env=self.env, stdout=out, stderr=out
            )
        try:
            yield daemon
        except AssertionError:
            print(log.read_text(), file=sys.stderr)
            raise
        finally:
            daemon.terminate()
            daemon.wait()

    def state_of(self, job: int) -> str:
        jobs = json.loads(self.wtwatch("queue", "list", "--json"))["jobs"]
        return str(next(found["state"] for found in jobs if found["id"] == job))


def until(holds: Callable[[], object]) -> None:
    """Wait until ``holds`` says yes."""
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, "it does not come to that"
        time.sleep(0.05)


def make(checkout: Path, folder: Path) -> None:
    """Let the version of ``checkout`` work, and keep its state in ``folder``."""
    with tempfile.TemporaryDirectory() as name:
        old = Old(checkout, Path(name).resolve())
        begin(old)
        fill_the_queue(old)
        was_at = old.commit("HEAD", old.code)
        places = {str(old.root): "@ROOT@", platform.node(): "@HOST@", was_at: "@OLD@"}
        places[Path("/proc/sys/kernel/random/boot_id").read_text().strip()] = "@BOOT@"
        stop_while_a_job_runs(old)
        places[old.commit("HEAD", old.code)] = "@NEW@"
        places[old.commit("HEAD", old.runs)] = "@BASE@"
        keep(old.state, folder / "running", places)
        stop_in_the_midst_of_a_move(old)
        keep(old.state, folder / "moving", places)


def begin(old: Old) -> None:
    """Make the superdataset, and the project with settings of its own."""
    old.run("datalad", "create", str(old.main), cwd=old.root)
    old.run("datalad", "create", "--no-annex", "-d", ".", "code")
    old.write_code(1)
    old.run("datalad", "save", "-d", ".", "-m", "code")
    old.wtwatch("init", "--env", "python3 -m venv --without-pip .venv", "--no-hooks")
    with (old.state / "config.toml").open("a") as file:
        file.write(SETTINGS)


def fill_the_queue(old: Old) -> None:
    """Have a job of each kind: 1 succeeded, 2 failed twice, 3 was taken back, 4 waits for a move; s1."""
    with old.daemon():
        old.wtwatch("queue", "add", "-m", "make out", "-o", "out.txt", "--", "echo 1 > {outputs}")
        old.wtwatch("queue", "add", "-o", "bad.txt", "--", "echo half > bad.txt; exit 3")
        until(lambda: old.state_of(2) == "failed")
        old.wtwatch("queue", "retry", "2")
        until(lambda: old.state_of(2) == "failed")
    old.wtwatch("queue", "add", "--", "true")
    old.wtwatch("queue", "cancel", "3")
    old.wtwatch("queue", "add", "--on-move", "--", "echo later > later.txt")
    old.wtwatch(
        "queue", "add", "--every-move", "--each", "n=1,2", "-o", "s{n}.txt", "--", "echo {n} > {outputs}"
    )


def stop_while_a_job_runs(old: Old) -> None:
    """Start job 5 of two, move the bookmark, kill the daemon."""
    reached, gate = old.root / "reached", old.root / "gate"
    command = f"touch {reached}; while [ ! -e {gate} ]; do sleep 0.1; done; echo {{n}} > {{outputs}}"
    old.wtwatch("queue", "add", "--each", "n=5,6", "-o", "n{n}.txt", "--", command)
    with old.daemon() as daemon, closing(sqlite3.connect(old.state / "state.db")) as db:
        until(reached.exists)
        until(lambda: old.state_of(5) == "running")
        old.write_code(2)
        old.run("git", "branch", "-f", "runs", "HEAD", cwd=old.code)
        tip = "SELECT value FROM meta WHERE key = 'tip'"
        wanted = old.commit("runs", old.code)
        until(lambda: wanted in str(db.execute(tip).fetchone()))
        daemon.kill()


def stop_in_the_midst_of_a_move(old: Old) -> None:
    """Let job 5 end, take job 6 back, and kill `wtwatch sync` as git begins to check out."""
    (old.root / "gate").touch()
    until((old.state / "jobs" / "5.1" / "outcome").exists)
    old.wtwatch("queue", "cancel", "6")
    dying = old.root / "dying"
    dying.mkdir()
    git = shutil.which("git", path=old.env["PATH"])
    (dying / "git").write_text(
        f'#!/bin/sh\ncase " $* " in *" checkout "*) kill -9 $PPID;; *) exec {git} "$@";; esac\n'
    )
    (dying / "git").chmod(0o755)
    old.wtwatch("sync", code=-signal.SIGKILL, path=f"{dying}:")
    assert (old.state / "journal").exists()


def keep(state: Path, folder: Path, places: dict[str, str]) -> None:
    """Write what lies in ``state`` into ``folder``, as text in which the places have their words."""
    shutil.rmtree(folder, ignore_errors=True)
    words = re.compile("|".join(map(re.escape, sorted(places, key=len, reverse=True))))
    for file in sorted(state.rglob("*")):
        if file.is_file() and not file.name.startswith("."):
            database = file.name == "state.db"
            target = folder / (file.with_suffix(".sql") if database else file).relative_to(state)
            target.parent.mkdir(parents=True, exist_ok=True)
            text = statements(file) if database else file.read_text()
            target.write_text(words.sub(lambda found: places[found[0]], text))


def statements(file: Path) -> str:
    """Return the statements of SQL that make a database anew."""
    with closing(sqlite3.connect(file)) as db:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        return "\n".join([*db.iterdump(), f"PRAGMA user_version = {version};", ""])


if __name__ == "__main__":
    make(Path(sys.argv[1]).resolve(), Path(__file__).parent / sys.argv[2])
    (Path(__file__).parent / sys.argv[2] / "PLACES").write_text(PLACES)
