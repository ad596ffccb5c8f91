"""The door to git, tried on real repositories with the names and states that scripts trip over."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.lab import Lab
from wtwatch.doors.history import history
from wtwatch.doors.logged import logged
from wtwatch.doors.porcelain import GitObject
from wtwatch.doors.repo import GITLINK, ZERO, Repo
from wtwatch.words.errors import CommandFailed, WtwatchError
from wtwatch.words.model import Sha

ODD_NAMES = ("a b", "-dash", "new\nline", 'quo"te', "tab\tbed", "ünïcode", "back\\slash", "*", "latin-\udce9")
HOOK = '#!/bin/sh\necho fired >> "$(git rev-parse --git-common-dir)/fired"\n'


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    """A plain repository with one commit that has two files."""
    folder = tmp_path / "a répo"
    folder.mkdir()
    made = Repo(folder)
    made.git("init", "-q")
    write(made, "kept", "kept\n")
    write(made, "folder/other", "1\n2\n3\n4\n5\n")
    commit(made, "first")
    return made


def write(repo: Repo, name: str, text: str = "") -> None:
    file = repo.path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def commit(repo: Repo, message: str) -> Sha:
    repo.git("add", "--all")
    repo.git("commit", "-q", "-m", message)
    return head(repo)


def head(repo: Repo) -> Sha:
    found = repo.resolve("HEAD")
    assert found
    return found


def install_hook(repo: Repo) -> Path:
    hook = repo.path / ".git" / "hooks" / "post-commit"
    hook.write_text(HOOK)
    hook.chmod(0o755)
    return repo.path / ".git" / "fired"


# --- the environment


def test_git_works_here_even_when_a_hook_of_another_repository_calls(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "elsewhere" / "index"))
    assert repo.changes().clean


# --- running git


def test_hooks_stay_silent_unless_they_are_asked_for(repo: Repo) -> None:
    fired = install_hook(repo)
    repo.git("commit", "-q", "--allow-empty", "-m", "ours")
    assert not fired.exists()
    repo.git("commit", "-q", "--allow-empty", "-m", "theirs", hooks=True)
    assert fired.exists()


def test_a_failure_keeps_gits_words_and_shows_a_command_to_paste(repo: Repo) -> None:
    with pytest.raises(CommandFailed) as error:
        repo.git("rev-parse", "--verify", "no such thing")
    assert error.value.message.startswith(
        f"`git rev-parse --verify 'no such thing'` failed in {repo.path} (exit 128)"
    )
    assert "Needed a single revision" in error.value.message


def test_a_folder_that_is_gone_and_a_git_that_is_missing_are_told_apart(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(WtwatchError, match=r"folder .*nowhere is gone"):
        Repo(tmp_path / "nowhere").git("status")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(WtwatchError, match="git is not on PATH"):
        repo.git("status")


def test_two_answers_may_be_waited_for_at_once(repo: Repo) -> None:
    first, second = repo.ask("rev-parse", "HEAD"), repo.ask("hash-object", "--stdin", feed=True)
    assert second.answer(stdin="kept\n") == repo.tree("HEAD")["kept"].sha
    assert first.answer() == head(repo)


def test_a_name_with_a_carriage_return_is_read_as_it_is(repo: Repo) -> None:
    """As macOS makes them: `Icon\\r` holds a folder's icon."""
    name = "Icon\r"
    (repo.path / name).write_text("x")
    repo.git("add", "--", name)
    assert name in repo.git("ls-files", "-z").split("\0")
    assert repo.changes().edited == (name,)


def test_commits_are_told_apart_whatever_their_files_are_called(repo: Repo) -> None:
    (first,) = logged(repo, ("%H",), "HEAD")
    names = ["\x01", "\x01%H", "\n:100644 b", ":c", "d"]
    for name in names:
        write(repo, name, name)
    second = commit(repo, "names")
    repo.git("commit", "--quiet", "--allow-empty", "-m", "\x01none\n\n:of them")
    third, *others = logged(repo, ("%H", "%B"), "HEAD")
    assert (third.facts, third.paths) == ([head(repo), "\x01none\n\n:of them\n"], [])
    assert [one.facts[0] for one in others] == [second, first.facts[0]]
    assert others[0].paths == names
    assert all(line.startswith(":000000 100644 ") for line in others[0].lines)
    assert list(logged(repo, ("%H",), "nowhere", ok=(0, 128))) == []
    with pytest.raises(CommandFailed, match="nowhere"):
        list(logged(repo, ("%H",), "nowhere"))


def hanging(repo: Repo) -> tuple[str, ...]:
    """Return the words of a git that waits for ever: nobody writes into what it reads."""
    os.mkfifo(repo.path / "silent")
    return ("config", "--file", "silent", "--list")


