"""Each scenario once by DataLad and once by a job of wtwatch: the same commits, files, states and exit code.

First by wtwatch: what it wrote into the record, under a key of its own, DataLad is then given to write too,
with all that was measured; so a commit is the same to the last byte of its message, or it is another.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from difflib import unified_diff
from inspect import signature
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.equality.players import Play, Players
from tests.equality.scenarios import ORDINARY, SLOW, Differs, Scenario
from tests.equality.scene import FIXED, Scene
from tests.equality.stand import Stand, heads, new_commits, stand_of
from tests.room import sealed_env
from wtwatch.doors import fastrun
from wtwatch.doors.dataset import OUR_KEY, record_of
from wtwatch.doors.files import bell_in
from wtwatch.doors.repo import Repo
from wtwatch.job import lifecycle
from wtwatch.job.attempt import MARK, Folder, Order
from wtwatch.project.excludes import excludes_env
from wtwatch.project.jobenv import for_jobs
from wtwatch.words.model import JobSpec, Sha, moment

UUID = "8c0ffee0-0000-4000-8000-000000000000"
MEASURED = {"used", "uses"}
"""What a record has that was measured as the job ran, and so is another with each."""


class Table(NamedTuple):
    scene: Scene
    players: Players


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Iterator[Table]:
    """The datasets and the process that plays; each worker has its own, for all of its scenarios."""
    folder = tmp_path_factory.mktemp("equality")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in sealed_env(folder / "home", shared / "uv-cache", os.environ).items():
            patch.setenv(name, value)
        scene = Scene(folder / "scene")
        scene.build()
        with Players() as players:
            yield Table(scene, players)


class Played(NamedTuple):
    """What came of a play; ``said``: what wtwatch calls that."""

    stand: Stand
    log: str
    said: str = ""


def rows() -> list[Any]:
    ordinary = [pytest.param(row, id=row.name) for row in ORDINARY]
    return ordinary + [pytest.param(row, id=row.name, marks=pytest.mark.slow) for row in SLOW]


@pytest.mark.parametrize("row", rows())
def test_a_job_leaves_what_datalad_leaves(table: Table, row: Scenario, tmp_path: Path) -> None:
    compare(table, row, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in ORDINARY])
def test_so_does_one_that_goes_through_datalad_as_it_is(table: Table, row: Scenario, tmp_path: Path) -> None:
    compare(table, row, tmp_path, fast=False)


@pytest.mark.slow
def test_this_datalad_is_one_of_which_runs_can_go_in_parts(table: Table) -> None:
    assert fastrun.reason_against(table.scene.run) is None


@pytest.mark.slow
def test_datalad_itself_runs_again_what_a_job_made(table: Table, tmp_path: Path) -> None:
    command = "cat {inputs} >> {outputs}; echo 1 >> sub/deep/x.md"
    row = Scenario("", command, ("raw/absent.dat",), ("out/a.dat",), "Größe", before=("touch sub/deep/x.md",))
    scene, run = table.scene, table.scene.run
    scene.lay("base")
    since = heads(run)
    by_wtwatch(table, spec_of(scene, row)[0], since, tmp_path / "wtwatch")
    (made,) = new_commits(run, since[""])
    log = tmp_path / "log"
    assert table.players.play(play_of(scene, ("rerun",), log)) == 0, log.read_text()
    (_, again) = new_commits(run, since[""])
    record = record_of(run, again)
    assert record is not None and record["chain"] == [made] and OUR_KEY not in record
    assert (run / "out/a.dat").read_text() == "old a\n" + 2 * "raw absent\n"
    assert (run / "sub/deep/x.md").read_text() == "1\n1\n"
    assert Repo(run).git("status", "--porcelain", "-uall") == ""


def test_each_difference_that_stays_is_in_the_readme_with_its_reason() -> None:
    readme = " ".join((Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8").split())
    _, heading, section = readme.partition("## Where a result differs from `datalad run`")
    assert heading
    for row in (*ORDINARY, *SLOW):
        assert row.differs is None or row.differs.why in section


def compare(table: Table, row: Scenario, tmp_path: Path, fast: bool = True) -> None:
    """Play a row both ways, and compare."""
    set_up(table, row, tmp_path)
    since = heads(table.scene.run)
    spec, commit = spec_of(table.scene, row)
    table.scene.lay("set-up")
    ours, extra = by_wtwatch(table, spec, since, tmp_path / "wtwatch", fast)
    table.scene.lay("set-up")
    theirs = by_datalad(table, words_of(row, commit), extra, since, tmp_path / "datalad.log")
    print(f"--- by wtwatch: {ours.said}\n{ours.log}\n--- by datalad\n{theirs.log}")
    aspects = ours.stand.keys() | theirs.stand.keys()
    apart = {aspect for aspect in aspects if ours.stand.get(aspect) != theirs.stand.get(aspect)}
    expected = set(expected_of(row.differs) if row.differs and fast else ())
    shown = [line for aspect in sorted(apart ^ expected) for line in difference(aspect, ours, theirs)]
    assert apart == expected, "\n".join(shown)
    assert ours.said == row.ends


def expected_of(differs: Differs) -> tuple[str, ...]:
    """Return the aspects in which a difference shows on the DataLad that is installed."""
    import datalad.core.local.save

    merges = "since" in signature(datalad.core.local.save.Save.__call__).parameters
    return differs.aspects if merges or differs.older is None else differs.older


def difference(aspect: str, ours: Played, theirs: Played) -> list[str]:
    """Return the lines of an aspect that only one of two plays has: - DataLad's, + those of wtwatch."""
    lines = unified_diff(theirs.stand.get(aspect, []), ours.stand.get(aspect, []), n=0, lineterm="")
    return [f"{aspect} {line}" for line in lines if line[:2] not in ("--", "++", "@@")]


