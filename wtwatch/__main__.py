"""``python -m wtwatch`` and the ``wtwatch`` command."""

import sys


def main() -> None:
    """Run the command line and exit with the code of the contract."""
    try:
        from wtwatch.cli import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # while it was still loading
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    main()
