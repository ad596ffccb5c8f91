"""Whatever kinds of files and names code has, a release brings them whole, and keeps what lay there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.pathhouse import PathHouse
from wtwatch.home import merge
from wtwatch.reconcile import Done
from wtwatch.tree import restoring

ODD = [
    b"a b", b"*", b":(glob)x", b'"q"', "ü\ttab".encode(), b"new\nline", b"-dash", b"\\b", b"latin-\xfc",
    b"Case", b"case", b"CASE/x", b".hidden", b"~", b"$HOME", b"deep/er/x", b"[ab]", b"a#b;c&d",
]  # fmt: skip


@pytest.fixture
def house(tmp_path: Path) -> PathHouse:
    return PathHouse(tmp_path)


def write_odd(tree: Path, text: str) -> None:
    for name in ODD:
        file = os.fsencode(tree / "code") + b"/" + name
        os.makedirs(os.path.dirname(file), exist_ok=True)  # noqa: PTH103, PTH120 - bytes
        with open(file, "wb") as out:  # noqa: PTH123
            out.write(text.encode())


def odd_in(tree: Path) -> set[bytes]:
    found = set()
    for name in ODD:
        file = os.fsencode(tree / "code") + b"/" + name
        if os.path.exists(file):  # noqa: PTH110
            with open(file, "rb") as read:  # noqa: PTH123
                found.add(read.read())
    return found


def test_odd_names_in_code_come_change_and_go(house: PathHouse) -> None:
    for text in ("1\n", "2\n"):
        write_odd(house.main, text)
        house.save()
        house.release()
        assert house.tick().moved is not None and house.is_clean()
        assert odd_in(house.run) == {text.encode()} and house.tick() == Done()
    house.job(out__x="1\n")
    merge.bring(house.project)
    house.git("rm", "-q", "-r", "code")
    house.save(code__a="v2\n")
    house.release()
    assert house.tick().moved is not None and house.is_clean()
    assert not odd_in(house.run) and house.here("out/x") == "1\n"


@pytest.mark.parametrize("tracked", [True, False], ids=["edited", "in the way"])
def test_odd_names_that_were_edited_or_lie_in_the_way_are_backed_up_byte_for_byte(
    house: PathHouse, tracked: bool, tmp_path: Path
) -> None:
    if tracked:
        write_odd(house.main, "1\n")
        house.save()
        house.release()
        house.tick()
    write_odd(house.run, "mine\n")
    write_odd(house.main, "2\n")
    house.save()
    house.release()
    done = house.tick()
    assert done.backup is not None and odd_in(house.run) == {b"2\n"} and house.is_clean()
    restoring.restore(house.tree, done.backup, tmp_path / "back")
    [top] = {folder for folder, names, _ in os.walk(tmp_path / "back") if "code" in names}
    assert odd_in(Path(top)) == {b"mine\n"}


def test_modes_and_kinds_of_files_in_code_come_as_they_are(house: PathHouse) -> None:
    code = house.main / "code"
    (code / "run").write_text("#!/bin/sh\n")
    (code / "run").chmod(0o755)
    (code / "link").symlink_to("run")
    (code / "dangling").symlink_to("/nowhere")
    (code / "folder").mkdir()
    (code / "folder/x").write_text("x\n")
    house.save()
    house.release()
    assert house.tick().moved is not None and house.is_clean()
    run = house.run / "code"
    assert os.access(run / "run", os.X_OK) and (run / "link").readlink() == Path("run")
    assert (run / "dangling").readlink() == Path("/nowhere")
    (code / "run").chmod(0o644)
    (code / "link").unlink()
    (code / "link").mkdir()
    (code / "link/x").write_text("now a folder\n")
    (code / "folder/x").unlink()
    (code / "folder").rmdir()
    (code / "folder").symlink_to("link")
    (code / "dangling").unlink()
    (code / "dangling").write_text("now a file\n")
    house.save()
    house.release()
    assert house.tick().moved is not None and house.is_clean() and house.tick() == Done()
    assert not os.access(run / "run", os.X_OK) and (run / "link/x").read_text() == "now a folder\n"
    assert (run / "folder").readlink() == Path("link") and (run / "dangling").read_text() == "now a file\n"


@pytest.fixture
def annexed(house: PathHouse) -> PathHouse:
    """A house whose code has a locked and an unlocked file of the annex, released."""
    house.git("annex", "init", "--quiet")
    for name in ("locked", "open"):
        (house.main / "code" / name).write_text("one\n")
    house.git("annex", "add", "--quiet", "--force-large", "code/locked", "code/open")
    house.git("annex", "unlock", "--quiet", "code/open")
    house.git("commit", "-q", "-m", "annexed")
    house.release()
    assert house.tick().moved is not None
    return house


def test_annexed_code_has_its_content_locked_or_not(annexed: PathHouse) -> None:
    house = annexed
    assert (house.here("code/locked"), house.here("code/open")) == ("one\n", "one\n")
    assert (house.run / "code/locked").is_symlink() and not (house.run / "code/open").is_symlink()
    assert house.is_clean() and house.tick() == Done()
    house.git("annex", "unlock", "--quiet", "code/locked")
    house.git("annex", "lock", "--quiet", "code/open")
    house.save()
    house.release()
    assert house.tick().moved is not None and house.is_clean()
    assert not (house.run / "code/locked").is_symlink() and (house.run / "code/open").is_symlink()
    assert (house.here("code/locked"), house.here("code/open")) == ("one\n", "one\n")


def test_an_edit_of_unlocked_code_is_backed_up_and_an_unlocked_draft_of_main_stays(
    annexed: PathHouse,
) -> None:
    house = annexed
    (house.run / "code/open").write_text("mine\n")
    (house.main / "code/open").write_text("two\n")
    house.git("add", "code/open")
    house.git("commit", "-q", "-m", "two")
    house.release()
    (house.main / "code/open").write_text("draft\n")
    done = house.tick()
    assert done.moved is not None and done.backup is not None
    assert house.here("code/open") == "two\n" and house.is_clean()
    kept = house.git("show", f"{done.backup.commit}:code/open")
    key = kept.rpartition("/")[2]
    assert kept == "mine" or house.git("annex", "contentlocation", key)
    house.job(out__x="1\n")
    merge.bring(house.project)
    assert house.here("code/open", house.main) == "draft\n" and house.here("out/x", house.main) == "1\n"
