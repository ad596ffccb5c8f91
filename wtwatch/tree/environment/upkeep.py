"""Is the environment of the run tree right for its commit? Look, set up, make anew.

Right means: set up for the requirements of this commit, with code's own packages as they are in it, able to
start, and importing from *this* tree. What somebody installed by hand stays, and is named. An environment
that cannot be made right is put back as it was, and the queue waits.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from wtwatch.doors.files import held
from wtwatch.doors.journal import Journal
from wtwatch.project.jobenv import for_jobs
from wtwatch.project.tree import RunTree
from wtwatch.tree.environment import change, commands, note, sources, stamps
from wtwatch.tree.environment.change import Change, Sorted
from wtwatch.tree.environment.commands import Stops
from wtwatch.tree.environment.installed import Installed, owners, read, unlike_record, wrong
from wtwatch.tree.environment.kind import Command, Kind
from wtwatch.tree.environment.kinds import kind_of, line_for, passed_over
from wtwatch.tree.environment.note import BEGUN, BROKEN, FAILED, OK, OUTDATED, Note
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import EnvironmentState, Verdict, now

_FEW = 3
"""Names that are said one by one."""

_MANY = 6
"""Packages by hand that are all said."""


def noted(tree: RunTree, wanted: str) -> Verdict:
    """Return what is known without starting anything: the last verdict, if it is still about this commit.

    ``BROKEN`` means that a set-up for these very requirements failed, so trying again needs a reason.
    """
    kind = kind_of(tree)
    if not (kind.commands or kind.problem):
        return Verdict(EnvironmentState.NONE, _offered(tree))
    known = Note.of(tree)
    same = known.is_for(wanted, tree.project.environment)
    if same and known.state == FAILED:
        return Verdict(EnvironmentState.BROKEN, known.detail)
    if not os.path.lexists(tree.prefix) and not (same and kind.elsewhere):
        return Verdict(EnvironmentState.MISSING, f"{tree.prefix} is not there")
    if not same or known.state != OK:
        return Verdict(EnvironmentState.STALE, known.detail if same else "set up for other requirements")
    return Verdict(EnvironmentState.OK, _by_hand(kind, known.by_hand))


def remembered(tree: RunTree) -> Verdict:
    """Return the last verdict, without a look at any file of code: a job that runs would seem to use it."""
    known = Note.of(tree)
    if known.how != tree.project.environment or not known.state:
        return Verdict(EnvironmentState.NONE)
    if known.state == OK:
        return Verdict(EnvironmentState.OK, _by_hand(Kind(""), known.by_hand))
    bad = known.state in (BROKEN, FAILED)
    return Verdict(EnvironmentState.BROKEN if bad else EnvironmentState.STALE, known.detail)


def unusable(tree: RunTree) -> str | None:
    """Return why no job may use the environment as it was noted last; ``None`` if nothing is known."""
    known = Note.of(tree)
    bad = known.state in (BEGUN, BROKEN, FAILED) and bool(kind_of(tree).commands)
    return known.detail if bad else None


def _offered(tree: RunTree) -> str | None:
    """Return how to have an environment looked after that wtwatch knows and does not look after."""
    offers = passed_over(tree) if tree.project.environment == "auto" else []
    return f"{offers[0].name} is there: {line_for(offers[0])}" if offers else None


class Present(NamedTuple):
    """What jobs find in an environment.

    ``packages`` is what records say of it: a digest, one of all ``others`` than code's own where it has such,
    its Python, what is by hand. ``copies`` are the places
    in it that hold what was made from code, other than links to that. ``leads`` are folders of the tree in
    which it has Python look for modules, by path from the tree's top.
    """

    packages: tuple[tuple[str, str], ...] = ()
    copies: tuple[str, ...] = ()
    leads: tuple[str, ...] = ()


def present(tree: RunTree) -> Present:
    """Return what jobs find in the environment as it is now; nothing where there is none."""
    found, known = read(tree.prefix), Note.of(tree)
    if not (found.dists or found.others or found.python):
        return Present()
    by_hand = sorted(found.names - set(known.ours)) if known.ours is not None else []
    said = {"fingerprint": found.fingerprint(), "python": found.python, "by_hand": " ".join(by_hand)}
    if own := set(_own(tree, found)):
        said["others"] = found.fingerprint(apart=own)
    packages = tuple((key, value) for key, value in said.items() if value)
    top = tree.path.resolve()
    return Present(packages, tuple(_copies(found, top)), tuple(_looked_in(found, top)))


def _own(tree: RunTree, found: Installed) -> Iterator[str]:
    """Yield the names of code's own packages, however they are installed."""
    home = tree.code_folder.resolve()
    places = [(tree.path / one).resolve() for one in tree.project.paths] or [home]
    for dist in found.dists:
        source = dist.source.resolve() if dist.source else None
        if source and (source == home or any(map(source.is_relative_to, places))):
            yield dist.name


