"""Hooks of the code repository that ring the daemon's bell: put in, taken out, reported.

They only make noticing surer, the watch works without them. So whatever is not ours stays as it is: a
stranger's shell script gets a marked block after its first line and loses it again to the byte; other
programs, links, and folders that more than this repository uses are left alone, with advice.
"""

from __future__ import annotations

import os
import re
import secrets
import shlex
from collections.abc import Callable, Sequence
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from wtwatch.doors import jj
from wtwatch.doors.files import bell_in, sync_folder
from wtwatch.doors.repo import Repo
from wtwatch.doors.shipped import shipped
from wtwatch.setup import jjalias
from wtwatch.words.errors import CommandFailed, UsageError

GIT_HOOKS = ("post-commit", "post-merge", "post-rewrite", "post-checkout")
JJ_HOOK = "jj-op"

LINE = 'touch "$(git rev-parse --git-common-dir)/wtwatch/bell" 2>/dev/null || :'
"""What rings in a hook that wtwatch may not write to; names no place of this machine."""

_RINGS = re.compile(rb"(?m)^[^#\n]*wtwatch/bell")
"""A line that does, or one such as this."""

_ENDINGS = (".legacy", ".old")
"""How pre-commit and lefthook call the hooks that they found."""

_BLOCK = re.compile(rb"\n# >>> wtwatch >>>\n.*?\n# <<< wtwatch <<<(?=\n|\Z)", re.DOTALL)
_MARK = re.compile(rb"^# (>>> wtwatch >>>|<<< wtwatch <<<)", re.MULTILINE)
_BELL = re.compile(rb'"\$\{0%/\*\}[^"]*"')
_SHELL = re.compile(
    rb"#![ \t]*(\S*/)?(env[ \t]+(-S[ \t]+)?(\S*/)?)?(sh|bash|dash)([ \t]+-[a-zA-Z]+)*[ \t]*(\n|\Z)"
)
# a script in another language that starts as one of the shell, and has the other program read it again
_POLYGLOT = re.compile(rb"\bexec\b[^\n]*[ \t][\"']?\$\{?0\}?[\"']?([ \t]|$)", re.MULTILINE)


class Fitting(Enum):
    """How a hook stands."""

    INSTALLED = "installed"
    OUTDATED = "outdated"  # ours, but not as this version would write it, or not executable
    ABSENT = "absent"  # can be installed
    FOREIGN = "foreign"  # somebody else's file, which nothing can be added to
    BY_HAND = "rings by a line of yours"  # of FOREIGN and REFUSED, those to which somebody added one
    REFUSED = "refused"  # the folder is not this repository's own, or cannot be written


class HookState(NamedTuple):
    """One hook: where it is or would be, how it stands, and what the user can do about that."""

    name: str
    state: Fitting
    path: Path
    advice: str | None = None


class _Place(NamedTuple):
    """A hook's file, the text that wtwatch would write there, and why it must not (``None``: it may)."""

    name: str
    path: Path
    whole: bytes
    refusal: str | None = None


def state(code: Path) -> list[HookState]:
    """Return how each hook of the repository at ``code`` stands; changes nothing."""
    return _each(code, lambda place, common: None)


def install(code: Path, jj_alias: str | None = None) -> list[HookState]:
    """Put the hooks into the repository at ``code``, where they may go; return how they stand then.

    May be repeated. Makes the folder that the bell lies in. ``jj_alias`` is the command of jj that shall ring
    it too; raises :class:`UsageError` if it cannot.
    """
    script = _script(Repo(code).common_dir())
    if jj_alias is not None and not jj.drives(code):
        raise UsageError(
            f"{code} is not driven by jj, so there is nothing to alias.", "Leave --jj-alias out."
        )
    for name in [jj_alias] if jj_alias is not None else _aliases(code, script):  # after a move, anew
        jjalias.put_in(code, script, name)
    return _each(code, _put_in)


def uninstall(code: Path) -> list[HookState]:
    """Take out what :func:`install` put in, also where ``core.hooksPath`` has been set since.

    Files that held nothing else are removed; all others are again what they were before. Aliases of jj go
    if they are still ours.
    """
    if jj.drives(code) and jj.installed():
        jjalias.take_out(code, _script(Repo(code).common_dir()))
    return _each(code, _take_out)


