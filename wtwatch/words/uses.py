"""What a job used of the code, as it was seen while the job ran. No input, no output, no tools."""

from typing import NamedTuple


class Uses(NamedTuple):
    """The files and folders of code that a job used; all paths from the root of the dataset, with ``/``.

    ``files`` were opened (a ``.pyc`` stands for its source). ``folders`` were listed: all names in them
    count. ``imported`` were listed by Python's imports, as far as can be told: of names that come there only
    those count that could be imported instead of what was. ``whole`` says why none of this can be believed,
    so that all of code counts; ``None``: it can.
    """

    files: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    imported: tuple[str, ...] = ()
    whole: str | None = None
