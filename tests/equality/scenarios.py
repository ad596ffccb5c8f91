"""The rows of the table: what is there before, what is run, how it ends, and where wtwatch does otherwise.

See ``scene.py`` for the datasets. In short: ``a`` and ``b`` are inputs, ``old`` (in the top ``out/``) is to
be overwritten, ``absent`` has its content in a store alone; ``sub`` and ``sub/deep`` have an annex, ``notes``
has none.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

Step = str | tuple[str, ...]
"""A line of a shell, or the words of a command line of DataLad."""


class Differs(NamedTuple):
    """A difference that stays: which aspects of :mod:`tests.equality.stand` it shows in, and why it is so.

    ``why`` is the line of the README that tells of it. ``older`` are the aspects in which it shows on a
    DataLad that makes no merge commit of a command that commits, where these are others.
    """

    why: str
    aspects: tuple[str, ...]
    older: tuple[str, ...] | None = None


class Scenario(NamedTuple):
    """One row. ``rerun`` is the revision whose record is run again; then command and paths do not matter.

    ``before`` is done to the scene first. ``ends`` is what wtwatch says: succeeded, unchanged or failed.
    """

    name: str
    command: str = ""
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    message: str | None = None
    before: tuple[Step, ...] = ()
    ends: str = "succeeded"
    differs: Differs | None = None
    container: str | None = None
    rerun: str | None = None


UNSEEN = Differs(
    "What `ignore_untracked` names, such as `nohup.out`, is in no result.",
    ("top: commits", "top: contents", "top: files", "top: git-annex", "top: index", "top: status"),
)
FOLDER = Differs(
    "A file that becomes a folder is saved. With `datalad run` one that was in git, or an output of the "
    "annex, is a failure, and nothing is committed.",
    ("exit", "top: commits", "top: status"),
)
TOLD = Differs(
    "Where a command makes commits, and leaves something in a subdataset that it made, the superdataset is "
    "told of that in a commit more.",
    ("top: commits", "top: index", "top: status"),
    older=(),
)
ON_HEAD = Differs(
    "The record of a merge commit, as DataLad makes it of a command that commits, is run again on the "
    "branch as it is; `datalad rerun` goes back to the commit before it.",
    ("top: commits", "top: contents", "top: files", "top: git-annex", "top: index"),
    older=("top: commits",),
)
UNSTAGED = Differs(
    "Outputs are made writable without git being told: after a command that fails nothing is staged (what it "
    "left is cleared up behind it), and a commit that a command makes has no unlocked output in it.",
    ("top: index", "top: status"),
)
SAVED_NEVER = UNSTAGED._replace(
    why="Nothing that a command left which failed is saved; `datalad rerun` of before 1.6 saves it.",
    older=("top: commits", "top: contents", "top: files", "top: git-annex", "top: index", "top: status"),
)
UNTOUCHED = Differs(
    "What DataLad refuses, such as a placeholder that it does not know, is refused before outputs are "
    "unlocked.",
    ("top: files", "top: index", "top: status"),
)
VERIFIED = Differs(
    "Nothing is committed of a job that wrote into code, or that left the superdataset off its branch.",
    ("top: commits", "top: contents", "top: files", "top: git-annex", "top: index", "top: status"),
)
BYTECODE = Differs(
    "Bytecode that Python left in code is in no result.",
    ("code: commits", "code: index", "code: status", "top: commits", "top: index", "top: status"),
)
IN_CODE = VERIFIED._replace(aspects=("code: commits", "code: index", "code: status", *VERIFIED.aspects))
REFUSED = Differs(
    "Where git refuses to commit a result, nothing of it stays committed or staged, in subdatasets neither; "
    "`retry` saves it and runs nothing.",
    ("sub: commits", "sub: index", "sub: status", "top: index", "top: status"),
)
WHOLE = Differs(
    "Where an output is a subdataset as a whole (`-o sub`), the files of that are made writable; "
    "`datalad run` does that for `-o sub/` alone.",
    ("top: commits", "top: files", "top: index"),
)


def again(name: str, *before: Step, rerun: str = "HEAD", ends: str = "succeeded") -> Scenario:
    return Scenario(name, before=before, ends=ends, rerun=rerun)


BYTES = "mkdir code/__pycache__; echo x > code/__pycache__/say.cpython-311.pyc"
MADE = 'echo "made of $(cat {inputs})" > {outputs}'
REWRITTEN = "for f in {outputs}; do cat $f > t; cat t > $f; done; rm t"
UNLOCKED = "git annex unlock -q {0}; git commit -qm unlocked {0}"
SETTING = "git config -f .datalad/config {0}; git commit -qm setting .datalad/config"
RECORD = """git commit -q --allow-empty -m '[DATALAD RUNCMD] By hand