def test_a_git_that_gives_no_answer_is_ended_and_named(repo: Repo) -> None:
    asking = repo.ask(*hanging(repo), limit=0.1)
    with pytest.raises(CommandFailed, match="no answer within 0 seconds") as said:
        asking.answer()
    assert "`git config --file silent --list`" in said.value.message and str(repo.path) in said.value.message


def test_a_git_that_nobody_asks_ends_with_its_block(repo: Repo) -> None:
    with pytest.raises(ValueError, match="in between"), repo.ask(*hanging(repo)) as asking:
        raise ValueError("in between")
    assert asking.code() != 0


# --- revisions and refs


def test_a_revision_is_resolved_to_its_commit_or_to_nothing(repo: Repo) -> None:
    repo.git("tag", "-a", "-m", "a tag", "v1")
    assert repo.resolve("v1") == repo.resolve("refs/heads/main") == head(repo)
    for nothing in ("nowhere", "HEAD:kept", "--all", "-x", "", "a..b"):
        assert repo.resolve(nothing) is None


def test_a_repository_without_commits_has_no_head(tmp_path: Path) -> None:
    repo = Repo(tmp_path)
    repo.git("init", "-q")
    assert repo.resolve("HEAD") is None
    assert repo.changes().head is None
    assert repo.branch() == repo.changes().branch == "main"


def test_refs_are_found_by_pattern_with_their_full_names(repo: Repo) -> None:
    repo.git("branch", "team/a")
    repo.update_ref("refs/wtwatch/L5b/applied", head(repo))
    assert repo.refs("refs/heads") == {"refs/heads/main": head(repo), "refs/heads/team/a": head(repo)}
    assert repo.refs("refs/wtwatch/L5b", "refs/heads/team") == {
        "refs/wtwatch/L5b/applied": head(repo),
        "refs/heads/team/a": head(repo),
    }
    assert repo.refs("refs/nothing") == {}


def test_a_ref_moves_only_from_where_it_was_expected(repo: Repo) -> None:
    old, ref = head(repo), "refs/wtwatch/L5b/applied"
    new = commit_empty(repo)
    repo.update_ref(ref, old, ZERO, "new")
    for wrong in (ZERO, new):
        with pytest.raises(CommandFailed):
            repo.update_ref(ref, new, wrong)
        assert repo.resolve(ref) == old
    repo.update_ref(ref, new, old, "moved")
    assert repo.resolve(ref) == new
    assert "wtwatch: moved" in repo.git("reflog", "show", ref)


def commit_empty(repo: Repo) -> Sha:
    repo.git("commit", "-q", "--allow-empty", "-m", "second: über alles")
    return head(repo)


def test_subjects_of_many_commits_are_asked_of_one_git(repo: Repo) -> None:
    first = repo.resolve("HEAD")
    assert first is not None
    write(repo, "kept", "more\n")
    second = commit(repo, "größer: \x1b[1m two\n\nand a body")
    missing = Sha("1" * 40)
    assert repo.subjects([second, missing, first]) == {second: "größer: \x1b[1m two", first: "first"}
    assert repo.subjects([missing]) == repo.subjects([]) == {}


def test_ancestors_and_subjects(repo: Repo) -> None:
    old = head(repo)
    new = commit_empty(repo)
    assert repo.is_ancestor(old, new)
    assert repo.is_ancestor(new, new)
    assert not repo.is_ancestor(new, old)
    assert repo.subject(new) == "second: über alles"
    assert repo.subject("0" * 39 + "1") == ""


def test_history_reads_commits_newest_first(repo: Repo) -> None:
    old = head(repo)
    new = commit_empty(repo)
    with history(repo.path) as reader:
        assert [found.hexsha for found in reader.commits("HEAD")] == [new, old]
        assert [found.hexsha for found in reader.commits(f"{old}..HEAD")] == [new]


# --- where things are


@pytest.mark.parametrize("absorbed", [False, True])
def test_git_directories_are_found_in_every_kind_of_tree(lab: Lab, absorbed: bool) -> None:
    if absorbed:
        lab.git("submodule", "absorbgitdirs", "--", "code", "inputs/L5b_2p")
    lab.handmade_run_tree()
    for part in (".", "code", "inputs/L5b_2p"):
        for tree in (lab.main / part, lab.run / part):
            repo = Repo(tree)
            assert repo.git_dir() == Path(lab.git("rev-parse", "--absolute-git-dir", cwd=tree)).resolve()
            assert repo.common_dir() == Repo(lab.main / part).git_dir()
    assert (lab.run / ".git").is_symlink(), "git-annex does so, and code must live with it"
    assert (lab.run_code / ".git").is_file()


