"""`wtwatch queue load`: a batch from a file, the same file again, and a new subject at a move."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from tests.conftest import Say
from tests.house import House
from wtwatch.queue import batchfiles, changed
from wtwatch.queue.batches import Anew
from wtwatch.queue.jobs import Queue
from wtwatch.words.model import Ended, Job, Outcome, Running, Sha, Standing, now

TEXT = """\
message = "Plot {s}"
command = "plot {inputs} {outputs}"
inputs  = ["frames/{s}.pkl"]
outputs = ["plots/{s}"]
[each]
s = ["A", "B", "C"]
"""
STANDING = 'trigger = "every-move"\n' + TEXT.replace('["A", "B", "C"]', '{glob = "frames/{s}.pkl"}')


@pytest.fixture
def queue(house: House) -> Queue:
    add_data(house, "A", "B", "C")
    return Queue(house.project.state)


def add_data(house: House, *subjects: str) -> None:
    (house.project.run_tree / "frames").mkdir(exist_ok=True)
    for subject in subjects:
        (house.project.run_tree / "frames" / f"{subject}.pkl").touch()


def load(house: House, say: Say, text: str, *words: str, code: int = 0) -> str:
    """Load a batch of ``text``, from a file in the main tree's code, and return what was said."""
    (house.project.main_code / "plots.toml").write_text(text)
    said = say(house.project.main_tree, "queue", "load", "code/plots.toml", *words, code=code)
    return said.err if code else said.out


def of(jobs: list[Job], word: str = "waiting") -> list[str]:
    return [job.spec.values[0][1] for job in jobs if job.word == word]


def begin_next(queue: Queue, at: Sha) -> Job:
    job = queue.next_job()
    assert job is not None
    queue.begin(job.id, Running(now(), at, at, f"uuid-{job.id}"))
    return job


def end(queue: Queue, job: Job, at: Sha, outcome: Outcome = Outcome.SUCCEEDED) -> None:
    queue.end(job.id, Ended(now(), now(), at, outcome, 0))
    queue.note_cleared()


def move(house: House, queue: Queue, concerns: bool = True) -> list[int]:
    """Have the run tree be at another tip, as after a sync."""
    tip = house.commit({"a.py" if concerns else "README.md": f"{house.head(house.project.main_code)}\n"})
    look = lambda standing: batchfiles.look(standing, house.project)  # noqa: E731
    return queue.fire(tip, lambda _old, _new: concerns, look)


def test_a_dry_run_shows_each_job_with_what_it_is_made_of_and_queues_nothing(house: House, say: Say) -> None:
    out = load(house, say, TEXT.replace('"C"]', '"C"]\n[env]\nN = "{s}"'), "--dry-run")
    assert out.splitlines()[:9] == [
        "plots, from code/plots.toml",
        "   s: 3 values",
        "1  Plot A",
        "   plot frames/A.pkl plots/A",
        "   of s = A",
        "   needs frames/A.pkl",
        "   makes plots/A",
        "   with N set",
        "2  Plot B",
    ]
    assert out.endswith("That would be 3 jobs; nothing was queued.\n")
    assert not Queue(house.project.state).file.exists()


def test_a_file_is_queued_as_a_batch_and_its_fault_queues_nothing(
    house: House, say: Say, queue: Queue
) -> None:
    out = load(house, say, TEXT, "--first", "1")
    assert out.startswith("plots: jobs 1-3 in batch 1, next in line.\n") and of(queue.jobs()) == [
        "A",
        "B",
        "C",
    ]
    err = load(house, say, TEXT.replace("plots/{s}", "plots"), code=2)
    assert "code/plots.toml, line 4, outputs: more than one of its 3 jobs makes 'plots'" in err
    assert of(queue.jobs()) == ["A", "B", "C"]


def test_the_same_file_again_replaces_what_waits_and_leaves_what_runs_or_is_over(
    house: House, say: Say, queue: Queue
) -> None:
    at = house.head()
    load(house, say, TEXT)
    end(queue, begin_next(queue, at), at)
    begin_next(queue, at)
    assert "plots: unchanged" in load(house, say, f"# only a remark\n{TEXT}")
    out = load(house, say, TEXT.replace('"C"', '"D", "E"'))
    assert "plots: jobs 4-5 in batch 2" in out and "1 job that waited was replaced." in out
    assert "Not queued again: 2 jobs that ran or runs on this code" in " ".join(out.split())
    assert (of(queue.jobs()), of(queue.jobs(), "running")) == (["D", "E"], ["B"])
    assert of(queue.jobs(), "succeeded") == ["A"] and of(queue.jobs(), "cancelled") == ["C"]
    load(house, say, TEXT.replace('"C"', '"F"'))
    assert of(queue.jobs()) == ["F"] and of(queue.jobs(), "cancelled") == ["D", "E"], "the newest alone"


