"""Do the hooks really ring? Their lines are run, as git runs them, in a repository made for that.

So neither the user's repository nor what others have in their hooks is touched: it is our lines alone, in
the shell that the hook names, beside a bell of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from wtwatch.doors.files import bell_in, scratch_folder
from wtwatch.doors.program import Asking
from wtwatch.doors.repo import Repo
from wtwatch.doors.toolenv import for_tools
from wtwatch.setup import githooks
from wtwatch.setup.githooks import JJ_HOOK, Fitting, HookState
from wtwatch.words.errors import WtwatchError

_ANEW = "wtwatch hooks uninstall && wtwatch hooks install"


class Silent(NamedTuple):
    """An installed hook that does not ring: why, as what follows its name, and the way out."""

    hook: HookState
    why: str
    way: str = f"Mend its first line, or remove it, then: {_ANEW}"


def silent(hooks: Iterable[HookState]) -> Iterator[Silent]:
    """Yield those of the installed hooks that do not ring.

    Raises :class:`WtwatchError` and :class:`OSError` where nothing can be tried.
    """
    with scratch_folder("wtwatch-hooks-") as scratch:
        repo = Repo(scratch)
        repo.git("init", "-q", "--template=")
        common = repo.common_dir()
        bell_in(common).parent.mkdir()
        for hook in hooks:
            if hook.state is Fitting.INSTALLED and (found := _tried(hook, repo, common)):
                yield found


def _tried(hook: HookState, repo: Repo, common: Path) -> Silent | None:
    before, alone = githooks.alone(hook)
    if before:
        return Silent(
            hook, "has other lines before those of wtwatch, which may end it before it rings", _ANEW
        )
    bell = bell_in(common)
    bell.unlink(missing_ok=True)
    try:
        _run(hook, alone, repo, common)
    except (WtwatchError, OSError) as error:
        words = str(getattr(error, "stderr", "") or error).strip().splitlines()
        return Silent(hook, f"does not run: {words[-1] if words else 'no word why'}")
    return None if bell.exists() else Silent(hook, "runs and does not ring")


def _run(hook: HookState, alone: bytes, repo: Repo, common: Path) -> None:
    folder = common / "wtwatch" if hook.name == JJ_HOOK else common / "hooks"
    folder.mkdir(exist_ok=True)
    trial = folder / hook.name
    trial.write_bytes(alone)
    trial.chmod(hook.path.stat().st_mode & 0o777)
    if hook.name != JJ_HOOK:
        # the user's own setting for all repositories would lead elsewhere
        repo.git("-c", f"core.hooksPath={folder}", "hook", "run", hook.name, hooks=True)
        return
    with Asking([str(trial)], repo.path, for_tools()) as asking:
        asking.answer()
