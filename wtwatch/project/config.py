"""The settings of a project: TOML on disk, a frozen Project in memory."""

import re
import shlex
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, get_type_hints

import tomli

from wtwatch.doors import xdg
from wtwatch.doors.files import write_whole
from wtwatch.words import executors, limits
from wtwatch.words.errors import UsageError
from wtwatch.words.variables import Variables
from wtwatch.words.variables import check_name as check_variable
from wtwatch.words.versioned import More, given, taken

PASSIVE = (
    "ash", "bash", "csh", "dash", "fish", "ksh", "nu", "sh", "tcsh", "zsh",
    "byobu", "dtach", "mosh-server", "screen", "sshd", "tmux", "tmux: server", "zellij",
    "bat", "less", "man", "more", "most", "tail", "watch", "htop", "top", "ranger", "mc",
    "code", "code-server", "emacs", "gvim", "helix", "hx", "kak", "micro", "nano", "nvim", "vi", "vim",
    "gedit", "kate", "mousepad", "pluma", "subl", "sublime_text", "xed", "zed",
    "eog", "evince", "feh", "geeqie", "mupdf", "okular", "xdg-open", "zathura",
    "dolphin", "nautilus", "thunar",
    "basedpyright", "clangd", "gopls", "pyright", "pylsp", "pyright-langserver", "ruff", "rust-analyzer",
    "jupyter", "jupyter-lab", "jupyter-notebook", "jupyter-server", "lazygit", "tig",
)  # fmt: skip
"""Programs that stand in a folder without using its files for a computation."""

UNTRACKED = ("nohup.out", "*.egg-info", ".snakemake/", ".nextflow*", ".ipynb_checkpoints/")
"""What tools leave for themselves, wherever they run."""

DEFAULT_PREFIX = ".venv"
"""Where the environment of code lies, from code's folder."""

UNIT = "wtwatch.service"
"""The name of the systemd user unit."""

VERSION = 13
"""The version of ``config.toml`` and of the list of projects; raised with each setting that is added."""

FIRST = "0.1.0"
"""The version of wtwatch that a daemon is of which says none in its file."""

MAIN_SETTINGS = (
    "main_tree", "run_tree", "bookmark", "code", "paths", "run_branch", "environment", "host",
)  # fmt: skip


class Project(NamedTuple):
    """One superdataset, one bookmark, one run tree, and how to treat them.

    ``code`` is the subdataset that the code is in; or ``paths`` are the paths of the superdataset itself that
    are code, and ``code`` names them for people. Then the bookmark is a branch of the superdataset, and
    ``run_branch`` another, on which results are committed; else both are called alike.

    ``state`` is the folder where wtwatch keeps what it knows of the project; it is not written into the file,
    which lies there. Times are in seconds. The file outlives versions: see :mod:`wtwatch.words.versioned`.
    """

    name: str
    state: Path
    main_tree: Path
    run_tree: Path
    bookmark: str = "runs"
    code: str = "code"
    paths: tuple[str, ...] = ()
    run_branch: str = ""
    environment: str = "auto"
    env_files: tuple[str, ...] = ()
    env_prefix: str = DEFAULT_PREFIX
    env_exact: bool = False
    env_limit: float = 3600.0
    host: str = ""
    settle: float = 30.0
    keep_failed: int = 5
    max_failures: int = 0
    busy_alarm: float = 1800.0
    protected: tuple[str, ...] = (".venv",)
    ignore_untracked: tuple[str, ...] = UNTRACKED
    ignore_outputs: tuple[str, ...] = ()
    prune_outputs: bool = False
    stale_on_environment: bool = True
    carry: tuple[str, ...] = ()
    passive: tuple[str, ...] = PASSIVE
    on_move: str = "after-batch"
    merge_pointer: str = "ask"
    from_main: str = "move"
    main_branch: str = ""
    env: Variables = ()
    secret: tuple[str, ...] = ()
    preamble: str = ""
    limits: Variables = ()
    fast: bool = True
    lanes: int = 1
    executor: Variables = ()
    on_attention: str = ""
    on_batch_end: str = ""
    version: int = VERSION
    more: More = ()

    @property
    def main_code(self) -> Path:
        """The repository of code in the main tree: the code subdataset, or the superdataset itself."""
        return self.main_tree if self.paths else self.main_tree / self.code

    @property
    def run_code(self) -> Path:
        """The code worktree of the run tree: that of the subdataset, or of the superdataset itself."""
        return self.run_tree if self.paths else self.run_tree / self.code

    @property
    def in_lanes(self) -> int:
        """In how many lanes jobs run; 0: in the run tree itself.

        On a cluster always in lanes, as the lock of the run tree holds on one host alone.
        """
        return self.lanes if self.lanes > 1 or executors.of(self.executor).kind != "here" else 0

    @property
    def code_paths(self) -> tuple[str, ...]:
        """What code is, as seen from the superdataset."""
        return self.paths or (self.code,)

    @property
    def branch(self) -> str:
        """The branch of the superdataset on which results are committed."""
        return self.run_branch or self.bookmark

    @property
    def branch_ref(self) -> str:
        """That branch as git has it."""
        return f"refs/heads/{self.branch}"

    @property
    def ref_prefix(self) -> str:
        """Where the project's own refs in the code repository start."""
        return f"refs/wtwatch/{self.name}"

    @property
    def bookmark_ref(self) -> str:
        """The bookmark as git has it."""
        return f"refs/heads/{self.bookmark}"


