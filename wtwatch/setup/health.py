"""How a project stands that was set up: what `init` made may have been changed since, by whomever.

Only looks, but for locks of worktrees and refs of code that results name, which are put back. A finding
that is well and has a hint is a note.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from wtwatch.doors import fastrun
from wtwatch.doors.processes import holding
from wtwatch.doors.repo import Repo
from wtwatch.project import config, owner
from wtwatch.project.config import Project
from wtwatch.project.jobenv import withheld
from wtwatch.project.tree import RunTree
from wtwatch.setup import checks, cluster, githooks, hooktrial, stores, worktrees
from wtwatch.setup.dotgit import is_annexed, shares_annex
from wtwatch.setup.finding import Finding, tried
from wtwatch.setup.githooks import Fitting
from wtwatch.tree import codetree, environment, save, sync
from wtwatch.tree.changes import subdatasets
from wtwatch.tree.nested import LOCKED_FOR, is_own
from wtwatch.words.errors import WtwatchError
from wtwatch.words.model import EnvironmentState, counted, lasting
from wtwatch.words.quoting import quoted

_SHOWN = 3


def findings(project: Project) -> Iterator[Finding]:
    """Look at all of one project; what cannot be looked at because of a fault before it is left out."""
    tree = RunTree.of(project)
    if not (project.main_code / ".git").exists():
        yield Finding(
            "main tree", False, f"{project.main_code} is gone.", "Was it moved? `wtwatch init` there."
        )
        return
    yield from _of_init(project)
    yield from _hooks(project)
    yield _state_folder(project)
    yield from _settings(project)
    if not codetree.is_present(tree):
        hint = "Mount its disk, or make it anew: `wtwatch init` in the main tree."
        yield Finding("run tree", False, f"{tree.path} is gone, or not whole.", hint)
        return
    yield from trees(tree)
    good = "that of the release" if project.paths else "detached at the commit"
    yield tried("code in the run tree", partial(_check_code, tree), f"{good} that is applied")
    yield _environment(tree)
    yield from _variables(project)
    yield _speed(project)
    yield _journals(tree)
    yield from stores.findings(tree)
    yield from cluster.findings(project)


def _of_init(project: Project) -> Iterator[Finding]:
    """Look at what `init` demanded, once more; of what is well, nothing is said but that."""
    faults = [found for found in checks.project(project) if not found.ok]
    off = (project.run_tree / ".git").exists() and Repo(project.run_tree).branch() != project.branch
    # for that it says the way that `init` knows; the way back that keeps commits is said below
    yield from (found for found in faults if not (off and found.subject == "run tree"))
    if not faults:
        yield Finding("what init demands", True, "main tree, code, bookmark, worktrees and author are sound")


def _speed(project: Project) -> Finding:
    """Note why jobs go through DataLad as it is, if they do."""
    if not project.fast:
        return Finding(
            "speed of jobs", True, "that of DataLad, as `fast` is false", "wtwatch config fast true"
        )
    reason = fastrun.reason_against(project.run_tree)
    if reason is None:
        return Finding("speed of jobs", True, "DataLad plans and saves, and need not look at all files")
    return Finding("speed of jobs", True, f"that of DataLad: {reason}", "Nothing is wrong but the speed.")


def _variables(project: Project) -> Iterator[Finding]:
    """Note what analyses may go by in this shell, and no job gets."""
    own = {name for name, _ in project.env}
    names = [name for name in withheld(os.environ) if name not in own]
    if names:
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        said = f"jobs do not get {', '.join(names[:_SHOWN])}{more} of this shell"
        yield Finding("variables", True, said, f'wtwatch config env.{names[0]} "${names[0]}"')


def _hooks(project: Project) -> Iterator[Finding]:
    hooks = githooks.state(project.main_code)
    off = [hook for hook in hooks if hook.state not in (Fitting.INSTALLED, Fitting.BY_HAND)]
    if off:
        names = ", ".join(hook.name for hook in off)
        broken = [hook for hook in off if hook.state is Fitting.OUTDATED]
        way = next((hook.advice for hook in off if hook.advice), None) or "wtwatch hooks install"
        said = f"{names}: not installed, or not as they should be; moves are noticed by the watch alone."
        yield Finding("hooks", not broken, said, way)
    ours = [hook for hook in hooks if hook.state is Fitting.INSTALLED]
    try:
        silent = list(hooktrial.silent(ours))
    except (WtwatchError, OSError) as error:
        yield Finding("hooks", False, f"They could not be tried: {error}", "Make room in $TMPDIR.")
        return
    for one in silent:
        yield Finding("hooks", False, f"{one.hook.path} {one.why}.", one.way)
    if not off and not silent:
        yield Finding("hooks", True, f"{counted(len(hooks), 'hook')} ring the bell, tried just now")


def _state_folder(project: Project) -> Finding:
    mode = stat.S_IMODE(project.state.stat().st_mode)
    if mode & 0o077:
        fix = f"chmod 700 {quoted(project.state)}"
        return Finding("state folder", False, f"{project.state} is open to others (mode {mode:o}).", fix)
    return Finding("state folder", True, "for you alone")


def _settings(project: Project) -> Iterator[Finding]:
    for problem in config.unknown_settings(project):
        yield Finding("settings", False, problem, "`wtwatch config` shows those that there are.")
    yield from whose(project)


def whose(project: Project) -> Iterator[Finding]:
    """Note which other host looks after a project, by its settings, or by what it says there itself."""
    if project.host and project.host != config.host():
        yield Finding("owner", True, f"The daemon of {project.host} looks after it, not this host's.")
    if seen := owner.other(project):
        last = f"last sign of life {lasting(seen.silent)} ago"
        way = f"wtwatch sync {project.name} goes on from here." if seen.is_free() else None
        yield Finding("acts on it", True, f"It {owner.said(seen)}, {last}.", way)


def trees(tree: RunTree) -> Iterator[Finding]:
    """Look at the worktrees of a run tree or lane: linked both ways, locked, with the main tree's annex."""
    main, paths = tree.project.main_tree, ["", *(one.path for one in subdatasets(tree.path) if one.installed)]
    paths = [path for path in paths if not path or not is_own(tree.path / path)]  # a merge brings those home
    broken = [path for path in paths if not _is_linked_back(tree.path / path)]
    for path in broken[:_SHOWN]:
        there = tree.path / path
        said = f"{there} and its repository do not name each other."
        yield Finding("worktrees", False, said, _relinking(there))
    sound = [path for path in paths if path not in broken]
    whose = tree.project.name if tree.lane is None else f"{tree.project.name}, lane {tree.lane}"
    open_ones = [path for path in sound if not (Repo(tree.path / path).git_dir() / "locked").exists()]
    worktrees.lock([tree.path / path for path in open_ones], f"{LOCKED_FOR} {whose}")
    if not broken:
        text = f"{counted(len(paths), 'worktree')}, linked and locked"
        again = "They were not, so that a `git worktree prune` could have lost them." if open_ones else None
        yield Finding("worktrees", True, text, again)
    apart = [path for path in sound if not _shares(main / path, tree.path / path)]
    for path in apart:
        said = f"{tree.path / path} has an annex of its own: what is made there is not seen in {main / path}."
        yield Finding(
            "annex", False, said, "Copy its content with `git annex copy`, then make the tree anew."
        )
    if not apart:
        annexed = sum(is_annexed(main / path) for path in sound if (main / path / ".git").exists())
        yield Finding("annex", True, f"shared by both trees in {counted(annexed, 'dataset')}")


