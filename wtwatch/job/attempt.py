"""One attempt of a job as all see it: its folder, where the job's process and the daemon meet.

The daemon writes ``job.json`` and starts the process; that writes, each before the next begins: ``started``,
``before`` (how the tree stood), ``uses`` (what the command used of the code), ``command`` (how the command
ended, with what DataLad saved of it), ``after`` (how the tree stands), ``verified`` (what is wrong with that)
and ``outcome``. Only the last is an end; where it lacks, the others say from where to go on. A process on
another machine can do the same over a shared file system.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, Self

from wtwatch.doors.clock import Instant, elapsed, instant
from wtwatch.doors.files import make_within, sync_folder, write_whole
from wtwatch.doors.processes import Identity, bears, identity, is_alive
from wtwatch.project.variables import Wanted
from wtwatch.queue.rows import spec_of, spec_text
from wtwatch.tree.gitlinks import Named
from wtwatch.tree.states import After, Before, state_of, state_text
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import JobSpec, Sha, moment, stamp
from wtwatch.words.uses import Uses, uses_from
from wtwatch.words.variables import Variables
from wtwatch.words.versioned import More, given, taken

MARK = "WTWATCH_ATTEMPT"
"""The variable that all processes of an attempt inherit; its value is the attempt's uuid."""

LOCK = "WTWATCH_LOCK"
"""The variable that names the inherited descriptor of the run tree's lock, if there is one."""


FORCED_AFTER = "WTWATCH_FORCED_AFTER"
"""The variable with the seconds after which an attempt that was told to end is forced, by a cluster."""


class Order(NamedTuple):
    """What an attempt is to do, where, and on what: all that its process needs.

    ``code_sha`` is the commit at which the code in ``code_path`` must stand, ``base`` the superdataset's,
    which is on ``branch`` (``None``: unknown). ``allowed`` are untracked paths that may lie in code, and
    ``paths`` what of ``code_path`` is code, if not all. ``fast``: it may run in parts. ``wanted`` are
    the variables of its command, ``limits`` what holds for its processes, ``allocated`` the variables that
    tell it what of this host is its own. ``left`` is a folder with
    ``left_paths`` that an earlier attempt left, which this one finds again. ``packages`` says what is
    installed, ``carried`` which files of code that git ignores are there, with their digests. ``links``
    are the subdatasets that ``base`` names, if known, and ``below`` what is known of those that they name.
    ``computed`` is the folder of an attempt whose results
    are to be saved, which lie in ``left``: nothing is run. ``lane``: where it runs, if not in the run tree.
    ``prefix`` is the folder of the environment, ``copies`` are places in it that hold copies of code, and
    ``leads`` folders of code in which it has Python look for modules, from the tree's top.
    Changes of ``ignore_outputs`` alone are no result; ``prune_outputs``: files that its command makes no more
    are removed. ``looked``: when the tree was looked at, if how it stood is written down already;
    ``look_began``: when that look began.
    It is kept in a file, with ``code_sha`` as
    "code": see :mod:`wtwatch.words.versioned`.
    """

    job: int
    attempt: int
    queued: datetime
    uuid: str
    at: datetime
    run_tree: Path
    code_path: Path
    code_sha: Sha
    base: Sha
    bell: Path
    spec: JobSpec
    branch: str | None = None
    allowed: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    fast: bool = True
    wanted: Wanted = Wanted()
    limits: Variables = ()
    allocated: Variables = ()
    main_tree: Path | None = None
    left: Path | None = None
    left_paths: tuple[str, ...] = ()
    packages: Variables = ()
    carried: Variables = ()
    links: tuple[str, ...] | None = None
    below: tuple[Named, ...] = ()
    prefix: Path | None = None
    copies: tuple[str, ...] = ()
    leads: tuple[str, ...] = ()
    computed: Path | None = None
    lane: int | None = None
    ignore_outputs: tuple[str, ...] = ()
    prune_outputs: bool = False
    looked: Instant | None = None
    look_began: Instant | None = None
    version: int = 1
    more: More = ()


class Result(NamedTuple):
    """What an attempt came to. ``stopped``: it was told to end before it was done.

    ``began``: whether its command was started at all; if not, ``error`` says what was in the way.

    It is kept in a file: see :mod:`wtwatch.words.versioned`.
    """

    exit: int | None
    commits: tuple[Sha, ...]
    ended: datetime
    error: str | None = None
    stopped: bool = False
    began: bool = True
    version: int = 1
    more: More = ()


