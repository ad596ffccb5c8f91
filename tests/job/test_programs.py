"""Real jobs, two at a time in lanes, in many languages: what strace(1) saw them open is what they used."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import Say
from tests.job.bench import over
from tests.lab import Lab, eventually
from wtwatch.project.config import Project, read_project
from wtwatch.queue.jobs import Queue
from wtwatch.reconcile import TickOptions, tick
from wtwatch.words.model import Ended, Job, JobSpec, Trigger

PYTHON = {
    "plain/run.py": "import beside, json\n",
    "plain/beside.py": "",
    "plain/spare.py": "",
    "data/run.py": "import importlib.resources as r, pkgutil\n"
    "import parcel\n"
    "r.files(parcel).joinpath('a.txt').read_text(); pkgutil.get_data('parcel', 'deep/b.txt')\n",
    "data/parcel/__init__.py": "",
    "data/parcel/a.txt": "",
    "data/parcel/spare.txt": "",
    "data/parcel/deep/b.txt": "",
    "paths/run.py": "import runpy\n"
    "runpy.run_path('code/paths/by_path.py'); runpy.run_module('by_name', alter_sys=True)\n",
    "paths/by_path.py": "",
    "paths/by_name.py": "",
    "walks/scan.py": "import os\nprint([entry.name for entry in os.scandir('code/walks/d')])\n",
    "walks/rglob.py": "import pathlib\n[p.read_text() for p in pathlib.Path('code/walks/d').rglob('*.a')]\n",
    "walks/d/one.a": "",
    "walks/d/two.b": "",
    "walks/d/e/three.a": "",
    "workers/fork.py": "import multiprocessing, work\n"
    "if __name__ == '__main__':\n"
    "    with multiprocessing.get_context('fork').Pool(2) as p: p.map(work.f, 'ab')\n",
    "workers/spawn.py": "import multiprocessing, work\n"
    "if __name__ == '__main__':\n"
    "    with multiprocessing.get_context('spawn').Pool(2) as p: p.map(work.f, 'ab')\n",
    "workers/work.py": "def f(x):\n    import late\n    return open(f'code/workers/{x}.txt').read()\n",
    "workers/late.py": "",
    "workers/a.txt": "",
    "workers/b.txt": "",
    "parts/run.py": "import spread.a.x\nfrom spread.b import y\n",
    "parts/spread/a/x.py": "",
    "parts/spread/b/y.py": "",
    "led/run.py": "import site\nsite.addsitedir('code/led/site')\nimport there\n",
    "led/site/to.pth": "../elsewhere\n",
    "led/elsewhere/there.py": "",
    "base/run.py": "import sqlite3\nsqlite3.connect('code/base/x.db').execute('select * from t')\n",
}
"""A part of the files; what they do is what their names say."""

OTHERS = {
    "sh/run.sh": "#!/bin/bash\nsource code/sh/lib.sh\nread -r x < code/sh/x.txt\necho code/sh/d/*\n",
    "sh/lib.sh": "",
    "sh/x.txt": "x\n",
    "sh/d/one": "",
    "sh/exec": "#!/bin/sh\nexec code/sh/py\n",
    "sh/py": "#!/usr/bin/env python\nopen('code/sh/x.txt')\n",
    "c/lib.c": "int f(void) { return 0; }\n",
    "c/main.c": '#include <dlfcn.h>\nint main(void) { return dlopen("code/c/lib.so", RTLD_NOW) ? 0 : 1; }\n',
    "pl/run.pl": "use lib 'code/pl/lib'; use Of::Mine; require './code/pl/more.pl'; print <code/pl/d/*>;\n",
    "pl/lib/Of/Mine.pm": "package Of::Mine; 1;\n",
    "pl/more.pl": "1;\n",
    "pl/d/one": "",
    "lua/run.lua": "package.path = 'code/lua/?.lua'\nrequire('mod')\ndofile('code/lua/more.lua')\n",
    "lua/mod.lua": "",
    "lua/more.lua": "",
    "r/run.R": "source('code/r/more.R')\nread.csv('code/r/x.csv')\nlist.files('code/r/d')\n",
    "r/more.R": "a <- 1\n",
    "r/x.csv": "a\n1\n",
    "r/d/one": "",
    "mk/Makefile": "include code/mk/more.mk\nall: ; cat code/mk/x.txt $(wildcard code/mk/d/*)\n",
    "mk/more.mk": "",
    "mk/x.txt": "",
    "mk/d/one": "",
    "links/real.txt": "",
}

COMMANDS: dict[str, tuple[str, ...]] = {
    "python code/plain/run.py": (),
    "python -m process2p.version": (),
    "cd code/src && python -Om process2p.version": (),
    "python -c 'import process2p.version'": (),
    "python code/data/run.py": (),
    "python code/paths/run.py": (),
    "python code/walks/scan.py": ("code/walks/d",),
    "python code/walks/rglob.py": ("code/walks/d", "code/walks/d/e"),
    "python code/workers/fork.py": (),
    "python code/workers/spawn.py": (),
    "python code/parts/run.py": ("code/parts/spread",),
    "python code/led/run.py": ("code/led/site",),
    "python code/base/run.py": (),
    "python - < code/plain/beside.py": (),
    "python -m compileall -q code/plain": ("code/plain",),
    "code/sh/run.sh": ("code/sh/d",),
    "code/sh/exec": (),
    "exec 3< code/sh/x.txt; cd /; cat <&3": (),
    "code/c/main": (),
    "perl code/pl/run.pl": ("code/pl/d",),
    "lua5.4 code/lua/run.lua": (),
    "Rscript code/r/run.R": ("code/r/d",),
    "make -sf code/mk/Makefile": ("code/mk/d",),
    "cat code/links/to.txt code/links/folder/one": (),
    "find code/sh -type f -exec cat {} +": ("code/sh", "code/sh/d"),
}
"""Commands, and which folders they look through, at least."""

IN_CI = "CI" in os.environ


def lacks(command: str) -> bool:
    """Return whether what a command needs is not here, which in CI is a fault."""
    program = command.split(maxsplit=1)[0]
    return program in ("lua5.4", "Rscript") and not (IN_CI or shutil.which(program))


TRACED = "trace=open,openat,openat2,execve,getdents64"
_CALL = re.compile(r"(\d+) +(?:<\.\.\. )?(\w+)(?:\(| resumed>)(.*)")
_COMPILED = re.compile(r"\.cpython-\d+(\.opt-\d)?\.pyc(\.\d+)?$")


class Seen(NamedTuple):
    """What strace saw: files that were opened or executed, folders that were listed; from the tree's top."""

    opened: set[str]
    listed: set[str]


