"""Digests of little, by Python's own code, as its `random` makes them.

`hashlib` loads the library of OpenSSL, which takes 4 MB of memory and 10 ms: worth it for large files alone.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

LITTLE = 1 << 20
"""Bytes up to which the own code is quick enough."""

_MODULES = {"sha1": ("_sha1",), "sha256": ("_sha2", "_sha256")}  # the former since Python 3.12


def new(kind: str, size: int = 0) -> Any:
    """Return an object of `hashlib` that makes a digest of that kind, of some ``size`` in bytes.

    A Python that was built without code of its own has OpenSSL's.
    """
    for module in _MODULES[kind] if size <= LITTLE else ():
        try:
            return getattr(import_module(module), kind)()
        except ImportError:
            continue
    import hashlib

    return hashlib.new(kind)


def sha256(data: bytes) -> str:
    """Return the SHA-256 digest of ``data`` in hexadecimal digits."""
    return _of("sha256", data)


def sha1(data: bytes) -> str:
    """Return the SHA-1 digest of ``data`` in hexadecimal digits, by which git names what it holds."""
    return _of("sha1", data)


def _of(kind: str, data: bytes) -> str:
    digest = new(kind, len(data))
    digest.update(data)
    return str(digest.hexdigest())
