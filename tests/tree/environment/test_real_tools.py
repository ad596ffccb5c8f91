"""Environments by poetry, by setuptools and as conda makes them, by tools that are fetched first; modules."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests import building
from tests.tree.environment.world import World
from wtwatch.project.excludes import excludes_env
from wtwatch.project.jobenv import for_jobs
from wtwatch.project.variables import Wanted, made
from wtwatch.tree import environment
from wtwatch.tree.environment import Verdict
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import EnvironmentState as State

pytestmark = pytest.mark.slow

IN_CI = "CI" in os.environ
"""There a tool that is missing fails, as `.ci/run` installs all."""

R_PLACES = "/usr/local/bin:/usr/bin:/bin"


class Tools(NamedTuple):
    """Where poetry is, and a folder with the wheel of setuptools."""

    poetry: Path
    wheels: Path

    @property
    def python(self) -> Path:
        return self.poetry / "python"


@pytest.fixture(scope="module")
def tools(shared: Path) -> Tools:
    """Fetch them, once for all workers, before the room is shut, as `make test` fetches what it needs."""
    root = shared / "tools-of-environments"
    pip = [str(root / "venv" / "bin" / "python"), "-m", "pip", "-q", "--disable-pip-version-check"]
    with building.built_once(root) as wanted:
        for words in (
            [sys.executable, "-m", "venv", str(root / "venv")],
            [*pip, "install", "poetry", "py-rattler"],
            [*pip, "download", "--no-deps", "--dest", str(root / "wheels"), "setuptools"],
        ):
            if wanted:
                done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=600)
                assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return Tools(root / "venv" / "bin", root / "wheels")


@pytest.fixture
def world(tools: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A world in whose shell an environment of the main tree is active, with poetry on PATH."""
    world = World.built(tmp_path)
    other = world.house.project.main_tree / ".venv"
    world.say("uv", "venv", "-q", str(other))
    for file in tools.wheels.iterdir():
        (world.wheels / file.name).symlink_to(file)
    monkeypatch.setenv("VIRTUAL_ENV", str(other))
    monkeypatch.setenv("PATH", os.pathsep.join([f"{other}/bin", os.environ["PATH"], str(tools.poetry)]))
    return world


def locked(world: World, version: int) -> Verdict:
    """Move to a project that poetry has locked, with that version of a package."""
    needs = f"one @ file://{world.wheels}/one-{version}-py3-none-any.whl"
    text = (
        f'[project]\nname = "p"\nversion = "1"\nrequires-python = ">=3.11,<4"\ndependencies = ["{needs}"]\n'
    )
    main = world.house.project.main_code
    (main / "pyproject.toml").write_text(f"{text}[tool.poetry]\npackage-mode = false\n")
    world.say("poetry", "lock", "--no-interaction", cwd=main)
    return world.move({})


def test_poetry_sets_up_the_run_trees_own_environment(world: World) -> None:
    assert locked(world, 1) == Verdict(State.OK)
    assert world.value("one", "__file__").startswith(str(world.code / ".venv"))
    assert not list(world.house.project.main_tree.glob(".venv/lib/*/site-packages/one.py"))
    world.by_hand("two")
    assert locked(world, 2).detail == "by hand: two; poetry add two makes it part of code"
    assert (world.value("one"), world.value("two")) == ("2", "1")


def test_a_setup_script_is_installed_so_that_edits_are_seen(world: World) -> None:
    setup = "from setuptools import setup\nsetup(name='m', version='1', py_modules=['m'])\n"
    assert world.move({"setup.py": setup, "m.py": "V = 1\n"}) == Verdict(State.OK)
    assert edits(world) == "", "what it leaves in code holds no job up"
    assert world.value("m", "__file__") == str(world.code / "m.py")
    assert world.move({"m.py": "V = 2\n"}) == Verdict(State.OK)
    assert world.value("m") == "2"


SOURCE = """\
#define PY_SSIZE_T_CLEAN
#include <Python.h>
static struct PyModuleDef def = {{PyModuleDef_HEAD_INIT, "fast", 0, -1, 0}};
PyMODINIT_FUNC PyInit_fast(void) {{
    PyObject *made = PyModule_Create(&def);
    PyModule_AddIntConstant(made, "V", {});
    return made;
}}
"""

