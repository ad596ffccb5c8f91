from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import Say
from tests.full_disk import BIG, cut_git
from tests.gits import counted_gits
from tests.house import House, write
from tests.lab import Lab, eventually
from tests.proofs.test_kills_of_merges import with_results
from tests.room import let_git_know_nobody
from tests.tally import Kills
from wtwatch.doors.journal import Journal
from wtwatch.doors.proc import words
from wtwatch.doors.repo import Repo
from wtwatch.home import harvest, merge, plan
from wtwatch.project.config import Project, write_project
from wtwatch.project.listing import register
from wtwatch.tree import vouching
from wtwatch.words.errors import Busy, NoIdentity, WtwatchError
from wtwatch.words.model import Sha

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Site:
    """A house, and commits made in either of its trees; ``inputs`` and ``inputs/deep`` are subdatasets."""

    house: House

    @property
    def project(self) -> Project:
        return self.house.project

    @property
    def main(self) -> Path:
        return self.project.main_tree

    @property
    def run(self) -> Path:
        return self.project.run_tree

    def commit(self, tree: Path, files: dict[str, str | None], message: str = "more") -> Sha:
        for path, text in files.items():
            write(tree, path, text)
        self.house.git("add", "-A", "-f", ".", ":(exclude)code", cwd=tree)
        self.house.git("commit", "-q", "--allow-empty", "-m", message, cwd=tree)
        return self.house.head(tree)

    def with_subdatasets(self) -> Site:
        """Add subdatasets to main and run tree, with one commit each that both record."""
        for path in ("inputs", "inputs/deep"):
            (self.main / path).mkdir()
            self.house.git("init", "-q", "-b", "main", cwd=self.main / path)
            self.commit(self.main / path, {f"{Path(path).name}.csv": "1\n"})
        for path in ("inputs", ""):
            self.commit(self.main / path, {}, "record")
        self.house.git("reset", "-q", "--hard", "main", cwd=self.run)
        for path in ("inputs", "inputs/deep"):
            shutil.rmtree(self.run / path, ignore_errors=True)
            self.house.git("worktree", "add", "-q", "-b", "runs", str(self.run / path), cwd=self.main / path)
        return self

    def record(self, tree: Path, path: str, files: dict[str, str | None]) -> Sha:
        """Commit in a subdataset, and record that in all above it; return the subdataset's commit."""
        made = self.commit(tree / path, files)
        parts = path.split("/")[:-1]
        for depth in range(len(parts), -1, -1):
            self.commit(tree / "/".join(parts[:depth]), {}, f"record {path}")
        return made

    def merge(self, pointer: str | None = None) -> merge.Report:
        report = merge.prepare(self.project, pointer)
        merge.act(self.project, report)
        return report

    def facts(self) -> dict[str, tuple[str, str, str]]:
        """Return HEAD, index and status of the main tree and its subdatasets."""
        found = {}
        for path in ("", "inputs", "inputs/deep"):
            tree = self.main / path
            if (tree / ".git").exists():
                found[path] = tuple(
                    self.house.git(*words, cwd=tree)
                    for words in (("rev-parse", "HEAD"), ("write-tree",), ("status", "--porcelain", "-uall"))
                )
        return found  # type: ignore[return-value]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(House.built(tmp_path / "p"))


def test_results_come_home_by_fast_forward(site: Site) -> None:
    done = site.commit(site.run, {"out/a.svg": "<svg/>\n"}, "[DATALAD RUNCMD] plot")
    write(site.main, "notes", "open")
    report = site.merge()
    assert report.steps[-1].fast_forward and (report.jobs, report.files, report.size) == (1, 1, 7)
    assert report.commits == ("[DATALAD RUNCMD] plot",)
    assert site.house.head(site.main) == done
    assert site.house.git("symbolic-ref", "--short", "HEAD", cwd=site.main) == "main"
    assert (site.main / "notes").read_text() == "open" and (site.main / "out/a.svg").exists()
    assert site.merge() == merge.Report()


