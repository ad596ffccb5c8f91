"""The one kind of foreseen trouble: what happened, the way out, and the exit code."""

import shlex


class WtwatchError(Exception):
    """Something that the user can act on.

    ``message`` says what happened and where, in one sentence; ``hint`` names the way out, where possible
    as a command to paste. ``exit_code`` follows the command-line contract: 1 needs the user, 2 usage.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(WtwatchError):
    """What was asked cannot be meant: wrong word, wrong place, wrong file."""

    exit_code = 2


class CommandFailed(WtwatchError):
    """A tool that wtwatch drives (git, jj, uv, …) exited with an error; its own words are kept."""

    def __init__(self, command: list[str], code: int, stderr: str, where: str) -> None:
        words = stderr.strip() or "(it printed nothing)"
        died = f"signal {-code}" if code < 0 else f"exit {code}"
        super().__init__(f"`{shlex.join(command)}` failed in {where} ({died}):\n{words}")
        self.command = command
        self.code = code
        self.stderr = stderr


class Busy(WtwatchError):
    """The run tree is held or in use, so nothing may move now; trying again later is right."""


class NoIdentity(WtwatchError):
    """Git knows nobody to name as the author of a commit in ``where`` (git-commit(1), commit information)."""

    def __init__(self, where: str) -> None:
        super().__init__(
            f"git does not know who you are, so nothing can be committed in {where}. "
            "(A service sees no variables of your shell, such as GIT_AUTHOR_NAME or EMAIL.)",
            "git config --global user.name 'Your Name'; git config --global user.email you@example.org",
        )
