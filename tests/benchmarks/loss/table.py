"""The matrix in words: all rows, the sums, the rows in which the ways differ, and what is wrong with ours."""

from __future__ import annotations

from collections.abc import Sequence

from tests.benchmarks.loss.matrix import Cell
from tests.benchmarks.loss.scene import MODES
from tests.benchmarks.loss.situations import SITUATIONS
from tests.benchmarks.loss.ways import WAYS, WTWATCH

OUTCOMES = ("kept", "backed up", "refused", "LOST")

EXAMPLES = 3
"""How many names stand for rows that went alike."""

Row = tuple[Cell, ...]
"""The cells of one situation in one mode, a way each."""


def rows(cells: Sequence[Cell]) -> dict[tuple[str, str], Row]:
    """Return the cells by situation and mode."""
    found: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        found.setdefault((cell.situation, cell.mode), []).append(cell)
    return {key: tuple(row) for key, row in found.items()}


def whole(cells: Sequence[Cell]) -> str:
    """Return all rows as a Markdown table."""
    lines = [_line("situation", "HEAD", *(f"`{way}`" for way in _ways(cells)))]
    lines.append(_rule(lines[0]))
    lines += [_line(*key, *map(_word, row)) for key, row in rows(cells).items()]
    return "\n".join(lines)


def _word(cell: Cell) -> str:
    if cell.way == WTWATCH and cell.refused_first and cell.outcome != "refused":
        return f"{cell.outcome}{_mark(cell)}, by --force"
    return f"{cell.outcome}{_mark(cell)}"


def _mark(cell: Cell) -> str:
    return "" if cell.at_tip or cell.outcome == "refused" else "°"


def sums(cells: Sequence[Cell]) -> str:
    """Return how often each outcome came, a way a line, both modes apart."""
    lines = [_line("", "HEAD", *OUTCOMES, "at the tip")]
    lines.append(_rule(lines[0]))
    for way in _ways(cells):
        for mode in MODES:
            found = [cell for cell in cells if (cell.way, cell.mode) == (way, mode)]
            counts = [sum(cell.outcome == outcome for cell in found) for outcome in OUTCOMES]
            there = f"{sum(cell.at_tip for cell in found)} of {len(found)}"
            lines.append(_line(f"`{way}`", mode, *map(str, counts), there))
    return "\n".join(lines)


def differences(cells: Sequence[Cell]) -> str:
    """Return the rows in which the ways differ: a line for all that went alike, with some of their names."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for (name, mode), row in rows(cells).items():
        outcomes = tuple(cell.outcome for cell in row)
        if len(set(outcomes)) > 1:
            alike.setdefault((mode, *outcomes), []).append(name)
    lines = [_line("HEAD", *(f"`{way}`" for way in _ways(cells)), "rows", "such as")]
    lines.append(_rule(lines[0]))
    for (mode, *words), names in sorted(alike.items(), key=lambda entry: (entry[0][0], -len(entry[1]))):
        lines.append(_line(mode, *words, str(len(names)), "; ".join(names[:EXAMPLES])))
    return "\n".join(lines)


def fault(cell: Cell) -> str | None:
    """Return what is not as wtwatch promises, with what was said; ``None`` where all is well."""
    if cell.way != WTWATCH or cell.is_well:
        return None
    place = "at the tip" if cell.at_tip else "not at the tip"
    said = "\n---\n".join(cell.said).replace("\n", "\n    ")
    gone = f"; lost: {', '.join(cell.lost)}" if cell.lost else ""
    odd = "".join(f"\n  {what}" for what in cell.odd)
    return f"{cell.situation}, {cell.mode}: {cell.outcome}, {place}{gone}{odd}\n    {said}"


def exceptions() -> str:
    """Return the named reasons for which even `sync --force` moves no tree, and what was left out."""
    reasons = dict.fromkeys(found.stays for found in SITUATIONS.values() if found.stays and found.possible())
    lines = [f"Where even `wtwatch sync --force` moves nothing: {'; '.join(map(str, reasons))}."]
    left_out = [name for name, found in SITUATIONS.items() if not found.possible()]
    if left_out:
        lines.append(f"Not possible as this user, on this machine: {'; '.join(left_out)}.")
    return "\n".join(lines)


def _ways(cells: Sequence[Cell]) -> list[str]:
    present = {cell.way for cell in cells}
    return [way for way in WAYS if way in present]


def _line(*words: str) -> str:
    return f"| {' | '.join(words)} |"


def _rule(line: str) -> str:
    return "| --- " * (line.count(" | ") + 1) + "|"
