"""What is found wrong with jobs when they are queued."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from datalad.core.local.run import format_command
from datalad.distribution.dataset import Dataset

from tests.lab import Lab
from wtwatch.queue import checks
from wtwatch.words.errors import UsageError
from wtwatch.words.model import JobSpec

KNOWN = (
    "x {inputs} {outputs[0]}",
    "x {pwd}/{dspath} {tmpdir}",
    "x {{any}} {{",
    "x {inputs!s:>3}",
    "x {mine}",
    "x {theirs}",
)
UNKNOWN = (
    "x {nope}",
    "x ${HOME}",
    "awk '{print $1}'",
    "x {0}",
    "x {}",
    "x {",
    "x }",
    "x {input}",
)


@pytest.fixture
def configured(lab: Lab) -> Path:
    """A dataset that knows {mine} from its own settings, and {theirs} from what it tracks."""
    lab.git("config", "datalad.run.substitutions.mine", "1")
    tracked = str(lab.main / ".datalad" / "config")
    lab.git("config", "-f", tracked, "datalad.run.substitutions.theirs", "2")
    return lab.main


def test_a_placeholder_is_refused_exactly_where_datalad_would_fail(configured: Path) -> None:
    dataset = Dataset(configured)
    for command in (*KNOWN, *UNKNOWN):
        try:
            format_command(
                dataset, command, inputs=["a"], outputs=["b"], pwd=str(configured), dspath="d", tmpdir="t"
            )
            fails = False
        except (KeyError, ValueError, IndexError):
            fails = True
        assert fails == (command in UNKNOWN), command
        refused = False
        try:
            checks.check_placeholders([JobSpec(command)], configured)
        except UsageError as error:
            refused = bool(error.hint)
        assert refused == fails, command


def test_the_way_out_of_an_unknown_placeholder_is_that_of_its_kind(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)

    def way(command: str) -> str:
        with pytest.raises(UsageError) as caught:
            checks.check_placeholders([JobSpec(command)], tmp_path, ["subject"])
        return str(caught.value.hint)

    assert "{subject}, {inputs}" in way("x {subjct}")
    assert way("x ${HOME}").startswith("Write $HOME, or ${{HOME}},")
    assert "--plain" in way("awk '{print $1}'")


def test_plain_jobs_and_reruns_are_not_read_as_commands_of_datalad(tmp_path: Path) -> None:
    record = JobSpec("x {nope}", rerun_of="a" * 40)  # type: ignore[arg-type]
    checks.check_placeholders([JobSpec("x {nope} {", plain=True), record], tmp_path)


def jobs(*outputs: str) -> list[JobSpec]:
    return [JobSpec(f"x {number}", outputs=(path,)) for number, path in enumerate(outputs)]


def test_two_jobs_that_make_the_same_file_are_noticed() -> None:
    assert checks.meeting_outputs(jobs("a", "b", "out/c", "out/d", "outer")) is None
    assert checks.meeting_outputs(jobs("out/*", "out/*")) is None, "nobody knows what they match"
    assert "'out/a'" in str(checks.meeting_outputs(jobs("out/a", "b", "out/./a")))
    for paths in (("out/c", "out"), ("out", "b", "out/c/d")):
        assert "makes 'out'" in str(checks.meeting_outputs(jobs(*paths)))
    one = JobSpec("x", outputs=("out", "out/a"))
    assert checks.meeting_outputs([one]) is None, "one job may name a folder and what is in it"


def test_an_input_has_to_be_there_or_to_be_made_by_a_job_before(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.csv").touch()
    (tmp_path / "broken").symlink_to("annexed/elsewhere")

    def said(*inputs: str, made: tuple[str, ...] = (), outputs: tuple[str, ...] = ()) -> str | None:
        return checks.absent_inputs(
            [JobSpec("x", None, inputs, outputs)], [tmp_path / "gone", tmp_path], made
        )

    assert said("data", "data/a.csv", "data/*.csv", "*", "broken", "{mine}/x") is None
    assert str(said("nope", "data/*.tsv", "data/b")).startswith("nope, data/*.tsv, data/b: not there")
    assert "and 1 more" in str(said("1", "2", "3", "4"))
    for made in (("out/fig.png",), ("out",)):
        assert said("out/fig.png", made=made) is None
    assert said("out", made=("out/fig.png",)) is None
    assert said("out/*.png", made=("out/fig.png",)) is None
    assert said("out/*.png", made=("out",)) is None
    assert said("out/b.png", made=("out/fig.png",))
    assert said("o*/fig.png", "out/f?g.png", made=("out/fig.png",)) is None
    assert said("out/*.csv", "other/*", made=("out/fig.png",))
    assert said("x", outputs=("x",)), "its own output is no input that was there before"
    first, second = JobSpec("x", outputs=("x",)), JobSpec("y", inputs=("x",))
    assert checks.absent_inputs([first, second], [tmp_path], ()) is None
    assert checks.absent_inputs([second, first], [tmp_path], ())
