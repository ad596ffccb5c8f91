from __future__ import annotations

import os
import shlex
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wtwatch.doors.files import bell_in
from wtwatch.doors.shipped import shipped
from wtwatch.setup.githooks import (
    GIT_HOOKS,
    JJ_HOOK,
    Fitting,
    HookState,
    install,
    objection,
    state,
    uninstall,
    with_block,
    without_block,
)
from wtwatch.words.errors import UsageError

WHOLE = shipped("hooks", "post-commit").encode()
SILENT_SH = "#!/bin/sh\nset -e\necho stranger >>ran\n"


@dataclass(frozen=True)
class Code:
    """A plain repository with a linked worktree beside it, named ``linked``."""

    path: Path

    @property
    def linked(self) -> Path:
        return self.path.with_name(self.path.name + " linked")

    @property
    def common(self) -> Path:
        return self.path / ".git"

    @property
    def bell(self) -> Path:
        return bell_in(self.common)

    def git(self, *args: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["git", *args], cwd=cwd or self.path, check=True, capture_output=True, text=True, timeout=60
        )

    def commit(self, name: str, cwd: Path | None = None) -> None:
        tree = cwd or self.path
        (tree / name).write_text(name)
        self.git("add", name, cwd=tree)
        self.git("commit", "-q", "-m", name, cwd=tree)

    def hook(self, name: str, text: str | bytes, mode: int = 0o755) -> Path:
        file = self.common / "hooks" / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        file.chmod(mode)
        return file

    def rings(self, *args: str, cwd: Path | None = None) -> bool:
        """Run git, which must succeed, and return whether it rang."""
        self.bell.unlink(missing_ok=True)
        self.git(*args, cwd=cwd)
        return self.bell.exists()


def make(path: Path) -> Code:
    path.mkdir(parents=True)
    code = Code(path)
    code.git("init", "-q", "-b", "main")
    code.commit("first")
    code.git("worktree", "add", "-q", "--detach", str(code.linked))
    return code


@pytest.fixture
def code(tmp_path: Path) -> Code:
    return make(tmp_path / "code")


def states(found: list[HookState]) -> dict[str, Fitting]:
    return {hook.name: hook.state for hook in found}


def all_are(fitting: Fitting, found: list[HookState]) -> bool:
    return states(found) == dict.fromkeys(GIT_HOOKS, fitting)


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(file.relative_to(folder)): (file.lstat().st_mode, file.read_bytes() if file.is_file() else b"")
        for file in folder.rglob("*")
    }


