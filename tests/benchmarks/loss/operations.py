"""Situations in which HEAD was taken elsewhere, commits were made, or an operation of git is not finished."""

from __future__ import annotations

import subprocess

from tests.benchmarks.loss.scene import Scene
from tests.benchmarks.loss.situation import situation

ABOVE = "an operation in the superdataset is not finished"


@situation("a commit made in the run tree")
def commit(at: Scene) -> None:
    at.commit("a.py", "mine\n")


@situation("commits made in the run tree, and an edit")
def commits_and_edit(at: Scene) -> None:
    at.commit("a.py", "mine\n")
    at.commit("mine.py", "mine too\n")
    at.write("a.py", "and on\n")
    at.add("b.py", "staged\n")


@situation("the applied commit amended in the run tree")
def amended(at: Scene) -> None:
    at.add("a.py", "amended\n")
    at.git("commit", "-q", "--amend", "--no-edit")


@situation("a commit on a side branch, checked out")
def side_branch(at: Scene) -> None:
    at.git("checkout", "-q", "-b", "side")
    at.commit("a.py", "mine\n")


@situation("a side branch, checked out, and an edit")
def side_branch_edited(at: Scene) -> None:
    at.git("checkout", "-q", "-b", "side")
    at.commit("b.py", "mine\n")
    at.write("a.py", "and on\n")


@situation("a new branch without a commit (--orphan), files staged and edited")
def orphan(at: Scene) -> None:
    at.git("checkout", "-q", "--orphan", "fresh")
    at.add("a.py", "staged\n")
    at.write("b.py", "mine\n")


@situation("an older commit checked out by hand, and an edit", given={"b.py": "b = 7\n"})
def older(at: Scene) -> None:
    at.git("checkout", "-q", "--detach", "HEAD~")
    at.write("a.py", "mine\n")


@situation("a soft reset to an older commit, edited on", given={"b.py": "b = 7\n"})
def soft_reset(at: Scene) -> None:
    at.commit("b.py", "b = 8\n")
    at.git("reset", "-q", "--soft", "HEAD~2")
    at.write("a.py", "mine\n")


def _two_sides(at: Scene) -> None:
    """Stand on one commit, with another beside it that says something else of the same file."""
    start = at.git("rev-parse", "HEAD")
    at.git("checkout", "-q", "--detach", start)
    at.commit("a.py", "theirs\n")
    at.git("update-ref", "refs/worktree/theirs", "HEAD")
    at.git("checkout", "-q", "-" if at.mode == "symbolic" else start)
    at.commit("a.py", "ours\n")


@situation("a bisect over commits made in the run tree")
def bisect_own(at: Scene) -> None:
    start = at.git("rev-parse", "HEAD")
    at.git("checkout", "-q", "--detach")
    for number in range(5):
        at.commit("mine.py", f"{number}\n")
    at.git("bisect", "start", "-q", "HEAD", start)


@situation("a bisect, and an edit", given={"b.py": "b = 7\n"})
def bisect(at: Scene) -> None:
    at.git("bisect", "start", "-q", "HEAD", "HEAD~")
    at.write("a.py", "mine\n")


@situation("a merge not committed yet")
def merge(at: Scene) -> None:
    at.git("checkout", "-q", "-b", "theirs")
    at.commit("b.py", "theirs\n")
    at.git("checkout", "-q", "-")
    at.commit("a.py", "ours\n")
    at.git("merge", "-q", "--no-commit", "theirs")


@situation("a merge in conflict")
def merge_conflict(at: Scene) -> None:
    _two_sides(at)
    at.git("merge", "-q", "refs/worktree/theirs", code=1)
    at.git("update-ref", "-d", "refs/worktree/theirs")


@situation("a merge in conflict, resolved in the file")
def merge_resolved(at: Scene) -> None:
    merge_conflict(at)
    at.write("a.py", "both\n")


@situation("a merge in conflict, `checkout --ours`, another file staged and edited on")
def merge_ours(at: Scene) -> None:
    merge_conflict(at)
    at.git("checkout", "-q", "--ours", "a.py")
    at.add("b.py", "staged\n")
    at.write("b.py", "and on\n")


@situation("a conflict that only the index holds, in three stages")
def conflict_in_index(at: Scene) -> None:
    lines = [f"0 {'0' * 40}\ta.py"]
    for stage, text in enumerate(("base\n", "ours\n", "theirs\n"), 1):
        blob = at.git("hash-object", "-w", str(at.write("blob", text)))
        lines.append(f"100644 {blob} {stage}\ta.py")
    at.write("blob", None)
    words = ["git", "update-index", "--index-info"]
    subprocess.run(words, cwd=at.code, input="".join(f"{line}\n" for line in lines).encode(), check=True)