def packages(tree: RunTree) -> tuple[tuple[str, str], ...]:
    """Return what records say of the environment as it is now; see :class:`Present`."""
    return present(tree).packages


def _copies(found: Installed, top: Path) -> Iterator[str]:
    for dist in found.dists:
        if dist.source is None or not dist.source.resolve().is_relative_to(top):
            continue
        if not dist.editable or dist.compiles():
            names = {name.partition("/")[0] for name in dist.record()}
            for name in sorted(names - {"..", dist.info.name}):
                if not name.endswith(".pth"):
                    yield str(dist.info.parent / name)


def _looked_in(found: Installed, top: Path) -> Iterator[str]:
    for name, where in found.leads:
        place = where.resolve()
        if name.endswith(".pth") and place.is_relative_to(top):
            yield place.relative_to(top).as_posix()


def _by_hand(kind: Kind, names: tuple[str, ...]) -> str | None:
    if not names:
        return None
    named = names if len(names) <= _MANY else ("…",)
    how = kind.adds.format(" ".join(named)) if kind.adds else ""
    shown = ", ".join(names) if len(names) <= _MANY else _few(names)
    return f"by hand: {shown}" + (f"; {how} makes it part of code" if how else "")


def look(
    tree: RunTree, wanted: str, batch: bool = False, stop: Callable[[], bool] = lambda: False
) -> Verdict:
    """Return the verdict on the environment after a move, or before a ``batch`` begins; note it if it is bad.

    After a set-up that failed it is ``STALE``: a move is a reason to try once more. Before a batch the files
    of what is installed are looked at as well. With the tree lock held by the caller.
    """
    before = noted(tree, wanted)
    if before.state is EnvironmentState.BROKEN:
        return Verdict(EnvironmentState.STALE, before.detail)
    if before.state is not EnvironmentState.OK:
        return before
    with _lock(tree) as lock:
        kind, known, found = kind_of(tree), Note.of(tree), read(tree.prefix)
        return _judge(_Site(tree, kind, known, found, Stops(stop, tree.project.env_limit, lock)), batch)


class _Site(NamedTuple):
    """An environment that is looked at: of which kind, what was noted of it, what it holds now."""

    tree: RunTree
    kind: Kind
    known: Note
    found: Installed
    stops: Stops

    @property
    def by_hand(self) -> frozenset[str]:
        """What is installed and no set-up did; where nothing is known of who did, nothing."""
        ours = self.known.ours
        return frozenset() if ours is None else self.found.names - set(ours)


def _judge(site: _Site, batch: bool) -> Verdict:
    tree, kind, known, found, _ = site
    problem = wrong(found, tree, kind.elsewhere)
    if problem is not None:
        known._replace(state=BROKEN, detail=problem).write(tree)
        return Verdict(EnvironmentState.BROKEN, problem)
    if known.ours is None and kind.asks:  # noted by a version that did not look so closely
        return Verdict(EnvironmentState.STALE, "not looked at closely yet")
    reason = _outdated(site, batch)
    if reason is not None:
        known._replace(state=OUTDATED, detail=reason).write(tree)
        return Verdict(EnvironmentState.STALE, reason)
    if known.ours is None:  # nobody can be asked, so all that is there now is taken for set up
        stamps.note(tree)
    by_hand = tuple(sorted(site.by_hand))
    if known.ours is None or by_hand != known.by_hand:
        ours = tuple(sorted(found.names)) if known.ours is None else known.ours
        known._replace(ours=ours, by_hand=by_hand, fingerprint=found.fingerprint()).write(tree)
    return Verdict(EnvironmentState.OK, _by_hand(kind, by_hand))


