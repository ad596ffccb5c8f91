"""`wtwatch doctor`: all is well, or each fault is named with its way out."""

from __future__ import annotations

import json
import os
import pwd
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import building
from tests.conftest import Say
from tests.full_disk import fill, mounted
from tests.house import House
from tests.lab import Lab, Said, eventually, running_daemon
from tests.views.test_status import holding
from wtwatch import __version__
from wtwatch.doors.clock import instant
from wtwatch.doors.files import bell_in, held
from wtwatch.project.config import daemon_file, unit_file, write_project
from wtwatch.project.listing import register
from wtwatch.setup import githooks, service, worktrees

Break = Callable[[House], None]


@pytest.fixture
def house(tmp_path: Path) -> House:
    """A house with hooks, whose run tree is locked, as `wtwatch init` leaves it."""
    return registered(House.built(tmp_path / "house"))


def registered(house: House) -> House:
    """Make a house known, with its hooks and locks."""
    write_project(house.project)
    house.project.state.chmod(0o700)
    register(house.project.name, house.project.state)
    githooks.install(house.project.main_code)
    worktrees.lock([house.project.run_tree, house.code], "run tree of the wtwatch project p")
    return house


@pytest.fixture
def watched(house: House, tmp_path: Path) -> Iterator[House]:
    with running_daemon(tmp_path):
        yield house


def doctor(house: House) -> Said:
    """Ask the real command line, whatever it answers."""
    command = [sys.executable, "-P", "-m", "wtwatch", "doctor", "--json"]
    done = subprocess.run(command, cwd=house.project.main_tree, capture_output=True, text=True, check=False)
    return Said(done.returncode, done.stdout, done.stderr)


def faults(house: House, say: Say, code: int | None = 1) -> dict[str, tuple[str, str | None]]:
    """Return the faults that are found; ``code``: the exit code, ``None``: 1 if there are any."""
    if code is None:
        said = doctor(house)
        assert said.code == int('"ok": false' in said.out)
    else:
        said = say(house.project.main_tree, "doctor", "--json", code=code)
    found = json.loads(said.out)
    assert found["version"] == 1 and said.err == ""
    return {one["subject"]: (one["message"], one["hint"]) for one in found["findings"] if not one["ok"]}


def test_where_all_is_well_it_says_so_and_exits_with_0(watched: House, say: Say) -> None:
    assert faults(watched, say, code=0) == {}
    shown = say(watched.project.main_tree, "doctor").out
    assert shown.splitlines()[-1] == "All is well."
    assert "✓ git:" in shown and "✓ daemon: answers, pid" in shown and "✓ events: arrive" in shown


def lose_the_lock(house: House) -> None:
    house.git("worktree", "unlock", str(house.code))


def test_a_worktree_that_is_not_locked_is_locked_again(watched: House, say: Say) -> None:
    lose_the_lock(watched)
    shown = say(watched.project.main_tree, "doctor").out
    assert "They were not" in shown
    assert "They were not" not in say(watched.project.main_tree, "doctor").out


def leave_the_branch(house: House) -> None:
    house.git("checkout", "-q", "--detach", cwd=house.project.run_tree)


def take_code_elsewhere(house: House) -> None:
    house.here("commit", "-q", "--allow-empty", "-m", "mine")


def open_the_state(house: House) -> None:
    house.project.state.chmod(0o755)


def mistype_a_setting(house: House) -> None:
    file = house.project.state / "config.toml"
    file.write_text(file.read_text() + "settel = 3\n")


def lose_the_run_tree(house: House) -> None:
    house.project.run_tree.rename(house.project.run_tree.with_name("elsewhere"))


def lose_the_main_code(house: House) -> None:
    house.project.main_code.rename(house.project.main_code.with_name("elsewhere"))


def lose_code_that_results_name(house: House) -> None:
    gone = "1" * 40
    cwd = house.project.run_tree
    house.git("update-index", "--cacheinfo", f"160000,{gone},code", cwd=cwd)
    house.git("commit", "-q", "-m", "a result of code that is nowhere", cwd=cwd)
    house.git("update-index", "--cacheinfo", f"160000,{house.head()},code", cwd=cwd)
    house.git("commit", "-q", "-m", "and back", cwd=cwd)


