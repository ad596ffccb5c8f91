"""A look where something may differ finds what a look at all finds, whatever was done in between."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from wtwatch.doors.clock import Instant, instant
from wtwatch.doors.porcelain import Change
from wtwatch.doors.repo import Repo
from wtwatch.tree import folders
from wtwatch.tree.changes import AskedChanges, changes_in
from wtwatch.tree.folders import SETTLED, Marks, Scope, marked, outermost

SEED = int(os.environ.get("WTWATCH_SEED") or int.from_bytes(os.urandom(4)))

BUILD = """
git init -q
mkdir -p a/b/c a/d 'odd *[x] é' flat/far/away cache/__pycache__ a/empty
for place in a a/b a/b/c a/d 'odd *[x] é' flat flat/far flat/far/away cache; do
    ln -s .git/annex/objects/key "$place/link"
    ln -s .git/annex/objects/other "$place/another"
done
echo text > a/b/text; echo text > 'odd *[x] é/:(top)te*xt'; echo text > top
echo text > ':!a'; echo one > flat/one
printf '%s\\n' ignored/ '*.pyc' '!kept.pyc' > .gitignore
mkdir -p a/ignored/deep; echo x > a/ignored/deep/file; echo x > cache/__pycache__/m.pyc; echo x > flat/m.pyc
git init -q a/sub; git -C a/sub commit -q --allow-empty -m sub
git init -q flat/gone; git -C flat/gone commit -q --allow-empty -m gone
git -c advice.addEmbeddedRepo=false add . 2>/dev/null
git commit -q -m all
rm -r flat/gone; mkdir flat/gone
"""

INSIDE = (
    "true",
    "echo more >> a/b/text",
    "rm a/b/text",
    "chmod +x 'odd *[x] é/:(top)te*xt'",
    "echo > 'odd *[x] é/:(top)te*xt'",
    "ln -sfn elsewhere a/b/c/link",
    "rm a/b/c/link; echo content > a/b/c/link",
    "rm flat/far/link; mkdir flat/far/link; echo > flat/far/link/file",
    "rm 'odd *[x] é/link'",
    "mv a/b/c flat/far/c",
    "mv flat/far/away a/away; ln -s ../../a/away flat/far/away",
    "rm -r flat/far",
    "mkdir -p a/d/new/deep; echo > a/d/new/deep/file",
    "echo > a/empty/file",
    "echo > a/ignored/deep/other",
    "echo > cache/__pycache__/n.pyc; echo > cache/__pycache__/kept.pyc",
    "echo > cache/__pycache__/plain",
    "mkdir a/empty/deep; echo > a/empty/deep/file",
    "echo > flat/gone/file",
    "echo '!m.pyc' >> .gitignore",
    "git update-index --add --cacheinfo 160000,$(git -C a/sub rev-parse HEAD),a/d/other",
    "echo > a/new; touch -d 2001-01-01 a",
    "echo > a/new; touch -r flat a; chmod 700 a; chmod 755 a",
    "touch -r a .git/saved; echo > a/new; touch -r .git/saved a",
    "git init -q a/d/nested; echo > a/d/nested/file",
    "git -C a/sub commit -q --allow-empty -m more",
    "echo > a/sub/file",
    "rm -rf a/sub",
    "git rm -q --cached a/b/c/link",
    "git rm -q flat/far/away/link",
    "echo more >> a/b/text; git add a/b/text",
    "git add a/ignored/deep/file -f",
    "git mv a/d/link a/d/moved",
    "ln -sfn elsewhere a/b/c/link; git commit -q -m more a/b/c/link",
    "ln -sfn elsewhere a/b/c/link; git commit -q -m more a/b/c/link; rm flat/link",
    "git commit -q --allow-empty -m more; rm flat/link",
    "git update-index --cacheinfo 100644,$(git rev-parse HEAD:top),a/b/c/link; git commit -q -m more",
    "mkdir a/é; echo > 'a/é/[x]'",
    "mkfifo a/d/pipe",
    "cp --remove-destination a/b/text a/link",
    "rm -r cache/__pycache__; ln -s ../a cache/__pycache__",
)
"""What does not touch the top folder."""

AT_THE_TOP = (
    "echo > new",
    "echo more >> .gitignore; rm a/link; echo > new",
    "mv top other",
    "rm -r a",
    "mkdir new",
)


def run(*words: str, cwd: Path) -> None:
    somebody = {f"GIT_{who}_{what}": "x@y" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    subprocess.run(words, cwd=cwd, env=os.environ | somebody, check=True)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("built") / "top"
    top.mkdir()
    run("bash", "-ec", BUILD, cwd=top)
    return top


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have it be so late that all folders are settled."""
    clock = SimpleNamespace(time=time.time, time_ns=lambda: time.time_ns() + int(2 * SETTLED * 1e9))
    monkeypatch.setattr(folders, "time", clock)
    yield


