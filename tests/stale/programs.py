"""Small projects at random, and what people do to them, as data: programs that find each other in all ways.

All paths of code are as seen from its folder. A file is its text; one that begins with "-> " is a symbolic
link, one with "+x " may be executed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from hypothesis import strategies as st

MODULES = ("lib.py", "util.py", "pkg/__init__.py", "pkg/a.py", "pkg/b.py", "ns/m.py", "extra/plug.py",
           "plugins/p1.py", "plugins/p2.py")  # fmt: skip
"""Modules that are there from the start, each of which may import those after it."""

SHADOWS = ("local.py", "plug.py", "lib/__init__.py", "pkg/a/__init__.py", "ns/__init__.py", "colorsys.py",
           "util/__init__.py", "sub/lib.py", "extra/lib.py", "plugins/p3.py", "pkg/new.py")  # fmt: skip
"""Modules that may come, and take the place of others."""

SCRIPTS = ("run1.py", "run2.py", "pkg/__main__.py", "sub/deep.py")
"""Scripts, each of which may start those after it."""

SHELLS = ("tool.sh", "sub/all.sh")

TEXTS = ("conf.txt", "params/a.txt", "params/b.txt", "params/deep/c.txt")
OPTIONAL = ("opt.txt", "params/opt.txt", "new/opt.txt", "params/z.txt")
BESIDE = ("README.md", "docs/how.txt", "LICENSE", "sub/other.py", "params/notes.md")

LINKS = {
    "link.txt": ("params/a.txt", "params/opt.txt", "conf.txt"),
    "alias.py": ("lib.py", "util.py", "local.py"),
    "latest": ("params", "params/deep", "plugins"),
}

_PERHAPS = (*OPTIONAL, "latest/opt.txt", "link.txt", "params/b.txt")
_FOLDERS = ("params", "plugins", "params/deep", "latest", "sub", "pkg", "new", "")

_IMPORTS = {
    "lib.py": "lib", "util.py": "util", "pkg/__init__.py": "pkg", "pkg/a.py": "pkg.a", "pkg/b.py": "pkg.b",
    "ns/m.py": "ns.m", "extra/plug.py": "plug",
}  # fmt: skip

_OS = "import os\nC = os.environ.get('C', 'code')\n"
_PLAIN = "C = __import__('os').environ.get('C', 'code')\n"

_IN_PYTHON = {
    "import": "import {m}\nV += {m}.V\n",
    "import as": "import {m} as x\nV += x.V\n",
    "in a function": "def f():\n    import {m} as x\n    return x.V\nV += f()\n",
    "try import": "try:\n    import local as x\n    V += x.V\nexcept ImportError:\n    V.append('alone')\n",
    "of Python": "import colorsys\nV.append(str(hasattr(colorsys, 'rgb_to_hls')))\n",
    "insert": "import sys\nsys.path.insert(0, C + '/extra')\nimport plug\nV += plug.V\n",
    "append": "import sys\nsys.path.append(C + '/extra')\nimport plug\nV += plug.V\n",
    "told": "import importlib\nV += importlib.import_module(open(C + '/conf.txt').read().strip()).V\n",
    "if": "if '1' in open(C + '/conf.txt').read():\n    import lib as x\nelse:\n    import util as x\n"
    "V += x.V\n",
    "exec": "W = {{}}\nexec(open(C + '/lib.py').read(), W)\nV += W['V']\n",
    "runpy": "import runpy\nV += runpy.run_path(C + '/util.py')['V']\n",
    "alias": "import alias\nV += alias.V\n",
    "read": "V.append(open(C + '/{t}').read())\n",
    "try to read": "try:\n    V.append(open(C + '/{o}').read())\nexcept OSError:\n    V.append('none')\n",
    "try some": "for n in ('a', 'opt', 'z'):\n    try:\n"
    "        V.append(open(f'{{C}}/params/{{n}}.txt').read())\n    except OSError:\n        pass\n",
    "is there": "import os\nV.append(str(os.path.exists(C + '/{o}')))\n",
    "glob": "import glob\nV += sorted(glob.glob(C + '/{f}/*.txt'))\n",
    "read all": "import glob\nV += [open(n).read() for n in sorted(glob.glob(C + '/{f}/*.txt'))]\n",
    "listdir": "import os\nV += sorted(n for n in os.listdir(C + '/params') if n[0] != '.')\n",
    "list all": "import os\nV += sorted(n for n in os.listdir(C) if n[0] != '.')\n",
    "iterdir": "from pathlib import Path\nV += sorted(p.name for p in Path(C, 'pkg').iterdir())\n",
    "walk": "import os\nV += sorted(f for d, _, n in os.walk(C + '/params') for f in n)\n",
    "rglob": "from pathlib import Path\nV += sorted(map(str, Path(C, 'params').rglob('*.txt')))\n",
    "plug in": "import glob, importlib.util\nfor n in sorted(glob.glob(C + '/plugins/*.py')):\n"
    "    s = importlib.util.spec_from_file_location('p', n)\n    x = importlib.util.module_from_spec(s)\n"
    "    s.loader.exec_module(x)\n    V += x.V\n",
    "modules": "import pkgutil\nV += sorted(m.name for m in pkgutil.iter_modules([C + '/plugins']))\n",
    "python": "import subprocess, sys\nV.append(subprocess.run([sys.executable, C + '/{s}'], check=True,"
    " capture_output=True, text=True).stdout)\n",
    "shell": "import subprocess\nV.append(subprocess.run(['sh', C + '/{h}'], check=True, capture_output=True,"
    " text=True).stdout)\n",
}  # fmt: skip
"""What a file of Python may do. ``m``: a module, ``t``: a text, ``o``: one that may be there, ``f``:
a folder, ``s``: a script, ``h``: one of the shell. Braces are doubled."""

_IN_SHELL = {
    "read": 'cat "$C/{t}"\n',
    "try to read": 'cat "$C/{o}" 2>/dev/null || echo none\n',
    "is there": 'if [ -e "$C/{o}" ]; then echo there; fi\n',
    "read all": 'cat "$C"/{f}/*.txt 2>/dev/null || echo none\n',
    "ls": 'ls "$C/{f}" 2>/dev/null || echo none\n',
    "loop": 'for f in "$C"/plugins/*.py; do echo "$f"; done\n',
    "find": "find \"$C/params\" -name '*.txt' | sort\n",
    "python": 'python "$C/{s}"\n',
}

_TAIL = """
if __name__ == '__main__':
    import sys
    for n in sys.argv[2:]:
        for p in sorted(os.path.join(n, x) for x in os.listdir(n)) if os.path.isdir(n) else [n]:
            V.append(open(p).read())
    print(*V, sep='\\n', file=open(sys.argv[1], 'w') if len(sys.argv) > 1 else sys.stdout)
