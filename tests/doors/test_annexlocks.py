"""Locks as git-annex takes them: what holds, what does not, and what that leaves to the process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.lab import eventually
from tests.tally import Kills
from wtwatch.doors import annexlocks
from wtwatch.doors.annexlocks import Locks

OTHER = """
import fcntl, os, sys
with open(sys.argv[1], "a+") as file:
    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    print("locked", flush=True)
    if sys.stdin.readline() == "remove\\n":
        for path in sys.argv[1:]:
            os.unlink(path)
        os.rmdir(os.path.dirname(path))
"""
"""One that locks the first of some files as git-annex does for a removal, and is told what to do then."""


def made_by_hand(folder: Path, number: int = 1, version: int = 10) -> tuple[str, list[str]]:
    """An annex of so many contents as git-annex has them."""
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    subprocess.run(["git", "config", "annex.version", str(version)], cwd=folder, check=True)
    objects, places = folder / ".git" / "annex" / "objects", []
    for one in range(number):
        place = objects / f"{one % 7}" / "Xy" / f"KEY{one}"
        place.mkdir(parents=True)
        (place / place.name).write_text("content")
        place.chmod(0o555)
        places.append(str((place / place.name).relative_to(objects)))
    return str(objects.resolve()), places


@contextmanager
def another(*files: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that is about to remove content."""
    Path(files[0]).parent.chmod(0o755)
    words = [sys.executable, "-c", OTHER, *files]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "locked\n"
        yield process
        process.kill()


def is_refused(file: str) -> bool:
    """Whether git-annex would not get the lock that it takes for a removal."""
    words = [sys.executable, "-c", OTHER, file]
    return subprocess.run(words, input="", text=True, capture_output=True, check=False).returncode != 0


def held(locks: Locks) -> int:
    return len(locks.handles)


def mode(path: Path) -> str:
    return oct(path.stat().st_mode)[-3:]


def test_content_is_held_until_it_is_let_go_and_others_hold_it_too(tmp_path: Path) -> None:
    objects, places = made_by_hand(tmp_path / "x")
    lock = f"{objects}/{places[0]}.lck"
    one, two = annexlocks.hold({objects: places}), annexlocks.hold({objects: places})
    assert held(one) == held(two) == 1 and is_refused(lock)
    Path(lock).read_text()  # whoever closes it in this process takes nothing away
    one.release()
    assert is_refused(lock), "the other holds it still"
    two.release()
    assert not is_refused(lock)
    assert mode(Path(lock).parent) == "555", "the folder is as git-annex had it"


def test_before_version_10_it_is_the_content_itself_that_is_locked(tmp_path: Path) -> None:
    objects, places = made_by_hand(tmp_path / "x", version=8)
    content = f"{objects}/{places[0]}"
    locks = annexlocks.hold({objects: places})
    assert held(locks) == 1 and is_refused(content)
    assert list(Path(content).parent.iterdir()) == [Path(content)]
    locks.release()
    assert not is_refused(content)


def test_content_that_is_not_there_is_not_held_and_no_folder_is_made_for_it(tmp_path: Path) -> None:
    objects, _ = made_by_hand(tmp_path / "x")
    locks = annexlocks.hold({objects: ["a/b/K/K"]})
    assert held(locks) == 0 and locks.gone == [f"{objects}/a/b/K/K"] and not (Path(objects) / "a").exists()


def test_one_who_wanted_to_remove_content_and_lets_go_is_waited_for(tmp_path: Path) -> None:
    objects, places = made_by_hand(tmp_path / "x")
    content = f"{objects}/{places[0]}"
    with another(f"{content}.lck") as process:
        too_soon = annexlocks.hold({objects: places}, patience=0)
        assert too_soon.locked == [(content, process.pid)] and not too_soon.handles
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
        assert held(annexlocks.hold({objects: places})) == 1


