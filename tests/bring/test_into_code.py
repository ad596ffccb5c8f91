"""What jobs wrote where code lies is neither lost nor applied: it blocks, and both ways out work."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bring.world import World, entry, git
from wtwatch.bring.overlay import Blocked


@pytest.mark.parametrize("path", ["code/results/r.txt", "code/__pycache__/a.cpython-311.pyc", "code/a.py"])
def test_an_output_bytecode_or_an_edit_in_code_blocks_a_release_and_the_way_home(
    folder: World, path: str
) -> None:
    folder.job({path: "a job's", "out/x": "1"})
    folder.edit({"code/b.py": "b\n"})
    before = folder.tip(folder.run)
    assert folder.release() == Blocked("code", (path,)) == folder.home()
    assert folder.tip(folder.run) == before and folder.in_run(path) == "a job's"


def test_an_output_in_code_can_be_moved_out_of_it(folder: World) -> None:
    folder.job({"code/results/r.txt": "r"})
    folder.edit(code="V=2")
    assert isinstance(folder.release(), Blocked)
    git(folder.run, "mv", "code/results", "results")
    git(folder.run, "commit", "-q", "-m", "out of code")
    assert folder.release()
    assert folder.home() and folder.in_main("results/r.txt") == "r"


def test_a_fix_by_hand_in_the_run_tree_can_be_made_part_of_code(folder: World) -> None:
    fix = folder.job({"code/a.py": "V=fixed\n"}, "a fix by hand")
    folder.edit({"code/b.py": "b\n"})
    assert folder.release() == Blocked("code", ("code/a.py",))
    git(folder.main, "cherry-pick", fix)
    assert folder.release()
    assert (folder.in_run("code/a.py"), folder.in_run("code/b.py")) == ("V=fixed\n", "b\n")
    folder.job({"out/x": "1"})
    assert folder.home()
    folder.edit({"code/a.py": "V=3\n"})
    assert folder.release() and folder.in_run("code/a.py") == "V=3\n"


def test_a_fix_by_hand_in_the_run_tree_can_be_reverted(folder: World) -> None:
    fix = folder.job({"code/a.py": "V=fixed\n"}, "a fix by hand")
    folder.edit({"code/b.py": "b\n"})
    assert isinstance(folder.release(), Blocked)
    git(folder.run, "revert", "--no-edit", fix)
    assert folder.release()
    assert (folder.in_run("code/a.py"), folder.in_run("code/b.py")) == ("V=1\n", "b\n")


def test_a_file_of_code_that_a_job_deleted_blocks(folder: World) -> None:
    folder.edit({"code/b.py": "b\n"})
    folder.release()
    folder.job({"code/b.py": None})
    folder.edit(code="V=2")
    assert folder.release() == Blocked("code", ("code/b.py",))


def test_a_file_that_a_job_edits_and_main_moves_into_code_blocks(folder: World) -> None:
    folder.job({"params.json": '{"p": 1, "fit": 7}\n'})
    git(folder.main, "mv", "params.json", "code/params.json")
    git(folder.main, "commit", "-q", "-m", "moved into code")
    assert folder.release() == Blocked("both", ("params.json",))


def test_what_comes_from_main_leaves_what_a_job_wrote_in_code_in_its_place(folder: World) -> None:
    folder.job({"code/results/r.txt": "r"})
    folder.edit({"inputs/1": "one, v2\n"}, code="V=2")
    assert folder.from_main()
    assert folder.in_run("code/results/r.txt") == "r" and folder.in_run("inputs/1") == "one, v2\n"
    assert folder.in_run("code/a.py") == "V=1\n"


def test_a_file_of_main_where_code_needs_a_folder_blocks(tmp_path: Path) -> None:
    world = World.built(tmp_path / "w", code=("lib/code",))
    world.edit({"lib/code/a.py": "1\n"})
    assert world.release()
    world.edit({"lib": "a file\n"})
    assert world.from_main() == Blocked("shape", ("lib",))
    assert entry(world.run, "HEAD", "lib/code/a.py")


def test_results_beside_a_code_path_of_a_similar_name_are_no_code(folder: World) -> None:
    folder.job({"code2/x": "1", "codes": "1", "code.txt": "1"})
    folder.edit(code="V=2")
    assert folder.release()
    assert folder.home() and folder.in_main("code2/x") == "1"