=== Do not change lines below ===
{
 "chain": [],
 "cmd": "cat {inputs} raw/absent.dat > {outputs}",
 "dsid": "00000000-0000-4000-8000-000000000001",
 "exit": 0,
 "extra_inputs": ["raw/abs*"],
 "inputs": ["raw/a.dat"],
 "outputs": ["out/a.dat"],
 "pwd": "."
}
^^^ Do not change lines above ^^^'"""
REFUSE = (
    "printf '#!/bin/sh\\necho no; exit 1\\n' > ../main/.git/hooks/commit-msg; chmod +x ../main/.git/hooks/*"
)

ORDINARY = (
    Scenario("made of an input", MADE, ("raw/a.dat",), ("out/new.dat",), "Make it"),
    Scenario("overwritten", MADE, ("raw/a.dat",), ("out/a.dat",)),
    Scenario("in a subdataset", MADE, ("sub/a.dat",), ("sub/old.dat",)),
    Scenario(
        "a command that fails",
        "echo half | tee {outputs}; exit 3",
        (),
        ("out/a.dat",),
        ends="failed",
        differs=UNSTAGED,
    ),
)
"""Those that are played with each run of the tests; all others with the slow ones."""


def declared() -> Iterator[Scenario]:
    yield Scenario("nothing declared", "echo new > new.dat; mkdir -p n/ew; echo newer > n/ew/est.dat")
    yield Scenario(
        "globbed",
        "cat {inputs} > t; cp t out/n.dat; cat t > {outputs[0]}; rm t",
        ("**/[ab].dat", "sub/a*t.dat"),
        ("out/*.dat",),
    )
    yield Scenario(
        "output globs without match", "echo {outputs} > {outputs[0]}", (), ("n.dat", "n*.tsv", "n/**")
    )
    yield Scenario("input globs without match", MADE, ("no/*.dat",), ("out/a.dat",), ends="failed")
    yield Scenario(
        "a folder", "echo 1 > out/a.dat; rm out/b.dat; mkdir out/x; echo 2 > out/x/y", (), ("out/",)
    )
    yield Scenario("a new folder", "mkdir -p {outputs}; echo 1 > {outputs}/1.dat", (), ("made/it",))
    yield Scenario("everything", "echo 1 > out/a.dat; echo 2 > old.md; echo 3 > sub/x", ("sub",), (".",))
    yield Scenario("paths with dots", MADE, ("./raw/../raw/a.dat",), ("./out/../out/a.dat",))
    yield Scenario(
        "many", "mkdir m; for n in $(seq 60); do echo $n > m/$n.dat; done; echo > m/x.md", (), ("m",)
    )
    yield Scenario(
        "none made", "cat {inputs}", ("raw/a.dat",), ("out/none.dat", "out/b.dat"), ends="unchanged"
    )
    yield Scenario(
        "an output outside", "find ../main/out -type l >&2", (), ("../main/out/a.dat",), ends="failed"
    )
    yield Scenario("an input outside", MADE, ("../main/raw/a.dat",), ("new.dat",), ends="failed")
    yield Scenario(
        "behind a link",
        "find ../main/out -type l >&2",
        (),
        ("far/", "far/b.dat"),
        before=("ln -s ../main/out far; git add far; git commit -qm far",),
        ends="failed",
    )
    yield Scenario(
        "a link to a folder",
        "find ../main/out -type l | sort > seen.md",
        (),
        ("far/", "far/new.dat"),
        before=("ln -s ../main/out far; git add far; git commit -qm far",),
    )
    yield Scenario(
        "input and output",
        "sort -o {outputs} {inputs}; echo 2 >> {outputs}",
        ("out/a.dat",) * 2,
        ("out/a.dat",),
    )


