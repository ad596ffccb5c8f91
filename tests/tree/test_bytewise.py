"""A backup holds bytes, whatever git is told to make of them on their way."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.house import House
from wtwatch.doors.repo import Repo
from wtwatch.tree import bytewise, checkout, ending, restoring
from wtwatch.words.model import Sha


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House.built(tmp_path / "p")


@dataclass(frozen=True)
class Making:
    """What git is told to make of files (`.gitattributes`, settings), and bytes that it would not keep so."""

    attributes: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    committed: bytes = b"one\ntwo\n"
    edit: bytes = b"one\r\ntwo\r\nthree\n"
    unseen: bytes = b"one\r\ntwo\n"
    """An edit that is no change once git has made of it what it makes."""


MAKINGS = {
    "text=auto": Making("* text=auto\n"),
    "text": Making("*.txt text\n"),
    "autocrlf": Making("", {"core.autocrlf": "true"}),
    "autocrlf=input": Making("", {"core.autocrlf": "input"}),
    "eol=crlf": Making("*.txt text eol=crlf\n", unseen=b"one\ntwo\r\n"),
    "eol of the settings": Making("* text=auto\n", {"core.eol": "crlf"}),
    "ident": Making("*.txt ident\n", {}, b"$Id$\n", b"$Id: mine $\nmore\n", b"$Id: my own words $\n"),
    "encoding": Making(
        "*.txt text working-tree-encoding=UTF-16\n",
        {},
        "one\n".encode("utf-16"),
        "mine\r\n".encode("utf-16-be"),
        "\ufeffone\n".encode("utf-16-be"),
    ),
    "a filter that strips": Making(
        "*.txt filter=strip\n",
        {"filter.strip.clean": "grep -v ^output", "filter.strip.smudge": "cat"},
        b"input\n",
        b"input 2\noutput 2\n",
        b"input\noutput\n",
    ),
    "a filter that must not fail": Making(
        "*.txt filter=up\n",
        {
            "filter.up.clean": "tr a-z A-Z",
            "filter.up.smudge": "tr A-Z a-z",
            "filter.up.required": "true",
        },
        b"one\n",
        b"Mine\n",
        b"One\n",
    ),
}


QUICK = ("text=auto", "ident", "encoding", "a filter that strips")
EACH = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in MAKINGS]


def made(house: House, making: Making) -> None:
    """Let the run tree stand at a commit with three files that git makes something of."""
    for key, value in making.settings.items():
        house.git("config", key, value)
    for name in ("a.txt", "b.txt", "c.txt"):
        (house.project.main_code / name).write_bytes(making.committed)
    house.commit({".gitattributes": making.attributes, "a.py": "a = 2\n"})
    house.sync()
    assert house.here("status", "--porcelain") == ""


@pytest.mark.parametrize("name", EACH)
def test_an_edit_comes_back_byte_for_byte(house: House, tmp_path: Path, name: str) -> None:
    making = MAKINGS[name]
    made(house, making)
    (house.project.main_code / "u.txt").write_bytes(making.committed)
    tip = house.commit({"b.py": "b = 2\n"})
    for file in ("a.txt", "u.txt"):  # an edited one, and an untracked one in the way
        (house.code / file).write_bytes(making.edit)
    backup = house.sync()
    house.assert_exactly_at(tip)
    assert backup
    restoring.restore(house.tree, backup, tmp_path / "back")
    for file in ("a.txt", "u.txt"):
        assert (tmp_path / "back" / file).read_bytes() == making.edit


@pytest.mark.parametrize("name", EACH)
def test_what_git_makes_of_a_file_is_no_edit(house: House, name: str) -> None:
    made(house, MAKINGS[name])
    (house.project.main_code / "a.txt").unlink()
    tip = house.commit({"b.txt": None, "c.py": "new"})
    assert house.sync() is None
    house.assert_exactly_at(tip)


@pytest.mark.parametrize("name", EACH)
@pytest.mark.parametrize("told", [False, True])
def test_an_edit_that_git_calls_none_is_kept(house: House, tmp_path: Path, name: str, told: bool) -> None:
    making = MAKINGS[name]
    made(house, making)
    (house.code / "a.txt").write_bytes(making.unseen)
    (house.code / "c.txt").write_bytes(making.unseen)
    if told:  # then it takes the file for looked at
        house.here("add", "a.txt", "c.txt")
    assert house.here("diff", "--stat") == ""
    tip = house.commit({"a.txt": None, "b.py": "b = 2\n"})
    backup = house.sync()
    house.assert_exactly_at(tip)
    assert backup
    restoring.restore(house.tree, backup, tmp_path / "back")
    assert (tmp_path / "back" / "a.txt").read_bytes() == making.unseen
    places = (house.code / "c.txt", tmp_path / "back" / "c.txt")  # git calls some of another size edited
    assert making.unseen in [file.read_bytes() for file in places if file.exists()]


def test_names_of_all_kinds_are_taken(tmp_path: Path, house: House) -> None:
    odd = ["a b", 'q"uote', "back\\slash", "line\nfeed", "Icon\r", "tab\t", "añ", "-dash", "\udcff", " lead"]
    for name in odd:
        house.edit(name, "2")
    tip = house.commit(dict.fromkeys(odd, "tip"))
    backup = house.sync()
    house.assert_exactly_at(tip)
    assert backup
    files = restoring.restore(house.tree, backup, tmp_path / "back")
    assert {file.name: file.read_text() for file in files} == dict.fromkeys(odd, "2")


@pytest.mark.parametrize("target", ["./a.py", "d/", "a//b", "line\n", "\udcff", "/nowhere/at all"])
def test_a_symlink_comes_back_with_the_very_target(house: House, tmp_path: Path, target: str) -> None:
    (house.code / "n").symlink_to("x")
    (house.code / "n").unlink()
    os.symlink(os.fsencode(target), os.fsencode(house.code / "n"))  # noqa: PTH211 - a Path would tidy it up
    house.commit({"n": "2"})
    backup = house.sync()
    assert backup
    restoring.restore(house.tree, backup, tmp_path / "back")
    assert os.readlink(os.fsencode(tmp_path / "back" / "n")) == os.fsencode(target)  # noqa: PTH115


def test_the_id_of_a_file_is_the_one_that_git_gives(house: House, tmp_path: Path) -> None:
    file, link = tmp_path / "f", tmp_path / "l"
    file.write_bytes(bytes(range(256)) * 9000)
    link.symlink_to("f")
    assert bytewise.blob_id(file, 40) == house.git("hash-object", "--no-filters", str(file))
    assert (
        bytewise.blob_id(link, 40) == bytewise.entries_of(Repo(house.code), tmp_path, ["l"], tmp_path)[0].blob
    )
    house.git("init", "-q", "--object-format=sha256", str(tmp_path / "sha256"))
    found = house.git("hash-object", "--no-filters", str(file), cwd=tmp_path / "sha256")
    assert bytewise.blob_id(file, 64) == found


def annexed(house: House) -> None:
    """Give code an annex, with a file in it that is unlocked."""
    house.git("annex", "init", "-q", "main")
    house.git("config", "annex.largefiles", "include=*.bin")
    (house.project.main_code / "big.bin").write_bytes(b"first" * 1000)
    house.git("annex", "add", "-q", "big.bin")
    house.git("annex", "unlock", "-q", "big.bin")
    house.commit({"a.py": "a = 2\n"})
    house.sync()
    assert (house.code / "big.bin").read_bytes() == b"first" * 1000


def test_edited_annexed_content_goes_into_the_annex_and_comes_back(house: House, tmp_path: Path) -> None:
    annexed(house)
    (house.code / "big.bin").write_bytes(b"edited" * 1000)
    (house.code / "other.bin").write_bytes(b"untracked" * 1000)
    tip = house.commit({"b.py": "2", "other.bin": "2"})
    backup = house.sync()
    house.assert_exactly_at(tip)
    assert (house.code / "big.bin").read_bytes() == b"first" * 1000
    assert house.kept(backup, "big.bin").startswith("/annex/objects/")
    assert backup
    restoring.restore(house.tree, backup, tmp_path / "back")
    assert (tmp_path / "back" / "big.bin").read_bytes() == b"edited" * 1000
    assert (tmp_path / "back" / "other.bin").read_bytes() == b"untracked" * 1000
    assert "big.bin" not in house.git("annex", "unused")


def filled_in_without_a_note(house: House) -> Sha:
    """Put content into the unlocked file, as a git-annex does that is killed before it tells the index."""
    annexed(house)
    repo, file = Repo(house.code), house.code / "big.bin"
    content, pointer = file.read_bytes(), Sha(repo.git("rev-parse", ":big.bin"))
    file.write_text(repo.git("cat-file", "blob", pointer) + "\n")
    repo.git("-c", "filter.annex.process=", "-c", "filter.annex.clean=cat", "update-index", "big.bin")
    file.unlink()
    file.write_bytes(content)
    return pointer


def test_content_that_a_killed_git_annex_filled_in_without_a_note_is_no_edit(house: House) -> None:
    pointer = filled_in_without_a_note(house)
    repo, file = Repo(house.code), house.code / "big.bin"
    ending.fill_in(repo)
    assert repo.git("status", "--short") == " M big.bin", "git-annex alone does not see to it"
    ending.fill_in(repo, {"big.bin": pointer, "b.py": Sha(repo.git("rev-parse", ":b.py"))})
    assert repo.git("status", "--short") == ""
    file.write_bytes(b"mine")
    ending.fill_in(repo, {"big.bin": pointer})
    assert repo.git("status", "--short") == " M big.bin"


def test_an_undo_takes_for_no_edit_what_git_annex_filled_in_without_a_note(house: House) -> None:
    filled_in_without_a_note(house)
    repo = Repo(house.code)
    (house.project.main_code / "big.bin").write_bytes(b"second" * 1000)
    old, new = Sha(repo.git("rev-parse", "HEAD")), house.commit({"a.py": "a = 3\n"})
    assert checkout.settle(repo, old, new) == old
    assert repo.git("status", "--short") == ""
    repo.git("checkout", "-q", "--detach", new)


def test_annexed_content_that_is_as_it_was_is_no_edit(house: House) -> None:
    annexed(house)
    (house.project.main_code / "big.bin").unlink()
    (house.project.main_code / "big.bin").write_bytes(b"second" * 1000)
    house.git("annex", "add", "-q", "big.bin")
    tip = house.commit({"a.py": "3"})
    assert house.sync() is None
    house.assert_exactly_at(tip)
    assert (house.code / "big.bin").read_bytes() == b"second" * 1000
