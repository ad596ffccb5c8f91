"""The look at all results in a process of its own, which the daemon starts: it may take seconds.

``python -m wtwatch.stale.looking STATE`` of a project's state folder; its outcome is the tally.
"""

from __future__ import annotations

import gc
import os
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

from wtwatch.doors import refs
from wtwatch.doors.repo import Repo
from wtwatch.project import registry
from wtwatch.project.tree import RunTree
from wtwatch.stale import look, tallyfile
from wtwatch.stale.causes import Cause, Changed, causes_of
from wtwatch.stale.tally import Behind, Reason, Tally
from wtwatch.stale.values import Finding, Standing, Why
from wtwatch.tree import tip as bookmark
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import Sha

GROUPS = 10
"""Reasons that are kept, those first that concern the most results."""

LISTED = 20
"""Stale results that are kept one by one."""

REASONS = 5
"""Reasons of each of these."""


def look_at(tree: RunTree) -> None:
    """Look at all results of a project, and keep what came of it. Raises :class:`WtwatchError`."""
    code_sha, rests_on = _ground(tree)
    if code_sha is not None:
        found = added_up(tree, look.all_results(tree, code_sha), code_sha)
        if _ground(tree) == (code_sha, rests_on):  # else it is of something in between
            tallyfile.write(tree, rests_on, found)


def _ground(tree: RunTree) -> tuple[Sha | None, str]:
    code_sha, head = bookmark.read(tree.project).commit, refs.head_of(Repo(tree.path))
    if code_sha is None or head is None:
        return None, ""
    return code_sha, tallyfile.ground(tree, code_sha, head)


def added_up(tree: RunTree, found: Sequence[Finding], code_sha: Sha) -> Tally:
    """Return in numbers how results stand to code at ``code_sha``, with what made them stale."""
    counts = Counter(one.standing for one in found)
    stale = [one for one in found if one.standing is Standing.STALE]
    ranked: Counter[Why] = Counter(why for one in stale for why in one.why)
    first = {why: one for one in reversed(stale) for why in one.why}
    shown = [why for why, _ in ranked.most_common(GROUPS)]
    known = causes_of(tree, [(first[why], why) for why in shown], code_sha)
    reasons = (Reason(why.path, why.how, ranked[why], *_cause(known, first[why], why)) for why in shown)
    listed = (
        Behind(one.result.commit, one.result.name, tuple((why.path, why.how) for why in one.why[:REASONS]))
        for one in islice(stale, LISTED)
    )
    unknown = counts[Standing.UNKNOWN]
    return Tally(len(found), len(stale), counts[Standing.FED], unknown, tuple(reasons), tuple(listed))


def _cause(known: Mapping[Changed, Cause], found: Finding, why: Why) -> Sequence[str]:
    return known.get((why.path, found.then), ()) if found.then else ()


def main(words: Sequence[str]) -> int:
    """Look at the project whose state folder is named; return the exit code."""
    os.nice(10)
    gc.disable()  # values by the hundred thousand, and no garbage among them
    try:
        look_at(RunTree.of(registry.load(Path(words[0]))))
    except (WtwatchError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