def break_a_link(house: House) -> None:
    own = Path(house.here("rev-parse", "--absolute-git-dir"))
    (own / "gitdir").write_text("/nowhere/.git\n")


def delete_the_bookmark(house: House) -> None:
    house.git("update-ref", "-d", "refs/heads/runs")
    house.git("update-ref", "refs/heads/runs/below", "HEAD")


def spoil_a_hook(house: House) -> None:
    hook = house.project.main_code / ".git" / "hooks" / "post-commit"
    hook.chmod(0o644)


def name_no_shell(house: House) -> None:
    hook = house.project.main_code / ".git" / "hooks" / "post-merge"
    hook.write_text(hook.read_text().replace("#!/bin/sh", "#!/nowhere/sh"))


def have_a_shell_that_runs_nothing(house: House) -> None:
    hook = house.project.main_code / ".git" / "hooks" / "post-commit"
    hook.write_text(hook.read_text().replace("#!/bin/sh", "#!/bin/sh -n"))


def end_a_hook_before_ours(house: House) -> None:
    hook = house.project.main_code / ".git" / "hooks" / "post-rewrite"
    hook.write_text(hook.read_text().replace("#!/bin/sh\n", "#!/bin/sh\nexit 0\n"))


FAULTS: list[tuple[Break, str, str, str]] = [
    (leave_the_branch, "code in the run tree", "on no branch instead of runs", "git -C"),
    (take_code_elsewhere, "code in the run tree", "where wtwatch left it", "checkout --detach"),
    (open_the_state, "state folder", "is open to others", "chmod 700"),
    (mistype_a_setting, "settings", "did you mean settle?", "wtwatch config"),
    (lose_the_run_tree, "run tree", "is gone", "wtwatch init"),
    (lose_the_main_code, "p", "is gone", "wtwatch init"),
    (lose_code_that_results_name, "code of results", "1111111111", "Fetch"),
    (break_a_link, "worktrees", "do not name each other", "echo "),
    (delete_the_bookmark, "branches", "runs/below", "--bookmark"),
    (spoil_a_hook, "hooks", "post-commit", "hooks install"),
    (name_no_shell, "hooks", "post-merge does not run", "hooks install"),
    (have_a_shell_that_runs_nothing, "hooks", "post-commit runs and does not ring", "hooks install"),
    (end_a_hook_before_ours, "hooks", "post-rewrite has other lines before", "hooks install"),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault[0].__name__)
def test_a_fault_is_named_with_its_way_out(
    house: House, say: Say, fault: tuple[Break, str, str, str]
) -> None:
    spoil, subject, message, hint = fault
    spoil(house)
    found = faults(house, say)
    told = [facts for name, facts in found.items() if name.startswith(subject)]
    assert told, found
    assert any(message in text and hint in str(way) for text, way in told), told
    shown = say(house.project.main_tree, "doctor", code=1).out
    assert "✗ " in shown and "fault" in shown.splitlines()[-1]


OLD = [
    ("git", "git version 2.30.2", "2.38", "Install git"),
    ("git-annex", "8.20210223", "10.20250000", "git-annex"),
    ("jj", "jj 0.20.0", "0.31", "Upgrade"),
    ("uv", "uv 0.4.18 (7a1b2c3 2024-10-01)", "0.8", "uv self update"),
]
"""A program, what an old one says of its version, which one will do, and a word of the way out."""


@pytest.mark.parametrize("old", OLD, ids=lambda old: old[0])
def test_a_program_that_is_too_old_is_named_with_what_will_do(
    tmp_path: Path, say: Say, monkeypatch: pytest.MonkeyPatch, old: tuple[str, str, str, str]
) -> None:
    name, said, oldest, way = old
    house = registered(House.built(tmp_path / "house", environment="auto"))
    house.commit({"requirements.txt": "", "uv.lock": ""})
    house.edit("requirements.txt", "")  # as after a move; the rest of that is not the point
    building.let_jj_drive(house.project.main_code, os.environ)
    assert name not in faults(house, say)
    answers_as_old(tmp_path / "old", monkeypatch, name, said)
    message, hint = faults(house, say)[name]
    assert said.split()[1 if " " in said else 0] in message or said in message
    assert "too old" in message and oldest in f"{message}{hint}" and way in str(hint)