def files() -> Iterator[Scenario]:
    yield Scenario("undeclared", "echo x > t; mv t out/a.dat; echo md > old.md; echo x > x.md")
    yield Scenario("deleted", "rm out/a.dat old.md sub/old.dat", (), ("out/b.dat",))
    yield Scenario("deleted as declared", "rm {outputs}", (), ("out/a.dat", "old.md"))
    yield Scenario("a folder deleted", "rm -r out", (), ("out",))
    yield Scenario("identical", REWRITTEN, (), ("out/a.dat", "old.md"), ends="unchanged")
    yield Scenario("identical in part", f"{REWRITTEN}; echo x >> out/b.dat", (), ("out/*.dat", "sub/old.dat"))
    yield Scenario("appended to", "for f in {outputs}; do echo more >> $f; done", (), ("out/a.dat", "old.md"))
    yield Scenario(
        "what the command finds",
        "for f in {outputs}; do stat -c '%n %F %A %h %s %Y' $f; cat $f; done > seen.md",
        (),
        ("out/*.dat", "old.md", "sub/old.dat"),
        before=(
            "echo '#!/bin/sh' > out/x.dat; chmod +x out/x.dat; git annex add -q out/x.dat; git commit -qm x",
            "find .git/annex/objects/ sub/.git/annex/objects/ old.md -type f -exec touch -d 2020-02-02 {} +",
            "touch -h -d 2019-01-01 out/*.dat sub/*.dat",
        ),
    )
    yield Scenario(
        "modes",
        "chmod +x {outputs}; echo x > x.dat; chmod 751 x.dat; echo m > m.md; chmod 600 m.md",
        (),
        ("out/a.dat", "old.md"),
    )
    yield Scenario(
        "links",
        "ln -s raw/a.dat l; ln -s no n; ln -sf ../raw out/c.dat; ln -s out f; ln out/a.dat h",
        (),
        ("out/c.dat",),
    )
    yield Scenario("moved", "mkdir -p x/y; mv out/a.dat x/y; mv out/b.dat .; cp -a out/c.dat x/c.dat")
    yield Scenario("moved as declared", "mkdir -p x/y; mv out/a.dat x/y; mv out/b.dat .", (), ("out",))
    yield Scenario(
        "a file becomes a folder",
        "rm {outputs}; mkdir {outputs}; echo 1 > {outputs}/1",
        (),
        ("out/a.dat",),
        differs=FOLDER,
    )
    yield Scenario(
        "a file of git becomes a folder", "rm old.md; mkdir old.md; echo 2 > old.md/2", differs=FOLDER
    )
    yield Scenario("a folder becomes a file", "rm -r out; echo 1 > out", (), ("out",))
    yield Scenario(
        "a link becomes a file, a file a link",
        "rm l old.md; echo 1 > l; ln -s raw old.md",
        before=("ln -s out l; git add l; git commit -qm l",),
    )
    yield Scenario("empty", "mkdir -p e/m/p; : > e/ty.dat; : > out/a.dat; : > old.md", (), ("out/a.dat", "e"))
    yield Scenario(
        "ignored",
        "echo 1 > x.log; echo 2 > y.log; echo 3 > x.dat",
        (),
        ("x.log",),
        before=("echo '*.log' > .gitignore; echo 0 > y.log; git add -f .gitignore y.log; git commit -qm i",),
    )
    yield Scenario(
        "hidden, attributes",
        "echo 'x* annex.largefiles=nothing' >> .gitattributes; echo 1 | tee .h > x",
        (),
        (".h",),
    )
    yield Scenario(
        "names",
        "for f in 'ä ö' \"it's\" 'dou\"ble' -dash 'new\nline' '$x' '[a]' 'ta\tb'; do "
        'echo "$f" > "./$f"; mkdir -p "d/$f"; cp "./$f" "d/$f/$f.md"; done',
    )
    yield Scenario(
        "unicode",
        "cat {inputs} > {outputs}; echo grüße > 'ñ.dat'",
        ("größe/ä b.dat",),
        ("größe/ü.dat",),
        "Größe — 測定\n\nmehr: ✓\n  eingerückt",
        before=(
            "mkdir größe; for f in 'ä b' ü; do echo $f > \"größe/$f.dat\"; done",
            "git annex add -q .; git commit -qm u",
        ),
    )