def with_block(text: bytes | None, whole: bytes) -> bytes:
    """Return a hook's text with the block of ``whole`` in it; ``whole`` itself where there is no hook yet."""
    if text is None:
        return whole
    block = _block(whole)
    if _BLOCK.search(text):
        return _BLOCK.sub(lambda _: block, text, count=1)
    shebang, newline, rest = text.partition(b"\n")
    return shebang + block + newline + rest


def without_block(text: bytes) -> bytes:
    """Return a hook's text as it was before :func:`with_block`."""
    return _BLOCK.sub(b"", text)


def alone(hook: HookState) -> tuple[bytes, bytes]:
    """Return what others have between the first line of an installed hook and our block, and it without that.

    What is left has the hook's own first line, and finds the bell beside itself as a shipped hook does.
    """
    shebang, _, rest = hook.path.read_bytes().partition(b"\n")
    between = re.sub(rb"(?m)^#.*$", b"", (b"\n" + rest).partition(_block(b"\n" + rest))[0])
    return between.strip(), shebang + _block(_text(hook.name, None)) + b"\n"


def objection(text: bytes, executable: bool) -> str | None:
    """Return why nothing can be added to a hook of this text, or ``None``; goes on from "It …"."""
    if len(_MARK.findall(text)) != 2 * len(_BLOCK.findall(text)):
        return "holds a part of wtwatch's block; take out the lines with `wtwatch` in their markers"
    if not executable:
        return "is not executable, so git passes it over"
    if not _SHELL.match(text) or _POLYGLOT.search(text):
        return "is not a shell script"
    return None


def _each(code: Path, act: Callable[[_Place, Path], None]) -> list[HookState]:
    common = Repo(code).common_dir()
    states = []
    for place in _places(code, common):
        try:
            act(place, common)
            verdict, advice = _verdict(place, bell_in(common))
            if place.name == JJ_HOOK and verdict is Fitting.INSTALLED:
                advice = _offer(code, place.path)
            advice = advice or _aside(place.path)
        except OSError as error:
            verdict = Fitting.REFUSED
            advice = f"{place.path}: {error.strerror}. Moves are noticed without it."
        states.append(HookState(place.name, verdict, place.path, advice))
    return states


def _put_in(place: _Place, common: Path) -> None:
    bell = bell_in(common)
    bell.parent.mkdir(exist_ok=True)
    if _verdict(place, bell)[0] in (Fitting.ABSENT, Fitting.OUTDATED):
        place.path.parent.mkdir(exist_ok=True)
        _write(place.path, with_block(_read(place.path), place.whole), executable=True)


def _take_out(place: _Place, common: Path) -> None:
    files = {common / "hooks" / place.name} if place.refusal else {place.path, common / "hooks" / place.name}
    for file in sorted(other for hook in files for other in (hook, *_put_aside(hook))):
        text = _read(file)
        if text is None or file.is_symlink() or not _BLOCK.search(text):
            continue
        rest = without_block(text)
        if rest == without_block(place.whole):
            file.unlink()
            sync_folder(file.parent)
        else:
            _write(file, _without_our_comment(rest, place.whole), executable=False)


def _without_our_comment(rest: bytes, whole: bytes) -> bytes:
    """Return what others added to a hook that was ours, without the line that says it is."""
    head = without_block(whole)
    comment = head.partition(b"\n")[2]
    shebang, newline, below = rest.partition(b"\n")
    return shebang + newline + below.removeprefix(comment) if below.startswith(comment) else rest


def _verdict(place: _Place, bell: Path) -> tuple[Fitting, str | None]:
    found = (Fitting.REFUSED, place.refusal) if place.refusal else _as_written(place, bell)
    closed = found[0] in (Fitting.FOREIGN, Fitting.REFUSED)
    by_hand = closed and _RINGS.search(without_block(_read(place.path) or b""))
    return (Fitting.BY_HAND, None) if by_hand else found


def _as_written(place: _Place, bell: Path) -> tuple[Fitting, str | None]:
    link = place.path.is_symlink()
    text = _read(place.path)
    if text is None and not link:
        return Fitting.ABSENT, "Run `wtwatch hooks install`."
    text = text or b""
    executable = os.access(place.path, os.X_OK)
    ours = without_block(text) == without_block(place.whole)
    why = "is a link" if link else objection(text, executable or ours)
    if why:
        return Fitting.FOREIGN, (
            f"{place.path} {why}, so it is left as it is. Moves are noticed without it; "
            f"to have it ring too, let it run: touch {shlex.quote(str(bell))}"
        )
    if not _BLOCK.search(text):
        return Fitting.ABSENT, "Run `wtwatch hooks install`."
    if not executable or _block(text) != _block(place.whole):
        return Fitting.OUTDATED, "Run `wtwatch hooks install`."
    return Fitting.INSTALLED, None


