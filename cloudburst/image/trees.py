"""Directories of source: what of them is worth a look, and copies without the data that lies between."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_NEVER = frozenset(
    {
        ".git", ".hg", ".svn", ".venv", "venv", "__pycache__", "node_modules", ".mypy_cache", ".ruff_cache",
        ".pytest_cache", ".hypothesis", ".tox", ".nox", ".ipynb_checkpoints", ".import_linter_cache",
    }
)  # fmt: skip
_NEVER_ON_TOP = frozenset({"build", "dist"})
_CODE = frozenset(
    {".py", ".pyi", ".pyx", ".pxd", ".so", ".c", ".cc", ".cpp", ".h", ".hpp", ".rs", ".toml", ".md", ".rst"}
)
LARGE_BYTES = 5 << 20


class Found(NamedTuple):
    """A file of a tree."""

    path: Path
    below: str
    """Its path in the tree."""
    size: int
    changed_ns: int

    @property
    def is_data(self) -> bool:
        """Whether it is too large for what code is made of."""
        return self.size > LARGE_BYTES and self.path.suffix.lower() not in _CODE


def walked(directory: Path) -> Iterator[Found]:
    """The files of a project, without version control, environments, caches and what was built."""
    for here, _ in _places(directory):
        names = [one.name for one in os.scandir(here) if not one.is_dir()]
        for name in sorted(set(names) - {".git"}):  # which is a file in a worktree of git
            path = here / name
            try:
                known = path.stat()
            except OSError:  # a link to nothing
                continue
            yield Found(path, path.relative_to(directory).as_posix(), known.st_size, known.st_mtime_ns)


def _places(directory: Path) -> Iterator[tuple[Path, list[str]]]:
    """The directories of a project that are worth a look, and those in each; none that is a link is gone into."""
    for place, below, _ in os.walk(directory):
        here = Path(place)
        never = _NEVER | _NEVER_ON_TOP if here == directory else _NEVER
        below[:] = sorted(
            one
            for one in below
            if one not in never and not one.endswith(".egg-info") and not (here / one / "pyvenv.cfg").exists()
        )
        yield here, below


def fingerprint(directory: Path) -> str:
    """What tells whether something in a tree may have changed, without reading it."""
    known = hashlib.sha256(os.fsencode(directory))
    for one in walked(directory):
        known.update(f"{one.below}\0{one.size}\0{one.changed_ns}\n".encode(errors="surrogateescape"))
    return known.hexdigest()


def copied(directory: Path, to: Path, *, with_data: bool) -> list[Found]:
    """Copy a tree without its data; the files that were left out.

    What version control knows is linked to, as versions may be read from it; so are directories that are links.
    """
    left = []
    for one in walked(directory):
        if one.is_data and not with_data:
            left.append(one)
            continue
        copy = to / one.below
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(one.path, copy)
    for place, below in _places(directory):
        for link in (place / one for one in below if (place / one).is_symlink()):
            copy = to / link.relative_to(directory)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.symlink_to(link.resolve(), target_is_directory=True)
    if (known := directory / ".git").exists():
        (to / ".git").symlink_to(known, target_is_directory=known.is_dir())
    return left


def amount(size: float) -> str:
    """A number of bytes for people.

    >>> amount(2_150_000_000), amount(812)
    ('2.1 GB', '812 B')
    """
    for unit in ("B", "KB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
