"""What a job used of the code, as it was seen while the job ran, and how records have that."""

import json
from binascii import a2b_base64, b2a_base64
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple
from zlib import compress, decompress, error

LONG = 2000
"""Characters from which on it is packed in a record."""

TOO_LONG = 100_000
"""Characters, packed, from which on a record does not have it."""


_NOTHING: dict[str, Any] = {"files": (), "folders": (), "imported": (), "whole": None}


class Uses(NamedTuple):
    """The files and folders of code that a job used; all paths from the root of the dataset, with ``/``.

    ``files`` were opened (a ``.pyc`` stands for its source). ``folders`` were listed: all names in them
    count. ``imported`` were listed by Python's imports, as far as can be told: of names that come there only
    those count that could be imported instead of what was. ``whole`` says why none of this can be believed,
    so that all of code counts; ``None``: it can. ``stated`` are files, folders and globs, of whatever lies in
    the dataset, that somebody said it uses: then these count, and nothing that was seen.
    """

    files: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    imported: tuple[str, ...] = ()
    whole: str | None = None
    stated: tuple[str, ...] = ()


def uses_from(facts: Mapping[str, Any]) -> Uses:
    """Return what its ``_asdict()`` says, read from JSON; raises :class:`TypeError` or :class:`KeyError`."""
    whole = facts["whole"]
    return Uses(
        tuple(map(str, facts["files"])),
        tuple(map(str, facts["folders"])),
        tuple(map(str, facts["imported"])),
        None if whole is None else str(whole),
        tuple(map(str, facts.get("stated", ()))),
    )


def recorded(uses: Uses) -> dict[str, Any]:
    """Return it as a record has it: what is empty is left out, what is long is packed."""
    facts = {name: value for name, value in uses._asdict().items() if value}
    text = json.dumps(facts)
    if len(text) <= LONG and "\\ud" not in text:  # a commit's message is UTF-8, names may be any bytes
        return facts
    packed = b2a_base64(compress(text.encode(), 9), newline=False).decode()
    if len(packed) > TOO_LONG:
        return {"whole": f"it used {len(uses.files)} files, too many to be recorded"}
    return {"packed": packed}


def from_record(facts: Any) -> Uses | None:
    """Return what :func:`recorded` made; ``None`` for what is none, or was made by a newer version."""
    with suppress(TypeError, ValueError, KeyError, error):
        if "packed" in facts:
            facts = json.loads(decompress(a2b_base64(facts["packed"])))
        found = uses_from(_NOTHING | facts)
        return found if any(found) else None
    return None
