"""What is seen of code while a command runs, whatever program it is, and what that says the job used."""

from __future__ import annotations

import os
import select
import shlex
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from wtwatch.doors.inotify import Watches
from wtwatch.job import learning
from wtwatch.job.learning import Learning, Place, several_hosts
from wtwatch.job.seen import Code, Seen, uses_of, written
from wtwatch.job.uses import text_of
from wtwatch.words.uses import Uses

FILES = {
    "run.py": "import numpy_like\nimport shared\nprint(shared.X)\n",
    "run_all.py": "import json, sys\nimport shared\nopen(sys.argv[1]).read()\n",
    "shared.py": "X = 1\n",
    "other.py": "X = 2\n",
    "pkg/__init__.py": "",
    "pkg/one.py": "import colorsys\nfrom pkg import two\n",
    "pkg/two.py": "X = 1\n",
    "pkg/three.py": "X = 1\n",
    "plugins/main.py": "import glob, os\n"
    "for name in glob.glob(os.path.dirname(__file__) + '/p_*.py'):\n    exec(open(name).read())\n",
    "plugins/p_a.py": "import string\n",
    "plugins/p_b.py": "import string\n",
    "plugins/spare.py": "",
    "params/a.json": "{}",
    "params/b.json": "{}",
    "tool.sh": "cat code/params/a.json\n",
    "tool.pl": 'open(my $f, "<", "code/params/b.json"); print <$f>;\n',
    "map.py": "import mmap\nwith open('code/params/a.json') as f:\n"
    "    mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)[:]\n",
    "sub.py": "import subprocess, sys\nsubprocess.run([sys.executable, 'code/other.py'], check=True)\n",
    "zipped.py": "import sys\nsys.path.insert(0, 'code/lib.zip')\nimport inside\n",
    "twice.py": "import os, sys\nfor _ in range(int(sys.argv[1])):\n"
    "    for name in 'ab': os.close(os.open(f'code/params/{name}.json', os.O_RDONLY))\n",
    "Makefile": "all:\n\tcat code/params/b.json\n",
    "lib/numpy_like.py": "",
    "copies.py": "import sys\n__import__(sys.argv[1])\n",
    "dotted.py": "from importlib.util import module_from_spec, spec_from_file_location\n"
    "spec = spec_from_file_location('dotted', 'code/my.v2.py')\n"
    "spec.loader.exec_module(module_from_spec(spec))\n",
    "my.v2.py": "X = 1\n",
    "alone/run.py": "import numpy_like\n",
    "moved.py": "import os\nfile = open('code/params/a.json')\nos.chdir('/')\nfile.read()\n",
    "spread/main.py": "from parts.a import x\nimport parts.b.y\n",
    "spread/parts/a/x.py": "",
    "spread/parts/b/y.py": "",
    "spread/parts/b/z.py": "",
    "hard/one.json": "{}",
    "edited/deep/er.py": "X = 1\n",
    "prefix.sh": "export PYTHONPYCACHEPREFIX=/nowhere\npython code/other.py\n",
}


