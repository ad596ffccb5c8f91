"""What `init` takes for code in a superdataset, what it may stand beside, and what it warns of."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.house import write
from tests.pathhouse import PathHouse
from wtwatch.project.config import Project
from wtwatch.setup import layout, pathlayout
from wtwatch.setup.intent import Asked, choose
from wtwatch.words.errors import UsageError


@pytest.fixture
def house(tmp_path: Path) -> PathHouse:
    made = PathHouse(tmp_path)
    write(made.main, ".datalad/config", '[datalad "dataset"]\n\tid = 1-2-3\n')
    made.save("more", code__sub__x="1\n", src__y="1\n")
    return made


def chosen(house: PathHouse, *code: str, bookmark: str | None = None) -> tuple[Project, bool]:
    return choose(house.main, Asked(code=code or None, bookmark=bookmark), [house.project])


@pytest.mark.parametrize("code", [("code/sub",), ("src", "code")], ids=["inside", "with another"])
def test_code_that_overlaps_that_of_another_project_is_refused(
    house: PathHouse, code: tuple[str, ...]
) -> None:
    with pytest.raises(UsageError, match="code of the project p") as caught:
        chosen(house, *code, bookmark="two")
    assert caught.value.hint is not None and "--code code" in caught.value.hint


def test_two_projects_may_follow_two_bookmarks_of_the_same_code_or_have_other_code(house: PathHouse) -> None:
    assert chosen(house, bookmark="two")[0].paths == ("code",)
    assert chosen(house, "src", bookmark="two")[0].branch == "two-results"


@pytest.mark.parametrize("bookmark", ["runs", "runs-code-results"])
def test_no_branch_is_one_projects_bookmark_and_holds_anothers_results(
    house: PathHouse, bookmark: str
) -> None:
    other = house.project._replace(run_branch=bookmark)
    with pytest.raises(UsageError, match=f"{bookmark} is the branch for results of the project p"):
        choose(house.main, Asked(bookmark=bookmark), [other])


def test_other_code_for_a_project_that_is_there_says_what_its_code_is(house: PathHouse) -> None:
    with pytest.raises(UsageError, match="code of p is in 'code'"):
        chosen(house, "src")
    with pytest.raises(UsageError, match="code of p is in 'code'"):
        chosen(house, "nowhere")
    assert chosen(house, "code") == chosen(house)


def test_litter_that_git_would_see_is_named_with_the_line_that_mends_it(house: PathHouse) -> None:
    said = "\n".join(pathlayout.remarks(house.project))
    lines = [line.strip() for line in said.splitlines() if line.strip().startswith("echo ")]
    assert len(lines) == 1 and "code/.venv/" in said and "code/__pycache__/" in said
    with (house.main / ".gitignore").open("a") as file:
        file.write(".venv/\n__pycache__/\n")
    assert not list(pathlayout.remarks(house.project))


def test_scripts_beside_the_code_are_named_with_the_line_that_has_them_released_too(house: PathHouse) -> None:
    (house.main / ".gitignore").write_text(".venv/\n__pycache__/\n")
    house.save("a Makefile", Makefile="all:\n", README="no code\n")
    said = list(pathlayout.remarks(house.project))
    assert len(said) == 3 and "Makefile" in said[0] and "README" not in said[0]
    assert said[2].strip() == "wtwatch forget, then wtwatch init --code code --code Makefile"
    assert not list(pathlayout.remarks(house.project._replace(paths=("code", "Makefile"))))


def test_records_that_wrote_into_code_subdatasets_in_it_and_jj_are_warned_of(house: PathHouse) -> None:
    (house.main / ".gitignore").write_text(".venv/\n__pycache__/\n")
    house.save("[DATALAD RUNCMD] make code", code__made="1\n")
    assert ["DataLad" in line for line in pathlayout.remarks(house.project)] == [True]
    house.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},code/inner")
    (house.main / ".jj").mkdir()
    said = list(pathlayout.remarks(house.project))
    assert len(said) == 3 and "code/inner" in said[0] and "jj" in said[2]


def test_the_lines_that_are_printed_have_annexed_code_in_git(house: PathHouse) -> None:
    (house.main / ".gitignore").write_text(".venv/\n__pycache__/\n")
    house.save("ignored")
    house.git("annex", "init", "--quiet")
    write(house.main, "code/deep er/help.py", "SAID = 'beside'\n")
    write(house.main, "code/deep er/ask.py", "import help\nprint(help.SAID)\n")
    house.git("annex", "add", "--quiet", "code")
    house.git("commit", "--quiet", "--message", "annexed")
    script = house.main / "code" / "deep er" / "ask.py"
    assert script.is_symlink()
    said = list(pathlayout.remarks(house.project))
    lines = [line.strip() for line in said if line.startswith("    ")]
    assert "code/deep er/" in said[0] and lines[-1] == "wtwatch release"
    subprocess.run(["bash", "-e", "-c", "\n".join(lines[:-1])], check=True, capture_output=True)
    assert not script.is_symlink() and house.git("status", "--short") == ""
    assert house.git("ls-files", "--stage", "--", "code/deep er").count("100644") == 2
    told = subprocess.run([sys.executable, script], check=True, capture_output=True, text=True).stdout
    assert told == "beside\n"
    assert not list(pathlayout.remarks(house.project))


@pytest.mark.parametrize("lacks", [True, False], ids=["ahead", "behind"])
def test_a_run_tree_that_jj_took_off_its_branch_is_put_on_it_by_what_init_says(
    house: PathHouse, lacks: bool
) -> None:
    result = house.job(out__x="1\n")
    house.git("checkout", "-q", "--detach", *([] if lacks else ["HEAD~1"]), cwd=house.run)
    if lacks:
        house.git("branch", "-f", "runs", "main")
    found = [one for one in layout.findings(house.main, house.run, "", "runs") if not one.ok]
    assert len(found) == 1 and "no branch" in found[0].message and found[0].hint
    subprocess.run(["sh", "-c", found[0].hint], check=True, capture_output=True, timeout=60)
    assert all(one.ok for one in layout.findings(house.main, house.run, "", "runs"))
    assert house.git("rev-parse", "HEAD", "runs", cwd=house.run).split() == [result, result]