class Looked:
    """A clean work tree whose folders were marked."""

    def __init__(self, built: Path, folder: Path) -> None:
        self.top, self.notes = folder / "top", folder / "notes.json"
        shutil.copytree(built, self.top, symlinks=True)
        assert changes_in(self.top, {}) == ()
        self.marks = self.mark()

    def mark(self, began: Instant | None = None) -> Marks | None:
        head = Repo(self.top).resolve("HEAD")
        assert head is not None
        return marked(self.top, head, began or instant(), self.notes)

    def scope(self) -> Scope | None:
        assert self.marks is not None
        return self.marks.scope()

    def do(self, command: str) -> None:
        run("bash", "-c", command, cwd=self.top)

    def found(self, scope: Scope) -> tuple[Change, ...]:
        asked = AskedChanges(self.top, {}, scope=scope)
        try:
            return asked.answer().entries
        finally:
            asked.close()


@pytest.fixture
def looked(built: Path, later: None, tmp_path: Path) -> Looked:
    return Looked(built, tmp_path)


@pytest.mark.parametrize("command", INSIDE)
def test_whatever_is_done_in_folders_is_found(looked: Looked, command: str) -> None:
    looked.do(command)
    scope = looked.scope()
    assert scope is not None
    assert looked.found(scope) == changes_in(looked.top, {})


@pytest.mark.parametrize("command", AT_THE_TOP)
def test_what_is_done_in_the_top_folder_has_all_be_looked_at(looked: Looked, command: str) -> None:
    looked.do(command)
    assert looked.scope() is None


def test_where_nothing_was_done_only_files_that_can_be_written_to_are_looked_at(looked: Looked) -> None:
    scope = looked.scope()
    assert scope is not None
    files = {
        ".gitignore",
        "top",
        ":!a",
        "a/b/text",
        "odd *[x] é/:(top)te*xt",
        "flat/one",
        "a/sub",
        "flat/gone",
    }
    assert set(scope.tracked) == files
    assert set(scope.others) == {"a/empty/", "a/ignored/", "cache/__pycache__/"}
    looked.do("ln -sfn elsewhere a/b/c/link")
    scope = looked.scope()
    assert scope is not None and set(scope.tracked) == {*files, "a/b/c/"}


@pytest.mark.parametrize("_round", range(12))
def test_whatever_is_done_one_upon_another_is_found(looked: Looked, _round: int) -> None:
    dice = random.Random(f"{SEED} {_round}")
    commands = dice.sample(INSIDE, dice.randint(2, 6))
    print(f"WTWATCH_SEED={SEED}: {commands}")
    for command in commands:
        looked.do(f"({command}) 2>/dev/null; true")
    scope = looked.scope()
    assert scope is not None
    assert looked.found(scope) == changes_in(looked.top, {})


def test_folders_that_were_touched_just_now_are_looked_at(built: Path, tmp_path: Path) -> None:
    """The look, which found them clean, may have been at them before."""
    assert Looked(built, tmp_path).marks is None, "also the top folder"


def test_of_a_look_that_took_long_nothing_is_concluded(looked: Looked) -> None:
    now = instant()
    assert looked.mark(now._replace(seconds=now.seconds - SETTLED)) is None
    assert looked.mark(now._replace(boot="another")) is None