class World(NamedTuple):
    """A tree with code in it, and an environment that has a package of its own."""

    top: Path
    prefix: Path

    @property
    def python(self) -> str:
        return shlex.quote(str(self.prefix / "bin" / "python"))

    def run(self, command: str, *code: str, cached: bool = True, apart: tuple[str, ...] = ()) -> Seen:
        """Run a line of a shell, and return what is seen of it."""
        env = {"PATH": f"{self.prefix}/bin:/usr/bin:/bin", "PYTHONPATH": str(self.top / "packages")}
        bytecode = str(self.top / "bytecode")
        env |= {"PYTHONPYCACHEPREFIX": bytecode} if cached else {}
        place = Place(
            self.top,
            code or ("code",),
            lambda path: path.rpartition("/")[2] in apart,
            bytecode,
            str(self.prefix / "pyvenv.cfg"),
        )
        watched = Learning(place)
        watched.begin()
        done = subprocess.run(command, shell=True, cwd=self.top, env=env, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        return watched.end()

    def uses(self, command: str, *code: str, cached: bool = True, apart: tuple[str, ...] = ()) -> Uses:
        """Return what a line of a shell uses."""
        seen = self.run(command, *code, cached=cached, apart=apart)
        return uses_of(seen, self.known(command, apart))

    def known(self, command: str = "", apart: tuple[str, ...] = ()) -> Code:
        tracked = subprocess.run(
            ["git", "ls-files", "-z"], cwd=self.top, capture_output=True, check=True
        ).stdout.decode()
        return Code(
            frozenset(tracked.split("\0")),
            lambda path: path.rpartition("/")[2] in apart,
            lambda path: text_of(self.top / path),
            command,
        )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Make the tree once; no test here changes it for the next."""
    top = tmp_path_factory.mktemp("learned")
    prefix = top / "code" / ".venv"
    venv.create(prefix, symlinks=True)
    for name, text in FILES.items():
        (top / "code" / name).parent.mkdir(parents=True, exist_ok=True)
        (top / "code" / name).write_text(text)
        os.utime(top / "code" / name, (0, 0))  # or git, to be sure, reads it again
    (top / "packages").mkdir()
    (top / "packages" / "folder").mkdir()
    for name in ("numpy_like.py", "copied.py", "folder/__init__.py"):
        (top / "packages" / name).write_text("")
    with zipfile.ZipFile(top / "code" / "lib.zip", "w") as archive:
        archive.writestr("inside.py", "X = 1\n")
    os.utime(top / "code" / "lib.zip", (0, 0))
    (top / "code" / "hard" / "two.json").hardlink_to(top / "code" / "hard" / "one.json")
    (top / "code" / "link.json").symlink_to("params/a.json")
    (top / "code" / "latest").symlink_to("params")
    (top / "outside.json").symlink_to("code/params/b.json")
    (top / ".gitignore").write_text(".venv\nbytecode\n__pycache__\n*.made\n")
    git = ["git", "-c", "user.name=T", "-c", "user.email=t@example.org"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "code"]):
        subprocess.run([*git, *words], cwd=top, check=True)
    yield World(top, prefix)


def of(*names: str) -> tuple[str, ...]:
    return tuple(sorted(f"code/{name}" for name in names))


LINKS = ("latest", "link.json")
"""Links count always: who follows one cannot be seen."""


def test_a_script_that_imports_packages_and_a_sibling_listed_its_folder_for_imports_alone(
    made: World,
) -> None:
    assert made.uses("python code/run.py") == Uses(of("run.py", "shared.py", *LINKS), (), ("code",))


def test_what_python_compiled_stands_for_its_source_wherever_that_is_kept(made: World) -> None:
    expected = Uses(of("pkg/__init__.py", "pkg/one.py", "pkg/two.py", *LINKS), (), of("", "pkg"))
    expected = expected._replace(imported=("code", "code/pkg"))
    for cached in (True, True, False, False):  # without what was compiled, and with it
        assert made.uses("cd code && python -m pkg.one", cached=cached) == expected


def test_scripts_one_after_the_other_list_their_folder_once_each(made: World) -> None:
    found = made.uses("python code/run.py; python code/run.py; python code/sub.py")
    assert found == Uses(of("run.py", "shared.py", "sub.py", "other.py", *LINKS), (), ("code",))


def test_a_module_whose_name_has_dots_is_known_by_what_python_compiled_of_it(made: World) -> None:
    for _ in range(2):
        assert made.uses("python code/dotted.py").files == of("dotted.py", "my.v2.py", *LINKS)


def test_parts_of_a_package_that_has_no_file_of_its_own_are_used_each(made: World) -> None:
    for _ in range(2):
        found = made.uses("python code/spread/main.py")
        assert found.files == of("spread/main.py", "spread/parts/a/x.py", "spread/parts/b/y.py", *LINKS)
        assert {*of("spread", "spread/parts", "spread/parts/b")} <= {*found.folders, *found.imported}


def test_where_the_environment_leads_python_to_is_listed_for_imports_alone(made: World) -> None:
    command = "PYTHONPATH=code/spread:$PYTHONPATH python code/alone/run.py"
    assert made.uses(command).folders == ("code/spread",)
    seen = made.run(command)
    known = made.known(command)._replace(leads=("code/spread",))
    assert (uses_of(seen, known).folders, uses_of(seen, known).imported) == ((), of("alone", "spread"))
    looks = made.known(f"{command}; ls code/spread")._replace(leads=("code/spread",))
    assert uses_of(seen, looks).folders == ("code/spread",)


@pytest.mark.parametrize(
    "command",
    [
        "python -m compileall -q code/pkg",
        "python -m compileall -q code/pkg/",
        "cd code/pkg; python -m compileall -q .",
    ],
)
def test_a_folder_that_is_given_to_a_program_is_looked_through(made: World, command: str) -> None:
    assert made.uses(command).folders == ("code/pkg",)


def test_a_folder_that_is_looked_through_counts_with_all_its_names(made: World) -> None:
    assert made.uses("cat code/params/*.json").folders == ("code/params",)
    assert made.uses("for f in code/plugins/*.py; do python $f; done").folders == ("code/plugins",)
    assert made.uses("python code/plugins/main.py").folders == ("code/plugins",)
    plain = made.uses("python code/run.py; ls code")
    assert plain.folders == ("code",) and plain.imported == ()


@pytest.mark.parametrize(
    ("command", "files"),
    [
        ("bash code/tool.sh", ("tool.sh", "params/a.json")),
        ("perl code/tool.pl", ("tool.pl", "params/b.json")),
        ("python code/map.py", ("map.py", "params/a.json")),
        ("python code/moved.py", ("moved.py", "params/a.json")),
        ("exec 3< code/params/a.json; cd /; cat <&3", ("params/a.json",)),
        ("cat code/hard/two.json", ("hard/two.json",)),
        ("python code/zipped.py", ("zipped.py", "lib.zip")),
        ("cat outside.json", ("params/b.json",)),
        ("cat code/latest/a.json", ("params/a.json",)),
        ("cat code/link.json", ("params/a.json",)),
        ("cd code/params && cat a.json", ("params/a.json",)),
        ("make -s -f code/Makefile", ("Makefile", "params/b.json")),
        ("git -C code status; git rev-parse HEAD; cat code/params/a.json", ("params/a.json",)),
        ("awk '{print}' code/params/a.json", ("params/a.json",)),
        ("exec code/.venv/bin/python code/sub.py", ("sub.py", "other.py")),
    ],
)
def test_each_program_that_opens_files_is_seen(made: World, command: str, files: tuple[str, ...]) -> None:
    found = made.uses(command)
    assert (found.files, found.whole) == (of(*files, *LINKS), None)


@pytest.mark.parametrize("times", [5000, pytest.param(50_000, marks=pytest.mark.slow)])
def test_many_openings_of_two_files_in_turn_lose_nothing(made: World, times: int) -> None:
    found = made.uses(f"python code/twice.py {times}")
    assert found.whole is None
    assert found.files == of("twice.py", "params/a.json", "params/b.json", *LINKS)
    assert found.folders == ("code/params",)  # nobody counted any more who listed it


def test_code_may_be_folders_and_files_at_the_top(made: World) -> None:
    found = made.uses("python code/run.py", "code/run.py", "code/pkg")
    assert found == Uses(("code/run.py",))
    assert made.uses("cd code; python -m pkg.one", "code/pkg", "code/run.py").imported == ("code/pkg",)


def test_without_a_file_of_code_all_of_it_counts(made: World) -> None:
    assert made.uses("ls code").whole == "no file of code was seen to be used"


def test_what_git_does_not_keep_was_made_from_nobody_knows_what(made: World) -> None:
    product = made.top / "code" / "tool.made"
    product.write_text("1\n")
    command = "cat code/tool.made code/params/a.json"
    assert "code/tool.made, which git does not keep" in (made.uses(command).whole or "")
    assert made.uses(command, apart=("tool.made",)).whole is None
    assert made.uses(f"echo > code/tool.made; {command}").whole is None  # the job made it itself
    product.unlink()


def test_where_python_keeps_what_it_compiles_elsewhere_all_counts(made: World) -> None:
    assert made.uses("PYTHONPYCACHEPREFIX=/nowhere python code/run.py").whole is not None
    assert "a program of it has Python keep" in (made.uses("sh code/prefix.sh").whole or "")


def test_a_process_that_goes_on_is_said(made: World) -> None:
    inner = f"""
import os, subprocess, sys
sys.path.insert(0, {str(Path(learning.__file__).parents[2])!r})
from wtwatch.job.learning import Learning, Place, several_hosts
os.setsid()
watched = Learning(Place({str(made.top)!r}, ("code",), lambda path: False))
watched.begin()
subprocess.run("sleep 30 > /dev/null 2>&1 & echo $!", shell=True)
print(watched.end().lost, flush=True)
"""
    said = subprocess.run([sys.executable, "-c", inner], capture_output=True, text=True, check=True)
    pid, why = said.stdout.splitlines()
    os.kill(int(pid), 9)
    assert why == "some of its processes went on when its command was over"


def _has_namespaces() -> bool:
    words = ["unshare", "-Ur", "sh", "-c", "echo 9 > /proc/sys/user/max_inotify_watches"]
    return subprocess.run(words, check=False, capture_output=True).returncode == 0


@pytest.mark.skipif(not _has_namespaces(), reason="no user namespace may be made here")
@pytest.mark.parametrize(("limit", "most"), [("instances", 0), ("watches", 3)])
def test_where_nothing_can_be_watched_that_is_said(made: World, limit: str, most: int) -> None:
    """In a user namespace with a limit of its own (namespaces(7))."""
    inner = f"""
import sys
sys.path.insert(0, {str(Path(learning.__file__).parents[2])!r})
from wtwatch.job.learning import Learning, Place
watched = Learning(Place({str(made.top)!r}, ("code",), lambda path: False))
watched.begin()
print(watched.end().lost)
"""
    line = f'echo {most} > /proc/sys/user/max_inotify_{limit} && exec "$@"'
    words = ["unshare", "-Ur", "sh", "-c", line, "sh", sys.executable, "-c", inner]
    said = subprocess.run(words, capture_output=True, text=True, check=False)
    assert f"fs.inotify.max_user_{limit}" in said.stdout, said


def test_what_is_lost_is_said(made: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def until_the_end(watches: Watches) -> None:
        """Have nobody read before: who reads much at once is told the rest once, and loses nothing."""
        select.select([watches._wake], [], [])

    monkeypatch.setattr(Watches, "wait", until_the_end)
    watched = Learning(Place(made.top, ("code",), lambda path: False))
    watched.begin()
    assert watched._watches is not None
    program = "import sys; [open(sys.argv[1 + i % 2]).close() for i in range(int(sys.argv[3]))]"
    most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    files = [str(made.top / "code/params" / name) for name in ("a.json", "b.json")]
    twice = str(2 * most)
    subprocess.run([sys.executable, "-c", program, *files, twice], check=True)
    seen = watched.end()
    assert seen.lost == "so much was opened at once that some of it was not seen"
    assert uses_of(seen, made.known()) == Uses(whole=seen.lost)


@pytest.mark.parametrize(
    "command",
    [
        "cp -p {0} kept; echo X=3 > {0}; mv kept {0}",
        "cp -p {0} kept; cp {0} {0}.tmp; echo X=3 >> {0}.tmp; mv {0}.tmp {0}; mv kept {0}",  # as editors do
        "mv {0} {0}~; cp {0}~ {0}; echo X=3 >> {0}; mv {0}~ {0}",
        "sed -i s/X/Y/ {0}; sed -i s/Y/X/ {0}",
        "cp -p {0} kept; rm {0}; mv kept {0}",
        "echo X=3 > {0}; git -C code stash -q; git stash pop -q; git checkout -q {0}",
        "mv code/edited kept; mkdir -p code/edited/deep; echo > {0}; rm -r code/edited; mv kept code/edited",
        "mv code/edited/deep code/edited/away; mv code/edited/away code/edited/deep",
    ],
)
def test_a_file_that_was_written_to_and_put_back_is_known(made: World, command: str) -> None:
    line = command.format("code/edited/deep/er.py").replace("git ", "git -c user.name=T -c user.email=t@x ")
    seen = made.run(line)
    assert written(seen, made.known(line)) == ("code/edited/deep/er.py",)


def test_a_file_that_was_read_or_touched_is_not_written_to(made: World) -> None:
    assert written(made.run("touch code/edited/deep/er.py"), made.known()) == ()
    assert written(made.run("python code/run.py; : > code/x.made"), made.known()) == ()
    (made.top / "code/x.made").unlink()


def test_a_copy_of_code_elsewhere_has_all_of_it_count(made: World) -> None:
    bytecode = made.top / "bytecode"
    for copy in ("packages/copied.py", "packages/folder"):
        place = Place(made.top, ("code",), lambda path: False, str(bytecode), copies=(str(made.top / copy),))
        for _ in range(2):  # what was compiled of it is opened alone the second time
            watched = Learning(place)
            watched.begin()
            words = [str(made.prefix / "bin/python"), "code/copies.py", Path(copy).stem]
            env = {"PYTHONPATH": str(made.top / "packages"), "PYTHONPYCACHEPREFIX": str(bytecode)}
            subprocess.run(words, cwd=made.top, env=env, check=True)
            assert uses_of(watched.end(), made.known()).whole == f"it used a copy of code: {made.top / copy}"


def test_jobs_in_two_trees_at_once_are_told_apart(made: World, tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "lane.py").write_text("")
    here, there = (Learning(Place(top, ("code",), lambda path: False)) for top in (made.top, tmp_path))
    here.begin()
    there.begin()
    for top, name in ((made.top, "run.py"), (tmp_path, "lane.py")):
        subprocess.run(["cat", f"code/{name}"], cwd=top, check=True)
    assert set(here.end().opened) == {"code/run.py"} and set(there.end().opened) == {"code/lane.py"}


def test_on_several_hosts_all_of_code_counts() -> None:
    assert "ran on 3 hosts" in (several_hosts({"SLURM_JOB_NUM_NODES": "3"}) or "")
    assert several_hosts({"SLURM_NNODES": "1"}) is None and several_hosts({}) is None


@pytest.mark.parametrize("folder", ["node_modules", "mine", "made/env"])
def test_what_git_keeps_where_tools_keep_things_for_themselves_has_all_count(
    tmp_path: Path, folder: str
) -> None:
    (tmp_path / "code" / folder).mkdir(parents=True)
    for name in ("run", f"{folder}/tool", "made/env/pyvenv.cfg"):
        (tmp_path / "code" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "code" / name).touch()
    watched = Learning(Place(tmp_path, ("code",), lambda path: path == "code/mine"))
    watched.begin()
    (tmp_path / "code/run").read_text()
    known = Code({"code/run"}, lambda path: False, lambda path: None, "")
    assert uses_of(watched.end(), known).whole is None
    why = uses_of(watched.end(), known._replace(tracked={"code/run", f"code/{folder}/tool"})).whole
    assert why and f"git keeps files in code/{folder}" in why
