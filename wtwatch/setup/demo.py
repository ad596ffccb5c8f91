"""A small project and the story played on it: real git, jj (where installed), DataLad, git-annex, uv, daemon.

Everything lies in one folder, a home of its own included, so that nothing of the user's is touched.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from wtwatch.bring import wrote
from wtwatch.doors.repo import Repo
from wtwatch.doors.toolenv import for_tools
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Sha

SUBJECTS = ("240226I", "240227J", "240229K")
DRUGS = ("LSD", "Saline")
BROKEN = "240227J/LSD"
"""The recording that the first version of the code cannot read."""

_PROJECT = """
[project]
name = "traces"
version = "0.1.0"
requires-python = ">=3.11"

[build-system]
requires = ["uv_build>={low},<{high}"]
build-backend = "uv_build"
"""

_PLOT = '''
"""Draw a recording as a row of bars."""

import sys
import time
from pathlib import Path

BARS = "{bars}"


def main(source: str, target: str) -> None:
    samples = [{read} for line in Path(source).read_text().split()]
    top = max(samples)
    row = "".join(BARS[int(sample / top * (len(BARS) - 1))] for sample in samples)
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    Path(target).write_text(row + "\\n")
    time.sleep(0.3)  # a real one takes hours


main(*sys.argv[1:])
'''

_MEAN = '''
"""Write the mean of a recording."""

import sys
from pathlib import Path

source, target = map(Path, sys.argv[1:])
samples = [float(line.replace(",", ".")) for line in source.read_text().split()]
target.parent.mkdir(parents=True, exist_ok=True)
target.write_text(f"{{sum(samples) / len(samples):.{digits}f}}\\n")
'''

Narrator = Callable[[str, str], None]
"""Called with a kind ("chapter", "word", "command", "said") and a text."""


class Stage:
    """The folder that the story plays in, and the daemon. Used as a context: ends the daemon it started.

    ``as_folder``: code is a folder of the superdataset, which git drives, and no subdataset.
    """

    def __init__(self, folder: Path, narrate: Narrator, as_folder: bool = False) -> None:
        self.folder = folder
        self.narrate = narrate
        self.as_folder = as_folder
        self.bookmark = "runs-code" if as_folder else "runs"
        self.main = folder / "study"
        self.code = self.main / "code"
        self.run_tree = folder / "study-runs"
        self.jj = shutil.which("jj") is not None and not as_folder
        self.versions: list[str] = []
        self._env = _sealed(folder)
        self._daemon: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._daemon is not None:
            self._daemon.send_signal(signal.SIGTERM)
            self._daemon.wait(timeout=30)

    def chapter(self, title: str, *words: str) -> None:
        """Open a part of the story."""
        self.narrate("chapter", title)
        self.tell(*words)

    def tell(self, *words: str) -> None:
        """Explain."""
        for word in words:
            for line in textwrap.wrap(word, 100):
                self.narrate("word", line)

    def do(
        self, *words: str, ok: tuple[int, ...] = (0,), show: bool = True, where: Path | None = None
    ) -> str:
        """Run a command in the main tree as the user would, and show it; return what it printed.

        Raises :class:`WtwatchError` if its exit code is not in ``ok``.
        """
        if show:
            self.narrate("command", shlex.join(words))
        call = [sys.executable, "-m", "wtwatch", *words[1:]] if words[0] == "wtwatch" else list(words)
        done = subprocess.run(
            call, cwd=where or self.main, env=self._env, capture_output=True, text=True, check=False
        )
        said = (done.stdout + done.stderr).rstrip("\n")
        if done.returncode not in ok:
            raise WtwatchError(f"`{shlex.join(words)}` ended with {done.returncode}:\n{said}\n{self.log()}")
        if show and said:
            self.narrate("said", said)
        return said

    def start_daemon(self) -> None:
        """Start the daemon as a process of its own, and wait until it watches."""
        self.narrate("command", "wtwatch watch &")
        with (self.folder / "daemon.log").open("wb") as log:
            self._daemon = subprocess.Popen(
                [sys.executable, "-m", "wtwatch", "watch"],
                cwd=self.folder,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.until("the daemon watches", lambda: bool(self.status()["daemon"]["running"]))

    def status(self) -> dict[str, Any]:
        """Return ``wtwatch status --json``."""
        document: dict[str, Any] = json.loads(self.do("wtwatch", "status", "--json", ok=(0, 1), show=False))
        return document

    def jobs(self) -> list[dict[str, Any]]:
        """Return the jobs of ``wtwatch queue list --json``."""
        listed: list[dict[str, Any]] = json.loads(self.do("wtwatch", "queue", "list", "--json", show=False))[
            "jobs"
        ]
        return listed

    def until(self, what: str, holds: Callable[[], bool], within: float = 60.0) -> float:
        """Wait for something; return after how many seconds it held. Raises :class:`WtwatchError`."""
        began = time.monotonic()
        while not holds():
            if time.monotonic() - began > within:
                raise WtwatchError(f"After {within:.0f} s it is still not so that {what}.\n{self.log()}")
            time.sleep(0.02)
        return time.monotonic() - began

    def log(self) -> str:
        """Return what the daemon logged."""
        file = self.folder / "daemon.log"
        return file.read_text(errors="replace") if file.exists() else ""


def _sealed(folder: Path) -> dict[str, str]:
    home = folder / "home"
    home.mkdir()
    name, mail = "Demo Scientist", "demo@example.org"
    (home / ".gitconfig").write_text(
        f'[user]\nname = "{name}"\nemail = "{mail}"\n[init]\ndefaultBranch = main\n'
    )
    (home / "jj.toml").write_text(f'[user]\nname = "{name}"\nemail = "{mail}"\n[ui]\npaginate = "never"\n')
    env = {key: value for key, value in for_tools().items() if not key.startswith(("XDG_", "GIT_", "JJ_"))}
    bin_folder = str(Path(sys.executable).parent)
    return env | {
        "HOME": str(home),
        "PATH": os.pathsep.join([env["PATH"], bin_folder]),
        "JJ_CONFIG": str(home / "jj.toml"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "UV_PYTHON": sys.executable,
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_OFFLINE": "1",
        "UV_CACHE_DIR": str(home / ".cache" / "uv"),
        "DATALAD_UI_PROGRESSBAR": "none",
        "PYTHONWARNINGS": "ignore",
        "NO_COLOR": "1",
    }


def play(stage: Stage) -> None:
    """Play the story from an empty folder to results in the main tree."""
    if shutil.which("uv", path=stage._env["PATH"]) is None:
        raise WtwatchError("The demo sets up a uv project, but uv is not on PATH.", "pip install uv")
    began = time.monotonic()
    how = "in the folder code/" if stage.as_folder else "as a subdataset"
    stage.chapter(
        "A superdataset",
        f"with annexed recordings of three subjects under two drugs, and its code {how}"
        + (" that jj drives." if stage.jj else "."),
    )
    _build(stage)
    stage.tell(f"({stage.main}, made in {time.monotonic() - began:.1f} s)")

    stage.chapter(
        "A run tree",
        f"Worktrees beside the main tree, at the bookmark `{stage.bookmark}`, with a .venv of their own.",
    )
    stage.do("wtwatch", "init")
    stage.start_daemon()

    stage.chapter("A standing batch", "One job for each subject and drug, at every move of the bookmark.")
    stage.do(
        *("wtwatch", "queue", "add", "--every-move", "-m", "Plot {s}, {d}"),
        *("-i", "recordings/{s}/{d}.txt", "-o", "plots/{s}/{d}.txt"),
        *("--each", f"s={','.join(SUBJECTS)}", "--each", f"d={','.join(DRUGS)}"),
        *("--", "python", "code/src/traces/plot.py", "{inputs}", "{outputs}"),
    )

    stage.chapter(
        "A first version of the code", "Commit, move the bookmark: the run tree follows, the batch starts."
    )
    _write_code(stage, bars="_-=#", read="float(line)")
    _commit(stage, "plot: four levels")
    _release(stage)

    stage.chapter(
        "Work goes on while it runs",
        "The same commit is rewritten and the bookmark moves to it. The batch keeps its code to its end.",
    )
    stage.until("a job runs", lambda: any(job["state"] == "running" for job in stage.jobs()))
    _write_code(stage, bars="▁▂▃▄▅▆▇█", read='float(line.replace(",", "."))')
    _rewrite(stage, "plot: eight levels, decimal commas too")
    stage.do("wtwatch", "release")
    entry = stage.status()["projects"][0]
    stage.tell(f"The run tree is {entry['freshness']}: {entry['reason'] or 'it follows at once'}.")

    stage.chapter("Both batches", "One recording has decimal commas, which the first version cannot read.")
    # it exits 0 where the job that fails was over before the wait began, as on a slow machine
    stage.do("wtwatch", "queue", "wait", ok=(0, 1))
    if "failed (exit 1)" not in (listed := stage.do("wtwatch", "queue", "list")):
        raise WtwatchError(f"No job failed, though one had to:\n{listed}")
    stage.do("wtwatch", "ack", "--all")

    stage.chapter("Results come home")
    stage.do("wtwatch", "merge")
    stage.do("cat", f"plots/{BROKEN}.txt", "plots/240226I/Saline.txt")

    _touch(stage)

    stage.chapter("Where things stand")
    stage.do("wtwatch", "status")
    stage.do("git", "log", "--oneline", "--graph", "-n", "20")


def _touch(stage: Stage) -> None:
    """Tell what a move starts where results are declared to nobody: exactly what it touches."""
    stage.chapter(
        "Exactly what a change touches",
        "wtwatch saw which files of code each job opened, so nobody has to say what depends on what. "
        "Another script comes, with results of its own, and a standing order for whatever gets stale.",
    )
    stage.do("wtwatch", "queue", "cancel", "s1")
    _write_means(stage, digits=1)
    _commit(stage, "mean: one number for each subject")
    stage.do("wtwatch", "release")
    stage.do(
        *("wtwatch", "queue", "add", "-m", "Mean of {s}", "--each", f"s={','.join(SUBJECTS)}"),
        *("-i", "recordings/{s}/LSD.txt", "-o", "means/{s}.txt"),
        *("--", "python", "code/src/traces/mean.py", "{inputs}", "{outputs}"),
    )
    stage.do("wtwatch", "queue", "wait")
    stage.do("wtwatch", "queue", "rerun", "--stale", "--every-move")
    stage.tell("Now that script alone is changed: of nine results only its three are made anew.")
    _write_means(stage, digits=3)
    _commit(stage, "mean: three digits")
    _release(stage)
    stage.do("wtwatch", "queue", "wait")
    stage.do("wtwatch", "merge")
    stage.do("wtwatch", "show", f"means/{SUBJECTS[0]}.txt")


def _write_means(stage: Stage, digits: int) -> None:
    file = stage.code / "src" / "traces" / "mean.py"
    file.write_text(_MEAN.format(digits=digits).lstrip())
    if not stage.jj:
        stage.do("git", "add", str(file), show=False, where=stage.code)


def _build(stage: Stage) -> None:
    kind = ("-c", "yoda") if stage.as_folder else ()
    stage.do("datalad", "-f", "disabled", "create", *kind, str(stage.main), show=False, where=stage.folder)
    for number, subject in enumerate(SUBJECTS):
        for drug in DRUGS:
            file = stage.main / "recordings" / subject / f"{drug}.txt"
            file.parent.mkdir(parents=True, exist_ok=True)
            samples = [f"{(step * (7 + number) + len(drug)) % 23 / 10 + 0.1:.1f}" for step in range(40)]
            text = "\n".join(samples)
            file.write_text(text.replace(".", ",") if f"{subject}/{drug}" == BROKEN else text)
    if not stage.as_folder:
        stage.do("datalad", "-f", "disabled", "create", "-d", ".", "--no-annex", "code", show=False)
    low, high = _uv_range(stage)
    (stage.code / "pyproject.toml").write_text(_PROJECT.format(low=low, high=high))
    (stage.code / ".gitignore").write_text(".venv/\n__pycache__/\n")
    (stage.code / "src" / "traces").mkdir(parents=True)
    (stage.code / "src" / "traces" / "__init__.py").write_text("")
    _write_code(stage, bars="_#", read="float(line)")
    stage.do("uv", "lock", "-q", show=False, where=stage.code)
    if not stage.as_folder:
        stage.do("git", "add", "-A", show=False, where=stage.code)
        stage.do("git", "commit", "-q", "-m", "plot: two levels", show=False, where=stage.code)
    if stage.jj:
        stage.do("jj", "git", "init", "--colocate", show=False, where=stage.code)
    stage.do("datalad", "-f", "disabled", "save", "-d", ".", "-m", "Recordings and code", show=False)


def _uv_range(stage: Stage) -> tuple[str, str]:
    """Return the versions of uv_build that the installed uv brings itself, so that nothing is downloaded."""
    found = re.search(r"(\d+)\.(\d+)\.(\d+)", stage.do("uv", "--version", show=False))
    assert found
    major, minor, patch = (int(part) for part in found.groups())
    return f"{major}.{minor}.{patch}", f"{major}.{minor + 1}"


def _write_code(stage: Stage, bars: str, read: str) -> None:
    (stage.code / "src" / "traces" / "plot.py").write_text(_PLOT.format(bars=bars, read=read).lstrip())


def _commit(stage: Stage, message: str) -> None:
    words = ("jj", "commit", "-m", message) if stage.jj else ("git", "commit", "-q", "-a", "-m", message)
    stage.do(*words, where=stage.code)


def _rewrite(stage: Stage, message: str) -> None:
    if stage.jj:
        stage.do("jj", "squash", "-m", message, where=stage.code)
    else:
        stage.do("git", "commit", "-q", "--amend", "-a", "-m", message, where=stage.code)


def _release(stage: Stage) -> None:
    stage.do("wtwatch", "release")
    repo = Repo(stage.main if stage.as_folder else stage.code)
    tip = repo.resolve(f"refs/heads/{stage.bookmark}")
    where = Repo(stage.run_tree if stage.as_folder else stage.run_tree / "code")
    there = f"refs/wtwatch/{stage.main.name}/applied" if stage.as_folder else "HEAD"
    seconds = stage.until("the run tree follows", lambda: where.resolve(there) == tip)
    stage.tell(f"The run tree stands at {tip and tip[:10]}, {seconds * 1000:.0f} ms after the command ended.")


def broken_promises(stage: Stage) -> list[str]:
    """Return what of the story did not come out as promised."""
    jobs = stage.jobs()
    by_batch = [
        [job for job in jobs if job["batch"] == batch] for batch in sorted({job["batch"] for job in jobs})
    ]
    main, code = Repo(stage.main), Repo(stage.code)
    entry = stage.status()["projects"][0]
    checks: Mapping[str, bool] = {
        "There are two batches of six jobs, then one of three, and what a change to that touched.": (
            [len(batch) for batch in by_batch] == [6, 6, 3, 3]
        ),
        "Each batch ran on one code commit, and each on another.": (
            [len({job["code"] for job in batch}) for batch in by_batch] == [1] * 4
            and len({job["code"] for job in jobs}) == 4
        ),
        "Each result commit names the code that ran, in its first parent.": all(
            _code_that_ran(stage, commit) == job["code"] for job in jobs for commit in job["commits"]
        ),
        "In the first batch one job failed and five succeeded.": _words(by_batch[0])
        == ["failed", *["succeeded"] * 5],
        "In the second batch all six succeeded.": _words(by_batch[1]) == ["succeeded"] * 6,
        "After a change to one script its three results alone were made anew.": (
            _words(by_batch[-1]) == ["succeeded"] * 3
            and all("mean.py" in job["command"] for job in by_batch[-1])
        ),
        "Code that results name is kept by a ref.": all(
            code.refs(f"refs/wtwatch/keep/{job['code']}") for job in jobs
        ),
        "The run tree is at the tip, with its pointer saved.": (
            entry["freshness"] == "fresh"
            and entry["pointer"]["saved"]
            and entry["environment"]["state"] == "ok"
        ),
        "All results are in the main tree.": entry["results"]["ahead"] == 0
        and (stage.main / "plots" / f"{BROKEN}.txt").exists(),
        "The main tree's files are as committed.": not main.changes("--ignore-submodules").edited,
    }
    return [promise for promise, kept in checks.items() if not kept]


def _words(batch: list[dict[str, Any]]) -> list[str]:
    return sorted(job["state"] for job in batch)


def _code_that_ran(stage: Stage, commit: str) -> str | None:
    main, before = Repo(stage.main), Sha(f"{commit}^")
    if stage.as_folder:
        return next(wrote.releases(main, before), None)
    entry = main.tree(f"{commit}^", "code").get("code")
    return entry.sha if entry else None


def make_deletable(folder: Path) -> None:
    """Let the folders of an annex be deleted: git-annex takes the right to write away."""
    for path, folders, _ in os.walk(folder):
        for name in folders:
            inner = Path(path) / name
            if not inner.is_symlink():
                inner.chmod(0o700)