def test_what_ran_on_older_code_is_queued_again_and_what_was_taken_back_too(
    house: House, say: Say, queue: Queue
) -> None:
    at = house.head()
    load(house, say, TEXT)
    for _ in "AB":
        end(queue, begin_next(queue, at), at)
    queue.cancel([3])
    assert "job 4 in batch 2" in load(house, say, TEXT)
    assert of(queue.jobs()) == ["C"]
    assert "plots: unchanged" in load(house, say, TEXT)
    house.commit({"a.py": "new\n"})
    assert "jobs 5-7 in batch 3" in load(house, say, TEXT)


def test_of_a_batch_under_way_nothing_is_queued_again_though_the_bookmark_moved(
    house: House, say: Say, queue: Queue
) -> None:
    at = house.head()
    load(house, say, TEXT)
    end(queue, begin_next(queue, at), at)
    house.commit({"a.py": "new\n"})
    assert "plots: unchanged" in load(house, say, TEXT)
    load(house, say, TEXT.replace('"C"', '"D"'))
    assert of(queue.jobs()) == ["B", "D"]


def test_what_gave_way_to_a_move_is_still_of_its_file(house: House, say: Say, queue: Queue) -> None:
    at = house.head()
    load(house, say, TEXT, "--first", "2")
    end(queue, begin_next(queue, at), at)
    assert queue.pass_on(1, stop=False).batch == 2
    load(house, say, TEXT.replace('"C"', '"D"'))
    assert of(queue.jobs()) == ["B", "D"] and of(queue.jobs(), "cancelled") == ["B", "C"]


def test_an_order_for_the_next_move_waits_for_it_though_it_is_loaded_anew(
    house: House, say: Say, queue: Queue
) -> None:
    text = f'trigger = "on-move"\n{TEXT}'
    assert "after the next move of runs" in load(house, say, text)
    assert "plots: unchanged" in load(house, say, text)
    load(house, say, text.replace('"C"', '"D"'))
    assert queue.next_job() is None and of(queue.jobs()) == ["A", "B", "D"]
    assert move(house, queue) == [2]
    load(house, say, text)
    assert of(queue.jobs()) == ["A", "B", "C"] and queue.next_job() is not None, "its move has been"


def test_a_standing_order_is_replaced_in_its_place_with_what_waits_of_it(
    house: House, say: Say, queue: Queue
) -> None:
    at = house.head()
    assert "plots: standing s1, 3 jobs" in load(house, say, STANDING)
    assert "plots: unchanged" in load(house, say, STANDING)
    assert move(house, queue) == [1]
    end(queue, begin_next(queue, at), at)
    load(house, say, STANDING.replace("Plot", "Draw"))
    (standing,) = queue.standing()
    assert standing.id == 1 and standing.specs[0].message == "Draw A"
    waiting = [job.spec.message for job in queue.jobs() if job.word == "waiting"]
    assert waiting == ["Draw A", "Draw B", "Draw C"]
    load(house, say, TEXT)
    assert queue.standing() == [] and of(queue.jobs()) == ["A", "B", "C"]


def test_a_new_subject_starts_its_jobs_at_a_move_its_own_alone_if_code_is_the_same(
    house: House, say: Say, queue: Queue
) -> None:
    at = house.head()
    load(house, say, STANDING)
    add_data(house, "D")
    (batch,) = move(house, queue)
    assert of(queue.jobs(batch)) == ["A", "B", "C", "D"]
    while queue.next_job():
        end(queue, begin_next(queue, at), at)
    assert move(house, queue, concerns=False) == []
    add_data(house, "E", "$(reboot)")
    (batch,) = move(house, queue, concerns=False)
    assert of(queue.jobs(batch)) == ["E"] and len(queue.standing()[0].specs) == 5
    assert "$(reboot)" in (queue.loaded()[0].said or "")
    add_data(house, "F")
    (batch,) = move(house, queue, concerns=False)
    assert of(queue.jobs()) == ["A", "B", "C", "D", "E", "F"], "what has not started is not forgotten"
    (house.project.run_tree / "frames/A.pkl").unlink()
    (batch,) = move(house, queue)
    assert of(queue.jobs(batch)) == ["B", "C", "D", "E", "F"]


