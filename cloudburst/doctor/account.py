"""Settings, credentials and region: what all else rests on."""

from __future__ import annotations

from collections.abc import Iterator

from cloudburst.doctor.findings import Case, Finding, open_, well, wrong
from cloudburst.settings.aws import missing_settings, wrong_settings

_SETUP = "cloudburst setup makes all that is needed, and writes a profile."
_ORIGINS = {
    "env": "the environment",
    "shared-credentials-file": "the credentials file",
    "config-file": "the config file",
    "sso": "a login with SSO",
    "login": "a login",
    "assume-role": "a role that was assumed",
    "assume-role-with-web-identity": "a web identity",
    "container-role": "the role of this container",
    "iam-role": "the role of this machine",
    "custom-process": "a program of yours",
}
"""Where boto3 finds credentials, by its own names."""


def settings(case: Case) -> Iterator[Finding]:
    """Whether all that is needed stands somewhere, and can be."""
    for said in wrong_settings(case.sources):
        yield wrong(said)
    missing = missing_settings(case.sources)
    if missing and not case.sources.found:
        yield wrong(f"Nothing is set up: there are neither variables, nor a profile {case.sources.profile!r}. {_SETUP}")
    elif missing:
        verb = "is" if len(missing) == 1 else "are"
        yield wrong(f"{', '.join(missing)} {verb} missing (cloudburst config shows what is there). {_SETUP}")
    else:
        count = len(case.sources.found)
        yield well(f"{count} settings, with the profile {case.sources.profile} (cloudburst config lists them)")


def credentials(case: Case) -> Iterator[Finding]:
    """Whose credentials there are, and whether AWS takes them."""
    access = case.access
    origin = access.credentials_from()
    whose = access.identity
    yield well(f"{whose}{f', from {_ORIGINS.get(origin, origin)}' if origin else ''}")


def region(case: Case) -> Iterator[Finding]:
    """Whether ECS is there."""
    name = case.access.region
    if name in case.access.regions("ecs"):
        yield well(name)
    else:
        yield open_(f"{name} is none that this boto3 knows ECS in: correct region, or bring boto3 up to date.")
