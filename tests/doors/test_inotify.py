"""What of inotify is in use: real watches, and limits of a namespace of the test's own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from wtwatch.daemon.notice import Bell, Watch
from wtwatch.doors import inotify

ASKS = """
from pathlib import Path
import sys
from wtwatch.daemon.notice import Bell, Watch
from wtwatch.doors import inotify
with Watch(Bell()) as watch:
    watch.aim([], also=map(Path, sys.argv[1:]))
    print(*inotify.rooms(), sep="\\n")
"""


def folders(root: Path, number: int) -> list[Path]:
    found = [root / str(index) for index in range(number)]
    for folder in found:
        folder.mkdir()
    return found


def test_each_folder_that_is_watched_counts_as_a_watch_of_an_instance(tmp_path: Path) -> None:
    with Watch(Bell()) as watch:
        watch.aim([], also=folders(tmp_path, 12))
        instances, watches = inotify.rooms()
        assert (instances.name, watches.name) == ("instances", "watches")
        assert 1 <= instances.used <= instances.most and 12 <= watches.used <= watches.most
        assert watches.sysctl == "fs.inotify.max_user_watches"


@pytest.mark.slow  # not every machine lets everybody make a namespace
def test_the_narrowest_limit_counts_and_only_ones_own_processes(tmp_path: Path) -> None:
    narrow = 'echo 20 > /proc/sys/user/max_inotify_watches; exec "$@"'
    inside = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc", "sh", "-c", narrow]
    command = [*inside, "sh", sys.executable, "-P", "-c", ASKS, *map(str, folders(tmp_path, 7))]
    answer = subprocess.run(command, env=os.environ, capture_output=True, text=True, check=True)
    lines = answer.stdout.splitlines()
    assert "used=1," in lines[0]
    assert lines[1] == "Room(name='watches', used=7, most=20, sysctl='user.max_inotify_watches')"
