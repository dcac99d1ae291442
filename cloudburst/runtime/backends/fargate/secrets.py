"""The values of secrets, fetched where they are used: by a worker's supervisor, with the role of its task.

A secret is named as ECS names it: the ARN of a Secrets Manager secret, if need be with ``:key:stage:version`` behind it
to choose a key of its JSON, or the ARN of a parameter in SSM. No message ever holds a value.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from cloudburst.errors import SettingsError
from cloudburst.runtime.aws_session import aws_session
from cloudburst.runtime.backends.fargate.outcomes import with_evidence
from cloudburst.runtime.backends.fargate.refusals import code_of

_PERMISSION = {"secretsmanager": "secretsmanager:GetSecretValue", "ssm": "ssm:GetParameter"}


class Secret(NamedTuple):
    """Where a secret lies."""

    service: str
    region: str
    name: str
    """The ARN, as the service takes it."""
    key: str = ""
    stage: str = ""
    version: str = ""


def parse_secret(variable: str, arn: str) -> Secret:
    """Read the name of a secret.

    >>> parse_secret("TOKEN", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:api-AbCdEf:token::").key
    'token'

    Raises
    ------
    SettingsError
        Naming the variable and what it was given.
    """
    parts = arn.split(":")
    if len(parts) >= 6 and parts[0] == "arn" and parts[3]:
        if parts[2] == "secretsmanager" and parts[5] == "secret" and 7 <= len(parts) <= 10:
            key, stage, version = (*parts[7:], "", "", "")[:3]
            return Secret("secretsmanager", parts[3], ":".join(parts[:7]), key, stage, version)
        if parts[2] == "ssm" and parts[5].startswith("parameter/"):
            return Secret("ssm", parts[3], arn)
    raise SettingsError(
        f"secrets={{{variable!r}: {arn!r}}} is not the ARN of a secret: "
        "arn:aws:secretsmanager:<region>:<account>:secret:<name>[:<json key>::] or "
        "arn:aws:ssm:<region>:<account>:parameter/<name>."
    )


def fetch(secrets: Mapping[str, str], *, endpoint_url: str | None = None) -> dict[str, str]:
    """Get the values of secrets.

    Parameters
    ----------
    secrets : mapping of str to str
        By environment variable: the ARN.
    endpoint_url : str, optional
        Where something else answers in AWS's place.

    Returns
    -------
    dict of str to str
        By environment variable: the value.

    Raises
    ------
    SettingsError
        If one cannot be had; it names the variable and the ARN, and never a value.
    """
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    config = Config(retries={"mode": "standard", "total_max_attempts": 5})
    clients: dict[tuple[str, str], Any] = {}
    values = {}
    for variable, arn in secrets.items():
        secret = parse_secret(variable, arn)
        at = secret.service, secret.region
        try:
            if at not in clients:
                clients[at] = aws_session().create_client(
                    secret.service, region_name=secret.region, endpoint_url=endpoint_url, config=config
                )
            values[variable] = _value(clients[at], variable, arn, secret)
        except (BotoCoreError, ClientError) as error:
            raise SettingsError(_refused(variable, arn, secret, error)) from error
    return values


def _value(client: Any, variable: str, arn: str, secret: Secret) -> str:
    if secret.service == "ssm":
        return str(client.get_parameter(Name=secret.name, WithDecryption=True)["Parameter"]["Value"])
    wanted = {"SecretId": secret.name, "VersionStage": secret.stage, "VersionId": secret.version}
    answer = client.get_secret_value(**{name: value for name, value in wanted.items() if value})
    text = answer.get("SecretString")
    if text is None:
        raise SettingsError(f"The secret {arn} for {variable} is binary: a variable takes text.")
    if not secret.key:
        return str(text)
    try:
        fields = json.loads(text)
    except ValueError:
        fields = None  # what json says of it would hold the value
    if not isinstance(fields, dict) or secret.key not in fields:
        raise SettingsError(f"The secret {arn} for {variable} is not a JSON object with the key {secret.key!r}.")
    value = fields[secret.key]
    return value if isinstance(value, str) else json.dumps(value)


def _refused(variable: str, arn: str, secret: Secret, error: Exception) -> str:
    mend = (
        f"Check the ARN, and that compute_task_role has {_PERMISSION[secret.service]} on it "
        "(and kms:Decrypt if it has a key of its own)."
    )
    return with_evidence(f"The secret {arn} for the variable {variable} cannot be read", code_of(error), mend)
