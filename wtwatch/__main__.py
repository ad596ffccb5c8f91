"""``python -m wtwatch`` and the ``wtwatch`` command."""

import sys


def main() -> None:
    """Run the command line and exit with the code of the contract."""
    from wtwatch.cli import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