def test_all_work_trees_are_listed_whatever_their_names(repo: Repo, tmp_path: Path) -> None:
    start = head(repo)
    places = [tmp_path / name for name in ("new\nline", "ünï code")]
    for place in places:
        repo.git("worktree", "add", "-q", "--detach", str(place))
    commit_empty(repo)
    assert repo.worktrees() == {repo.path: head(repo), places[0]: start, places[1]: start}
    assert Repo(places[0]).worktrees() == repo.worktrees()


def test_a_detached_tree_is_on_no_branch(repo: Repo) -> None:
    assert repo.branch() == "main"
    old, new = head(repo), commit_empty(repo)
    repo.detach(old)
    assert repo.branch() is None
    assert repo.changes().branch is None
    assert head(repo) == old
    assert repo.resolve("main") == new


# --- trees


def test_a_tree_lists_entries_of_all_kinds_and_names(repo: Repo) -> None:
    for name in ODD_NAMES:
        write(repo, name, "x")
    (repo.path / "link").symlink_to("kept")
    commit(repo, "odd")
    found = repo.tree("HEAD")
    assert set(found) == {"kept", "folder", "link", *ODD_NAMES}
    assert (found["kept"].mode, found["kept"].kind) == ("100644", "blob")
    assert (found["folder"].kind, found["link"].mode) == ("tree", "120000")
    assert set(repo.tree("HEAD", "folder/other", "nothing")) == {"folder/other"}


def test_a_gitlink_changes_alone_however_deep_it_lies(lab: Lab) -> None:
    main = Repo(lab.main)
    target = Sha("1" * 40)
    for path in ("code", "inputs/L5b_2p"):
        tree = main.with_gitlink("HEAD", path, target)
        assert lab.git("diff-tree", "-r", "--name-only", "HEAD", tree) == path
        assert main.tree(tree, path)[path].sha == target
        assert main.tree(tree, path)[path].mode == GITLINK


# --- changes


def test_a_clean_tree_has_no_changes(repo: Repo) -> None:
    found = repo.changes()
    assert found.clean
    assert (found.head, found.branch) == (head(repo), "main")


def test_untracked_and_ignored_files_are_told_by_their_true_names(repo: Repo) -> None:
    write(repo, ".gitignore", "*.log\n")
    commit(repo, "ignore")
    for name in ODD_NAMES:
        write(repo, name)
    write(repo, "a b.log")
    found = repo.changes("--untracked-files=all", "--ignored")
    assert set(found.untracked) == set(ODD_NAMES)
    assert found.ignored == ("a b.log",)
    assert not found.clean


def test_staged_unstaged_and_deleted_files_are_edited(repo: Repo) -> None:
    for name in ODD_NAMES:
        write(repo, name, "old")
    commit(repo, "odd")
    for name in ODD_NAMES:
        write(repo, name, "new")
    repo.git("add", "--", "-dash", "new\nline")
    (repo.path / "kept").unlink()
    found = repo.changes()
    assert set(found.edited) == {"kept", *ODD_NAMES}
    assert found.untracked == ()


def test_a_rename_counts_for_both_names(repo: Repo) -> None:
    repo.git("mv", "folder/other", "folder/new\nname")
    repo.git("mv", "kept", "a b")
    write(repo, "untracked")
    found = repo.changes()
    assert set(found.edited) == {"folder/other", "folder/new\nname", "kept", "a b"}
    assert found.untracked == ("untracked",)


def test_a_file_in_conflict_is_unmerged(repo: Repo) -> None:
    repo.git("switch", "-q", "-c", "side")
    write(repo, "kept", "theirs\n")
    write(repo, "a b", "theirs\n")
    commit(repo, "theirs")
    repo.git("switch", "-q", "main")
    write(repo, "kept", "ours\n")
    write(repo, "a b", "ours\n")
    commit(repo, "ours")
    repo.git("merge", "-q", "side", ok=(1,))
    found = repo.changes()
    assert set(found.unmerged) == {"kept", "a b"}
    assert not found.clean
    assert repo.operation() == "merge"


def test_a_subdataset_that_moved_or_was_edited_is_a_change(lab: Lab) -> None:
    main = Repo(lab.main)
    assert main.changes("--untracked-files=all").clean
    lab.edit_version("v2")
    assert main.changes().edited == ("code",)
    lab.change_code("v3", "third")
    assert main.changes().edited == ("code",)


def test_looking_never_writes_the_index(lab: Lab) -> None:
    index = lab.main / ".git" / "index"
    os.utime(lab.main / ".gitmodules", (1, 1))  # git would refresh what it knows of this file
    before = (index.read_bytes(), index.stat().st_mtime_ns)
    Repo(lab.main).changes("--untracked-files=all")
    assert (index.read_bytes(), index.stat().st_mtime_ns) == before


