"""What a job's command finds in its environment: what is made for all, a preamble's, what is declared.

The record of a result has it: all by a digest, and what somebody declared by name and value.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from wtwatch.doors.repo import Repo
from wtwatch.project.jobenv import ACCESS, ALLOCATION
from wtwatch.words.errors import WtwatchError
from wtwatch.words.quoting import quoted
from wtwatch.words.variables import Variables, expanded

MANY = 40
"""Repositories of a tree beyond which a container is to see the main tree as a whole."""

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""By which OpenMP, MKL and OpenBLAS are told in how many threads they may compute."""

_OF_THE_SHELL = ("_", "SHLVL", "PWD", "OLDPWD")
_OF_THE_USER = ("HOME", "USER", "LOGNAME", "SHELL", "TERM")
_OF_THIS_PLACE = ("PYTHONPYCACHEPREFIX", "APPTAINER_BIND", "SINGULARITY_BIND")


class Wanted(NamedTuple):
    """What is declared: for all jobs of the project, then for this one, and what runs before.

    Values of names in ``secret`` are in no record. ``cpus`` is for how many processors the job asks, which
    the libraries that compute in threads are told.
    """

    preamble: str = ""
    env: Variables = ()
    setenv: Variables = ()
    secret: tuple[str, ...] = ()
    cpus: int | None = None


class Made(NamedTuple):
    """The environment of a command.

    ``own`` are the names that a preamble changed or that are declared for all jobs, ``setenv`` those declared
    for this one.
    """

    env: dict[str, str]
    own: tuple[str, ...]
    setenv: tuple[str, ...]
    secret: tuple[str, ...]

    def record(self, run_tree: Path) -> dict[str, Any]:
        """Return what a record says of it: a digest of all that can change a result, and what is its own.

        Not in the digest are secrets, which could be guessed from it, what only gives access, who the user
        is, and where this run tree lies.
        """
        open_ones = ((name, value) for name, value in self.env.items() if name not in self.secret)
        counted = {name: value for name, value in open_ones if _counts(name)}
        counted["PATH"] = os.pathsep.join(_portable(self.env.get("PATH", "")))
        text = json.dumps(sorted(counted.items())).replace(str(run_tree), "")
        found: dict[str, Any] = {"digest": _digest(text)}
        for key, names in (("env", self.own), ("setenv", self.setenv), ("allocation", self._allocated())):
            told = {name: None if name in self.secret else self.env.get(name) for name in names}
            found |= {key: told} if told else {}
        return found

    def _allocated(self) -> Sequence[str]:
        return [name for name in self.env if ALLOCATION.fullmatch(name)]


def made(base: Mapping[str, str], wanted: Wanted, run_tree: Path) -> Made:
    """Return the environment for a command in a run tree, on that of :func:`jobenv.for_jobs`.

    What a conda prefix has to be activated by comes before the preamble. Raises :class:`WtwatchError` if that
    fails.
    """
    start = {"PYTHONNOUSERSITE": "1"} | dict(base)
    lines = "\n".join([*_activation(start), wanted.preamble])
    env = _after(lines, start, run_tree) if lines.strip() else start
    env = _threads(wanted.cpus) | env
    env = expanded(env, wanted.env) | dict(wanted.setenv)
    own = {name for name in {*env, *start} if env.get(name) != start.get(name)}
    setenv = [name for name, _ in wanted.setenv]
    own = (own | {name for name, _ in wanted.env}) - set(setenv)
    return Made(env, tuple(sorted(own)), tuple(setenv), wanted.secret)


def _threads(cpus: int | None) -> dict[str, str]:
    """Return how libraries are told in how many threads they may compute; else they take all processors."""
    return {} if cpus is None else dict.fromkeys(THREADS, str(cpus))


def _activation(env: Mapping[str, str]) -> list[str]:
    """Return what `conda activate` runs of a prefix; as there, one that fails stops nothing."""
    prefix = env.get("CONDA_PREFIX")
    scripts = sorted(Path(prefix).glob("etc/conda/activate.d/*.sh")) if prefix else []
    return [f". {quoted(script)} || :" for script in scripts]


def _after(preamble: str, env: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Return the environment that a preamble of bash leaves, such as ``module load fsl/6``.

    What it prints goes to standard error. Functions that a shell exports are no variables.
    """
    words = ["bash", "-c", '{ eval "$1"; } >&2 && exec env -0', "bash", preamble]
    done = subprocess.run(words, cwd=folder, env=env, capture_output=True, check=False)
    said = done.stderr.decode(errors="replace")
    sys.stderr.write(said)
    if done.returncode != 0 or not done.stdout:
        last = (said.strip().splitlines() or ["it printed nothing"])[-1]
        raise WtwatchError(
            f"The preamble failed (exit {done.returncode}): {last}", "wtwatch config preamble shows it."
        )
    lines = (os.fsdecode(line).partition("=") for line in done.stdout.split(b"\0") if line)
    found = {name: value for name, _, value in lines if not name.startswith("BASH_FUNC_")}
    for name in _OF_THE_SHELL:
        found.pop(name, None)
    return found | {name: env[name] for name in _OF_THE_SHELL if name in env}


def binds(top: Path, datasets: Iterable[str], main: Path) -> dict[str, str]:
    """Return the variables that have containers see what annexed files of a run tree lead to, read-only.

    These are links through the git directories of the main tree's repositories, of the tree's ``datasets``.
    Apptainer and Singularity know their variable; ``WTWATCH_BINDS`` is written as podman and docker have it.
    """
    places = list(dict.fromkeys(str(Repo(top / path).common_dir()) for path in datasets))
    if len(places) > MANY:
        places = [str(main)]
    listed = ",".join(f"{place}:{place}:ro" for place in places)
    options = " ".join(f"-v {place}:{place}:ro" for place in places)
    return {"APPTAINER_BIND": listed, "SINGULARITY_BIND": listed, "WTWATCH_BINDS": options}


def _counts(name: str) -> bool:
    apart = name in (*_OF_THE_USER, *_OF_THE_SHELL, *_OF_THIS_PLACE, "PATH")
    apart = apart or name.startswith(("WTWATCH_", "GIT_CONFIG_"))
    return not apart and not ACCESS.fullmatch(name) and not ALLOCATION.fullmatch(name)


def _portable(path: str) -> Sequence[str]:
    """Return the folders of a PATH without that of the tools, which is called by where they lie."""
    return [folder for folder in path.split(os.pathsep) if not Path(folder).name.startswith("tools-")]


def _digest(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]