def test_both_sides_become_a_merge_commit(site: Site) -> None:
    ours = site.commit(site.main, {"ours": "1"})
    theirs = site.commit(site.run, {"theirs": "1"})
    main = Repo(site.main)
    assert (
        harvest.apart(harvest.start_apart(main, "HEAD", "runs"))[:2] == (1, 1)
        and merge.conflicts(site.project) == ()
    )
    report = site.merge()
    assert not report.steps[-1].fast_forward
    assert site.house.git("rev-parse", "HEAD^1", "HEAD^2", cwd=site.main).split() == [ours, theirs]
    assert site.house.git("status", "--porcelain", cwd=site.main) == ""
    assert (site.main / "ours").exists() and (site.main / "theirs").exists()


def test_a_merge_that_git_knows_no_author_for_changes_nothing(site: Site) -> None:
    site.commit(site.main, {"ours": "1"})
    site.commit(site.run, {"theirs": "1"})
    before = site.facts()
    let_git_know_nobody(Path.home())
    with pytest.raises(NoIdentity):
        site.merge()
    assert site.facts() == before and merge.conflicts(site.project) == ()


def test_a_conflict_changes_nothing(site: Site) -> None:
    site.commit(site.main, {"same": "ours"})
    site.commit(site.run, {"same": "theirs"})
    before = site.facts()
    with pytest.raises(plan.Conflict, match="same") as said:
        site.merge()
    assert said.value.hint and "merge runs" in said.value.hint and said.value.exit_code == 1
    assert site.facts() == before
    assert merge.conflicts(site.project) == ("same",)


def pointers_conflict(site: Site) -> tuple[Sha, Sha]:
    """Have both sides move the pointer; return what main's and the run tree's is then."""
    ours = site.house.commit({"a.py": "2"}, bookmark=False, message="v5 draft")
    site.house.git("update-index", "--cacheinfo", f"160000,{ours},code", cwd=site.main)
    site.house.git("commit", "-q", "-m", "ours", cwd=site.main)
    site.house.git("checkout", "-q", "--detach", "HEAD~1")
    theirs = site.house.commit({"a.py": "3"}, bookmark=False, message="v5")
    site.house.git("update-index", "--cacheinfo", f"160000,{theirs},code", cwd=site.run)
    site.house.git("commit", "-q", "-m", "theirs", cwd=site.run)
    return ours, theirs


@pytest.mark.parametrize("choice", ["main", "run"])
def test_a_conflict_of_the_pointer_alone_is_the_users_to_decide(site: Site, choice: str) -> None:
    ours, theirs = pointers_conflict(site)
    site.commit(site.run, {"out": "1"}, "[DATALAD RUNCMD] plot")
    before = site.facts()
    with pytest.raises(plan.Conflict) as said:
        site.merge()
    assert said.value.hint and "--pointer main" in said.value.hint
    main, run = said.value.message.splitlines()[1:]
    assert main == f"  main {ours[:10]} v5 draft"
    assert run == f"  run  {theirs[:10]} v5   ← the newest result ran on it"
    assert site.facts() == before
    stood = site.house.head(site.project.main_code)
    report = site.merge(choice)
    recorded = site.house.git("rev-parse", "HEAD:code", cwd=site.main)
    assert recorded == (ours if choice == "main" else theirs)
    assert site.house.head(site.project.main_code) == stood, "the main tree's code never moves"
    assert report.pointer_differs == (recorded != stood)


def test_what_the_newest_result_ran_on_is_named_also_if_neither_side_is_at_it(site: Site) -> None:
    first = site.house.git("rev-parse", "HEAD:code", cwd=site.run)
    site.commit(site.run, {"out": "1"}, "[DATALAD RUNCMD] plot")
    pointers_conflict(site)
    with pytest.raises(plan.Conflict) as said:
        site.merge()
    assert said.value.message.splitlines()[-1] == f"  the newest result ran on {first[:10]} more"


