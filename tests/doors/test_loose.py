"""What is read of git's own files is what git says, or nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.house import House
from wtwatch.doors import loose
from wtwatch.doors.repo import Repo
from wtwatch.tree.diff import changes_in


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House.built(tmp_path)
    house.commit({"d/e/z.py": "z = 1\n", "d/ü": "-> ../a.py"}, message="a subject\n\nand a body")
    return house


def names(house: House) -> list[str]:
    head = house.head(house.project.main_code)
    shapes = ("{}", "{}^", "{}^{{tree}}", "{}^^{{tree}}", "{}:", "{}:d", "{}:d/e", "{}^:", "{}^:d")
    return [shape.format(head) for shape in shapes]


def test_objects_are_as_git_has_them(house: House) -> None:
    code = Repo(house.project.main_code)
    with code.ask_objects(*names(house)) as asking:
        said = asking.objects()
    assert loose.objects(code.common_dir(), names(house)) == said and None not in said


def test_what_is_not_there_or_in_a_pack_is_left_to_git(house: House) -> None:
    common = Repo(house.project.main_code).common_dir()
    head = house.head(house.project.main_code)
    first = house.git("rev-parse", "HEAD^")
    for name in ("0" * 40, f"{head}:nothing", f"{head}:a.py/x", f"{first}^"):
        assert loose.objects(common, [head, name]) is None
    house.git("repack", "-q", "-a", "-d")
    house.git("prune-packed")
    assert loose.objects(common, names(house)) is None


def test_where_an_object_may_stand_for_another_git_is_asked(house: House) -> None:
    common = Repo(house.project.main_code).common_dir()
    house.git("replace", "HEAD", "HEAD^")
    assert loose.objects(common, names(house)) is None
    house.git("pack-refs", "--all")
    assert loose.objects(common, names(house)) is None
    house.git("replace", "-d", house.head(house.project.main_code))
    assert loose.objects(common, names(house))


def test_a_file_that_is_cut_off_is_left_to_git(house: House) -> None:
    common, head = Repo(house.project.main_code).common_dir(), house.head(house.project.main_code)
    file = common / "objects" / head[:2] / head[2:]
    whole = file.read_bytes()
    file.chmod(0o644)
    for part in (b"", whole[:9], whole[:-3], b"no object"):
        file.write_bytes(part)
        assert loose.objects(common, [head]) is None


def test_what_differs_between_two_commits_is_what_git_says(house: House) -> None:
    code = Repo(house.project.main_code)
    house.commit({"d/e/z.py": None, "d/ü": None, "x/y": "of a folder\n", "a": "before a.py\n"})
    house.git("rm", "-q", "-r", "x")
    house.commit({"d/ü/in/it": "where a file was\n", "x": "where a folder was\n", "a.py": "a = 2\n"})
    (code.path / "a").chmod(0o755)
    house.git("add", "a")
    house.git("update-index", "--add", "--cacheinfo", f"160000,{'a' * 40},a.d")
    house.git("commit", "-q", "-m", "of other kinds")
    commits = house.git("rev-list", "HEAD").split()
    for old in commits:
        for new in commits:
            said = code.git("diff-tree", "-r", "--raw", "--no-renames", "-z", old, new)
            found = loose.between(code.common_dir(), old, new)
            assert found is not None
            assert [(path, *was, *now) for path, was, now in found] == [
                tuple(one) for one in changes_in(said)
            ]


def test_much_that_differs_and_what_is_no_commit_here_is_left_to_git(house: House) -> None:
    common, head = Repo(house.project.main_code).common_dir(), house.head(house.project.main_code)
    assert loose.between(common, head, "1" * 40) is None
    assert loose.between(common, head, house.git("rev-parse", "HEAD:d")) is None
    many = house.commit({f"many/{number}": f"{number}\n" for number in range(300)})
    assert loose.between(common, head, many) is None
    house.git("gc", "-q")
    assert loose.between(common, head, house.git("rev-parse", "HEAD^")) is None