def _offer(code: Path, script: Path) -> str:
    names = _aliases(code, script)
    if names:
        return f"`jj {names[0]}` rings the bell. Moves are noticed without it: jj's operations are watched."
    return (
        "jj has no hooks, and moves are noticed without: its operations are watched. For a command that "
        "rings the bell, as an alias of this repository: wtwatch hooks install --jj-alias ring"
    )


def _aliases(code: Path, script: Path) -> list[str]:
    """Return the commands of jj that ring the bell; none where jj cannot be asked."""
    if not (jj.drives(code) and jj.installed()):
        return []
    try:
        return jjalias.ours(code, script)
    except CommandFailed:  # settings of jj that are broken are jj's to complain of
        return []


def _script(common: Path) -> Path:
    return bell_in(common).with_name(JJ_HOOK)


def _put_aside(hook: Path) -> list[Path]:
    """Return where other programs put a hook that was there before theirs, to bring it back when they go."""
    return [hook.with_name(hook.name + ending) for ending in _ENDINGS]


def _aside(hook: Path) -> str | None:
    """Say of our block in what another program put aside, which may come back."""
    held = [file for file in _put_aside(hook) if not file.is_symlink() and _BLOCK.search(_read(file) or b"")]
    if not held:
        return None
    return (
        f"{held[0]} holds wtwatch's block too: another program put it aside, and may bring it back. "
        "`wtwatch hooks uninstall` takes it out there as well."
    )


def _places(code: Path, common: Path) -> Sequence[_Place]:
    folder, refusal = _hooks_folder(code, common)
    bell = None if folder == common / "hooks" else bell_in(common)
    found = [_Place(name, folder / name, _text(name, bell), refusal) for name in GIT_HOOKS]
    script = _script(common)
    if jj.drives(code) or script.exists():
        found.append(_Place(JJ_HOOK, script, _text(JJ_HOOK, None)))
    return found


def _hooks_folder(code: Path, common: Path) -> tuple[Path, str | None]:
    """Return where git looks for hooks, and why nothing may be written there (``None``: it may)."""
    repo = Repo(code)
    folder = Path(repo.git("rev-parse", "--path-format=absolute", "--git-path", "hooks", hooks=True))
    setting = repo.git("config", "--show-scope", "--get", "core.hooksPath", ok=(0, 1), hooks=True)
    scope = setting.partition("\t")[0]
    if scope in ("", "local", "worktree") and folder.resolve().is_relative_to(common):
        return folder.resolve(), None
    own, folder = shlex.quote(str(common / "hooks")), _for_people(folder)
    if scope in ("", "local", "worktree"):
        why = f"The hooks of this repository lie in {folder}, which is not in its git directory"
    else:
        why = f"core.hooksPath is set for more than this repository, to {folder}"
    return folder, (
        f"{why}, so nothing is written there. Moves are noticed without it. To have them ring too, add one "
        f"line to {', '.join(GIT_HOOKS)} in {folder} (a new file begins with #!/bin/sh and is executable):\n"
        f"  {LINE}\n"
        f"To have hooks here, instead of those: git -C {shlex.quote(str(code))} config core.hooksPath {own}"
    )


def _for_people(folder: Path) -> Path:
    """Return where hooks are written by hand: husky runs those beside a folder ``_``, which it makes anew."""
    return folder.parent if folder.name == "_" else folder


def _text(name: str, bell: Path | None) -> bytes:
    """Return a shipped hook; with ``bell`` it finds that by its full path instead of beside itself."""
    text = os.fsencode(shipped("hooks", name))
    return text if bell is None else _BELL.sub(lambda _: os.fsencode(shlex.quote(str(bell))), text)


def _block(text: bytes) -> bytes:
    found = _BLOCK.search(text)
    assert found, "a shipped hook has a block"
    return found[0]


def _read(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _write(file: Path, text: bytes, executable: bool) -> None:
    """Replace ``file`` whole; its mode stays, made executable for all who may read it if so wished."""
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o777)
        with os.fdopen(handle, "wb") as out:
            if file.exists():
                mode = file.stat().st_mode & 0o7777
                os.fchmod(handle, mode | (mode & 0o444) >> 2 if executable else mode)
            out.write(text)
            out.flush()
            os.fsync(handle)
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(file.parent)
