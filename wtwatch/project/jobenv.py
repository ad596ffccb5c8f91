"""The environment of what runs in the run tree: jobs, set-ups, commands by hand. It is made, not inherited.

Whoever started the daemon, from whatever shell: what could change a result is the same. What only says how
files and remotes are reached is passed on, see :data:`ACCESS`.
"""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from wtwatch.doors.toolenv import gathered, is_own_environment, own_folder
from wtwatch.project.tree import RunTree

SYSTEM_PATH = ("/usr/local/bin", "/usr/bin", "/bin")
"""Where jobs find the system's programs."""

ACCESS = re.compile(
    r"TMPDIR|SSH_(AUTH_SOCK|AGENT_PID)|KRB5(CCNAME|_CONFIG)|DBUS_SESSION_BUS_ADDRESS"
    r"|XDG_((CONFIG|STATE|CACHE|DATA)_HOME|RUNTIME_DIR)"
    r"|(https?|ftp|no|all)_proxy|(HTTPS?|FTP|NO|ALL)_PROXY"
    r"|SSL_CERT_(FILE|DIR)|(CURL|REQUESTS|AWS)_CA_BUNDLE|NIX_SSL_CERT_FILE"
    r"|GIT_(CONFIG_(GLOBAL|SYSTEM|NOSYSTEM)|SSH|SSH_COMMAND|SSH_VARIANT|ASKPASS|SSL_.*|EXEC_PATH)"
    r"|DATALAD_(CREDENTIAL|TOKENS)_.*|AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN|PROFILE)"
    r"|UV_(CACHE_DIR|OFFLINE|(NO_)?CONFIG(_FILE)?|.*INDEX.*|FIND_LINKS|NATIVE_TLS|SYSTEM_CERTS|HTTP_.*"
    r"|INSECURE_HOST|KEYRING_PROVIDER|PYTHON_(DOWNLOADS|INSTALL_DIR|.*MIRROR)|CONCURRENT_.*|LINK_MODE)"
    r"|PIP_(CONFIG_FILE|(EXTRA_)?INDEX_URL|FIND_LINKS|CERT|CACHE_DIR|DEFAULT_TIMEOUT|NO_INDEX)"
)
"""What is passed on as it is: which keys, proxies, certificates and caches to use. It changes no result."""

ALLOCATION = re.compile(r"CUDA_VISIBLE_DEVICES|ROCR_VISIBLE_DEVICES|SLURM_.*")
"""What the job is given of the machine, by whatever starts it."""


def for_jobs(tree: RunTree) -> dict[str, str]:
    """Return the environment for what runs in the run tree, whoever started the daemon from which shell.

    The tree's own environment comes first on PATH; git-annex, DataLad and uv come from a folder that holds
    nothing else, so that neither a folder of the main tree nor wtwatch's own environment is on it. What
    Python compiles of modules that jobs import lies outside of the tree, or it would be a result, or an edit
    of code.
    """
    tools = gathered(allowed(tree, os.environ.get("PATH", os.defpath).split(os.pathsep)), SYSTEM_PATH)
    path = [str(tree.prefix / "bin"), str(tools), *SYSTEM_PATH]
    return (
        for_any_tree()
        | _of_kind(tree.prefix)
        | {"PYTHONPYCACHEPREFIX": str(tree.bytecode), "PATH": os.pathsep.join(path)}
    )


def for_any_tree() -> dict[str, str]:
    """Return what of that is the same in each run tree, with the programs that most find."""
    folders = _apart(os.environ.get("PATH", os.defpath).split(os.pathsep))
    path = [str(gathered([*folders, str(own_folder())], SYSTEM_PATH)), *SYSTEM_PATH]
    passed = {name: value for name, value in os.environ.items() if _passes(name)}
    return _fixed() | passed | {"PATH": os.pathsep.join(path)}