CAN_COMPILE = (
    shutil.which("cc", path="/usr/local/bin:/usr/bin:/bin") is not None
    and (Path(sysconfig.get_path("include")) / "Python.h").exists()
)


@pytest.mark.skipif(not CAN_COMPILE, reason="no C compiler, or no headers of this Python")
@pytest.mark.parametrize("how", ["-e .", "."])
def test_an_extension_in_c_is_compiled_anew_when_its_source_changed_and_leaves_no_edit(
    world: World, how: str
) -> None:
    setup = (
        "from setuptools import Extension, setup\n"
        "setup(name='fast', version='1', py_modules=[], ext_modules=[Extension('fast', ['fast.c'])])\n"
    )
    files = {
        "setup.py": setup,
        "requirements.txt": f"{world.options}{how}\n",
        "fast.c": SOURCE.format(1),
        ".gitignore": ".venv/\n*.so\n",
    }
    assert world.move(files) == Verdict(State.OK)
    assert world.value("fast") == "1" and edits(world) == ""
    for number in (2, 3):
        assert world.move({"fast.c": SOURCE.format(number)}) == Verdict(State.OK)
        assert world.value("fast") == str(number) and edits(world) == "", "no build/ that would hold jobs up"


def test_a_module_that_code_has_no_more_is_installed_no_more(world: World) -> None:
    setup = "from setuptools import setup\nsetup(name='m', version='1', packages=['m'])\n"
    files = {
        "setup.py": setup,
        "requirements.txt": f"{world.options}.\n",
        "m/__init__.py": "",
        "m/old.py": "V = 1\n",
    }
    assert world.move(files) == Verdict(State.OK)
    assert world.value("m.old") == "1" and edits(world) == ""
    assert world.move({"m/old.py": None, "m/new.py": "V = 2\n"}) == Verdict(State.OK)
    assert (world.value("m.old"), world.value("m.new")) == ("", "2"), "as a build/ from before would have it"


def edits(world: World) -> str:
    """Return what git sees in the run tree's code that could hold a job up."""
    told = os.environ | excludes_env(world.tree)
    words = ["git", "status", "--porcelain"]
    return subprocess.run(words, cwd=world.code, env=told, capture_output=True, text=True, check=True).stdout


CHANNEL = """\
import asyncio, hashlib, io, json, os, sys, tarfile
from pathlib import Path
from rattler import Gateway, Platform, install, solve

channel, prefix, wanted = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def package(version):
    files = {
        "bin/bet": f"#!/bin/sh\\necho bet {version}\\n".encode(),
        "etc/conda/activate.d/bet.sh": b"export BETDIR=$CONDA_PREFIX\\n",
    }
    about = {"name": "bet", "version": version, "build": "0", "build_number": 0, "depends": []}
    about |= {"subdir": "noarch", "arch": None, "platform": None}
    paths = [
        {"_path": path, "path_type": "hardlink", "sha256": sha256(data), "size_in_bytes": len(data)}
        for path, data in files.items()
    ]
    listed = {"info/index.json": about, "info/paths.json": {"paths": paths, "paths_version": 1}}
    file = channel / "noarch" / f"bet-{version}-0.tar.bz2"
    with tarfile.open(file, "w:bz2") as archive:
        first = {path: json.dumps(said).encode() for path, said in listed.items()}
        for path, data in {**first, **files}.items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(data), 0o755
            archive.addfile(entry, io.BytesIO(data))
    data = file.read_bytes()
    md5 = hashlib.md5(data).hexdigest()
    return file.name, about | {"md5": md5, "sha256": sha256(data), "size": len(data)}


async def make():
    platforms = [Platform("linux-64"), Platform("noarch")]
    found = await solve(sources=[f"file://{channel}"], specs=wanted, gateway=Gateway(), platforms=platforms)
    await install(found, target_prefix=prefix, show_progress=False)


(channel / "noarch").mkdir(parents=True, exist_ok=True)
(channel / "linux-64").mkdir(exist_ok=True)
for folder, packages in (("noarch", dict(map(package, ("1.0", "2.0")))), ("linux-64", {})):
    index = {"info": {"subdir": folder}, "packages": packages, "packages.conda": {}, "repodata_version": 1}
    (channel / folder / "repodata.json").write_text(json.dumps(index))
asyncio.run(make())
os._exit(0)  # at its end, the threads of that library may crash Python
"""
"""Solves and links a real conda prefix, from a channel of packages that it makes."""