def set_up(table: Table, row: Scenario, tmp_path: Path) -> None:
    table.scene.lay("base")
    for step in row.before:
        if isinstance(step, str):
            table.scene.shell(step)
        else:
            log = tmp_path / "set-up.log"
            code = table.players.play(play_of(table.scene, step, log))
            assert code == 0 or "--on-failure" in step, log.read_text()
    table.scene.keep("set-up")


def spec_of(scene: Scene, row: Scenario) -> tuple[JobSpec, str]:
    commit = Sha(Repo(scene.run).git("rev-parse", row.rerun or "HEAD").strip())
    if row.rerun:
        return JobSpec("shown only", rerun_of=commit), commit
    return JobSpec(row.command, row.message, row.inputs, row.outputs, container=row.container), commit


def words_of(row: Scenario, commit: str) -> tuple[str, ...]:
    """Return the command line of DataLad for a row."""
    if row.rerun:
        return ("rerun", commit)
    verb = ("containers-run", "-n", row.container) if row.container else ("run",)
    declared = [word for path in row.inputs for word in ("-i", path)]
    declared += [word for path in row.outputs for word in ("-o", path)]
    message = ("-m", row.message) if row.message is not None else ()
    return (*verb, *message, *declared, row.command)


def play_of(scene: Scene, words: tuple[str, ...], log: Path, **facts: Any) -> Play:
    env = for_jobs(scene.tree) | FIXED | {"PWD": str(scene.run), "TMPDIR": os.environ["TMPDIR"]}
    return Play(
        job=facts.get("job", False),
        words=words,
        cwd=str(scene.run),
        env=env | facts.get("env", {}),
        log=str(log),
        extra=facts.get("extra", {}),
    )


def by_datalad(table: Table, words: tuple[str, ...], extra: Any, since: dict[str, str], log: Path) -> Played:
    code = table.players.play(play_of(table.scene, words, log, extra=extra))
    stand = stand_of(table.scene.run, since) | {"exit": [str(code % 256)]}
    return Played(stand, log.read_text(errors="replace"))


def by_wtwatch(
    table: Table, spec: JobSpec, since: dict[str, str], place: Path, fast: bool = True
) -> tuple[Played, Any]:
    """Play a row as the process of a job does it; return also what it added to the record."""
    scene, run = table.scene, table.scene.run
    folder, order = Folder(place / "jobs" / "1.1"), order_of(scene, spec, since)._replace(fast=fast)
    place.mkdir()
    folder.write_order(order)
    env = excludes_env(scene.tree) | {MARK: UUID}
    code = table.players.play(play_of(scene, (str(folder.path),), folder.log, job=True, env=env))
    result, log = folder.result(), folder.log.read_text(errors="replace")
    assert code == 0 and result is not None and result.began, log
    made = new_commits(run, since[""])
    assert list(result.commits) == made, log
    said = "failed" if result.exit or result.error else "succeeded" if made else "unchanged"
    extra = next(({OUR_KEY: record[OUR_KEY]} for record in records_of(run, since)), {})
    assert not extra or unmeasured(extra[OUR_KEY]) == {
        "attempt": UUID,
        "code": since["code"],
        "superdataset": since[""],
        "environment": ["digest"],
        "host": os.uname().nodename,
        "way": "in parts" if folder.plan() is not None else "as DataLad",
    }
    assert (folder.plan() is not None) is fast or result.exit == 1, "it went the way that is meant"
    stand = stand_of(run, since) | {"exit": [str((result.exit or 0) % 256)]}
    return Played(stand, f"{result.error}\n{log}", said), extra


def records_of(run: Path, since: dict[str, str]) -> list[dict[str, Any]]:
    """Return the records that a play made, in whatever dataset."""
    there = [path for path in since if os.path.lexists(run / path / ".git")]
    made = [(run / path, commit) for path in there for commit in new_commits(run / path, since[path])]
    return [record for record in (record_of(*one) for one in made) if record and OUR_KEY in record]


def unmeasured(ours: dict[str, Any]) -> dict[str, Any]:
    """Return what a record says under our key, without what was measured; of the environment the names."""
    told = {name: value for name, value in ours.items() if name not in MEASURED}
    return told | {"environment": sorted(told["environment"])}


def order_of(scene: Scene, spec: JobSpec, since: dict[str, str]) -> Order:
    tree, at = scene.tree, moment("2026-01-02T03:04:05.000000Z")
    demanded = lifecycle.demands(tree, spec, Sha(since["code"]))
    return Order(
        job=1,
        attempt=1,
        queued=at,
        uuid=UUID,
        at=at,
        run_tree=tree.path,
        code_path=tree.code_path,
        code_sha=demanded.code_sha,
        base=Sha(since[""]),
        bell=bell_in(Repo(tree.code_path).common_dir()),
        spec=spec,
        branch=demanded.branch,
        allowed=demanded.allowed,
        main_tree=tree.project.main_tree,
    )
