"""The command line: what people may type anywhere, what they read, and what programs read."""

from __future__ import annotations

import importlib
import json
import os
import pty
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from tests.conftest import Say
from tests.lab import Lab, eventually
from wtwatch import __version__, cli
from wtwatch.commands import group, queue
from wtwatch.doors.repo import Repo
from wtwatch.job.attempt import Folder
from wtwatch.project import listing
from wtwatch.queue.jobs import Queue
from wtwatch.views import quick
from wtwatch.words.model import Ended, Outcome, Running, Sha, Trigger, now

WTWATCH = [sys.executable, "-P", "-m", "wtwatch"]
STATES = ("waiting", "running", "succeeded", "unchanged", "failed", "cancelled", "interrupted", "held")
IN_SHELLS = ["bash", *(pytest.param(shell, marks=pytest.mark.slow) for shell in ("zsh", "fish"))]
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


@pytest.fixture
def home(say: Say, lab: Lab) -> Lab:
    """A lab in which `wtwatch init` was run, without an environment to wait for."""
    say(lab.main, "init", "--env", "none")
    return lab


def queue_of(lab: Lab) -> Queue:
    return Queue(lab.project().state)


def end(lab: Lab, job: int, outcome: Outcome) -> None:
    """Have a job run and end, as far as the queue is concerned."""
    queue, code = queue_of(lab), lab.commit("refs/heads/runs")
    queue.begin(job, Running(now(), code, lab.commit("HEAD", lab.run), f"uuid-{job}"))
    exit_code = 0 if outcome in (Outcome.SUCCEEDED, Outcome.UNCHANGED) else 1
    queue.end(job, Ended(now(), now(), code, outcome, exit_code, (code,)))