def withheld(shell: Iterable[str]) -> list[str]:
    """Return which of these names of variables analyses may go by, and no job gets."""
    made = _fixed()
    return sorted(
        name for name in shell if _TELLING.fullmatch(name) and name not in made and not _passes(name)
    )


def withheld_folders(tree: RunTree, path: str) -> list[str]:
    """Return the folders of a PATH that have programs and are on no job's."""
    apart = (*SYSTEM_PATH, *map(os.path.realpath, SYSTEM_PATH))
    found = list(allowed(tree, path.split(os.pathsep)))[:-1]
    named = (folder for folder in found if folder not in apart and Path(folder).name not in ("sbin", "games"))
    return [folder for folder in dict.fromkeys(named) if folder and Path(folder).is_dir()]


_TELLING = re.compile(
    r"(?!\w*(SSL|CERT)|XDG_|GIT_|CONDA_|PYENV|VIRTUAL_ENV|NVM_|CARGO_|RUSTUP_|GO|SSH_|WTWATCH_|JJ_|MAN|INFO|OLD|GPG_)"
    r"(\w+(_HOME|DIR|_PATH|_ROOT|_LIBS?|_CONFIG|_LICENSE)|(OMP|MKL|OPENBLAS|NUMEXPR|BLIS|NUMBA)_\w+"
    r"|PYTHON(PATH|OPTIMIZE|HASHSEED|WARNINGS)|R_\w+|JULIA_\w+|FSL\w+|FREESURFER\w*|ANTS\w*|AFNI\w*|MATLAB\w*"
    r"|\w*SEED|\w*THREADS)"
)
"""Variables by which programs of science find data, libraries and licences, or compute otherwise."""


def _of_kind(prefix: Path) -> dict[str, str]:
    """Return by which variables programs know in which environment they run."""
    if (prefix / "conda-meta").is_dir():
        return {"CONDA_PREFIX": str(prefix)}
    found = {"VIRTUAL_ENV": str(prefix)} if (prefix / "pyvenv.cfg").is_file() else {}
    library = r_library(prefix)
    return found | ({"R_LIBS": str(library)} if library else {})


def r_library(prefix: Path) -> Path | None:
    """Return the folder of an environment that R has installed packages in: itself, or ``library`` in it."""
    places = (prefix, prefix / "library")
    return next((place for place in places if next(place.glob("*/Meta/package.rds"), None)), None)


def _fixed() -> dict[str, str]:
    me = pwd.getpwuid(os.getuid())
    return {
        "HOME": os.environ.get("HOME") or me.pw_dir,
        "USER": me.pw_name,
        "LOGNAME": me.pw_name,
        "SHELL": me.pw_shell or "/bin/sh",
        "LANG": "C.UTF-8",
        "TZ": _time_zone(),
    }


def _time_zone() -> str:
    """Return the system's time zone by its name (localtime(5)); UTC where it has none."""
    zones = "/zoneinfo/"
    try:
        named = os.readlink("/etc/localtime")  # noqa: PTH115 - its text alone
    except OSError:
        return "UTC"
    return named.partition(zones)[2] or "UTC"


def _passes(name: str) -> bool:
    return bool(ACCESS.fullmatch(name) or ALLOCATION.fullmatch(name))


def allowed(tree: RunTree, folders: Iterable[str]) -> Iterator[str]:
    """Yield the folders that do not lie in the main tree; wtwatch's own comes last, if it is its own."""
    main = tree.project.main_tree
    for folder in _apart(folders):
        place = Path(folder)
        if not any(path.is_relative_to(main) for path in (place, place.resolve())):
            yield folder
    yield str(own_folder())


def _apart(folders: Iterable[str]) -> Iterator[str]:
    """Yield the folders but for that of wtwatch's own environment, if it has one of its own."""
    own = {own_folder(), own_folder().resolve()} if is_own_environment() else set()
    for folder in folders:
        place = Path(folder)
        if place not in own and place.resolve() not in own:
            yield folder