def test_what_is_removed_that_very_moment_is_known_for_that(tmp_path: Path) -> None:
    objects, places = made_by_hand(tmp_path / "x")
    content = f"{objects}/{places[0]}"
    with another(f"{content}.lck", content) as process:
        assert process.stdin is not None
        process.stdin.write("remove\n")
        process.stdin.close()
        locks = annexlocks.hold({objects: places})
    assert not locks.handles and [*locks.removed, *locks.gone] == [content]


def test_an_annex_with_one_lock_for_all_is_let_be(tmp_path: Path) -> None:
    objects, places = made_by_hand(tmp_path / "x")
    subprocess.run(["git", "config", "annex.pidlock", "true"], cwd=tmp_path / "x", check=True)
    locks = annexlocks.hold({objects: places})
    assert not locks.handles and [why for _, why in locks.barred] == ["git-annex has annex.pidlock set there"]


def test_a_lock_file_in_a_shared_annex_may_be_used_by_the_group(tmp_path: Path) -> None:
    objects, places = made_by_hand(tmp_path / "x")
    subprocess.run(["git", "config", "core.sharedRepository", "group"], cwd=tmp_path / "x", check=True)
    annexlocks.hold({objects: places}).release()
    assert mode(Path(f"{objects}/{places[0]}.lck")) in ("660", "664")


MANY = """
import os, resource, subprocess, sys
from wtwatch.doors import annexlocks
soft, hard, objects, *places = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_NOFILE, (int(soft), int(hard)))
locks = annexlocks.hold({objects: places})
assert resource.getrlimit(resource.RLIMIT_NOFILE) == (int(soft), int(hard))
assert os.open("/dev/null", os.O_RDONLY) < 64
seen = "ulimit -Sn; ulimit -Hn; ls /proc/self/fd | wc -l"
print(len(locks.handles), len(locks.barred), *subprocess.check_output(["sh", "-c", seen], text=True).split())
"""