def answers_as_old(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, said: str) -> None:
    """Have the real program, but for its version, be found first on PATH."""
    folder.mkdir()
    asks = "*' annex '*|*' add '*) ;;\n*' version '*|*' --version '*" if name == "git" else "*version*"
    shim = folder / name
    shim.write_text(
        f"#!/bin/sh\ncase \" $* \" in\n{asks}) echo '{said}'; exit 0 ;;\nesac\n"
        f'exec {shlex.quote(str(shutil.which(name)))} "$@"\n'
    )
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_a_datalad_that_is_too_old_is_named(
    house: House, tmp_path: Path, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = tmp_path / "datalad-0.19.6.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: datalad\nVersion: 0.19.6\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    message, hint = faults(house, say)["DataLad"]
    assert "0.19.6" in message and "1.1" in message and "pip install -U datalad" in str(hint)


def test_a_jj_that_drives_code_and_is_not_there_is_named(
    house: House, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    building.let_jj_drive(house.project.main_code, os.environ)
    assert "jj" not in faults(house, say)
    folders = os.environ["PATH"].split(os.pathsep)
    monkeypatch.setenv("PATH", os.pathsep.join(one for one in folders if not (Path(one) / "jj").exists()))
    message, hint = faults(house, say)["jj"]
    assert "not on PATH" in message and "docs.jj-vcs.dev" in str(hint)


def test_hooks_that_lie_where_nothing_may_be_written_are_a_note_with_the_line_that_rings(
    watched: House, say: Say
) -> None:
    code = watched.project.main_code
    (code / ".husky").mkdir()
    watched.git("config", "core.hooksPath", ".husky")
    said = say(code, "doctor", "--json").out
    (found,) = (one for one in json.loads(said)["findings"] if one["subject"] == "hooks")
    assert found["ok"] and githooks.LINE in found["hint"]
    for name in githooks.GIT_HOOKS:
        (code / ".husky" / name).write_text(f"#!/bin/sh\n{githooks.LINE}\n")
    said = say(code, "doctor", "--json").out
    (found,) = (one for one in json.loads(said)["findings"] if one["subject"] == "hooks")
    assert found["ok"] and found["hint"] is None


def test_the_way_out_of_a_hook_that_ends_before_ours_works(house: House, say: Say) -> None:
    end_a_hook_before_ours(house)
    way = faults(house, say)["hooks"][1]
    for line in str(way).split(" && "):
        say(house.project.main_tree, *line.split()[1:])
    assert "hooks" not in faults(house, say)


def test_hooks_are_tried_beside_a_bell_of_their_own(house: House, say: Say) -> None:
    bell = bell_in(house.project.main_code / ".git")
    before = {file: file.stat().st_mtime_ns for file in (house.project.main_code / ".git").rglob("*")}
    stranger = house.project.main_code / ".git" / "hooks" / "post-commit"
    stranger.write_text(stranger.read_text() + f"touch {shlex.quote(str(bell))}.stranger\n")
    assert "hooks" not in faults(house, say)
    assert not bell.with_name("bell.stranger").exists(), "what others have in their hooks is not run"
    after = {file: file.stat().st_mtime_ns for file in before if file.is_file()}
    assert {file for file in after if after[file] != before[file]} <= {stranger}


@pytest.mark.slow  # not every machine lets everybody make a namespace
@pytest.mark.parametrize("most", [0, 3])
def test_limits_of_inotify_that_are_too_small_are_named_and_that_no_event_comes(
    house: House, most: int
) -> None:
    """With 0 watches no event comes at all; a watch is what three of them leave room for."""
    narrow = f'echo {most} > /proc/sys/user/max_inotify_watches; exec "$@"'
    inside = ["unshare", "--user", "--map-root-user", "sh", "-c", narrow, "sh"]
    command = [*inside, sys.executable, "-P", "-m", "wtwatch", "doctor", "--json"]
    answer = subprocess.run(
        command, cwd=house.project.main_tree, capture_output=True, text=True, check=False, timeout=60
    )
    assert answer.returncode == 1 and answer.stderr == "", answer
    found = {one["subject"]: one for one in json.loads(answer.stdout)["findings"] if not one["ok"]}
    assert f"of {most} watches" in found["inotify"]["message"]
    assert "sudo sysctl user.max_inotify_watches=8192" in found["inotify"]["hint"]
    assert ("events" in found) == (most == 0)
    if most == 0:
        assert "No event arrives" in found["events"]["message"]
        assert "inotify watch limit reached" in found["events"]["message"]


@pytest.mark.needs_root("mount a disk")
def test_a_disk_that_is_nearly_full_is_named(tmp_path: Path, say: Say) -> None:
    with mounted(tmp_path / "disk", 24) as disk:
        house = registered(House.built(tmp_path / "house", run_tree=disk / "run"))
        message, hint = faults(house, say)["disk"]
        assert "Only 0.0 GB free" in message and str(disk) in message and "backups" in str(hint)


@pytest.mark.needs_root("mount a disk")
def test_a_disk_that_is_full_stops_no_check(tmp_path: Path, say: Say) -> None:
    with mounted(tmp_path / "disk", 24) as disk:
        house = registered(House.built(disk / "house"))
        fill(disk, 0)
        assert {"daemon", "disk"} == set(faults(house, say))


@pytest.mark.needs_root("mount a disk")
def test_a_disk_that_cannot_be_written_to_is_named(tmp_path: Path, say: Say) -> None:
    with mounted(tmp_path / "disk", 24) as disk:
        house = registered(House.built(disk / "house"))
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        message, hint = faults(house, say)["events"]
        assert (
            "No file can be made in" in message and "Read-only" in message and "right to write" in str(hint)
        )


def test_a_service_that_ends_with_the_last_login_is_a_note(
    tmp_path: Path, say: Say, monkeypatch: pytest.MonkeyPatch, watched: House
) -> None:
    monkeypatch.setattr(service, "LINGER", tmp_path / "linger")
    service.LINGER.mkdir()
    unit_file().parent.mkdir(parents=True)
    unit_file().write_text(service.unit_text(sys.executable, {}, 0o022))
    said = json.loads(say(watched.project.main_tree, "doctor", "--json", code=1).out)["findings"]
    found = {one["subject"]: one for one in said}
    assert not found["service"]["ok"] and "systemd" in found["service"]["message"]
    assert found["linger"]["ok"] and "loginctl enable-linger" in found["linger"]["hint"]
    (service.LINGER / pwd.getpwuid(os.getuid()).pw_name).touch()
    said = json.loads(say(watched.project.main_tree, "doctor", "--json", code=1).out)["findings"]
    assert next(one for one in said if one["subject"] == "linger")["hint"] is None


def test_without_a_daemon_that_is_a_fault(house: House, say: Say) -> None:
    assert "No daemon runs" in faults(house, say)["daemon"][0]


def test_a_daemon_of_another_version_is_one(house: House, say: Say) -> None:
    with holding(daemon_file()):
        daemon_file().write_text(json.dumps({"version": "0.0.1", "beat": instant()._asdict()}))
        found = faults(house, say)
    assert "is wtwatch 0.0.1" in found["daemon"][0] and "wtwatch watch" in str(found["daemon"][1])


def test_a_daemon_that_was_stopped_is_named_and_goes_on_by_the_hint(
    house: House, say: Say, tmp_path: Path
) -> None:
    with running_daemon(tmp_path) as daemon:
        daemon.send_signal(signal.SIGSTOP)
        eventually(lambda: "was stopped" in found_of_daemon(house, say)[0])
        _, hint = found_of_daemon(house, say)
        subprocess.run(["/bin/sh", "-c", str(hint)], check=True)
        eventually(lambda: not faults(house, say, code=None))


def test_a_daemon_that_gives_no_sign_of_life_is_named(house: House, say: Say) -> None:
    beat = instant()._replace(seconds=instant().seconds - 3600)
    with holding(daemon_file()) as pid:
        daemon_file().write_text(json.dumps({"version": __version__, "beat": beat._asdict()}))
        message, hint = faults(house, say)["daemon"]
    assert "no sign of life for 60 min" in message and f"kill {pid}" in str(hint)


def found_of_daemon(house: House, say: Say) -> tuple[str, str | None]:
    return faults(house, say, code=None).get("daemon", ("", None))


HANGS = """
import threading
from wtwatch import reconcile
from wtwatch.daemon import loop, ticks
loop.SWEEP, ticks.SILENCE = 0.1, 0.1
reconcile.tick = lambda project, options: threading.Event().wait()
"""


def test_a_tick_that_hangs_is_named(house: House, say: Say, tmp_path: Path) -> None:
    with running_daemon(tmp_path, before=HANGS) as daemon:
        eventually(lambda: "hangs in what it does for p" in found_of_daemon(house, say)[0])
        assert f"kill {daemon.pid}" in str(found_of_daemon(house, say)[1])
        daemon.kill()


def test_a_daemon_that_polls_is_a_note_with_the_reason(house: House, say: Say) -> None:
    facts = {"version": __version__, "beat": instant()._asdict(), "mode": "polling", "why": "it is on nfs"}
    with holding(daemon_file()):
        daemon_file().write_text(json.dumps(facts))
        shown = say(house.project.main_tree, "doctor").out
    assert "· watch: Moves are looked for every second: it is on nfs." in shown


def test_an_environment_that_cannot_be_set_up_is_named(tmp_path: Path, say: Say) -> None:
    house = registered(House.built(tmp_path / "house", environment="echo no room in here; exit 7"))
    assert "is not there" in faults(house, say)["environment"][0]
    say(house.project.main_tree, "sync", code=1)
    message, hint = faults(house, say)["environment"]
    assert "broken" in message and "no room in here" in message and "wtwatch sync" in str(hint)


def test_steps_that_were_cut_off_are_named_with_what_ends_them(house: House, say: Say) -> None:
    for step in ("environment", "merge"):
        house.tree.journal(step).open({"aside": str(house.tree.shelf / "environments" / "x")})
    shown = " ".join(say(house.project.main_tree, "doctor", code=1).out.split())
    assert "journal: a new environment and a merge was cut off." in shown
    assert "→ wtwatch sync ends it → wtwatch merge ends it" in shown
    with held(house.tree.lock):
        shown = say(house.project.main_tree, "doctor", code=1).out
    assert f"(pid {os.getpid()})" in shown and "is under way, by" in " ".join(shown.split())


def name_code_that_no_ref_leads_to(house: House) -> str:
    """Have a result name a commit of code that only its own history knows."""
    tree = house.git("rev-parse", "HEAD^{tree}")
    loose = house.git("commit-tree", "-p", "HEAD", "-m", "squashed since", tree)
    cwd = house.project.run_tree
    for commit in (loose, house.head()):
        house.git("update-index", "--cacheinfo", f"160000,{commit},code", cwd=cwd)
        house.git("commit", "-q", "-m", "a result", cwd=cwd)
    return loose


def test_code_that_results_name_and_no_ref_keeps_gets_one(house: House, say: Say) -> None:
    loose = name_code_that_no_ref_leads_to(house)
    shown = say(house.project.main_tree, "doctor", code=1).out  # no daemon, which might commit there too
    assert "1 code commit that results name had no ref, and have one now" in " ".join(shown.split())
    house.git("reflog", "expire", "--expire=now", "--all")
    house.git("gc", "-q", "--prune=now")
    assert house.git("cat-file", "-t", loose) == "commit"
    assert faults(house, say).keys() == {"daemon"}
    assert "had no ref" not in say(house.project.main_tree, "doctor", code=1).out


def test_code_that_remotes_lack_is_a_note_with_the_line_that_pushes_it(
    house: House, say: Say, tmp_path: Path
) -> None:
    remote = tmp_path / "remote.git"
    house.git("init", "-q", "--bare", str(remote))
    house.git("remote", "add", "origin", str(remote))
    house.git("push", "-q", "origin", "main")
    loose = name_code_that_no_ref_leads_to(house)
    said = json.loads(say(house.project.main_tree, "doctor", "--json", code=1).out)["findings"]
    (found,) = (one for one in said if one["subject"] == "code on remotes")
    assert found["ok"] and "1 code commit" in found["message"]
    subprocess.run(["/bin/sh", "-c", found["hint"]], check=True, capture_output=True)
    assert house.git("cat-file", "-t", loose, cwd=remote) == "commit"


def test_what_is_kept_is_counted_and_weighed(watched: House, say: Say) -> None:
    assert "✓ kept: 0 backups, 0 environments set aside, 0 files" in say(watched.code, "doctor").out
    watched.edit("a.py", "a" * 5_000)
    watched.commit({"b.py": "b = 2\n"})
    say(watched.project.main_tree, "sync")
    aside = watched.tree.shelf / "environments" / "20260101T000000000000"
    aside.mkdir(parents=True)
    (aside / "big").write_bytes(b"x" * 3_000_000)
    shown = " ".join(say(watched.project.main_tree, "doctor").out.split())
    assert "· kept: 1 backup (5.0 kB), 1 environment set aside (3.0 MB), 0 files" in shown
    assert "wtwatch backups list, and `wtwatch backups drop ID…` ends them" in shown


def test_a_worktree_whose_repository_has_another_place_noted_is_mended_by_the_hint(
    lab: Lab, say: Say
) -> None:
    say(lab.main, "init", "--env", "none")
    for tree in (lab.run, lab.run_code):
        own = Path(lab.git("rev-parse", "--absolute-git-dir", cwd=tree))
        (own / "gitdir").write_text("/nowhere/.git\n")
    said = json.loads(say(lab.main, "doctor", "--json", code=1).out)["findings"]
    found = [one for one in said if one["subject"] == "worktrees"]
    assert len(found) == 2 and not any(one["ok"] for one in found)
    for one in found:
        subprocess.run(["/bin/sh", "-c", one["hint"]], cwd=lab.main, check=True)
    said = json.loads(say(lab.main, "doctor", "--json", code=1).out)["findings"]
    assert {one["subject"] for one in said if not one["ok"]} == {"daemon"}


def test_what_is_cut_off_and_what_is_kept_is_noted_and_no_fault(watched: House, say: Say) -> None:
    leftovers = watched.tree.shelf / "jobs" / "1.1"
    leftovers.mkdir(parents=True)
    (leftovers / "x").write_bytes(b"x" * 2_500_000)
    watched.tree.journal("merge").open({"path": "", "branch": "main", "from": "0" * 40, "to": "0" * 40})
    shown = say(watched.project.main_tree, "doctor").out
    assert "1 file left by failed jobs (2.5 MB)" in " ".join(shown.split())
    assert "· journal: a merge was cut off" in shown and "wtwatch merge ends it" in shown


def test_an_annex_that_is_not_shared_is_a_fault(lab: Lab, say: Say) -> None:
    say(lab.main, "init", "--env", "none")
    own = Path(lab.git("rev-parse", "--absolute-git-dir", cwd=lab.run / "inputs" / "L5b_2p"))
    annex = own / "annex"
    if annex.is_symlink():
        annex.unlink()
    shutil.rmtree(annex, ignore_errors=True)
    annex.mkdir()
    said = json.loads(say(lab.main, "doctor", "--json", code=1).out)
    told = {one["subject"]: one for one in said["findings"]}
    assert not told["annex"]["ok"] and "an annex of its own" in told["annex"]["message"]


def test_lines_fit_the_terminal(watched: House, say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    leave_the_branch(watched)
    shown = say(watched.project.main_tree, "doctor", code=1).out
    assert [line for line in shown.splitlines() if len(line) > 80 and "/" not in line] == []
    assert shown.splitlines()[-1] == "1 fault.", shown


def test_what_the_shell_has_and_jobs_do_not_get_is_a_note_with_the_line_that_declares_it(
    watched: House, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FSLDIR", "/opt/fsl")
    shown = say(watched.project.main_tree, "doctor").out
    assert "jobs do not get FSLDIR of this shell" in shown and shown.splitlines()[-1] == "All is well."
    line = next(line.strip().removeprefix("→ ") for line in shown.splitlines() if "config env.FSLDIR" in line)
    words = [word.replace("$FSLDIR", "/opt/fsl") for word in shlex.split(line)]
    assert say(watched.project.main_tree, *words[1:]).out == "env.FSLDIR = /opt/fsl\n"
    assert "FSLDIR" not in say(watched.project.main_tree, "doctor").out
