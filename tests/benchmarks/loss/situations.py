"""All situations, in the order of the table."""

from tests.benchmarks.loss import edits, index, in_the_way, operations, conversions, names, tips, odd  # noqa: I001
from tests.benchmarks.loss.situation import SITUATIONS

__all__ = ["SITUATIONS"]
_TABLE = (edits, index, in_the_way, operations, conversions, names, tips, odd)