def everything(group: click.Group, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the words of all commands, groups too."""
    context = click.Context(group)
    for name in group.list_commands(context):
        inner = group.get_command(context, name)
        assert inner is not None
        yield (*words, name)
        if isinstance(inner, click.Group):
            yield from everything(inner, (*words, name))


# help, version, colour


def test_every_command_has_help_and_version(say: Say, tmp_path: Path) -> None:
    commands = [(), *everything(group.cli)]
    assert {("queue", "add"), ("backups", "restore"), ("service", "install"), ("demo",)} <= set(commands)
    for words in commands:
        for flag in ("-h", "--help"):
            said = say(tmp_path, *words, flag)
            assert said.out.startswith(f"Usage: {' '.join(('wtwatch', *words))}") and said.err == ""
        assert say(tmp_path, *words, "--version").out == f"wtwatch, version {__version__}\n"


def test_the_help_names_what_each_command_of_the_list_is_for(say: Say, tmp_path: Path) -> None:
    for words, commands in (((), group.COMMANDS), (("queue",), queue.COMMANDS)):
        shown = say(tmp_path, *words, "-h").out
        for name, text in commands.items():
            assert re.search(rf"^  {name} +{re.escape(text[:30])}", shown, re.MULTILINE)


@pytest.mark.parametrize(
    "words", [(), ("nonsense",), ("status", "--nonsense"), ("queue",), ("queue", "nonsense")]
)
def test_words_that_mean_nothing_are_usage_errors(say: Say, tmp_path: Path, words: tuple[str, ...]) -> None:
    said = say(tmp_path, *words, code=2)
    assert said.out == "" and "Usage: wtwatch" in said.err


def on_a_terminal(lab: Lab, *words: str, **env: str) -> str:
    """Return what a command prints, both streams, when it is run on a terminal."""
    terminal, end_of_it = pty.openpty()
    with subprocess.Popen(
        [*WTWATCH, *words],
        cwd=lab.main,
        env=os.environ | {"TERM": "xterm-256color"} | env,
        stdin=end_of_it,
        stdout=end_of_it,
        stderr=end_of_it,
    ):
        os.close(end_of_it)
        text = b""
        try:
            while piece := os.read(terminal, 65536):
                text += piece
        except OSError:  # Linux says EIO where the other end was closed
            pass
    os.close(terminal)
    return text.decode()


def test_colour_is_for_terminals_and_not_where_it_is_unwanted(say: Say, home: Lab) -> None:
    say(home.main, "queue", "add", "--", "true")
    end(home, 1, Outcome.FAILED)
    for words in (("status",), ("queue", "list"), ("queue", "show", "99")):
        assert "\x1b[3" in on_a_terminal(home, *words)
        assert "\x1b[" not in re.sub(r"\x1b\[1m|\x1b\[0m", "", on_a_terminal(home, *words, NO_COLOR="1"))
        said = home.wtwatch(*words, code=(0, 1, 2))
        assert "\x1b" not in said.out + said.err


def test_output_is_on_stdout_and_trouble_on_stderr(say: Say, home: Lab) -> None:
    assert say(home.main, "status").err == ""
    said = say(home.main, "queue", "add", "--", "true")
    assert "Job 1 in batch 1" in said.out and "No daemon runs" in said.err
    said = say(home.main, "queue", "show", "2", code=2)
    assert said.out == "" and said.err.startswith("Error: There is no job 2.\nHint: ")
    home.edit_version("7")
    said = say(home.main, "release")
    assert "runs is already at" in said.out and "edited files are not in it" in said.err


# what programs read


def shape(value: Any, wanted: Any, where: str = "") -> None:
    """Fail if ``value`` lacks a key of the contract or has another type; more keys are allowed."""
    if isinstance(wanted, dict):
        assert isinstance(value, dict), where
        for key, inner in wanted.items():
            assert key in value, f"{where}.{key} is missing"
            shape(value[key], inner, f"{where}.{key}")
    elif isinstance(wanted, list):
        assert isinstance(value, list), where
        for number, entry in enumerate(value):
            shape(entry, wanted[0], f"{where}[{number}]")
    elif isinstance(wanted, tuple):
        if value is not None:
            shape(value, wanted[0], where)
    elif isinstance(wanted, re.Pattern):
        assert isinstance(value, str) and wanted.fullmatch(value), f"{where}: {value!r}"
    elif isinstance(wanted, set):
        assert value in wanted, f"{where}: {value!r}"
    else:
        assert type(value) is wanted, f"{where}: {value!r} is no {wanted.__name__}"


SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
STATUS = {
    "version": int,
    "daemon": {
        "running": bool,
        "pid": (int,),
        "since": (TIME,),
        "mode": ({"inotify", "polling"},),
        "watches": (int,),
    },
    "projects": [
        {
            **dict.fromkeys(("name", "path", "run_tree", "bookmark"), str),
            "tip": (SHA,),
            "applied": (SHA,),
            "freshness": {"fresh", "behind", "blocked", "missing"},
            "reason": (str,),
            "hint": (str,),
            "edited": bool,
            "busy": ([{"pid": int, "name": str, "since": TIME}],),
            "pointer": {"recorded": (SHA,), "saved": bool},
            "environment": {"state": {"ok", "stale", "broken", "missing", "none"}, "detail": (str,)},
            "queue": {"paused": bool, **dict.fromkeys(STATES, int)},
            "results": {"ahead": int, "behind": int, "conflict": bool},
            "stale": (int,),
            "backups": int,
            "last_sync": ({"at": TIME, "from": SHA, "to": SHA, "seconds": float, "backup": (str,)},),
        }
    ],
}
JOBS = {
    "version": int,
    "jobs": [
        {
            **dict.fromkeys(("id", "batch", "attempt"), int),
            **dict.fromkeys(("project", "command"), str),
            "state": set(STATES),
            "message": (str,),
            "code": (SHA,),
            "exit": (int,),
            "commits": [SHA],
            "queued_at": TIME,
            "started_at": (TIME,),
            "ended_at": (TIME,),
            "log": (str,),
        }
    ],
}  # fmt: skip


def document(say: Say, where: Path, *words: str, code: int = 0) -> Any:
    said = say(where, *words, "--json", code=code)
    assert said.err == ""
    return json.loads(said.out)


def test_status_json_keeps_to_the_contract_in_each_state(say: Say, home: Lab) -> None:
    seen = set()
    found = document(say, home.main, "status")
    shape(found, STATUS)
    seen.add(found["projects"][0]["freshness"])
    assert found["version"] == 1 and found["daemon"]["running"] is False
    assert found["projects"][0]["last_sync"] is None and found["projects"][0]["busy"] is None

    home.change_code("2", "second version")
    home.move_bookmark()
    with subprocess.Popen(["sleep", "60"], cwd=home.run) as foreign:
        found = document(say, home.main, "status")
        foreign.kill()
    shape(found, STATUS)
    seen.add(found["projects"][0]["freshness"])
    assert [busy["pid"] for busy in found["projects"][0]["busy"]] == [foreign.pid]

    (home.run_code / "pyproject.toml").write_text("edited\n")
    say(home.main, "sync")
    say(home.main, "queue", "add", "--each", "x=1,2,3", "--", "echo {x}")
    end(home, 1, Outcome.FAILED)
    found = document(say, home.main, "status", code=1)
    shape(found, STATUS)
    (project,) = found["projects"]
    assert project["last_sync"]["backup"] and project["backups"] == 1
    assert (project["queue"]["failed"], project["queue"]["waiting"]) == (1, 2)
    with home.daemon():
        found = document(say, home.main, "status", code=1)
        shape(found, STATUS)
        assert found["daemon"]["running"] is True and found["daemon"]["watches"] > 0

    home.git("update-ref", "-d", "refs/heads/runs", cwd=home.code)
    found = document(say, home.main, "status", code=1)
    shape(found, STATUS)
    seen.add(found["projects"][0]["freshness"])
    home.run.rename(home.root / "away")
    found = document(say, home.main, "status", code=1)
    shape(found, STATUS)
    seen.add(found["projects"][0]["freshness"])
    assert seen == {"fresh", "behind", "blocked", "missing"}


def test_queue_list_json_keeps_to_the_contract_in_each_state(say: Say, home: Lab) -> None:
    assert document(say, home.main, "queue", "list")["jobs"] == []
    say(home.main, "queue", "add", "-m", "größe {n}", "--each", "n=1,2,3,4,5,6,7", "--", "echo {n}")
    say(home.main, "queue", "add", "--every-move", "--", "echo each")
    outcomes = list(Outcome)
    for number, outcome in enumerate(outcomes, 1):
        end(home, number, outcome)
    code = home.commit("refs/heads/runs")
    queue_of(home).begin(6, Running(now(), code, Sha("1" * 40), "uuid"))
    found = document(say, home.run, "queue", "list")
    shape(found, JOBS)
    assert found["version"] == 1
    assert [job["state"] for job in found["jobs"]] == [
        *(outcome.value for outcome in outcomes),
        "running",
        "waiting",
    ]
    assert found["jobs"][0]["message"] == "größe 1" and found["jobs"][0]["command"] == "echo 1"
    assert "größe 1" in say(home.main, "queue", "list").out
    assert "at every move" in say(home.main, "queue", "list").out


def test_status_is_about_where_one_stands(say: Say, home: Lab, tmp_path: Path) -> None:
    say(home.main, "init", "--env", "none", "--bookmark", "alt")

    def names(where: Path, *words: str) -> list[str]:
        return [project["name"] for project in document(say, where, "status", *words)["projects"]]

    assert names(home.main) == names(home.code / "src") == names(tmp_path) == ["L5b", "L5b-alt"]
    assert names(home.run / "inputs") == ["L5b"]
    assert names(home.root / "L5b-alt" / "code") == ["L5b-alt"]
    assert names(tmp_path, "L5b-alt") == names(tmp_path, "--project", "L5b-alt") == ["L5b-alt"]
    assert say(home.main, "status", "--short").out == "L5b ✓  L5b-alt ✓\n"
    assert say(tmp_path, "status", "--short").out == "", "a prompt is nobody's concern outside of a project"
    assert say(tmp_path, "status", "--short", "L5b").out == "L5b ✓\n"
    for words in (
        ("status", "nobody"),
        ("sync", "nobody"),
        ("forget", "nobody"),
        ("merge", "--project", "nobody"),
    ):
        said = say(tmp_path, *words, code=2)
        assert "There is no project 'nobody'" in said.err and "L5b, L5b-alt" in said.err


STATUSES = (
    "", "--json", "--short", "L5b", "--short L5b", "L5b --json --short", "nobody", "--project L5b",
    "--project=L5b --short", "''", "-- L5b", "-h", "L5b L5b", "--jason",
)  # fmt: skip


def test_a_plain_status_that_click_does_not_read_is_answered_as_if_it_did(
    home: Lab, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(home.main)

    def answers() -> Iterator[tuple[int, str, str]]:
        for words in STATUSES:
            code = cli.run(["status", *shlex.split(words)])
            out, err = capfd.readouterr()
            yield code, re.sub(r"\d+ (s|min) ", "", out), err

    quick = list(answers())
    monkeypatch.setattr(cli, "plain_status", lambda words: None)
    assert quick == list(answers())


def test_where_nothing_is_registered_the_first_step_is_named(say: Say, tmp_path: Path) -> None:
    assert "wtwatch init" in say(tmp_path, "status").out
    assert document(say, tmp_path, "status")["projects"] == []
    for words in (("sync",), ("merge",), ("release",), ("queue", "list"), ("exec", "true"), ("forget",)):
        assert "`wtwatch init` in a main tree makes a project" in say(tmp_path, *words, code=2).err


def test_a_folder_that_is_gone_is_named(say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    said = subprocess.run([*WTWATCH, "queue", "list"], capture_output=True, text=True, check=False)
    assert said.returncode == 2 and "The folder you stand in is gone" in said.stderr


# shells, pipes, signals


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have `wtwatch` on PATH, as a user has."""
    script = tmp_path / "bin" / "wtwatch"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m wtwatch "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}{os.pathsep}{os.environ['PATH']}")


