"""Builds the project of the story once; the tests work on copies of it (see ``lab.py``).

What `datalad create` does is done here by git and git-annex themselves, in a third of the time;
``test_lab.py`` has DataLad confirm that it takes the result for its own.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path

SUBJECTS = ("240226I", "240227J")
DRUGS = ("Ketamine", "LSD", "Saline")

PACKAGE = Path(__file__).parent / "sample" / "process2p"
PYPROJECT = """\
[project]
name = "process2p"
version = "0.1.0"
requires-python = ">=3.11"

[build-system]
requires = ["uv_build{range}"]
build-backend = "uv_build"
"""


def build(folder: Path, env: Mapping[str, str]) -> None:
    """Make the superdataset `folder/L5b` with its subdatasets, code/ driven by plain git."""
    main = folder / "L5b"
    _annexed(main, env)
    _annexed(main / "inputs" / "L5b_2p", env)
    _plain(main / "code", env)
    for subject in SUBJECTS:
        for drug in DRUGS:
            _write(main / "inputs" / "L5b_2p" / subject / drug / "data.bin", f"{subject} {drug} raw\n" * 40)
            _write(main / "04_dataframes" / subject / drug / "F.pkl", f"{subject} {drug} F\n" * 30)
    _annex_all(main / "inputs" / "L5b_2p", "raw recordings", env)
    _write_code(main / "code", env)
    _commit(main / "code", "process2p: plot fluorescence", env)
    for path in ("inputs/L5b_2p", "code"):
        _register_subdataset(main, path, env)
    _annex_all(main, "dataframes, inputs and code", env)


RUN_TREES = {"L5b-runs": "L5b", "L5b-runs/inputs/L5b_2p": "L5b/inputs/L5b_2p", "L5b-runs/code": "L5b/code"}
"""Each work tree of a run tree, and the repository that it is of."""


def add_run_tree(folder: Path, env: Mapping[str, str]) -> None:
    """Make the run tree `folder/L5b-runs` of the superdataset beside it, code detached at `runs`."""
    _run(["git", "branch", "--quiet", "--force", "runs", "HEAD"], folder / "L5b/code", env)
    for tree, repo in RUN_TREES.items():
        where = ["--detach"] if tree.endswith("/code") else ["-b", "runs"]
        at = ["runs"] if tree.endswith("/code") else []
        _run(["git", "worktree", "add", "--quiet", *where, str(folder / tree), *at], folder / repo, env)


def join(root: Path) -> None:
    """Have the work trees below ``root``, which were copied there, and their repositories find each other."""
    for tree, repo in RUN_TREES.items():
        [kept] = (root / repo / ".git" / "worktrees").iterdir()
        (kept / "gitdir").write_text(f"{root / tree}/.git\n")
        if not (root / tree / ".git").is_symlink():  # as git-annex has it, and that leads there by itself
            (root / tree / ".git").write_text(f"gitdir: {kept}\n")


def let_jj_drive(code: Path, env: Mapping[str, str]) -> None:
    """Turn a repository of git into a colocated one of jj."""
    _run(["jj", "--quiet", "git", "init", "--colocate", "."], code, env)


@contextmanager
def built_once(folder: Path) -> Iterator[bool]:
    """Yield whether ``folder`` must still be built; others wait meanwhile (flock(2)).

    It counts as built once the body has ended well; what a failed body left is removed.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    done = folder.with_name(folder.name + ".done")
    with folder.with_name(folder.name + ".lock").open("w") as lock:
        flock(lock, LOCK_EX)
        if done.exists():
            yield False
            return
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        yield True
        done.touch()


def _run(command: list[str], cwd: Path, env: Mapping[str, str]) -> str:
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise RuntimeError(
            f"{' '.join(command)} in {cwd}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        )
    return done.stdout


def _annexed(dataset: Path, env: Mapping[str, str]) -> None:
    _dataset(dataset, env)
    _run(["git", "annex", "init", "--quiet"], dataset, env)
    _write(dataset / ".gitattributes", "* annex.backend=MD5E\n**/.git* annex.largefiles=nothing\n")
    _write(dataset / ".datalad" / ".gitattributes", "config annex.largefiles=nothing\n")
    _commit(dataset, "[DATALAD] new dataset", env)


def _plain(dataset: Path, env: Mapping[str, str]) -> None:
    _dataset(dataset, env)
    _write(dataset / ".noannex", "")
    _commit(dataset, "[DATALAD] new dataset", env)


def _dataset(dataset: Path, env: Mapping[str, str]) -> None:
    dataset.mkdir(parents=True)
    _run(["git", "init", "--quiet"], dataset, env)
    _write(dataset / ".datalad" / "config", f'[datalad "dataset"]\n\tid = {uuid.uuid4()}\n')


def _annex_all(dataset: Path, message: str, env: Mapping[str, str]) -> None:
    _run(["git", "annex", "add", "--quiet", "."], dataset, env)
    _commit(dataset, message, env)


def _commit(dataset: Path, message: str, env: Mapping[str, str]) -> None:
    _run(["git", "add", "--all"], dataset, env)
    _run(["git", "commit", "--quiet", "-m", message], dataset, env)


def _register_subdataset(main: Path, path: str, env: Mapping[str, str]) -> None:
    identity = _run(
        ["git", "config", "-f", ".datalad/config", "datalad.dataset.id"], main / path, env
    ).strip()
    facts = {"path": path, "url": f"./{path}", "datalad-id": identity}
    for key, value in facts.items():
        _run(["git", "config", "-f", ".gitmodules", f"submodule.{path}.{key}", value], main, env)
    for key, value in {"active": "true", "url": f"./{path}"}.items():
        _run(["git", "config", f"submodule.{path}.{key}", value], main, env)


def _write_code(code: Path, env: Mapping[str, str]) -> None:
    shutil.copytree(
        PACKAGE, code / "src" / "process2p", ignore=shutil.ignore_patterns("__pycache__", ".*cache")
    )
    _write(code / "pyproject.toml", PYPROJECT.format(range=_uv_range(code, env)))
    _write(code / ".gitignore", ".venv/\n__pycache__/\n")
    _run(["uv", "lock", "--quiet"], code, env)


def _uv_range(cwd: Path, env: Mapping[str, str]) -> str:
    # uv builds such a project by itself, without fetching anything, if its own version is in the range
    version = re.search(r"(\d+)\.(\d+)\.\d+", _run(["uv", "--version"], cwd, env))
    assert version, "uv says no version"
    major, minor = int(version[1]), int(version[2])
    return f">={version[0]},<{major}.{minor + 1}"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def copy(template: Path, to: Path) -> None:
    """Copy a whole tree, times and links as they are, blocks shared where the file system can."""
    to.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", "--reflink=auto", os.fspath(template), os.fspath(to)], check=True)
    # By these git-annex knows that it is in a copy. It then compares files by size and second alone, and
    # takes one that was overwritten at once for unmodified; it makes them anew.
    for sentinel in to.rglob("sentinal*"):
        sentinel.unlink()