@pytest.fixture
def project(lab: Lab, say: Say) -> Project:
    """A project with two lanes, whose code has all these files."""
    for name, text in (PYTHON | OTHERS).items():
        (lab.code / name).parent.mkdir(parents=True, exist_ok=True)
        (lab.code / name).write_text(text)
    for name in ("sh/run.sh", "sh/exec", "sh/py"):
        (lab.code / name).chmod(0o755)
    (lab.code / "links/to.txt").symlink_to("real.txt")
    (lab.code / "links/folder").symlink_to("../sh/d")
    lab.say("gcc", "-shared", "-fPIC", "-o", "lib.so", "lib.c", cwd=lab.code / "c")
    lab.say("gcc", "-o", "main", "main.c", cwd=lab.code / "c")
    lab.say("python", "-c", "import sqlite3\nsqlite3.connect('x.db').execute('create table t (a)')",
            cwd=lab.code / "base")  # fmt: skip
    lab.git("add", "--all", cwd=lab.code)
    lab.git("commit", "-qm", "Programs in many languages", cwd=lab.code)
    lab.move_bookmark()
    say(lab.main, "init")
    return read_project(lab.project().state / "config.toml")._replace(settle=0.0, lanes=2)


def worked_off(lab: Lab, project: Project, specs: Sequence[JobSpec]) -> list[Job]:
    """Queue jobs, tick until all are over, and return them."""
    queue = Queue(project.state)
    made = queue.add(specs, Trigger.NOW, lab.commit("runs"))

    def is_over() -> bool:
        tick(project, TickOptions(start_jobs=True, patience=60.0))
        return all(isinstance(job.state, Ended) for job in queue.jobs())

    eventually(is_over, within=300)
    return [queue.job(job.id) for job in made]


