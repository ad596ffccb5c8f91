"""``wtwatch demo``: the whole story on a small project that it makes, with the daemon, narrated."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import click

from wtwatch.setup import demo
from wtwatch.setup.demo import Stage
from wtwatch.views.terminal import say, styled
from wtwatch.words.errors import UsageError


@click.command("demo")
@click.option(
    "--keep", type=click.Path(path_type=Path), metavar="DIR", help="make it in DIR, and leave it there"
)
@click.option("--folder", "as_folder", is_flag=True, help="with code as a folder of the superdataset")
def command(keep: Path | None, as_folder: bool) -> int:
    """Play the story on a small project: a batch, code that changes meanwhile, results brought home."""
    if keep is not None:
        if keep.exists() and (not keep.is_dir() or any(keep.iterdir())):
            raise UsageError(f"{keep} exists and is not an empty folder.", "Name another: --keep DIR.")
        keep.mkdir(parents=True, exist_ok=True)
        return _play(keep.resolve(), as_folder)
    with tempfile.TemporaryDirectory(prefix="wtwatch-demo-", ignore_cleanup_errors=True) as folder:
        try:
            return _play(Path(folder).resolve(), as_folder)
        finally:
            demo.make_deletable(Path(folder))


def _play(folder: Path, as_folder: bool) -> int:
    began = time.monotonic()
    stage = Stage(folder, _narrate, as_folder)
    with stage:
        demo.play(stage)
        broken = demo.broken_promises(stage)
    seconds = time.monotonic() - began
    if broken:
        for promise in broken:
            say(styled(f"✗ {promise}", "red"))
        say(f"Not as promised, after {seconds:.0f} s. The daemon's log:\n{stage.log()}")
        return 1
    say(styled(f"All as promised, in {seconds:.0f} s.", "green"))
    return 0


def _narrate(kind: str, text: str) -> None:
    """Print a piece of the story: a ``chapter``, a ``word`` of it, a ``command``, or what that ``said``."""
    match kind:
        case "chapter":
            say()
            say(styled(f"━━ {text}", "cyan", bold=True))
        case "command":
            say(styled(f"  $ {text}", bold=True))
        case "said":
            say("\n".join(f"    {line}" for line in text.splitlines()))
        case _:
            say(f"  {text}")