# --- operations


def test_an_operation_that_waits_for_the_user_is_named(repo: Repo, tmp_path: Path) -> None:
    old = head(repo)
    write(repo, "kept", "one\n")
    side = commit(repo, "one")
    write(repo, "kept", "two\n")
    commit(repo, "two")
    tree = Repo(tmp_path / "linked")
    repo.git("worktree", "add", "-q", "--detach", str(tree.path), old)
    write(tree, "kept", "mine\n")
    mine = commit(tree, "mine")
    assert tree.operation() is None
    for word, end, command in (
        ("merge", "--abort", ("merge", side)),
        ("rebase", "--abort", ("rebase", side)),
        ("rebase", "--abort", ("rebase", "--apply", side)),
        ("cherry-pick", "--abort", ("cherry-pick", side)),
        ("revert", "--abort", ("revert", "--no-edit", side)),
    ):
        tree.git(*command, ok=(1, 128))
        assert tree.operation() == word
        tree.git(word, end)
        assert tree.operation() is None
        assert head(tree) == mine
    tree.git("bisect", "start")
    assert tree.operation() == "bisect"
    assert repo.operation() is None


# --- objects


@pytest.mark.parametrize(
    "message",
    ["second: über alles", "two\nlines\n\nand a body", "\n \n  indented  \n\nbody", "", "only\ttabs \r\n"],
)
def test_the_subject_of_an_object_is_the_one_that_git_log_shows(repo: Repo, message: str) -> None:
    repo.git("commit", "-q", "--allow-empty", "--allow-empty-message", "--cleanup=verbatim", "-m", message)
    assert objects(repo, "HEAD")[0].subject() == repo.subject("HEAD")


def test_the_message_of_a_commit_is_read_in_the_encoding_that_it_names(repo: Repo) -> None:
    latin = ("-c", "i18n.commitEncoding=latin1")
    message = repo.path / "message"
    message.write_bytes("über alles".encode("latin-1"))
    repo.git(*latin, "commit", "-q", "--allow-empty", "-F", str(message))
    assert objects(repo, "HEAD")[0].subject() == repo.subject("HEAD") == "über alles"


def test_an_object_says_what_it_holds(repo: Repo) -> None:
    for name in ODD_NAMES:
        write(repo, name)
    write(repo, "folder/other")
    commit(repo, "odd")
    made, tree = objects(repo, "HEAD", "HEAD^{tree}")
    assert {entry.path: entry for entry in tree.entries()} == repo.tree("HEAD")
    assert made.sha == head(repo)
    assert [made.parents()] == [(repo.resolve("HEAD^"),)]


def objects(repo: Repo, *names: str) -> list[GitObject]:
    with repo.ask_objects(*names) as asking:
        return [found for found in asking.objects() if found]


def test_what_git_does_not_have_is_told_as_such(repo: Repo) -> None:
    with repo.ask_objects("1" * 40, "HEAD", "HEAD:no such folder") as asking:
        first, second, third = asking.objects()
    assert second and not first and not third
    with pytest.raises(WtwatchError, match="no such folder"):
        repo.entries("HEAD:", "HEAD:no such folder")
    with pytest.raises(WtwatchError):
        repo.with_gitlink("HEAD", "no such folder/code", Sha("1" * 40))


def test_where_other_work_trees_are_detached_is_known(repo: Repo, tmp_path: Path) -> None:
    assert repo.detached_heads() == set()
    repo.git("worktree", "add", "-q", "-b", "other", str(tmp_path / "on a branch"))
    repo.git("worktree", "add", "-q", "--detach", str(tmp_path / "detached"))
    assert repo.detached_heads() == {head(repo)}


# --- many blobs


@pytest.mark.parametrize(
    "texts",
    [
        ["plain", "also plain", ""],
        ["with an end of its line\n", "two\nlines", ""],
        ["1\n3\n1", "x", "2\n3"],  # which look as what git says between them
        ["\n", "\n\n", "0\n"],
        ["ünïcode \udce9", "a\0b", "5\n"],
    ],
)
def test_the_contents_of_many_blobs_are_theirs_whatever_is_in_them(repo: Repo, texts: list[str]) -> None:
    raw = [text.encode("utf-8", "surrogateescape") for text in texts]
    for at, one in enumerate(raw):
        (repo.path / f"blob {at}").write_bytes(one)
    names = repo.git("hash-object", "-w", *(f"blob {at}" for at in range(len(raw)))).split("\n")
    blobs = [Sha(name) for name in names]
    assert repo.contents(blobs) == dict(zip(blobs, raw, strict=True))
    assert repo.contents([]) == {}
