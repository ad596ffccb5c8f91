"""Files that git ignores and code needs come along from the main tree, and none of them is lost."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.bring.test_code_as_paths import run
from tests.conftest import Say
from tests.house import House, write
from tests.pathhouse import PathHouse
from wtwatch.job.attempt import Folder
from wtwatch.project.config import Project, write_project
from wtwatch.project.listing import register
from wtwatch.reconcile import Done, TickOptions, tick
from wtwatch.tree import carried
from wtwatch.views import status
from wtwatch.words.model import JobSpec

IGNORED = ".env\nlocal/\n*.toml\ndata\n.venv/\n"


class Place:
    """A project whose code ignores a few files, whatever kind it is of."""

    def __init__(self, project: Project, main: Path, run: Path, house: House | PathHouse) -> None:
        self.project, self.main, self.run, self.house = project, main, run, house

    def tick(self, from_main: bool = False) -> Done:
        return tick(self.project, TickOptions(from_main=from_main))

    def release(self, text: str) -> Done:
        if isinstance(self.house, PathHouse):
            self.house.save("more", None, code__a=text)
            self.house.release()
        else:
            write(self.main, "a.py", text)
            self.house.git("commit", "-q", "-a", "-m", "more")
            self.house.git("update-ref", self.project.bookmark_ref, "HEAD")
        return self.tick()


@pytest.fixture(params=["paths", "subdataset"])
def place(tmp_path: Path, request: pytest.FixtureRequest) -> Place:
    house: House | PathHouse
    if request.param == "paths":
        house = PathHouse(tmp_path)
        write(house.main, "code/.gitignore", IGNORED)
    else:
        house = House.built(tmp_path)
        write_project(house.project)
        write(house.project.main_code, ".gitignore", IGNORED)
    project = house.project._replace(carry=(".env", "local", "*.toml", "data"))
    main = project.main_tree / "code"
    for name in (".env", "local/deep/x", "a.toml", ".venv/x"):
        write(main, name, f"main's {name}\n")
    (main / "data").symlink_to("/nowhere/at/all")
    made = Place(project, main, project.run_tree / "code", house)
    if isinstance(house, PathHouse):
        house.git("add", "-f", "code/.gitignore")
        house.git("commit", "-q", "-m", "ignored")
    else:
        house.git("add", "-f", ".gitignore")
        house.git("commit", "-q", "-m", "ignored")
    assert made.release("v2\n").moved is not None
    return made


def read(tree: Path, name: str) -> str | None:
    return (tree / name).read_text() if (tree / name).exists() else None


def test_files_come_with_a_move_as_they_are_and_a_quiet_tick_does_nothing(place: Place) -> None:
    assert [read(place.run, name) for name in (".env", "local/deep/x", "a.toml", ".venv/x")] == [
        "main's .env\n", "main's local/deep/x\n", "main's a.toml\n", None,
    ]  # fmt: skip
    assert os.readlink(place.run / "data") == "/nowhere/at/all"  # noqa: PTH115
    assert place.tick() == Done() and not place.house.tree.shelf.joinpath("carrying").exists()
    write(place.main, ".env", "new\n")
    assert place.tick() == Done() and read(place.run, ".env") == "main's .env\n", "code did not move"
    assert place.release("v3\n").waits is None and read(place.run, ".env") == "new\n"


def test_they_come_when_main_is_asked_for_or_as_soon_as_they_are_named(place: Place) -> None:
    write(place.main, ".env", "new\n")
    place.tick(from_main=True)
    assert read(place.run, ".env") == "new\n"
    write(place.main, "local2.toml", "2\n")
    place.project = place.project._replace(carry=(*place.project.carry, "local2.toml"))
    assert place.tick() == Done() and read(place.run, "local2.toml") == "2\n"


def test_what_was_edited_in_the_run_tree_stays_and_is_said(place: Place) -> None:
    write(place.run, ".env", "mine\n")
    write(place.main, "a.toml", "new\n")
    assert place.release("v3\n").waits is None
    assert (read(place.run, ".env"), read(place.run, "a.toml")) == ("mine\n", "new\n")
    (said,) = status.describe(place.project).carried
    assert ".env was edited" in said


def test_what_changed_in_both_waits_for_the_user_and_both_ways_out_work(place: Place) -> None:
    for way in (0, 1):
        write(place.run, ".env", f"mine {way}\n")
        write(place.main, ".env", f"new {way}\n")
        done = place.release(f"v{way + 3}\n")
        assert done.waits is not None and ".env" in done.waits and done.hint is not None
        assert place.tick().waits == done.waits
        assert (read(place.run, ".env"), read(place.main, ".env")) == (f"mine {way}\n", f"new {way}\n")
        line = done.hint.split("; or ")[way].partition(": ")[2]
        subprocess.run(["sh", "-c", line], check=True, capture_output=True, timeout=60)
        assert place.tick().waits is None
        assert read(place.run, ".env") == (f"new {way}\n" if way == 0 else f"mine {way}\n")


def test_what_main_has_no_more_stays_and_is_said(place: Place) -> None:
    (place.main / ".env").unlink()
    assert place.release("v3\n").waits is None and read(place.run, ".env") == "main's .env\n"
    assert any(".env" in said for said in status.describe(place.project).carried)


def test_what_git_does_not_ignore_is_not_carried_and_that_is_said(place: Place) -> None:
    write(place.main, "seen", "1\n")
    place.project = place.project._replace(carry=("seen",))
    done = place.tick()
    assert done.waits is not None and "seen" in done.waits and not (place.run / "seen").exists()


def test_what_git_tracks_is_not_carried_whatever_it_ignores(place: Place, say: Say) -> None:
    name = "a" if isinstance(place.house, PathHouse) else "a.py"
    write(place.main, ".gitignore", f"{IGNORED}a*\n")
    before = read(place.run, name)
    write_project(place.project)
    register(place.project.name, place.project.state)
    say(place.main, "config", "carry", name)
    said = say(place.main, "sync", code=1)
    assert said.err.count("Error:") <= 1 and "git does not ignore it" in said.out + said.err
    assert "wtwatch config carry" in said.out + said.err and read(place.run, name) == before
    say(place.main, "config", "carry", "default")
    say(place.main, "sync")


def test_more_than_a_gigabyte_is_not_carried_and_the_way_out_works(place: Place) -> None:
    with (place.main / "local" / "big").open("wb") as sparse:
        sparse.truncate(10_000_000_000)
    done = place.release("v3\n")
    assert "10 GB, most of all local/big; 1.0 GB may be" in str(done.waits) and done.hint
    assert "wtwatch config carry FILE" in done.hint and not (place.run / "local" / "big").exists()
    place.project = place.project._replace(carry=(".env", "local/deep"))
    assert place.tick().waits is None and not (place.run / "local" / "big").exists()


def test_what_is_no_file_is_passed_over(place: Place) -> None:
    os.mkfifo(place.main / "local" / "pipe")
    write(place.run, "local/other", "mine\n")
    assert place.release("v3\n").waits is None and not (place.run / "local" / "pipe").exists()
    (place.run / ".env").unlink()
    os.mkfifo(place.run / ".env")
    write(place.main, ".env", "new\n")
    done = place.release("v4\n")
    assert "changed in the main tree and in" in str(done.waits), "nobody waits for who writes into a pipe"


def test_files_behind_a_symlink_are_not_carried_but_the_link_is(place: Place, tmp_path: Path) -> None:
    write(tmp_path, "outside/x", "theirs\n")
    (place.main / "local" / "out").symlink_to(tmp_path / "outside")
    place.project = place.project._replace(carry=("local/out/x",))
    done = place.tick()
    assert "it lies behind the symlink local/out" in str(done.waits) and done.hint
    assert "local/out" in done.hint and "wtwatch config carry" in done.hint
    place.project = place.project._replace(carry=("local/out",))
    assert place.tick().waits is None
    assert os.readlink(place.run / "local" / "out") == str(tmp_path / "outside")  # noqa: PTH115
    (place.run / "local" / "out").unlink()
    (place.run / "local" / "deep2").symlink_to(tmp_path / "outside")
    write(place.main, "local/deep2/x", "mine\n")
    place.project = place.project._replace(carry=("local/deep2",))
    assert f"behind the symlink local/deep2 in {place.run}" in str(place.tick().waits)
    assert (tmp_path / "outside" / "x").read_text() == "theirs\n"


def test_one_that_was_cut_off_is_done_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    for name in (".env", "a.toml"):
        write(place.main, name, "new\n")
    with monkeypatch.context() as patch:
        patch.setattr(carried, "_copy", die)
        with pytest.raises(Killed):
            place.release("v3\n")
    assert place.tick() == Done()
    assert (read(place.run, ".env"), read(place.run, "a.toml")) == ("new\n", "new\n")


def test_candidates_are_what_git_ignores_but_no_environment(place: Place) -> None:
    assert set(carried.candidates(place.project)) == {".env", "local/", "a.toml", "data"}


def test_jobs_have_them_and_their_order_names_them_with_digests(tmp_path: Path) -> None:
    house = PathHouse(tmp_path, carry=(".env",))
    write(house.main, "code/.gitignore", IGNORED)
    write(house.main, "code/.env", "SECRET=1\n")
    house.save()
    house.release()
    house.tick()
    (job,) = run(house, JobSpec("grep -q SECRET code/.env", plain=True))
    assert job.word in ("succeeded", "unchanged")
    facts = json.loads((Folder.of(house.project.state, job.id, job.attempt).path / "job.json").read_text())
    assert [path for path, _ in facts["carried"]] == [".env"] and "SECRET" not in str(facts["carried"])


@pytest.mark.slow
def test_a_job_is_told_of_a_file_as_it_is_when_that_starts_not_as_it_came(tmp_path: Path) -> None:
    house = PathHouse(tmp_path, carry=(".env",))
    write(house.main, "code/.gitignore", IGNORED)
    write(house.main, "code/.env", "SECRET=1\n")
    house.save()
    house.release()
    house.tick()
    digests = []
    for text in ("SECRET=1\n", "SECRET=2\n", None):
        write(house.run, "code/.env", text)
        (job,) = run(house, JobSpec("true", plain=True))
        folder = Folder.of(house.project.state, job.id, job.attempt).path
        digests.append(json.loads((folder / "job.json").read_text())["carried"])
    first, second = (hashlib.sha256(text).hexdigest() for text in (b"SECRET=1\n", b"SECRET=2\n"))
    assert digests == [[[".env", f"f:{first}"]], [[".env", f"f:{second}"]], []]


def test_init_names_what_could_be_carried_and_the_line_that_is_printed_carries_it(
    say: Say, tmp_path: Path
) -> None:
    main = tmp_path / "main"
    for name, text in {
        "code/a": "v1\n",
        "code/.gitignore": IGNORED,
        "code/.env": "x\n",
        "code/.venv/y": "y\n",
    }.items():
        write(main, name, text)
    write(main, ".datalad/config", '[datalad "dataset"]\n\tid = 1-2-3\n')
    for words in ("init -q -b main", "add -A", "commit -q -m first"):
        subprocess.run(["git", *words.split()], cwd=main, check=True, capture_output=True)
    lines = say(main, "init", "--env", "none").out.splitlines()
    (line,) = [line.strip() for line in lines if "--carry" in line]
    assert line == "wtwatch init --carry .env" and not (tmp_path / "main-runs/code/.env").exists()
    told = say(main, *line.split()[1:]).out
    assert "--carry" not in told and read(tmp_path / "main-runs/code", ".env") == "x\n"
    assert say(main, "init", "--carry", "../x", code=2).err.count("Error: ") == 1
