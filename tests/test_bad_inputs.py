"""Words that cannot be meant: one error with a way out that works, exit code 2, and nothing changed."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests.conftest import Say
from tests.house import write
from tests.lab import Lab
from wtwatch.commands import group
from wtwatch.doors.repo import Repo
from wtwatch.queue.jobs import Queue
from wtwatch.words.model import JobSpec

Row = tuple[tuple[str, ...], str]
"""Words, and what has to be said of them."""

HUGE = "9" * 24
VERBS = ("show", "logs", "cancel", "retry", "remove", "wait")


def of_jobs() -> Iterator[Row]:
    """Yield what is no job, for each command that takes jobs."""
    wrong = {
        "99": "no job 99",
        "0": "no job 0",
        HUGE: f"no job {HUGE}",
        "abc": "'abc'",
        "1.5": "'1.5'",
        "１": "'１'",
        "": "empty",
    }
    for verb in VERBS:
        for word, said in wrong.items():
            if verb != "show" or word not in ("abc", "1.5", "１"):  # to show, these could be files
                yield ("queue", verb, word), said
        if verb != "show":
            yield ("queue", verb, "90-99"), "no jobs 90-99"
            yield ("queue", verb, "9-1"), "upside down"
        if verb not in ("show", "logs"):
            yield ("queue", verb, "--batch", "77"), "no batch 77"
            yield ("queue", verb, "--batch", "x"), "'x'"
            yield ("queue", verb, "--batch", ""), "empty"
    for word in ("99", "abc", "", "90-99", HUGE):
        yield ("ack", word), wrong.get(word, word)


ADDED: tuple[Row, ...] = (
    (("--",), "no command"),
    (("--", " "), "no command"),
    (("-m", "", "--", "x"), "empty"),
    (("-m", " ", "--", "x"), "empty"),
    (("-i", "", "--", "x"), "empty"),
    (("-o", "", "--", "x"), "empty"),
    (("--each", "", "--", "x"), "empty"),
    (("--each", "s", "--", "x {s}"), "no values"),
    (("--each", "s=", "--", "x {s}"), "no values"),
    (("--each", "s=a,,b", "--", "x {s}"), "an empty value"),
    (("--each", "s=a", "--", "x"), "nothing says {s}"),
    (("--each", "s=a", "--each", "s=b", "--", "x {s}"), "twice"),
    (("--each", "1=a", "--", "x {1}"), "cannot be a name"),
    (("--each", "a-b=a", "--", "x"), "cannot be a name"),
    (("--each", "=a", "--", "x"), "cannot be a name"),
    (("--each", "s=a,a", "--", "x {s}"), "the same job"),
    (("--each", "inputs=a", "--", "x {inputs}"), "to DataLad already"),
    (("--each", "s={x}", "--", "x {s}"), "has a brace"),
    (("--", "x {nope}"), "{nope}"),
    (("--", "x {0}"), "{0}"),
    (("--", "x {}"), "{}"),
    (("--", "x {"), "a brace that DataLad cannot read"),
    (("--", "x ${HOME}"), "{HOME}"),
    (("--", "awk '{print $1}' f"), "{print $1}"),
    (("-i", "{nope}", "--", "x"), "{nope}"),
    (("-i", "/etc/passwd", "--", "x"), "does not lie in the dataset"),
    (("-i", "../x", "--", "x"), "does not lie in the dataset"),
    (("-o", "a/../../x", "--", "x"), "does not lie in the dataset"),
    (("-o", "/etc/passwd", "--", "x"), "does not lie in the dataset"),
    (("-o", ".git/x", "--", "x"), "git's own"),
    (("-o", "inputs/L5b_2p/.git/x", "--", "x"), "git's own"),
    (("-o", "code/x", "--", "x"), "holds the code"),
    (("-o", "c*/x", "--", "x"), "holds the code"),
    (("--plain", "-o", "x", "--", "x"), "--plain runs the command as it is"),
    (("--plain", "-i", "x", "--", "x"), "--plain runs the command as it is"),
    (("--now", "--on-move", "--", "x"), "contradict"),
    (("--on-move", "--every-move", "--", "x"), "contradict"),
    (("--first", "1", "--every-move", "--", "x"), "--first is for one batch"),
    (("--first", "0", "--", "x"), "0"),
    (("--first", "x", "--", "x"), "'x'"),
    (("-o", "same", "--each", "s=a,b", "--", "x {s}"), "more than one of them makes 'same'"),
    (("--each", f"s={','.join(map(str, range(1001)))}", "--", "x {s}"), "1,001 jobs"),
    (("--setenv", "", "--", "x"), "empty"),
    (("--setenv", "=x", "--", "x"), "'' cannot be the name of a variable"),
    (("--setenv", "A B=1", "--", "x"), "'A B' cannot be the name of a variable"),
    (("--setenv", "1A=2", "--", "x"), "'1A' cannot be the name of a variable"),
    (("--setenv", "NOT_THERE_AT_ALL", "--", "x"), "no variable NOT_THERE_AT_ALL"),
    (("--setenv", "A=1", "--setenv", "A=2", "--", "x"), "A is set twice"),
    (("--setenv", "WTWATCH_LOCK=3", "--", "x"), "wtwatch's own"),
    (("--container", "", "--", "x"), "empty"),
    (("--container", "nope", "--", "x"), "no container 'nope'"),
    (("--container", "../nope/x", "--", "x"), "no container '../nope/x'"),
    (("--plain", "--container", "nope", "--", "x"), "no container is entered"),
    (("--project", "nope", "--", "x"), "nope"),
    (("--project", "", "--", "x"), "empty"),
    (("--nonsense", "--", "x"), "--nonsense"),
)
"""What `queue add` refuses, after these words."""

ELSE: tuple[Row, ...] = (
    (("nonsense",), "no command 'nonsense'"),
    (("stauts",), "no command 'stauts'"),
    (("queue", "nonsense"), "nonsense"),
    (("hooks", "nonsense"), "nonsense"),
    (("service", "nonsense"), "nonsense"),
    (("backups", "nonsense"), "nonsense"),
    *(
        ((name, "--nonsense"), "--nonsense")
        for name in ("status", "sync", "merge", "init", "forget", "release")
    ),
    *(((name, ""), "empty") for name in ("status", "sync", "forget", "release", "config")),
    *(((name, "--project", ""), "empty") for name in ("merge", "release", "ack", "exec")),
    *(((name, "--project", "nope"), "nope") for name in ("merge", "release", "config")),
    *(((name, "nope"), "nope") for name in ("status", "sync", "forget", "doctor")),
    *((("queue", verb, "--project", "nope"), "nope") for verb in ("list", "pause", "resume", "wait")),
    *((("queue", verb), "jobs") for verb in ("cancel", "retry", "remove")),
    (("queue", "retry", "--failed"), "No job failed"),
    (("queue", "retry", "1"), "has not ended"),
    (("queue", "cancel", "s9"), "s9"),
    (("queue", "remove", "s9"), "s9"),
    (("queue", "logs", "s9"), "s9"),
    (("queue", "list", "--state", "faild"), "faild"),
    (("queue", "list", "-n", "x"), "'x'"),
    *((("queue", "list", *more, "--batch", "77"), "no batch 77") for more in ([], ["--json"], ["--failed"])),
    (("queue", "list", "--batch", HUGE), f"no batch {HUGE}"),
    (("queue", "list", "--all-projects", "--batch", "77"), "no batch 77"),
    (("queue", "rerun"), "Which results?"),
    (("queue", "rerun", ""), "empty"),
    (("queue", "rerun", "nowhere"), "no commit 'nowhere'"),
    (("queue", "rerun", "HEAD"), "has no record"),
    (("queue", "rerun", "--now", "--on-move", "HEAD"), "contradict"),
    (("ack",), "Which jobs?"),
    (("ack", "1"), "has not ended"),
    (("exec",), "no command"),
    (("exec", "--"), "no command"),
    (("exec", "--project", "nope", "--", "true"), "nope"),
    (("exec", "--", "no-such-program"), "Cannot run 'no-such-program'"),
    (("release", "nowhere"), "nowhere"),
    (("release", "HEAD~99"), "HEAD~99"),
    (("release", "--after", "never"), "never"),
    (("backups", "show", "nothing"), "is no backup"),
    (("backups", "show", ""), "empty"),
    (("backups", "restore", "nothing"), "is no backup"),
    (("backups", "restore", ""), "empty"),
    (("backups", "drop", "nothing"), "is no backup"),
    (("backups", "drop", ""), "empty"),
    (("merge", "--pointer", "mine"), "'mine'"),
    (("sync", "--ignore-pid", "x"), "'x'"),
    (("sync", "--ignore-pid", ""), "''"),
    (("sync", "--ignore-pid", HUGE), f"no process {HUGE}"),
    (("sync", "--dry-run", "--ignore-pid", "0"), "no process 0"),
    (("demo", "--keep", "."), "is not an empty folder"),
    (("config", "settel"), "no setting 'settel'"),
    (("config", "settle", "soon"), "a number"),
    (("config", "settle", ""), "empty"),
    (("config", "keep_failed", "1.5"), "a number"),
    (("config", "lanes", "0"), "from 1 to 256"),
    (("config", "lanes", "10000"), "from 1 to 256"),
    (("config", "lanes", "x"), "a number"),
    (("config", "merge_pointer", "mine"), "one of"),
    (("config", "host", "other"), "decided by"),
    (("config", "carry", "../x"), "'../x' names no files within code"),
    (("config", "carry", ".env,/etc/passwd"), "'/etc/passwd' names no files within code"),
    (("config", "env.1A", "x"), "'1A' cannot be the name"),
    (("init", "--carry", "../x"), "'../x' names no files within code"),
    (("init", "--carry", ""), "empty"),
    (("init", "--name", ""), "empty"),
    (("init", "--bookmark", "b", "--name", "../x"), "'../x'"),
    (("init", "--bookmark", "b", "--name", "a b"), "'a b'"),
    (("init", "--bookmark", "b", "--name", "keep"), "'keep'"),
    (("init", "--bookmark", ""), "empty"),
    (("init", "--bookmark", "a..b"), "'a..b'"),
    (("init", "--bookmark", "-x"), "'-x'"),
    (("init", "--bookmark", "runs/below"), "runs"),
    (("init", "--code", ""), "empty"),
    (("init", "--code", "nowhere", "--bookmark", "b"), "nowhere"),
    (("init", "--code", "/abs"), "/abs"),
    (("init", "--code", "../x"), "../x"),
    (("init", "--bookmark", "b", "--run-tree", "inside"), "lies in a tree of the project"),
    (("init", "--run-tree", ""), "empty"),
)

LINES = """
requires an argument
    status --project
    queue add -i
    queue add -m
    queue add --each
    queue list -n
    backups restore x --to
    init --name
    demo --keep
    merge --pointer
    queue logs --grep
    release --after
    sync --ignore-pid
