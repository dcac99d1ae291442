"""The project in a directory, as its ``pyproject.toml`` describes it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from cloudburst.errors import ImageError


@dataclass(frozen=True)
class Project:
    """A directory, with or without a ``pyproject.toml``."""

    directory: Path

    @cached_property
    def description(self) -> dict[str, Any]:
        """What its ``pyproject.toml`` says; nothing if there is none.

        Raises
        ------
        ImageError
            If it is no TOML.
        """
        return read_toml(self.directory / "pyproject.toml")

    @property
    def is_package(self) -> bool:
        """Whether it is to be installed, and is more than scripts beside a list of what they need."""
        tools = self.description.get("tool", {})
        if tools.get("uv", {}).get("package") is False or tools.get("poetry", {}).get("package-mode") is False:
            return False
        return "build-system" in self.description or tools.get("uv", {}).get("package") is True

    @property
    def name(self) -> str:
        """Its name; that of its directory if it says none."""
        of_poetry = self.description.get("tool", {}).get("poetry", {}).get("name")
        return str(self.description.get("project", {}).get("name") or of_poetry or self.directory.name)

    def dependencies(self) -> list[Requirement]:
        """What it needs wherever it runs.

        Raises
        ------
        ImageError
            If one is written in no way that packages can be named.
        """
        said = self.description.get("project", {}).get("dependencies", [])
        try:
            return [Requirement(one) for one in said]
        except InvalidRequirement as error:
            raise ImageError(
                f"{self.directory / 'pyproject.toml'}: project.dependencies cannot be read: {error}"
            ) from None


def read_toml(path: Path) -> dict[str, Any]:
    """The content of a TOML file; nothing if there is none."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ImageError(f"{path} cannot be read: {error}. Correct it.") from None
