"""Projects and packages for tests, which need no network: wheels in a directory, and a build backend of a page."""

from __future__ import annotations

import subprocess
import textwrap
import zipfile
from pathlib import Path

from cloudburst.image.resolver import find_uv

BACKEND = """
import pathlib, tomllib, zipfile

def build_wheel(to, config_settings=None, metadata_directory=None):
    known = tomllib.loads(pathlib.Path("pyproject.toml").read_text())
    project, tag = known["project"], known.get("tool", {}).get("test", {}).get("tag", "py3-none-any")
    stem = f"{project['name'].replace('-', '_')}-{project['version']}"
    with zipfile.ZipFile(pathlib.Path(to, f"{stem}-{tag}.whl"), "w") as wheel:
        for path in sorted(pathlib.Path("src").rglob("*")):
            if path.is_file():
                wheel.write(path, path.relative_to("src").as_posix())
        needs = "".join(f"Requires-Dist: {one}\\n" for one in project.get("dependencies", ()))
        head = f"Metadata-Version: 2.1\\nName: {project['name']}\\nVersion: {project['version']}\\n"
        wheel.writestr(f"{stem}.dist-info/METADATA", head + needs)
        wheel.writestr(f"{stem}.dist-info/WHEEL", f"Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: {tag}\\n")
        wheel.writestr(f"{stem}.dist-info/RECORD", "")
    return f"{stem}-{tag}.whl"
"""


def wheel(directory: Path, name: str, version: str = "1.0", tag: str = "py3-none-any", needs=(), files=None) -> Path:
    """A wheel with a module of its name, or the files that are given."""
    stem = f"{name.replace('-', '_')}-{version}"
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{stem}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as packed:
        for below, text in (files or {f"{name.replace('-', '_')}.py": f"VERSION = {version!r}\n"}).items():
            packed.writestr(below, text)
        needed = "".join(f"Requires-Dist: {one}\n" for one in needs)
        packed.writestr(
            f"{stem}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needed}"
        )
        packed.writestr(f"{stem}.dist-info/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n")
        packed.writestr(f"{stem}.dist-info/RECORD", "")
    return path


def package(
    directory: Path, name: str, source: str = "X = 1\n", more: str = "", needs=(), version: str = "1.0"
) -> Path:
    """A project that is a package, and is built without anything that would have to be fetched."""
    module = directory / "src" / name.replace("-", "_") / "__init__.py"
    module.parent.mkdir(parents=True, exist_ok=True)
    module.write_text(source)
    (directory / "backend.py").write_text(BACKEND)
    (directory / "pyproject.toml").write_text(
        f'[project]\nname = "{name}"\nversion = "{version}"\nrequires-python = ">=3.11"\n'
        f"dependencies = {list(needs)!r}\n"
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n' + textwrap.dedent(more)
    )
    return directory


def uv(directory: Path, *command: str) -> None:
    """Run uv in a directory as the user would."""
    subprocess.run([find_uv(), *command, "--quiet"], cwd=directory, check=True, capture_output=True)
