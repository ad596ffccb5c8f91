"""Very many result files on their way home: in one folder, and spread over many."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from tests.benchmarks.grounds import FILES_IN_A_FOLDER, Grounds
from tests.benchmarks.measure import Section, command, compared, goal, interleaved, median, processor
from tests.benchmarks.scale.queues import WTWATCH
from tests.lab import Lab

OURS = "`wtwatch merge --dry-run`"
GITS = "git's own look (`diff-tree --raw`, `cat-file --batch-check`, `status`)"


def measure(grounds: Grounds, quick: bool) -> list[Section]:
    """Have a merge say what would come, beside what git takes to look at the same files."""
    sizes = ((650, 650), (2000, FILES_IN_A_FOLDER)) if quick else ((6500, 6500), (20_000, FILES_IN_A_FOLDER))
    return [_at(grounds, files, in_a_folder, 3 if quick else 9) for files, in_a_folder in sizes]


def _at(grounds: Grounds, files: int, in_a_folder: int, rounds: int) -> Section:
    lab = grounds.watched(f"merge-{files}")
    _results(lab, files, in_a_folder)
    between = (lab.git("rev-parse", "HEAD"), lab.git("rev-parse", "runs"))
    taken = interleaved(
        {
            OURS: lambda: _by_wtwatch(lab),
            GITS: lambda: _by_git(lab, between),
        },
        rounds,
    )
    times = median(taken[OURS]) / median(taken[GITS])
    where = "one folder" if files <= in_a_folder else "many folders"
    goals = {OURS: [goal("≤ 3 × git's own", times <= 3)]}
    title = f"merge, the processor's time, {files:,} files in {where}"
    return Section(title, compared(taken, goals))


def _results(lab: Lab, files: int, in_a_folder: int) -> None:
    """Commit results in the run tree: plots in git, and links to what is in the annex."""
    for number in range(files):
        folder, name = divmod(number, in_a_folder)
        place = lab.run / "results" / f"{folder:04}"
        place.mkdir(parents=True, exist_ok=True)
        if number % 2:
            (place / f"{name:05}.svg").write_text(f"<svg>{number}</svg>\n" * 60)
        else:
            key = f"MD5E-s{number + 1}--{number:032x}.bin"
            link = f"../../.git/annex/objects/{number % 97:02}/{number % 89:02}/{key}/{key}"
            (place / f"{name:05}.bin").symlink_to(link)
    # committed as DataLad commits small files, without a millisecond of git-annex's filter for each
    plain = ("-c", "filter.annex.process=", "-c", "filter.annex.clean=cat")
    lab.git(*plain, "add", "results", cwd=lab.run)
    lab.git("commit", "--quiet", "--no-verify", "-m", "[DATALAD RUNCMD] plot", cwd=lab.run)


def _by_wtwatch(lab: Lab) -> float:
    begin = processor()
    command(*WTWATCH, "merge", "--dry-run", cwd=lab.main)
    return processor() - begin


def _by_git(lab: Lab, between: Sequence[str]) -> float:
    begin = processor()
    raw = ("git", "diff-tree", "-r", "--raw", "--no-abbrev", *between)
    told = subprocess.run(raw, cwd=lab.main, capture_output=True, check=True).stdout
    blobs = b"\n".join(line.split()[3] for line in told.splitlines())
    check = ("git", "cat-file", "--batch-check")
    subprocess.run(check, cwd=lab.main, input=blobs, capture_output=True, check=True)
    subprocess.run(("git", "status"), cwd=lab.main, capture_output=True, check=True)
    return processor() - begin
