"""Where code is paths of the superdataset, each screen, and each way out, means these and no subdataset."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.bring.test_code_as_paths import run
from tests.conftest import Say
from tests.counting import programs
from tests.house import write
from tests.lab import eventually
from tests.pathhouse import PathHouse
from tests.views.test_glance import Seen
from wtwatch.home import merge
from wtwatch.job import origin
from wtwatch.project.listing import register
from wtwatch.queue.jobs import Queue
from wtwatch.reconcile import Done, TickOptions, tick
from wtwatch.setup import githooks, worktrees
from wtwatch.tree import codetree
from wtwatch.tree.concerns import concerns_jobs
from wtwatch.views import keeping, quick
from wtwatch.words.model import JobSpec, Trigger

OUT = JobSpec("cat code/a > out && git add out && git commit -qm out", plain=True)


@pytest.fixture
def house(tmp_path: Path) -> PathHouse:
    house = PathHouse(tmp_path)
    house.project.state.chmod(0o700)
    register(house.project.name, house.project.state)
    githooks.install(house.project.main_code)
    worktrees.lock([house.run], "run tree of the wtwatch project p")
    return house


def code_of(house: PathHouse, file: str) -> str | None:
    made = origin.of_file(house.project, house.run / file).made
    return made.code_sha if made else None


def test_a_file_names_the_release_that_it_was_made_on(house: PathHouse, say: Say) -> None:
    first = house.release()
    run(house, OUT)
    assert code_of(house, "out") == first
    house.save(code__a="v2\n")
    second = house.release()
    house.tick()
    house.save(in__b="2\n")
    house.tick(from_main=True)
    run(house, OUT._replace(command=OUT.command.replace("out", "out2")))
    house.save(code__a="v3\n")
    house.release()
    house.tick()
    assert (code_of(house, "out"), code_of(house, "out2")) == (first, second)
    merge.bring(house.project)
    assert (code_of(house, "out"), code_of(house, "out2")) == (first, second)
    assert second[:10] in say(house.main, "show", "./out2").out


def test_doctor_finds_all_well_and_code_that_was_written_or_is_kept_by_no_ref(
    house: PathHouse, say: Say
) -> None:
    house.save(code__a="v2\n")
    new = house.release()
    house.tick()

    def found() -> dict[str, tuple[bool, str]]:
        listed = json.loads(say(house.main, "doctor", "--json", code=1).out)["findings"]
        return {one["subject"]: (one["ok"], one["message"]) for one in listed}

    assert found()["code in the run tree"] == (True, "that of the release that is applied")
    assert found()["code of results"] == (True, "1 code commit named, all there")
    house.git("update-ref", "-d", f"refs/wtwatch/keep/{new}")
    house.git("update-ref", "-d", house.tree.applied_ref)
    house.git("reset", "-q", "--hard", "HEAD~1")
    house.git("branch", "-q", "-D", "runs-code")
    house.git("branch", "-q", "runs-code")
    assert "had no ref, and have one now" in found()["code of results"][1]
    assert house.git("rev-parse", f"refs/wtwatch/keep/{new}") == new
    house.git("update-ref", house.tree.applied_ref, new)
    house.job(code__a="hot fix\n")
    ok, said = found()["code in the run tree"]
    assert not ok and "code/a" in said


def test_documentation_within_code_starts_no_batch(house: PathHouse) -> None:
    old = house.release()
    for name in ("code__README", "code__docs__x", "code__more__x.md", "README", "other__x"):
        write(house.main, name.replace("__", "/"), f"{name}\n")
        new = house.save()
        assert not concerns_jobs(house.project, old, new), name
        old = new
    assert concerns_jobs(house.project, old, house.save(code__docsx="x\n"))


def test_while_a_batch_keeps_its_code_what_is_said_of_edits_is_a_way_out_that_works(house: PathHouse) -> None:
    queue = Queue(house.project.state)
    queue.add([JobSpec("true", plain=True), JobSpec("true", plain=True)], Trigger.NOW, house.release())
    assert house.tick(start_jobs=True).started
    eventually(lambda: house.tick().ended)
    house.job(code__a="mine\n")
    done = house.tick(start_jobs=True)
    assert done.started is None and "code/a" in (done.waits or "")
    assert "--detach" not in (done.hint or "") and f"checkout {house.release()} -- code/a" in (
        done.hint or ""
    )
    house.git("checkout", "-q", house.release(), "--", "code/a", cwd=house.run)
    house.git("commit", "-q", "-m", "back", cwd=house.run)
    assert house.tick(start_jobs=True).started


def test_the_environment_is_that_of_the_folder_of_code_also_before_the_tip(tmp_path: Path) -> None:
    house = PathHouse(tmp_path, environment="auto")
    house.save(code__requirements="x\n")
    tops = {entry.path for entry in codetree.tops(house.tree, house.release())}
    assert tops == {"a", "b", "requirements"}


def test_a_quiet_tick_starts_no_program_and_a_release_few(house: PathHouse) -> None:
    house.save(code__a="v2\n")
    house.release()
    house.tick()
    for text, worked, most in (("v3\n", False, 12), ("v4\n", False, 12), ("v5\n", True, 18)):
        if worked:
            house.job(out__x=text)
        house.save(code__a=text)
        house.release()
        with programs() as started:
            assert house.tick(start_jobs=True).moved
        assert len(started) <= most, started
        with programs() as started:
            assert tick(house.project, TickOptions(start_jobs=True)) == Done()
        assert started == []


@pytest.mark.parametrize("subdataset", [False, True])
def test_after_a_release_the_daemons_own_view_takes_one_program_and_none_again(
    house: PathHouse, subdataset: bool
) -> None:
    if subdataset:  # beside code; it is none of what a look at code has to know
        (house.main / "inputs").mkdir()
        house.git("update-index", "--add", "--cacheinfo", f"160000,{house.git('rev-parse', 'HEAD')},inputs")
        house.git("commit", "-q", "-m", "inputs")
    for text in ("v2\n", "v3\n"):
        house.save(code__a=text)
        house.release()
        assert house.tick().moved
        with programs() as started:
            seen = keeping.keep(house.project, os.getpid())
        assert not seen.shown.edited and seen.shown.results.ahead == 0
        assert len(started) <= 1, [" ".join(words[10:]) for words in started]
        with programs() as started:
            assert keeping.keep(house.project, os.getpid()).shown == seen.shown
        assert started == []


def test_a_project_at_rest_is_shown_from_what_the_daemon_left(
    house: PathHouse, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = Seen(house, monkeypatch, capsys)  # type: ignore[arg-type]
    assert seen.shows() and seen.shows("p")
    (house.run / "code" / "a").write_text("mine\n")  # no name comes or goes in the folder of code
    assert not seen.shows()
    assert quick._holding(house.project) is not None
    write(house.run, "code/a", "v1\n")
    house.save(code__a="v2\n")
    house.release()
    assert not seen.shows()
