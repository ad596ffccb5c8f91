"""An environment that a set-up left half made is used by no job, and made whole on the way that is said."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tests.house import House
from tests.lab import eventually
from tests.pathhouse import PathHouse
from tests.tally import Kills
from tests.tree.environment.test_upkeep import killed, own
from wtwatch.project.config import write_project
from wtwatch.project.tree import RunTree
from wtwatch.queue.jobs import Queue
from wtwatch.tree import environment
from wtwatch.tree.environment import Verdict, stamps
from wtwatch.views import status
from wtwatch.words.errors import Busy
from wtwatch.words.model import EnvironmentState as State
from wtwatch.words.model import Freshness, JobSpec, Trigger

MADE = f"mkdir -p .venv/bin && ln -sf {sys.executable} .venv/bin/python && touch .venv/pyvenv.cfg .venv/whole"
"""What makes an environment, or makes one whole again."""

GATED = f"mkdir .venv; touch ../begun; while [ ! -e ../go ]; do sleep 0.02; done; {MADE}"


def test_one_that_is_made_anew_and_cut_off_is_not_taken_for_the_one_before(
    tmp_path: Path, kills: Kills
) -> None:
    house = House.built(tmp_path / "p", environment="auto")
    project = own(house, GATED)
    tree, go, begun = RunTree.of(project), project.run_tree / "go", project.run_tree / "begun"
    go.touch()
    assert environment.set_up(tree, "", Verdict(State.MISSING)).ready
    go.unlink()
    begun.unlink()
    shutil.rmtree(tree.prefix)  # by hand, so it is made once more for the same requirements
    killed(project, GATED, State.MISSING)
    with kills.survived("the first environment half made"):
        assert tree.prefix.is_dir() and not (tree.prefix / "whole").exists()
        assert environment.noted(tree, "") == Verdict(State.STALE, "its set-up was cut off")
        go.touch()

        def done() -> bool:
            try:
                return environment.set_up(tree, "", Verdict(State.STALE)).ready
            except Busy:
                return False

        eventually(done)
        assert environment.noted(tree, "") == Verdict(State.OK)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ends", "limit", "why"),
    [
        ("echo no space left; exit 3", 60.0, "ended with 3: no space left"),
        ("kill -9 $$", 60.0, "ended with -9"),
        ("sleep 60", 1.5, "was not done after 1.5 s (env_limit), and was ended"),
    ],
)
def test_no_job_starts_on_one_that_a_set_up_left_half_way(
    tmp_path: Path, ends: str, limit: float, why: str
) -> None:
    ok = tmp_path / "ok"
    command = f"if [ -e {ok} ]; then {MADE}; else rm -f .venv/whole; {ends}; fi"
    house = PathHouse(tmp_path)
    house.project = house.project._replace(environment=command, env_files=("want",))
    write_project(house.project)
    ok.touch()
    house.save("wants", None, **{"code__want": "1\n", ".gitignore": ".venv\n"})
    house.release()
    assert house.tick().waits is None and house.here("code/.venv/whole") == ""
    ok.unlink()
    patient, house.project = house.project, house.project._replace(env_limit=limit)
    house.save(code__want="2\n")
    tip = house.release()
    queue = Queue(house.project.state)
    (job,) = queue.add([JobSpec("test -e code/.venv/whole", plain=True)], Trigger.NOW, tip)
    for _ in range(2):
        done = house.tick(start_jobs=True)
        assert (
            done.started is None and why in str(done.waits) and done.hint == "Mend it, then `wtwatch sync`."
        )
    assert queue.job(job.id).word == "waiting" and house.here("code/.venv/whole") is None
    shown = status.describe(house.project)
    assert shown.environment.state is State.BROKEN and why in str(shown.environment.detail)
    assert shown.standpoint.freshness is Freshness.BLOCKED and shown.standpoint.hint == done.hint
    ok.touch()
    house.project = patient
    assert house.tick(start_jobs=True, hurry=True).waits is None
    eventually(lambda: [house.tick(start_jobs=True), queue.job(job.id).word == "succeeded"][-1])


@pytest.mark.slow
def test_while_something_hinders_a_batch_its_environment_is_not_looked_at_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = PathHouse(tmp_path)
    house.project = house.project._replace(environment=MADE, env_files=("want",))
    write_project(house.project)
    house.save("wants", None, **{"code__want": "1\n", ".gitignore": ".venv\n"})
    tip = house.release()
    assert house.tick().waits is None
    looks, altered = list[RunTree](), stamps.altered

    def counted(tree: RunTree) -> list[str]:
        looks.append(tree)
        return altered(tree)

    monkeypatch.setattr(stamps, "altered", counted)
    queue = Queue(house.project.state)
    (job,) = queue.add([JobSpec("test -x code/.venv/bin/python", plain=True)], Trigger.NOW, tip)
    (house.run / "in/a").write_text("an edit\n")
    for _ in range(3):
        assert "in/a" in str(house.tick(start_jobs=True).waits)
    assert looks == []
    (house.run / "in/a").write_text("1\n")
    (house.run / "code/.venv/bin/python").unlink()  # by hand, which is seen as the batch starts
    assert house.tick(start_jobs=True).started is not None
    eventually(lambda: [house.tick(start_jobs=True), queue.job(job.id).word == "succeeded"][-1])
