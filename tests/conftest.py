"""Every test runs in a sealed room: a home of its own, none of the machine's settings, real tools."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Literal

import pytest

from tests import building
from tests.lab import Driver, Lab, Said, eventually
from tests.room import missing_tools, sealed_env
from tests.tally import LOOKS, PROPERTY, Kills, Looks, lines
from wtwatch import cli
from wtwatch.job import lifecycle
from wtwatch.job.warming import AGAIN, Warming

MakeLab = Callable[..., Lab]
Kind = Driver | Literal["run"]
Say = Callable[..., Said]


@pytest.hookimpl(optionalhook=True)  # without pytest-xdist there is no such question
def pytest_xdist_auto_num_workers() -> int:
    """Half as many again as there are cores, since tests wait for daemons and jobs as often as they work."""
    cores = len(os.sched_getaffinity(0))
    return max(2, cores + cores // 2)


def pytest_sessionstart() -> None:
    if missing := missing_tools(os.environ):
        pytest.exit(
            f"the tests need {', '.join(missing)} on PATH or beside this Python. `make test` brings all.",
            returncode=1,
        )
    # A shell starts what it puts into the background with Ctrl-C ignored, which all children would inherit.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage while thousands of tests are collected, nor ever again among them."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.geteuid() != 0:
        for item in items:
            if mark := item.get_closest_marker("needs_root"):
                item.add_marker(pytest.mark.skip(reason=f"only root can {mark.args[0]}"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in lines(terminalreporter.stats):
        terminalreporter.write_line(line)


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> Iterator[Kills]:
    """Counts what this test ends with `kill -9`, for the last lines of the run."""
    counted = Kills()
    yield counted
    request.node.user_properties.append((PROPERTY, counted.counts))


@pytest.fixture
def looks(request: pytest.FixtureRequest) -> Iterator[Looks]:
    """Counts this test's looks at results that may be stale, for the last lines of the run."""
    counted = Looks()
    yield counted
    request.node.user_properties.append((LOOKS, dict(counted.counts)))


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of this session share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def templates(shared: Path) -> Callable[[Kind], Path]:
    """Where the project lies as it is copied for each test, built when first asked for."""
    env = sealed_env(shared / "home", shared / "uv-cache", os.environ)

    def template(kind: Kind) -> Path:
        folder = shared / f"template-{kind}"
        with building.built_once(folder) as wanted:
            if wanted and kind == "git":
                building.build(folder, env)
            elif wanted:
                building.copy(template("git") / "L5b", folder / "L5b")
                if kind == "jj":
                    building.let_jj_drive(folder / "L5b" / "code", env)
                else:
                    building.add_run_tree(folder, env)
        return folder

    return template


@pytest.fixture(autouse=True)
def sealed(tmp_path: Path, shared: Path) -> Iterator[None]:
    """Shut the room, with a monkeypatch of its own: a test that undoes its own patches stays inside."""
    env = sealed_env(tmp_path / "home", shared / "uv-cache", os.environ)
    with pytest.MonkeyPatch.context() as patch:
        for key in os.environ.keys() - env.keys():
            patch.delenv(key)
        for key, value in env.items():
            patch.setenv(key, value)
        yield


def is_ready(warming: Warming) -> bool:
    """Return whether what starts jobs quickly is ready; it is begun, once more where one was of no use."""
    warming.expect()
    return warming.pid is not None


@pytest.fixture
def warm(sealed: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have jobs that this process starts begin as the daemon's do, for tests that start many."""
    warming = Warming()
    eventually(lambda: is_ready(warming), within=2 * AGAIN)
    monkeypatch.setattr(lifecycle.HERE, "warming", warming)
    yield
    warming.close()


@pytest.fixture
def make_lab(tmp_path: Path, templates: Callable[[Kind], Path]) -> Iterator[MakeLab]:
    """Make a lab in a folder of any name: ``make_lab("jj", "a folder")``; of kind "run": with a run tree."""
    made: list[Lab] = []

    def make(kind: Kind = "git", name: str = "lab") -> Lab:
        made.append(Lab.copied(templates(kind), tmp_path / name, "jj" if kind == "jj" else "git"))
        return made[-1]

    yield make
    for lab in made:
        lab.clear_out()


@pytest.fixture
def lab(make_lab: MakeLab) -> Lab:
    """A lab whose code/ is driven by plain git."""
    return make_lab("git")


@pytest.fixture
def jj_lab(make_lab: MakeLab) -> Lab:
    """A lab whose code/ is driven by a colocated jj."""
    return make_lab("jj")


@pytest.fixture(params=["git", pytest.param("jj", marks=pytest.mark.slow)])
def any_lab(make_lab: MakeLab, request: pytest.FixtureRequest) -> Lab:
    """A lab of each kind in turn."""
    return make_lab(request.param)


@pytest.fixture
def say(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Say:
    """Run a command line of wtwatch in this process, which is quick: `say(folder, "init", code=2)`."""

    def call(where: Path, *words: str, code: int = 0) -> Said:
        monkeypatch.chdir(where)
        capfd.readouterr()
        got = cli.run(words)
        out, err = capfd.readouterr()
        assert "Traceback" not in err, err
        assert got == code, f"{words}: exit {got}\n{out}\n{err}"
        return Said(got, out, err)

    return call
