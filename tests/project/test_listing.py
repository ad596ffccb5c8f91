"""The list of projects, written by many at once."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import Popen

from wtwatch.project.listing import register, registered

EACH = 75
WRITER = """
import sys
from pathlib import Path
from wtwatch.project.listing import register, unregister
who, verb, number = sys.argv[1:]
for one in range(int(number)):
    if verb == "register":
        register(f"{who}-{one}", Path("/new"))
    else:
        unregister(f"old-{who}-{one}")
"""


def test_many_registrations_beside_many_unregistrations_leave_the_right_set() -> None:
    for who in "ab":
        for one in range(EACH):
            register(f"old-{who}-{one}", Path("/old"))
    register("bystander", Path("/there"))
    words = [(who, verb, str(EACH)) for who in "ab" for verb in ("register", "unregister")]
    writers = [Popen([sys.executable, "-P", "-c", WRITER, *each]) for each in words]
    assert [writer.wait() for writer in writers] == [0] * len(writers)
    assert set(registered()) == {"bystander", *(f"{who}-{one}" for who in "ab" for one in range(EACH))}


def test_threads_of_one_process_do_not_undo_each_other() -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda one: register(f"p-{one}", Path("/p")), range(40)))
    assert len(registered()) == 40
