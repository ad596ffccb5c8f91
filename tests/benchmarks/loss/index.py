"""Situations in which git's index holds something: what was staged, and what it was told about files."""

from __future__ import annotations

from tests.benchmarks.loss.scene import Scene
from tests.benchmarks.loss.situation import Link, situation


@situation("a staged edit")
def staged(at: Scene) -> None:
    at.add("a.py", "staged\n")


@situation("a staged edit that the tip leaves alone")
def staged_apart(at: Scene) -> None:
    at.add("b.py", "staged\n")


@situation("a staged edit, edited on")
def staged_edited(at: Scene) -> None:
    at.add("a.py", "staged\n")
    at.write("a.py", "and on\n")


@situation("a staged edit, changed back in the file")
def staged_back(at: Scene) -> None:
    at.add("a.py", "staged\n")
    at.write("a.py", "a = 1\n")


@situation("a staged edit, the file deleted")
def staged_deleted(at: Scene) -> None:
    at.add("a.py", "staged\n")
    at.write("a.py", None)


@situation("a staged chmod, edited on")
def staged_chmod(at: Scene) -> None:
    at.git("update-index", "--chmod=+x", "a.py")
    at.write("a.py", "mine\n")


@situation("a staged new file that the tip lacks")
def staged_new(at: Scene) -> None:
    at.add("mine.py", "mine\n")


@situation("a staged new file that the tip has too")
def staged_new_in_the_way(at: Scene) -> None:
    at.add("new.py", "mine\n")


@situation("a staged new file that the tip has too, edited on")
def staged_new_edited(at: Scene) -> None:
    at.add("new.py", "staged\n")
    at.write("new.py", "and on\n")


@situation("a staged new file, deleted on disk")
def staged_new_deleted(at: Scene) -> None:
    at.add("new.py", "staged only\n")
    at.write("new.py", None)


@situation("a staged ignored file, edited on", tip={".env": "TIP=1\n"})
def staged_ignored(at: Scene) -> None:
    at.add(".env", "STAGED=1\n")
    at.write(".env", "ON=1\n")


@situation("a staged symlink, a file on disk")
def staged_symlink(at: Scene) -> None:
    at.add("a.py", Link("b.py"))
    at.write("a.py", "mine\n")


@situation("a file announced by `add -N`")
def intent_to_add(at: Scene) -> None:
    at.write("new.py", "mine\n")
    at.git("add", "-N", "new.py")


@situation("a file announced by `add -N` that the tip lacks")
def intent_to_add_apart(at: Scene) -> None:
    at.write("mine.py", "mine\n")
    at.git("add", "-N", "mine.py")


@situation("a file moved by `git mv`, edited on")
def renamed(at: Scene) -> None:
    at.git("mv", "a.py", "mine.py")
    at.write("mine.py", "a = 1\nmine\n")


@situation("a file moved by `git mv` to where the tip has another")
def renamed_in_the_way(at: Scene) -> None:
    at.write("a.py", "mine\n")
    at.git("mv", "a.py", "new.py")


@situation("`git rm --cached` of an edited file")
def removed_cached(at: Scene) -> None:
    at.write("a.py", "mine\n")
    at.git("rm", "-q", "--cached", "-f", "a.py")


@situation("`git rm --cached -r` of a folder, a file of it edited", tip={"d/x.py": "x = 2\n"})
def removed_folder_cached(at: Scene) -> None:
    at.write("d/x.py", "mine\n")
    at.write("d/more.py", "more\n")
    at.git("rm", "-q", "--cached", "-r", "-f", "d")


@situation("`git rm`, then another file in its place")
def removed_and_new(at: Scene) -> None:
    at.git("rm", "-q", "a.py")
    at.write("a.py", "mine\n")


@situation("an edit hidden by assume-unchanged")
def assume_unchanged(at: Scene) -> None:
    at.git("update-index", "--assume-unchanged", "a.py")
    at.write("a.py", "mine\n")


@situation("an edit hidden by assume-unchanged, beside another")
def assume_unchanged_beside(at: Scene) -> None:
    at.git("update-index", "--assume-unchanged", "a.py")
    at.write("a.py", "mine\n")
    at.write("d/y.py", "mine too\n")


@situation("an edit hidden by skip-worktree")
def skip_worktree(at: Scene) -> None:
    at.git("update-index", "--skip-worktree", "a.py")
    at.write("a.py", "mine\n")


@situation("an edit hidden by skip-worktree, beside another")
def skip_worktree_beside(at: Scene) -> None:
    at.git("update-index", "--skip-worktree", "a.py")
    at.write("a.py", "mine\n")
    at.write("d/y.py", "mine too\n")


@situation("an edit hidden by skip-worktree that the tip leaves alone")
def skip_worktree_apart(at: Scene) -> None:
    at.git("update-index", "--skip-worktree", "b.py")
    at.write("b.py", "mine\n")


@situation("a folder marked skip-worktree and edited, which the tip removes", tip={"d": None})
def skip_worktree_folder(at: Scene) -> None:
    at.git("update-index", "--skip-worktree", "d/x.py", "d/y.py")
    at.write("d/x.py", "mine\n")


@situation("a split index, staged and edited on")
def split_index(at: Scene) -> None:
    at.git("update-index", "--split-index")
    staged_edited(at)


@situation("an untracked cache, a file in the way")
def untracked_cache(at: Scene) -> None:
    at.git("update-index", "--force-untracked-cache")
    at.git("status", "--short")
    at.write("new.py", "mine\n")
    at.write("a.py", "mine too\n")


@situation("an index of version 4, staged and edited on")
def version_4(at: Scene) -> None:
    at.git("update-index", "--index-version", "4")
    staged_edited(at)


@situation("the index deleted, a file edited")
def no_index(at: Scene) -> None:
    at.write("a.py", "mine\n")
    (at.git_dir / "index").unlink()


@situation("the index damaged, a file edited", stays="git cannot read its index")
def damaged_index(at: Scene) -> None:
    at.write("a.py", "mine\n")
    (at.git_dir / "index").write_bytes(b"DIRC" + bytes(60))


@situation("a staged submodule")
def gitlink(at: Scene) -> None:
    commit = at.git("rev-parse", "HEAD")
    at.git("update-index", "--add", "--cacheinfo", f"160000,{commit},vendored")
    at.write("a.py", "mine\n")