def _outdated(site: _Site, batch: bool) -> str | None:
    """Return why the environment is not as the commit wants it, ``None`` if it is."""
    moved = sources.changed(site.tree, site.found, dict(site.known.sources))
    if moved:
        return f"{_few(moved)} changed in code"
    altered = _altered(site) if batch else {}
    if altered:
        return f"files of {_few(altered)} were altered"
    if site.tree.project.env_exact and site.by_hand:
        return f"{_few(site.by_hand)} was installed by hand"
    return _lacking(site)


def _lacking(site: _Site) -> str | None:
    """Return what a kind that can be asked at each move says that would have to change."""
    asked = _ask(site) if site.kind.each_move else Change()
    if asked is None:
        return "it cannot be asked what it lacks"
    if asked.replaces:
        return "it is to be of another Python"
    if asked.added:
        return f"it lacks {_few(asked.added)}"
    dropped = _strays(site, asked).dropped
    return f"{_few(dropped)} is not wanted any more" if dropped else None


def _strays(site: _Site, asked: Change | None) -> Sorted:
    if asked is None:
        return Sorted(site.by_hand, frozenset())
    return change.sort_strays(asked, site.known, site.found.dists)


def _few(names: Iterable[str]) -> str:
    listed = sorted(names)
    more = f" and {len(listed) - _FEW} more" if len(listed) > _FEW else ""
    return ", ".join(listed[:_FEW]) + more


def _altered(site: _Site) -> dict[str, list[str]]:
    """Return the packages that set-ups installed and whose files are not as noted, with those files."""
    files = stamps.altered(site.tree)
    if not files:
        return {}
    owned, ours = owners(site.found, site.tree.prefix, files), set(site.known.ours or ())
    found: dict[str, list[str]] = {}
    for path, dist in owned.items():
        if dist.name in ours:
            found.setdefault(dist.name, []).append(path)
    return found


def _half_made(site: _Site) -> dict[str, list[str]]:
    """Return the packages that a set-up which was cut off did not write whole.

    What else differs from what was noted before is its work, and nobody's edit to be kept.
    """
    by_hand = site.known.by_hand
    return {dist.name: [] for dist in site.found.dists if dist.name not in by_hand and unlike_record(dist)}


def _ask(site: _Site) -> Change | None:
    """Ask what would have to change; ``None`` if that gets no answer."""
    if site.kind.asks is None:
        return None
    said = commands.ask(site.tree, site.kind.asks, site.stops)
    return change.read(said.said) if said.code == 0 else None


class _Tried(NamedTuple):
    """What a set-up in place came to: done, a ``problem``, or that it has to be made ``anew``."""

    problem: str | None = None
    anew: bool = False
    strays: Sorted | None = None


def set_up(tree: RunTree, wanted: str, verdict: Verdict, stop: Callable[[], bool] = lambda: False) -> Verdict:
    """Bring the environment up to date after ``verdict`` said that it is not right; return the new verdict.

    Other requirements are met in place. A broken one, and a symlink to one elsewhere, is set aside, and put
    back if the new one cannot be made. ``stop`` is asked several times a second; when it says so, the set-up
    is given up. With the tree lock held by the caller. Takes as long as the set-up command does, at most the
    setting ``env_limit``. Raises :class:`Busy` while an earlier set-up is still at work.
    """
    kind = kind_of(tree)
    with _lock(tree) as lock:
        known, found = Note.of(tree), read(tree.prefix)
        known = known._replace(wanted=wanted, how=tree.project.environment)
        site = _Site(tree, kind, known, found, Stops(stop, tree.project.env_limit, lock))
        is_right = not os.path.lexists(tree.prefix) or wrong(found, tree, kind.elsewhere) is None
        in_place = is_right and verdict.state is not EnvironmentState.BROKEN and not _leads_elsewhere(tree)
        tried = _Tried(kind.problem) if kind.problem else _in_place(site) if in_place else _Tried(anew=True)
        there = os.path.lexists(tree.prefix)
        if not kind.problem and (tried.problem is None or there) and not tried.anew:
            tried = tried._replace(anew=wrong(read(tree.prefix), tree, kind.elsewhere) is not None)
        if tried.anew:
            tried = _Tried() if stop() else _Tried(_rebuild(site))
        if not stop() and tried.problem is None:
            return _done(site, tried.strays)
    if stop():
        return Verdict(EnvironmentState.STALE, "its set-up was stopped")
    known._replace(state=FAILED, detail=tried.problem).write(tree)
    return Verdict(EnvironmentState.BROKEN, tried.problem)


