"""What the system refuses is told with the way out that fits."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from wtwatch.words.errors import of_system


@pytest.mark.parametrize(
    ("number", "way_out"),
    [
        (errno.ENOSPC, "make room"),
        (errno.EACCES, "ls -ld"),
        (errno.EROFS, "mount it for writing"),
        (errno.ENAMETOOLONG, "shorter name"),
        (errno.ENOTDIR, "place of a folder"),
    ],
    ids=errno.errorcode.get,
)
def test_each_refusal_has_its_own_way_out(number: int, way_out: str) -> None:
    said = of_system(OSError(number, os.strerror(number), "/some/where"))
    assert said.message == f"/some/where: {os.strerror(number)}."
    assert said.hint and way_out in said.hint
    assert said.exit_code == 1


def test_a_place_that_cannot_be_is_not_taken_for_a_full_disk(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file" / "below", tmp_path / ("x" * 300)):
        with pytest.raises(OSError) as refused:
            place.mkdir()
        said = of_system(refused.value)
        assert said.hint and "full" not in said.hint
        assert str(place) in said.message


def test_a_refusal_without_a_number_or_a_place_is_told_as_it_is() -> None:
    assert of_system(OSError("odd")).message == "odd."
    assert of_system(OSError(errno.EBADF, "Bad file descriptor", 7)).hint is None