"""

_SHELL_TAIL = """
for f; do if [ -d "$f" ]; then cat "$f"/*; else cat "$f"; fi; done
"""


class Program(NamedTuple):
    """A file that is run or imported: its path, what it says of itself, and what it does."""

    path: str
    says: int
    does: tuple[str, ...]

    def text(self) -> str:
        if self.path.endswith(".sh"):
            return (
                "+x #!/bin/sh\nset -e\nC=${C:-code}\n"
                + f"echo {self.says}\n"
                + "".join(self.does)
                + _SHELL_TAIL
            )
        script = self.path in SCRIPTS
        head = _OS if script else _PLAIN if any("C" in one for one in self.does) else ""
        named = self.path.replace("/", "_")
        return f"{head}V = ['{named} {self.says}']\n" + "".join(self.does) + (_TAIL if script else "")


class Task(NamedTuple):
    """A job: its command with ``{out}`` and ``{ins}``, and its inputs."""

    command: str
    inputs: tuple[str, ...] = ()


class Edit(NamedTuple):
    """A file of code that has another text; ``None``: is gone."""

    path: str
    text: str | None


class Step(NamedTuple):
    """What people do: edits of code, how they are committed, other data, and results that hands touch.

    ``how``: "commit", "amend", "squash", "merge", "undo", "back" or "on", see `tests.stale.lived`. ``again``:
    what is stale is made anew after that; of ``hands`` each names a job, and what becomes of its result.
    """

    edits: tuple[Edit, ...]
    how: str
    data: tuple[tuple[str, str | None], ...]
    hands: tuple[tuple[int, str], ...]
    again: bool


class Life(NamedTuple):
    """A project and what becomes of it."""

    files: Mapping[str, str]
    tasks: tuple[Task, ...]
    steps: tuple[Step, ...]


DATA = ("data/x.csv", "data/y.csv")
INPUTS = ((), ("data/x.csv",), ("data",), ("data/*.csv",), ("data/x.csv", "data/y.csv"))

_TASKS = (
    "python code/{script} {out} {ins}",
    "python code/{script} {out} {ins}",
    "python code/run1.py {out} {ins}",
    "python code/run1.py {out} {ins}",
    "(cd code && C=. python -m {module} ../{out} {ins_below})",
    "sh code/{shell} {ins} > {out}",
    "code/{shell} {ins} > {out}",
    "python code/pkg {out} {ins}",
    "python -c \"import sys; sys.path.insert(0, 'code'); import lib; print(lib.V)\" > {out}",
    "cat code/params/*.txt > {out}",
    "cat code/opt.txt > {out} 2>/dev/null || cat code/conf.txt > {out}",
    "for s in code/plugins/*.py; do python $s; echo $s; done > {out}",
    "cat code/latest/* > {out} 2>/dev/null; cat code/link.txt >> {out}",
)


def _statements(path: str) -> st.SearchStrategy[str]:
    """What a program may do that is at ``path``: it imports and starts such alone as come after it."""
    later = [_IMPORTS[one] for one in MODULES[_rank(path, MODULES) :] if one in _IMPORTS]
    later = [name for name in later if name != "plug"]
    scripts = SCRIPTS[_rank(path, SCRIPTS) :]
    shells = SHELLS[_rank(path, SHELLS) :]
    kinds = dict(_IN_SHELL if path.endswith(".sh") else _IN_PYTHON)
    if not path.endswith(".sh"):
        imported = path not in SCRIPTS
        if not later:
            kinds = {kind: text for kind, text in kinds.items() if "{m}" not in text}
        if imported:  # a script that it would start may import it
            for kind in ("python", "shell", "told", "if", "exec", "runpy", "alias", "plug in"):
                kinds.pop(kind)
        if path in ("lib.py", "util.py") or path.startswith("extra/"):
            kinds.pop("insert", None), kinds.pop("append", None)
    else:
        scripts = ("sub/deep.py",) if path == "tool.sh" else ()
        shells = ()
    if not scripts:
        kinds.pop("python", None)
    if not shells:
        kinds.pop("shell", None)
    return st.builds(
        lambda kind, **names: kinds[kind].format(**names),
        st.sampled_from([*sorted(kinds), *(["import", "import"] if "import" in kinds else [])]),
        m=st.sampled_from(later or ["lib"]),
        t=st.sampled_from((*TEXTS, "link.txt", "latest/a.txt")),
        o=st.sampled_from(_PERHAPS),
        f=st.sampled_from(_FOLDERS),
        s=st.sampled_from(scripts or ("-",)),
        h=st.sampled_from(shells or ("-",)),
    )


def _rank(path: str, among: Sequence[str]) -> int:
    return among.index(path) + 1 if path in among else 0


def _program(path: str, least: int = 0, most: int = 1) -> st.SearchStrategy[Program]:
    statements = st.lists(_statements(path), min_size=least, max_size=most).map(tuple)
    return st.builds(Program, st.just(path), st.integers(0, 2), statements)


def _simple(path: str) -> st.SearchStrategy[str]:
    return st.builds(lambda number: Program(path, number, ()).text(), st.integers(0, 2))


_WORDS = st.sampled_from(("lib", "util", "1", "2"))

_SOME = {path: _program(path, 1, 3) for path in (*SCRIPTS, *SHELLS, *MODULES)}


@st.composite
def _files(draw: st.DrawFn) -> dict[str, str]:
    files = {path: draw(_SOME[path]).text() for path in (*SCRIPTS, *SHELLS)}
    busy = draw(st.sets(st.sampled_from(MODULES), min_size=1, max_size=3))
    files |= {path: (draw(_SOME[path]) if path in busy else Program(path, 0, ())).text() for path in MODULES}
    files |= {path: "lib" if path == "conf.txt" else f"{path}\n" for path in TEXTS}
    files |= dict.fromkeys(draw(st.sets(st.sampled_from((*OPTIONAL, *BESIDE)), max_size=2)), "read\n")
    files |= {path: f"-> {targets[0]}" for path, targets in LINKS.items()}
    return files


_MOVED = {".py": "=> moved.py", ".txt": "=> params/moved.txt", ".sh": "=> moved.sh"}


def texts(path: str) -> st.SearchStrategy[str | None]:
    """What a file at ``path`` may become.

    Besides texts: "-x" has it be executed no more, or again; "# more" is added; "=> PATH" moves it there.
    """
    if path in LINKS:
        return st.sampled_from([f"-> {target}" for target in LINKS[path]])
    if path in BESIDE:
        return st.sampled_from(("read\n", "more\n", None))
    suffix = path[path.rindex(".") :] if "." in path else ""
    others: list[str | None] = [None, "# more", _MOVED.get(suffix)]
    if path in OPTIONAL:
        return st.sampled_from(("1", "2", None))
    if path in SHADOWS:
        return st.one_of(_simple(path), _simple(path), st.none())
    if path.endswith(".txt"):
        return st.sampled_from(("lib", "util", "1", "2", *others))
    if path.endswith(".sh"):
        others.append("-x")
    return st.one_of(_simple(path), _program(path).map(Program.text), st.sampled_from(others))


_TOUCHED = (*SCRIPTS, *SHELLS, *MODULES, *SHADOWS, *TEXTS, *OPTIONAL, *LINKS, *BESIDE)
_EDIT = {path: st.builds(Edit, st.just(path), texts(path)) for path in _TOUCHED}


def _edits(files: Mapping[str, str], named: Sequence[str]) -> st.SearchStrategy[Edit]:
    """An edit of any file, more often of one that is ``named`` by a program, though it may not be there."""
    lacking = [path for path in named if path not in files] or named
    coming = st.sampled_from(lacking).flatmap(
        lambda path: _EDIT[path].filter(lambda edit: edit.text is not None)
    )
    return st.one_of(
        coming,
        st.sampled_from(named).flatmap(_EDIT.__getitem__),
        st.sampled_from(_TOUCHED).flatmap(_EDIT.__getitem__),
    )


def _named(files: Mapping[str, str], tasks: Sequence[Task]) -> list[str]:
    """Return the files that are named by commands, and by programs that these name, be they there or not."""
    said, found = " ".join(task.command for task in tasks), dict[str, None]()
    while more := [path for path in _TOUCHED if path not in found and _is_named(path, said)]:
        found |= dict.fromkeys(more)
        said += " ".join(files.get(path, "") for path in more)
    return list(found) or list(_TOUCHED)


def _is_named(path: str, said: str) -> bool:
    folder, _, name = path.rpartition("/")
    stem = name.partition(".")[0]
    if stem in ("__init__", "__main__"):
        folder, _, stem = folder.rpartition("/")
    return name in said or f"import {stem}" in said or f".{stem}" in said or f"/{folder}/*" in said


_HOW = ("commit", "commit", "commit", "amend", "squash", "merge", "undo", "back", "on")


@st.composite
def _tasks(draw: st.DrawFn, most: int = 4) -> tuple[Task, ...]:
    found: list[Task] = []
    for _ in range(draw(st.integers(2, most))):
        template = draw(st.sampled_from(_TASKS))
        ins = draw(st.sampled_from(INPUTS)) if "{ins" in template else ()
        if "{ins" in template and found and draw(st.booleans()):
            ins = (*ins, f"out/{draw(st.integers(0, len(found) - 1))}.txt")
        names = {
            "script": draw(st.sampled_from(("run1.py", *SCRIPTS))),
            "shell": draw(st.sampled_from(SHELLS)),
            "module": draw(st.sampled_from(("run1", "sub.deep", "pkg"))),
        }
        out = f"out/{len(found)}.txt"
        command = template.format(
            out=out, ins=" ".join(ins), ins_below=" ".join(f"../{one}" for one in ins), **names
        )
        found.append(Task(f"mkdir -p out && {command}", ins))
    return tuple(found)


def _steps(files: Mapping[str, str], named: Sequence[str]) -> st.SearchStrategy[Step]:
    data = st.tuples(
        st.sampled_from((*DATA, "data/z.csv", "data/z.txt")), st.sampled_from(("1\n", "2\n", None))
    )
    hands = st.tuples(st.integers(0, 3), st.sampled_from(("written", "deleted", "renamed")))
    return st.builds(
        Step,
        edits=st.lists(_edits(files, named), min_size=1, max_size=2).map(tuple),
        how=st.sampled_from(_HOW),
        data=st.one_of(st.just(()), st.just(()), st.tuples(data)),
        hands=st.one_of(st.just(()), st.just(()), st.just(()), st.tuples(hands)),
        again=st.sampled_from((True, True, False)),
    )


_ONE_MODULE = Step((Edit("lib.py", Program("lib.py", 3, ()).text()),), "commit", (), (), again=True)
"""A module alone changes that two jobs share: what was compiled for the first of them serves the second."""


@st.composite
def _lives(draw: st.DrawFn) -> Life:
    files, tasks = draw(_files()), draw(_tasks())
    first: tuple[Step, ...] = ()
    if draw(st.booleans()):
        tasks = (
            *(Task(f"mkdir -p out && python code/run1.py out/{number}.txt") for number in (0, 1)),
            *tasks[2:],
        )
        files["run1.py"] = Program("run1.py", 0, ("import lib\nV += lib.V\n",)).text()
        first = (_ONE_MODULE,)
    steps = draw(st.lists(_steps(files, _named(files, tasks)), min_size=2, max_size=5))
    return Life(files, tasks, (*first, *steps))


LIVES = _lives()