unexpected extra argument
    status p q
    sync p q
    forget p q
    release HEAD HEAD
    merge x
    watch x
    service install x
    service status x
    hooks status x
    backups list x
    backups show a b
    queue list 1
    queue pause 1
    queue resume 1
    config settle 3 4
    demo x
    init x
    prompt bash zsh
Missing argument
    show
    backups show
    backups restore
    backups drop
Choose from bash, zsh, fish.
    prompt
No such option
    --nonsense
    --project p status
    -x
    status --jsno
    sync --forse
    release --dryrun
    merge -q
    queue add --nonsense -- true
    queue add --outputs a -- true
    queue list --al
    queue wait --foo
    queue logs -x 1
    queue cancel --all
    queue retry --last
    backups list --json-lines
    backups restore --into x y
    ack --everything
    config --set settle 3
    hooks install --force
    service install --now
    doctor --fix
    forget --force
    demo --dir x
    init --runtree x
    watch --detach
    show --verbose 1
    exec --wait-for -- true
    queue rerun --last
    prompt --short bash
empty
    status ' '
    queue wait ' '
    backups restore x --to ''
    demo --keep ''
    config protected ''
    hooks install --jj-alias ''
    queue logs 1 --grep ''
is no regular expression
    queue logs --grep '(' 1
    queue logs --grep '[' 2