def _done(site: _Site, strays: Sorted | None) -> Verdict:
    """Note what there is now, after a set-up that went well."""
    tree, found = site.tree, read(site.tree.prefix)
    by_hand = tuple(sorted(strays.by_hand & found.names)) if strays else ()
    stamps.note(tree)
    site.known._replace(
        state=OK,
        detail=None,
        ours=tuple(sorted(found.names - set(by_hand))),
        by_hand=by_hand,
        sources=tuple(sources.built_from(tree, found).items()),
        fingerprint=found.fingerprint(),
        python=found.python,
    ).write(tree)
    return Verdict(EnvironmentState.OK, _by_hand(site.kind, by_hand))


def _in_place(site: _Site) -> _Tried:
    """Meet what is wanted in the environment that is there, or make the first one."""
    tree, kind = site.tree, site.kind
    if kind.first and not os.path.lexists(tree.prefix):
        return _Tried(_carry_out(site, (*kind.first, *kind.commands)))
    is_whole = os.path.lexists(tree.prefix / "bin" / "python")
    if kind.first and (not is_whole or sources.is_for_another_python(site.found, tree)):
        return _Tried(anew=True)
    asked = _ask(site)
    if asked is None and kind.asks and _is_dead(site):
        return _Tried(anew=True)
    cut_off = site.known.state == BEGUN
    strays, altered = _strays(site, asked), _half_made(site) if cut_off else _altered(site)
    replaces = asked is not None and asked.replaces
    if replaces or (tree.project.env_exact and strays.by_hand) or (altered and "uv" not in kind.tools):
        return _Tried(anew=True)
    again = {*sources.changed(tree, site.found, dict(site.known.sources)), *altered}
    if asked is not None and not (asked.added or strays.dropped or again):
        return _Tried(strays=strays)
    _keep_files(tree, [path for paths in altered.values() for path in paths])
    problem = _carry_out(site, _line_up(kind, again, strays.dropped))
    if problem is None and altered and not cut_off:
        problem = _mend(site, altered)
    return _Tried(problem, strays=strays)


def _carry_out(site: _Site, lines: Iterable[Command]) -> str | None:
    """Run commands that change the environment; return ``None``, or what went wrong.

    From their first on, and until it is known how they ended, it is noted as one that no job may use.
    """
    site.known._replace(state=BEGUN, detail="its set-up was cut off").write(site.tree)
    return commands.carry_out(site.tree, lines, site.stops)


def _line_up(kind: Kind, again: Iterable[str], dropped: Iterable[str], *also: str) -> list[Command]:
    """Return the commands that meet what is wanted, with the packages that are to be installed again."""
    more = [word for name in sorted(again) for word in ("--reinstall-package", name)]
    found: list[Command] = [
        [*command, *more, *also] if isinstance(command, list) and command[0] == "uv" else command
        for command in kind.commands
    ]
    gone = sorted(dropped)
    return [*found, ["uv", "pip", "uninstall", "-p", ".venv", *gone]] if gone else found


def _mend(site: _Site, altered: Iterable[str]) -> str | None:
    """Install packages again past uv's cache if what came from that is altered as well: it is one file."""
    names = set(altered)

    def unlike() -> set[str]:
        return {
            dist.name for dist in read(site.tree.prefix).dists if dist.name in names and unlike_record(dist)
        }

    still = unlike()
    if not still:
        return None
    problem = _carry_out(site, _line_up(site.kind, still, (), "--no-cache"))
    if problem is None and unlike():
        problem = "they are not as their RECORD says"
    return (
        problem and f"files of {_few(still)} were altered, in uv's cache too (uv cache clean NAME): {problem}"
    )


