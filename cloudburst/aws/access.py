"""Clients of AWS services for looking at an account and changing it, and what it means when one of them refuses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from cloudburst.errors import SetupError

_CREDENTIALS = "Log in (aws sso login, or aws configure), or set AWS_PROFILE, and try again."
_LARGE = (
    "Setting up makes roles, so it takes an administrator's permissions. Somebody who has them can run it for you, or "
    "deploy what cloudburst setup --template prints."
)
_NOT_FOUND = (
    r"NoCredentials\w*|PartialCredentials\w*|CredentialRetrieval\w*|TokenRetrieval\w*|SSO\w*|UnauthorizedSSO\w*|"
    r"ProfileNotFound|InvalidConfigError|ConfigNotFound"
)
_NOT_ACCEPTED = (
    r"UnrecognizedClient\w*|InvalidClientTokenId|InvalidAccessKeyId|InvalidSignature\w*|SignatureDoesNotMatch|"
    r"AuthFailure|MissingAuthenticationToken\w*|IncompleteSignature"
)
_NOT_REACHED = (
    r"EndpointConnectionError|ConnectTimeoutError|ReadTimeoutError|ConnectionClosedError|ConnectionError|"
    r"HTTPClientError|ProxyConnectionError|SSLError"
)
_DENIED = r"AccessDenied\w*|UnauthorizedOperation|403"
_ROWS = (
    (_NOT_FOUND, "There are no AWS credentials that could be used", _CREDENTIALS),
    (r"ExpiredToken\w*|RequestExpired", "Your AWS credentials have expired", _CREDENTIALS),
    (_NOT_ACCEPTED, "AWS does not accept your credentials", f"{_CREDENTIALS} The clock here must be right, too."),
    (_DENIED, "Your AWS credentials may not do what setting up takes", _LARGE),
    (_NOT_REACHED, "AWS cannot be reached", "Check the network, and the region."),
    (r"InvalidRegionError|NoRegionError", "There is no such region", "Give one: --region us-east-1."),
    (r"OptInRequired", "The region is not switched on for this account", "Choose another: --region."),
)
"""What AWS calls it, what it means, and the mend."""


class NotAllowed(Exception):
    """These credentials may not look at something.

    Attributes
    ----------
    action : str
        What a policy would have to allow: ``iam:GetRole``.
    """

    def __init__(self, action: str) -> None:
        super().__init__(f"these credentials may not {action}")
        self.action = action


class Access:
    """One account in one region, as these credentials see it.

    Parameters
    ----------
    region : str
        Where.
    endpoint_url : str, optional
        Where something else answers in AWS's place.
    """

    def __init__(self, region: str, endpoint_url: str | None = None) -> None:
        self.region = region
        self._endpoint_url = endpoint_url
        self._made: dict[str, Any] = {}

    def __call__(self, service: str) -> Any:
        """The client of a service.

        Raises
        ------
        SetupError
            If there is no such region.
        """
        if service not in self._made:
            import boto3
            from botocore.config import Config

            config = Config(
                retries={"mode": "standard", "total_max_attempts": 5},
                connect_timeout=5,
                read_timeout=60,
                user_agent_extra="cloudburst",
            )
            with plainly("speak to AWS"):
                self._made[service] = boto3.client(
                    service, region_name=self.region, endpoint_url=self._endpoint_url, config=config
                )
        return self._made[service]

    @cached_property
    def account(self) -> str:
        """The number of the account.

        Raises
        ------
        SetupError
            If there are no credentials, or AWS does not take them.
        """
        return self._identity["Account"]

    @property
    def identity(self) -> str:
        """The ARN of whose credentials these are.

        Raises
        ------
        SetupError
            If there are no credentials, or AWS does not take them.
        """
        return self._identity["Arn"]

    @cached_property
    def _identity(self) -> dict[str, str]:
        with plainly("tell whose account this is"):
            found = self("sts").get_caller_identity()
        return {name: str(found[name]) for name in ("Account", "Arn")}

    def credentials_from(self) -> str:
        """Where boto3 has found the credentials, in its own words: ``env``, ``shared-credentials-file``, ``sso``."""
        import boto3

        with plainly("find credentials"):
            found = boto3.session.Session().get_credentials()
        return "" if found is None else str(found.method)

    def regions(self, service: str) -> list[str]:
        """Where AWS has a service, as boto3 knows it."""
        import boto3

        session = boto3.session.Session()
        return [
            region
            for partition in session.get_available_partitions()
            for region in session.get_available_regions(service, partition_name=partition)
        ]


@contextmanager
def plainly(doing: str) -> Iterator[None]:
    """Tell in plain words what AWS refuses.

    Parameters
    ----------
    doing : str
        What it was asked to do: "find the network".

    Raises
    ------
    SetupError
        For each error of boto3.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise SetupError(told(error, doing)) from None


@contextmanager
def asking(action: str) -> Iterator[None]:
    """Tell apart what these credentials may not look at from what is wrong.

    Parameters
    ----------
    action : str
        What a policy has to allow for what is asked: ``ec2:DescribeSubnets``.

    Raises
    ------
    NotAllowed
        If they may not.
    SetupError
        For each other error of boto3.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        if re.fullmatch(_DENIED, code_of(error)):
            raise NotAllowed(action) from None
        raise SetupError(told(error, f"answer {action}")) from None


def told(error: Exception, doing: str) -> str:
    """An error of boto3 as a sentence.

    >>> from botocore.exceptions import NoCredentialsError
    >>> told(NoCredentialsError(), "find the network").partition(". ")[0]
    'There are no AWS credentials that could be used'
    """
    code = code_of(error)
    answer = getattr(error, "response", {}).get("Error", {})
    said = " ".join(str(answer.get("Message") or error).split()).rstrip(".")
    for pattern, what, mend in _ROWS:
        if re.fullmatch(pattern, code):
            evidence = f": {said}" if code.startswith(("AccessDenied", "Unauthorized")) else ""
            return f"{what}{evidence}. {mend}"
    return f"AWS could not {doing}: {said} ({code})."


def code_of(error: Exception) -> str:
    """AWS's name for an error; of one that is no answer of AWS, its own."""
    return str(getattr(error, "response", {}).get("Error", {}).get("Code") or type(error).__name__)