def test_a_pointer_alone_makes_a_merge_commit_only_if_that_is_asked_for(site: Site) -> None:
    _, theirs = pointers_conflict(site)
    before = site.facts()
    report = site.merge()
    assert report.only_pointer and not report.steps and site.facts() == before
    assert merge.conflicts(site.project) == ()
    assert site.merge("run").steps
    assert site.house.git("rev-parse", "HEAD:code", cwd=site.main) == theirs


def test_of_merges_at_once_the_later_ones_find_nothing_to_merge(site: Site) -> None:
    site.commit(site.run, {"out": "1"}, "[DATALAD RUNCMD] plot")
    with ThreadPoolExecutor(3) as pool:
        reports = list(pool.map(lambda _: merge.bring(site.project), range(3)))
    assert sorted(report.jobs for report in reports) == [0, 0, 1]


def test_what_comes_home_is_told_by_job_and_by_folder(site: Site) -> None:
    site.with_subdatasets()
    site.commit(site.run, {"out/a/1": "12", "out/b/1": "1"}, "[DATALAD RUNCMD] first")
    site.commit(site.run, {"out/a/1": "123", "out/a/2": "1"}, "[DATALAD RUNCMD] second")
    site.commit(site.run, {"out/by-hand": "1"})
    found = site.merge().harvest
    assert found.by_job == (("second", 2, 4), ("first", 1, 1)), "a file is of the last job that wrote it"
    assert found.by_folder == (("out/a/", 2, 4), ("out/b/", 1, 1), ("out/", 1, 1))
    site.record(site.run, "inputs/deep", {"more.csv": "2\n"})
    assert site.merge().harvest.by_folder == (("inputs/deep/", 1, 2),)


def test_a_merge_is_undone_by_the_line_that_it_says(site: Site, say: Say) -> None:
    site.with_subdatasets()
    write_project(site.project)
    register(site.project.name, site.project.state)
    site.commit(site.main, {"mine": "1"})
    site.record(site.run, "inputs/deep", {"more.csv": "2\n"})
    site.commit(site.run, {"out/a": "1"}, "[DATALAD RUNCMD] plot")
    before = site.facts()
    write(site.main, "mine", "edited")
    said = say(site.main, "merge").out
    undo = said[said.index("Undo: ") + len("Undo: ") :]
    for line in undo.splitlines():
        subprocess.run(["sh", "-ec", line.strip()], check=True)
    assert (site.main / "mine").read_text() == "edited"
    write(site.main, "mine", "1")
    site.house.git("update-index", "-q", "--refresh", cwd=site.main)
    assert site.facts() == before


def test_code_that_no_remote_has_is_named_with_the_line_that_brings_it_there(
    site: Site, say: Say, tmp_path: Path
) -> None:
    write_project(site.project)
    register(site.project.name, site.project.state)
    site.commit(site.run, {"out/a": "1"}, "[DATALAD RUNCMD] plot")
    assert "push" not in say(site.main, "merge", "--dry-run").out, "there is no remote"
    site.house.git("init", "-q", "--bare", str(tmp_path / "hub"))
    site.house.git("remote", "add", "hub", str(tmp_path / "hub"))
    site.house.git("update-ref", f"refs/wtwatch/keep/{site.house.head()}", site.house.head())
    said = say(site.main, "merge", "--dry-run").out
    assert "1 code commit" in said
    line = next(line for line in said.splitlines() if " push " in line)
    subprocess.run(["sh", "-ec", line.strip()], check=True, capture_output=True)
    assert site.house.git("for-each-ref", cwd=tmp_path / "hub")
    site.house.git("push", "-q", "hub", "main")
    assert "push" not in say(site.main, "merge", "--dry-run").out


