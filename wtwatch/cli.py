"""Words in, words and exit codes out: which command is meant, and what is said of trouble."""

from __future__ import annotations

import gc
import io
import os
import sys
from collections.abc import Sequence

from wtwatch import __version__
from wtwatch.views.terminal import abandon_stdout, complain, warn
from wtwatch.words.errors import WtwatchError, of_system


def run(words: Sequence[str]) -> int:
    """Run one command line; return its exit code. Foreseen trouble is told with the way out, never traced."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # file names may be any bytes, terminals may be poor
            stream.reconfigure(errors="backslashreplace")
    try:
        return _answer(words)
    except WtwatchError as error:
        complain(error)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader has enough, as in `wtwatch queue list | head`
        abandon_stdout()
        return 0
    except OSError as error:  # a full disk, a folder that may not be written
        try:
            if sys.stdout is not None:  # it was closed by who started the command
                sys.stdout.flush()
        except OSError:
            abandon_stdout()
        complain(of_system(error))
        return 1
    except Exception as error:
        return _own_failure(error)


def _answer(words: Sequence[str]) -> int:
    asked = plain_status(words)
    if asked is not None:
        from wtwatch.views import text

        return text.show(*asked)
    if list(words) == ["merge", "--dry-run"] and "WTWATCH_PROJECT" not in os.environ:
        from wtwatch.views import merging  # what it would bring home is asked often, and quickly told

        return merging.preview()
    from wtwatch.commands import group

    gc.enable()  # see __main__
    return group.read(words)


def plain_status(words: Sequence[str]) -> tuple[str | None, bool, bool] | None:
    """Return project, ``--json`` and ``--short`` of a plain ``status``; ``None`` for what click has to read.

    Shells ask for a status at each prompt, and a third of the time that it took went into loading click.
    """
    flags = {word for word in words[1:] if word in ("--json", "--short")}
    names = [word for word in words[1:] if word not in flags]
    if (
        list(words[:1]) != ["status"]
        or len(names) > 1
        or any(name.strip()[:1] in ("", "-") for name in names)
    ):
        return None
    return names[0] if names else None, "--json" in flags, "--short" in flags


def _own_failure(error: Exception) -> int:
    import traceback

    from wtwatch.doors.files import write_whole
    from wtwatch.project import config

    report = config.failure_file()
    facts = f"wtwatch {__version__}, Python {sys.version}\n{sys.argv}\n\n{traceback.format_exc()}"
    try:
        report.parent.mkdir(parents=True, exist_ok=True)
        write_whole(report, facts)
        where = f"Please report it, with the file {report}"
    except OSError:
        where = f"Please report it, with this:\n{facts}"
    warn(f"wtwatch itself failed: {type(error).__name__}: {error}\n{where}")
    return 3
