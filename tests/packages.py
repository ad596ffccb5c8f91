"""Python packages made on the spot, for environments that are set up without a network."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path

BACKEND = """\
import pathlib, re, zipfile

def _make(folder, files):
    text = pathlib.Path("pyproject.toml").read_text()
    name = re.search('name *= *"(.*)"', text)[1]
    fixed = re.search('^version *= *"(.*)"', text, re.M)
    version = fixed[1] if fixed else pathlib.Path("VERSION").read_text().strip()
    pure = str("compiles" not in text).lower()
    info = f"{name}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {one}\\n" for one in re.findall("^# needs (.*)", text, re.M))
    files = dict(files, **{
        f"{info}/METADATA": f"Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n{needs}",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\\nRoot-Is-Purelib: {pure}\\nTag: py3-none-any\\n",
    })
    record = "".join(f"{path},,\\n" for path in [*files, f"{info}/RECORD"])
    file = f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(folder) / file, "w") as made:
        for path, content in {**files, f"{info}/RECORD": record}.items():
            made.writestr(path, content)
    return file

def build_wheel(folder, config_settings=None, metadata_directory=None):
    return _make(folder, {str(path): path.read_bytes() for path in pathlib.Path().glob("pkg_*.py")})

def build_editable(folder, config_settings=None, metadata_directory=None):
    return _make(folder, {"code.pth": str(pathlib.Path().resolve())})
"""
"""A build backend that lies in a package itself, which has modules ``pkg_*.py``; it needs no network."""

BUILD = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'


def project(name: str, *lines: str, version: str | None = "1", backend: bool = True) -> str:
    """Return a ``pyproject.toml``; ``lines`` follow those of its project."""
    fixed = 'dynamic = ["version"]' if version is None else f'version = "{version}"'
    head = f'[project]\nname = "{name}"\n{fixed}\nrequires-python = ">=3.11"\n'
    return "\n".join([head, *lines, BUILD if backend else ""])


def wheel(folder: Path, name: str, version: str = "1", needs: str = "", body: str | None = None) -> Path:
    """Put a package into ``folder``, of one module that has its ``version`` as ``V``."""
    info = f"{name}-{version}.dist-info"
    requires = f"Requires-Dist: {needs}\n" if needs else ""
    files: Mapping[str, str] = {
        f"{name}.py": body or f"V = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},sha256={_hash(text)},{len(text)}\n" for path, text in files.items())
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as made:
        for path, text in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            made.writestr(path, text)
    return file


def _hash(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