def test_git_need_not_read_again_what_a_merge_brought(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vouching, "MANY", 3)
    log = tmp_path / "filtered"
    site.house.git("config", "filter.annex.clean", f"echo >> {log}; cat", cwd=site.main)
    site.commit(site.main, {".gitattributes": "* filter=annex\n"})
    site.house.git("merge", "-q", "main", cwd=site.run)
    site.house.git("config", "filter.annex.clean", "cat", cwd=site.main)
    site.commit(site.run, {"out/1": "1\n", "out/2": "2\n", "out/3": "3\n"})
    site.merge()
    site.house.git("config", "filter.annex.clean", f"echo >> {log}; cat", cwd=site.main)
    log.unlink(missing_ok=True)
    assert site.house.git("--no-optional-locks", "status", "--porcelain", cwd=site.main) == ""
    assert not log.exists()


@pytest.mark.parametrize("hindrance", ["edit", "staged", "untracked", "ignored", "folder", "lock"])
def test_what_lies_open_in_the_main_tree_is_not_touched(site: Site, hindrance: str) -> None:
    site.commit(site.main, {"f": "1", ".gitignore": "*.log\n"})
    site.house.git("merge", "-q", "main", cwd=site.run)
    site.commit(site.run, {"f": "2", "n": "2", "n.log": "2", "k/l": "2"})
    if hindrance in ("edit", "staged"):
        write(site.main, "f", "mine")
    if hindrance == "staged":
        site.house.git("add", "f", cwd=site.main)
        write(site.main, "f", "1")
    paths = {"untracked": "n", "ignored": "n.log", "folder": "k", "lock": ".git/index.lock"}
    if hindrance in paths:
        write(site.main, paths[hindrance], "mine")
    lock = site.main / ".git/index.lock"
    held = lock.exists()
    lock.unlink(missing_ok=True)
    before = site.facts()
    if held:
        lock.touch()
    with pytest.raises(WtwatchError) as said:
        site.merge()
    assert said.value.hint
    assert lock.exists() == held
    lock.unlink(missing_ok=True)
    assert site.facts() == before


def test_open_edits_elsewhere_do_not_hinder(site: Site) -> None:
    site.commit(site.main, {"f": "1", "g": "1"})
    site.house.git("merge", "-q", "main", cwd=site.run)
    site.commit(site.run, {"new": "2"})
    write(site.main, "f", "mine")
    write(site.main, "g", "mine")
    site.house.git("add", "g", cwd=site.main)
    site.house.git("config", "merge.autoStash", "true", cwd=site.main)
    site.merge()
    assert site.house.git("status", "--porcelain", cwd=site.main) == " M f\nM  g"
    assert site.house.git("stash", "list", cwd=site.main) == ""


def test_subdatasets_come_first_and_deepest_first(site: Site) -> None:
    site.with_subdatasets()
    deep = site.record(site.run, "inputs/deep", {"more.csv": "2\n"})
    report = site.merge()
    assert [step.path for step in report.steps] == ["inputs/deep", "inputs", ""]
    assert site.house.head(site.main / "inputs/deep") == deep
    assert site.house.git("status", "--porcelain", cwd=site.main) == ""
    assert report.files == 1


def test_a_subdataset_that_both_sides_moved_is_merged_and_recorded(site: Site) -> None:
    site.with_subdatasets()
    site.record(site.main, "inputs/deep", {"ours.csv": "1"})
    site.record(site.run, "inputs/deep", {"theirs.csv": "1"})
    assert merge.conflicts(site.project) == ()
    report = site.merge()
    assert [step.fast_forward for step in report.steps] == [False, False, False]
    for path in ("", "inputs", "inputs/deep"):
        assert site.house.git("status", "--porcelain", cwd=site.main / path) == ""
    assert (site.main / "inputs/deep/ours.csv").exists() and (site.main / "inputs/deep/theirs.csv").exists()


