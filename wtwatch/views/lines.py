"""The lines of the screen, before they are broken and coloured for who reads them.

With nothing but what Python has loaded at its start: a glance shows them as the daemon left them.
"""

from __future__ import annotations

from wtwatch.views.terminal import folded, styled
from wtwatch.words.spans import lasting

TYPE_CHECKING = False  # see wtwatch.doors.proc
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

AGO = "{ago}"
"""What stands in a line for the time since the moment that it has, before any words of others."""

LEFT = "{left}"
"""What stands in a line for its part on how long it takes yet, if it takes any time."""

_MARGIN = " " * 15
"""What is before the text of each line: a label of up to 12 letters, between blanks."""


class Line:
    """A line before it is broken; below its label, those that go on have none.

    ``moments``: one in seconds since 1970, and :data:`AGO` in ``text`` is how long that is ago; behind it the
    one at which something is expected to end and the seconds that it takes at least, of which :data:`LEFT`
    tells. ``cut``: it stays one line, cut off.
    """

    def __init__(
        self,
        label: str,
        text: str,
        colour: str | None = None,
        cut: bool = False,
        moments: tuple[float, ...] = (),
    ) -> None:
        self.label, self.text, self.colour, self.cut, self.moments = label, text, colour, cut, moments

    def parts(self) -> tuple[str, str, str | None, bool, tuple[float, ...]]:
        """Return what it is made of, in the order in which it takes them."""
        return self.label, self.text, self.colour, self.cut, self.moments

    def said(self, at: float) -> str:
        """Return its text at the moment ``at``."""
        if not self.moments:
            return self.text
        since, *ends = self.moments
        text = self.text.replace(AGO, lasting(at - since), 1)
        if not ends:
            return text
        end, least = ends
        left = max(least, end - at)
        return text.replace(LEFT, f" · about {lasting(left)} left" if left >= 1 else "", 1)

    def shown(self, columns: int, at: float) -> Iterator[str]:
        """Yield it as lines of at most so many columns, at the moment ``at``; as one if it may be cut."""
        text = self.said(at)
        whole = f"  {self.label:<12} {text}"
        if self.cut and len(whole) > columns:
            whole = whole[: columns - 1].rstrip() + "…"
        first, *more = folded(whole, columns, indent=_MARGIN)
        start = first[: len(_MARGIN)]
        yield start + styled(first[len(start) :], self.colour)
        yield from (_MARGIN + styled(line[len(_MARGIN) :], self.colour) for line in more)


def screen(
    projects: Iterable[tuple[str, str, Iterable[Line]]],
    daemon: Iterable[Line],
    reasons: Iterable[str],
    columns: int,
    at: float,
) -> Iterator[str]:
    """Yield the whole screen: of each project its name, its place and its lines; the daemon; why to look."""
    for name, place, lines in projects:
        first, *more = folded(f"{name}  {place}", columns, indent="  ")
        yield styled(first[: len(name)], bold=True) + first[len(name) :]
        yield from more
        for line in lines:
            yield from line.shown(columns, at)
        yield ""
    for line in daemon:
        yield from line.shown(columns, at)
    heading = ["", styled("Needs you:", "red", bold=True)]
    for reason in reasons:
        yield from heading
        heading = []
        yield from folded(f"  • {reason}", columns, indent="    ")
