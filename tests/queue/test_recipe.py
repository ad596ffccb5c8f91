"""A batch as a file: what it says, and what of it cannot be meant, told with file, line, key and the fix."""

from __future__ import annotations

from pathlib import Path

import pytest

from wtwatch.project.config import Project
from wtwatch.queue import expanding
from wtwatch.queue.axes import Axis, Found, look
from wtwatch.queue.recipe import Recipe, Source, parse
from wtwatch.queue.tomlplaces import line_of
from wtwatch.words.errors import UsageError
from wtwatch.words.model import JobSpec, Trigger

WHOLE = """\
message = "Plot {subject}, {drug}"
command = "python code/plot.py {inputs} {outputs}"
inputs  = ["frames/{subject}/{drug}/F.pkl"]
outputs = ["plots/{subject}/{drug}"]
trigger = "on-move"
exclude = [{subject = "B", drug = "Saline"}]
include = [{subject = "C", drug = "LSD"}]
[each]
drug    = ["LSD", "Saline"]
subject = {file = "subjects.txt"}
[resources]
cpus = 2
time = "2h"
mem = "20GB"
[env]
OMP_NUM_THREADS = "2"
"""
LISTS = {"subjects.txt": "# of spring\nA\n\n B \n", "empty.txt": "# none\n"}


