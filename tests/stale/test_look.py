"""Which results are stale: by what they used of code, by their inputs, and by what is still theirs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.stale.world import World, made
from wtwatch.project.tree import RunTree
from wtwatch.queue.jobs import Queue
from wtwatch.stale import look
from wtwatch.stale.values import Finding, Standing
from wtwatch.tree import environment
from wtwatch.views.stale import lines
from wtwatch.words.model import Ended, JobSpec, Outcome, Running, Sha, Trigger, now
from wtwatch.words.uses import Uses


@pytest.fixture
def world(tmp_path: Path) -> World:
    return made(tmp_path / "small")


def one_and_two(world: World) -> None:
    """Have results of two scripts that share a module."""
    for name in ("one", "two"):
        world.ran(f"python code/src/{name}.py", {f"{name}.txt": name}, uses=of(f"{name}.py", "shared.py"))


def of(*names: str) -> dict[str, object]:
    return {"files": [f"code/src/{name}" for name in names], "imported": ["code/src"]}


def found(world: World, paths: Sequence[str] = ()) -> list[Finding]:
    code = world.git("rev-parse", "HEAD", where=world.code)
    return look.all_results(world.tree, code, paths)  # type: ignore[arg-type]


def stale(world: World, paths: Sequence[str] = ()) -> list[str]:
    return [one.result.spec.outputs[0] for one in found(world, paths) if one.standing is Standing.STALE]


def why(world: World) -> list[tuple[str, str]]:
    return [(one.path, one.how) for each in found(world) for one in each.why]


def test_a_result_on_the_code_that_made_it_is_fresh(world: World) -> None:
    one_and_two(world)
    assert [one.standing for one in found(world)] == [Standing.FRESH] * 2


def test_a_script_makes_stale_what_it_made(world: World) -> None:
    one_and_two(world)
    world.release({"code/src/two.py": "print(22)\n"})
    assert stale(world) == ["two.txt"]
    assert why(world) == [("code/src/two.py", "changed")]


def test_a_module_makes_stale_all_that_used_it(world: World) -> None:
    one_and_two(world)
    world.release({"code/src/shared.py": "x = 2\n"})
    assert stale(world) == ["one.txt", "two.txt"]


@pytest.mark.parametrize(
    "files",
    [
        {"code/src/README.md": "Read this\n"},
        {"code/src/three.py": "print(3)\n"},
        {"code/src/sub/deep.py": "print(4)\n"},
        {"code/LICENSE": "MIT\n"},
        {},
    ],
    ids=["documentation", "a new script", "a new package", "beside", "a reword"],
)
def test_what_no_job_used_makes_nothing_stale(world: World, files: dict[str, str | None]) -> None:
    one_and_two(world)
    world.release(files)
    assert stale(world) == []


@pytest.mark.parametrize("name", ["shared.so", "shared/__init__.py", "json.py"])
def test_a_new_name_that_could_be_imported_instead_makes_stale(world: World, name: str) -> None:
    one_and_two(world)
    world.release({f"code/src/{name}": "x = 3\n"})
    assert stale(world) == ["one.txt", "two.txt"]


def test_names_of_a_listed_folder_count_all(world: World) -> None:
    world.ran("ls", {"names.txt": "1"}, uses={"files": ["code/src/one.py"], "folders": ["code/src"]})
    world.release({"code/src/notes/a.txt": "new folder\n"})
    assert why(world) == [("code/src/notes/a.txt", "came")]
    world.ran("ls", {"names.txt": "2"}, uses={"files": ["code/src/one.py"], "folders": ["code/src"]})
    world.release({"code/src/notes/b.txt": "in it\n"})
    assert why(world) == []
    world.release({"code/src/two.py": None})
    assert why(world) == [("code/src/two.py", "is gone")]


@pytest.mark.parametrize(
    ("says", "path"),
    [
        ("open('code/opt.txt')", "opt.txt"),
        ("exists(f'{here}/params/opt.txt')", "src/params/opt.txt"),
        ("for n in ('opt', 'z'): open(f'{n}.txt')", "params/opt.txt"),
        ("listdir('code/more')", "more/a.txt"),
        ("open('code/my opt.txt')", "my opt.txt"),
    ],
)
def test_a_file_that_a_program_names_makes_stale_by_coming_and_going(
    world: World, says: str, path: str
) -> None:
    world.release({"code/src/one.py": f"import shared\n{says}\n"})
    one_and_two(world)
    world.release({f"code/{path}": "it is here now\n"})
    assert stale(world) == ["one.txt"]
    assert why(world) == [(f"code/{path}", "came")]
    world.ran("python code/src/one.py", {"one.txt": "11"}, uses=of("one.py", "shared.py"))
    world.release({f"code/{path}": None})
    assert why(world) == [(f"code/{path}", "is gone")]


def test_a_file_that_a_command_names_makes_stale_by_coming(world: World) -> None:
    world.ran("cat code/opt.txt || cat code/src/one.py", {"one.txt": "1"}, uses=of("one.py"))
    world.release({"code/opt.txt": "it is here now\n", "code/src/cat.py": "a new script\n"})
    assert why(world) == [("code/opt.txt", "came")]


@pytest.mark.parametrize(
    ("stated", "code", "beside"),
    [
        (("code/src/one.py",), ["one.py"], []),
        (("code/src",), ["one.py", "two.py"], []),
        (("code/*/t*.py", "conf/a.txt"), ["two.py"], ["conf/a.txt"]),
        (("conf",), [], ["conf/a.txt", "conf/b.txt"]),
        (("conf/*.txt", "code/docs"), [], ["conf/a.txt", "conf/b.txt"]),
    ],
    ids=["a file", "a folder", "globs", "a folder beside code", "a glob beside code"],
)
def test_what_was_stated_to_be_used_counts_and_nothing_else(
    world: World, stated: tuple[str, ...], code: list[str], beside: list[str]
) -> None:
    world.save({"conf/a.txt": "1\n", "conf/b.txt": "1\n", "conf.txt": "1\n"})
    world.ran("python code/src/one.py", {"out.txt": "1"}, uses={"stated": list(stated)})
    world.release({f"code/src/{name}.py": "print(0)\n" for name in ("one", "two")} | {"code/json.py": ""})
    world.save({"conf/a.txt": None, "conf/b.txt": "2\n", "conf.txt": "2\n"})
    (one,) = found(world)
    assert one.result.spec.uses == stated, "carried by a rerun"
    assert sorted(each.path for each in one.why) == sorted([*(f"code/src/{name}" for name in code), *beside])


def test_a_squash_a_reword_and_a_revert_make_nothing_stale(world: World) -> None:
    one_and_two(world)
    world.release({"code/src/one.py": "print(11)\n"})
    assert stale(world) == ["one.txt"]
    world.release({"code/src/one.py": "import shared\nprint(1)\n"})
    assert stale(world) == []
    world.git("reset", "--quiet", "--soft", "HEAD~2", where=world.code)
    world.release({}, "Reworded")
    assert stale(world) == []


def test_results_of_different_code_with_one_cause_are_told_together(world: World) -> None:
    world.ran("one", {"one.txt": "1"}, uses=of("shared.py"))
    world.release({"code/README.md": "Read this\n"})
    world.ran("two", {"two.txt": "2"}, uses=of("shared.py"))
    now = world.release({"code/src/shared.py": "x = 2\n"}, "Widen")
    said = list(lines(world.tree, found(world), now, 80))
    assert said[:2] == ["2 results stale:", f"  code/src/shared.py changed in {now[:10]} Widen"]
    assert [line.split()[-1] for line in said[2:4]] == ["one.txt", "two.txt"] and len(said) == 4


def test_all_of_code_counts_where_nobody_saw_what_was_used(world: World) -> None:
    world.ran("python code/src/one.py", {"one.txt": "1"})
    world.release({"code/src/README.md": "Read this\n", "code/docs/a.txt": "docs\n"})
    assert stale(world) == []
    world.release({"code/anything": "else\n"})
    assert why(world) == [("code/anything", "came")]


def test_runs_by_hand_count_where_their_folder_is_named(world: World) -> None:
    world.ran("python code/src/one.py", {"by/hand.txt": "1"}, job=False)
    world.release({"code/src/two.py": "print(22)\n"})
    assert stale(world) == []
    assert stale(world, ["by"]) == ["by/hand.txt"]
    assert stale(world, ["elsewhere"]) == []


def test_an_input_that_changed_makes_stale_and_names_it(world: World) -> None:
    world.save({"data/a.csv": "1\n", "data/b.csv": "2\n", "other/c.csv": "3\n"})
    asked = {"a": "data/a.csv", "all": "data", "glob": "data/*.csv", "top": "."}
    for made_of, path in asked.items():
        world.ran("python code/src/one.py", {f"out/{made_of}.txt": made_of}, [path], uses=of("one.py"))
    assert [one.standing for one in found(world)].count(Standing.STALE) == 0
    world.save({"data/b.csv": "22\n"})
    assert stale(world) == ["out/all.txt", "out/glob.txt", "out/top.txt"]
    world.save({"data/b.csv": "2\n", "other/c.csv": "33\n"})
    assert stale(world) == ["out/top.txt"]
    world.save({"other/c.csv": "3\n", "data/new.csv": "4\n"})
    assert stale(world) == ["out/all.txt", "out/glob.txt", "out/top.txt"]


def test_an_input_that_came_by_a_merge_makes_stale(world: World) -> None:
    world.save({"data/a.csv": "1\n", "data/b.csv": "1\n", "c.csv": "1\n"})
    for name in ("a", "b"):
        world.ran(f"make {name}", {f"{name}.txt": name}, [f"data/{name}.csv"], uses=of("one.py"))
    world.ran("make c", {"c.txt": "c"}, ["c.csv"], uses=of("one.py"))
    world.git("checkout", "--quiet", "-b", "side", "HEAD~3")
    world.save({"data/a.csv": "2\n", "c.csv": "2\n"})
    world.save({"c.csv": "1\n"})
    world.git("checkout", "--quiet", "main")
    assert stale(world) == []
    world.git("merge", "--quiet", "--no-ff", "-m", "Merge", "side")
    assert stale(world) == ["a.txt"]
    assert why(world) == [("data/a.csv", "changed")]


def test_an_input_whose_folder_became_another_thing_makes_stale(world: World) -> None:
    world.save({"data/a.csv": "1\n"})
    world.ran("make", {"out.txt": "1"}, ["data/a.csv"], uses=of("one.py"))
    world.save({"data/a.csv": None})
    (world.top / "data").rmdir()
    (world.top / "data").symlink_to("elsewhere")
    world.save({})
    (one,) = found(world)
    assert (one.standing, one.detail) == (Standing.UNKNOWN, "its input data/a.csv is gone")


def test_each_reason_names_the_commit_of_code_that_is_the_cause(world: World) -> None:
    one_and_two(world)
    before = world.git("rev-parse", "HEAD", where=world.code)
    first = world.release({"code/src/one.py": "print(11)\n"}, "Change one")
    world.git("checkout", "--quiet", "-b", "side", before, where=world.code)
    side = world.release({"code/src/shared.py": "x = 2\n"}, "On the side")
    world.git("checkout", "--quiet", "main", where=world.code)
    world.git("merge", "--quiet", "--no-ff", "-m", "Merge", "side", where=world.code)
    now = Sha(world.git("rev-parse", "HEAD", where=world.code))
    said = list(lines(world.tree, found(world), now, 80))
    assert said[:1] == ["2 results stale:"]
    assert f"  code/src/one.py changed in {first[:10]} Change one" in said
    assert said.count(f"  code/src/shared.py changed in {side[:10]} On the side") == 2


def test_an_input_that_is_gone_is_not_run_without(world: World) -> None:
    world.save({"data/a.csv": "1\n"})
    world.ran("python code/src/one.py", {"out.txt": "1"}, ["data/a.csv"], uses=of("one.py"))
    world.save({"data/a.csv": None})
    (one,) = found(world)
    assert (one.standing, one.detail) == (Standing.UNKNOWN, "its input data/a.csv is gone")


def test_its_own_output_in_an_input_folder_does_not_count(world: World) -> None:
    world.save({"data/a.csv": "1\n"})
    world.ran("python code/src/one.py", {"data/out.txt": "1"}, ["data"], uses=of("one.py"))
    assert stale(world) == []
    world.ran("python code/src/two.py", {"data/two.txt": "1"}, ["data"], uses=of("two.py"))
    assert stale(world) == ["data/out.txt"]


def test_a_lock_alone_is_no_change(world: World) -> None:
    key = "MD5E-s2--0cc175b9c0f1b6a831c399e269772661.csv"
    world.save({"data/a.csv": f"/annex/objects/{key}\n"})
    world.ran("python code/src/one.py", {"out.txt": "1"}, ["data"], uses=of("one.py"))
    world.write({"data/a.csv": None})
    (world.top / "data/a.csv").symlink_to(f"../.git/annex/objects/Xx/Yy/{key}/{key}")
    world.save({})
    assert stale(world) == []


def install(world: World, **versions: str) -> dict[str, str]:
    """Have an environment with packages, of which "mine" is code itself; return what records say of it."""
    site = world.code / ".venv" / "lib" / "python3.11" / "site-packages"
    shutil.rmtree(site, ignore_errors=True)
    for name, version in versions.items():
        info = site / f"{name}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "RECORD").write_text(f"{name}.py,sha256=x,1\n")
        if name == "mine":
            said = {"url": world.code.as_uri(), "dir_info": {"editable": True}}
            (info / "direct_url.json").write_text(json.dumps(said))
    return dict(environment.packages(world.tree))


def test_other_packages_make_stale_but_not_another_version_of_code_itself(world: World) -> None:
    packages = install(world, mine="1", other="1")
    world.ran("one", {"one.txt": "1"}, uses=of("one.py"), environment={"packages": packages})
    del packages["others"]  # as records were before
    world.ran("two", {"two.txt": "1"}, uses=of("two.py"), environment={"packages": packages})
    assert stale(world) == []
    install(world, mine="2", other="1")
    assert stale(world) == ["two.txt"]
    install(world, mine="1", other="2")
    assert stale(world) == ["one.txt", "two.txt"]
    assert why(world) == [("the environment", "changed")] * 2
    project = world.tree.project._replace(stale_on_environment=False)
    code = Sha(world.git("rev-parse", "HEAD", where=world.code))
    everything = look.all_results(RunTree.of(project), code)
    assert [one.standing for one in everything] == [Standing.FRESH] * 2


def test_what_a_stale_result_feeds_comes_after_it(world: World) -> None:
    world.ran("c", {"c.txt": "3"}, ["b.txt"], uses=of("two.py"))
    world.ran("b", {"b.txt": "2"}, ["a.txt"], uses=of("two.py"))
    world.ran("a", {"a.txt": "1"}, uses=of("one.py"))
    world.ran("b", {"b.txt": "22"}, ["a.txt"], uses=of("two.py"))
    world.ran("c", {"c.txt": "33"}, ["b.txt"], uses=of("two.py"))
    world.release({"code/src/one.py": "print(11)\n"})
    names = [(one.result.spec.command, one.standing.value) for one in found(world)]
    assert names == [("a", "stale"), ("b", "fed"), ("c", "fed")]


@pytest.mark.parametrize("how", ["deleted", "renamed", "edited", "made over"])
def test_what_is_no_longer_there_is_never_made_anew(world: World, how: str) -> None:
    one_and_two(world)
    if how == "deleted":
        world.save({"one.txt": None})
    elif how == "renamed":
        world.save({"one.txt": None, "moved.txt": "one"})
    elif how == "edited":
        world.save({"one.txt": "by hand"})
    else:
        world.ran("another", {"one.txt": "other"}, uses=of("two.py"))
    world.release({"code/src/one.py": "print(11)\n"})
    assert stale(world) == []


def test_what_a_rerun_makes_no_more_is_no_result_of_its_own(world: World) -> None:
    world.ran("plot", {"out/a": "1", "out/b": "1"}, outputs=["out"], uses=of("one.py"))
    world.ran("plot", {"out/a": "2"}, outputs=["out"], uses=of("one.py"))
    world.ran("plot", {"on/a": "2"}, outputs=["on"], uses=of("one.py"))
    assert [one.result.written for one in found(world)] == [
        {"out/a": world.git("rev-parse", "HEAD:out/a")},
        {"on/a": world.git("rev-parse", "HEAD:on/a")},
    ]


def test_what_a_run_confirms_is_its_own_result_alone(world: World) -> None:
    world.save({"a.csv": "1\n", "b.csv": "2\n"})
    jobs = {name: JobSpec("plot {inputs}", inputs=(f"{name}.csv",), outputs=("out",)) for name in "ab"}
    for name, job in jobs.items():
        world.ran(job.command, {f"out/{name}": name}, job.inputs, job.outputs, uses=of("one.py"))
    code = world.release({"code/src/one.py": "print(11)\n"})
    world.tree.state.mkdir(parents=True)
    queue, base = Queue(world.tree.state), Sha(world.git("rev-parse", "HEAD"))
    (again,) = queue.add([jobs["a"]._replace(inputs=("./a.csv",))], Trigger.NOW, code)
    queue.begin(again.id, Running(now(), code, base, "uuid"))
    ended = Ended(now(), now(), code, Outcome.UNCHANGED, 0)
    queue.end(again.id, ended, uses=Uses(("code/src/one.py",)))
    assert [one.result.spec.inputs for one in found(world) if one.standing is Standing.STALE] == [("b.csv",)]


def test_a_result_that_was_made_anew_meanwhile_is_not_made_once_more(world: World) -> None:
    one_and_two(world)
    code = world.release({"code/src/one.py": "print(11)\n"})
    (one,) = (each.result.spec for each in found(world) if each.standing is Standing.STALE)
    before = look.of_one(world.tree, one, code)
    world.ran("python code/src/one.py", {"one.txt": "11"}, uses=of("one.py", "shared.py"))
    after = look.of_one(world.tree, one, code)
    assert before is not None and before.standing is Standing.STALE
    assert after is not None and after.standing is Standing.FRESH


def test_code_that_is_not_here_any_more_is_unknown(world: World) -> None:
    world.ran("python code/src/one.py", {"one.txt": "1"}, uses=of("one.py"), code="1" * 40)
    (one,) = found(world)
    assert (one.standing, one.detail) == (Standing.UNKNOWN, "its code 1111111111 is not here")


def test_code_as_a_folder_is_looked_at_the_same_way(tmp_path: Path) -> None:
    world = made(tmp_path / "small", "src")
    for name in ("one", "two"):
        uses = {"files": [f"src/{name}.py", "src/shared.py"], "imported": ["src"]}
        world.ran(f"python src/{name}.py", {f"{name}.txt": name}, uses=uses)
    world.release({"src/two.py": "print(22)\n", "src/README.md": "more\n", "src/three.py": "print(3)\n"})
    assert stale(world) == ["two.txt"]
    assert why(world) == [("src/two.py", "changed")]
