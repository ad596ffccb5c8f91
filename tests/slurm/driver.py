"""What a daemon does with attempts on a cluster, and no more, so that it can be killed at any instant.

``python -m tests.slurm.driver FOLDER JOBS LANES``: it goes on from what lies in the folder, and ends when
each job has an end.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from uuid import uuid4

from wtwatch.doors.files import write_whole
from wtwatch.job import elsewhere, slurm
from wtwatch.job.attempt import Folder
from wtwatch.job.executor import Handle, Life
from wtwatch.job.slurm import Slurm
from wtwatch.job.slurmlook import Looks
from wtwatch.words.errors import Refused, WtwatchError
from wtwatch.words.executors import Place
from wtwatch.words.resources import Resources

JOB = """
import os, sys
from pathlib import Path
from wtwatch.job import elsewhere, slurm
from wtwatch.job.attempt import Folder, Result
from wtwatch.job.steps import Draft
from wtwatch.words.model import now
folder = Folder(Path(sys.argv[1]))
if not elsewhere.claim(folder, "job"):
    sys.exit(75)
with elsewhere.living(folder):
    with (folder.path / "runs").open("a") as runs:
        runs.write("run\\n")
    Draft(folder).publish(Result(0, (), now()))
"""
"""What a job does: it claims its attempt as a real one does, says that it ran, and that it ended well."""


def drive(top: Path, jobs: int, lanes: int) -> None:
    """Bring each job to its end, with at most so many on the cluster at once."""
    slurm.LEFT_OVER = 5.0
    executor = Slurm(Place("slurm"), Looks(every=1.0), grace=10, silence=30)
    while waiting := [job for job in range(1, jobs + 1) if not is_ended(top, job)]:
        under_way = [newest(top, job) for job in waiting]
        submitted = [folder for folder in under_way if folder and elsewhere.is_submitted(folder)]
        look_at(executor, submitted)
        for job in waiting[: lanes + len(submitted)]:
            if len(submitted) < lanes and start(executor, top, job):
                submitted.append(Folder(top))
        time.sleep(0.2)


def newest(top: Path, job: int) -> Folder | None:
    """Return the last attempt of a job."""
    found = sorted(top.glob(f"{job}.*"), key=lambda folder: int(folder.suffix[1:]))
    return Folder(found[-1]) if found else None


def is_ended(top: Path, job: int) -> bool:
    """Return whether a job has an end, and not that it is to begin once more."""
    folder = newest(top, job)
    return folder is not None and end_of(folder) not in (None, "not begun")


def end_of(folder: Folder) -> str | None:
    """Return the end that was recorded of an attempt."""
    file = folder.path / "end"
    return file.read_text() if file.exists() else None


def start(executor: Slurm, top: Path, job: int) -> bool:
    """Submit a job that is not on the cluster, in a new attempt or in one that was prepared; say if it is."""
    folder = newest(top, job)
    if is_ended(top, job) or (folder and end_of(folder) is None and elsewhere.is_submitted(folder)):
        return False
    if folder is None or end_of(folder) is not None:
        number = 1 if folder is None else int(folder.path.suffix[1:]) + 1
        folder = Folder(top / f"{job}.{number}")
        folder.path.mkdir()
    uuid = folder.path / "uuid"
    if not uuid.exists():
        write_whole(uuid, str(uuid4()))
    handle = Handle(uuid.read_text(), folder)
    try:
        executor.submit(handle, [sys.executable, "-P", "-c", JOB, str(folder.path)], {}, top, Resources())
    except Refused:
        raise
    except WtwatchError:  # it may have it all the same, which a look will say
        return elsewhere.is_submitted(folder)
    return True


def look_at(executor: Slurm, folders: list[Folder]) -> None:
    """Record the ends of attempts that are over."""
    handles = [Handle((folder.path / "uuid").read_text(), folder) for folder in folders]
    seen = executor.poll(handles)
    for handle in handles:
        result = handle.folder.result()
        if result is None and seen[handle.uuid].life is Life.GONE:
            result = handle.folder.result()
            ended = "interrupted" if result is None else "succeeded"
        elif result is None:
            continue
        else:
            ended = "succeeded" if result.began and result.exit == 0 else "interrupted"
        if result is not None and not result.began:
            ended = "not begun"
        write_whole(handle.folder.path / "end", ended)


if __name__ == "__main__":
    drive(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
