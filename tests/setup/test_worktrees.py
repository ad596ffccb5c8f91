"""Nested worktrees in plain repositories of git: decided without a trace, made whole or not at all."""

from __future__ import annotations

import shutil
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

from wtwatch.doors.repo import Repo
from wtwatch.setup import init, worktrees
from wtwatch.setup.finding import demand
from wtwatch.setup.layout import Layout, Wanted, check_vacant, findings, stands, survey
from wtwatch.setup.maintree import code_path, trees_around
from wtwatch.words.errors import Busy, CommandFailed, UsageError, WtwatchError
from wtwatch.words.model import Sha
from wtwatch.words.quoting import quoted

WHY = "a test"


@dataclass(frozen=True)
class Nest:
    """A superdataset ``main`` with the subdatasets code, data/in and, in that, deep."""

    root: Path

    @property
    def main(self) -> Path:
        return self.root / "main"

    @property
    def run(self) -> Path:
        return self.root / "run"

    def survey(self, bookmark: str = "runs") -> Layout:
        tip = Repo(self.main / "code").resolve("HEAD")
        assert tip
        demand(findings(self.main, self.run, "code", bookmark))
        return survey(self.main, self.run, "code", bookmark, tip)

    def make(self) -> None:
        with worktrees.made(self.survey(), WHY):
            pass

    def init(self) -> None:
        repositories = [self.main, *(self.main / path for path in ("code", "data/in", "data/in/deep"))]
        worktrees.relink(repositories, self.run)
        layout = self.survey()
        with worktrees.made(layout, WHY):
            pass
        worktrees.lock(layout.trees, WHY)

    def traces(self) -> dict[str, object]:
        trees = [self.main, *(self.main / path for path in ("code", "data/in", "data/in/deep"))]
        files = sorted(str(path) for path in self.root.rglob("*") if ".git" not in path.parts)
        return {
            "files": files,
            **{f"{tree} refs": Repo(tree).refs() for tree in trees},
            **{f"{tree} trees": Repo(tree).worktrees() for tree in trees},
        }


def repository(folder: Path, file: str, *subs: str) -> None:
    """Make a repository with one file, and with those that lie in ``subs`` as its submodules."""
    folder.mkdir(parents=True, exist_ok=True)
    repo = Repo(folder)
    repo.git("init", "-q", "-b", "main")
    (folder / file).write_text(f"{file}\n")
    for sub in subs:
        name = f"submodule.{sub}"
        repo.git("config", "-f", ".gitmodules", f"{name}.path", sub)
        repo.git("config", "-f", ".gitmodules", f"{name}.url", f"./{sub}")
    repo.git("add", ".")
    repo.git("commit", "-q", "-m", file)


@pytest.fixture
def nest(tmp_path: Path) -> Nest:
    made = Nest(tmp_path / "nest")
    repository(made.main / "data" / "in" / "deep", "deep.txt")
    repository(made.main / "data" / "in", "in.txt", "deep")
    repository(made.main / "code", "plot.py")
    repository(made.main, "top.txt", "code", "data/in")
    return made


def test_every_level_is_made_on_its_branch_and_code_detached(nest: Nest) -> None:
    assert [wanted.path for wanted in nest.survey().missing] == [
        nest.run, nest.run / "code", nest.run / "data/in", nest.run / "data/in/deep"
    ]  # fmt: skip
    nest.make()
    for path in ("", "data/in", "data/in/deep"):
        assert Repo(nest.run / path).branch() == "runs"
    assert Repo(nest.run / "code").branch() is None
    assert (nest.run / "data/in/deep/deep.txt").exists()
    layout = nest.survey()
    assert not layout.missing and len(layout.present) == 4 and layout.trees == layout.present


def test_a_survey_changes_nothing(nest: Nest) -> None:
    before = nest.traces()
    nest.survey()
    assert nest.traces() == before


def test_each_failure_while_making_takes_everything_back(nest: Nest) -> None:
    layout = nest.survey()
    before = nest.traces()
    for number, wanted in enumerate(layout.missing):
        gone = Wanted(wanted.main, wanted.path, Sha("0" * 40), None, False)
        broken = Layout((*layout.missing[:number], gone), (), ())
        with pytest.raises(CommandFailed), worktrees.made(broken, WHY):
            pytest.fail("it cannot be made")
        assert nest.traces() == before


def test_a_failure_of_what_comes_after_takes_everything_back(nest: Nest) -> None:
    before = nest.traces()
    for error in (WtwatchError("no"), KeyboardInterrupt()):
        with pytest.raises(type(error)), worktrees.made(nest.survey(), WHY):
            assert (nest.run / "data/in/deep/deep.txt").exists()
            raise error
        assert nest.traces() == before


def test_taking_back_leaves_other_worktrees_alone_also_those_on_a_missing_disk(nest: Nest) -> None:
    other = nest.root / "other"
    Repo(nest.main).git("worktree", "add", "-q", "-b", "other", str(other))
    other.rename(nest.root / "unmounted")
    with pytest.raises(KeyboardInterrupt), worktrees.made(nest.survey(), WHY):
        raise KeyboardInterrupt
    (nest.root / "unmounted").rename(other)
    assert Repo(other).branch() == "other"


