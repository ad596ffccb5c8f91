"""What main has and the run tree lacks comes between batches, and never over what lies in the run tree."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conftest import Say
from tests.gits import counted_gits
from tests.house import House, write
from tests.lab import eventually
from wtwatch import reconcile
from wtwatch.bring import carry, steps
from wtwatch.doors.repo import Repo
from wtwatch.home import merge
from wtwatch.project.config import write_project
from wtwatch.queue.jobs import Queue
from wtwatch.reconcile import TickOptions, tick
from wtwatch.setup.nested import complete
from wtwatch.tree import ending, nested, save
from wtwatch.views import status
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import JobSpec, Sha, Trigger

NOW = TickOptions(from_main=True)


@pytest.fixture
def project_house(tmp_path: Path) -> House:
    """A house whose project is known, and whose run tree was looked at once."""
    house = House.built(tmp_path)
    house.git("config", "user.name", "L", cwd=house.project.main_tree)
    house.git("config", "user.email", "l@example.org", cwd=house.project.main_tree)
    write_project(house.project)
    tick(house.project, TickOptions())
    return house


def main_has(house: House, message: str = "from her desk", **files: str | None) -> Sha:
    """Commit files in the main tree's superdataset; a name's ``__`` stands for a slash."""
    top = house.project.main_tree
    for name, text in files.items():
        path = name.replace("__", "/")
        write(top, path, text)
        house.git("add", "-A", "--", path, cwd=top)
    house.git("commit", "-q", "-m", message, cwd=top)
    return house.head(top)


def job_wrote(house: House, **files: str | None) -> Sha:
    top = house.project.run_tree
    for name, text in files.items():
        path = name.replace("__", "/")
        write(top, path, text)
        house.git("add", "-A", "--", path, cwd=top)
    house.git("commit", "-q", "-m", "[DATALAD RUNCMD] a job", cwd=top)
    return house.head(top)


def text(house: House, path: str) -> str | None:
    file = house.project.run_tree / path
    return file.read_text() if file.exists() else None


def clean(house: House) -> bool:
    return house.git("status", "--porcelain", cwd=house.project.run_tree) == ""


def test_a_new_input_comes_with_the_next_move_of_code(project_house: House) -> None:
    house = project_house
    main_has(house, in__b="2\n")
    assert tick(house.project, TickOptions()).brought == 0, "code did not move"
    house.commit({"a.py": "a = 2\n"})
    assert tick(house.project, TickOptions()).brought == 1
    assert text(house, "in/b") == "2\n" and clean(house)
    assert tick(house.project, TickOptions()) == reconcile.Done()


def test_a_new_input_comes_when_it_is_asked_for(project_house: House) -> None:
    house = project_house
    main_has(house, in__b="2\n")
    assert tick(house.project, NOW).brought == 1
    assert text(house, "in/b") == "2\n" and clean(house)
    assert tick(house.project, NOW).brought == 0


def test_what_came_stays_when_code_moves_again_before_any_job(project_house: House) -> None:
    house = project_house
    for number in ("1", "2", "3"):
        main_has(house, in__a=number, **{f"in__{number}": number})
        house.commit({"a.py": f"a = {number}\n"})
        assert tick(house.project, TickOptions()).brought == 2
        assert house.git("show", "HEAD:in/a", cwd=house.project.run_tree) == number and clean(house)
    assert [text(house, f"in/{number}") for number in ("1", "2", "3")] == ["1", "2", "3"]


def test_with_from_main_ask_a_move_leaves_what_main_has_there(project_house: House) -> None:
    asking = project_house.project._replace(from_main="ask")
    main_has(project_house, in__b="2\n")
    project_house.commit({"a.py": "a = 2\n"})
    assert tick(asking, TickOptions()).brought == 0
    assert tick(asking, NOW).brought == 1


def test_code_comes_by_a_release_alone(project_house: House) -> None:
    """Main's pointer is at a draft; what comes from main leaves code and its pointer where they are."""
    house = project_house
    applied = house.head()
    draft = house.commit({"a.py": "a = 'draft'\n"}, bookmark=False)
    house.git("update-index", "--cacheinfo", f"160000,{draft},code", cwd=house.project.main_tree)
    main_has(house, in__b="2\n")
    assert tick(house.project, NOW).brought == 1
    assert house.head() == applied == save.pointer_of(house.tree).recorded
    assert text(house, "code/a.py") == "a = 1\n"


