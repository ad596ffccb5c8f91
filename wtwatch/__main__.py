"""``python -m wtwatch`` and the ``wtwatch`` command."""

import gc
import sys


def main() -> None:
    """Run the command line and exit with the code of the contract."""
    gc.disable()  # a tenth of the time to load goes into looking for garbage, and there is none yet
    try:
        code = None
        if sys.argv[1:2] == ["status"]:
            from wtwatch.views import glance

            code = glance.show(sys.argv[1:])
        if code is None:
            from wtwatch.cli import run

            code = run(sys.argv[1:])
    except KeyboardInterrupt:  # while it was still loading
        code = 130
    gc.freeze()  # the other tenth would go into looking for garbage in what ends anyway
    sys.exit(code)


if __name__ == "__main__":
    main()