def test_a_conflict_deep_inside_changes_nothing_anywhere(site: Site) -> None:
    site.with_subdatasets()
    site.record(site.main, "inputs/deep", {"same": "ours"})
    site.record(site.run, "inputs/deep", {"same": "theirs"})
    site.commit(site.run / "inputs", {"fine": "1"})
    before = site.facts()
    with pytest.raises(plan.Conflict, match="same"):
        site.merge()
    assert site.facts() == before
    assert merge.conflicts(site.project) == ("inputs/deep/same",)


@pytest.mark.parametrize("where", ["", "inputs"])
def test_a_hindrance_anywhere_changes_nothing_anywhere(site: Site, where: str) -> None:
    site.with_subdatasets()
    site.record(site.run, "inputs/deep", {"new": "theirs"})
    site.record(site.run, "inputs", {"n": "theirs"})
    site.commit(site.run, {"n": "theirs"})
    write(site.main / where, "n", "mine")
    before = site.facts()
    with pytest.raises(WtwatchError, match="n in "):
        site.merge()
    assert site.facts() == before


def test_a_subdataset_on_no_branch_is_named_before_anything_moves(site: Site) -> None:
    site.with_subdatasets()
    site.record(site.run, "inputs/deep", {"new": "theirs"})
    site.house.git("checkout", "-q", "--detach", cwd=site.main / "inputs/deep")
    before = site.facts()
    with pytest.raises(WtwatchError, match="inputs/deep has results to take"):
        site.merge()
    assert site.facts() == before


def test_a_subdataset_that_is_not_installed_here_is_passed_over(site: Site) -> None:
    site.with_subdatasets()
    site.record(site.run, "inputs/deep", {"new": "theirs"})
    (site.main / "inputs/deep/.git").rename(site.main.parent / "deep.git")
    shutil.rmtree(site.main / "inputs/deep")
    report = site.merge()
    assert [step.path for step in report.steps] == ["inputs", ""]


def test_a_main_tree_without_a_branch_is_refused(site: Site) -> None:
    site.commit(site.run, {"new": "1"})
    site.house.git("checkout", "-q", "--detach", cwd=site.main)
    with pytest.raises(WtwatchError, match="on no branch"):
        site.merge()
    shutil.rmtree(site.run)
    site.house.git("worktree", "prune", cwd=site.main)
    site.house.git("checkout", "-q", "runs", cwd=site.main)
    with pytest.raises(WtwatchError, match="itself on the branch runs"):
        site.merge()


def test_an_operation_in_the_main_tree_is_refused(site: Site) -> None:
    site.commit(site.run, {"new": "1"})
    site.house.git("bisect", "start", cwd=site.main)
    with pytest.raises(WtwatchError, match="bisect"):
        site.merge()


def test_a_datalad_run_under_way_is_refused(site: Site) -> None:
    site.commit(site.run, {"new": "1"})
    datalad = site.main.parent / "datalad"
    datalad.write_text("import time\ntime.sleep(60)\n")
    process = subprocess.Popen([sys.executable, str(datalad), "run", "true"], cwd=site.main)
    eventually(lambda: words(process.pid))  # the kernel has a new program before its words
    try:
        with pytest.raises(WtwatchError, match=str(process.pid)):
            site.merge()
    finally:
        process.kill()
        process.wait()


GIT = """\
#!/bin/sh
case " $* " in
*" merge "*)
    case "$WHEN" in
    before) kill -9 -$PGID ;;
    between) {git} read-tree -m -u HEAD "$TIP"; kill -9 -$PGID ;;
    half)
        mkdir -p out
        {git} show "$TIP:out/one" > out/one
        touch .git/index.lock
        kill -9 -$PGID ;;
    after) {git} "$@"; kill -9 -$PGID ;;
    esac ;;
esac
exec {git} "$@"
"""

MERGE = """\
import os, sys
from pathlib import Path
from tests.house import House
from wtwatch.doors.journal import Journal
from wtwatch.home import merge
os.environ["PGID"] = str(os.getpid())
project = House.at(Path(sys.argv[1])).project
merge.act(project, merge.prepare(project))
"""


