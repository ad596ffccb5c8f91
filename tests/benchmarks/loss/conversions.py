"""Situations in which what lies on disk is not what git stores: line ends, encodings, filters."""

from __future__ import annotations

from tests.benchmarks.loss.scene import Scene
from tests.benchmarks.loss.situation import Script, situation

CRLF = b"first\r\nsecond\r\nmine\r\n"
MIXED = b"first\r\nsecond\nmine\r\n\rfourth"
TEXT = {"t.txt": "first\nsecond\n"}
TIP = {"t.txt": "first\ntip\n"}


def _attributes(line: str) -> dict[str, str]:
    return {**TEXT, ".gitattributes": f"{line}\n"}


@situation("* text=auto, an edit with CRLF", given=_attributes("* text=auto"), tip=TIP)
def auto_crlf(at: Scene) -> None:
    at.write("t.txt", CRLF)


@situation("* text=auto, an edit with mixed line ends", given=_attributes("* text=auto"), tip=TIP)
def auto_mixed(at: Scene) -> None:
    at.write("t.txt", MIXED)


@situation("* text=auto, only line ends edited", given=_attributes("* text=auto"), tip=TIP)
def auto_line_ends_alone(at: Scene) -> None:
    at.write("t.txt", b"first\r\nsecond\r\n")


@situation("* text=auto, an edit with CRLF, staged and edited on", given=_attributes("* text=auto"), tip=TIP)
def auto_staged(at: Scene) -> None:
    at.add("t.txt", CRLF)
    at.write("t.txt", MIXED)


@situation(
    "* text=auto, an untracked file with CRLF in the way",
    given=_attributes("* text=auto"),
    tip={"new.txt": "tip\n"},
)
def auto_untracked(at: Scene) -> None:
    at.write("new.txt", CRLF)


@situation(
    "* text=auto, a staged new file with CRLF in the way",
    given=_attributes("* text=auto"),
    tip={"new.txt": "tip\n"},
)
def auto_staged_new(at: Scene) -> None:
    at.add("new.txt", CRLF)


@situation("* text=auto, a script with CRLF made executable", given=_attributes("* text=auto"), tip=TIP)
def auto_executable(at: Scene) -> None:
    at.write("t.txt", Script("#!/bin/sh\r\necho mine\r\n"))


@situation("core.autocrlf=true, an edit with CRLF", given=TEXT, tip=TIP, settings={"core.autocrlf": "true"})
def autocrlf(at: Scene) -> None:
    at.write("t.txt", CRLF)


@situation("core.autocrlf=true, an edit with LF", given=TEXT, tip=TIP, settings={"core.autocrlf": "true"})
def autocrlf_lf(at: Scene) -> None:
    at.write("t.txt", "first\nsecond\nmine\n")


@situation(
    "core.autocrlf=true, an edit with mixed line ends",
    given=TEXT,
    tip=TIP,
    settings={"core.autocrlf": "true"},
)
def autocrlf_mixed(at: Scene) -> None:
    at.write("t.txt", MIXED)


@situation("core.autocrlf=input, an edit with CRLF", given=TEXT, tip=TIP, settings={"core.autocrlf": "input"})
def autocrlf_input(at: Scene) -> None:
    at.write("t.txt", CRLF)


@situation(
    "core.safecrlf=true, an edit with mixed line ends",
    given=_attributes("* text=auto"),
    tip=TIP,
    settings={"core.safecrlf": "true"},
)
def safecrlf(at: Scene) -> None:
    at.write("t.txt", MIXED)


@situation(
    "core.autocrlf in the settings of the work tree alone",
    given=TEXT,
    tip=TIP,
    settings={"extensions.worktreeConfig": "true"},
)
def worktree_config(at: Scene) -> None:
    at.git("config", "--worktree", "core.autocrlf", "input")
    at.write("t.txt", CRLF)


@situation("eol=crlf, an edit with CRLF", given=_attributes("*.txt text eol=crlf"), tip=TIP)
def eol_crlf(at: Scene) -> None:
    at.write("t.txt", CRLF)


@situation("eol=crlf, an edit with LF", given=_attributes("*.txt text eol=crlf"), tip=TIP)
def eol_crlf_lf(at: Scene) -> None:
    at.write("t.txt", "first\nsecond\nmine\n")


@situation("line ends set in .git/info/attributes, an edit with CRLF", given=TEXT, tip=TIP)
def info_attributes(at: Scene) -> None:
    file = at.house.project.main_code / ".git/info/attributes"
    file.parent.mkdir(exist_ok=True)
    file.write_text("*.txt text\n")
    at.write("t.txt", CRLF)


@situation("line ends set in the user's attributes, an edit with CRLF", given=TEXT, tip=TIP)
def user_attributes(at: Scene) -> None:
    at.elsewhere.mkdir()
    (at.elsewhere / "attributes").write_text("*.txt text\n")
    at.set("core.attributesFile", str(at.elsewhere / "attributes"))
    at.write("t.txt", CRLF)


