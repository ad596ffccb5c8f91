"""From the words of `queue add` to jobs."""

from __future__ import annotations

from pathlib import Path

import pytest
from datalad.core.local.run import normalize_command
from hypothesis import given, settings
from hypothesis import strategies as st

from wtwatch.project.config import Project
from wtwatch.queue.orders import Request, check_inside, expand, shell_line
from wtwatch.words.errors import UsageError
from wtwatch.words.model import JobSpec, Sha

PROJECT = Project("L5b", Path("/s"), Path("/data/L5b"), Path("/data/L5b-runs"))
WORD = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)


def test_one_job_without_each() -> None:
    request = Request(("python code/x.py {inputs}",), "m", ("in",), ("out",))
    assert expand(request, PROJECT) == [JobSpec("python code/x.py {inputs}", "m", ("in",), ("out",))]


def test_one_job_for_each_combination_the_first_name_varying_slowest() -> None:
    request = Request(("run {s} {d}",), each=("s=A,B", "d=LSD,Saline"))
    assert [spec.command for spec in expand(request, PROJECT)] == [
        "run A LSD",
        "run A Saline",
        "run B LSD",
        "run B Saline",
    ]


def test_a_name_is_replaced_everywhere_and_all_else_is_left_to_datalad() -> None:
    request = Request(
        ("x {s} {inputs[0]} {outputs} {{s}} {{other}} $s",),
        "Plot {s}",
        ("in/{s}",),
        ("out/{s}/*",),
        ("s=A",),
    )
    assert expand(request, PROJECT) == [
        JobSpec(
            "x A {inputs[0]} {outputs} {{s}} {{other}} $s",
            "Plot A",
            ("in/A",),
            ("out/A/*",),
            values=(("s", "A"),),
        )
    ]


def test_a_plain_command_keeps_all_braces_that_are_no_names_of_each() -> None:
    (job,) = expand(
        Request(("x {s} {other} ${s} {{s}} { awk '{print $1}'",), each=("s=A",), plain=True), PROJECT
    )
    assert job.command == "x A {other} ${s} {{s}} { awk '{print $1}'"


def test_each_job_keeps_the_values_that_it_was_made_with() -> None:
    specs = expand(Request(("run {s} {d}",), each=("s=A,B", "d=x")), PROJECT)
    assert [spec.values for spec in specs] == [(("s", "A"), ("d", "x")), (("s", "B"), ("d", "x"))]


def test_jobs_may_differ_in_inputs_and_outputs_alone() -> None:
    request = Request(("x {inputs} {outputs}",), None, ("in/{s}",), ("out/{s}",), ("s=A,B",))
    assert [spec.outputs for spec in expand(request, PROJECT)] == [("out/A",), ("out/B",)]


def test_values_may_hold_spaces_quotes_and_any_letter() -> None:
    request = Request(("cp", "{f}", "{outputs}"), "of {f}", ("in/{f}",), ("ö/{f}",), ("f=it's a,-ü b",))
    first, second = expand(request, PROJECT)
    assert first[:4] == ("""cp 'it'"'"'s a' {outputs}""", "of it's a", ("in/it's a",), ("ö/it's a",))
    assert second.command == "cp '-ü b' {outputs}"


def test_braces_in_a_value_reach_a_plain_command_as_they_are() -> None:
    (plain,) = expand(Request(("echo {s}",), each=("s={x}",), plain=True), PROJECT)
    assert plain.command == "echo {x}"


@settings(deadline=None)
@given(st.lists(WORD, min_size=1))
def test_words_become_the_shell_line_that_datalad_makes_of_them(words: list[str]) -> None:
    # datalad drops the marker that the command line has taken off already, and joins inputs to one word
    if words[0] != "--" and not any(name in word for word in words for name in ("{inputs", "{outputs")):
        assert shell_line(words) == normalize_command(list(words))


def test_inputs_and_outputs_become_as_many_words_as_there_are_files() -> None:
    line = shell_line(("cat", "{inputs}", "--to={outputs[0]}", "it's {inputs}", "a b"))
    assert line == """cat {inputs} --to={outputs[0]} 'it'"'"'s {inputs}' 'a b'"""


