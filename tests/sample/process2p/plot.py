"""Draw one figure from recordings: `plot.py [options] INPUT… OUTPUT`. Its bytes depend on inputs and VERSION.

Options for tests:
    --fail-on WORD   write half of the output and exit 7 if an input's path contains WORD
    --until FILE     write FILE.reached, then go on only when FILE exists (gives up after two minutes)
"""

import argparse
import hashlib
import sys
import time
from pathlib import Path

# Python takes compiled code for current if size and *second* of the source's change fit: tests are faster.
sys.dont_write_bytecode = True

import process2p  # type: ignore[import-not-found]  # noqa: E402
from process2p.version import VERSION  # type: ignore[import-not-found]  # noqa: E402

PATIENCE = 120.0


def figure(data: bytes) -> str:
    digest = hashlib.sha256(data + VERSION.encode()).digest()
    points = " ".join(f"{10 * place},{height}" for place, height in enumerate(digest))
    return f'<svg xmlns="http://www.w3.org/2000/svg"><!-- {VERSION} --><polyline points="{points}"/></svg>\n'


def wait_for(gate: Path) -> None:
    gate.with_name(gate.name + ".reached").touch()
    deadline = time.monotonic() + PATIENCE
    while not gate.exists():
        if time.monotonic() > deadline:
            sys.exit(f"nobody made {gate}")
        time.sleep(0.01)


def main() -> None:
    words = argparse.ArgumentParser()
    words.add_argument("--fail-on")
    words.add_argument("--until", type=Path)
    words.add_argument("inputs", type=Path, nargs="+")
    words.add_argument("output", type=Path)
    asked = words.parse_args()

    print("process2p", VERSION, "from", Path(process2p.__file__).parent, flush=True)
    if asked.until:
        wait_for(asked.until)
    text = figure(b"".join(source.read_bytes() for source in asked.inputs))
    asked.output.parent.mkdir(parents=True, exist_ok=True)
    if asked.fail_on and any(asked.fail_on in str(source) for source in asked.inputs):
        asked.output.write_text(text[: len(text) // 2])
        print(f"cannot plot {asked.fail_on}", file=sys.stderr)
        sys.exit(7)
    asked.output.write_text(text)


if __name__ == "__main__":
    main()