@situation("the tip sets line ends, an edit with CRLF", given=TEXT, tip={**TIP, ".gitattributes": "* text\n"})
def attributes_of_the_tip(at: Scene) -> None:
    at.write("t.txt", CRLF)


@situation(
    "an edit of .gitattributes, and CRLF after it",
    given=_attributes("*.txt -text"),
    tip={**TIP, ".gitattributes": "*.txt text\n"},
)
def edited_attributes(at: Scene) -> None:
    at.write(".gitattributes", "*.txt text\n# mine\n")
    at.write("t.txt", CRLF)


@situation(
    "ident, an edit",
    given={"t.txt": "$Id$\n", ".gitattributes": "*.txt ident\n"},
    tip={"t.txt": "$Id$\ntip\n"},
)
def ident(at: Scene) -> None:
    at.write("t.txt", "$Id: version of my own, 3.1 $\nmine\n")


UTF_16 = {"t.txt": "first\n", ".gitattributes": "*.txt text working-tree-encoding=UTF-16\n"}


@situation("working-tree-encoding, an edit", given=UTF_16, tip={"t.txt": "tip\n"})
def utf_16(at: Scene) -> None:
    at.write("t.txt", "first\r\nµ mine\n".encode("utf-16-be").join([b"\xfe\xff", b""]))


@situation("working-tree-encoding, an edit that is not in it", given=UTF_16, tip={"t.txt": "tip\n"})
def utf_16_broken(at: Scene) -> None:
    at.write("t.txt", b"plain text after all\n\xff")


@situation("working-tree-encoding, an untracked file in the way", given=UTF_16, tip={"new.txt": "tip\n"})
def utf_16_untracked(at: Scene) -> None:
    at.write("new.txt", b"\xff\xfem\0i\0n\0e\0\r\0\n\0")


STRIPS = {"filter.strip.clean": "grep -v OUTPUT", "filter.strip.smudge": "cat"}
NOTEBOOK = {"n.ipynb": "cell\n", ".gitattributes": "*.ipynb filter=strip\n"}


@situation(
    "a filter that strips outputs, index refreshed", given=NOTEBOOK, tip={"n.ipynb": "tip\n"}, settings=STRIPS
)
def stripped(at: Scene) -> None:
    at.write("n.ipynb", "cell\nOUTPUT hours of work\n")
    at.git("add", "n.ipynb")


@situation(
    "a filter that strips outputs, index not refreshed",
    given=NOTEBOOK,
    tip={"n.ipynb": "tip\n"},
    settings=STRIPS,
)
def stripped_unseen(at: Scene) -> None:
    at.write("n.ipynb", "cell\nOUTPUT hours of work\n")


@situation(
    "a filter that strips outputs, code edited too", given=NOTEBOOK, tip={"n.ipynb": "tip\n"}, settings=STRIPS
)
def stripped_edited(at: Scene) -> None:
    at.add("n.ipynb", "cell, edited\nOUTPUT staged\n")
    at.write("n.ipynb", "cell, edited on\nOUTPUT hours of work\n")


@situation(
    "a filter that strips outputs, an untracked file in the way",
    given=NOTEBOOK,
    tip={"new.ipynb": "tip\n"},
    settings=STRIPS,
)
def stripped_untracked(at: Scene) -> None:
    at.write("new.ipynb", "cell\nOUTPUT hours of work\n")


@situation("a filter that strips outputs, the tip leaves the file alone", given=NOTEBOOK, settings=STRIPS)
def stripped_apart(at: Scene) -> None:
    at.write("n.ipynb", "cell\nOUTPUT hours of work\n")
    at.git("add", "n.ipynb")


@situation(
    "a required filter that fails at the tip, and an edit",
    given=NOTEBOOK,
    tip={"n.ipynb": "tip\n", "a.py": "a = 2\n"},
    settings=STRIPS,
    stays="a required filter fails at the tip",
)
def smudge_fails(at: Scene) -> None:
    at.set("filter.strip.smudge", "grep -v tip")
    at.set("filter.strip.required", "true")
    at.write("a.py", "mine\n")


@situation(
    "a required filter that is not installed, and an edit beside its file", given=NOTEBOOK, settings=STRIPS
)
def filter_missing(at: Scene) -> None:
    at.set("filter.strip.clean", "no-such-filter clean")
    at.set("filter.strip.required", "true")
    at.write("a.py", "mine\n")


@situation(
    "a required filter that fails on an edited file",
    given=NOTEBOOK,
    tip={"a.py": "a = 2\n", "n.ipynb": "cell tip\n"},
    settings=STRIPS,
)
def clean_fails(at: Scene) -> None:
    at.set("filter.strip.clean", "grep cell")
    at.set("filter.strip.required", "true")
    at.write("n.ipynb", "not to be cleaned\n")
    at.write("a.py", "mine too\n")


@situation(
    "a filter set by the tip alone, an edit",
    given={"n.ipynb": "cell\n"},
    tip={"n.ipynb": "tip\n", ".gitattributes": "*.ipynb filter=strip\n"},
    settings=STRIPS,
)
def filter_of_the_tip(at: Scene) -> None:
    at.write("n.ipynb", "cell\nOUTPUT hours of work\n")
