"""A project that is lived in: jobs are watched as they run, code and data move, and an oracle runs all anew.

Code is written in a work tree of its own, ``desk/code``, in which the oracle runs the jobs, too. The run
tree, ``run``, has the code that its last job ran on. Both are used again for each life: git takes them back.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import venv
from collections.abc import Iterator, Sequence
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.stale.programs import Life, Step, Task
from wtwatch.doors.dataset import OUR_KEY
from wtwatch.doors.files import bell_in, held
from wtwatch.job import lifecycle
from wtwatch.job.attempt import Folder, Order
from wtwatch.job.steps import Steps
from wtwatch.job.uses import Lesson
from wtwatch.project.config import Project
from wtwatch.project.jobenv import for_jobs
from wtwatch.project.tree import RunTree
from wtwatch.queue.jobs import Queue
from wtwatch.stale import look
from wtwatch.stale.values import Finding, Standing
from wtwatch.tree import bytecode
from wtwatch.tree.states import Before
from wtwatch.words.model import Ended, JobSpec, Outcome, Running, Sha, Trigger, now
from wtwatch.words.uses import recorded

_MESSAGE = """[DATALAD RUNCMD] {command}

=== Do not change lines below ===
{record}
^^^ Do not change lines above ^^^
"""

_CONFIG = '[datalad "dataset"]\n\tid = 8e1f1c9e-0000-4000-8000-000000000000\n'


class Place:
    """A superdataset with code as a subdataset. ``whole``: attempts are jobs' own processes, with DataLad."""

    def __init__(self, root: Path, whole: bool = False) -> None:
        self.top, self.desk, self.whole = root / "run", root / "desk", whole
        state = self.top / ".git" / "wtwatch" / "p"
        self.tree = RunTree.of(Project("p", state, self.top, self.top, bookmark="main", environment="none"))
        self.code, self.written = self.top / "code", self.desk / "code"
        self.code.mkdir(parents=True)
        self.desk.mkdir()
        for where in (self.top, self.code):
            self.git("init", "-q", "-b", "main", where=where)
            self.git("config", "gc.auto", "0", where=where)
        _write(self.code, ".gitignore", ".venv/\n")
        self._commit(self.code, "first")
        self.git("checkout", "-q", "--detach", where=self.code)
        self.git("worktree", "add", "-q", str(self.written), "main", where=self.code)
        _write(self.top, ".datalad/config", _CONFIG)
        _write(self.top, ".gitmodules", '[submodule "code"]\n\tpath = code\n\turl = ./code\n')
        self._commit(self.top, "first")
        venv.create(self.code / ".venv", symlinks=True)
        state.mkdir(parents=True)
        self.env = for_jobs(self.tree)
        self.bare = {name: value for name, value in self.env.items() if name != "PYTHONPYCACHEPREFIX"}
        self.bare |= {"PYTHONDONTWRITEBYTECODE": "1"}
        self._firsts = {
            where: self.git("rev-parse", "HEAD", where=where) for where in (self.top, self.written)
        }
        self._known: dict[str, bytes | None] = {}
        self._made: dict[Sha, bytes] = {}

    # what people do

    def begin(self, life: Life) -> None:
        """Take all back to the beginning, and have the files of a life."""
        for where, first in self._firsts.items():
            self.git("reset", "-q", "--hard", first, where=where)
            self.git("clean", "-ffdxq", "-e", "/.venv", "-e", "/code", where=where)
        shutil.rmtree(self.tree.state)
        self.tree.state.mkdir()
        self.queue = Queue(self.tree.state)
        self._known.clear()
        self.tasks = life.tasks
        for path, text in life.files.items():
            _write(self.written, path, text)
        self._commit(self.written, "All")
        self.past = [self.tip()]
        for name in ("x", "y"):
            _write(self.top, f"data/{name}.csv", f"{name}\n")
        self._commit(self.top, "Data")

    def live(self, step: Step) -> None:
        """Have somebody do a step of a life; ``how`` code is committed says what becomes of its history."""
        for edit in step.edits:
            _edit(self.written, edit.path, edit.text)
        self._release(step.how)
        self.git(
            "clean", "-ffdq", where=self.written
        )  # an empty folder is in no commit, and not in the run tree
        for path, text in step.data:
            _write(self.top, path, text)
        for number, what in step.hands:
            for file in [one for one in self.top.glob(f"out/{number}.*") if one.suffix != ".kept"]:
                if what == "renamed":
                    file.rename(f"{file}.kept")
                elif what == "deleted":
                    file.unlink()
                elif file.suffix == ".txt":
                    file.write_text("by hand\n")
        if step.data or step.hands:
            self._commit(self.top, "By hand")

    def _release(self, how: str) -> None:
        where, depth = self.written, len(self.past)
        if how in ("back", "undo"):  # to a commit of before, or to what it had
            target = self.past[depth // 2]
            self.git("add", "--all", where=where)
            self.git("reset", "-q", "--hard", *([target] if how == "back" else []), where=where)
            if how == "undo":
                self.git("rm", "-qr", ".", where=where)
                self.git("checkout", "-q", target, "--", ".", where=where)
        if how == "squash":
            self.git("reset", "-q", "--soft", self._firsts[where], where=where)
        self._commit(where, f"Step {depth}: {how}", *(["--amend"] if how == "amend" else []))
        if how == "merge" and depth > 1:
            tree, tip, other = self.git(
                "rev-parse", "HEAD^{tree}", "HEAD", self.past[-2], where=where
            ).split()
            made = self.git("commit-tree", tree, "-p", other, "-p", tip, "-m", "Merge", where=where)
            self.git("reset", "-q", "--hard", made, where=where)
        self.past.append(self.tip())

    def tip(self) -> Sha:
        """Return the commit of code that is released."""
        return Sha(self.git("rev-parse", "HEAD", where=self.written))

    # what wtwatch does

    def run(self, task: Task, number: int) -> bool:
        """Run a job on code as it is, and note its result; return whether it went well."""
        self._move()
        spec = JobSpec(task.command, inputs=task.inputs, outputs=(f"out/{number}.txt", f"out/{number}.done"))
        spec = spec._replace(command=f"{task.command} && echo done > out/{number}.done")
        return self._as_daemon(spec) if self.whole else self._watched(spec)

    def is_due(self, one: Finding) -> bool:
        """Return whether a result is still to be made anew when its turn comes."""
        if one.standing is Standing.STALE:
            return True
        now_found = {again.result.spec.command: again.standing for again in self.found()}
        return now_found.get(one.result.spec.command) is Standing.STALE

    def run_again(self, one: Finding) -> bool:
        """Run the job of a result once more."""
        number = int(one.result.spec.outputs[0].removeprefix("out/").removesuffix(".txt"))
        return self.run(self.tasks[number], number)

    def _move(self) -> None:
        tip = self.tip()
        if self.git("rev-parse", "HEAD:code") != tip:
            self.git("checkout", "-q", "--detach", tip, where=self.code)
            self._commit(self.top, "Pointer")

    def _as_daemon(self, spec: JobSpec) -> bool:
        tree, queue = self.tree, self.queue
        base, code = self._heads()
        (job,) = queue.add([spec], Trigger.NOW, code)
        with held(tree.lock, wait=10) as lock:
            running = lifecycle.start(
                tree, job, lifecycle.demands(tree, spec, code), lifecycle.Ground(base, lock)
            )
        queue.begin(job.id, running)
        job = job._replace(state=running)
        while (end := lifecycle.end_of(tree, job, False)) is None:
            time.sleep(0.005)
        assert isinstance(end, Ended), end
        queue.end(job.id, end, uses=lifecycle.uses_of(tree, job))
        if end.outcome not in (Outcome.SUCCEEDED, Outcome.UNCHANGED):
            self._clean()
            return False
        return True

    def _watched(self, spec: JobSpec) -> bool:
        """Do as a job's own process does, in this one, with the learning and the record of that."""
        tree, queue = self.tree, self.queue
        base, code = self._heads()
        (job,) = queue.add([spec], Trigger.NOW, code)
        uuid = str(uuid4())
        order = Order(job.id, 1, job.queued, uuid, now(), tree.path, tree.code_path, code, base,
                      bell_in(tree.code_path / ".git"), spec, prefix=tree.prefix)  # fmt: skip
        folder = Folder.of(tree.state, job.id, 1)
        folder.write_order(order)
        queue.begin(job.id, Running(now(), code, base, uuid))
        bytecode.stands_for(tree, code)
        demanded = lifecycle.demands(tree, spec, code)
        with pytest.MonkeyPatch.context() as patch, closing(Steps(folder)) as steps:
            patch.setenv("PYTHONPYCACHEPREFIX", self.env["PYTHONPYCACHEPREFIX"])
            lesson = Lesson(order, demanded, Before.of(tree.path, {}), steps)
            lesson.begin()
            done = _call(spec.command, self.top, self.env)
            uses = lesson.end()
        outcome = Outcome.FAILED
        if done == 0:
            ours: dict[str, Any] = {"attempt": uuid, "code": code, "uses": recorded(uses)}
            record = {"chain": [], "cmd": spec.command, "dsid": "8e1f1c9e-0000-4000-8000-000000000000",
                      "exit": 0, "extra_inputs": [], "inputs": list(spec.inputs),
                      "outputs": list(spec.outputs), "pwd": ".", OUR_KEY: ours}  # fmt: skip
            message = _MESSAGE.format(command=spec.command, record=json.dumps(record))
            self.git("add", "--all", "out")
            clean = self.git("diff", "--cached", "--quiet", code=(0, 1)) == "0"
            outcome = Outcome.UNCHANGED if clean else Outcome.SUCCEEDED
            if not clean:
                self.git("commit", "-q", "-m", message)
        queue.end(job.id, Ended(now(), now(), code, outcome, done), uses=uses)
        if done:
            self._clean()
        return done == 0

    def _heads(self) -> tuple[Sha, Sha]:
        base, code = self.git("rev-parse", "HEAD", "HEAD:code").split()
        return Sha(base), Sha(code)

    def _clean(self) -> None:
        self.git("reset", "-q", "--hard")
        self.git("clean", "-fdq", "out")

    def found(self) -> list[Finding]:
        """Return how wtwatch says that results stand."""
        return look.all_results(self.tree, self.tip())

    # the oracle

    def differing(self, found: Sequence[Finding]) -> Iterator[tuple[Finding, bool]]:
        """Yield each result with whether its job, run bare on code and data as they are, makes another."""
        data = {path: path.read_bytes() for path in sorted(self.top.glob("[do]*/*")) if path.is_file()}
        state = sha256(self.git("rev-parse", "HEAD^{tree}", where=self.written).encode())
        state.update(repr([(str(path.relative_to(self.top)), text) for path, text in data.items()]).encode())
        for one in found:
            spec = one.result.spec
            name = f"{state.hexdigest()} {spec.command}"
            if name not in self._known:
                self._known[name] = self._anew(spec)
            then = self._at(one.result.commit, spec.outputs[0])
            yield one, self._known[name] != then

    def _anew(self, spec: JobSpec) -> bytes | None:
        for name in ("data", "out"):
            shutil.rmtree(self.desk / name, ignore_errors=True)
            if (self.top / name).is_dir():
                shutil.copytree(self.top / name, self.desk / name)
        made = self.desk / spec.outputs[0]
        made.unlink(missing_ok=True)
        return made.read_bytes() if _call(spec.command, self.desk, self.bare) == 0 else None

    def _at(self, commit: Sha, path: str) -> bytes:
        if commit not in self._made:
            self._made[commit] = self.git("cat-file", "blob", f"{commit}:{path}", strip=False).encode()
        return self._made[commit]

    # git

    def _commit(self, where: Path, message: str, *words: str) -> None:
        self.git("add", "--all", where=where)
        self.git("commit", "-q", "--allow-empty", "-m", message, *words, where=where)

    def git(
        self, *words: str, where: Path | None = None, strip: bool = True, code: tuple[int, ...] = (0,)
    ) -> str:
        done = subprocess.run(
            ["git", *words], cwd=where or self.top, capture_output=True, text=True, check=False
        )
        assert done.returncode in code, f"{words}: {done.stdout}{done.stderr}"
        if len(code) > 1:
            return str(done.returncode)
        return done.stdout.strip() if strip else done.stdout


def _call(command: str, where: Path, env: dict[str, str]) -> int:
    done = subprocess.run(
        command, shell=True, cwd=where, env=env, capture_output=True, timeout=60, check=False
    )
    return done.returncode


def _write(top: Path, path: str, text: str | None) -> None:
    """Write a file, or take it away, and whatever is in the way of it."""
    file = top / path
    for above in reversed([one for one in file.parents if one != top and top in one.parents]):
        if above.is_symlink() or above.is_file():
            above.unlink()
    if file.is_symlink() or file.is_file():
        file.unlink()
    elif file.is_dir():
        shutil.rmtree(file)
    if text is None:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    if text.startswith("-> "):
        file.symlink_to(os.path.relpath(top / text[3:], file.parent))
        return
    file.write_text(text.removeprefix("+x "))
    if text.startswith("+x "):
        file.chmod(0o755)


def _edit(top: Path, path: str, text: str | None) -> None:
    """Do an edit; see :func:`tests.stale.programs.texts`."""
    file = top / path
    if text is None or not (text in ("-x", "# more") or text.startswith("=> ")):
        _write(top, path, text)
    elif file.is_symlink() or not file.is_file():
        return
    elif text == "-x":
        file.chmod(file.stat().st_mode ^ 0o111)
    elif text == "# more":
        file.write_text(f"{file.read_text()}{text}\n")
    else:
        _write(top, text[3:], file.read_text())
        file.unlink()
