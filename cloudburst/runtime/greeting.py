"""What a worker has installed, compared with what its driver has."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from platform import machine, python_version
from typing import Any

from cloudburst.errors import ImageError

_ALWAYS = ("cloudburst", "cloudpickle", "numpy", "pandas", "pyarrow")
_MODULES = {"scikit-learn": "sklearn", "pillow": "PIL", "pyyaml": "yaml", "python-dateutil": "dateutil"}
"""Modules that are not called as their packages are."""


_INSTALLED = ".dist-info"


def introduction() -> dict[str, Any]:
    """What a worker says of itself with its hello.

    >>> sorted(introduction())
    ['machine', 'packages', 'python']
    """
    return {"python": python_version(), "machine": machine(), "packages": installed()}


def installed() -> dict[str, str]:
    """Versions of all packages by name, as the names of their directories tell: to read what is in them takes longer.

    >>> from importlib.metadata import version
    >>> installed()["cloudpickle"] == version("cloudpickle")
    True
    """
    packages: dict[str, str] = {}
    for path in reversed(sys.path):  # what comes first is what is imported
        with suppress(OSError):  # no directory
            for name in os.listdir(path or "."):
                package, _, version_text = name.removesuffix(_INSTALLED).rpartition("-")
                if package and name.endswith(_INSTALLED):
                    packages[package.lower().replace("_", "-").replace(".", "-")] = version_text
    return packages


def check_python(image: str, python: str) -> None:
    """Refuse an image of another Python: functions travel as byte code, which is not the same in two minor versions.

    Raises
    ------
    ImageError
        With both versions.

    Examples
    --------
    >>> from platform import python_version
    >>> check_python("my-image", python_version())
    """
    mine = python_version().split(".")[:2]
    if python.split(".")[:2] != mine:
        raise ImageError(
            f"The image {image} has Python {python}, and this program runs in Python {python_version()}: functions "
            f"cannot travel between the two. Build the image with Python {'.'.join(mine)}, or use Python {python} here."
        )


def differences(packages: Mapping[str, str]) -> list[str]:
    """Packages that this program uses and that a worker has in another version.

    Parameters
    ----------
    packages : mapping
        Versions by name, as the worker told them.

    Returns
    -------
    list of str
        A sentence each: ``"pandas 3.0.1 here, 3.0.0 in the image"``.
    """
    from importlib.metadata import PackageNotFoundError, version  # a worker, which has no use for it, starts sooner

    told = []
    for name in sorted(packages):
        module = _MODULES.get(name, name.replace("-", "_"))
        if name in _ALWAYS or module in sys.modules:
            try:
                mine = version(name)
            except PackageNotFoundError:
                continue
            if mine != packages[name]:
                told.append(f"{name} {mine} here, {packages[name]} in the image")
    return told


class Greeting:
    """Takes the hellos of a pool's workers: the same versions are looked at once.

    Parameters
    ----------
    image : str
        What they are made from, for messages.
    """

    def __init__(self, image: str) -> None:
        self._image = image
        self._met: set[str] = set()
        self.warnings: list[str] = []
        """Sentences that nobody has been told yet."""

    def __call__(self, about: Mapping[str, Any]) -> None:
        """Take what a worker says of itself.

        Raises
        ------
        ImageError
            If its Python is another.
        """
        key = repr(about)
        if key in self._met:
            return
        self._met.add(key)
        check_python(self._image, str(about["python"]))
        if differing := differences(about["packages"]):
            self.warnings.append(
                f"The image {self._image} has other versions than this program: {'; '.join(differing)}. "
                "Results may differ from those on this machine."
            )
