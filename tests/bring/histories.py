"""Random histories of a main branch and a run branch, and an oracle that knows who went on from what.

Each write makes a new version of a path, which knows the versions that its writer saw. From that alone the
oracle says what a bring and a way home may come to; it reads no git. Commits are written as loose objects, so
that a history costs no more programs than what is under test starts.
"""

from __future__ import annotations

import hashlib
import random
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from wtwatch.bring import plan
from wtwatch.bring.overlay import Blocked, Code
from wtwatch.bring.plan import Planned
from wtwatch.bring.wrote import RunBranch
from wtwatch.doors.repo import Repo
from wtwatch.words.model import Sha

CODE = ("code",)
IN_CODE = ("code/a.py", "code/b.py", "code/lib/u.py")
SHARED = ("inputs/1", "inputs/2", "inputs/3", "params.json", "out/x", "out/y", "out/deep/z")


class Version(NamedTuple):
    """What was made of a path once: its text, ``None`` if deleted; by whom; all versions seen by then."""

    number: int
    text: str | None
    by_run: bool
    seen: frozenset[int]


NEVER = Version(0, None, False, frozenset())
State = Mapping[str, Version]


class Commit(NamedTuple):
    """A commit, and which version of each path it has."""

    id: Sha
    state: State
    parents: tuple[Commit, ...]


class Wrong(AssertionError):
    """What came out at a path is not what the oracle allows."""

    def __init__(self, path: str, said: str) -> None:
        super().__init__(f"{path} {said}")
        self.path = path


class Step(NamedTuple):
    """What was done in a history, by the name of its method, and how the dice lay then."""

    way: str
    dice: tuple[Any, ...]


