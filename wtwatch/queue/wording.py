"""How what is asked for is called where it was asked: options of `queue add`, or keys of a file."""

from typing import NamedTuple


class Wording(NamedTuple):
    """The names of what jobs are made from; ``each`` is what comes before the name of an axis."""

    each: str = "--each "
    message: str = "-m"
    inputs: str = "-i"
    outputs: str = "-o"
    plain: str = "--plain"
    drop_fetched: str = "--drop-fetched"
    container: str = "--container"
    example: str = "wtwatch queue add … -- COMMAND"
    values: str = "--each {name}=A,B"
    path: str = "-i data/a.csv"


ON_LINE = Wording()
"""As `queue add` has it."""

IN_FILE = Wording(
    each="each.",
    message="message",
    inputs="inputs",
    outputs="outputs",
    plain="`plain = true`",
    drop_fetched="`drop_fetched = true`",
    container="container",
    example='command = "python code/plot.py {inputs} {outputs}"',
    values='{name} = ["A", "B"]',
    path='inputs = ["data/a.csv"]',
)
"""As a file of `queue load` has it."""