@pytest.mark.parametrize("when", ["before", "half", "between", "after"])
def test_a_merge_killed_at_any_instant_is_ended_by_the_next(site: Site, when: str, kills: Kills) -> None:
    tip = site.commit(site.run, {"out/one": "1\n", "out/two": "2\n"})
    write(site.main, "open", "mine")
    wrapper = site.main.parent / "bin" / "git"
    wrapper.parent.mkdir()
    wrapper.write_text(GIT.replace("{git}", str(shutil.which("git"))))
    wrapper.chmod(0o755)
    env = {
        "WHEN": when,
        "TIP": tip,
        "PATH": f"{wrapper.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-c", MERGE, str(site.main.parent)]
    done = subprocess.run(command, env=os.environ | env, start_new_session=True, check=False)
    assert done.returncode == -signal.SIGKILL
    with kills.survived("a merge at its git"):

        def merged() -> bool:
            try:
                site.merge()
            except Busy:  # what was killed is not gone yet
                return False
            return True

        eventually(merged)
        assert site.house.head(site.main) == tip
        assert site.house.git("status", "--porcelain", cwd=site.main) == "?? open"


def test_the_report_counts_annexed_content_and_names_the_dataset_above(lab: Lab) -> None:
    lab.project().state.mkdir(parents=True)
    lab.move_bookmark()
    lab.git("worktree", "add", "-q", "-b", "runs", str(lab.run))
    (lab.run / "locked.bin").write_text("x" * 5000)
    (lab.run / "unlocked.bin").write_text("y" * 3000)
    lab.git("annex", "add", "-q", "locked.bin", "unlocked.bin", cwd=lab.run)
    lab.git("annex", "unlock", "-q", "unlocked.bin", cwd=lab.run)
    lab.git("commit", "-q", "-m", "[DATALAD RUNCMD] two", cwd=lab.run)
    lab.git("init", "-q", cwd=lab.root)
    lab.git(
        "update-index", "--add", "--cacheinfo", f"160000,{lab.commit('HEAD', lab.main)},L5b", cwd=lab.root
    )
    report = merge.prepare(lab.project())
    assert report.above == lab.root
    assert (report.jobs, report.files, report.size) == (1, 2, 8000)
    merge.act(lab.project(), report)
    assert (lab.main / "locked.bin").read_text() == "x" * 5000
    assert (lab.main / "unlocked.bin").read_text() == "y" * 3000
    assert lab.git("status", "--porcelain") == ""


def objects(site: Site) -> set[str]:
    """Return the loose objects of the main tree and its subdatasets."""
    trees = [site.main, *(site.main / path for path in ("code", "inputs", "inputs/deep"))]
    return {str(file) for tree in trees for file in (tree / ".git" / "objects").rglob("*") if file.is_file()}


def test_to_ask_for_conflicts_writes_nothing(site: Site) -> None:
    site.with_subdatasets()
    site.record(site.main, "inputs/deep", {"ours": "1\n"})
    site.record(site.run, "inputs/deep", {"theirs": "1\n"})
    before = objects(site)
    assert merge.conflicts(site.project) == ()
    assert objects(site) == before
    site.commit(site.main, {"both": "1\n"})
    site.commit(site.run, {"both": "2\n"})
    before = objects(site)
    assert merge.conflicts(site.project) == ("both",)
    assert objects(site) == before


def test_conflicts_are_found_whatever_the_path_of_the_main_tree(tmp_path: Path) -> None:
    site = Site(House.built(tmp_path / 'a:b "c" \\d'))
    site.commit(site.main, {"both": "1\n"})
    site.commit(site.run, {"both": "2\n"})
    assert merge.conflicts(site.project) == ("both",)
    site.house.git("checkout", "-q", "HEAD^", cwd=site.main)
    site.house.git("checkout", "-q", "-B", "main", cwd=site.main)
    site.commit(site.main, {"other": "1\n"})
    before = objects(site)
    assert merge.conflicts(site.project) == ()
    assert objects(site) == before


