"""`wtwatch init`: what it makes, what it takes over, and what it refuses without a trace."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MakeLab, Say
from tests.lab import Lab, eventually
from tests.room import let_git_know_nobody
from tests.tally import Kills
from tests.test_cli import on_a_terminal
from wtwatch.doors.files import write_whole
from wtwatch.doors.proc import all_pids
from wtwatch.doors.processes import identity, session
from wtwatch.doors.repo import Repo
from wtwatch.project import jobenv, listing
from wtwatch.project.registry import known
from wtwatch.setup import init
from wtwatch.setup.demo import make_deletable
from wtwatch.setup.dotgit import shares_annex
from wtwatch.setup.intent import Asked
from wtwatch.setup.layout import stands
from wtwatch.words.errors import UsageError, WtwatchError


def traces(root: Path) -> dict[str, Any]:
    """Return all that a refused `init` must leave alone: refs, worktrees, files, settings, registry."""
    found: dict[str, Any] = {
        "registry": dict(listing.registered()) if listing.registry_file().is_file() else {}
    }
    for folder, folders, files in os.walk(root):
        inside_git = ".git" in Path(folder).parts
        for name in [*folders, *files]:
            path = Path(folder) / name
            if name == ".git" and not Repo(Path(folder)).succeeds("rev-parse"):
                continue
            if name == ".git":
                repo = Repo(Path(folder))
                found[f"{folder} refs"] = repo.refs("refs/heads", "refs/tags", "refs/wtwatch")
                found[f"{folder} trees"] = repo.git("worktree", "list", "--porcelain")
                found[f"{folder} settings"] = repo.git("config", "--list", "--local")
                found[f"{folder} HEAD"] = (repo.branch(), repo.resolve("HEAD"))
            if not inside_git or "wtwatch" in path.parts or "hooks" in path.parts:
                found[str(path)] = path.is_dir() or os.path.lexists(path)
    return found


def refused(say: Say, lab: Lab, *words: str, where: Path | None = None, code: int = 2) -> str:
    """Return what a refused `init` said; it is one error with a way out, and nothing is changed."""
    before = traces(lab.root)
    said = say(where or lab.main, "init", *words, code=code)
    assert said.err.count("Error: ") == 1 and "Hint: " in said.err, said.err
    assert said.out == ""
    after = traces(lab.root)
    assert after == before, {key: (before.get(key), after.get(key)) for key in before | after
                             if before.get(key) != after.get(key)}  # fmt: skip
    return said.err


def hint_of(error: str) -> list[str]:
    """Return the commands that a hint lists, one a line."""
    return [line.strip() for line in error.partition("Hint: ")[2].splitlines() if line.startswith("  ")]


# what it makes


def test_a_new_run_tree_is_nested_shares_the_annex_and_is_locked(say: Say, lab: Lab) -> None:
    said = say(lab.main, "init")

    assert "Made the run tree" in said.out and said.err == ""
    assert Repo(lab.run).branch() == "runs" == Repo(lab.run / "inputs" / "L5b_2p").branch()
    assert Repo(lab.run_code).branch() is None
    assert lab.commit("HEAD", lab.run_code) == lab.commit("refs/heads/runs")
    for tree in (Path(), Path("inputs/L5b_2p")):
        assert shares_annex(lab.main / tree, lab.run / tree)
        assert (Repo(lab.run / tree).git_dir() / "annex").exists()
    for tree in (lab.run, lab.run / "inputs" / "L5b_2p", lab.run_code):
        assert "run tree of the wtwatch project L5b" in (Repo(tree).git_dir() / "locked").read_text()
        assert Repo(tree).changes().clean
    assert listing.registered() == {"L5b": lab.main / ".git" / "wtwatch" / "L5b"}
    assert (lab.code / ".git" / "hooks" / "post-commit").exists()


def test_it_says_what_it_found_and_chose(say: Say, any_lab: Lab) -> None:
    lab = any_lab
    (lab.code / "renv.lock").write_text("{}\n")
    lab.git("add", "renv.lock", cwd=lab.code)
    lab.git("commit", "--quiet", "-m", "what R needs", cwd=lab.code)
    said = say(lab.main, "init").out
    words = [line.strip() for line in said.splitlines()]
    driver = {"git": "git", "jj": "jj, colocated with git"}[lab.driver]
    assert words[1] == f"code         the subdataset code, driven by {driver}"
    assert words[3] == "environment  code/.venv, by uv from pyproject.toml and uv.lock"
    assert words[4] == "not looked after: renv.lock. For renv:"
    assert words[6].startswith("hooks        4 of git's ring the daemon's bell")
    assert words[7] == "annex        one for both trees (2 datasets): nothing is copied"
    assert "Next: wtwatch service install" in words[-1] and len(words) <= 12
    assert "/y" not in on_a_terminal(lab, "init"), "where no service can run, none is offered"


def test_no_superdataset_gets_dirty_as_the_default_place_is_beside_the_outermost(say: Say, lab: Lab) -> None:
    top = lab.root / "study"
    top.mkdir()
    lab.git("init", "--quiet", cwd=top)
    lab.main.rename(top / "L5b")
    main = top / "L5b"
    lab.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "./L5b", cwd=top)
    lab.git("commit", "--quiet", "-m", "a superdataset above", cwd=top)

    say(main, "init")

    assert (lab.root / "L5b-runs" / ".git").exists()
    assert Repo(top).changes().clean and Repo(top).git("status", "--porcelain") == ""


def test_init_may_be_repeated_and_changes_nothing_then(say: Say, lab: Lab) -> None:
    say(lab.main, "init")
    before = traces(lab.root)

    said = say(lab.main, "init")

    assert "was set up already" in said.out
    assert traces(lab.root) == before


def test_init_finds_the_superdataset_from_any_folder_of_it(lab: Lab) -> None:
    for folder in ("", "inputs", "inputs/L5b_2p", "code", "code/src/process2p"):
        assert init.decide(lab.main / folder, Asked(), ()).project.main_tree == lab.main


def test_init_in_a_run_tree_means_the_project_of_that_tree(say: Say, lab: Lab) -> None:
    say(lab.main, "init", "--bookmark", "alt")
    projects = known().projects

    for folder in (lab.root / "L5b-alt", lab.root / "L5b-alt" / "code", lab.root / "L5b-alt" / "inputs"):
        plan = init.decide(folder, Asked(), projects)
        assert plan.known and plan.project.bookmark == "alt" and not plan.layout.missing


def test_a_second_bookmark_makes_a_second_project_that_is_independent(say: Say, lab: Lab) -> None:
    say(lab.main, "init")
    say(lab.main, "init", "--bookmark", "team/alt", "--run-tree", "../other tree", "--no-hooks")

    first, second = known().projects
    assert (second.name, second.bookmark) == ("L5b-team-alt", "team/alt")
    assert Repo(lab.root / "other tree").branch() == "team/alt"
    old = lab.commit("HEAD", lab.run_code)
    new = lab.change_code("2", "second version")
    lab.move_bookmark(bookmark="team/alt")
    say(lab.main, "sync")
    assert lab.commit("HEAD", second.run_code) == new
    assert lab.commit("HEAD", first.run_code) == old
    assert "Several projects share this main tree" in say(lab.main, "queue", "list", code=2).err
    assert say(second.run_tree, "queue", "list").out == "The queue is empty.\n"

    say(lab.main, "forget", second.name)
    assert [project.name for project in known().projects] == ["L5b"]
    assert (lab.code / ".git" / "hooks" / "post-commit").exists()  # the other project needs it


def test_without_hooks_none_are_installed(say: Say, lab: Lab) -> None:
    before = sorted(path.name for path in (lab.code / ".git" / "hooks").iterdir())
    say(lab.main, "init", "--no-hooks")
    assert sorted(path.name for path in (lab.code / ".git" / "hooks").iterdir()) == before


def test_the_environment_is_made_by_uv_by_a_command_or_not_at_all(say: Say, lab: Lab) -> None:
    say(lab.main, "init", "--env", "none")
    assert not (lab.run_code / ".venv").exists()
    assert lab.status()["environment"]["state"] == "none"

    say(lab.main, "init", "--bookmark", "by-hand", "--env", "uv sync --quiet && touch .venv/by-hand")
    assert (lab.root / "L5b-by-hand" / "code" / ".venv" / "by-hand").exists()

    say(lab.main, "init", "--env", "auto")  # asked for anew
    assert (lab.run_code / ".venv" / "bin" / "python").exists()


def test_jj_gets_its_bookmark_from_jj(say: Say, jj_lab: Lab) -> None:
    said = say(jj_lab.main, "init")
    assert ", made now" in said.out
    assert jj_lab.jj("bookmark", "list", "-T", 'name ++ " "').split() == ["main", "runs"]
    assert jj_lab.commit("refs/heads/runs") == jj_lab.commit("HEAD", jj_lab.run_code)


def test_a_sparse_main_tree_does_not_make_a_sparse_run_tree(say: Say, lab: Lab) -> None:
    lab.git("sparse-checkout", "set", "inputs", ".datalad")
    assert not (lab.main / "04_dataframes").exists()
    say(lab.main, "init")
    assert (lab.run / "04_dataframes").is_dir()
    assert Repo(lab.run).changes().clean


ODD = ("-dash", "a space", 'it\'s "quoted"', "größe 脳")


@pytest.mark.parametrize(
    "word", [*(pytest.param(word, marks=pytest.mark.slow) for word in ODD[:2]), *ODD[2:]]
)
def test_odd_names_work_from_init_to_status(say: Say, make_lab: MakeLab, word: str) -> None:
    lab = make_lab("git", f"{word} lab")
    main = lab.root / word
    lab.main.rename(main)
    (main / word).write_text("a file\n")
    lab.git("add", "--", f"./{word}", cwd=main)
    lab.git("commit", "--quiet", "-m", "an odd name", cwd=main)
    code = main / "code"
    run_tree = lab.root / f"{word} run"

    say(main, "init", f"--run-tree=../{word} run")
    (code / word).write_text("code\n")
    lab.git("add", "--", f"./{word}", cwd=code)
    lab.git("commit", "--quiet", "-m", "odd code", cwd=code)
    say(main, "release")
    say(main, "sync")
    assert (run_tree / "code" / word).read_text() == "code\n"
    assert (run_tree / word).exists()
    (run_tree / "code" / word).write_text("an edit that is in the way\n")
    said = say(code, "sync")
    assert "nothing to do" in said.out
    (code / word).write_text("newer code\n")
    lab.git("commit", "--quiet", "--all", "-m", "odder code", cwd=code)
    say(main, "release")
    assert "kept" in say(run_tree / "code", "sync").err
    say(main, "queue", "add", "-o", f"out/{word}.txt", "--", "sh", "-c", f"echo x > {shlex.quote(word)}")
    assert "1 waiting" in say(main, "status", code=1).out
    assert str(run_tree) in say(main, "status", "--json", code=1).out.replace('\\"', '"')
    assert say(run_tree, "exec", "--", "pwd").out.strip() == str(run_tree)
    backup = say(main, "backups", "list").out.split()[1]
    say(main, "backups", "restore", backup, "--to", str(lab.root / f"{word} back"))
    assert (lab.root / f"{word} back" / word).read_text() == "an edit that is in the way\n"
    say(main, "forget")


# what it takes over


def test_a_tree_made_by_hand_is_adopted_with_its_environment(say: Say, any_lab: Lab) -> None:
    lab = any_lab
    lab.handmade_run_tree()
    (lab.run_code / ".venv" / "mine").write_text("kept\n")

    said = say(lab.main, "init")

    assert "Adopted the run tree" in said.out and "all 3 worktrees" in said.out
    assert (lab.run_code / ".venv" / "mine").exists()
    assert Repo(lab.run_code).branch() is None
    assert lab.commit("HEAD", lab.run_code) == lab.commit("refs/heads/runs")
    assert lab.status()["freshness"] == "fresh"


def test_what_is_missing_in_a_tree_made_by_hand_is_added(say: Say, lab: Lab) -> None:
    lab.git("worktree", "add", "--quiet", "-b", "runs", str(lab.run))
    assert "1 worktrees were there, 2 were missing" in say(lab.main, "init").out
    assert (lab.run / "inputs" / "L5b_2p" / ".git").exists()


def test_a_run_tree_that_was_deleted_is_made_anew(say: Say, lab: Lab) -> None:
    say(lab.main, "init")
    subprocess.run(["rm", "-rf", str(lab.run)], check=True)
    assert lab.status()["freshness"] == "missing"

    say(lab.main, "init")

    assert lab.status()["freshness"] == "fresh"
    assert Repo(lab.run / "inputs" / "L5b_2p").branch() == "runs"


def test_init_after_forget_has_the_old_name_and_settings(say: Say, lab: Lab) -> None:
    say(lab.main, "init", "--name", "mine", "--env", "none")
    file = lab.main / ".git" / "wtwatch" / "mine" / "config.toml"
    file.write_text(file.read_text() + "settle = 5.0\n")
    say(lab.main, "forget")
    say(lab.main, "init")
    (project,) = known().projects
    assert (project.name, project.settle, project.environment) == ("mine", 5.0, "none")


# what it refuses


def test_outside_of_a_dataset_it_says_how_to_make_one(say: Say, lab: Lab, tmp_path: Path) -> None:
    bare = lab.root / "just git"
    bare.mkdir()
    lab.git("init", "--quiet", cwd=bare)
    assert "is in no git repository" in refused(say, lab, where=lab.root)
    error = refused(say, lab, where=bare)
    assert "not a DataLad dataset" in error and f"datalad create --force '{bare}'" in error
    assert "no git repository" in refused(say, lab, where=lab.main / ".git")


def test_a_superdataset_without_code_says_what_to_give(say: Say, lab: Lab) -> None:
    assert "has no subdataset 'scripts'" in refused(say, lab, "--code", "scripts")
    for path in ("../code", "/code", "."):
        assert "is not the path of a subdataset" in refused(say, lab, "--code", path)
    lab.say("mv", "code", "../elsewhere")
    (lab.main / "code").mkdir()
    error = refused(say, lab)
    assert "is not installed" in error and f"datalad get -n -d {lab.main} {lab.main}/code" in error


def without_code_subdataset(lab: Lab) -> None:
    lab.say("rm", "-rf", "code")
    lab.git("rm", "--quiet", "--cached", "code")
    lab.git("config", "-f", ".gitmodules", "--remove-section", "submodule.code")
    lab.git("commit", "--quiet", "-m", "no subdataset", "--", "code", ".gitmodules")
    (lab.main / "code" / "sub").mkdir(parents=True)
    (lab.main / "code" / "sub" / "plot.py").write_text("print('plot')\n")


def test_code_that_is_a_tracked_folder_is_taken_as_it_is(say: Say, lab: Lab) -> None:
    without_code_subdataset(lab)
    lab.git("-c", "annex.largefiles=nothing", "add", "code")
    lab.git("commit", "--quiet", "-m", "YODA's folder")
    (lab.main / "staged by the user").write_text("not ours\n")
    lab.git("add", "staged by the user")
    said = say(lab.main / "inputs", "init").out
    assert "code (1 file) of the superdataset itself, driven by git" in said
    assert "runs-code → " in said and ", made now" in said
    assert lab.git("diff", "--cached", "--name-only") == "staged by the user"
    assert (lab.run / "code" / "sub" / "plot.py").read_text() == "print('plot')\n"
    assert lab.git("branch", "--show-current", cwd=lab.run) == "runs"


def test_code_that_is_a_folder_which_nobody_saved_is_refused_with_the_line_that_saves_it(
    say: Say, lab: Lab
) -> None:
    without_code_subdataset(lab)
    error = refused(say, lab)
    assert "is not tracked by git" in error and f"datalad save -d {lab.main} {lab.main}/code" in error


def test_code_in_the_annex_is_warned_of(say: Say, lab: Lab) -> None:
    without_code_subdataset(lab)
    lab.git("annex", "add", "--quiet", "code")
    lab.git("commit", "--quiet", "-m", "in the annex")
    assert "in the annex" in say(lab.main, "init").out


def test_a_bookmark_that_git_cannot_hold_beside_another_is_refused(say: Say, lab: Lab) -> None:
    lab.git("branch", "runs/alt", cwd=lab.code)
    assert "beside the branch 'runs/alt'" in refused(say, lab)
    lab.git("branch", "-m", "runs/alt", "runs", cwd=lab.code)
    error = refused(say, lab, "--bookmark", "runs/alt")
    assert "beside the branch 'runs'" in error and "--bookmark runs-alt" in error
    lab.git("branch", "-D", "runs", cwd=lab.code)
    lab.git("branch", "runs/x", cwd=lab.inputs)
    assert str(lab.inputs) in refused(say, lab)


def test_a_bookmark_name_that_git_forbids_is_refused(say: Say, lab: Lab) -> None:
    for name in ("a b", "-b", "x..y", "@{-1}", "HEAD", "end.lock", "a~1", "/x"):
        assert "Git forbids" in refused(say, lab, f"--bookmark={name}")


def test_a_run_tree_path_that_is_something_else_is_refused(say: Say, lab: Lab) -> None:
    lab.run.mkdir()
    (lab.run / "notes.txt").write_text("mine\n")
    assert "is something else" in refused(say, lab)
    (lab.root / "file").write_text("")
    assert "is something else" in refused(say, lab, "--run-tree", "../file")
    other = lab.root / "other"
    other.mkdir()
    lab.git("init", "--quiet", cwd=other)
    assert "is a repository, but not a worktree" in refused(say, lab, "--run-tree", str(other))
    lab.git("worktree", "add", "--quiet", "-b", "else", str(lab.root / "tree"))
    error = refused(say, lab, "--run-tree", "../tree")
    assert "is on the branch else, not on runs" in error


def test_a_run_tree_and_a_main_tree_in_each_other_are_refused(say: Say, lab: Lab) -> None:
    for place in (".", "runs", "inputs/L5b_2p/runs", ".."):
        assert "must not lie in each other" in refused(say, lab, "--run-tree", place)
    (lab.root / "link").symlink_to(lab.main)
    assert "must not lie in each other" in refused(say, lab, "--run-tree", str(lab.root / "link" / "runs"))


def test_a_run_tree_in_a_tree_of_another_project_is_refused(say: Say, lab: Lab) -> None:
    say(lab.main, "init", "--env", "none")
    for place in ("../L5b-runs", "../L5b-runs/inputs/x"):
        error = refused(say, lab, "--bookmark", "alt", "--run-tree", place)
        assert "lies in a tree of the project L5b" in error
    assert "follows runs in" in refused(say, lab, "--run-tree", "../elsewhere")
    assert "are the project 'L5b'" in refused(say, lab, "--name", "other")
    assert "is in 'code'" in refused(say, lab, "--code", "inputs/L5b_2p")


def test_files_where_a_worktree_has_to_be_are_named_before_anything_is_made(say: Say, lab: Lab) -> None:
    lab.git("worktree", "add", "--quiet", "-b", "runs", str(lab.run))
    (lab.run / "inputs" / "L5b_2p" / "result.txt").write_text("mine\n")
    assert "holds files where a worktree has to be, such as result.txt" in refused(say, lab, code=1)


def test_an_adjusted_branch_is_refused(say: Say, lab: Lab) -> None:
    lab.git("annex", "adjust", "--unlock")
    error = refused(say, lab)
    assert "adjusted/main(unlocked)" in error
    lab.say("bash", "-ec", error.partition("first: ")[2], cwd=lab.root)
    say(lab.main, "init", "--env", "none")


def test_a_main_tree_that_is_itself_on_the_bookmark_is_refused(say: Say, lab: Lab) -> None:
    lab.git("checkout", "--quiet", "-b", "runs")
    error = refused(say, lab)
    assert f"is checked out in {lab.main}" in error
    lab.say("bash", "-ec", error.partition("there: ")[2].splitlines()[0], cwd=lab.root)
    lab.git("checkout", "--quiet", "-b", "runs", cwd=lab.inputs)
    assert f"is checked out in {lab.inputs}" in refused(say, lab)


def test_a_branch_of_a_subdataset_that_is_elsewhere_is_refused(say: Say, lab: Lab) -> None:
    lab.git("branch", "runs", "HEAD~1", cwd=lab.inputs)
    error = refused(say, lab, code=1)
    assert "but the superdataset names" in error
    lab.say("bash", "-ec", error.partition("another name: ")[2], cwd=lab.root)
    say(lab.main, "init", "--env", "none")
    assert Repo(lab.inputs).resolve("runs-before")


def test_code_with_submodules_is_refused(say: Say, lab: Lab) -> None:
    lab.git(
        *("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(lab.inputs), "vendored"),
        cwd=lab.code,
    )
    assert "has submodules of its own" in refused(say, lab)


def test_absorbed_git_directories_are_brought_back_by_the_hint(say: Say, lab: Lab) -> None:
    lab.git("submodule", "--quiet", "absorbgitdirs")
    lab.git("annex", "init", "--quiet", cwd=lab.inputs)  # which makes a link of git's file
    assert (lab.main / ".git" / "modules" / "code").is_dir()
    error = refused(say, lab, code=1)
    assert "is absorbed into its superdataset" in error
    lab.say("bash", "-ec", "\n".join(hint_of(error)), cwd=lab.root)
    say(lab.main, "init", "--env", "none")
    assert shares_annex(lab.inputs, lab.run / "inputs" / "L5b_2p")
    assert lab.git("submodule", "status").count("\n") == 1


def test_a_clone_in_the_place_of_a_worktree_is_refused(say: Say, lab: Lab) -> None:
    lab.git("worktree", "add", "--quiet", "-b", "runs", str(lab.run))
    lab.git("clone", "--quiet", str(lab.inputs), str(lab.run / "inputs" / "L5b_2p"))
    assert "is a clone of its own" in refused(say, lab, code=1)


def test_a_linked_worktree_of_the_superdataset_is_no_main_tree(say: Say, lab: Lab) -> None:
    tree = lab.root / "linked"
    lab.git("worktree", "add", "--quiet", "-b", "runs", str(tree))
    error = refused(say, lab, where=tree)
    assert f"is a linked worktree of {lab.main}" in error and f"--run-tree {tree}" in error
    say(lab.main, "init", "--env", "none", "--run-tree", str(tree))


def test_a_conflicted_bookmark_is_refused(say: Say, jj_lab: Lab) -> None:
    lab = jj_lab
    lab.jj("bookmark", "set", "runs", "-r", "@-")
    operation = lab.jj("op", "log", "--no-graph", "-n1", "-T", "id.short()")
    lab.jj("bookmark", "set", "runs", "-r", "@", "--allow-backwards")
    lab.jj("--at-op", operation, "bookmark", "set", "runs", "-r", "@--", "--allow-backwards")
    lab.jj("status")
    assert "is conflicted" in refused(say, lab)


def test_a_path_that_the_settings_cannot_hold_is_refused_and_nothing_is_made(say: Say, lab: Lab) -> None:
    main = lab.root / "L5b \udcff"
    lab.main.rename(main)
    said = say(main, "init", "--name", "L5b", "--env", "none", code=2)
    assert "is not UTF-8" in said.err and "\\udcff" in said.err
    assert not (main / ".git" / "wtwatch").exists()
    assert [entry.name for entry in lab.root.iterdir() if "runs" in entry.name] == []


def test_two_projects_of_one_name_are_refused(say: Say, make_lab: MakeLab) -> None:
    first, second = make_lab("git", "one"), make_lab("git", "two")
    say(first.main, "init", "--env", "none")
    error = refused(say, second)
    assert f"a project 'L5b' already, of {first.main}" in error and "--name L5b-2" in error
    say(second.main, "init", "--name", "L5b-2", "--env", "none")
    assert "cannot be the name" in refused(say, second, "--bookmark", "x", "--name", "a/b")
    make_deletable(first.main)
    subprocess.run(["rm", "-rf", str(first.main)], check=True)
    error = refused(say, second, "--bookmark", "x", "--name", "L5b")
    assert "whose superdataset is gone" in error and "wtwatch forget L5b" in error


def test_an_empty_environment_command_is_refused(say: Say, lab: Lab) -> None:
    for nothing in ("", " "):
        assert "'--env': it is empty" in refused(say, lab, "--env", nothing)


def test_tools_that_do_not_run_are_named(say: Say, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = lab.root / "tools"
    tools.mkdir()
    path = os.environ["PATH"]
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{path}")
    broken = tools / "git-annex"
    broken.write_text("#!/bin/sh\necho 'libgmp.so.10: not found' >&2\nexit 127\n")
    broken.chmod(0o755)
    error = refused(say, lab, code=1)
    assert "git-annex does not run: libgmp.so.10: not found" in error and "pip install git-annex" in error
    broken.unlink()

    shadow = tools / "datalad"
    shadow.mkdir()
    (shadow / "__init__.py").write_text("raise ImportError('it is broken')\n")
    said = lab.wtwatch("init", code=1, env={"PYTHONPATH": str(tools)})
    assert "DataLad cannot be used: it is broken" in said.err and "pip install datalad" in said.err


def test_whom_git_does_not_know_is_told_how_to_say_it(
    say: Say, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_git_know_nobody(Path.home())
    lab.git("config", "--global", "--unset", "user.useConfigOnly")
    lab.git("config", "--global", "user.name", "Lab Author")
    monkeypatch.setenv("EMAIL", "lab@example.org")  # a service would not have it
    lab.git("var", "GIT_COMMITTER_IDENT")
    error = refused(say, lab, code=1)
    assert "git does not know who you are" in error and "EMAIL" in error
    lab.say("sh", "-ec", error.partition("Hint: ")[2], cwd=lab.root)
    say(lab.main, "init", "--env", "none")


def test_whom_git_knows_in_this_dataset_alone_is_known(say: Say, lab: Lab) -> None:
    let_git_know_nobody(Path.home())
    lab.git("config", "user.name", "Lab Author")
    lab.git("config", "user.email", "lab@example.org")
    say(lab.main, "init", "--env", "none")


def test_code_that_needs_uv_where_there_is_none_is_refused(
    say: Say, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = lab.root / "tools"
    tools.mkdir()
    for name in ("git", "git-annex", "datalad", "sh", "env"):
        where = subprocess.run(["which", name], capture_output=True, text=True, check=True).stdout.strip()
        (tools / name).symlink_to(where)
    monkeypatch.setenv("PATH", str(tools))
    monkeypatch.setattr(jobenv, "own_folder", lambda: tools)  # uv may have come with wtwatch
    assert "uv is not on PATH" in refused(say, lab, code=1)


# all or nothing


@pytest.mark.parametrize("beforehand", [False, True])
def test_a_failure_half_way_leaves_nothing(say: Say, lab: Lab, beforehand: bool) -> None:
    if beforehand:
        lab.run.mkdir()
    lab.git("config", "filter.broken.smudge", "false", cwd=lab.code)
    lab.git("config", "filter.broken.required", "true", cwd=lab.code)
    (lab.code / ".git" / "info" / "attributes").write_text("pyproject.toml filter=broken\n")
    error = refused(say, lab, "--run-tree", str(lab.run) if beforehand else "../a/b/c", code=1)
    assert "nothing is left of it" in error and "it would have been:" in error
    assert not (lab.root / "a").exists()


@pytest.mark.parametrize("where", ["state", "registry", "bookmark"])
def test_a_failure_at_the_end_leaves_nothing_either(say: Say, lab: Lab, where: str) -> None:
    if where == "state":
        (lab.main / ".git" / "wtwatch").write_text("in the way\n")
    elif where == "registry":
        listing.registry_file().parent.parent.mkdir(parents=True)
        listing.registry_file().parent.write_text("in the way\n")
    else:
        (lab.code / ".git" / "refs" / "heads" / "runs.lock").mkdir()  # git can make no such branch
    before = traces(lab.root)
    say(lab.main, "init", code=1)
    assert traces(lab.root) == before


@pytest.mark.slow
@pytest.mark.parametrize("linked", [True, False])
def test_an_init_that_was_killed_half_way_is_finished_by_the_next(
    say: Say, lab: Lab, kills: Kills, linked: bool
) -> None:
    gate = lab.gate()
    lab.git("config", "filter.slow.smudge", _waits_for(gate.file), cwd=lab.inputs)
    (lab.inputs / ".git" / "info" / "attributes").write_text("240227J/LSD/* filter=slow\n")
    for repo in (lab.inputs,):  # files of git, which the filter sees
        (repo / "240227J" / "LSD" / "note.txt").write_text("a note\n")
        lab.git("-c", "annex.largefiles=nothing", "add", "240227J/LSD/note.txt", cwd=repo)
        lab.git("commit", "--quiet", "-m", "note", cwd=repo)
    lab.git("commit", "--quiet", "-m", "newer inputs", "--", "inputs/L5b_2p")
    cut = subprocess.Popen(
        [sys.executable, "-P", "-m", "wtwatch", "init"],
        cwd=lab.main,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    eventually(lambda: gate.reached() or cut.poll() is not None)
    os.killpg(cut.pid, signal.SIGKILL)
    cut.wait()
    eventually(lambda: not _in_session_of(cut.pid))  # its gits are ended by it, but may need a moment
    with kills.survived("an init half way"):
        assert lab.run.exists() and not stands(lab.run / "inputs" / "L5b_2p")
        if not linked:  # as git-annex does it before it makes a symlink of it
            (lab.run / "inputs" / "L5b_2p" / ".git").unlink()
        gate.open()
        if linked:
            (lab.run / "inputs" / "L5b_2p" / "mine.txt").write_text("put there since\n")
            assert "such as mine.txt" in refused(say, lab, code=1)
            (lab.run / "inputs" / "L5b_2p" / "mine.txt").unlink()
        say(lab.main, "init")

        assert (lab.run / "inputs" / "L5b_2p" / "240227J" / "LSD" / "note.txt").read_text() == "a note\n"
        assert Repo(lab.run / "inputs" / "L5b_2p").changes("--untracked-files=all").clean
        assert lab.status()["freshness"] == "fresh"


def _in_session_of(leader: int) -> list[int]:
    return [pid for pid in all_pids() if session(pid) == leader and identity(pid)]


def _waits_for(file: Path) -> str:
    name = shlex.quote(str(file))
    return f"sh -c ': > {name}.reached; until [ -e {name} ]; do sleep 0.05; done; cat'"


def test_a_ref_lock_that_a_killed_git_left_in_our_own_namespace_is_broken(say: Say, lab: Lab) -> None:
    lock = lab.code / ".git" / "refs" / "wtwatch" / "L5b" / "applied.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    say(lab.main, "init", "--env", "none")
    assert lab.status()["freshness"] == "fresh" and not lock.exists()


@pytest.mark.slow  # a second a lock
def test_locks_of_a_git_that_was_killed_in_an_init_do_not_stop_the_next(say: Say, lab: Lab) -> None:
    for repo in (lab.main, lab.inputs, lab.code):
        (repo / ".git" / "refs" / "heads" / "runs.lock").touch()
    say(lab.main, "init", "--env", "none")
    for tree in (lab.run, lab.run / "inputs" / "L5b_2p", lab.run_code):  # cut off when the files were there
        own = Repo(tree).git_dir()
        (own / "locked").write_text("wtwatch is making this worktree\n")
        for lock in (own / "HEAD.lock", own / "index.lock"):
            lock.touch()
    for repo in (lab.main, lab.inputs):
        (repo / ".git" / "refs" / "heads" / "runs.lock").touch()
    say(lab.main, "init")
    assert lab.status()["freshness"] == "fresh"
    assert [
        str(file) for file in lab.root.rglob("*.lock") if "refs" in str(file) or "worktrees" in str(file)
    ] == []
    for tree in (lab.run, lab.run / "inputs" / "L5b_2p", lab.run_code):
        assert (Repo(tree).git_dir() / "locked").read_text() == "run tree of the wtwatch project L5b\n"


def test_a_moved_superdataset_is_told_from_a_stranger(say: Say, lab: Lab) -> None:
    say(lab.main, "init", "--env", "none")
    moved = lab.root / "moved"
    lab.main.rename(moved)

    for words in (("queue", "list"), ("exec", "--", "true"), ("merge",), ("backups", "list"), ("release",)):
        error = say(moved, *words, code=1).err
        assert "holds the state of its project L5b" in error and "wtwatch init" in error
        named = (
            [words[0], "--project", "L5b", *words[1:]] if words[0] == "exec" else [*words, "--project", "L5b"]
        )
        assert "is gone" in say(lab.root, *named, code=1).err
    said = say(lab.root, "status", code=1).out
    assert "L5b" in said and "`wtwatch init` in its new place" in " ".join(said.split())
    say(lab.root, "forget", "L5b")
    assert listing.registered() == {}
    shutil.rmtree(moved / ".git" / "wtwatch")  # now nothing tells what it was
    error = say(moved, "init", "--run-tree", str(lab.run), code=2).err
    assert "was a superdataset moved" in error
    lab.say("sh", "-ec", "\n".join(hint_of(error)), cwd=lab.root)
    say(moved, "init", "--run-tree", str(lab.run))
    (found,) = json.loads(say(moved, "status", "--json").out)["projects"]
    assert found["freshness"] == "fresh" and found["path"] == str(moved)
    assert shares_annex(moved / "inputs" / "L5b_2p", lab.run / "inputs" / "L5b_2p")


def test_a_forgotten_superdataset_that_was_moved_is_set_up_anew(say: Say, lab: Lab) -> None:
    say(lab.main, "init", "--env", "none")
    say(lab.main, "forget")
    moved = lab.root / "moved"
    lab.main.rename(moved)
    say(moved, "init", "--env", "none")
    (found,) = json.loads(say(moved, "status", "--json").out)["projects"]
    assert (found["name"], found["freshness"], found["path"]) == ("L5b", "fresh", str(moved))


def test_a_config_that_is_wrong_is_named_with_line_key_and_what_is_allowed(say: Say, lab: Lab) -> None:
    say(lab.main, "init", "--env", "none")
    file = lab.main / ".git" / "wtwatch" / "L5b" / "config.toml"
    good = file.read_text()
    lines = good.count("\n")
    for text, said in (
        ("keep_failed = 1.5\n", f"line {lines + 1}"),
        ("settle = 'long'\n", "a number of seconds"),
        ("merge_pointer = 'mine'\n", "ask, main, run"),
        ("settle = = 3\n", f"line {lines + 1}"),
    ):
        file.write_text(good + text)
        for words in (("queue", "list"), ("sync",), ("init",)):
            error = say(lab.main, *words, code=2 if words != ("sync",) else 1).err
            assert str(file) in error and said in error, error
        assert said in say(lab.main, "status", code=1).out
    file.write_text(good)
    say(lab.main, "sync")


def test_a_project_cannot_be_made_of_words_alone(lab: Lab) -> None:
    with pytest.raises(UsageError, match="no git repository"):
        init.decide(lab.root, Asked(), ())
    with pytest.raises(WtwatchError, match="is gone"):
        init.decide(lab.root / "nowhere", Asked(), ())
    state = lab.main / ".git" / "wtwatch" / "L5b"
    state.mkdir(parents=True)
    write_whole(state / "config.toml", "")
    with pytest.raises(UsageError, match="lacks the key"):
        init.decide(lab.main, Asked(), ())