def _is_linked_back(place: Path) -> bool:
    """Return whether the repository of a linked worktree names that very place (gitrepository-layout(5))."""
    try:
        named = _named_place(Repo(place).git_dir())
    except (OSError, WtwatchError):
        return False
    return os.path.realpath(named) == os.path.realpath(place)


def _named_place(own: Path) -> Path:
    return Path((own / "gitdir").read_text(encoding="utf-8").rstrip("\n")).parent


def _relinking(place: Path) -> str:
    """Return the way out; git's own `worktree repair` refuses the link that git-annex makes of a ``.git``."""
    try:
        own = Repo(place).git_dir()
        named = _named_place(own)
    except (OSError, WtwatchError):
        return "wtwatch init, in the main tree, says how it is repaired."
    line = f"echo {quoted(place / '.git')} > {quoted(own / 'gitdir')}"
    return f"If {named} is a copy of it: {line}" if named.exists() else line


def _shares(main: Path, place: Path) -> bool:
    return not (main / ".git").exists() or shares_annex(main, place)


def _check_code(tree: RunTree) -> None:
    above = Repo(tree.path)
    if above.branch() != tree.branch:
        raise save.off_branch(tree.path, tree.branch, above.branch())
    facts = codetree.facts_of(tree)
    if facts.written:
        said, hint = sync.written_words(tree, facts)
        raise WtwatchError(said, hint)
    if facts.applied is not None and facts.head != facts.applied:
        there = quoted(tree.code_path)
        raise WtwatchError(
            f"{tree.code_path} is at {facts.head}, and not at {facts.applied}, where wtwatch left it.",
            f"git -C {there} checkout --detach {facts.applied}, or `wtwatch sync`, which backs up first.",
        )


def _environment(tree: RunTree) -> Finding:
    """Look at the environment of the code that lies there, which need not be at the tip."""
    facts = codetree.facts_of(tree)
    at_tip = facts.applied in (None, facts.tip)
    entries = facts.tip_tree if at_tip else codetree.tops(tree, facts.applied)
    verdict = environment.noted(tree, environment.requirements(tree, entries))
    good = verdict.state in (EnvironmentState.OK, EnvironmentState.NONE)
    text = "none to look after" if verdict.state is EnvironmentState.NONE else verdict.state.value
    said = f"{text}: {verdict.detail}" if verdict.detail else text
    return Finding("environment", good, said, None if good else "Mend what is named, then `wtwatch sync`.")


def _journals(tree: RunTree) -> Finding:
    steps = {
        "": "a move",
        "bring": "what comes from main",
        "pointer": "a pointer",
        "environment": "a new environment",
        "merge": "a merge",
    }
    cut = [word for step, word in steps.items() if tree.journal(step).read() is not None]
    if not cut:
        return Finding("journal", True, "nothing was cut off")
    locks = (tree.lock, tree.state / "environment.lock", tree.state / "merge.lock")
    holders = {one.pid: one for lock in locks for one in holding(lock)}
    if holders:
        who = ", ".join(f"{one.name} (pid {pid})" for pid, one in holders.items())
        return Finding("journal", True, f"{' and '.join(cut)} is under way, by {who}")
    ways = ["wtwatch sync ends it"] if cut != ["a merge"] else []
    ways += ["wtwatch merge ends it"] if "a merge" in cut else []
    return Finding("journal", True, f"{' and '.join(cut)} was cut off.", "\n".join(ways))