BASH = (
    'eval "$(_WTWATCH_COMPLETE=bash_source wtwatch)"; shift 0; COMP_WORDS=("$@"); '
    'COMP_CWORD=$(($# - 1)); _wtwatch_completion wtwatch; printf "%s\\n" "${COMPREPLY[@]}"'
)
FISH = '_WTWATCH_COMPLETE=fish_source wtwatch | source; complete --do-complete (string join " " -- $argv)'
# outside of a completion there is no compadd; here it prints the words that it is handed
ZSH = (
    "autoload -U compinit; compinit -D; source <(_WTWATCH_COMPLETE=zsh_source wtwatch); "
    "compadd() { local list=${@[-1]}; print -rl -- ${(P)list} }; "
    "_describe() { local list=$3; print -rl -- ${(P)list} }; "
    "_path_files() { print -rl -- $words[CURRENT]*(N) }; "
    'words=("$@"); CURRENT=$#; _wtwatch_completion wtwatch'
)


def completed(home: Lab, shell: str, *words: str) -> list[str]:
    """Return what a real shell offers for the last of ``words``, without what it says of each."""
    line = {"bash": ["bash", "-c", BASH, "bash"], "zsh": ["zsh", "-f", "-c", ZSH, "zsh"]}.get(
        shell, ["fish", "-N", "-c", FISH, "--"]
    )
    shown = home.say(*line, "wtwatch", *words).out.splitlines()
    return [re.split(r"[\t:]", one)[0] for one in shown if one]