def test_of_an_order_for_what_a_move_touches_those_jobs_alone_start(
    house: House, say: Say, queue: Queue
) -> None:
    load(house, say, f"stale = true\n{STANDING}")
    (standing,) = queue.standing()
    assert all(spec.if_stale for spec in standing.specs)
    tip = house.commit({"a.py": "new\n"})

    def look(known: Standing) -> Anew | None:
        seen = batchfiles.look(known, house.project)
        return seen and seen._replace(start=seen.specs[1:2])

    (batch,) = queue.fire(tip, lambda _old, _new: True, look)
    assert of(queue.jobs(batch)) == ["B"] and len(queue.standing()[0].specs) == 3


def test_a_loaded_file_that_changed_since_is_known_until_it_is_loaded_again(
    house: House, say: Say, queue: Queue
) -> None:
    listed = TEXT.replace('["A", "B", "C"]', '{file = "subjects.txt"}')
    names = house.project.main_code / "subjects.txt"
    names.write_text("A\nB\n")
    load(house, say, listed)
    (file,) = queue.loaded()
    assert (file.path, file.lists) == ("code/plots.toml", ("subjects.txt",))
    assert not changed.has_changed(file, house.project)
    names.write_text("A\nB\nC\n")
    assert changed.has_changed(file, house.project)
    said = say(house.project.main_tree, "status", code=1).out
    assert "! code/plots.toml changed since it was loaded" in said
    assert f"→ wtwatch queue load {house.project.main_code}/plots.toml" in " ".join(said.split())
    load(house, say, listed)
    assert of(queue.jobs()) == ["A", "B", "C"]
    assert not changed.has_changed(queue.loaded()[0], house.project)
    (house.project.main_code / "plots.toml").unlink()
    assert changed.has_changed(queue.loaded()[0], house.project)
    assert (
        "! code/plots.toml, which was loaded, is gone" in say(house.project.main_tree, "status", code=1).out
    )
    queue.cancel([job.id for job in queue.jobs() if job.word == "waiting"])
    assert queue.loaded() == []


def test_a_file_that_cannot_be_read_is_said_so(house: House, say: Say) -> None:
    said = say(house.project.main_tree, "queue", "load", "nope.toml", code=2)
    assert "Cannot read nope.toml: No such file" in said.err
    assert "wtwatch queue load FILE.toml" in said.err


README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def shown_after(words: str) -> str:
    """Return the next block of the README after some words, without its margin."""
    rest = README.split(f"{words}\n", 1)[1].lstrip("\n")
    return (
        textwrap.dedent(re.split(r"^(?:    \$ |\S)", rest, maxsplit=1, flags=re.MULTILINE)[0]).rstrip() + "\n"
    )


def test_the_readme_s_script_as_a_file_makes_the_jobs_that_it_shows(house: House, say: Say) -> None:
    main, name = house.project.main_tree, "code/pipelines/plots.toml"
    script, text = shown_after("in `code/` or anywhere. This one"), shown_after(f"is, as `{name}`,")
    subjects, drugs = (found.split() for found in re.findall(r"\((\d[^)]*|K[^)]*)\)", script.splitlines()[0]))
    for subject in subjects:
        (house.project.run_tree / "04_dataframes" / subject).mkdir(parents=True)
    (main / name).parent.mkdir()
    (main / name).write_text(text)
    out = say(main, "queue", "load", "--dry-run", name).out
    dry, after = shown_after(f"    $ wtwatch queue load --dry-run {name}"), "…\n"
    assert dry.endswith(after) and out.startswith(dry.removesuffix(after))
    assert say(main, "queue", "load", name).out == shown_after(f"    $ wtwatch queue load {name}")
    (standing,) = Queue(house.project.state).standing()
    assert [spec.message for spec in standing.specs] == [
        f"Plot {s}, {d}" for s in subjects for d in drugs if f"{s} {d}" != "240226I Saline"
    ]
    first = standing.specs[0]
    assert first.command in script and first.setenv == (("PLOT_N", "4"),)
    for option, path in (("-i", first.inputs[0]), ("-i", first.inputs[1]), ("-o", first.outputs[0])):
        assert f'{option} "{path.replace("240226I", "$s").replace("Ketamine", "$d")}"' in script