def kinds() -> Iterator[Scenario]:
    """Datasets and files that are kept in other ways."""
    change = "echo 1 > out/a.dat; echo 2 >> out/b.dat; cat out/c.dat > t; cat t > out/c.dat; rm t"
    yield Scenario("unlocked outputs", change, (), ("out/*",), before=(UNLOCKED.format("out"),))
    yield Scenario(
        "unlocked, and identical",
        REWRITTEN,
        (),
        ("out/*",),
        before=(UNLOCKED.format("out"),),
        ends="unchanged",
    )
    yield Scenario(
        "unlocked, undeclared",
        "echo 1 > out/a.dat; rm out/b.dat; mv out/c.dat d.dat",
        before=(UNLOCKED.format("out"),),
    )
    yield Scenario(
        "an unlocked input",
        MADE,
        ("raw/a.dat",),
        ("sub/old.dat",),
        before=(
            UNLOCKED.format("raw/a.dat"),
            f"cd sub; {UNLOCKED.format('old.dat')}; cd ..; git commit -qam sub",
        ),
    )
    yield Scenario(
        "annex.addunlocked",
        "echo 1 | tee new.dat > out/a.dat",
        (),
        ("out/*",),
        before=("git config annex.addunlocked true",),
    )
    yield Scenario(
        "text in git",
        "echo 1 > out/a.dat; echo 2 > t.dat; head -c 2000 /dev/zero > z.dat",
        (),
        ("out/a.dat",),
        before=(
            "echo '* annex.largefiles=((mimeencoding=binary)and(largerthan=0))' >> .gitattributes",
            "git commit -qam t",
        ),
    )
    yield Scenario(
        "another backend",
        "echo 1 | tee new > out/a.dat",
        (),
        ("out",),
        before=("echo '* annex.backend=SHA1' >> .gitattributes; git commit -qam t",),
    )
    yield Scenario(
        "no annex", "echo 1 > notes/old.txt; echo 2 > notes/new.txt; rm old.md", (), ("notes/old.txt",)
    )
    yield Scenario(
        "several subdatasets",
        "echo 1 | tee {outputs} > notes/x",
        ("sub/deep/a.dat",),
        ("sub/old.dat", "sub/deep/old.dat", "out/a.dat"),
    )
    yield Scenario("a whole subdataset", "rm sub/old.dat; echo 1 > sub/old.dat; rm sub/a.dat", (), ("sub",))
    yield Scenario(
        "a whole subdataset is writable", "find sub -type l > seen.md", (), ("sub",), differs=WHOLE
    )
    yield Scenario(
        "undeclared in subdatasets", "echo 1 > sub/deep/new.dat; rm sub/a.dat; echo x > t; mv t sub/old.dat"
    )
    yield Scenario(
        "a subdataset off its branch",
        "echo 1 | tee {outputs} > sub/deep/x.dat",
        (),
        ("sub/old.dat",),
        before=("git -C sub checkout -q --detach",),
    )
    yield Scenario("appended to below", "echo more >> {outputs}", (), ("sub/deep/old.dat",))
    yield Scenario(
        "a file below becomes a folder",
        "rm {outputs}; mkdir {outputs}; echo 1 > {outputs}/x",
        (),
        ("sub/old.dat",),
        differs=FOLDER._replace(
            aspects=("exit", "sub: commits", "sub: status", "top: commits", "top: index", "top: status")
        ),
    )
    yield Scenario("identical below", REWRITTEN, (), ("sub/old.dat",), ends="unchanged")


def absent() -> Iterator[Scenario]:
    yield Scenario("an input that is nowhere", MADE, ("raw/nowhere.dat",), ("out/a.dat",), ends="failed")
    yield Scenario(
        "an input that cannot be had",
        MADE,
        ("raw/absent.dat",),
        ("out/a.dat",),
        before=("mv ../store ../away",),
        ends="failed",
    )
    yield Scenario("an absent input", MADE, ("raw/absent.dat",), ("out/a.dat",))
    yield Scenario(
        "absent inputs in folders", "cat raw/*.dat sub/*.dat > {outputs}", ("raw", "sub/"), ("out/a.dat",)
    )
    yield Scenario("an absent input below", MADE, ("sub/absent.dat",), ("sub/deep/old.dat",))
    yield Scenario(
        "an absent output", "ls {outputs} > seen.md; echo new > {outputs}", (), ("raw/absent.dat",)
    )
    yield Scenario("an absent output, appended to", "echo more >> {outputs}", (), ("sub/absent.dat",))
    yield Scenario("an absent output in a folder", "echo more >> raw/a.dat", (), ("raw", "sub/"))
    yield Scenario("an absent output, left alone", "true", (), ("raw/absent.dat",))
    yield Scenario(
        "an absent output, unlocked",
        "echo more >> {outputs}",
        (),
        ("raw/a.dat",),
        before=(UNLOCKED.format("raw/a.dat"), "git annex drop -q --force raw/a.dat"),
    )