class Usage(NamedTuple):
    """What a command and all that it waited for took: seconds of processors, MB of its largest process."""

    cpu_seconds: float
    peak_memory_mb: int


class CommandEnd(NamedTuple):
    """How the command of an attempt ended: the attempt's exit code, and what went wrong besides.

    ``code`` is the command's own, which may be no failure though it is not 0; ``used`` is what it took.
    """

    exit: int
    error: str | None = None
    code: int | None = None
    used: Usage | None = None


class Folder:
    """The folder of one attempt; anything in it is whole or not there."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of(cls, state: Path, job: int, attempt: int) -> Self:
        """Return the folder of an attempt in the project's state, which need not exist."""
        return cls(state / "jobs" / f"{job}.{attempt}")

    @classmethod
    def all_of(cls, state: Path, job: int) -> list[Self]:
        """Return the folders of all attempts of a job."""
        found = [folder for folder in state.glob(f"jobs/{job}.*") if folder.suffix[1:].isdigit()]
        return [cls(folder) for folder in sorted(found)]

    @property
    def log(self) -> Path:
        """What the command and DataLad printed."""
        return self.path / "log"

    def write_order(self, order: Order) -> None:
        """Say what is to be done, before anything is."""
        facts = given(order._asdict())
        facts["code"] = facts.pop("code_sha")  # its name in files, from the first version on
        facts |= {
            "queued": stamp(order.queued),
            "at": stamp(order.at),
            "run_tree": str(order.run_tree),
            "code_path": str(order.code_path),
            "bell": str(order.bell),
            "spec": json.loads(spec_text(order.spec)),
            "wanted": order.wanted._asdict(),
            "main_tree": str(order.main_tree) if order.main_tree else None,
            "left": str(order.left) if order.left else None,
            "computed": str(order.computed) if order.computed else None,
            "prefix": str(order.prefix) if order.prefix else None,
        }
        make_within(self.path.parents[1], self.path)
        write_whole(self.path / "job.json", json.dumps(facts, indent=1))

    def order(self) -> Order | None:
        """Return what is to be done, if it was said; raises :class:`WtwatchError` if that cannot be read."""
        facts = self._facts("job.json")
        if facts is None:
            return None
        with self._in_words("job.json"):
            facts["code_sha"] = Sha(facts.pop("code"))
            return Order(
                **taken(facts, Order._fields)
                | {
                    "queued": moment(facts["queued"]),
                    "at": moment(facts["at"]),
                    "run_tree": Path(facts["run_tree"]),
                    "code_path": Path(facts["code_path"]),
                    "bell": Path(facts["bell"]),
                    "allowed": tuple(facts.get("allowed", ())),
                    "paths": tuple(facts.get("paths", ())),
                    "spec": spec_of(json.dumps(facts["spec"])),
                    "wanted": _wanted(facts.get("wanted", {})),
                    "limits": _pairs(facts.get("limits", ())),
                    "allocated": _pairs(facts.get("allocated", ())),
                    "packages": _pairs(facts.get("packages", ())),
                    "main_tree": Path(facts["main_tree"]) if facts.get("main_tree") else None,
                    "left": Path(facts["left"]) if facts.get("left") else None,
                    "left_paths": tuple(facts.get("left_paths", ())),
                    "carried": _pairs(facts.get("carried", ())),
                    "prefix": Path(facts["prefix"]) if facts.get("prefix") else None,
                    "copies": tuple(facts.get("copies", ())),
                    "leads": tuple(facts.get("leads", ())),
                    "ignore_outputs": tuple(facts.get("ignore_outputs", ())),
                    "computed": Path(facts["computed"]) if facts.get("computed") else None,
                    "links": None if facts.get("links") is None else tuple(facts["links"]),
                    "below": tuple(
                        (path, Sha(head), tuple(links)) for path, head, links in facts.get("below", ())
                    ),
                    "looked": _instant(facts.get("looked")),
                    "look_began": _instant(facts.get("look_began")),
                }
            )

    def set_aside(self) -> None:
        """Make room where the folder is that of another job, queued in a database that is gone."""
        number = 1
        while (vacant := self.path.with_name(f"{self.path.name}~{number}")).exists():
            number += 1
        self.path.rename(vacant)

    def discard(self) -> None:
        """Forget an attempt whose command did not begin: there is nothing in it to remember."""
        import shutil

        shutil.rmtree(self.path)

    def forget(self) -> None:
        """Remove the folder of a job that was removed, unless a process of it lives and writes there."""
        import shutil

        alive = False
        with suppress(WtwatchError):  # a damaged file says nothing of a process
            who = self.started()
            alive = who is not None and is_alive(who)
        if not alive:
            shutil.rmtree(self.path, ignore_errors=True)

    def write_started(self, who: Identity, uuid: str, at: datetime) -> None:
        """Say which process does it."""
        facts = {**who._asdict(), "uuid": uuid, "at": stamp(at), "host": os.uname().nodename}
        write_whole(self.path / "started", json.dumps(facts, indent=1))

    def started(self) -> Identity | None:
        """Return which process does it, or did."""
        facts = self._facts("started")
        if facts is None:
            return None
        with self._in_words("started"):
            if "ticks" in facts:
                return Identity(int(facts["pid"]), int(facts["ticks"]), str(facts["boot"]))
            return _known_by_mark(int(facts["pid"]), str(facts["boot"]), str(facts["uuid"]))

    def host(self) -> str | None:
        """Return on which machine it was started, if it was, and that is known."""
        facts = self._facts("started") or {}
        host = facts.get("host")
        return host if isinstance(host, str) else None

    def write_before(self, state: Before) -> None:
        """Say how the tree stands directly before the command."""
        write_whole(self.path / "before", state_text(state))

    def before(self) -> Before | None:
        """Return how the tree stood directly before the command, if it came so far."""
        facts = self._facts("before")
        if facts is None:
            return None
        with self._in_words("before"):
            return state_of(facts, Before)

    def after(self) -> After | None:
        """Return how the tree stood when the command had ended, if that was looked at."""
        facts = self._facts("after")
        if facts is None:
            return None
        with self._in_words("after"):
            return state_of(facts, After)

    def write_after(self, state: After) -> None:
        """Say how the tree stands now that the command has ended."""
        write_whole(self.path / "after", state_text(state))

    def command(self) -> CommandEnd | None:
        """Return how the command ended, if it did."""
        facts = self._facts("command")
        if facts is None:
            return None
        with self._in_words("command"):
            used = facts.get("used")
            taken_up = Usage(**{name: used[name] for name in Usage._fields}) if used else None
            return CommandEnd(facts["exit"], facts.get("error"), facts.get("code"), taken_up)

    def uses(self) -> Uses:
        """Return what its command used of the code; all of it where nobody lived to say that."""
        facts = self._facts("uses")
        if facts is None:
            return Uses(whole="what it used was not noted")
        with self._in_words("uses"):
            return uses_from(facts)

    def written(self) -> tuple[str, ...]:
        """Return the files of code that somebody wrote to while its command ran, as far as that was seen."""
        facts = self._facts("uses") or {}
        with self._in_words("uses"):
            return tuple(map(str, facts.get("written", ())))

    def write_plan(self, facts: Mapping[str, Any]) -> None:
        """Say what the command is, and what its record will be, before anything is prepared for it."""
        write_whole(self.path / "plan", json.dumps(facts, indent=1))

    def plan(self) -> dict[str, Any] | None:
        """Return what :meth:`write_plan` said, if it did: only of jobs that are run in parts."""
        facts = self._facts("plan")
        with self._in_words("plan"):
            return (
                {name: tuple(it) if isinstance(it, list) else it for name, it in facts.items()}
                if facts
                else None
            )

    def is_unsaved(self) -> bool:
        """Return whether the command succeeded, but nobody said that what came of it was saved or bad."""
        end = self.command()
        return self.plan() is not None and end is not None and end[:2] == (0, None) and not self.verified()

    def write_outlived(self, paths: Sequence[str], removed: bool) -> None:
        """Say which files its command makes no more, from the top, and whether they were removed."""
        write_whole(self.path / "outlived", json.dumps({"paths": list(paths), "removed": removed}))

    def outlived(self) -> tuple[tuple[str, ...], bool]:
        """Return what :meth:`write_outlived` said; nothing where there was none."""
        facts = self._facts("outlived") or {}
        with self._in_words("outlived"):
            return tuple(map(str, facts.get("paths", ()))), bool(facts.get("removed"))

    def write_ignored(self) -> None:
        """Say that all that its command changed is no result, before it is put back."""
        write_whole(self.path / "ignored", "")

    def was_ignored(self) -> bool:
        """Return whether all that its command changed is no result, and to be put back."""
        return (self.path / "ignored").exists()

    def write_refused(self, why: str) -> None:
        """Say that what came of the command is good, and could not be saved."""
        write_whole(self.path / "refused", why)

    def was_refused(self) -> bool:
        """Return whether what came of the command is good, and could not be saved."""
        return (self.path / "refused").exists()

    def laid(self) -> tuple[Sha, ...] | None:
        """Return the commits on the run branch that a result in a lane was about to become, oldest first."""
        facts = self._facts("laid")
        with self._in_words("laid"):
            return tuple(map(Sha, facts["commits"])) if facts else None

    def write_laid(self, commits: Sequence[Sha]) -> None:
        """Say which commits on the run branch a result in a lane becomes, before it does."""
        write_whole(self.path / "laid", json.dumps({"commits": list(commits)}))

    def turn(self) -> int:
        """Count one more process that goes on with the attempt; return how many there were with it."""
        file = self.path / "turns"
        number = int(file.read_text()) + 1 if file.exists() else 1
        write_whole(file, str(number))
        return number

    def verified(self) -> tuple[str, ...] | None:
        """Return what is wrong with how the tree stood after the command, if that was judged."""
        facts = self._facts("verified")
        if facts is None:
            return None
        with self._in_words("verified"):
            return tuple(facts["faults"])

    def write_verified(self, faults: Sequence[str]) -> None:
        """Say what is wrong with how the tree stood after the command."""
        write_whole(self.path / "verified", json.dumps({"faults": list(faults)}))

    def result(self) -> Result | None:
        """Return what it came to, once it is over; raises :class:`WtwatchError` if that cannot be read."""
        facts = self._facts("outcome")
        if facts is None:
            return None
        with self._in_words("outcome"):
            known = {"commits": tuple(facts.get("commits", ())), "ended": moment(facts["ended"])}
            return Result(**{"exit": None} | taken(facts, Result._fields) | known)

    def is_over(self) -> bool:
        """Return whether there is a :meth:`result`."""
        return (self.path / "outcome").exists()

    def settle(self) -> None:
        """See to it that what can be read here outlives a power cut, before somebody else is told of it.

        Its process has made a file visible a moment before that is so (rename(2), then fsync(2)).
        """
        if self.path.is_dir():
            sync_folder(self.path)

    def stopping_for(self) -> float:
        """Note that the attempt is told to end, unless that is noted; return for how many seconds.

        0 where that cannot be said: noted before a reboot, by version 0.1.0, or not at all on a full disk.
        """
        file = self.path / "stopping"
        with suppress(OSError, TypeError, ValueError):
            seconds = elapsed(Instant(**json.loads(file.read_text())))
            if seconds is not None:
                return seconds
        with suppress(OSError):
            write_whole(file, json.dumps(instant()._asdict()))
        return 0.0

    def begin_clearing(self) -> None:
        """Note that clearing up behind it begins."""
        write_whole(self.path / "clearing", "")

    def clearing_began(self) -> bool:
        """Return whether clearing up behind it has begun; it may have been cut off."""
        return (self.path / "clearing").exists()

    def _facts(self, name: str) -> dict[str, Any] | None:
        with self._in_words(name):
            try:
                text = (self.path / name).read_text(encoding="utf-8")
            except FileNotFoundError:
                return None
            facts: dict[str, Any] = json.loads(text)
            return facts

    @contextmanager
    def _in_words(self, name: str) -> Iterator[None]:
        """Say which file it is that somebody damaged; none of ours is ever half written."""
        try:
            yield
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise WtwatchError(
                f"{self.path / name} cannot be read: {error!r}.",
                f"Put it back from a backup, or move the folder away: {self.path}",
            ) from error


def _instant(fact: Any) -> Instant | None:
    return Instant(*fact) if fact else None


def _wanted(facts: Mapping[str, Any]) -> Wanted:
    return Wanted(
        str(facts.get("preamble", "")),
        _pairs(facts.get("env", ())),
        _pairs(facts.get("setenv", ())),
        tuple(facts.get("secret", ())),
        facts.get("cpus"),
    )


def _pairs(listed: Iterable[Sequence[str]]) -> Variables:
    return tuple((str(name), str(value)) for name, value in listed)


def _known_by_mark(pid: int, boot: str, uuid: str) -> Identity:
    """Return which process an attempt of version 0.1.0 has, which noted its start by the clock on the wall.

    That clock may have been set since; the mark in its environment says whether it is still the one.
    """
    present = identity(pid)
    return present if present and bears(pid, MARK, uuid) else Identity(pid, -1, boot)
