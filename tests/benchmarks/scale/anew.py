"""Very many results, and which of them code has left behind: beside the least that git needs to be asked."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Sequence
from functools import partial

from tests.benchmarks.grounds import Grounds
from tests.benchmarks.measure import Row, Section, command, compared, goal, interleaved, median, processor
from tests.benchmarks.scale.queues import WTWATCH
from tests.gits import counted_gits
from tests.lab import Lab
from tests.stale.world import MESSAGE

OURS = "`wtwatch queue rerun --stale --dry-run`"
GITS = "git's own look (`log --raw` of the history, `ls-tree -r`)"
WIDTH = 100
"""Results in a folder."""


def measure(grounds: Grounds, quick: bool) -> list[Section]:
    """Have a look at ten thousand results, of fifty commits of code, of which a part is stale."""
    results, rounds = (1000, 3) if quick else (10_000, 5)
    lab = grounds.watched("anew")
    commits = [_release(lab, number) for number in range(50)]
    lab.git("update-ref", "refs/heads/runs", commits[-1], cwd=lab.code)
    _import(lab, commits, results)
    with counted_gits(lab.root / "trace") as gits:
        command(*WTWATCH, "queue", "rerun", "--stale", "--dry-run", cwd=lab.main)
    walls = interleaved({OURS: partial(_seconds, lab, True), GITS: partial(_seconds, lab, False)}, rounds)
    used = interleaved({OURS: partial(_processor, lab, True), GITS: partial(_processor, lab, False)}, rounds)
    goals = {OURS: [goal("≤ 2 s", median(walls[OURS]) <= 2000)]}
    started = Row("programs of git that it starts", str(gits()))
    return [
        Section(f"stale, {results:,} results, 50 commits of code", (*compared(walls, goals), started)),
        Section("the same, the processor's time", compared(used, {})),
    ]


def _release(lab: Lab, number: int) -> str:
    """Commit code: a script of its own, and a new line of what all of them share."""
    source = lab.code / "src"
    (source / f"m{number}.py").write_text(f"import shared\n\nx = {number}\n")
    if not number % 25:
        (source / "shared.py").write_text(f"x = {number}\n")
    lab.git("add", "src", cwd=lab.code)
    lab.git("commit", "--quiet", "-m", f"Code {number}", cwd=lab.code)
    return lab.commit("HEAD")


def _import(lab: Lab, commits: Sequence[str], results: int) -> None:
    """Have results on the run branch, a commit each as DataLad and wtwatch make it, all at once."""
    stream = "".join(_stream(lab.git("rev-parse", "runs"), commits, results)).encode()
    words = ("git", "fast-import", "--quiet", "--force")
    subprocess.run(words, cwd=lab.main, input=stream, check=True)
    plain = ("-c", "filter.annex.process=", "-c", "filter.annex.smudge=cat", "-c", "filter.annex.clean=cat")
    lab.git(*plain, "reset", "--quiet", "--hard", cwd=lab.run)


def _stream(head: str, commits: Sequence[str], results: int) -> Iterator[str]:
    yield f"reset refs/heads/runs\nfrom {head}\n\n"
    yield from _commit("data", 0)
    for number in range(results):
        yield _file(f"data/s{number // WIDTH}/d{number}.csv", f"{number}\n")
    yield "\n"
    for number in range(results):
        folder, code = number // WIDTH, commits[number * len(commits) // results]
        uses = {"files": [f"code/src/m{number % 50}.py", "code/src/shared.py"], "imported": ["code/src"]}
        record = {
            "chain": [],
            "cmd": f"python code/src/m{number % 50}.py {number}",
            "dsid": "8e1f1c9e-0000-4000-8000-000000000000",
            "exit": 0,
            "extra_inputs": [],
            "inputs": [f"data/s{folder}/d{number}.csv"],
            "outputs": [f"out/s{folder}/o{number}.txt"],
            "pwd": ".",
            "wtwatch": {"attempt": f"attempt-{number}", "code": code, "uses": uses},
        }
        text = MESSAGE.format(message=f"job {number}", record=json.dumps(record, indent=1))
        yield from _commit(text, number + 1)
        yield f"M 160000 {code} code\n"
        yield _file(f"out/s{folder}/o{number}.txt", f"{number % 10}\n") + "\n"


def _commit(message: str, second: int) -> Iterator[str]:
    yield f"commit refs/heads/runs\ncommitter Lab Author <lab@example.org> {1_700_000_000 + second} +0000\n"
    yield f"data {len(message.encode())}\n{message}\n"


def _file(path: str, text: str) -> str:
    return f"M 100644 inline {path}\ndata {len(text)}\n{text}\n"


def _seconds(lab: Lab, ours: bool) -> float:
    begin = time.perf_counter()
    _look(lab, ours)
    return time.perf_counter() - begin


def _processor(lab: Lab, ours: bool) -> float:
    begin = processor()
    _look(lab, ours)
    return processor() - begin


def _look(lab: Lab, ours: bool) -> None:
    if ours:
        command(*WTWATCH, "queue", "rerun", "--stale", "--dry-run", cwd=lab.main)
        return
    log = ("log", "--format=%H%n%B", "--raw", "-r", "-z", "--no-renames", "--no-abbrev", "runs")
    for words in (log, ("ls-tree", "-r", "-z", "--full-tree", "runs")):
        command("git", *words, cwd=lab.main)