def commands() -> Iterator[Scenario]:
    yield Scenario("killed", "echo 1 > new.dat; kill -9 $$", ends="failed")
    yield Scenario(
        "several lines", 'set -e\nfor n in 1 2 3; do\n  echo "a line of which there is more" >> l.dat\ndone'
    )
    yield Scenario(
        "placeholders",
        "echo {pwd} {dspath} {{}} > {outputs[0]}; echo {tmpdir} | wc -w > {outputs[1]}",
        (),
        ("p", "q"),
    )
    yield Scenario(
        "placeholders in paths",
        MADE,
        ("raw/{which}.dat",),
        ("out/{which}.dat",),
        before=(SETTING.format("datalad.run.substitutions.which a"),),
    )
    yield Scenario(
        "an unknown placeholder",
        "echo {nobody} > {outputs}",
        (),
        ("out/a.dat",),
        ends="failed",
        differs=UNTOUCHED,
    )
    yield Scenario("standard input", "cat > new.md")
    yield Scenario("it commits", "echo 1 > one.md; git add one.md; git commit -qm inner; echo 2 > two.dat")
    yield Scenario(
        "it commits, with outputs",
        "echo 1 >> {outputs}; echo 1 > d.md; git add d.md; git commit -qm inner",
        (),
        ("out/a.dat",),
        differs=UNSTAGED._replace(aspects=("top: commits",)),
    )
    yield Scenario(
        "it stages", "echo 1 | tee x.md > y.dat; git add x.md; git annex add -q y.dat; git mv old.md n.md"
    )
    yield Scenario("it makes a file of a subdataset", "rm -rf notes; echo 1 > notes", ends="unchanged")
    yield Scenario(
        "it makes a folder of a subdataset",
        "rm -rf notes; mkdir notes; echo 1 > notes/x.dat",
        ends="unchanged",
    )
    yield Scenario("bytecode in code", f"{BYTES}; echo 1 > x.dat", differs=BYTECODE)
    inner = "echo 1 > one.md; git add one.md; git commit -qm inner"
    yield Scenario("bytecode in code, and it commits", f"{BYTES}; {inner}; echo 1 > x.dat", differs=BYTECODE)
    yield Scenario("it deletes a subdataset", "rm -rf notes; echo 1 > out/a.dat", (), ("out/a.dat",))
    yield Scenario("it commits all", "echo 1 > one.md; git add one.md; git commit -qm inner")
    yield Scenario(
        "it commits below", "cd sub; echo 1 > one.md; git add one.md; git commit -qm inner; echo 2 > two.dat"
    )
    yield Scenario(
        "it makes a repository", "git init -q x; cd x; echo 1 > one; git add one; git commit -qm inner"
    )
    yield Scenario(
        "it makes a subdataset",
        "git init -q x; cd x; echo 1 > one; git add one; git commit -qm one; cd ..; "
        "git -c protocol.file.allow=always submodule --quiet add ./x x; git commit -qm x; echo 2 > x/two",
        differs=TOLD,
    )
    yield Scenario(
        "it takes the branch elsewhere",
        "git checkout -q -b other; echo 2 > x.dat",
        ends="failed",
        differs=VERIFIED,
    )
    yield Scenario(
        "it writes into code", "echo 1 > code/new.py; echo 2 > x.dat", ends="failed", differs=IN_CODE
    )
    yield Scenario("nohup.out", "echo 1 >> nohup.out; echo 2 > x.dat", differs=UNSEEN)
    yield Scenario(
        "a hook that refuses",
        "echo 1 > out/a.dat; echo 2 > sub/x.dat",
        (),
        ("out/a.dat",),
        before=(REFUSE,),
        ends="failed",
        differs=REFUSED,
    )


