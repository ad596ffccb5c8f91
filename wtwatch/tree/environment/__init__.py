"""The environment that code runs in: of which kind it is, whether it is right, and how it is kept so."""

from wtwatch.tree.environment.upkeep import (
    forget_failure,
    look,
    needs_uv,
    noted,
    packages,
    present,
    recover,
    remembered,
    require_tools,
    set_up,
    unusable,
)
from wtwatch.tree.environment.wanted import requirements
from wtwatch.words.model import Verdict

__all__ = [
    "Verdict",
    "forget_failure",
    "look",
    "needs_uv",
    "noted",
    "packages",
    "present",
    "recover",
    "remembered",
    "require_tools",
    "requirements",
    "set_up",
    "unusable",
]