def test_what_comes_home_is_counted_by_its_content(site: Site) -> None:
    base = site.house.head(site.run)
    pointer = "/annex/objects/MD5E-s3000--d41d8cd98f00b204e9800998ecf8427e.bin\n"
    site.commit(
        site.run,
        {
            "plain": "12345",
            "twice": "12345",
            "odd\r\nname \udcff": "1",
            "unlocked": pointer,
            "link": "-> .git/annex/objects/XX/KEY/MD5E-s70000--aa.bin",
            "away": "-> plain",
            "big": "/annex/objects/" + "x" * 10_000,
        },
    )
    found = harvest.count(Repo(site.main), base, site.house.head(site.run))
    assert found.files == 7
    assert found.size == 5 + 5 + 1 + 3000 + 70_000 + len("plain") + 10_015
    gone = site.commit(site.run, {"plain": None})
    assert harvest.count(Repo(site.main), site.house.head(site.run), gone).files == 0


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
@pytest.mark.parametrize("key", ["URL-s7000--x", "WORM-s7000-m1--" + "x" * 240])
def test_the_longest_and_the_shortest_pointer_is_one(site: Site, key: str, end: str) -> None:
    assert len(key) <= 255, "it is the name of a file in the annex"
    base = site.house.head(site.run)
    site.commit(site.run, {"unlocked": f"/annex/objects/{key}{end}"})
    assert harvest.count(Repo(site.main), base, site.house.head(site.run)).size == 7000


def test_counting_starts_no_more_programs_for_more_files(site: Site, tmp_path: Path) -> None:
    base = site.house.head(site.run)
    site.commit(site.run, {f"out/{number}": f"{number}\n" for number in range(300)})
    new = site.house.head(site.run)
    with counted_gits(tmp_path / "trace") as gits:
        assert harvest.count(Repo(site.main), base, new).files == 300
        assert 0 < gits() <= 8


@pytest.mark.parametrize("both", [False, True])
def test_a_merge_on_a_full_disk_is_not_over_before_its_files_are_whole(
    site: Site, monkeypatch: pytest.MonkeyPatch, both: bool
) -> None:
    """``both`` sides have commits of their own."""
    full = cut_git(site.main.parent, monkeypatch)
    done = site.commit(site.run, {"big": BIG, "out/more": BIG, "small": "1\n"})
    if both:
        site.commit(site.main, {"ours": "1\n"})
    write(site.main, "notes", "open")
    full.touch()
    for _ in range(2):
        with pytest.raises(WtwatchError, match="big") as said:
            site.merge()
        assert site.house.git("diff", "--name-only", "HEAD", "--", ":!code", cwd=site.main) == ""
        assert "df -h" in str(said.value.hint) and "wtwatch merge" in str(said.value.hint)
    full.unlink()
    site.merge()
    assert site.house.git("merge-base", "HEAD", done, cwd=site.main) == done
    assert site.house.git("status", "--porcelain", cwd=site.main) == "?? notes"
    assert (site.main / "big").read_text() == (site.main / "out/more").read_text() == BIG
    assert site.merge() == merge.Report()


@pytest.mark.parametrize("name", ["index.lock", "HEAD.lock", "ORIG_HEAD.lock"])
def test_a_lock_that_a_killed_git_left_does_not_stop_the_next_merge(tmp_path: Path, name: str) -> None:
    house = with_results(tmp_path)
    planned = merge.prepare(house.project)
    (step,) = planned.steps
    facts = {"path": step.path, "branch": step.branch, "from": step.ours, "to": step.target}
    Journal(house.project.state / "journal.merge").open(facts)
    lock = house.project.main_tree / ".git" / name
    lock.touch()
    merge.act(house.project, merge.prepare(house.project))
    assert not lock.exists()
    assert (house.project.main_tree / "out-149.txt").read_text() == "149\n" * 500