def read(text: str) -> Recipe:
    return parse(Source("code/plots.toml", text), LISTS.__getitem__)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project of folders alone, in whose run tree there are frames of A and B."""
    for tree, subjects in (("run", "AB"), ("main", "ABC")):
        for subject in subjects:
            (tmp_path / tree / "frames" / subject / "LSD").mkdir(parents=True)
    return Project("p", tmp_path / "state", tmp_path / "main", tmp_path / "run")


def expand(text: str, project: Project) -> list[JobSpec]:
    return list(expanding.expand(read(text), project).specs)


def test_a_file_makes_the_jobs_that_queue_add_would_in_the_order_of_its_axes(project: Project) -> None:
    specs = expand(WHOLE, project)
    assert [tuple(value for _, value in spec.values) for spec in specs] == [
        ("LSD", "A"),
        ("LSD", "B"),
        ("Saline", "A"),
        ("LSD", "C"),
    ]
    assert specs[0] == JobSpec(
        "python code/plot.py {inputs} {outputs}",
        "Plot A, LSD",
        ("frames/A/LSD/F.pkl",),
        ("plots/A/LSD",),
        values=(("drug", "LSD"), ("subject", "A")),
        setenv=(("OMP_NUM_THREADS", "2"),),
        cpus=2,
        mem=20_000,
        seconds=7200,
    )
    recipe = read(WHOLE)
    assert (recipe.name, recipe.trigger, recipe.lists) == ("plots", Trigger.ON_MOVE, ("subjects.txt",))


def test_a_command_may_be_a_list_of_words_and_there_need_be_no_axis(project: Project) -> None:
    (spec,) = expand('command = ["plot", "a b", "{outputs}"]\noutputs = ["x"]\nplain = false\n', project)
    assert spec == JobSpec("plot 'a b' {outputs}", outputs=("x",))


@pytest.mark.parametrize(
    ("text", "line", "complaint"),
    [
        ("comand = 'x'", 1, "comand: there is no such key. Did you mean command?"),
        ("command = 'x'\n\n[resources]\nram = 2", 4, "resources.ram: there is no such key."),
        ("command = 'x'\n[resources]\ncpus = 0", 3, "resources.cpus: it is a number from 1 on"),
        ("command = 'x'\n[resources]\ntime = 'soon'", 3, "resources.time: 'soon' is no length of time"),
        ("command = 'x'\n[env]\n2x = '1'", 3, "env.2x: '2x' cannot be the name of a variable"),
        ("command = 'x'\n[env]\nX = 1", 3, "env.X: 1 is no text"),
        ("message = 'm'", None, "command: there is none."),
        ("command = ''", 1, "command: There is no command"),
        ("command = 'x'\nmessage = ' '", 2, "message: The message is empty"),
        ("command = 'x'\ntrigger = 'soon'", 2, "trigger: it is one of now, on-move, every-move"),
        ("command = 'x'\nstale = true", 2, "stale: it is for what a move touches"),
        (
            "command = 'x'\ntrigger = 'every-move'\nstale = true",
            3,
            "stale: results are known by their outputs",
        ),
        ("command = 'x'\ninputs = 'a'", 2, "inputs: it is a list of paths"),
        ("command = 'x'\noutputs = ['../a']", 2, "outputs: '../a' does not lie in the dataset"),
        ("command = 'x {nope}'", 1, "command: Nobody knows what {nope} stands for"),
        ("command = 'x'\noutputs = [\n  'a/{nope}',\n]", 2, "outputs: Nobody knows what {nope}"),
        ("command = 'x'\noutputs = ['code/a']", 2, "outputs: The output 'code/a' lies in code/"),
        ("command = 'x'\ninputs = ['a']\nplain = true", 3, "plain: `plain = true` runs the command as it is"),
        ("command = 'x {s}'\n[each]\ns = []", 3, "each.s: 's' has no values"),
        ("command = 'x {s}'\n[each]\ns = ['A', '']", 3, "each.s: 's' has an empty value"),
        ("command = 'x {s}'\n[each]\ns = ['A', 'A']", 3, "each.s: 'A' is there twice"),
        ("command = 'x {s}'\n[each]\ns = 'A'", 3, "each.s: it is a list"),
        ("command = 'x {s}'\n[each]\ns = [1.5]", 3, "each.s: 1.5 is no text"),
        ("command = 'x {s}'\n[each]\ns = {file = 'empty.txt'}", 3, "each.s: 's' has no values"),
        ("command = 'x {s}'\n[each]\ns = {glob = 'frames/*'}", 3, "each.s: 'frames/*' does not say where"),
        (
            "command = 'x {s}'\n[each]\ns = {glob = '../{s}'}",
            3,
            "each.s: '../{s}' does not lie in the dataset",
        ),
        (
            "command = 'x {s}'\n[each]\ns = {glob = '{s}/{t}'}",
            3,
            "each.s: '{s}/{t}' has a placeholder besides",
        ),
        ("command = 'x {s}'\n[each]\ns = {glob = 'none/{s}'}", 3, "each.s: 'none/{s}' finds nothing"),
        ("command = 'x {s}'\n[each]\ns = {globb = 'x'}", 3, "each.s.globb: there is no such key"),
        ("command = 'x'\n[each]\ns = ['A']", 3, "each.s: each.s=…: nothing says {s}"),
        ("command = 'x {inputs}'\n[each]\ninputs = ['A']", 3, "each.inputs: {inputs} means something to"),
        ("command = 'x {s}'\nexclude = [{t = 'A'}]\n[each]\ns = ['A']", 2, "exclude: there is no axis 't'"),
        ("command = 'x {s}'\nexclude = [{s = 'B'}]\n[each]\ns = ['A']", 2, "exclude: s has no value 'B'"),
        ("command = 'x {s}'\nexclude = [{s = 'A'}]\n[each]\ns = ['A']", 2, "exclude: it leaves no job"),
        ("command = 'x {s}'\ninclude = [{s = 'A'}]\n[each]\ns = ['A']", 2, "include: s = A is there already"),
        (
            "command = 'x {s}{t}'\ninclude = [{s = 'A'}]\n[each]\ns = ['A']\nt = ['B']",
            2,
            "include: one of its tables has no t",
        ),
        ("command = 'x {s}'\noutputs = ['o']\n[each]\ns = ['A', 'B']", 2, "of its 2 jobs makes 'o'"),
        ("command = 'x {s}'\noutputs = ['o/{s}']\n[each]\ns = ['A', 'A/b']", 2, "of its 2 jobs makes 'o/A'"),
        ("each = {s = ['A', 'A']}\ncommand = 'x {s}'", 1, "each.s: 'A' is there twice"),
        ("command = ", None, "is not valid TOML: Invalid value (at end of document)"),
    ],
)
def test_what_cannot_be_meant_is_told_with_file_line_key_and_fix(
    text: str, line: int | None, complaint: str, project: Project
) -> None:
    with pytest.raises(UsageError) as caught:
        expand(text, project)
    error = caught.value
    where = "code/plots.toml" + (f", line {line}, " if line else "")
    assert error.message.startswith(where) and complaint in f"{error.message} {error.hint}"
    assert error.hint


def test_an_axis_that_only_main_has_says_how_it_comes(project: Project) -> None:
    (project.main_tree / "new" / "A").mkdir(parents=True)
    with pytest.raises(UsageError) as caught:
        expand("command = 'x {s}'\n[each]\ns = {glob = 'new/{s}'}", project)
    assert "wtwatch sync --from-main" in (caught.value.hint or "")


def test_a_pattern_finds_names_also_of_files_whose_content_is_elsewhere(tmp_path: Path) -> None:
    for name in ("b-2/F.pkl", "b-10/F.pkl", "b-3/other", ".hidden/F.pkl", "c/F.pkl"):
        place = tmp_path / "frames" / name
        place.parent.mkdir(parents=True)
        place.symlink_to("nowhere")
    assert look(tmp_path, Axis("s", glob="frames/b-{s}/F.pkl")) == Found(("10", "2"))
    assert look(tmp_path, Axis("s", glob="frames/{s}/*")).values == ("b-10", "b-2", "b-3", "c")
    assert look(tmp_path, Axis("s", glob="./f*s/?-{s}")).values == ("10", "2", "3")
    assert look(tmp_path, Axis("s", glob="frames/c/{s}.pkl")).values == ("F",)


def test_a_name_is_the_same_wherever_a_pattern_says_it(tmp_path: Path) -> None:
    for name in ("A/A.csv", "B/A.csv", "C/C.csv"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    assert look(tmp_path, Axis("s", glob="{s}/{s}.csv")).values == ("A", "C")


@pytest.mark.parametrize("name", ["x y", "$(reboot)", "a;b", "-rf", "a'b", "{x}", "a\nb", "`x`"])
def test_no_job_is_made_of_a_name_that_a_shell_reads_otherwise(name: str, project: Project) -> None:
    (project.run_tree / "frames" / name).mkdir()
    assert look(project.run_tree, Axis("s", glob="frames/{s}")) == Found(("A", "B"), (name,))
    text = "command = 'x {s}'\n[each]\ns = {glob = 'frames/{s}'}"
    with pytest.raises(UsageError, match="a name that a shell reads otherwise"):
        expand(text, project)
    at_a_move = expanding.anew(read(text), project)
    assert ([spec.command for spec in at_a_move.specs], at_a_move.odd) == (["x A", "x B"], (name,))


def test_a_key_is_found_on_its_line_in_whichever_way_it_is_written() -> None:
    text = '# command = 1\n"command" = "x"\neach.s = 1\n[ each ]  # axes\n t=[\n"A",\n"B"]\n[[x]]\n'
    keys = ("command", "each.s", "each", "each.t", "x", "nope")
    assert [line_of(text, key) for key in keys] == [2, 3, 4, 5, 8, None]
    assert line_of(text, "each.t", "B") == 7 and line_of(text, "each.t", "C") == 5
