"""A process that has DataLad and a job's process loaded, and plays one of the two in a child for each line.

Each line that it reads is a :class:`Play` as JSON; it answers with the exit code. To load both takes most of
the time of a run in a small dataset, and what is loaded is the same for all.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Self

HERE = Path(__file__).parents[2]


class Play(NamedTuple):
    """What is to be played: DataLad's command line with ``words``, or the job of the folder ``words[0]``.

    ``extra`` is what DataLad puts into the records of that run besides its own, as it would for any program
    that calls its Python (``extra_info`` of ``run_command``); its command line has no word for that.
    """

    job: bool
    words: tuple[str, ...]
    cwd: str
    env: dict[str, str]
    log: str
    extra: dict[str, Any]


class Players:
    """The process, from outside."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            cwd=HERE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def play(self, play: Play) -> int:
        """Have something played to its end; return the exit code."""
        into, out = self._process.stdin, self._process.stdout
        assert into is not None and out is not None
        into.write(json.dumps(play._asdict()) + "\n")
        into.flush()
        return int(out.readline())


def _load() -> None:
    import datalad.cli.main
    import datalad.core.local.run
    import datalad.core.local.save
    import datalad.core.local.status
    import datalad.distribution.get
    import datalad.local.rerun
    import datalad.local.unlock
    import datalad.support.annexrepo  # noqa: F401
    import datalad_container.containers_run  # noqa: F401

    import wtwatch.job.wrapper  # noqa: F401


def _act(play: Play) -> None:
    os.environ.clear()
    os.environ.update(play.env)
    os.chdir(play.cwd)
    log = os.open(play.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    import datalad

    datalad.cfg.reload(force=True)
    if play.job:
        from wtwatch.job import wrapper

        wrapper.main(list(play.words))
    else:
        _datalad(play.words, play.extra)


def _datalad(words: tuple[str, ...], extra: dict[str, Any]) -> None:
    from datalad.cli.main import main
    from datalad.core.local import run
    from datalad.local import rerun
    from datalad_container import containers_run

    told = partial(run.run_command, extra_info=extra or None)
    for module in (run, rerun, containers_run):
        assert hasattr(module, "run_command"), module
        module.run_command = told
    main(["datalad", *words])


def _in_a_child(play: Play) -> int:
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    code = 70
    try:
        _act(play)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _serve() -> None:
    _load()
    for line in sys.stdin:
        print(_in_a_child(Play(**json.loads(line))), flush=True)


if __name__ == "__main__":
    _serve()
