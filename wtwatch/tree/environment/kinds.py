"""Of which kind the environment of code is: a row a kind, known by the files that lie in code's folder.

The first whose files are there wins. Kinds that wtwatch does not look after by itself are known as well: each
has the line that makes it a command of the user's.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from wtwatch.project.config import DEFAULT_PREFIX
from wtwatch.project.tree import RunTree
from wtwatch.tree.environment import python
from wtwatch.tree.environment.kind import PYTHON_FILES, Kind, Row, text_of
from wtwatch.words.quoting import quoted

NONE = Kind("")
"""Code that says nothing of an environment, or of which wtwatch is not to look after one."""

KNOWN_FILES = (
    *PYTHON_FILES, "requirements/*.txt", "requirements*.in", "poetry.lock", "pdm.lock", "uv.toml",
    "hatch.toml", "Pipfile", "Pipfile.lock", "environment*.yml", "environment*.yaml", "conda-lock.yml",
    "pixi.toml", "pixi.lock", "renv.lock", "DESCRIPTION", "package.json", "package-lock.json", "yarn.lock",
    "pnpm-lock.yaml", "Project.toml", "Manifest.toml", "flake.nix", "flake.lock",
)  # fmt: skip
"""Files that a command of the user's is taken to read, unless ``env_files`` says which they are."""


def kind_of(tree: RunTree) -> Kind:
    """Return of which kind a run tree's environment is, by its settings and by the files that lie there."""
    how = tree.project.environment
    if how == "none":
        return NONE
    if how != "auto":
        return _command(how, tree.project.env_files)
    first = next((kind for row in ROWS if (kind := row(tree.code_folder))), NONE)
    return NONE if first.offer else first


def passed_over(tree: RunTree) -> list[Kind]:
    """Return the kinds that code has files of, and that wtwatch does not look after."""
    if tree.project.environment != "auto":
        return []
    return [kind for row in ROWS if (kind := row(tree.code_folder)) and kind.offer]


def _command(line: str, files: Sequence[str]) -> Kind:
    """Return the kind of a command of the user's, which reads the files that it names as well."""
    named = tuple(word for word in re.findall(r"[\w./+-]+", line) if word.strip("./") and word[0] != "/")
    patterns = tuple(files) or (*KNOWN_FILES, *named)
    return Kind(line, commands=(line,), files=patterns, or_all=not files, elsewhere=True)


class Offer(NamedTuple):
    """What reads a file that is known and not looked after, a command that could set it up, and where to.

    ``holds`` is what stands in the file, where its name alone does not tell.
    """

    by: str
    command: str
    prefix: str = DEFAULT_PREFIX
    holds: str = ""


OFFERS = {
    "pdm.lock": Offer("pdm", "pdm sync"),
    "Pipfile.lock": Offer("pipenv", "PIPENV_VENV_IN_PROJECT=1 pipenv sync"),
    "pixi.lock": Offer("pixi", "pixi install --locked", ".pixi/envs/default"),
    "pixi.toml": Offer("pixi", "pixi install", ".pixi/envs/default"),
    "conda-lock.yml": Offer("conda-lock", "conda-lock install -p .venv conda-lock.yml"),
    "hatch.toml": Offer("hatch", "hatch env create"),
    "pyproject.toml": Offer("hatch", "hatch env create", holds="[tool.hatch.envs."),
    "environment.yml": Offer("conda", "conda env update -q -p .venv -f environment.yml"),
    "environment.yaml": Offer("conda", "conda env update -q -p .venv -f environment.yaml"),
    "renv.lock": Offer("renv", "Rscript -e 'renv::restore()'"),
    "package-lock.json": Offer("npm", "npm ci", "node_modules"),
    "Manifest.toml": Offer("Julia", 'julia --project -e "import Pkg; Pkg.instantiate()"'),
}
"""Files of kinds that wtwatch knows and does not look after by itself."""


def offered(name: str) -> Row:
    """Return the row of such a file."""

    def row(code: Path) -> Kind | None:
        offer = OFFERS[name]
        there = (code / name).is_file() and (not offer.holds or offer.holds in text_of(code / name))
        return Kind(name, offer=offer.command) if there else None

    return row


_LOCKS = ("pdm.lock", "Pipfile.lock", "pixi.lock", "conda-lock.yml")

ROWS: tuple[Row, ...] = (
    python.uv_project,
    python.poetry,
    *map(offered, _LOCKS),
    python.requirements,
    python.package,
    python.inline_scripts,
    *(offered(name) for name in OFFERS if name not in _LOCKS),
)
"""All kinds, in the order in which they are looked for; a lock is believed before what has none."""


def line_for(kind: Kind) -> str:
    """Return the line that makes a kind which is known a command of the user's."""
    offer = OFFERS[kind.name]
    also = f" && wtwatch config env_prefix {offer.prefix}" if offer.prefix != DEFAULT_PREFIX else ""
    return f"wtwatch config environment {quoted(offer.command)}{also}"