--live shows
    status --live --json
    status --live --short
Invalid value
    prompt ksh
    queue list -n 1.5
    queue logs 1 -n x
must be
    config settle nan
    config settle -- -1
    config keep_failed -- -1
are standing jobs
    queue logs s1
    queue wait s1
    queue retry s1
no batch
    show b77
    queue cancel b77
"""
"""What is said, and below that command lines of which it is."""


def of_lines(table: str = LINES) -> Iterator[Row]:
    """Yield what stands in a table like the one above."""
    said = ""
    for line in table.strip().splitlines():
        if line.startswith(" "):
            yield tuple(shlex.split(line)), said
        else:
            said = line


ROWS: tuple[Row, ...] = (
    *of_jobs(),
    *((("queue", "add", *words), said) for words, said in ADDED),
    *ELSE,
    *of_lines(),
)


@pytest.fixture
def home(say: Say, lab: Lab) -> Lab:
    say(lab.main, "init", "--env", "none")
    say(lab.main, "queue", "add", "--", "true")
    Queue(lab.project().state).add_standing([JobSpec("true")], lab.commit("refs/heads/runs"))
    return lab


OWN = ("excludes", "state.db", "tree.lock", "config.lock", "merge.lock")
"""Files of the state that may be written at any time; what the queue holds is compared by itself."""


def everything(home: Lab) -> object:
    """Return all that a wrong word must not change."""
    state = home.main / ".git" / "wtwatch"
    kept = (file for file in state.rglob("*") if file.is_file() and file.name not in OWN)
    files = {file: file.read_bytes() for file in kept}
    refs = [Repo(tree).refs() for tree in (home.main, home.inputs, home.code)]
    queue = Queue(home.project().state)
    jobs = (queue.jobs(), queue.standing(), queue.paused())
    return files, refs, jobs, sorted(path.name for path in home.root.iterdir()), sorted(home.main.iterdir())


def options() -> set[str]:
    """Return all options that there are, of any command."""
    found: set[str] = set()

    def of(command: click.Command) -> None:
        found.update(word for parameter in command.params for word in parameter.opts)
        context = click.Context(command)
        for name in command.list_commands(context) if isinstance(command, click.Group) else ():
            inner = command.get_command(context, name)  # type: ignore[attr-defined]
            assert inner is not None
            of(inner)

    of(group.cli)
    return found


FOREIGN = {"--force", "--system-site-packages", "--grep", "--abort", "--global"}
"""Options of other programs that hints name."""


def check_hint(hint: str, known: set[str]) -> None:
    """Assert that each command of wtwatch which a hint names is one, with all of its options."""
    assert not list(nowhere(hint)), hint
    if "wtwatch" in hint:
        assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", hint)) <= known | FOREIGN | {"--help"}, hint


def nowhere(hint: str) -> Iterator[str]:
    """Yield the commands, and their options, that a hint names and that are not there."""
    for named in re.findall(r"\bwtwatch ([^`;()\n]*)", hint):
        context = click.Context(group.cli)
        for word in (each.rstrip(".,:…?") for each in named.split()):
            command = context.command
            if word == "--":
                break
            if word.startswith("-"):
                if not any(word in option.opts for option in command.get_params(context)):
                    yield f"{command.name} {word}"
            elif isinstance(command, click.Group) and re.fullmatch(r"[a-z][a-z-]*", word):
                inner = command.get_command(context, word)
                if inner is None:
                    yield f"{command.name} {word}"
                    break
                context = click.Context(inner, help_option_names=["-h", "--help"])


def test_there_are_many_rows_and_none_twice() -> None:
    assert len(ROWS) >= 150 and len({words for words, _ in ROWS}) == len(ROWS)


def test_what_cannot_be_meant_is_one_error_with_a_way_out_and_changes_nothing(say: Say, home: Lab) -> None:
    before, known = everything(home), options()
    wrong = [(row, problem) for row in ROWS if (problem := refused(say, home, row, before, known))]
    assert wrong == [], "\n".join(map(str, wrong))
    assert everything(home) == before


def refused(say: Say, home: Lab, row: Row, before: object, known: set[str]) -> str:
    """Return what is not right with how words are refused, "" if all is."""
    words, said = row
    try:
        told = say(home.main, *words, code=2)
    except AssertionError as error:
        return str(error)
    errors = [line for line in told.err.splitlines() if line.startswith("Error: ")]
    message, _, hint = told.err.partition("\nHint: ")
    if told.out or len(errors) != 1 or not hint.strip():
        return f"not one error with a hint: {told.out}{told.err}"
    check_hint(hint, known)
    if everything(home) != before:
        return "it changed something"
    return "" if said in message else f"{said!r} is not said: {told.err}"


IN_PATHS = """
but the whole superdataset
    init --code .
    init --code ./ --code code