def test_files_in_the_place_of_links_are_looked_at_all(looked: Looked) -> None:
    looked.do("git config core.symlinks false; git rm -rq .; git checkout -q HEAD .")
    assert looked.mark() is None


def test_a_file_system_of_which_nothing_is_known_has_all_be_looked_at(
    looked: Looked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "_COUNTING", ("another",))
    assert looked.mark() is None


def test_where_git_would_be_asked_of_many_places_it_looks_at_all(
    looked: Looked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "MANY", 9)
    assert looked.scope() is None and looked.mark() is None


def test_where_there_are_too_many_folders_they_are_not_counted_each_time(
    looked: Looked, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked.notes.unlink()
    monkeypatch.setattr(folders, "_FOLDERS", 9)
    assert looked.mark() is None and looked.notes.exists()
    monkeypatch.setattr(folders, "_FOLDERS", 5000)
    assert looked.mark() is None, "not today"
    os.utime(looked.notes, (0, 0))
    assert looked.mark() is not None


def test_a_folder_of_very_many_files_is_looked_at_by_git(
    looked: Looked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "_LARGE", 150)
    looked.notes.unlink()
    assert looked.mark() is None, "the top folder is one"
    monkeypatch.setattr(folders, "_LARGE", 250)
    looked.do(
        "for i in 1 2 3 4 5 6 7 8 9; do ln -s $i flat/far/link$i; done; git add flat; git commit -qm many"
    )
    looked.marks = looked.mark()
    scope = looked.scope()
    assert scope is not None and "flat/far/" in scope.tracked and "flat/far/" in scope.others
    looked.do("echo > flat/far/away/new; rm flat/far/link1")
    assert looked.found(scope) == changes_in(looked.top, {})


def test_a_folder_of_many_files_that_are_no_links_is_looked_at_by_git(
    looked: Looked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "_TEXTS", 3)
    looked.do("for i in 1 2 3 4; do echo > flat/far/text$i; done; git add flat; git commit -q -m many")
    looked.marks = looked.mark()
    scope = looked.scope()
    assert scope is not None and "flat/far/" in scope.tracked and "flat/far/text1" not in scope.tracked
    looked.do("echo more > flat/far/text2; echo > flat/far/away/new")
    assert looked.found(scope) == changes_in(looked.top, {})


DAMAGED = ("", "{", "[]", '{"version": 1}', '{"version": 1, "trees": {"x": 1}}', '{"version": 9}')


@pytest.mark.parametrize("damage", DAMAGED)
def test_notes_that_cannot_be_read_are_made_anew(looked: Looked, damage: str) -> None:
    before = looked.notes.read_text()
    looked.notes.write_text(damage)
    looked.marks = looked.mark()
    assert looked.scope() is not None
    assert looked.notes.read_text() == before


def test_what_is_known_of_trees_is_noted_anew_when_much_is_new(
    looked: Looked, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = looked.notes.read_text()
    looked.do("ln -s new a/b/c/new; git add a; git commit -q -m new; git gc -q")
    looked.marks = looked.mark()
    assert looked.scope() is not None and looked.notes.read_text() == before
    monkeypatch.setattr(folders, "_NEW", 3)
    looked.marks = looked.mark()
    assert looked.scope() is not None and looked.notes.read_text() != before


@pytest.mark.needs_root("mount")
def test_what_is_mounted_over_a_folder_is_looked_at(looked: Looked) -> None:
    run("mount", "-t", "tmpfs", "wtwatch-test", "flat/far", cwd=looked.top)
    try:
        scope = looked.scope()
        assert scope is not None
        assert looked.found(scope) == changes_in(looked.top, {}) != ()
        assert looked.mark() is None
    finally:
        run("umount", "flat/far", cwd=looked.top)


def test_of_folders_in_one_another_the_outermost_count() -> None:
    assert outermost(["a/b", "a", "ab", "c/d", "c/d/e"]) == ("a/", "ab/", "c/d/")