def test_what_appears_in_the_place_meanwhile_is_kept(nest: Nest) -> None:
    layout = nest.survey()
    nest.run.mkdir()
    (nest.run / "notes.txt").write_text("mine\n")
    with pytest.raises(WtwatchError, match=r"such as notes\.txt"), worktrees.made(layout, WHY):
        pytest.fail("there was a file")
    assert (nest.run / "notes.txt").exists()


def test_a_whole_tree_is_never_taken_for_a_half_made_one(nest: Nest) -> None:
    layout = nest.survey()
    nest.make()
    with pytest.raises(WtwatchError, match="holds files"), worktrees.made(layout, WHY):
        pytest.fail("somebody else was faster")
    assert stands(nest.run) and (nest.run / "data/in/deep/deep.txt").exists()


def test_a_half_made_tree_is_made_anew_unless_somebody_put_files_there(nest: Nest) -> None:
    nest.make()
    deep = nest.run / "data/in/deep"
    (Repo(deep).git_dir() / "index").unlink()
    assert not stands(deep)
    for name in ("mine.txt", "deep.txt", ".hidden"):
        (deep / ".gitignore").write_text(".hidden\n.gitignore\n")
        before = (deep / name).read_text() if (deep / name).exists() else None
        (deep / name).write_text("mine\n")
        with pytest.raises(WtwatchError, match="holds files where a worktree has to be"):
            nest.survey()
        (deep / name).unlink() if before is None else (deep / name).write_text(before)
        (deep / ".gitignore").unlink()
    (deep / "deep.txt").write_text("dee")  # git was cut off in writing it
    assert [wanted.path for wanted in nest.survey().missing] == [deep]
    nest.make()
    assert (deep / "deep.txt").read_text() == "deep.txt\n" and stands(deep)


@pytest.mark.parametrize("path", ["", "data/in"])
def test_a_tree_without_its_index_that_holds_whole_ones_is_no_half_made_one(nest: Nest, path: str) -> None:
    """Somebody deleted it: those below were made after it was whole, and may hold what no git tells of."""
    nest.make()
    deep = nest.run / "data/in/deep"
    (Repo(deep).common_dir() / "info" / "exclude").write_text("*.log\n")
    (deep / "mine.log").write_text("mine\n")
    (Repo(nest.run / path).git_dir() / "index").unlink()
    with pytest.raises(WtwatchError, match="has no index, and the worktree") as told:
        nest.init()
    assert (deep / "mine.log").read_text() == "mine\n"
    subprocess.run(["sh", "-ec", (told.value.hint or "").partition(": ")[2]], check=True)
    nest.init()
    assert (deep / "mine.log").read_text() == "mine\n" and Repo(nest.run / path).changes().clean


def test_a_tree_that_git_had_hardly_begun_is_made_anew(nest: Nest) -> None:
    nest.make()
    own = Repo(nest.run / "code").git_dir()
    for file in (own / "index", nest.run / "code" / "plot.py"):
        file.unlink()
    (own / "HEAD").write_text("0" * 40 + "\n")  # as it is before git knows the commit
    assert [wanted.path for wanted in nest.survey().missing] == [nest.run / "code"]
    nest.make()
    assert (nest.run / "code" / "plot.py").exists()


def test_a_tree_that_git_was_cut_off_in_linking_is_made_anew(nest: Nest) -> None:
    nest.make()
    own = Repo(nest.run).git_dir()
    for each in nest.run.iterdir():
        if each.is_dir():
            shutil.rmtree(each)
        elif each.name != ".git":
            each.unlink()
    for file in (own / "index", own / "commondir"):
        file.unlink()
    (own / "HEAD").write_text("0" * 40 + "\n")
    assert nest.survey().missing[0].path == nest.run
    nest.make()
    assert stands(nest.run)


def test_a_tree_that_git_was_cut_off_in_linking_bars_no_other(nest: Nest) -> None:
    """An empty `commondir` has each `git worktree` fail in the whole repository."""
    nest.make()
    own = Repo(nest.run / "code").git_dir()
    for each in (nest.run / "code").iterdir():
        if each.name != ".git":
            each.unlink()
    (own / "index").unlink()
    (own / "commondir").write_text("")
    assert not Repo(nest.main / "code").succeeds("worktree", "list")
    nest.make()
    assert stands(nest.run / "code")
    assert Repo(nest.main / "code").succeeds("worktree", "list")


@pytest.mark.parametrize("half", [True, False])
@pytest.mark.parametrize("path", ["code", "data/in/deep"])
def test_a_tree_whose_git_annex_was_killed_before_it_linked_it_anew_is_made_all_the_same(
    nest: Nest, path: str, half: bool
) -> None:
    nest.make()
    tree = nest.run / path
    own = Repo(tree).git_dir()
    (own / "locked").write_text("wtwatch is making this worktree\n")
    if half:
        (own / "index").unlink()
    (tree / ".git").unlink()
    (tree / "mine.txt").write_text("mine\n")
    if half:
        with pytest.raises(WtwatchError, match=r"such as mine\.txt"):
            nest.init()
        (tree / "mine.txt").unlink()
    nest.init()
    assert stands(tree) and Repo(tree).changes("--untracked-files=no").clean
    assert half or (tree / "mine.txt").exists()
    assert (own / "locked").read_text() == f"{WHY}\n"