within the superdataset
    init --code ../x
    init --code code/..
    init --code /abs
for themselves
    init --code .git
    init --code code --code .datalad/config
    init --code .gitmodules
lies in code
    init --code code --code code/deep
    init --code code/deep --code code
is not there
    init --code src --code nowhere
    init --code code --code code/a/b
has no subdataset
    init --code nowhere
is not tracked by git
    init --code loose
    init --code src --code loose/z.py
lies in the subdataset lib
    init --code lib/x
    init --code code --code lib/deep/y
cannot be the bookmark
    init --bookmark main
Git cannot hold a branch
    init --bookmark main/x
forbids
    init --bookmark a..b
"""
"""What `init` refuses in a superdataset whose folders are code; as :data:`LINES`."""

MADE = """
holds the code
    queue add -o code/x -- true
    queue add -o code -- true
    queue add -o c*/x -- true
    queue add -o ./code/deep/../z -- true
    queue add -o src/new -- true
is the branch for results of the project
    init --bookmark runs
lies in a tree of the project
    init --bookmark other --run-tree t
overlaps the code of the project
    init --bookmark two --code code/deep
    init --bookmark two --code code
    init --bookmark two --code src --code in
The code of main is in 'code src'
    init --code src
    init --code nowhere
    init --bookmark runs-code --code in
