"""The process's own environment while a fake AWS is there: its addresses and keys, and nobody else's."""

from __future__ import annotations

import os
from collections.abc import Mapping

_NOT_KEPT = ("AWS_", "ECS_CONTAINER_METADATA_URI")


class Surroundings:
    """Changes ``os.environ``, and changes it back exactly.

    Parameters
    ----------
    variables : mapping
        What is set. All other variables that concern AWS are taken out.
    """

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = dict(variables)
        self._before: dict[str, str | None] = {}

    def enter(self) -> None:
        """Change the environment."""
        leaving = [name for name in os.environ if name.startswith(_NOT_KEPT)]
        self._before = {name: os.environ.get(name) for name in [*leaving, *self._variables]}
        for name in leaving:
            del os.environ[name]
        os.environ.update(self._variables)
        self._session = _swap_default_session(None)

    def leave(self) -> None:
        """Change it back."""
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        _swap_default_session(self._session)


def _swap_default_session(session: object) -> object:
    """Put another default session into boto3, which keeps credentials that it has found; the one before."""
    import boto3

    before: object = boto3.DEFAULT_SESSION
    boto3.DEFAULT_SESSION = session
    return before


def block_variables(url: str, region: str, key_id: str, secret: str, time_scale: float) -> dict[str, str]:
    """What is set for the block."""
    no_proxy = os.environ.get("NO_PROXY", os.environ.get("no_proxy", ""))
    loopback = ",".join(filter(None, [no_proxy, "127.0.0.1", "localhost"]))
    return {
        "AWS_ACCESS_KEY_ID": key_id,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_ENDPOINT_URL": url,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": loopback,
        "no_proxy": loopback,
        "CLOUDBURST_TIME_SCALE": repr(float(time_scale)),
        "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",  # thousands, and nobody here starts an instance
    }