def files_in(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Return which files are in a folder, and when each was written, not when it was read last."""
    found = {file.name: file.stat() for file in folder.iterdir()}
    return {name: (one.st_ino, one.st_mtime_ns, one.st_ctime_ns) for name, one in found.items()}


@pytest.mark.parametrize("tree", ["main", "linked"])
def test_commit_amend_rebase_merge_and_checkout_ring(code: Code, tree: str) -> None:
    cwd = code.path if tree == "main" else code.linked
    install(code.path)
    code.git("switch", "-q", "-c", "topic", cwd=cwd)
    (cwd / "new").write_text("new")
    code.git("add", "new", cwd=cwd)
    assert code.rings("commit", "-q", "-m", "new", cwd=cwd)
    assert code.rings("commit", "-q", "--amend", "-m", "newer", cwd=cwd)
    code.git("branch", "side", "HEAD~1", cwd=cwd)
    assert code.rings("switch", "-q", "side", cwd=cwd)
    code.commit("aside", cwd=cwd)
    assert code.rings("rebase", "-q", "topic", cwd=cwd)
    code.git("switch", "-q", "topic", cwd=cwd)
    assert code.rings("merge", "-q", "--ff-only", "side", cwd=cwd)


def test_the_exit_code_and_the_output_of_git_are_the_same_as_without_hooks(tmp_path: Path) -> None:
    def story(code: Code) -> list[tuple[str, str]]:
        env = {"GIT_AUTHOR_DATE": "2024-01-01T00:00:00Z", "GIT_COMMITTER_DATE": "2024-01-01T00:00:00Z"}
        said = []
        for words in (
            "commit --allow-empty -m one",
            "commit --amend --allow-empty -m two",
            "checkout -b topic HEAD~1",
            "commit --allow-empty -m three",
            "rebase main",
            "checkout main",
            "merge --no-edit topic",
        ):
            done = subprocess.run(
                ["git", *words.split()],
                cwd=code.path,
                env=os.environ | env,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            said.append((done.stdout, done.stderr))
        return said

    def fresh(name: str) -> Code:
        (tmp_path / name).mkdir()
        code = Code(tmp_path / name)
        code.git("init", "-q", "-b", "main")
        env = os.environ | {"GIT_AUTHOR_DATE": "@0 +0000", "GIT_COMMITTER_DATE": "@0 +0000"}
        subprocess.run(
            ["git", "commit", "-q", "--allow-empty", "-m", "root"], cwd=code.path, env=env, check=True
        )
        return code

    bare, hooked = fresh("bare"), fresh("hooked")
    install(hooked.path)
    assert story(bare) == story(hooked)


def test_a_commit_that_is_piped_is_not_held(code: Code) -> None:
    install(code.path)
    subprocess.run("git commit --allow-empty -m x | cat", shell=True, cwd=code.path, timeout=20, check=True)


@pytest.mark.parametrize(
    "spoil",
    [
        "rm -r wtwatch",
        "rm -r wtwatch && touch wtwatch",
        "mkdir wtwatch/bell",
        "touch wtwatch/bell && chmod 444 wtwatch/bell && chmod 555 wtwatch",
    ],
    ids=["the folder is gone", "a file in its place", "a folder is the bell", "read-only"],
)
def test_a_hook_that_cannot_ring_is_silent_and_succeeds(code: Code, spoil: str) -> None:
    install(code.path)
    subprocess.run(spoil, shell=True, cwd=code.common, check=True)
    for name in GIT_HOOKS:
        done = subprocess.run([code.common / "hooks" / name], capture_output=True, timeout=20, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert code.git("commit", "-q", "--allow-empty", "-m", "x").stderr == ""


def test_the_hooks_still_ring_after_the_project_has_moved(code: Code, tmp_path: Path) -> None:
    install(code.path)
    moved = Code(tmp_path / "elsewhere" / "code")
    moved.path.parent.mkdir()
    code.path.rename(moved.path)
    assert moved.rings("commit", "-q", "--allow-empty", "-m", "x")
    assert all_are(Fitting.INSTALLED, state(moved.path))


@pytest.mark.parametrize(
    "name", ["with a space", 'it\'s "quoted" $HOME `id`', "Müller-日本語", "-rf", "*;&|"]
)
def test_any_name_of_the_project_folder_will_do(tmp_path: Path, name: str) -> None:
    code = make(tmp_path / name / "code")
    assert all_are(Fitting.INSTALLED, install(code.path))
    assert code.rings("commit", "-q", "--allow-empty", "-m", "x")
    assert code.rings("commit", "-q", "--allow-empty", "-m", "x", cwd=code.linked)
    code.git("config", "core.hooksPath", str(code.common / "own hooks"))
    assert all_are(Fitting.INSTALLED, install(code.path))
    assert code.rings("commit", "-q", "--allow-empty", "-m", "x")
    assert code.rings("commit", "-q", "--allow-empty", "-m", "x", cwd=code.linked)


def test_what_was_installed_is_reported_and_installing_again_touches_nothing(code: Code) -> None:
    assert all_are(Fitting.ABSENT, state(code.path))
    assert all_are(Fitting.INSTALLED, install(code.path))
    assert all_are(Fitting.INSTALLED, state(code.path))
    hooks = files_in(code.common / "hooks")
    assert all_are(Fitting.INSTALLED, install(code.path))
    assert files_in(code.common / "hooks") == hooks


def test_uninstalling_leaves_the_hooks_folder_as_it_was(code: Code) -> None:
    code.hook("post-commit", SILENT_SH, mode=0o750)
    code.hook("post-merge", "#!/usr/bin/env bash\nexit 0")
    code.hook("post-rewrite", "#!/bin/sh", mode=0o700)
    code.hook("pre-commit", "#!/bin/sh\n")
    before = snapshot(code.common / "hooks")
    install(code.path)
    assert snapshot(code.common / "hooks").keys() - before.keys() == {"post-checkout"}
    assert all_are(Fitting.ABSENT, uninstall(code.path))
    assert snapshot(code.common / "hooks") == before
    assert all_are(Fitting.ABSENT, uninstall(code.path))


def test_lines_that_the_user_added_to_our_hook_outlive_uninstalling(code: Code) -> None:
    install(code.path)
    hook = code.common / "hooks" / "post-commit"
    hook.write_text(hook.read_text() + "echo mine\n")
    uninstall(code.path)
    assert "echo mine\n" in hook.read_text()
    assert "wtwatch/bell" not in hook.read_text()


@pytest.mark.parametrize(
    "text",
    [
        SILENT_SH,
        "#!/bin/sh -e\necho stranger >>ran\n",
        "#!/usr/bin/env bash\nset -euo pipefail\necho stranger >>ran\nexit 0\necho never >>ran\n",
        "#! /bin/dash\necho stranger >>ran; exit 0",
        "#!/bin/bash\nset -C; echo stranger >>ran\n",
    ],
)
def test_a_stranger_in_shell_keeps_running_and_ours_rings_before_it(code: Code, text: str) -> None:
    hook = code.hook("post-commit", text)
    assert all_are(Fitting.INSTALLED, install(code.path))
    assert code.rings("commit", "-q", "--allow-empty", "-m", "x")
    assert (code.path / "ran").read_text() == "stranger\n"
    shutil.rmtree(code.bell.parent)  # and goes on to run where ours fails
    code.git("commit", "-q", "--allow-empty", "-m", "x")
    assert (code.path / "ran").read_text() == "stranger\nstranger\n"
    uninstall(code.path)
    assert hook.read_text() == text


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("#!/usr/bin/env python3\nopen('ran', 'a').write('stranger')\n", 0o755),
        ("#!/bin/sh\n'''exec' python3 \"$0\" \"$@\"\n' '''\nopen('ran', 'a').write('stranger')\n", 0o755),
        ("echo stranger >>ran\n", 0o755),
        (b"\x7fELF\0\xff", 0o755),
        (b"#!/bin/sh\r\necho\r\n", 0o755),
        (SILENT_SH, 0o644),
        ("", 0o755),
        ("#!/bin/sh\n# >>> wtwatch >>>\necho cut off\n", 0o755),
    ],
    ids=["python", "polyglot", "no #!", "binary", "CRLF", "switched off", "empty", "damaged block"],
)
def test_any_other_stranger_is_left_alone_with_advice(code: Code, text: str | bytes, mode: int) -> None:
    code.hook("post-commit", text, mode)
    before = snapshot(code.common / "hooks")["post-commit"]
    for act in (install, state):
        hook, *others = act(code.path)
        assert (hook.name, hook.state) == ("post-commit", Fitting.FOREIGN)
        assert hook.advice and str(code.bell) in hook.advice
        assert all(other.state is Fitting.INSTALLED for other in others)
        assert snapshot(code.common / "hooks")["post-commit"] == before
    uninstall(code.path)
    assert snapshot(code.common / "hooks")["post-commit"] == before


def test_the_advice_for_a_stranger_in_python_makes_it_ring(code: Code) -> None:
    code.hook("post-commit", "#!/usr/bin/env python3\n")
    hook = install(code.path)[0]
    assert hook.advice
    command = shlex.split(hook.advice.rpartition("let it run: ")[2])
    code.hook("post-commit", f"#!/usr/bin/env python3\nimport subprocess\nsubprocess.run({command!r})\n")
    assert code.rings("commit", "-q", "--allow-empty", "-m", "x")


@pytest.mark.parametrize("exists", [True, False])
def test_a_hook_that_is_a_link_is_left_alone(code: Code, tmp_path: Path, exists: bool) -> None:
    elsewhere = tmp_path / "shared-hook"
    if exists:
        elsewhere.write_text(SILENT_SH)
        elsewhere.chmod(0o755)
    (code.common / "hooks").mkdir(exist_ok=True)
    (code.common / "hooks" / "post-commit").symlink_to(elsewhere)
    assert states(install(code.path))["post-commit"] is Fitting.FOREIGN
    uninstall(code.path)
    assert (code.common / "hooks" / "post-commit").readlink() == elsewhere
    assert elsewhere.exists() == exists and (not exists or elsewhere.read_text() == SILENT_SH)


def test_the_hooks_of_git_annex_keep_running(code: Code) -> None:
    code.git("annex", "init", "-q", "here")
    theirs = snapshot(code.common / "hooks")
    assert {"post-checkout", "post-merge"} & theirs.keys()
    assert all_are(Fitting.INSTALLED, install(code.path))
    assert code.rings("commit", "-q", "--allow-empty", "-m", "x")
    uninstall(code.path)
    assert snapshot(code.common / "hooks") == theirs


@pytest.mark.parametrize("how", ["global", "relative", "work tree", "elsewhere", "linked folder"])
def test_a_folder_that_is_not_the_repositorys_own_is_never_written_to(
    code: Code, tmp_path: Path, how: str
) -> None:
    folders = {"relative": code.path / ".husky", "work tree": code.path / "tools"}
    folder = folders.get(how, tmp_path / "shared hooks")
    folder.mkdir()
    (folder / "post-commit").write_text(SILENT_SH)
    if how == "linked folder":
        shutil.rmtree(code.common / "hooks", ignore_errors=True)
        (code.common / "hooks").symlink_to(folder)
    else:
        value = ".husky" if how == "relative" else str(folder)
        code.git("config", "--global" if how == "global" else "--local", "core.hooksPath", value)
    before = snapshot(folder)
    for act in (install, state, uninstall):
        found = act(code.path)
        assert all_are(Fitting.REFUSED, found)
        assert all(hook.advice and str(code.common / "hooks") in hook.advice for hook in found)
        assert snapshot(folder) == before


def test_the_advice_for_a_global_folder_gives_this_repository_its_own_hooks(
    code: Code, tmp_path: Path
) -> None:
    code.git("config", "--global", "core.hooksPath", str(tmp_path / "shared"))
    advice = install(code.path)[0].advice
    assert advice
    subprocess.run(shlex.split(advice.rpartition("those: ")[2]), check=True)
    assert all_are(Fitting.INSTALLED, install(code.path))
    assert code.rings("commit", "-q", "--allow-empty", "-m", "x")
    assert not (tmp_path / "shared").exists()


def test_hooks_are_taken_out_even_if_the_hooks_folder_was_changed_since(code: Code, tmp_path: Path) -> None:
    before = snapshot(code.common / "hooks")
    install(code.path)
    code.git("config", "--global", "core.hooksPath", str(tmp_path / "shared"))
    uninstall(code.path)
    assert snapshot(code.common / "hooks") == before


def test_a_local_hooks_folder_inside_the_git_directory_is_used(code: Code) -> None:
    code.git("config", "core.hooksPath", str(code.common / "mine"))
    assert all_are(Fitting.INSTALLED, install(code.path))
    assert code.rings("commit", "-q", "--allow-empty", "-m", "x")
    uninstall(code.path)
    assert snapshot(code.common / "mine") == {}


def test_a_hook_that_lost_its_run_bit_or_its_text_is_outdated_and_mended(code: Code) -> None:
    install(code.path)
    (code.common / "hooks" / "post-commit").chmod(0o644)
    older = WHOLE.replace(b"wtwatch/bell", b"wtwatch/spool/bell").decode()
    code.hook("post-merge", older)
    found = states(state(code.path))
    assert (found["post-commit"], found["post-merge"]) == (Fitting.OUTDATED, Fitting.OUTDATED)
    assert all_are(Fitting.INSTALLED, install(code.path))
    uninstall(code.path)
    assert not {"post-commit", "post-merge"} & snapshot(code.common / "hooks").keys()


def test_new_hooks_can_be_run_by_whom_the_umask_lets(code: Code) -> None:
    before = os.umask(0o027)
    try:
        install(code.path)
    finally:
        os.umask(before)
    assert stat.S_IMODE((code.common / "hooks" / "post-commit").stat().st_mode) == 0o750


def test_where_the_hooks_folder_cannot_be_made_it_is_said(code: Code) -> None:
    shutil.rmtree(code.common / "hooks", ignore_errors=True)
    (code.common / "hooks").write_text("in the way")
    found = install(code.path)
    assert all_are(Fitting.REFUSED, found)
    assert all(hook.advice and str(hook.path) in hook.advice for hook in found)
    assert (code.common / "hooks").read_text() == "in the way"


def test_a_folder_where_a_hook_should_be_is_reported(code: Code) -> None:
    (code.common / "hooks" / "post-commit").mkdir(parents=True)
    assert states(state(code.path))["post-commit"] is Fitting.REFUSED
    assert states(install(code.path))["post-merge"] is Fitting.INSTALLED


def let_jj_drive(code: Code) -> None:
    subprocess.run(["jj", "--quiet", "git", "init", "--colocate"], cwd=code.path, check=True)


def jj_says(code: Code, *words: str) -> str:
    done = subprocess.run(["jj", *words], cwd=code.path, check=True, capture_output=True, text=True)
    return done.stdout + done.stderr


def advice(found: list[HookState]) -> str:
    return next(hook for hook in found if hook.name == JJ_HOOK).advice or ""


def test_jj_gets_a_script_that_rings_and_an_alias_if_that_is_wished(code: Code) -> None:
    let_jj_drive(code)
    before = jj_says(code, "config", "list")
    assert states(state(code.path))[JJ_HOOK] is Fitting.ABSENT
    assert "hooks install --jj-alias ring" in advice(install(code.path))
    assert jj_says(code, "config", "list") == before
    for _ in range(2):
        found = install(code.path, "ring")
        assert states(found)[JJ_HOOK] is Fitting.INSTALLED
        assert "`jj ring` rings" in advice(found) and "noticed without it" in advice(found)
    assert jj_says(code, "ring") == ""
    assert code.bell.exists()
    assert "`jj ring` rings" in advice(state(code.path))
    uninstall(code.path)
    assert jj_says(code, "config", "list") == before


@pytest.mark.parametrize("name", ["log", "st", "mine", "--flag", "a b", ""])
def test_no_command_or_alias_of_jj_is_taken(code: Code, name: str) -> None:
    let_jj_drive(code)
    jj_says(code, "config", "set", "--repo", "aliases.mine", '["log"]')
    before = jj_says(code, "config", "list")
    with pytest.raises(UsageError) as refused:
        install(code.path, name)
    assert refused.value.hint
    assert jj_says(code, "config", "list") == before


def test_an_alias_that_somebody_changed_is_no_longer_ours(code: Code) -> None:
    let_jj_drive(code)
    install(code.path, "ring")
    jj_says(code, "config", "set", "--repo", "aliases.ring", '["log"]')
    uninstall(code.path)
    assert 'aliases.ring = ["log"]' in jj_says(code, "config", "list", "--repo")


def test_an_alias_of_a_repository_that_was_moved_is_written_anew(code: Code, tmp_path: Path) -> None:
    let_jj_drive(code)
    old = '["util", "exec", "--", "/gone/.git/wtwatch/jj-op"]'
    jj_says(code, "config", "set", "--repo", "aliases.ring", old)
    install(code.path)
    assert jj_says(code, "ring") == "" and code.bell.exists()


def test_without_jj_there_is_nothing_to_alias(code: Code) -> None:
    with pytest.raises(UsageError, match="not driven by jj"):
        install(code.path, "ring")


@pytest.mark.parametrize("ending", [".legacy", ".old"])
def test_a_block_that_another_program_put_aside_is_named_and_taken_out_too(code: Code, ending: str) -> None:
    install(code.path)
    hook = code.common / "hooks" / "post-commit"
    aside = hook.with_name(hook.name + ending)
    aside.write_bytes(b"#!/bin/sh\nmine\n")
    assert not any(one.advice for one in install(code.path))
    uninstall(code.path)
    assert aside.read_bytes() == b"#!/bin/sh\nmine\n"
    install(code.path)
    hook.rename(aside)
    theirs = b"#!/usr/bin/env bash\nexec something\n"
    hook.write_bytes(theirs)
    hook.chmod(0o755)
    told = next(one for one in install(code.path) if one.name == "post-commit")
    assert told.state is Fitting.INSTALLED and told.advice and str(aside) in told.advice
    uninstall(code.path)
    assert hook.read_bytes() == theirs
    assert not aside.exists()


def test_what_was_added_to_our_hook_stays_without_our_comment(code: Code) -> None:
    install(code.path)
    hook = code.common / "hooks" / "post-commit"
    hook.write_bytes(hook.read_bytes() + b"echo mine\n")
    uninstall(code.path)
    assert hook.read_bytes() == b"#!/bin/sh\necho mine\n"


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_a_block_is_taken_out_to_the_byte(rest: bytes) -> None:
    for text in (b"#!/bin/sh\n" + rest, b"#!/bin/sh", b"#!/bin/sh\n# >>> other >>>\n" + rest):
        if objection(text, executable=True) is None:
            assert without_block(with_block(text, WHOLE)) == text
            assert with_block(with_block(text, WHOLE), WHOLE) == with_block(text, WHOLE)


HUSKY = '#!/bin/sh\nhook="${0%/*}/../${0##*/}"\n[ -f "$hook" ] || exit 0\nexec sh -e "$hook" "$@"\n'
"""What a program such as husky puts into the folder that it has git look for hooks in."""


def husky(code: Code) -> Path:
    """Set up hooks as husky does, in a folder that the repository tracks; return that."""
    made = code.path / ".husky" / "_"
    made.mkdir(parents=True)
    for name in GIT_HOOKS:
        (made / name).write_text(HUSKY)
        (made / name).chmod(0o755)
    code.git("config", "core.hooksPath", ".husky/_")
    return made.parent


def test_where_a_tool_has_its_own_hooks_the_one_line_that_rings_is_told_and_does(code: Code) -> None:
    bell_in(code.common).parent.mkdir(exist_ok=True)
    folder = husky(code)
    (advice,) = {hook.advice for hook in install(code.path)}
    assert advice and f"in {folder} " in advice
    assert not code.rings("commit", "-q", "--allow-empty", "-m", "silent")
    (line,) = (line.strip() for line in advice.splitlines() if line.startswith("  "))
    for name in GIT_HOOKS:
        (folder / name).write_text(f"echo of the team >/dev/null\n{line}\n")
    assert all_are(Fitting.BY_HAND, install(code.path))
    assert not [hook.advice for hook in state(code.path) if hook.advice]
    assert code.rings("commit", "-q", "--allow-empty", "-m", "x")
    assert code.rings("commit", "-q", "--amend", "--allow-empty", "-m", "y")
    assert code.rings("checkout", "-q", "-b", "other")
    shutil.rmtree(bell_in(code.common).parent)  # as for somebody else who works with the same hooks
    assert code.git("commit", "-q", "--allow-empty", "-m", "z").stderr == ""


def test_a_comment_that_names_the_bell_does_not_ring(code: Code) -> None:
    folder = husky(code)
    for name in GIT_HOOKS:
        (folder / name).write_text("# touch .git/wtwatch/bell\n")
    assert all_are(Fitting.REFUSED, state(code.path))


def test_the_advice_of_another_program_is_taken_by_its_word(code: Code) -> None:
    hook = code.hook("post-commit", "#!/usr/bin/env python3\n")
    advice = {one.name: one.advice for one in install(code.path)}["post-commit"]
    assert advice
    ringing = f"#!/usr/bin/env python3\nimport os\nos.system({advice.rpartition('let it run: ')[2]!r})\n"
    hook.write_text(ringing)
    assert states(state(code.path))["post-commit"] is Fitting.BY_HAND
    assert code.rings("commit", "-q", "--allow-empty", "-m", "x")
