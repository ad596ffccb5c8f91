"""0.1.0 is at work when today's version is put in its place, and once more the other way: nothing is lost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
import venv
from pathlib import Path

import pytest

import wtwatch
from tests.building import SUBJECTS
from tests.lab import FIGURE, Lab, eventually, running_daemon
from tests.user_manager import user_manager
from wtwatch import __version__
from wtwatch.doors.dataset import record_of
from wtwatch.project.config import UNIT, read_project
from wtwatch.project.listing import registry_file

FIRST = "c06e9e7"
"""The commit that 0.1.0 is."""

ROOT = Path(__file__).parents[2]
OURS = Path(wtwatch.__file__).parent
SHIPPED = ("hooks", "systemd")


class Site:
    """An environment that wtwatch is installed in, of whose dependencies it has those of the tests.

    ``first`` is an archive of 0.1.0.
    """

    def __init__(self, folder: Path, first: bytes) -> None:
        venv.create(folder, symlinks=True)
        self.python, self._first = folder / "bin/python", first
        [self._packages] = folder.glob("lib/python*/site-packages")
        (self._packages / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n")

    def install(self, version: str) -> None:
        """Do as pip does: remove what is there, then put 0.1.0 or today's there."""
        place = self._packages / "wtwatch"
        shutil.rmtree(place, ignore_errors=True)
        if version == __version__:
            shutil.copytree(OURS, place, ignore=shutil.ignore_patterns("__pycache__"))
            for name in SHIPPED:
                shutil.copytree(ROOT / name, place / name)
            return
        words = ["tar", "-x", "-C", str(self._packages)]
        subprocess.run(words, input=self._first, check=True)
        for name in SHIPPED:
            (self._packages / name).rename(place / name)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Return the place that each `wtwatch` of this test comes from, with 0.1.0 in it."""
    words = ["git", "-c", f"safe.directory={ROOT}", "archive", FIRST, "wtwatch", *SHIPPED]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"the history here does not go back to {FIRST}, which 0.1.0 is")
    made = Site(tmp_path / "site", done.stdout)
    made.install("0.1.0")
    monkeypatch.setattr("tests.lab._wtwatch", lambda *args: [str(made.python), "-P", "-m", "wtwatch", *args])
    return made


def states(lab: Lab) -> dict[int, str]:
    return {job["id"]: job["state"] for job in lab.jobs()}


def status(lab: Lab) -> str:
    said = lab.wtwatch("status", code=(0, 1)).out
    print(said)
    return said


@pytest.mark.slow
@pytest.mark.parametrize("ends", [False, True], ids=["under the new daemon", "before the old one"])
def test_an_upgrade_under_a_running_job_a_queue_and_a_standing_order_loses_nothing_nor_does_the_way_back(
    lab: Lab, site: Site, ends: bool
) -> None:
    assert lab.wtwatch("--version").out.endswith("0.1.0\n")
    lab.wtwatch("init")
    config = lab.project().state / "config.toml"
    config.write_text(f"{config.read_text()}settle = 0.5\n")
    gate, code = lab.gate(), lab.commit("HEAD", lab.run_code)
    lab.queue_plots("-m", "Plot {subject}", drugs=["LSD"], options=gate.words)
    lab.wtwatch(
        "queue", "add", "--every-move", "-o", "each.txt", "--", "cat code/src/*/version.py > each.txt"
    )
    with running_daemon(lab.root) as old:
        eventually(gate.reached, within=60)
        eventually(lambda: states(lab) == {1: "running", 2: "waiting"})
        site.install(__version__)
        assert f"of version 0.1.0, but {__version__} is installed" in status(lab)
        assert states(lab) == {1: "running", 2: "waiting"}
        if ends:
            gate.open()
            eventually((lab.project().state / "jobs/1.1/outcome").exists)
            eventually(lambda: "written by a newer wtwatch" in (lab.root / "daemon.log").read_text())
        assert states(lab) == {1: "running", 2: "waiting"}, "of whatever the old daemon did, nothing is lost"
        assert old.poll() is None
    with running_daemon(lab.root):
        assert "0.1.0" not in status(lab)
        gate.open()
        eventually(lambda: states(lab) == {1: "succeeded", 2: "succeeded"}, within=60)
        for number, subject in enumerate(reversed(SUBJECTS)):
            record = record_of(lab.run, lab.commit(f"HEAD~{number}", lab.run))
            assert record is not None
            assert record["outputs"] == [FIGURE.format(subject=subject, drug="LSD")]
            assert lab.git("rev-parse", f"HEAD~{number}^:code", cwd=lab.run) == code
        assert lab.git("status", "--porcelain", cwd=lab.run) == ""
        lab.change_code("2", "a change")
        lab.move_bookmark()
        eventually(lambda: states(lab).get(3) == "succeeded", within=60)
        assert '"2"' in (lab.run / "each.txt").read_text()
        eventually(lambda: status(lab).count("✓ fresh") == 1)
    for settings, said in (("settle", "written by a newer wtwatch"), ("version", "no setting 'version'")):
        ahead = lab.status()["results"]["ahead"]
        kept = {file: file.read_bytes() for file in (config, registry_file())}
        assert settings in config.read_text()
        site.install("0.1.0")
        for words in ("status",), ("queue", "list"), ("sync",):
            told = lab.wtwatch(*words, code=(1, 2))
            assert said in f"{told.out} {told.err}", told
        site.install(__version__)
        assert {file: file.read_bytes() for file in kept} == kept
        assert states(lab) == {1: "succeeded", 2: "succeeded", 3: "succeeded"}
        assert lab.status()["results"]["ahead"] == ahead
        lab.wtwatch("config", "settle", "1")
        assert read_project(config).settle == 1
    lab.wtwatch("merge")
    assert (lab.main / FIGURE.format(subject=SUBJECTS[0], drug="LSD")).exists()
    faults = json.loads(lab.wtwatch("doctor", "--json", code=(0, 1)).out)
    assert "0.1.0" not in str(faults)


@pytest.mark.slow
def test_a_service_of_0_1_0_is_started_anew_by_todays_install_and_its_job_goes_on(
    lab: Lab, site: Site
) -> None:
    lab.wtwatch("init")
    gate = lab.gate()
    with user_manager(Path.home(), **os.environ) as manager:

        def service(*words: str) -> str:
            command = (str(site.python), "-P", "-m", "wtwatch", "service", *words)
            return manager.run(*command, folder=lab.main).stdout

        service("install")
        old = manager.show(UNIT, "MainPID")
        lab.queue_plots("-m", "Plot {subject}", drugs=["LSD"], options=gate.words)
        eventually(gate.reached, within=60)
        site.install(__version__)
        assert "it was of another version (0.1.0)" in service("install")
        assert manager.show(UNIT, "MainPID") not in (old, "0")
        assert states(lab) == {1: "running", 2: "waiting"}
        gate.open()
        eventually(lambda: states(lab) == {1: "succeeded", 2: "succeeded"}, within=60)
        assert lab.git("status", "--porcelain", cwd=lab.run) == ""