@situation("a rebase in conflict")
def rebase(at: Scene) -> None:
    _two_sides(at)
    at.commit("mine.py", "more of ours\n")
    at.git("rebase", "-q", "refs/worktree/theirs", code=1)
    at.git("update-ref", "-d", "refs/worktree/theirs")


@situation("a rebase in conflict, open edits stashed by it")
def rebase_autostash(at: Scene) -> None:
    _two_sides(at)
    at.write("b.py", "stashed\n")
    at.git("rebase", "-q", "--autostash", "refs/worktree/theirs", code=1)


@situation("an interactive rebase stopped for an edit, amended")
def rebase_edit(at: Scene) -> None:
    at.commit("a.py", "first\n")
    at.commit("a.py", "second\n")
    at.git("-c", "sequence.editor=sed -i 1s/pick/edit/", "rebase", "-q", "-i", "HEAD~2")
    at.add("a.py", "first, amended\n")
    at.git("commit", "-q", "--amend", "--no-edit")
    at.write("b.py", "mine\n")


@situation("a cherry-pick in conflict")
def cherry_pick(at: Scene) -> None:
    _two_sides(at)
    at.git("cherry-pick", "refs/worktree/theirs", code=1)
    at.git("update-ref", "-d", "refs/worktree/theirs")
    at.write("b.py", "mine\n")


@situation("a revert in conflict")
def revert(at: Scene) -> None:
    at.commit("a.py", "first\n")
    at.commit("a.py", "second\n")
    at.git("revert", "--no-edit", "HEAD~", code=1)


@situation("`git stash pop` in conflict, another file staged and edited on")
def stash_pop(at: Scene) -> None:
    at.write("a.py", "stashed\n")
    at.git("stash", "push", "-q")
    at.commit("a.py", "other\n")
    at.git("stash", "pop", "-q", code=1)
    at.git("stash", "drop", "-q")
    at.add("b.py", "staged\n")
    at.write("b.py", "and on\n")


@situation("`git apply -3` in conflict")
def apply_three_way(at: Scene) -> None:
    at.write("a.py", "patched\n")
    patch = at.git("diff")
    at.elsewhere.mkdir()
    (at.elsewhere / "p").write_text(patch + "\n")
    at.git("checkout", "-q", "a.py")
    at.commit("a.py", "other\n")
    at.git("apply", "-3", str(at.elsewhere / "p"), code=1)
    at.write("a.py", "half resolved\n")


@situation("`git am` stopped")
def am(at: Scene) -> None:
    start = at.git("rev-parse", "HEAD")
    at.commit("a.py", "mailed\n")
    mail = at.git("format-patch", "-1", "--stdout")
    at.git("reset", "-q", "--hard", start)
    at.elsewhere.mkdir()
    (at.elsewhere / "mail").write_text(mail + "\n")
    at.commit("a.py", "other\n")
    at.git("am", "-q", str(at.elsewhere / "mail"), code=128)
    at.write("b.py", "mine\n")


@situation("a stash of edits made here")
def stash(at: Scene) -> None:
    at.write("a.py", "stashed\n")
    at.write("notes.txt", "stashed too\n")
    at.git("stash", "push", "-q", "-u")


@situation("a commit that a ref of this work tree alone holds")
def own_ref(at: Scene) -> None:
    at.git("checkout", "-q", "--detach")
    at.commit("a.py", "mine\n")
    at.git("update-ref", "refs/worktree/mine", "HEAD")
    at.git("checkout", "-q", "--detach", at.applied)


@situation("a commit that replaces another", given={"b.py": "b = 7\n"})
def replaced(at: Scene) -> None:
    at.git("checkout", "-q", "--detach")
    at.add("a.py", "replacement\n")
    at.git("commit", "-q", "--amend", "-m", "replacement")
    at.git("replace", at.applied, "HEAD")
    at.git("checkout", "-q", "--detach", at.applied)
    at.write("a.py", "mine\n")


@situation("a merge in the superdataset of the run tree", stays=ABOVE)
def merge_above(at: Scene) -> None:
    at.write("a.py", "mine\n")
    tree = at.house.project.run_tree
    at.house.git("commit", "-q", "--allow-empty", "-m", "theirs", cwd=at.house.project.main_tree)
    at.house.git("commit", "-q", "--allow-empty", "-m", "ours", cwd=tree)
    at.house.git("merge", "-q", "--no-ff", "--no-commit", "main", cwd=tree)