_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]*\Z")


def check_name(name: str) -> str:
    """Return a project's name if it can be a folder and a part of a ref; raises :class:`UsageError`."""
    if not _NAME.match(name) or ".." in name or name.endswith((".lock", ".")) or name == "keep":
        raise UsageError(
            f"{name!r} cannot be the name of a project: letters, digits and . _ + - only.",
            "Give another: --name NAME.",
        )
    return name


def check_carried(pattern: str) -> None:
    """Raise :class:`UsageError` for a pattern of files to carry that does not stay within code."""
    path = PurePosixPath(pattern)
    if path == PurePosixPath() or path.is_absolute() or ".." in path.parts:
        raise UsageError(
            f"carry: {pattern!r} names no files within code.", "Give them as seen from there, such as .env."
        )


def check_ignored(pattern: str) -> None:
    """Raise :class:`UsageError` for a pattern of outputs that are no result if it names none, or all."""
    path = PurePosixPath(pattern.lstrip("/"))
    if not pattern.strip("/*?.") or ".." in path.parts:
        raise UsageError(
            f"ignore_outputs: {pattern!r} names no outputs within the dataset, or all.",
            "Give names such as *.log, or paths from its top such as logs/*.txt.",
        )


_CHECKED = {"carry": check_carried, "ignore_outputs": check_ignored}
"""What else must hold for each pattern of a setting that is a list of them."""

_KINDS: dict[object, tuple[type | tuple[type, ...], str]] = {
    bool: (bool, "true or false"),
    str: (str, "a text in quotes"),
    Path: (str, "an absolute path in quotes"),
    float: ((int, float), "a number of seconds"),
    int: (int, "a whole number"),
    tuple[str, ...]: (list, "a list of texts in quotes"),
    Variables: (dict, "a table of names and texts"),
}
_SEE = "`wtwatch config` says what each setting does."
CHOICES = {
    "merge_pointer": ("ask", "main", "run"),
    "from_main": ("move", "ask"),
    "on_move": ("after-batch", "after-job", "cancel"),
}
RANGES = {"lanes": (1, 256)}
"""The least and the most of settings that are not just 0 or more."""


def read_project(file: Path) -> Project:
    """Read ``config.toml``. Raises :class:`UsageError` that names file, line, key and what is allowed.

    A setting that nobody knows is no error, since it may be one of a newer version, and one word must not
    stop a project: it is in ``more``, and :func:`unknown_settings` tells of it.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"Cannot read {file}: {error.strerror}.", "Remove the file; `wtwatch init` writes it anew."
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not UTF-8 text: {error.reason} at byte {error.start}.") from error
    try:
        table = tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        raise UsageError(
            f"{file} is not valid TOML: {error}.", "Mend that line; see https://toml.io."
        ) from error
    allowed = _allowed()
    values = taken(table, allowed)
    more = values.pop("more")
    values = {key: _checked(file, text, key, value, allowed[key]) for key, value in values.items()}
    for key in ("name", "main_tree", "run_tree"):
        if key not in values:
            raise UsageError(
                f"{file} lacks the key {key!r}.", "Remove the file; `wtwatch init` writes it anew."
            )
    return Project(state=file.parent, more=more, **values)


def is_written_before(project: Project, version: int) -> bool:
    """Return whether the file of a project's settings is older than a version of it; 0.1.0 wrote none."""
    try:
        text = (project.state / "config.toml").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    said = re.search(r"^version *= *(\d+)", text, re.MULTILINE)
    return said is None or int(said[1]) < version


def _allowed() -> dict[str, object]:
    """Return the names of all settings, and of which kind each is."""
    return {key: kind for key, kind in get_type_hints(Project).items() if key not in ("state", "more")}


def unknown_settings(project: Project) -> list[str]:
    """Return a sentence on each setting that has no meaning here, with file and line."""
    if not project.more:
        return []
    from difflib import get_close_matches

    file = project.state / "config.toml"
    text = file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""
    found = []
    for key, _ in project.more:
        alike = get_close_matches(key, _allowed(), n=1, cutoff=0.75)
        meant = f"; did you mean {alike[0]}?" if alike else "."
        found.append(f"{file}, line {_line_of(text, key)}: there is no setting {key!r}{meant}")
    return found


def _checked(file: Path, text: str, key: str, value: object, wanted: object) -> Any:
    try:
        return sound(key, value, wanted)
    except UsageError as error:
        where = f"{file}, line {_line_of(text, key)}"
        raise UsageError(f"{where}: {error.message}", error.hint) from None