def test_results_stay_and_go_home_over_what_main_changed_since(project_house: House) -> None:
    """A merge would find in/a changed on both sides."""
    house = project_house
    main_has(house, in__a="1\n")
    tick(house.project, NOW)
    job_wrote(house, out__a="of 1\n")
    main_has(house, in__a="2\n")
    report = merge.bring(house.project)
    top = house.project.main_tree
    assert (top / "in/a").read_text() == "2\n" and (top / "out/a").read_text() == "of 1\n"
    assert report.files == 1 and report.jobs == 1
    assert tick(house.project, NOW).brought == 1
    assert text(house, "in/a") == "2\n" and text(house, "out/a") == "of 1\n" and clean(house)
    assert merge.bring(house.project).steps == ()


def test_an_input_that_main_dropped_does_not_come_back_with_a_merge(project_house: House) -> None:
    house = project_house
    main_has(house, in__secret="s\n")
    tick(house.project, NOW)
    house.git("reset", "-q", "--hard", "HEAD~1", cwd=house.project.main_tree)
    main_has(house, in__b="2\n")
    job_wrote(house, out__a="1\n")
    merge.bring(house.project)
    assert not (house.project.main_tree / "in/secret").exists()
    assert (house.project.main_tree / "out/a").read_text() == "1\n"


@pytest.mark.parametrize("kind", ["edited", "untracked", "ignored"])
def test_what_lies_in_the_way_in_the_run_tree_is_named_and_stays(project_house: House, kind: str) -> None:
    house = project_house
    if kind == "edited":
        main_has(house, in__b="1\n")
        tick(house.project, NOW)
    main_has(house, in__b="2\n")
    if kind == "ignored":
        (house.project.main_tree / ".git/info/exclude").write_text("in/\n")
    write(house.project.run_tree, "in/b", "mine\n")
    done = tick(house.project, NOW)
    assert done.unbrought is not None and "in/b" in done.unbrought[0]
    assert text(house, "in/b") == "mine\n"
    (house.project.run_tree / "in/b").unlink()
    if kind == "edited":
        house.git("checkout", "-q", "--", "in/b", cwd=house.project.run_tree)
    assert tick(house.project, NOW).brought == 1
    assert text(house, "in/b") == "2\n"


def test_what_cannot_come_holds_up_neither_code_nor_jobs(project_house: House) -> None:
    house = project_house
    job_wrote(house, out__f="the job's\n")
    main_has(house, out__f="by hand\n", in__b="2\n")
    new = house.commit({"a.py": "a = 2\n"})
    project = house.project._replace(settle=0.0)
    Queue(project.state).add([JobSpec("true", plain=True)], Trigger.ON_MOVE, house.head())
    done = tick(project, TickOptions())
    assert done.unbrought is not None and "out/f" in done.unbrought[0]
    house.assert_exactly_at(new)
    assert done.fired and done.waits is None
    assert text(house, "out/f") == "the job's\n" and text(house, "in/b") is None


def test_nothing_comes_within_a_batch(project_house: House, say: Say) -> None:
    house = project_house
    project = house.project._replace(settle=0.0)
    queue = Queue(project.state)
    queue.add([JobSpec("true", plain=True), JobSpec("true", plain=True)], Trigger.NOW, house.head())
    started = tick(project, TickOptions(start_jobs=True)).started
    assert started is not None
    main_has(house, in__b="2\n")
    assert tick(project, NOW).brought == 0 and text(house, "in/b") is None
    assert queue.under_way() is not None


def test_nothing_comes_from_another_branch_than_the_noted_one(project_house: House) -> None:
    house = project_house
    project = house.project._replace(main_branch="main")
    house.git("switch", "-q", "-c", "draft", cwd=project.main_tree)
    main_has(house, in__b="2\n")
    assert tick(project, NOW).brought == 0
    house.git("switch", "-q", "main", cwd=project.main_tree)
    house.git("merge", "-q", "draft", cwd=project.main_tree)
    assert tick(project, NOW).brought == 1


