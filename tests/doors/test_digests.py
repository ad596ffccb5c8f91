"""Digests: the same by Python's own code as by the library, and without that in memory."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import pytest

from wtwatch.doors import digests


@pytest.mark.parametrize("data", [b"", b"a", b"blob 3\0abc", bytes(range(256)) * 100])
@pytest.mark.parametrize("size", [0, digests.LITTLE + 1])
def test_they_are_those_of_the_library(data: bytes, size: int) -> None:
    assert digests.sha256(data) == hashlib.sha256(data).hexdigest()
    assert digests.sha1(data) == hashlib.sha1(data).hexdigest()
    made = digests.new("sha256", size)
    made.update(data)
    assert made.hexdigest() == hashlib.sha256(data).hexdigest()


def test_the_library_is_not_loaded_for_little() -> None:
    asked = "from wtwatch.doors.digests import sha1, sha256; sha1(b''), sha256(b'')"
    words = f"import sys; {asked}; print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", words], check=True, capture_output=True, text=True).stdout
    assert "wtwatch.doors.digests" in said.split() and "hashlib" not in said.split()