def sound(key: str, value: object, wanted: object = None) -> Any:
    """Return the value of a setting as a :class:`Project` has it; raises :class:`UsageError` for a wrong one.

    ``wanted`` is the kind that the setting has, where that is known already.
    """
    kind, words = _KINDS[wanted or _allowed()[key]]
    sound = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
    if isinstance(value, list):
        sound = sound and all(isinstance(item, str) for item in value)
    if not sound:
        raise UsageError(f"{key} must be {words}, not {value!r}.", _SEE)
    if isinstance(value, dict):
        return _table(key, value)
    if key in RANGES and not RANGES[key][0] <= value <= RANGES[key][1]:  # type: ignore[operator]
        least, most = RANGES[key]
        raise UsageError(f"{key} must be from {least} to {most}, not {value!r}.", _SEE)
    if kind is not bool and isinstance(value, int | float) and not value >= 0:  # nan is not
        raise UsageError(f"{key} must be 0 or more, not {value!r}.", _SEE)
    if key in CHOICES and value not in CHOICES[key]:
        raise UsageError(f"{key} must be one of {', '.join(CHOICES[key])}, not {value!r}.", _SEE)
    if key == "name":
        return check_name(str(value))
    if key in _CHECKED:
        for pattern in value:  # type: ignore[attr-defined]
            _CHECKED[key](pattern)
    if wanted is Path:
        if not Path(str(value)).is_absolute():
            raise UsageError(f"{key} must be an absolute path, not {value!r}.")
        return Path(str(value))
    if wanted is float:
        return float(value)  # type: ignore[arg-type]
    return tuple(value) if isinstance(value, list) else value


def _table(key: str, table: dict[str, object]) -> Variables:
    """Return the pairs of a table; numbers may stand there without quotes, options as a list."""
    found = []
    for name, value in table.items():
        if (key, name) == ("executor", "options") and isinstance(value, list):
            value = shlex.join(map(str, value))  # noqa: PLW2901
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise UsageError(f"{key}.{name} must be a text in quotes, not {value!r}.", _SEE)
        if "\0" in (text := str(value)):
            raise UsageError(f"{key}.{name} has a null byte in it.", _SEE)
        if key == "env":
            check_variable(name)
        else:
            (executors if key == "executor" else limits).check(name, text)
        found.append((name, text))
    return tuple(found)


def _line_of(text: str, key: str) -> int:
    pattern = re.compile(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[=.]|\s*\[+\s*{re.escape(key)}")
    return next((number for number, line in enumerate(text.splitlines(), 1) if pattern.match(line)), 1)


def write_project(project: Project) -> None:
    """Write ``config.toml`` with all settings that differ from their defaults, and the main ones.

    Raises :class:`UsageError` for what it cannot hold.
    """
    import tomli_w

    check_text(project)
    values: dict[str, object] = {"version": project.version}  # first: 0.1.0 names what it knows not
    for key, value in given(project._asdict() | {"state": None}).items():
        always = key in ("version", "name", *MAIN_SETTINGS)
        if value is None or (not always and value == Project._field_defaults.get(key)):
            continue
        values[key] = _written(key, value)
    project.state.mkdir(parents=True, exist_ok=True)
    write_whole(project.state / "config.toml", tomli_w.dumps(values))


def _written(key: str, value: object) -> object:
    """Return a setting as TOML has it."""
    if _allowed().get(key) == Variables:
        return dict(value)  # type: ignore[call-overload]
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, Path) else value


def check_text(project: Project) -> None:
    """Raise :class:`UsageError` if a path or a name is not UTF-8, which a file of TOML has to be."""
    for value in project:
        if isinstance(value, str | Path):
            try:
                str(value).encode()
            except UnicodeEncodeError:
                raise UsageError(
                    f"{str(value)!r} is not UTF-8 text, so it cannot stand in the settings of a project.",
                    "Give it a name in UTF-8, or use wtwatch in another folder.",
                ) from None


def host() -> str:
    """Return the name of this machine, as a project's owner host has it."""
    return xdg.host()


def _state() -> Path:
    return Path(xdg.state_folder())


def daemon_file() -> Path:
    """Return the file that this host's daemon holds locked while it runs (its facts are in it, as JSON)."""
    return Path(xdg.daemon_file())


def live_folder() -> Path:
    """Return the folder, or the link to it, of what this host's daemon keeps up to date while it runs."""
    return Path(xdg.live_folder())


def prompt_file() -> Path:
    """Return the file that has what prompts show, a line a tree."""
    return _state() / f"prompt-{host()}"


def unit_file() -> Path:
    """Return where the systemd user unit of the daemon is, or would be installed."""
    return Path(xdg.user_folder("XDG_CONFIG_HOME", ".config")) / "systemd" / "user" / UNIT


def failure_file() -> Path:
    """Return the file that tells of the last fault of wtwatch itself."""
    return _state() / "failure.txt"