def subdataset(house: House, path: str = "in/sub") -> Path:
    """Make a subdataset in the main tree, saved there, and return its place."""
    place = house.project.main_tree / path
    place.mkdir(parents=True)
    house.git("init", "-q", "-b", "main", cwd=place)
    (place / "x").write_text("1\n")
    save_below(house, path)
    return place


def save_below(house: House, path: str) -> Sha:
    place = house.project.main_tree / path
    house.git("add", "-A", cwd=place)
    house.git("commit", "-q", "-m", "more", cwd=place)
    made = house.head(place)
    house.git("update-index", "--add", "--cacheinfo", f"160000,{made},{path}", cwd=house.project.main_tree)
    house.git("commit", "-q", "-m", f"{path} at {made[:7]}", cwd=house.project.main_tree)
    return made


def test_a_new_subdataset_whose_git_annex_was_killed_before_it_linked_it_anew_comes(
    project_house: House,
) -> None:
    house = project_house
    subdataset(house)
    tick(house.project, NOW)
    ours = house.project.run_tree / "in/sub"
    own = Repo(ours).git_dir()
    (own / "locked").write_text("wtwatch is making this worktree\n")  # as it is while that goes on
    (own / "index").rename(own / "index.lock")
    (ours / ".git").unlink()
    complete(house.project)
    assert house.git("status", "--porcelain", cwd=ours) == "" and house.head(ours)


def test_a_subdataset_that_main_adds_and_updates_follows(project_house: House) -> None:
    house = project_house
    place = subdataset(house)
    assert tick(house.project, NOW).brought == 1
    ours = house.project.run_tree / "in/sub"
    assert (ours / "x").read_text() == "1\n" and Repo(ours).branch() == house.project.bookmark
    (place / "x").write_text("2\n")
    new = save_below(house, "in/sub")
    assert status.describe(house.project).results.subdatasets == ("in/sub",), "named while it is behind"
    assert tick(house.project, NOW).brought == 1
    assert (ours / "x").read_text() == "2\n" and house.head(ours) == new and clean(house)


def test_a_subdataset_that_is_installed_in_main_later_is_there_for_the_job_that_waited_for_it(
    project_house: House,
) -> None:
    house = project_house
    place, away = subdataset(house), house.project.main_tree.parent / "not installed"
    place.rename(away)
    place.mkdir()
    assert tick(house.project, NOW).brought == 1 and not (house.project.run_tree / "in/sub/.git").exists()
    queue, work = Queue(house.project.state), TickOptions(start_jobs=True)
    spec = JobSpec("cat in/sub/x", inputs=("in/sub/x",), plain=True)
    (job,) = queue.add([spec], Trigger.NOW, house.head())
    done = tick(house.project, work)
    assert done.waits is not None and "`datalad get -n in/sub`" in done.waits
    place.rmdir()
    away.rename(place)

    def over() -> bool:
        tick(house.project, work)
        return queue.job(job.id).word == "succeeded"

    eventually(over)
    ours = house.project.run_tree / "in/sub"
    assert Repo(ours).branch() == house.project.bookmark and house.head(ours) == house.head(place)


@pytest.mark.slow
def test_one_that_cannot_be_had_keeps_only_those_jobs_waiting_that_need_it_and_says_why(
    project_house: House,
) -> None:
    house = project_house
    place, away = subdataset(house), house.project.main_tree.parent / "not installed"
    place.rename(away)
    place.mkdir()
    tick(house.project, NOW)
    place.rmdir()
    house.git("init", "-q", str(place), cwd=house.project.main_tree)
    queue, work = Queue(house.project.state), TickOptions(start_jobs=True)
    specs = [JobSpec("true", plain=True), JobSpec("true", inputs=("in/sub/x",), plain=True)]
    jobs = queue.add(specs, Trigger.NOW, house.head())

    def waits() -> str | None:
        done = tick(house.project, work)
        return done.hint if done.waits and "in/sub/x" in done.waits else None

    assert f"datalad update -d {place}" in (eventually(waits) or "")
    assert [queue.job(job.id).word for job in jobs] == ["succeeded", "waiting"]


