#!/usr/bin/env bash
# make-venv.sh PYTHON DIR [WHAT...]    Set up the Python environment DIR with wtwatch, its tests and its tools, by pip.
# Where the environment is there already, it is only brought up to date. WHAT else it must have, such as 'datalad==1.1.*'.
set -euo pipefail
python=$1 venv=$2
shift 2

give_up() {
    printf 'make: %s\n' "$1" >&2
    exit 1
}

command -v "$python" >/dev/null ||
    give_up "there is no $python here. Install Python 3.11 or later, or say where one is: make PYTHON=/path/to/python3"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    give_up "$python is $("$python" --version), and 3.11 is the least. Say where a newer one is: make PYTHON=/path/to/python3"

works() { "$venv/bin/python" -m pip --version >/dev/null 2>&1; }

if ! works; then
    printf 'Setting up %s (once, takes a minute) ...\n' "$venv"
    rm -rf -- "$venv"
    if "$python" -c 'import ensurepip' 2>/dev/null; then
        "$python" -m venv "$venv"
    elif "$python" -m pip --version >/dev/null 2>&1; then # Debian without python3-venv, but with python3-pip
        "$python" -m venv --without-pip "$venv"
        "$python" -m pip --quiet --python "$venv/bin/python" install pip
    else
        give_up "$python can make no environment with pip in it. On Debian: apt-get install python3-venv"
    fi
fi
"$venv/bin/python" -m pip -qq --disable-pip-version-check install --editable '.[dev]' "$@"

# pip's git-annex is a script of Python, which takes four times as long to start as what it starts. Tests do that by the
# ten thousand, so theirs is as that which wtwatch gives to jobs (doors/toolenv).
"$venv/bin/python" - "$venv/bin/git-annex" <<'PYTHON'
import sys
from pathlib import Path
from shlex import quote
import git_annex
launcher, package = Path(sys.argv[1]), Path(git_annex.__file__).parent
text = f'#!/bin/sh\nMAGIC={quote(str(package / "magic.mgc"))} exec {quote(str(package / "git-annex"))} "$@"\n'
draft = launcher.with_name(".git-annex.draft")
draft.write_text(text)
draft.chmod(0o755)
draft.replace(launcher)
PYTHON