def _is_dead(site: _Site) -> bool:
    """Return whether the Python of the environment does not start."""
    python = site.tree.prefix / "bin" / "python"
    return os.path.lexists(python) and bool(
        commands.ask(site.tree, [str(python), "-I", "-S", "-c", ""], site.stops).code
    )


def _leads_elsewhere(tree: RunTree) -> bool:
    """Return whether the environment is a symlink out of code: in place, another tree's would change."""
    place = tree.prefix
    return place.is_symlink() and not place.resolve().is_relative_to(tree.code_folder.resolve())


def _rebuild(site: _Site) -> str | None:
    """Set the environment aside and make a new one; return ``None``, or what went wrong."""
    tree, kind = site.tree, site.kind
    moved = os.path.lexists(tree.prefix)
    if moved:
        _set_aside(tree)
    problem = _carry_out(site, (*kind.first, *kind.commands))
    if problem is None:
        seen = wrong(read(tree.prefix), tree, kind.elsewhere)
        if seen is None:
            _journal(tree).close()
            return None
        problem = f"the new one is not right either: {seen}"
    if moved:
        _put_back(tree)
        problem += "; the old one is back in its place"
    return problem


def _keep_files(tree: RunTree, paths: Iterable[str]) -> None:
    """Put a copy of installed files that somebody altered onto the shelf, before they are made right."""
    import shutil

    there = [path for path in paths if os.path.lexists(tree.prefix / path)]
    if not there:
        return
    target = _place_aside(tree)
    for path in there:
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(tree.prefix / path, target / path, follow_symlinks=False)


def _place_aside(tree: RunTree) -> Path:
    target = tree.shelf / "environments" / f"{now():%Y%m%dT%H%M%S%f}"
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def _set_aside(tree: RunTree) -> None:
    target = _place_aside(tree)
    _journal(tree).open({"aside": str(target)})
    tree.prefix.rename(target)


def recover(tree: RunTree) -> None:
    """Put an environment back that was set aside for a rebuild which was cut off; it is then tried anew.

    Raises :class:`Busy` while the set-up that was cut off is still at work.
    """
    if _journal(tree).read() is None:
        return
    with _lock(tree):
        _put_back(tree)
        note.forget(tree)


def _put_back(tree: RunTree) -> None:
    import shutil

    cut_off = _journal(tree).read()
    if cut_off is None:
        return
    aside, place = Path(cut_off["aside"]), tree.prefix
    if os.path.lexists(aside):
        if place.is_dir() and not place.is_symlink():  # half-made by us
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)
        aside.rename(place)
    _journal(tree).close()


def _journal(tree: RunTree) -> Journal:
    return tree.journal("environment")


def _lock(tree: RunTree) -> AbstractContextManager[int]:
    """Return the lock that a set-up holds, and its commands with it."""
    return held(tree.state / "environment.lock", what="the environment of the run tree")


def forget_failure(tree: RunTree) -> None:
    """Let the next reconcile try again to set up an environment whose set-up failed."""
    if Note.of(tree).state == FAILED:
        note.forget(tree)


def needs_uv(tree: RunTree) -> bool:
    """Return whether the set-up is one of uv's."""
    return "uv" in kind_of(tree).tools


def require_tools(tree: RunTree) -> None:
    """Raise :class:`WtwatchError` if the set-up needs a program that is not there, or cannot read a file."""
    import shutil

    kind = kind_of(tree)
    for tool in kind.tools:
        if shutil.which(tool, path=for_jobs(tree)["PATH"]) is None:
            where = "https://docs.astral.sh/uv" if tool == "uv" else "https://python-poetry.org"
            raise WtwatchError(
                f"The code has Python requirements ({kind.name}), but {tool} is not on PATH to set them up.",
                f"Install {tool} ({where}), or give --env none or --env 'COMMAND'.",
            )
    if kind.problem:
        raise WtwatchError(f"{kind.problem}.", "Mend it and commit, or give --env none or --env 'COMMAND'.")
