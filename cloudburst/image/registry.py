"""Where images are kept: ECR, or any other registry that the engine is logged in to."""

from __future__ import annotations

import json
import re
from typing import Any, Protocol

from cloudburst.errors import ImageError
from cloudburst.image.ecr import Ecr
from cloudburst.runtime.backends.engine import Engine, EngineRefused
from cloudburst.runtime.backends.fargate.registries import parse_ecr

_ABSENT = re.compile(
    r"no such manifest|manifest unknown|name unknown|not found|repository name not known|reading manifest",
    re.IGNORECASE,
)
_HERE = re.compile(r"(?:localhost|127\.0\.0\.1)(?::\d+)?/")


class Registry(Protocol):
    """A repository of a registry."""

    def uri(self) -> str | None:
        """Its address; ``None`` if there is no such repository."""
        ...

    def make(self) -> str:
        """Make the repository; its address."""
        ...

    def digest(self, tag: str) -> str | None:
        """The digest of what lies under a tag, empty text where it cannot be told; ``None`` if nothing lies there."""
        ...

    def log_in(self, engine: Engine) -> None:
        """Let the engine push there."""
        ...


class Elsewhere:
    """A repository of any registry, asked through the engine, which knows its passwords."""

    def __init__(self, address: str, engine: Engine) -> None:
        self._address = address
        self._engine = engine

    def uri(self) -> str | None:
        return self._address

    def make(self) -> str:
        return self._address

    def log_in(self, engine: Engine) -> None:
        """Nothing is done: who may push there is for the engine's user to say."""

    def digest(self, tag: str) -> str | None:
        name = f"{self._address}:{tag}"
        plain = ("--insecure",) if _HERE.match(name) and self._engine.name == "docker" else ()
        verbose = ("--verbose",) if self._engine.name == "docker" else ()
        try:
            said = self._engine.ask("manifest", "inspect", *plain, *verbose, name, about=f"look for {name}")
        except EngineRefused as refused:
            if _ABSENT.search(refused.said):
                return None
            raise ImageError(
                f"{name} could not be looked for: {refused.said} Log in to the registry ({self._engine.name} login "
                f"{name.partition('/')[0]}), or correct its address."
            ) from None
        return _digest_of(json.loads(said))


def _digest_of(described: Any) -> str:
    """The digest in what Docker tells of a manifest; of a list it tells those of its parts alone."""
    if isinstance(described, dict):
        return str(described.get("Descriptor", {}).get("digest", ""))
    return ""


def is_in_ecr(repository: str) -> bool:
    """Whether a repository is named in ECR: by its address there, or by a name without a host.

    >>> is_in_ecr("team/worker"), is_in_ecr("ghcr.io/team/worker")
    (True, False)
    """
    host, slash, _ = repository.partition("/")
    is_address = slash and ("." in host or ":" in host or host == "localhost")
    return not is_address or parse_ecr(repository) is not None


def registry_of(repository: str, region: str | None, endpoint_url: str | None, engine: Engine | None) -> Registry:
    """The repository that a name or an address means.

    Parameters
    ----------
    repository : str
        ``"worker"`` in this account's ECR, or an address such as ``"ghcr.io/team/worker"``.
    region, endpoint_url : str, optional
        Of ECR.
    engine : Engine, optional
        Needed for what is not ECR.

    Raises
    ------
    ImageError, SettingsError
        If it cannot be asked.
    """
    if (known := parse_ecr(repository)) is not None:
        return Ecr(known.repository, known.region, endpoint_url, known.account)
    if is_in_ecr(repository):
        return Ecr(repository, region, endpoint_url)
    if engine is None:
        raise ImageError(
            f"{repository} is asked through Docker or Podman, and neither is installed: install one of them."
        )
    return Elsewhere(repository, engine)