def found_by_a_job(world: World, command: str, **wanted: Any) -> str:
    """Return what a shell line prints in the environment that a job's command gets."""
    env = made(for_jobs(world.tree), Wanted(**wanted), world.tree.path).env
    words = ["/bin/sh", "-c", command]
    return subprocess.run(
        words, cwd=world.tree.path, env=env, capture_output=True, text=True, check=True
    ).stdout


def test_a_conda_prefix_is_made_by_a_command_and_activated_for_jobs(
    world: World, tools: Tools, tmp_path: Path
) -> None:
    script = tmp_path / "channel.py"
    script.write_text(CHANNEL)
    command = f'{tools.python} {script} {tmp_path}/channel "$PWD/.venv" "$(cat environment.yml)"'
    place = world.having(environment=command, env_files=("environment.yml",))
    for version in ("1.0", "2.0"):
        assert place.move({"environment.yml": f"bet =={version}"}) == Verdict(State.OK)
        prefix = place.code / ".venv"
        assert (
            found_by_a_job(place, "bet; echo $BETDIR $CONDA_PREFIX") == f"bet {version}\n{prefix} {prefix}\n"
        )
        before = dict(environment.packages(place.tree))["fingerprint"]
    assert place.put_right(batch=True) == Verdict(State.OK)
    assert dict(environment.packages(place.tree))["fingerprint"] == before


MODULES = Path("/usr/share/modules/init/bash")


@pytest.mark.skipif(not (MODULES.exists() or IN_CI), reason="environment-modules is not installed")
def test_a_module_that_a_preamble_loads_is_what_jobs_find(world: World, tmp_path: Path) -> None:
    program = tmp_path / "fsl-6" / "bin" / "bet"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho bet of $FSLDIR\n")
    program.chmod(0o755)
    module = tmp_path / "modules" / "fsl" / "6"
    module.parent.mkdir(parents=True)
    root = program.parents[1]
    module.write_text(f"#%Module1.0\nsetenv FSLDIR {root}\nprepend-path PATH {root}/bin\n")
    load = f". {MODULES}; module use {module.parents[1]}; module load"
    assert found_by_a_job(world, "bet", preamble=f"{load} fsl/6") == f"bet of {root}\n"
    with pytest.raises(WtwatchError, match="fsl/7"):
        made(for_jobs(world.tree), Wanted(f"{load} fsl/7"), world.tree.path)


@pytest.mark.skipif(not (shutil.which("Rscript", path=R_PLACES) or IN_CI), reason="no R here")
@pytest.mark.parametrize("library", [".venv", ".venv/library"])
def test_packages_of_r_that_a_command_installs_are_found_by_jobs_and_named_in_records(
    world: World, library: str
) -> None:
    command = f"mkdir -p {library} && R CMD INSTALL --no-docs --library={library} pkg"
    place = world.having(environment=command, env_files=("pkg/*", "pkg/R/*"))
    about = "Title: t\nDescription: d.\nAuthor: a\nMaintainer: a <a@example.org>\nLicense: MIT\n"
    prints = set()
    for version in ("1.0", "2.0"):
        files = {
            "pkg/DESCRIPTION": f"Package: mine\nVersion: {version}\n{about}",
            "pkg/NAMESPACE": "export(v)\n",
            "pkg/R/v.R": f"v <- function() 'of {version}'\n",
        }
        assert place.move(files) == Verdict(State.OK)
        assert found_by_a_job(place, "Rscript -e 'cat(mine::v())'") == f"of {version}"
        prints.add(dict(environment.packages(place.tree))["fingerprint"])
    assert len(prints) == 2