def test_a_subdataset_that_a_job_and_main_both_changed_has_both(project_house: House) -> None:
    house = project_house
    place = subdataset(house)
    tick(house.project, NOW)
    ours = house.project.run_tree / "in/sub"
    for name, value in (("user.name", "L"), ("user.email", "l@example.org")):
        house.git("config", name, value, cwd=place)
    (ours / "made").write_text("the job's\n")
    house.git("add", "-A", cwd=ours)
    house.git("commit", "-q", "-m", "made", cwd=ours)
    house.git("add", "in/sub", cwd=house.project.run_tree)
    house.git("commit", "-q", "-m", "[DATALAD RUNCMD] made", cwd=house.project.run_tree)
    (place / "x").write_text("2\n")
    save_below(house, "in/sub")
    assert tick(house.project, NOW).brought == 1
    assert (ours / "x").read_text() == "2\n" and (ours / "made").read_text() == "the job's\n"
    assert clean(house) and Repo(ours).branch() == house.project.bookmark


def saved_up(house: House, top: Path, *paths: str) -> None:
    """Commit all in nested subdatasets of a tree, the deepest first, and in the tree itself that they did."""
    for path in paths:
        house.git("-c", "advice.addEmbeddedRepo=false", "add", "-A", cwd=top / path)
        house.git("commit", "-q", "-m", "more", cwd=top / path)
    house.git("add", paths[-1], cwd=top)
    house.git("commit", "-q", "-m", "[DATALAD RUNCMD] subdatasets", cwd=top)


@pytest.mark.parametrize("paths", [("in/sub",), ("in/sub/deep", "in/sub")], ids=["at the top", "deep inside"])
def test_what_main_dropped_in_a_subdataset_that_both_changed_does_not_come_back(
    project_house: House, paths: tuple[str, ...]
) -> None:
    house, main, run = project_house, project_house.project.main_tree, project_house.project.run_tree
    for path in reversed(paths):
        (main / path).mkdir(parents=True)
        house.git("init", "-q", "-b", "main", cwd=main / path)
        for name, value in (("user.name", "L"), ("user.email", "l@example.org")):
            house.git("config", name, value, cwd=main / path)
        (main / path / "x").write_text("1\n")
    saved_up(house, main, *paths)
    tick(house.project, NOW)
    (run / paths[0] / "made").write_text("the job's\n")
    saved_up(house, run, *paths)
    (main / paths[0] / "x").write_text("2\n")
    (main / paths[0] / "dropped").write_text("1\n")
    saved_up(house, main, *paths)
    assert tick(house.project, NOW).brought == 1 and (run / paths[0] / "dropped").exists()
    (run / paths[0] / "made").write_text("the job's, later\n")
    saved_up(house, run, *paths)
    (main / paths[0] / "dropped").unlink()
    (main / paths[0] / "x").write_text("3\n")
    saved_up(house, main, *paths)
    sides = [house.head(tree / paths[0]) for tree in (main, run)]
    merge.bring(house.project)
    assert house.git("log", "-1", "--format=%P", cwd=main / paths[0]).split() == sides
    found = {file.name: file.read_text() for file in (main / paths[0]).iterdir() if file.is_file()}
    assert (found, house.git("status", "--porcelain", cwd=main)) == (
        {"x": "3\n", "made": "the job's, later\n"},
        "",
    )
    assert merge.foreseen(house.project).nothing


def test_a_subdataset_whose_history_main_rewrote_follows_and_what_results_name_is_kept(
    project_house: House,
) -> None:
    house = project_house
    place = subdataset(house)
    tick(house.project, NOW)
    (place / "x").write_text("2\n")
    named = save_below(house, "in/sub")
    tick(house.project, NOW)
    house.git("reset", "-q", "--hard", "HEAD~1", cwd=place)
    (place / "x").write_text("3\n")
    new = save_below(house, "in/sub")
    assert tick(house.project, NOW).brought == 1
    ours = house.project.run_tree / "in/sub"
    assert house.head(ours) == new and (ours / "x").read_text() == "3\n" and clean(house)
    house.git("reflog", "expire", "--expire=all", "--all", cwd=place)
    house.git("gc", "-q", "--prune=now", cwd=place)
    assert Repo(place).resolve(named) == named