def test_a_folder_in_place_of_a_finished_tree_gets_no_link(nest: Nest) -> None:
    nest.make()
    (nest.run / "data/in/.git").unlink()
    with pytest.raises(WtwatchError, match="holds files where a worktree has to be"):
        nest.init()
    assert not (nest.run / "data/in/.git").exists()


def test_a_half_made_tree_in_which_its_git_still_works_is_left_alone(nest: Nest) -> None:
    nest.make()
    deep = nest.run / "data/in/deep"
    (Repo(deep).git_dir() / "index").unlink()
    with subprocess.Popen(["git", "cat-file", "--batch"], cwd=deep, stdin=subprocess.PIPE) as git:
        with pytest.raises(Busy, match=str(git.pid)):
            nest.make()
        assert (deep / "deep.txt").exists()
    nest.make()
    assert stands(deep)


def test_taking_back_that_is_cut_off_leaves_what_is_taken_for_half_made(
    nest: Nest, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = nest.survey()

    def cut_off(folder: Path, **_: object) -> None:
        for file in [file for file in folder.iterdir() if file.is_file() and file.name != ".git"][:1]:
            file.unlink()
        raise SystemExit

    with pytest.raises(SystemExit), worktrees.made(layout, WHY):
        monkeypatch.setattr(worktrees.shutil, "rmtree", cut_off)  # type: ignore[attr-defined]
        raise KeyboardInterrupt
    monkeypatch.undo()
    nest.make()
    assert stands(nest.run) and (nest.run / "data/in/deep/deep.txt").exists()
    assert Repo(nest.run / "data/in").changes("--untracked-files=all").clean


def test_a_tree_whose_superdataset_was_moved_is_repaired_by_the_hint(nest: Nest) -> None:
    nest.make()
    moved = Nest(nest.root.with_name("moved"))
    moved.root.mkdir()
    nest.main.rename(moved.main)
    nest.run.rename(moved.run)
    with pytest.raises(UsageError, match="was a superdataset moved") as told:
        moved.survey()
    steps = (told.value.hint or "").partition(":\n")[2]
    assert steps.count("worktree repair") == 4
    subprocess.run(["sh", "-ec", steps], check=True, capture_output=True)
    assert len(moved.survey().present) == 4


def test_only_our_own_locks_are_taken_away(nest: Nest) -> None:
    nest.make()
    theirs = nest.run / "code"
    Repo(theirs).git("worktree", "unlock", str(theirs))
    Repo(theirs).git("worktree", "lock", "--reason", "on a stick", str(theirs))
    worktrees.lock(nest.survey().trees, WHY)
    worktrees.unlock(nest.survey().trees, WHY)
    assert (Repo(theirs).git_dir() / "locked").exists()
    assert not (Repo(nest.run).git_dir() / "locked").exists()


def test_a_branch_made_before_code_was_is_told(nest: Nest) -> None:
    Repo(nest.main).git("rm", "-q", "--cached", "code")
    Repo(nest.main).git("commit", "-q", "-m", "without code")
    Repo(nest.main).git("branch", "runs")
    with pytest.raises(WtwatchError, match="has no subdataset code") as told:
        nest.survey()
    assert told.value.hint and "branch -m runs runs-before" in told.value.hint


def test_a_subdataset_that_is_not_installed_stays_empty(nest: Nest) -> None:
    (nest.main / "data/in/deep/.git").rename(nest.root / "away")
    assert nest.survey().empty == ("data/in/deep",)


def test_a_link_in_the_place_of_a_worktree_is_refused(nest: Nest) -> None:
    nest.run.symlink_to(nest.root / "nowhere")
    with pytest.raises(WtwatchError):
        check_vacant(nest.run)


def test_two_inits_do_not_decide_at_once() -> None:
    inside, leave = threading.Event(), threading.Event()

    def first() -> None:
        with init.alone():
            inside.set()
            leave.wait(20)

    other = threading.Thread(target=first)
    other.start()
    assert inside.wait(20)
    with pytest.raises(Busy, match="the list of projects"), init.alone(wait=0.0):
        pytest.fail("two at once")
    leave.set()
    other.join()
    with init.alone(wait=0.0):
        pass


def test_trees_are_found_from_inside_out(nest: Nest) -> None:
    deep = nest.main / "data/in/deep"
    assert list(trees_around(deep)) == [deep, nest.main / "data/in", nest.main]
    assert list(trees_around(nest.root)) == []


def test_paths_are_quoted_for_shells_and_against_options() -> None:
    assert quoted("-x") == "./-x" and quoted("a b") == "'a b'" and quoted(Path("/a/b")) == "/a/b"
    assert code_path("./code/") == "code" and code_path("a/b") == "a/b"
    for wrong in ("", ".", "/code", "../code", "a/../../b"):
        with pytest.raises(UsageError):
            code_path(wrong)
