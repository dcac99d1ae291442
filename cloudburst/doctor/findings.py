"""What a check is, what it is told, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Literal, NamedTuple

from cloudburst.aws.access import Access
from cloudburst.providers.aws import place_of
from cloudburst.runtime.backends.fargate.place import Clients, FargatePlace
from cloudburst.settings.aws import AwsSettings, region_of, settings_of
from cloudburst.settings.origins import Sources

Mark = Literal["well", "warning", "wrong", "open"]
"""How something is: well; well but costly or tight; wrong; or not to be seen from here."""

_WORST: tuple[Mark, ...] = ("wrong", "warning", "open", "well")


class Finding(NamedTuple):
    """One thing that was seen, with the mend where it takes one."""

    mark: Mark
    said: str


class Result(NamedTuple):
    """What a check came to."""

    name: str
    findings: tuple[Finding, ...]

    @property
    def mark(self) -> Mark:
        """The worst of what was found.

        >>> Result("bucket", (Finding("well", "It is there."), Finding("warning", "It is far."))).mark
        'warning'
        """
        marks = {one.mark for one in self.findings}
        return next(mark for mark in _WORST if mark in marks)


class Case:
    """What checks are told.

    Parameters
    ----------
    sources : Sources
        All settings that were found.
    """

    def __init__(self, sources: Sources) -> None:
        self.sources = sources

    @cached_property
    def settings(self) -> AwsSettings:
        """The same, checked.

        Raises
        ------
        SettingsError
            Naming one that is wrong or missing.
        """
        return settings_of(self.sources)

    @cached_property
    def access(self) -> Access:
        """The account, of which only the region has to be known.

        Raises
        ------
        SettingsError
            If it is not.
        """
        endpoint = self.sources.found.get("endpoint_url")
        return Access(region_of(self.sources, "cloudburst doctor"), None if endpoint is None else endpoint.value)

    @cached_property
    def place(self) -> FargatePlace:
        """Where machines would be started."""
        return place_of(self.settings)

    @cached_property
    def clients(self) -> Clients:
        """As runs have them."""
        return Clients(self.place)


class Check(NamedTuple):
    """Something to look at."""

    name: str
    look: Callable[[Case], Iterable[Finding]]
    needs: tuple[str, ...] = ()
    """Checks that have to have found nothing wrong before."""


def well(said: str) -> Finding:
    """It is as it has to be."""
    return Finding("well", said)


def warning(said: str) -> Finding:
    """It works, and costs more than it has to, or is tight."""
    return Finding("warning", said)


def wrong(said: str) -> Finding:
    """It does not work."""
    return Finding("wrong", said)


def open_(said: str) -> Finding:
    """It cannot be seen from here, or need not be."""
    return Finding("open", said)