def test_a_subdataset_that_main_removed_is_set_aside_with_all_that_is_in_it(project_house: House) -> None:
    house = project_house
    subdataset(house)
    tick(house.project, NOW)
    ours = house.project.run_tree / "in/sub"
    (ours / "mine").write_text("not in git\n")
    house.git("rm", "-q", "--cached", "in/sub", cwd=house.project.main_tree)
    house.git("commit", "-q", "-m", "without", cwd=house.project.main_tree)
    assert tick(house.project, NOW).brought == 1
    assert not ours.exists() and clean(house)
    [kept] = house.tree.shelf.glob("removed/*/in/sub")
    assert (kept / "mine").read_text() == "not in git\n"
    assert house.git("status", "--porcelain", cwd=kept) == "?? mine", "it is still a worktree"


@pytest.mark.parametrize("cut", ["before", "after the files", "after HEAD"])
def test_a_bring_that_was_cut_off_is_gone_on_with(
    project_house: House, cut: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = project_house
    place = subdataset(house)
    tick(house.project, NOW)
    (place / "x").write_text("2\n")
    save_below(house, "in/sub")
    main_has(house, in__b="2\n")

    class Killed(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise Killed

    if cut == "before":
        monkeypatch.setattr(carry, "_check_out", die)
    elif cut == "after the files":
        monkeypatch.setattr(ending, "fill_in", die)
    else:
        monkeypatch.setattr(nested, "lacks_some", die)
    with pytest.raises(Killed):
        tick(house.project, NOW)
    monkeypatch.undo()
    tick(house.project, TickOptions())
    assert text(house, "in/b") == "2\n" and text(house, "in/sub/x") == "2\n" and clean(house)
    assert carry.journal(house.tree).read() is None


def test_a_subdataset_that_somebody_took_elsewhere_is_named(project_house: House) -> None:
    house = project_house
    place = subdataset(house)
    tick(house.project, NOW)
    ours = house.project.run_tree / "in/sub"
    house.git("checkout", "-q", "--detach", cwd=ours)
    (place / "x").write_text("2\n")
    save_below(house, "in/sub")
    done = tick(house.project, NOW)
    assert done.unbrought is not None and "in/sub" in done.unbrought[0]
    assert (ours / "x").read_text() == "1\n"


def test_what_only_came_from_main_is_not_to_be_brought_home(project_house: House) -> None:
    house = project_house
    main_has(house, in__b="2\n")
    tick(house.project, NOW)
    assert merge.prepare(house.project).steps == ()
    assert status.describe(house.project).results.ahead == 0
    job_wrote(house, out__a="1\n")
    assert status.describe(house.project).results.ahead > 0


def test_what_comes_is_shown_before_and_told_after(project_house: House) -> None:
    house = project_house
    main_has(house, in__b="2\n")
    found = steps.coming(house.tree)
    assert isinstance(found, steps.Coming) and [change.path for change in found.changes] == ["in/b"]
    assert steps.lacking(house.tree) == steps.Lacking(1) and steps.lacked(house.tree, ["in/*"]) == ("in/b",)
    tick(house.project, NOW)
    assert not steps.lacking(house.tree) and steps.lacked(house.tree, ["in/*"]) == ()


def test_a_step_that_git_refuses_is_told_and_tried_again(project_house: House) -> None:
    """Something came in the way between the look and the step; nothing of it is lost."""
    house = project_house
    main_has(house, in__b="2\n")
    found = steps.coming(house.tree)
    assert isinstance(found, steps.Coming)
    write(house.project.run_tree, "in/b", "mine\n")
    with pytest.raises(WtwatchError, match="in/b"):
        carry.carry_out(house.tree, found, lambda: None)
    assert text(house, "in/b") == "mine\n"
    with pytest.raises(WtwatchError, match="in/b"):
        tick(house.project, TickOptions())
    shutil.move(house.project.run_tree / "in/b", house.project.run_tree / "kept")
    tick(house.project, TickOptions())
    assert text(house, "in/b") == "2\n" and text(house, "kept") == "mine\n"


def test_where_main_stands_still_few_programs_say_that_nothing_comes(
    project_house: House, tmp_path: Path
) -> None:
    house = project_house
    job_wrote(house, **{"out.txt": "1\n"})
    with counted_gits(tmp_path / "trace") as gits:
        assert isinstance(steps.coming(house.tree), steps.Nothing)
        first = gits()
        assert isinstance(steps.coming(house.tree), steps.Nothing)
        assert first > 0 and gits() - first <= 4
    main_has(house, **{"in.txt": "new\n"})
    assert isinstance(steps.coming(house.tree), steps.Coming)
