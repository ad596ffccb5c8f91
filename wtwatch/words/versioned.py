"""Values that lie in files and outlive the version which wrote them.

Such a value is a named tuple with two fields more than its facts: ``version``, the version of the format it
was written in, and ``more``, what a newer version said besides. That is passed over, and written back as it
was, so that an older version in between loses nothing. What an older version did not say has its default.
"""

from collections.abc import Collection, Mapping
from typing import Any

More = tuple[tuple[str, Any], ...]
"""What a newer version said besides: names and what they stand for, in the order of the file."""


def taken(facts: Mapping[str, Any], fields: Collection[str]) -> dict[str, Any]:
    """Return what a file says as arguments of a named tuple that has ``fields``, the unknown in ``more``."""
    known = {key: value for key, value in facts.items() if key in fields and key != "more"}
    return {**known, "more": tuple((key, value) for key, value in facts.items() if key not in known)}


def given(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the ``_asdict()`` of such a value as a file has it, with what is in ``more`` beside the rest."""
    known = {key: value for key, value in fields.items() if key != "more"}
    return known | dict(fields["more"])