def need(shell: str) -> None:
    """Skip where a shell is missing that not everybody has; CI installs all of them."""
    if shutil.which(shell) is None:
        assert "CI" not in os.environ, f"CI lacks {shell}"
        pytest.skip(f"there is no {shell} on this machine")


@pytest.mark.usefixtures("program")
@pytest.mark.parametrize("shell", IN_SHELLS)
def test_a_shell_completes_commands_options_and_what_is_there(home: Lab, say: Say, shell: str) -> None:
    need(shell)
    say(home.main, "queue", "add", "--on-move", "--each", "n=1,2", "--", "echo {n}")
    say(home.main, "queue", "add", "--every-move", "--", "true")

    def offered(*words: str) -> set[str]:
        return set(completed(home, shell, *words))

    assert offered("s") == {"status", "show", "sync", "service"}
    assert offered("queue", "re") == {"rerun", "remove", "resume", "retry"}
    assert "--run-tree" in offered("init", "--r")
    assert offered("status", "L") == {"L5b"}
    assert offered("merge", "--project", "L") == {"L5b"}
    assert offered("queue", "logs", "") == {"1", "2"}
    assert offered("queue", "cancel", "s") == {"s1"}
    assert offered("queue", "retry", "--batch", "") == {"1"}
    assert offered("show", "b") == {"b1"}
    assert offered("queue", "logs", "--batch", "") == {"1"} == offered("queue", "list", "--batch", "")
    assert offered("config", "sett") == {"settle"}
    assert offered("config", "on_move", "") == {"after-batch", "after-job", "cancel", "default"}