@pytest.mark.parametrize(
    ("request_", "complaint"),
    [
        (Request(()), "no command"),
        (Request((" ",)), "no command"),
        (Request(("x {s}",), each=("s",)), "no values"),
        (Request(("x {s}",), each=("s=",)), "no values"),
        (Request(("x {s}",), each=("s=A,,B",)), "an empty value"),
        (Request(("x {s}",), each=("s=A", "s=B")), "twice"),
        (Request(("x",), each=("s=A,B",)), "nothing says {s}"),
        (Request(("x ${s}",), each=("s=A,B",)), "nothing says {s}"),
        (Request(("x {1}",), each=("1=A",)), "cannot be a name"),
        (Request(("x {a-b}",), each=("a-b=A",)), "cannot be a name"),
        (Request(("x {s}",), each=("=A",)), "cannot be a name"),
        (Request(("x {s}",), each=("s=A,A",)), "same job"),
        (Request(("x",), "for {s}", each=("s=A,B",)), "same job"),
        *[
            (Request((f"x {{{name}}}",), each=(f"{name}=A",)), "means something to DataLad")
            for name in ("inputs", "outputs", "pwd", "dspath", "tmpdir")
        ],
        (Request(("x {s}",), each=("s={x}",)), "has a brace"),
        (Request(("x {nope}",)), "Nobody knows what {nope}"),
        (Request(("x {s} {sub}",), each=("s=A",)), "Nobody knows what {sub}"),
        (Request(("x ${HOME}",)), "Nobody knows what {HOME}"),
        (Request(("awk '{print $1}'",)), "Nobody knows what {print"),
        (Request(("x {",)), "a brace that DataLad cannot read"),
        (Request(("x }",)), "a brace that DataLad cannot read"),
        (Request(("x",), inputs=("in/{nope}",)), "Nobody knows what {nope}"),
        (Request(("x",), outputs=("out/{nope}",)), "Nobody knows what {nope}"),
        (Request(("x",), inputs=("",)), "An empty path"),
        (Request(("x",), outputs=(" ",)), "An empty path"),
        (Request(("x",), inputs=("/etc/passwd",)), "does not lie in the dataset"),
        (Request(("x",), outputs=("/data/other/code",)), "does not lie in the dataset"),
        (Request(("x",), outputs=("../x",)), "does not lie in the dataset"),
        (Request(("x",), inputs=("a/../../x",)), "does not lie in the dataset"),
        (Request(("x",), outputs=(".git/x",)), "git's own"),
        (Request(("x",), inputs=("sub/.git/config",)), "git's own"),
        (Request(("x",), ""), "message is empty"),
        (Request(("x",), inputs=("a",), plain=True), "--plain"),
        (Request(("x",), outputs=("a",), plain=True), "--plain"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_way_out(request_: Request, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint) as caught:
        expand(request_, PROJECT)
    assert caught.value.hint


@pytest.mark.parametrize(
    "output",
    [
        "code",
        "code/",
        "./code/fig.png",
        "out/../code/x",
        "/data/L5b-runs/code/x",
        "/data/L5b/code",
        "co*/x",
        "*/x.png",
    ],
)
def test_outputs_in_code_are_refused(output: str) -> None:
    with pytest.raises(UsageError, match="holds the code"):
        expand(Request(("x",), outputs=(output,)), PROJECT)


@pytest.mark.parametrize("output", ["codes/x", "out/code/x", "code.txt", ".", "-x"])
def test_outputs_elsewhere_are_fine(output: str) -> None:
    assert len(expand(Request(("x",), outputs=(output,)), PROJECT)) == 1


@pytest.mark.parametrize("path", ["../victim/x", "/etc/passwd", "a/../../x", "elsewhere/x"])
def test_a_record_that_leads_out_of_the_dataset_is_refused(tmp_path: Path, path: str) -> None:
    top = tmp_path / "top"
    (top / "a").mkdir(parents=True)
    (top / "elsewhere").symlink_to(tmp_path)
    (top / "within").symlink_to("a")
    check_inside([JobSpec("x", inputs=("a/b", "within/b", "*.txt"), rerun_of=Sha("a" * 40))], top)
    with pytest.raises(UsageError, match="lies outside"):
        check_inside([JobSpec("x", outputs=(path,), rerun_of=Sha("a" * 40))], top)
