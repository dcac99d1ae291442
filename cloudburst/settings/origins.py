"""Where the settings of AWS come from: the call, the environment, the project, the user's profile, in this order."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from cloudburst.errors import SettingsError
from cloudburst.settings.tables import (
    AWS_NAMES,
    DEFAULT_PROFILE,
    OTHER_NAMES,
    Table,
    check_profile_name,
    profile_table,
    project_table,
    unknown,
)

PREFIX = "CLOUDBURST_"

OWN_VARIABLES = (
    "CACHE_DIR", "CONFIG_DIR", "DEBUG", "POOL", "PROFILE", "PROGRESS", "TIME_SCALE", "VERSION", "WORKER",
)  # fmt: skip
"""Variables of ours that are no settings of AWS."""
_NOT_OURS = ("BENCHMARKS_", "CHAINS", "FAKE_", "TEST_")
"""What tests and benchmarks are told begins so."""

_LISTS = ("compute_subnets", "compute_security_groups")
_FLAGS = ("compute_assign_public_ip", "spot")
_NUMBERS = ("max_workers", "linger", "keep_warm", "default_cpu", "default_memory")
_SAID = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


class Found(NamedTuple):
    """A value, and where it stands."""

    value: Any
    origin: str
    """``pyproject.toml:12``; empty for an argument of the call."""


class Sources(NamedTuple):
    """All places that were looked at, the strongest first."""

    found: Mapping[str, Found]
    profile: str
    """The name of the profile that was used, or would be if it were there."""


def found_settings(
    given: Mapping[str, Any] | None = None, profile: str | None = None, *, is_to_be: bool = False
) -> Sources:
    """Each setting that stands somewhere, from the place that counts.

    Parameters
    ----------
    given : mapping, optional
        Arguments of the call; those that are ``None`` are not given.
    profile : str, optional
        The profile to use: that of ``CLOUDBURST_PROFILE``, else the one that the project names, else ``default``.
    is_to_be : bool
        Whether the profile is about to be made, so that it need not be there.

    Raises
    ------
    SettingsError
        If a place cannot be read, or names what is no setting.

    Examples
    --------
    >>> found_settings({"storage_bucket": "data", "spot": None}).found["storage_bucket"]
    Found(value='data', origin='')
    """
    spoken = _spoken()
    project = project_table()
    name, asked_in = _profile_name(profile, project)
    table = profile_table(name, asked_in="" if is_to_be else asked_in)
    found: dict[str, Found] = {}
    for one in (table, project):
        if one is not None:
            found |= {key: Found(value, one.origin(key)) for key, value in one.values.items() if key != "profile"}
    found |= spoken
    found |= {key: Found(value, "") for key, value in (given or {}).items() if value is not None}
    return Sources(found, name)


def checked(name: str, found: Found | None, check: Callable[[Any], Any]) -> Any:
    """Check a value; what is wrong with it is told with the place where it stands.

    Raises
    ------
    SettingsError
        As the check has it, with the place.
    """
    try:
        return check(None if found is None else found.value)
    except SettingsError as error:
        if found is None or not found.origin:
            raise
        said = str(error).removeprefix(f"{name}=").removeprefix(f"{name} ")
        raise SettingsError(f"{name} in {found.origin}: {said}") from None


def _profile_name(given: str | None, project: Table | None) -> tuple[str, str]:
    """The profile to use, and where it was asked for."""
    asked = (
        (given, f"profile={given!r}"),
        (os.environ.get(f"{PREFIX}PROFILE") or None, f"{PREFIX}PROFILE"),
        (
            project.values.get("profile") if project else None,
            f"profile in {project.origin('profile')}" if project else "",
        ),
    )
    for name, place in asked:
        if name is not None:
            check_profile_name(name)
            return name, place
    return DEFAULT_PROFILE, ""


def _spoken() -> dict[str, Found]:
    """What the environment says."""
    known = (*AWS_NAMES, *OTHER_NAMES)
    found: dict[str, Found] = {}
    for variable in sorted(os.environ):
        word = variable.removeprefix(PREFIX)
        if word == variable or word in OWN_VARIABLES or word.startswith(_NOT_OURS):
            continue
        if word.lower() not in known or word != word.upper():
            names = [f"{PREFIX}{one.upper()}" for one in (*known, *OWN_VARIABLES)]
            raise unknown(variable, "the environment", names, PREFIX)
        if os.environ[variable] != "":
            found[word.lower()] = Found(_read(variable, word.lower(), os.environ[variable]), variable)
    return found


def _read(variable: str, name: str, text: str) -> Any:
    """A value that is written as text."""
    if name in _LISTS:
        return [part.strip() for part in text.split(",") if part.strip()]
    if name in _FLAGS:
        if text.strip().lower() not in _SAID:
            raise SettingsError(f"{name} in {variable}: {text!r} cannot be: it is 1 or 0, true or false.")
        return _SAID[text.strip().lower()]
    if name == "tags":
        pairs = [part.partition("=") for part in text.split(",") if part.strip()]
        return {key.strip(): value.strip() for key, _, value in pairs}
    if name in _NUMBERS:
        for number in (int, float):
            try:
                return number(text)
            except ValueError:
                continue
    return text