def traced(command: str, log: Path) -> str:
    words = ["strace", "-fyqq", "-e", TRACED, "-o", str(log), "sh", "-c", command]
    return f"{shlex.join(words)} > {log}.said 2>&1"


def read(log: Path) -> Seen:
    seen, begun = Seen(set(), set()), dict[str, str]()
    for line in log.read_text(errors="replace").splitlines():
        parts = _CALL.match(line)
        if parts is None:
            continue
        process, call, rest = parts.groups()
        if rest.endswith("<unfinished ...>"):
            begun[process] = rest
            continue
        rest = begun.pop(process, "") + rest if "resumed>" in line else rest
        if call == "getdents64":
            _note(seen.listed, rest.partition("<")[2].partition(">")[0])
        elif call.startswith("open"):
            _note(seen.opened, re.sub(r".* = \d+<(.*)>$", r"\1", rest))
        elif rest.endswith(" = 0"):
            _note(seen.opened, rest.split('"')[1])
    return seen


def _note(found: set[str], path: str) -> None:
    inside = re.search(r"(?:^|/L5b-runs[^/]*/)(code/.*)", path)
    if inside:
        found.add(_COMPILED.sub(".py", inside[1]).replace("__pycache__/", ""))


@pytest.mark.slow
@pytest.mark.skipif(not (shutil.which("strace") or IN_CI), reason="no strace here")
def test_what_strace_saw_jobs_open_is_what_they_used(lab: Lab, project: Project) -> None:
    here = [command for command in COMMANDS if not lacks(command)]
    commands = [*here, *(command for command in here if "python" in command)]  # with what it compiled
    logs = [lab.root / f"trace{number}" for number in range(len(commands))]
    specs = [JobSpec(traced(command, log), plain=True) for command, log in zip(commands, logs, strict=True)]
    writes = "cp -p {0} kept; echo >> {0}; mv kept {0}".format("code/plain/run.py")
    writer, *jobs = worked_off(lab, project, [JobSpec(writes, plain=True), *specs])
    assert "code was written to while it ran, though it is as before by now: plain/run.py" in str(
        over(writer).detail
    )
    tracked = {f"code/{path}" for path in lab.git("ls-files", cwd=lab.code).splitlines()}
    links = {"code/links/to.txt", "code/links/folder"}
    wrong = []
    for command, log, job in zip(commands, logs, jobs, strict=True):
        assert job.word == "succeeded", (command, over(job), Path(f"{log}.said").read_text())
        seen, uses = read(log), Queue(project.state).uses(job.id)
        listed = {path for path in seen.listed if not path.startswith("code/.venv")}
        assert seen.opened & tracked, log
        if uses.whole is not None or set(uses.files) != (seen.opened & tracked) | links:
            wrong.append((command, uses, sorted(seen.opened & tracked)))
        if not listed <= {*uses.folders, *uses.imported} or not set(COMMANDS[command]) <= set(uses.folders):
            wrong.append((command, uses, sorted(listed)))
    assert wrong == []


@pytest.mark.slow
def test_show_says_why_all_of_code_counts(
    lab: Lab, project: Project, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = project._replace(lanes=1, environment="none")
    lab.say("uv", "sync", "--quiet", "--no-editable", cwd=lab.run_code)
    (lab.run_code / ".venv/made").touch()
    causes = {
        "true": "no file of code was seen to be used",
        "cat code/.venv/made code/plain/run.py": None,
        "python -m process2p.version": "it used a copy of code: ",
        "PYTHONPYCACHEPREFIX=/nowhere python code/plain/run.py": "keep compiled modules where they are not",
        "sleep 3 > /dev/null 2>&1 & cat code/plain/run.py": "some of its processes went on",
    }
    jobs = worked_off(lab, project, [JobSpec(command, plain=True) for command in causes])
    monkeypatch.setenv("SLURM_JOB_NUM_NODES", "2")
    jobs += worked_off(lab, project, [JobSpec("cat code/plain/run.py", plain=True)])
    for job, why in zip(jobs, (*causes.values(), "it ran on 2 hosts"), strict=True):
        said = say(lab.main, "show", "--uses", str(job.id)).out
        uses = Queue(project.state).uses(job.id)
        assert (uses.whole is None) == (why is None), uses
        assert why is None or (f"Job {job.id}: all of code counts: {uses.whole}\n" == said and why in said)
