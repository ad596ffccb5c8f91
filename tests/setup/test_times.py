"""Files of a new run tree have the times that they have in the main tree, as make goes by them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.setup.test_worktrees import Nest, repository
from wtwatch.doors.repo import Repo
from wtwatch.setup import worktrees
from wtwatch.setup.layout import Layout, Wanted

EARLY, LATE = 1_000_000_000.25, 1_100_000_000.75
RULE = "made: source\n\tcp source made\n"
PLACES = ("", "code", "data/in", "data/in/deep")


@pytest.fixture
def nest(tmp_path: Path) -> Nest:
    """A superdataset in each dataset of which a file was made of another one."""
    made = Nest(tmp_path / "nest")
    below = {"data/in/deep": (), "data/in": ("deep",), "code": (), "": ("code", "data/in")}
    for place, subs in below.items():
        folder = made.main / place
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("source", "made"):
            (folder / name).write_text("1\n")
        repository(folder, "Makefile", *subs)
        (folder / "Makefile").write_text(RULE)
        Repo(folder).git("commit", "-q", "-a", "-m", "a rule")
    return made


def stamp(folder: Path, source: float, made: float) -> None:
    os.utime(folder / "source", (source, source))
    os.utime(folder / "made", (made, made))


def up_to_date(folder: Path) -> bool:
    return subprocess.run(["make", "-q"], cwd=folder, check=False).returncode == 0


@pytest.mark.parametrize("fresh", [True, False])
def test_make_says_in_the_run_tree_what_it_says_in_main(nest: Nest, fresh: bool) -> None:
    for place in PLACES:
        stamp(nest.main / place, *((EARLY, LATE) if fresh else (LATE, EARLY)))
    nest.make()
    assert [up_to_date(nest.main / place) for place in PLACES] == [fresh] * 4
    assert [up_to_date(nest.run / place) for place in PLACES] == [fresh] * 4


def test_what_differs_or_is_edited_keeps_its_time_and_no_status_has_to_read_files(tmp_path: Path) -> None:
    main, run = tmp_path / "main", tmp_path / "run"
    main.mkdir()
    for name in ("same", "edited", "differs", "mode"):
        (main / name).write_text(f"{name}\n")
    (main / "link").symlink_to("nowhere")
    repository(main, "other")
    first = Repo(main).resolve("HEAD")
    assert first
    (main / "differs").write_text("more\n")
    (main / "mode").chmod(0o755)
    Repo(main).git("commit", "-q", "-a", "-m", "more")
    (main / "edited").write_text("mine\n")
    for name in ("same", "edited", "differs", "mode", "link"):
        os.utime(main / name, (EARLY, EARLY), follow_symlinks=False)
    wanted = Wanted(main, run, first, "runs", True)
    with worktrees.made(Layout((wanted,), (), ()), "a test"):
        pass
    times = {name: (run / name).lstat().st_mtime for name in ("same", "link", "edited", "differs", "mode")}
    assert {name for name, time in times.items() if time == EARLY} == {"same", "link"}
    assert Repo(run).git("diff-files", "--name-only") == "", "git takes none for changed by its time"


def test_the_index_of_the_main_tree_is_left_alone(tmp_path: Path) -> None:
    """Whoever writes it holds its lock, and may be killed."""
    main, run = tmp_path / "main", tmp_path / "run"
    main.mkdir()
    for name in ("one", "two"):
        (main / name).write_text(f"{name}\n")
    repository(main, "other")
    first = Repo(main).resolve("HEAD")
    assert first
    for name in ("one", "two"):  # git would note that they are as they were
        os.utime(main / name, (EARLY, EARLY))
    index = (main / ".git" / "index").read_bytes()
    with worktrees.made(Layout((Wanted(main, run, first, "runs", True),), (), ()), "a test"):
        pass
    assert (main / ".git" / "index").read_bytes() == index
    assert {(run / name).lstat().st_mtime for name in ("one", "two")} == {EARLY}


def test_content_of_unlocked_files_is_left_to_git_annex(tmp_path: Path) -> None:
    main, run = tmp_path / "main", tmp_path / "run"
    main.mkdir()
    repository(main, "plain")
    git = Repo(main).git
    git("annex", "init", "-q")
    for name in ("locked", "unlocked"):
        (main / name).write_text(f"content of {name}\n" * 50)
    git("annex", "add", "-q", "--force-large", "locked", "unlocked")
    git("annex", "unlock", "-q", "unlocked")
    git("commit", "-q", "-a", "-m", "data")
    for name in ("plain", "locked", "unlocked"):
        os.utime(main / name, (EARLY, EARLY), follow_symlinks=False)
    first = Repo(main).resolve("HEAD")
    assert first
    with worktrees.made(Layout((Wanted(main, run, first, "runs", True),), (), ()), "a test"):
        pass
    assert (run / "unlocked").read_text() == (main / "unlocked").read_text()
    assert {name for name in ("plain", "locked", "unlocked") if (run / name).lstat().st_mtime == EARLY} == {
        "plain", "locked"
    }  # fmt: skip
    assert Repo(run).git("status", "--porcelain") == ""


def test_unlocked_files_are_written_while_nobody_else_is_let_in_and_others_are_not(tmp_path: Path) -> None:
    """What git-annex is to fill in, it notes where all worktrees have it: it forgets what is another's."""
    main, alone = tmp_path / "main", []
    main.mkdir()
    repository(main, "plain")
    git = Repo(main).git
    git("annex", "init", "-q")
    (main / "data").write_text("content\n" * 50)
    git("annex", "add", "-q", "--force-large", "data")
    git("commit", "-q", "-a", "-m", "data")

    @contextmanager
    def let_in_nobody(run: Path) -> Iterator[None]:
        yield
        alone.append(run.name)
        assert (run / "data").read_text() == "content\n" * 50

    for name in ("locked", "unlocked"):
        run, head = tmp_path / name, Repo(main).resolve("HEAD")
        assert head
        layout = Layout((Wanted(main, run, head, None, False),), (), ())
        with worktrees.made(layout, "a test", alone=partial(let_in_nobody, run)):
            pass
        assert (run / ".git").is_symlink() and (run / "data").exists()
        git("annex", "unlock", "-q", "data")
        git("commit", "-q", "-a", "--allow-empty", "-m", "unlocked")
    assert alone == ["unlocked"]