class Objects:
    """Writes git's objects, loose."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, kind: str, body: bytes) -> str:
        """Write an object, unless it is there; return its id (gitformat-loose(5))."""
        whole = b"%s %d\0%s" % (kind.encode(), len(body), body)
        name = hashlib.sha1(whole).hexdigest()
        file = self.folder / name[:2] / name[2:]
        if not file.exists():
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(zlib.compress(whole, 1))
        return name

    def tree(self, files: Mapping[str, str]) -> str:
        """Write a tree of files with these texts."""
        folders: dict[str, dict[str, str]] = {}
        entries: list[tuple[str, bytes]] = []
        for path, text in files.items():
            name, slash, rest = path.partition("/")
            if slash:
                folders.setdefault(name, {})[rest] = text
            else:
                blob = bytes.fromhex(self.write("blob", text.encode()))
                entries.append((name, b"100644 %s\0%s" % (name.encode(), blob)))
        for name, inner in folders.items():
            tree = bytes.fromhex(self.tree(inner))
            entries.append((f"{name}/", b"40000 %s\0%s" % (name.encode(), tree)))
        return self.write("tree", b"".join(entry for _, entry in sorted(entries)))

    def commit(self, state: State, parents: tuple[Commit, ...], said: str) -> Commit:
        """Write a commit of what a state has."""
        tree = self.tree({path: version.text for path, version in state.items() if version.text is not None})
        who = "T <t@example.org> 1735689600 +0000"
        lines = [f"tree {tree}", *(f"parent {parent.id}" for parent in parents)]
        body = "\n".join([*lines, f"author {who}", f"committer {who}", "", said, ""])
        return Commit(Sha(self.write("commit", body.encode())), dict(state), parents)


class History:
    """Both branches while things are done to them at random; see :meth:`play`."""

    def __init__(self, root: Path, seed: int) -> None:
        self.dice = random.Random(seed)
        self.count = 0
        self.versions = {0: NEVER}
        self.done: list[Step] = []
        self.repo = Repo(root)
        root.mkdir()
        self.repo.git("init", "-q")
        self.objects = Objects(root / ".git" / "objects")
        start = dict.fromkeys((*IN_CODE, "inputs/1", "inputs/2", "params.json"), NEVER)
        self.main = self.objects.commit({path: self.made(NEVER) for path in start}, (), "start")
        for _ in range(4):
            self.edit()
        self.fork = self.run = self.applied = self.main
        self.edit()
        self.last: Commit | None = None
        self.by_hand: set[str] = set()
        self.needless: list[str] = []

    def made(self, old: Version, by_run: bool = False, gone: bool = False) -> Version:
        """Return a new version that goes on from an old one."""
        return self.known(None if gone else f"{self.count + 1}\n", by_run, old.seen | {old.number})

    def known(self, text: str | None, by_run: bool, seen: frozenset[int]) -> Version:
        self.count += 1
        self.versions[self.count] = Version(self.count, text, by_run, seen)
        return self.versions[self.count]

    def written(self, state: State, paths: tuple[str, ...], by_run: bool = False) -> dict[str, Version]:
        """Return a state in which some paths were written or deleted."""
        new = dict(state)
        for path in self.dice.sample(paths, self.dice.randint(1, 2)):
            old = new.get(path, NEVER)
            gone = old.text is not None and self.dice.random() < 0.25
            new[path] = self.made(old, by_run, gone)
        return new

    # what people, jobs and wtwatch do

    def edit(self, paths: tuple[str, ...] = (*IN_CODE, *SHARED), on: Commit | None = None) -> Commit:
        """Commit an edit on main, or on another commit."""
        on = on or self.main
        made = self.objects.commit(self.written(on.state, paths), (on,), f"edit {self.count}")
        if on is self.main:
            self.main = made
        return made

    def edit_code(self) -> None:
        self.edit(IN_CODE)

    def edit_inputs(self) -> None:
        self.edit(SHARED)

    def amend(self) -> None:
        state = self.written(self.main.state, (*IN_CODE, *SHARED))
        self.main = self.objects.commit(state, self.main.parents, f"amended {self.count}")

    def drop(self) -> None:
        """Amend main's tip so that it has some paths as its parent has them."""
        if len(self.main.parents) == 1:
            before = self.main.parents[0].state
            changed = {path for path in SHARED if before.get(path) != self.main.state.get(path)}
            back = {path: before.get(path, NEVER) for path in changed if self.dice.random() < 0.7}
            self.main = self.objects.commit(
                {**self.main.state, **back}, self.main.parents, f"dropped {self.count}"
            )

    def squash(self) -> None:
        self.main = self.objects.commit(
            self.main.state, (self.older(self.main, 1, 4),), f"squashed {self.count}"
        )

    def reset(self) -> None:
        self.main = self.older(self.main, 1, 3)
        self.edit()

    def job(self) -> None:
        state = self.written(self.run.state, SHARED, by_run=True)
        self.by_hand -= {path for path in SHARED if state.get(path) != self.run.state.get(path)}
        self.run = self.objects.commit(state, (self.run,), f"[DATALAD RUNCMD] {self.count}")

    def copy_home(self) -> None:
        """Commit results on main that are newer than what it has, as a squash or a cherry-pick would."""
        newer = {
            path: version
            for path, version in self.run.state.items()
            if version.by_run and self.main.state.get(path, NEVER).number in version.seen
        }
        self.main = self.objects.commit({**self.main.state, **newer}, (self.main,), f"copied {self.count}")

    def release(self) -> None:
        self.bring(self.main, self.main)

    def release_backwards(self) -> None:
        old = self.older(self.main, 1, 5)
        self.bring(old, old)

    def release_side(self) -> None:
        side = self.edit(on=self.older(self.main, 0, 2))
        self.bring(side, side)

    def release_old_code(self) -> None:
        """Bring code of an older release or of a side branch, and main's tip for the rest."""
        old = self.older(self.main, 0, 4)
        self.bring(self.main, self.edit(on=old) if self.dice.random() < 0.5 else old)

    def from_main(self) -> None:
        self.bring(self.main, None)

    def bring(self, target: Commit, source: Commit | None) -> None:
        """Bring the rest of a target, and the code of a source, or leave code as it is."""
        branch = RunBranch(self.repo, self.run.id, self.fork.id)
        if source is None:
            done = plan.from_main(branch, target.id, CODE)
        else:
            done = plan.release(branch, target.id, Code(CODE, source.id, self.applied.id))
        state = self.judged(done, target, source or self.run)
        if state is None:
            self.settle(done, target)
            return
        self.applied, self.last = source or self.applied, target
        if isinstance(done, Planned):
            self.run = Commit(done.commit, state, (self.run,))

    def home(self) -> None:
        branch = RunBranch(self.repo, self.run.id, self.fork.id)
        done = plan.home(branch, Code(CODE, self.main.id, self.applied.id), "results")
        state = self.judged(done, self.main, self.main, home=True)
        if state is None:
            self.settle(done, self.main)
        elif isinstance(done, Planned):
            self.main = Commit(done.commit, state, (self.main, self.run))

    def settle(self, done: object, target: Commit) -> None:
        """Settle what is blocked by hand: the run branch takes the target's, or main the run branch's."""
        assert isinstance(done, Blocked)
        paths = [path for path in done.paths if path in SHARED]
        if self.dice.random() < 0.5:
            state = dict(self.run.state)
            for path in paths:
                mine, taken = state.get(path, NEVER), target.state.get(path, NEVER)
                seen = mine.seen | taken.seen | {mine.number, taken.number}
                state[path] = self.known(taken.text, True, seen)
            self.by_hand |= set(paths)
            self.run = self.objects.commit(state, (self.run,), f"taken by hand {self.count}")
        else:
            state = {**self.main.state, **{path: self.run.state.get(path, NEVER) for path in paths}}
            self.main = self.objects.commit(state, (self.main,), f"taken by hand {self.count}")

    def older(self, commit: Commit, least: int, most: int) -> Commit:
        """Return a commit some steps back."""
        for _ in range(self.dice.randint(least, most)):
            if commit.parents:
                commit = commit.parents[0]
        return commit

    # the oracle

    def judged(self, done: object, target: Commit, source: Commit, home: bool = False) -> State | None:
        """Hold what came out against what may; return what it has, ``None`` if it is rightly blocked."""
        blocked = done.paths if isinstance(done, Blocked) else ()
        found = self.read(done.commit) if isinstance(done, Planned) else None
        state: dict[str, Version] = {}
        for path in (*IN_CODE, *SHARED):
            theirs, ours = target.state.get(path, NEVER), self.run.state.get(path, NEVER)
            if path in IN_CODE:
                may = {source.state.get(path, NEVER).text: source.state.get(path, NEVER)}
                can_block = False
            else:
                may, can_block = self.allowed(path, ours, theirs, target)
            if path in blocked and not can_block:
                self.needless.append(f"{path} is blocked, and may be {sorted(map(str, may))}")
            if blocked:
                continue
            now = self.main.state if home else self.run.state
            text = found.get(path) if found is not None else now.get(path, NEVER).text
            if text not in may:
                said = f"theirs {theirs.text!r}, ours {ours.text!r} by {'run' if ours.by_run else 'main'}"
                raise Wrong(path, f"is {text!r}, and may be {sorted(map(str, may))}: {said}")
            state[path] = may[text]
            if path in SHARED and ours.text == theirs.text and ours != theirs:
                seen = ours.seen | theirs.seen | {ours.number, theirs.number}
                state[path] = self.known(text, True, seen)
                self.by_hand.add(path)  # both did the same: it is either's
        return None if blocked else state

    def allowed(  # noqa: PLR0911 - a rule a line
        self, path: str, ours: Version, theirs: Version, target: Commit
    ) -> tuple[dict[str | None, Version], bool]:
        """Return what may come of a path, and whether it may be blocked."""
        both = {ours.text: ours, theirs.text: theirs}
        if ours.text == theirs.text:
            return {theirs.text: theirs}, False
        if path in self.by_hand:  # whether that is the user's or main's, who can say
            return both, True
        seen = ours.seen | theirs.seen
        if ours.text is None and any(number and self.versions[number].text is None for number in seen):
            return both, True  # of several deletions nobody can say whose this is
        if not ours.by_run:
            return {theirs.text: theirs}, False
        came = self.last.state.get(path, NEVER) if self.last else self.fork.state.get(path, NEVER)
        mains = (self.versions[number] for number in ours.seen)
        mine = any(one.text and not one.by_run for one in mains) and came.text
        if ours.text is None and not mine:
            return both, True  # a job made it and took it away again: nothing is at stake
        if self.went_on(ours, theirs):
            return {ours.text: ours}, came != theirs
        if self.went_on(theirs, ours):
            line = list(line_of(target))
            if any(commit.state.get(path, NEVER).text == ours.text for commit in line):
                # after a release that went aside, or of what is gone, there is little trace
                return {theirs.text: theirs}, None in both or self.last not in line
            return both, True  # a squash left no trace of that
        if theirs.text is None:  # nor of what was deleted
            return {ours.text: ours}, True
        return {}, True

    def went_on(self, new: Version, old: Version) -> bool:
        """Return whether a version comes from an old one, or from one of the same text."""
        texts = {self.versions[number].text for number in new.seen} - {None}
        return old.number in new.seen or old.text in texts

    def read(self, commit: Sha) -> dict[str, str]:
        """Return the files of a commit, which are all small, by what git says of it."""
        listed = self.repo.git("ls-tree", "-r", "-z", commit).split("\0")
        blobs = {line.split("\t")[1]: Sha(line.split("\t")[0].split()[2]) for line in listed if line}
        texts = self.repo.contents(set(blobs.values())) if blobs else {}
        return {path: texts[blob].decode() for path, blob in blobs.items()}

    def play(self, steps: int) -> None:
        """Do so many things at random; raises :class:`Wrong` with what was done, if the oracle objects."""
        ways = {
            self.edit_code: 3,
            self.edit_inputs: 3,
            self.amend: 2,
            self.drop: 1,
            self.squash: 1,
            self.reset: 1,
            self.job: 6,
            self.copy_home: 1,
            self.release: 4,
            self.release_backwards: 1,
            self.release_side: 1,
            self.release_old_code: 2,
            self.from_main: 3,
            self.home: 2,
        }
        for _ in range(steps):
            (way,) = self.dice.choices(list(ways), list(ways.values()))
            self.do(Step(way.__name__, self.dice.getstate()))

    def do(self, step: Step) -> None:
        """Do one thing, just as it was done once, whatever was done before."""
        self.done.append(step)
        self.dice.setstate(step.dice)
        getattr(self, step.way)()


def line_of(commit: Commit) -> Iterator[Commit]:
    """Yield a commit and all that it comes from."""
    waiting, seen = [commit], set()
    while waiting:
        one = waiting.pop()
        if one.id not in seen:
            seen.add(one.id)
            yield one
            waiting += one.parents
