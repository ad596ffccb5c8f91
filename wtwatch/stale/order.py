"""What a result that is made anew feeds, and in which order results are made anew. Pure, by paths alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from heapq import heapify, heappop, heappush

from wtwatch.queue.meeting import Places
from wtwatch.stale.values import Finding, Standing, Why


def with_fed(found: Sequence[Finding]) -> list[Finding]:
    """Return findings in which those that are fresh, and fed by stale ones, say so; see :class:`Standing`."""
    needs = Places()
    for number, one in enumerate(found):
        needs.add(number, _needs(one))
    answer = list(found)
    at_hand = [number for number, one in enumerate(found) if one.standing is Standing.STALE]
    while at_hand:
        feeder = at_hand.pop()
        for path in found[feeder].result.spec.outputs:
            for number, _ in needs.all_of(path):
                if number != feeder and answer[number].standing is Standing.FRESH:
                    why = Why(path, "will be made anew")
                    answer[number] = answer[number]._replace(standing=Standing.FED, why=(why,))
                    at_hand.append(number)
    return answer


def _needs(one: Finding) -> tuple[str, ...]:
    return (*one.result.spec.inputs, *one.result.spec.uses)


def in_order(found: Sequence[Finding]) -> list[Finding]:
    """Return findings so that each comes after those that make what it needs, else as they came.

    Where they go round in a circle, the one that came first goes first.
    """
    makes = Places()
    for number, one in enumerate(found):
        makes.add(number, one.result.spec.outputs)
    feeds: dict[int, set[int]] = {}
    waits_for: dict[int, int] = dict.fromkeys(range(len(found)), 0)
    for number, one in enumerate(found):
        feeders = {feeder for path in _needs(one) for feeder, _ in makes.all_of(path)} - {number}
        waits_for[number] = len(feeders)
        for feeder in feeders:
            feeds.setdefault(feeder, set()).add(number)
    return [found[number] for number in _sorted(feeds, waits_for)]


def _sorted(feeds: Mapping[int, Iterable[int]], waits_for: dict[int, int]) -> list[int]:
    ready = [number for number, left in waits_for.items() if not left]
    heapify(ready)
    order: list[int] = []
    left = dict.fromkeys(waits_for)
    while left:
        number = heappop(ready) if ready else next(iter(left))
        if number not in left:
            continue
        del left[number]
        order.append(number)
        for fed in feeds.get(number, ()):
            waits_for[fed] -= 1
            if not waits_for[fed] and fed in left:
                heappush(ready, fed)
    return order
