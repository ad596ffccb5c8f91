"""Containers as datalad-container writes them into a dataset's settings, and commands that run in them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from wtwatch.doors import containers
from wtwatch.doors.containers import TELLS, Container, found
from wtwatch.words.errors import UsageError, WtwatchError

IMAGE = ".datalad/environments/{}/image"


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True)


def dataset(folder: Path) -> Path:
    folder.mkdir(parents=True)
    git(folder, "init", "-q")
    (folder / ".datalad").mkdir()
    return folder


def add(top: Path, name: str, call: str | None = None, *also: str) -> None:
    """Note a container as `datalad containers-add` does."""
    for item, value in (
        ("image", IMAGE.format(name)),
        ("cmdexec", call),
        *(("extra-input", one) for one in also),
    ):
        if value is not None:
            git(top, "config", "-f", ".datalad/config", "--add", f"datalad.containers.{name}.{item}", value)


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A dataset with two containers, and one more in the subdataset envs/hpc that is called hpc."""
    top = dataset(tmp_path / "top")
    add(top, "fsl", "run {img} {cmd}", "{img_dirpath}/lib", "{img_dspath}/x")
    add(top, "spm")
    sub = dataset(top / "envs" / "hpc")
    add(sub, "bids", "{img_dspath}/call {img} {cmd}")
    git(sub, "commit", "-q", "--allow-empty", "-m", "sub")
    git(top, "config", "-f", ".gitmodules", "submodule.hpc.path", "envs/hpc")
    git(top, "config", "-f", ".gitmodules", "submodule.evil.path", "../elsewhere")
    git(top, "add", ".gitmodules", "envs/hpc", ".datalad")
    git(top, "commit", "-q", "-m", "top")
    return top


def test_a_container_is_found_by_its_name_or_by_where_its_image_lies(top: Path) -> None:
    image = IMAGE.format("fsl")
    known = Container("fsl", "", image, "run {img} {cmd}", ("{img_dirpath}/lib", "{img_dspath}/x"))
    assert found(top, "fsl") == found(top, image) == known
    assert known.inputs == (image, f"{os.path.dirname(image)}/lib", "./x")  # noqa: PTH120 - a path as text
    assert known.around("bet {inputs} > '{{out}}'") == f"run {image} bet {{inputs}} > '{{{{out}}}}'"


def test_what_git_itself_is_told_of_a_container_counts_more(top: Path) -> None:
    git(top, "config", "datalad.containers.fsl.cmdexec", "here {img} {cmd}")
    assert found(top, "fsl").around("x") == f"here {IMAGE.format('fsl')} x"


def test_an_image_without_a_call_is_a_program_wherever_the_dataset_lies(top: Path) -> None:
    assert found(top, "spm").around("a b") == f"{IMAGE.format('spm')} a b"
    assert Container("x", "", "x.sif").around("a") == "./x.sif a"


def test_one_of_a_subdataset_is_called_by_that_too(top: Path) -> None:
    image = f"envs/hpc/{IMAGE.format('bids')}"
    one = found(top, "hpc/bids")
    assert one == Container("hpc/bids", "envs/hpc", image, "{img_dspath}/call {img} {cmd}")
    assert one.around("x") == f"envs/hpc/call {image} x" and one.inputs == (image,)


def test_one_that_is_not_known_names_those_that_are(top: Path) -> None:
    with pytest.raises(UsageError, match="no container 'fls', but fsl, hpc/bids, spm") as caught:
        found(top, "fls")
    assert caught.value.hint == "Did you mean --container fsl?"
    for name in ("hpc/nope", "zzz", "elsewhere/x", "../elsewhere/x"):
        with pytest.raises(UsageError, match="but fsl, hpc/bids, spm") as caught:
            found(top, name)
        assert caught.value.hint and "--container" in caught.value.hint


def test_of_a_subdataset_that_is_not_there_it_says_how_to_get_it(top: Path) -> None:
    (top / "envs/hpc/.git").rename(top / "gone")
    with pytest.raises(UsageError, match="subdataset envs/hpc") as caught:
        found(top, "hpc/bids")
    assert caught.value.hint and "datalad get -n envs/hpc" in caught.value.hint
    assert containers.names(top) == ["fsl", "spm"]


def test_a_dataset_without_any_says_how_one_is_added(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nor any other") as caught:
        found(dataset(tmp_path / "bare"), "fsl")
    assert caught.value.hint and "containers-add" in caught.value.hint


@pytest.mark.parametrize("call", ["run {image} {cmd}", "run {img", "run } {cmd}", "run {img.x}", "{0} {cmd}"])
def test_a_call_that_cannot_be_read_is_named_with_what_it_may_hold(call: str) -> None:
    with pytest.raises(UsageError, match=r"datalad.containers.x.cmdexec cannot be read") as caught:
        Container("x", "", "i", call).around("true")
    assert caught.value.hint and "{img}" in caught.value.hint and "{cmd}" in caught.value.hint


def test_an_adapter_that_is_not_installed_is_named_with_the_line_that_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    docker = Container("x", "", "i", "{python} -m datalad_container.adapters.docker run {img} {cmd}")
    monkeypatch.setattr(containers, "_has_adapters", lambda: False)
    with pytest.raises(WtwatchError, match="not installed beside wtwatch") as caught:
        docker.around("true")
    assert caught.value.hint == f"{sys.executable} -m pip install datalad-container"
    monkeypatch.setattr(containers, "_has_adapters", lambda: True)
    assert docker.around("true").startswith(f"{sys.executable} -m datalad_container.adapters.docker run i")


@pytest.mark.parametrize("line", ["a && b", "a; b", "a | b > c", "cd x;b", "a || b", "a & b"])
def test_a_line_of_several_commands_does_not_run_in_a_container_as_a_whole(line: str) -> None:
    assert Container("x", "", "i", "run {img} {cmd}").leaves_out(line)
    assert not Container("x", "", "i", "run {img} sh -c '{cmd}'").leaves_out(line)


@pytest.mark.parametrize(
    "line", ["a b > c", "sh -c 'a && b; c'", 'sh -c "a | b"', "a 'it is", "a {inputs} 2>&1"]
)
def test_a_line_of_one_command_runs_there_as_a_whole(line: str) -> None:
    assert not Container("x", "", "i", "run {img} {cmd}").leaves_out(line)


def test_what_starts_a_container_learns_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TELLS, raising=False)
    with containers.told("fsl"):
        assert os.environ[TELLS] == "fsl"
    assert TELLS not in os.environ
    with containers.told(None):
        assert TELLS not in os.environ