@pytest.mark.usefixtures("program")
@pytest.mark.parametrize("shell", IN_SHELLS)
def test_backups_are_completed_and_files_left_to_the_shell(home: Lab, say: Say, shell: str) -> None:
    need(shell)
    (home.run_code / "src" / "process2p" / "version.py").write_text("mine\n")
    home.change_code("2", "second version")
    home.move_bookmark()
    say(home.main, "sync")
    (backup,) = completed(home, shell, "backups", "show", "")
    assert backup in say(home.main, "backups", "list").out
    old = home.run.with_name(f".{home.run.name}.wtwatch") / "environments" / "20260101T000000"
    (old / "bin").mkdir(parents=True)
    assert {backup, old.name} <= set(completed(home, shell, "backups", "drop", "2"))
    if shell == "bash":
        assert backup in completed(home, shell, "ack", "2")
        assert completed(home, shell, "queue", "add", "-i", "in") == []
    files = {"bash": []}.get(shell, ["inputs/"] if shell == "fish" else ["inputs"])  # bash itself offers them
    for words in (("queue", "add", "--", "python"), ("show",)):
        assert completed(home, shell, *words, "in") == files, words
    assert completed(home, shell, "backups", "restore", backup, "--to", "in") == files


@pytest.mark.parametrize("shell", IN_SHELLS)
def test_each_shell_gets_a_script(tmp_path: Path, shell: str) -> None:
    env = os.environ | {"_WTWATCH_COMPLETE": f"{shell}_source"}
    said = subprocess.run(WTWATCH, env=env, capture_output=True, text=True, check=True)
    assert f"_WTWATCH_COMPLETE={shell}_complete" in said.stdout and said.stderr == ""
    env = os.environ | {
        "_WTWATCH_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": "wtwatch rel",
        "COMP_CWORD": "1",
    }
    env["COMP_CWORD"] = "rel" if shell == "fish" else "1"
    said = subprocess.run(WTWATCH, env=env, capture_output=True, text=True, check=True)
    assert "release" in said.stdout and "status" not in said.stdout


def test_a_reader_that_goes_away_is_no_trouble(say: Say, home: Lab) -> None:
    say(home.main, "queue", "add", "--", "true")
    for words in (["status"], ["status", "--json"], ["queue", "list"], ["-h"]):
        reading, writing = os.pipe()
        os.close(reading)
        said = subprocess.run(
            [*WTWATCH, *words], cwd=home.main, stdout=writing, stderr=subprocess.PIPE, text=True, check=False
        )
        os.close(writing)
        assert (said.returncode, said.stderr) == (0, ""), words