"""
"""What is refused beside a project whose code is `code` and `src`."""


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """A superdataset of plain git with folders of code, and a subdataset."""
    main = tmp_path / "all" / "main"
    for name in ("code/a", "code/deep/b", "src/y", "in/1", "lib/x", "lib/deep/y"):
        write(main, name, "1\n")
    write(main, ".datalad/config", '[datalad "dataset"]\n\tid = 1-2-3\n')
    for tree in (main / "lib", main):
        Repo(tree).git("init", "-q", "-b", "main")
        Repo(tree).git("add", "-A")
        Repo(tree).git("commit", "-q", "-m", "first")
    write(main, "loose/z.py", "1\n")
    return main


def all_of(main: Path) -> object:
    """Return all files around a superdataset, and its refs; not those that any look may write."""
    found = sorted(file for file in main.parent.rglob("*") if file.name not in (*OWN, "index"))
    return Repo(main).refs(), [(file, file.read_bytes() if file.is_file() else b"") for file in found]


def check_rows(say: Say, main: Path, table: str) -> None:
    """Assert that each row is refused with one error and a hint, and changes nothing."""
    before, known = all_of(main), options()
    for words, said in of_lines(table):
        told = say(main, *words, code=2)
        message, _, hint = told.err.partition("\nHint: ")
        assert told.out == "" and message.count("Error: ") == 1 and hint.strip(), (words, told)
        assert said in message, (words, told.err)
        check_hint(hint, known)
        assert all_of(main) == before, words


def test_code_that_can_be_none_is_refused_and_nothing_is_made(say: Say, dataset: Path) -> None:
    check_rows(say, dataset, IN_PATHS)


def test_beside_a_project_whose_code_is_paths_what_would_meet_it_is_refused(say: Say, dataset: Path) -> None:
    say(dataset, "init", "--code", "code", "--code", "src", "--env", "none")
    check_rows(say, dataset, MADE)


def test_in_a_folder_of_code_init_means_the_dataset_around_it(say: Say, dataset: Path) -> None:
    say(dataset / "code" / "deep", "init", "--env", "none")
    assert "was set up already" in say(dataset, "init").out
    assert Repo(dataset.parent / "main-runs").branch() == "runs"


def test_a_history_that_is_cut_off_or_not_begun_is_refused_with_what_mends_it(
    say: Say, dataset: Path, tmp_path: Path
) -> None:
    Repo(dataset).git("commit", "-q", "--allow-empty", "-m", "second")
    shallow, unborn = tmp_path / "one" / "shallow", tmp_path / "other" / "unborn"
    shallow.parent.mkdir()
    Repo(tmp_path).git("clone", "-q", "--depth", "1", f"file://{dataset}", str(shallow))
    Repo(tmp_path).git("init", "-q", str(unborn))
    for name in (".datalad/config", "code/a"):
        write(unborn, name, (dataset / name).read_text())
    for place, said in ((shallow, "shallow clone"), (unborn, "no commit yet")):
        before = all_of(place)
        told = say(place, "init", "--code", "code", code=2)
        assert said in told.err and told.err.count("Error: ") == 1 and all_of(place) == before
        mend = told.err.partition("\nHint: ")[2].strip().partition("Get the rest: ")
        subprocess.run(["sh", "-c", mend[2] or mend[0]], check=True, capture_output=True, timeout=60)
        say(place, "init", "--code", "code", "--env", "none", "--name", place.name)


ALIKE = """\
queue list --state faild: --state failed
queue list --state waitng --state failed: --state waiting
release --after jobs: --after job
merge --pointer mian: --pointer main
prompt bsh: bash
queue lst: wtwatch queue list
queue list --batchs 1: '--batch'
stauts: wtwatch status
config settel 3: settle
"""
"""Words that are mistyped, and the one that is named instead."""


def test_a_word_that_is_nearly_one_is_told_which(say: Say, home: Lab) -> None:
    for line in ALIKE.splitlines():
        words, meant = line.rsplit(": ", 1)
        told = say(home.main, *words.split(), code=2).err
        assert re.search(f"[Dd]id you mean:? {meant}", told), (words, told)


OUTSIDE = """\
sync, release, merge, ack --all, exec -- true, config, forget, queue list, queue wait, queue pause
queue add -- x, backups list, hooks status, init, show 3, queue rerun HEAD, queue resume
queue cancel 1, queue logs 1"""


def test_outside_of_all_projects_that_is_said(say: Say, tmp_path: Path) -> None:
    for line in OUTSIDE.replace("\n", ", ").split(", "):
        told = say(tmp_path, *line.split(), code=2)
        assert told.out == "" and told.err.count("Error: ") == 1 and "Hint: " in told.err, (line, told.err)