@pytest.mark.parametrize(
    ("number", "soft", "hard", "all_of_them"),
    [
        (150, 128, 2048, True),
        (150, 2048, 2048, True),
        (150, 140, 140, False),
        (30, 64, 64, False),
        pytest.param(5000, 1024, 8192, True, marks=pytest.mark.slow),
    ],
)
def test_more_than_a_process_may_open_are_held_and_its_programs_have_the_limits_as_they_were(
    tmp_path: Path, number: int, soft: int, hard: int, all_of_them: bool
) -> None:
    objects, places = made_by_hand(tmp_path / "x", number)
    words = [sys.executable, "-c", MANY, str(soft), str(hard), objects, *places]
    said = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()
    held, barred, own, most, handles = map(int, said)
    assert (own, most) == (soft, hard) and handles <= 8
    assert held + barred == number and (not barred if all_of_them else held > number // 2)


def annexed(folder: Path, version: int = 10) -> tuple[str, str]:
    """A real annex with one file `a`; its folder of content, and the place in it."""
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    (folder / "a").write_text("content\n")
    for words in (
        ("git", "config", "annex.autoupgraderepository", "false"),
        ("git", "annex", "init", "--quiet", f"--version={version}"),
        ("git", "annex", "add", "--quiet", "a"),
        ("git", "commit", "-qm", "a"),
    ):
        subprocess.run(words, cwd=folder, check=True)
    subprocess.run(["git", "config", "annex.version", str(version)], cwd=folder, check=True)
    objects, _, place = os.path.realpath(folder / "a").partition("/annex/objects/")
    return f"{objects}/annex/objects", place


def drop(folder: Path) -> str:
    """What git-annex says of a drop that no number of copies holds up."""
    words = ["git", "annex", "drop", "--force", "a"]
    done = subprocess.run(words, cwd=folder, check=False, capture_output=True, text=True)
    return f"{done.returncode} {done.stdout} {done.stderr}"


@pytest.mark.slow
@pytest.mark.parametrize("version", [8, 9, 10])
def test_git_annex_refuses_to_drop_what_is_held_in_every_version_of_an_annex(
    tmp_path: Path, version: int
) -> None:
    objects, place = annexed(tmp_path / "x", version)
    subprocess.run(["git", "worktree", "add", "-q", "--detach", "../tree"], cwd=tmp_path / "x", check=True)
    subprocess.run(["git", "annex", "info", "--fast"], cwd=tmp_path / "tree", check=True, capture_output=True)
    locks = annexlocks.hold({objects: [place]})
    assert held(locks) == 1
    for folder in ("x", "tree"):
        said = drop(tmp_path / folder)
        assert said.startswith("1 ") and "content is locked" in said
    for words in (("annex", "fsck", "--quiet"), ("annex", "unused")):
        subprocess.run(["git", *words], cwd=tmp_path / "x", check=True, capture_output=True)
    locks.release()
    said = drop(tmp_path / "tree")
    assert said.startswith("0 ") and not Path(f"{objects}/{place}").parent.exists(), said


@pytest.mark.slow
def test_a_holder_that_is_killed_holds_nothing_more_and_what_it_leaves_git_annex_removes(
    tmp_path: Path, kills: Kills
) -> None:
    objects, place = annexed(tmp_path / "x")
    code = (
        "import sys; from wtwatch.doors import annexlocks\n"
        "locks = annexlocks.hold({sys.argv[1]: sys.argv[2:]}); print('held', flush=True); sys.stdin.read()"
    )
    words = [sys.executable, "-c", code, objects, place]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        assert "content is locked" in drop(tmp_path / "x")
        process.kill()
    with kills.survived("a holder of content"):
        assert drop(tmp_path / "x").startswith("0 ")
        assert not Path(f"{objects}/{place}").parent.exists()


@pytest.mark.slow
def test_one_who_may_not_write_into_folders_of_content_holds_it_as_git_annex_does(tmp_path: Path) -> None:
    objects, place = annexed(tmp_path / "x")
    code = (
        "import sys; from wtwatch.doors import annexlocks\n"
        "print(len(annexlocks.hold({sys.argv[1]: sys.argv[2:]}).handles))"
    )
    words = [sys.executable, "-c", code, objects, place]
    if os.geteuid() == 0:  # who may write anywhere
        words = ["setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner", *words]
    assert subprocess.run(words, check=True, capture_output=True, text=True).stdout == "1\n"
    assert mode(Path(f"{objects}/{place}").parent) == "555"


@pytest.mark.slow
def test_a_real_drop_that_is_at_work_is_waited_for(tmp_path: Path) -> None:
    """It waits for the answer of another repository, with its lock in hand."""
    objects, place = annexed(tmp_path / "x")
    reached, gate = tmp_path / "reached", tmp_path / "gate"
    for words in (
        ("initremote", "--quiet", "slow", "type=hook", "hooktype=slow", "encryption=none"),
        ("copy", "--quiet", "--to", "slow", "a"),
    ):
        for hook, command in (
            ("store", "true"),
            ("checkpresent", f'touch {reached}; until [ -e {gate} ]; do sleep 0.02; done; echo "$ANNEX_KEY"'),
        ):
            subprocess.run(
                ["git", "config", f"annex.slow-{hook}-hook", command], cwd=tmp_path / "x", check=True
            )
        gate.touch()
        subprocess.run(["git", "annex", *words], cwd=tmp_path / "x", check=True)
    gate.unlink()
    reached.unlink(missing_ok=True)
    with subprocess.Popen(["git", "annex", "drop", "a"], cwd=tmp_path / "x") as dropping:
        eventually(reached.exists)
        content = f"{objects}/{place}"
        early = annexlocks.hold({objects: [place]}, patience=0)
        assert not early.handles and [one for one, _ in early.locked] == [content]
        gate.touch()
        locks = annexlocks.hold({objects: [place]}, patience=60)
        assert [*locks.removed, *locks.gone] == [content] and not locks.handles
    assert dropping.returncode == 0
