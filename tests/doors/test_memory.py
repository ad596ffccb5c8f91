"""What never changes is remembered, and only so much of it."""

from __future__ import annotations

from wtwatch.doors.memory import Memory


def test_the_last_answers_are_remembered_and_older_ones_go() -> None:
    memory: Memory[int, str] = Memory(3)
    for number in (1, 2, 3, 1, 4):
        memory[number] = f"answer {number}"
    assert [memory.get(number) for number in (1, 2, 3, 4)] == ["answer 1", None, "answer 3", "answer 4"]