def test_a_full_disk_is_told_in_one_line(home: Lab) -> None:
    with Path("/dev/full").open("w") as full:
        said = subprocess.run(
            [*WTWATCH, "status"], cwd=home.main, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert said.returncode == 1 and "No space left on device" in said.stderr
    assert "Traceback" not in said.stderr and "Exception" not in said.stderr


def test_a_poor_terminal_gets_what_it_can_show(say: Say, home: Lab) -> None:
    said = home.wtwatch("status", env={"PYTHONIOENCODING": "latin-1"})
    assert "run tree" in said.out and "\\u2713" in said.out


def test_ctrl_c_ends_what_waits_with_130(say: Say, home: Lab) -> None:
    say(home.main, "queue", "add", "--", "true")
    code = home.commit("refs/heads/runs")
    queue_of(home).begin(1, Running(now(), code, code, "uuid"))
    log = Folder.of(home.project().state, 1, 1).log
    log.parent.mkdir(parents=True)
    log.write_text("first line\n")
    words = [*WTWATCH, "queue", "logs", "-f", "1"]
    pipe = subprocess.PIPE
    follow = subprocess.Popen(words, cwd=home.main, stdout=pipe, stderr=pipe, text=True)
    assert follow.stdout and follow.stdout.readline() == "first line\n"
    follow.send_signal(signal.SIGINT)
    _, err = follow.communicate(timeout=20)
    assert follow.returncode == 130 and "Traceback" not in err


def test_logs_end_with_why_a_job_failed_where_it_could_not_say_so_itself(say: Say, home: Lab) -> None:
    say(home.main, "queue", "add", "--", "true")
    code = home.commit("refs/heads/runs")
    queue_of(home).begin(1, Running(now(), code, code, "uuid"))
    queue_of(home).end(1, Ended(now(), now(), code, Outcome.FAILED, 1, detail="Its outputs are a folder."))
    said = say(home.main, "queue", "logs", "1")
    assert "Job 1 failed: Its outputs are a folder." in said.err


def test_a_fault_of_wtwatch_itself_is_no_traceback_but_a_report(
    say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("of our own making")

    monkeypatch.setattr(quick, "collect", fail)
    said = say(tmp_path, "status", code=3)
    assert "wtwatch itself failed: ValueError: of our own making" in said.err
    report = Path(said.err.split("with the file ")[1].strip())
    assert "Traceback" in report.read_text() and __version__ in report.read_text()


# words that cannot be meant


def unchanged(lab: Lab) -> tuple[object, ...]:
    """Return what no refused command may change."""
    repos = [Repo(tree) for tree in (lab.main, lab.inputs, lab.code, lab.run)]
    return (
        [repo.refs("refs/heads", "refs/wtwatch") for repo in repos],
        [repo.worktrees() for repo in repos],
        [repo.git("status", "--porcelain") for repo in repos],
        dict(listing.registered()),
        [(job.id, job.word, job.acknowledged) for job in queue_of(lab).jobs()],
        queue_of(lab).standing(),
    )


def test_options_of_a_queued_command_are_its_own(say: Say, home: Lab) -> None:
    say(home.main, "queue", "add", "-m", "with", "python", "x.py", "-m", "no", "-h", "--version")
    (job,) = queue_of(home).jobs()
    assert job.spec.command == "python x.py -m no -h --version" and job.spec.message == "with"
    assert (
        say(home.main, "exec", "git", "--version").out
        == "git version " + home.git("version").split()[-1] + "\n"
    )


def test_waiting_without_a_daemon_ends_at_once(say: Say, home: Lab) -> None:
    assert "No daemon runs" in say(home.main, "queue", "wait", code=1).err
    say(home.main, "queue", "add", "--", "true")
    said = say(home.main, "queue", "wait", code=1)
    assert "Jobs wait, but no daemon runs" in said.err and "wtwatch service install" in said.err


def test_a_bookmark_that_was_deleted_is_told_by_all_that_need_it(say: Say, home: Lab) -> None:
    say(home.main, "queue", "add", "--on-move", "--", "true")
    home.git("update-ref", "-d", "refs/heads/runs", cwd=home.code)
    before = unchanged(home)
    for words in (("sync",), ("sync", "--dry-run"), ("status",), ("queue", "add", "--", "true")):
        said = say(home.main, *words, code=1)
        assert "bookmark runs" in said.out + said.err and "wtwatch release REV" in said.out + said.err
    assert unchanged(home) == before
    say(home.main, "release", "main")
    say(home.main, "sync")


def test_one_broken_project_does_not_break_the_others(say: Say, home: Lab) -> None:
    say(home.main, "init", "--env", "none", "--bookmark", "alt")
    settings = home.main / ".git" / "wtwatch" / "L5b-alt" / "config.toml"
    good = settings.read_text()
    home.change_code("2", "second version")
    for broken in ("nonsense", None):
        settings.unlink() if broken is None else settings.write_text(broken)
        home.move_bookmark()
        assert "L5b is fresh" not in say(home.main, "status", code=1).err
        shown = say(home.root, "status", code=1).out
        assert "behind" in shown or "fresh" in shown
        assert "L5b-alt:" in shown and str(settings.parent) in shown
        found = document(say, home.root, "status", code=1)
        assert [entry["name"] for entry in found["broken"]] == ["L5b-alt"]
        assert say(home.run, "queue", "list").out == "The queue is empty.\n"
        assert "L5b-alt" in say(home.main, "sync", code=1).err
        assert home.commit("HEAD", home.run_code) == home.commit("refs/heads/runs")
        assert (
            "L5b-alt" in say(home.root, "queue", "list", "--project", "L5b-alt", code=2 if broken else 1).err
        )
        say(home.run, "release")
    settings.write_text(good)
    home.run_code.rename(home.root / "code away")
    home.code.rename(home.root / "main code away")
    assert "is gone" in say(home.main, "sync", code=1).err
    assert "is gone" in say(home.root, "status", code=1).out


def test_a_run_tree_that_is_gone_is_told_by_all_that_need_it(say: Say, home: Lab) -> None:
    home.run.rename(home.root / "away")
    for words in (("sync",), ("sync", "--dry-run"), ("exec", "true"), ("queue", "rerun", "HEAD")):
        said = say(home.main, *words, code=1)
        assert "is gone" in said.err and "Hint: " in said.err, (words, said.err)
    assert "is gone" in say(home.main, "status", code=1).out
    say(home.main, "queue", "add", "--", "true")
    say(home.main, "queue", "cancel", "1")


# the smaller commands


def test_forget_leaves_no_trace_but_data(say: Say, home: Lab) -> None:
    say(home.main, "queue", "add", "--", "true")
    heads = Repo(home.code).refs()
    queue_of(home).begin(1, Running(now(), home.commit("HEAD"), home.commit("HEAD"), "uuid"))
    assert "Job 1 of L5b is running" in say(home.main, "forget", code=1).err
    queue_of(home).end(1, Ended(now(), now(), home.commit("HEAD"), Outcome.SUCCEEDED))

    assert "no longer watched" in say(home.root, "forget", "L5b").out

    assert listing.registered() == {}
    assert not (home.code / ".git" / "hooks" / "post-commit").exists()
    assert not (home.code / ".git" / "wtwatch").exists()
    assert Repo(home.code).refs() == heads
    assert queue_of(home).jobs() and home.run_code.is_dir()
    for tree in (home.run, home.run / "inputs" / "L5b_2p", home.run_code):
        assert not (Repo(tree).git_dir() / "locked").exists()
    assert "There is no project" in say(home.root, "forget", "L5b", code=2).err


def test_hooks_come_and_go_by_hand(say: Say, home: Lab) -> None:
    hook = home.code / ".git" / "hooks" / "post-commit"
    assert "post-commit    installed" in say(home.main, "hooks", "status").out
    say(home.main, "hooks", "uninstall")
    assert not hook.exists()
    assert "absent" in say(home.run, "hooks", "status").out
    say(home.main, "hooks", "install")
    assert hook.exists()


def test_exec_passes_on_how_the_command_ended(say: Say, home: Lab) -> None:
    assert say(home.main, "exec", "--", "sh", "-c", "pwd; exit 7", code=7).out == f"{home.run}\n"
    assert say(home.run / "inputs", "exec", "pwd").out == f"{home.run / 'inputs'}\n"
    say(home.main, "exec", "--", "sh", "-c", "kill -TERM $$", code=143)


def test_ctrl_c_reaches_the_command_of_exec(home: Lab) -> None:
    started = home.root / "started"
    by_hand = subprocess.Popen(
        [*WTWATCH, "exec", "--", "sh", "-c", f": > {started}; exec tail -f /dev/null"],
        cwd=home.main,
        start_new_session=True,
    )
    eventually(started.exists)
    os.killpg(by_hand.pid, signal.SIGINT)
    assert by_hand.wait(20) == 130


def test_release_where_main_is_itself_on_the_bookmark_says_what_to_do(say: Say, home: Lab) -> None:
    old = home.commit("HEAD")
    home.change_code("2", "second version")
    home.move_bookmark()
    home.git("checkout", "--quiet", "runs", cwd=home.code)
    said = say(home.main, "release", old, code=1)
    assert "itself on the branch runs" in said.err
    home.say("sh", "-ec", said.err.partition("Hint: ")[2].partition(",")[0])
    assert home.commit("refs/heads/runs") == old


def test_ack_stops_asking_for_attention(say: Say, home: Lab) -> None:
    say(home.main, "queue", "add", "--each", "n=1,2", "--", "echo {n}")
    for job in (1, 2):
        end(home, job, Outcome.FAILED)
    assert "2 failed jobs" in say(home.main, "status", code=1).out
    say(home.main, "ack", "1")
    assert "1 failed job " in say(home.main, "status", code=1).out
    say(home.main, "ack", "--all")
    say(home.main, "status")


def test_backups_are_listed_shown_and_restored_into_a_folder_of_their_own(say: Say, home: Lab) -> None:
    assert say(home.main, "backups", "list").out == "No backups.\n"
    home.edit_version("edited in the run tree", home.run_code)
    home.change_code("2", "second version")
    home.move_bookmark()
    assert "wtwatch backups show" in say(home.main, "sync").err
    star, name = say(home.main, "backups", "list").out.split()[:2]
    assert star == "*"
    assert '+VERSION = "edited in the run tree"' in say(home.main, "backups", "show", name).out
    assert "is not an empty folder" in say(home.main, "backups", "restore", name, "--to", ".", code=2).err
    assert "Wrote 1 file into" in say(home.main, "backups", "restore", name, "--to", "../back").out
    assert "edited in" in (home.root / "back" / "src" / "process2p" / "version.py").read_text()


def test_waiting_jobs_start_only_after_a_move_or_at_each(say: Say, home: Lab) -> None:
    say(home.main, "queue", "add", "--on-move", "--", "true")
    assert "on move" in say(home.main, "queue", "list").out
    said = say(home.main, "queue", "add", "--every-move", "--each", "n=1,2", "--", "echo {n}")
    assert "Standing s1: 2 jobs" in said.out
    assert queue_of(home).wait_for_move() == {1}
    say(home.main, "queue", "cancel", "s1", "1")
    assert queue_of(home).standing() == []
    say(home.main, "queue", "pause")
    assert "paused" in say(home.main, "status").out
    say(home.main, "queue", "resume")
    say(home.main, "queue", "retry", "1")
    say(home.main, "queue", "remove", "1")
    assert queue_of(home).jobs() == [] and Trigger("on-move") is Trigger.ON_MOVE


def test_each_command_is_a_file_of_its_name() -> None:
    for room, commands in (("commands", group.COMMANDS), ("commands.queue", queue.COMMANDS)):
        for name in commands:
            assert importlib.import_module(f"wtwatch.{room}.{name}").command.name == name


def test_a_setting_is_shown_and_set_and_what_differs_from_its_default_is_told(
    say: Say, home: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown = say(home.main, "config").out
    assert "settle            30\n" in shown
    assert [line for line in shown.splitlines() if len(line) > 80 and "/" not in line] == []
    assert say(home.main, "config", "settle", "5").out == "settle = 5\n"
    assert say(home.main, "config", "settle").out == "5\n"
    assert "(default: 30)" in say(home.main, "config").out
    before = unchanged(home)
    assert "Did you mean settle?" in say(home.main, "config", "setle", code=2).err
    assert unchanged(home) == before


def test_a_project_may_be_named_by_a_variable(
    say: Say, home: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WTWATCH_PROJECT", "L5b")
    assert say(tmp_path, "queue", "list").out == "The queue is empty.\n"
    monkeypatch.setenv("WTWATCH_PROJECT", "nope")
    assert "nope" in say(tmp_path, "queue", "list", code=2).err
    say(tmp_path, "queue", "list", "--project", "L5b")


def test_a_word_that_is_nearly_a_command_is_answered_with_the_command(say: Say, tmp_path: Path) -> None:
    assert "Did you mean: wtwatch status" in say(tmp_path, "stauts", code=2).err


def test_a_word_that_is_nearly_a_project_is_answered_with_the_project(say: Say, home: Lab) -> None:
    for words in (("status", "L5"), ("queue", "list", "--project", "L5")):
        assert "Did you mean L5b?" in say(home.root, *words, code=2).err
    assert "Did you mean" not in say(home.root, "status", "other", code=2).err