def records() -> Iterator[Scenario]:
    yield Scenario(
        "a record in a file",
        MADE,
        ("raw/a.dat",),
        ("out/a.dat",),
        before=(SETTING.format("datalad.run.record-sidecar true"),),
    )
    yield Scenario(
        "a record in a file elsewhere",
        MADE,
        ("raw/a.dat",),
        ("out/a.dat",),
        before=(
            SETTING.format("datalad.run.record-sidecar true"),
            SETTING.format("datalad.run.record-directory rec"),
        ),
    )
    yield again(
        "again",
        (
            "run",
            "-m",
            "Make it",
            "-i",
            "raw/a.dat",
            "-o",
            "out/a.dat",
            "cat {inputs} >> {outputs}; echo 1 >> x.dat",
        ),
    )
    yield again(
        "again, the same", ("run", "-o", "out/a.dat", "echo 1 > {outputs}; echo 1 > x.dat"), ends="unchanged"
    )
    yield again(
        "again, from further back",
        ("run", "-o", "out/a.dat", "cat raw/b.dat >> {outputs}; echo 1 >> n.md"),
        ("run", "echo else > else.dat"),
        rerun="HEAD^",
    )
    yield again("again and again", ("run", "-o", "out/a.dat", "echo 1 >> {outputs}"), ("rerun",))
    yield again(
        "again, outputs gone",
        ("run", "-o", "out/a.dat", "echo 1 > {outputs}; echo 2 > x.dat; echo 3 > sub/x.dat"),
        "git rm -q out/a.dat x.dat; git commit -qm gone",
        rerun="HEAD^",
    )
    yield again(
        "again, undeclared ones below",
        ("run", "for f in x.md sub/x.md sub/deep/x.md notes/x; do echo 1 >> $f; done"),
    )
    yield again(
        "again, in a folder",
        (
            "-C",
            "raw",
            "run",
            "-i",
            "a.dat",
            "-o",
            "../out/*.dat",
            "-o",
            "n.dat",
            "pwd >> n.dat; cat {inputs} >> ../out/b.dat",
        ),
    )
    yield again("again, extra inputs", RECORD)
    yield again(
        "again, a record in a file", ("run", "--sidecar", "yes", "-o", "out/a.dat", "echo 1 >> {outputs}")
    )
    yield again(
        "again, expanded",
        ("run", "--expand", "both", "-i", "raw/[ab]*", "-o", "out/*", "cat {inputs} >> out/a.dat"),
    )
    yield again(
        "again, assumed to be ready",
        (
            "run",
            "--assume-ready",
            "both",
            "-i",
            "raw/absent.dat",
            "-o",
            "new.dat",
            "echo {inputs} >> new.dat",
        ),
    )
    yield again(
        "again, failed then too",
        ("--on-failure", "ignore", "run", "-o", "out/a.dat", "echo 1 >> {outputs}; exit 3"),
    )
    yield again(
        "again, failed now",
        ("run", "-o", "out/a.dat", "echo 1 >> {outputs}; ! [ -e out/x ] || exit 3"),
        "echo x > out/x; git add -f out/x; git commit -qm x",
        rerun="HEAD^",
        ends="failed",
    )._replace(differs=SAVED_NEVER)
    yield again(
        "again, it committed",
        ("run", "-o", "out/a.dat", "echo 1 | tee -a d.md >> {outputs}; git add d.md; git commit -qm d"),
    )._replace(differs=ON_HEAD)


def containers() -> Iterator[Scenario]:
    box = "datalad.containers.box"
    calls = SETTING.format(f"{box}.cmdexec 'cat {{img}} > img.md; {{cmd}}'")
    yield Scenario(
        "a container",
        MADE,
        ("raw/a.dat",),
        ("out/a.dat",),
        before=(SETTING.format(f"{box}.image raw/b.dat"), calls),
        container="box",
    )
    yield again(
        "a container again",
        SETTING.format(f"{box}.image raw/absent.dat"),
        calls,
        ("containers-run", "-n", "box", "-o", "out/a.dat", "echo 1 >> {outputs}"),
        "git annex drop -q --force raw/absent.dat",
    )


SLOW = (*declared(), *files(), *kinds(), *absent(), *commands(), *records(), *containers())
