"""What a result that is made anew feeds, and in which order results are made anew. Pure, by paths alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from heapq import heapify, heappop, heappush

from wtwatch.queue.meeting import Places
from wtwatch.stale.values import Finding, Standing, Why


def in_order(found: Sequence[Finding]) -> list[Finding]:
    """Return findings so that each comes after those that make what it needs, else as they came.

    Those that are fresh, and fed by stale ones, say so; see :class:`Standing`. Where they go round in a
    circle, the one that came first goes first.
    """
    feeds = _feeds(found)
    answer = list(found)
    at_hand = [number for number in feeds if found[number].standing is Standing.STALE]
    while at_hand:
        for number, path in feeds.get(at_hand.pop(), {}).items():
            if answer[number].standing is Standing.FRESH:
                why = Why(path, "will be made anew")
                answer[number] = answer[number]._replace(standing=Standing.FED, why=(why,))
                at_hand.append(number)
    waits_for = dict.fromkeys(range(len(found)), 0)
    for fed in feeds.values():
        for number in fed:
            waits_for[number] += 1
    return [answer[number] for number in _sorted(feeds, waits_for)]


def _feeds(found: Sequence[Finding]) -> dict[int, dict[int, str]]:
    """Return by number what each feeds, with the path that it makes and the other needs."""
    makes = Places()
    for number, one in enumerate(found):
        makes.add(number, one.result.spec.outputs)
    feeds: dict[int, dict[int, str]] = {}
    for number, one in enumerate(found):
        for path in (*one.result.spec.inputs, *one.result.spec.uses):
            for feeder, made in makes.all_of(path):
                if feeder != number:
                    feeds.setdefault(feeder, {}).setdefault(number, made)
    return feeds


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
