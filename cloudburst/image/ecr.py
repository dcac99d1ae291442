"""ECR: the repository, made when it is missing, what lies in it, and the password for the engine."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from cloudburst.errors import ImageError, SettingsError
from cloudburst.runtime.backends.engine import Engine, EngineRefused
from cloudburst.runtime.backends.fargate.refusals import code_of, words_of

_NO_ACCESS = ("AccessDeniedException", "AccessDenied", "UnauthorizedOperation")
_BAD_KEYS = (
    "UnrecognizedClientException",
    "InvalidSignatureException",
    "ExpiredTokenException",
    "InvalidClientTokenId",
)


class Ecr:
    """A repository of this account's ECR.

    Parameters
    ----------
    name : str
        The repository's.
    region : str, optional
        Where it is; what boto3's own settings say by default.
    endpoint_url : str, optional
        Of a service that plays AWS, for tests.
    account : str, optional
        Whose it is, where an address says so.

    Raises
    ------
    SettingsError
        If boto3 is missing, or nothing says the region.
    """

    def __init__(
        self, name: str, region: str | None = None, endpoint_url: str | None = None, account: str | None = None
    ) -> None:
        try:
            import boto3
            from botocore.config import Config
            from botocore.exceptions import BotoCoreError
        except ImportError:
            raise SettingsError(
                "An image in ECR needs boto3, which is not installed: pip install 'cloudburst[aws]'. For another "
                "registry give its address: repository='ghcr.io/team/worker'."
            ) from None
        config = Config(retries={"mode": "standard"}, connect_timeout=5, user_agent_extra="cloudburst")
        try:
            self._client: Any = boto3.session.Session(region_name=region).client(
                "ecr", endpoint_url=endpoint_url, config=config
            )
        except (BotoCoreError, ValueError) as error:
            raise SettingsError(
                f"ECR cannot be asked: {error} Name the region (region='us-east-1', or AWS_REGION), or give the "
                "address of another registry: repository='ghcr.io/team/worker'."
            ) from None
        self.name = name
        self._whose = {} if account is None else {"registryId": account}
        self._uri: str | None = None

    def uri(self) -> str | None:
        """The repository's address; ``None`` if there is no such repository."""
        if self._uri is None:
            answer = self._asked("describe_repositories", "RepositoryNotFoundException", repositoryNames=[self.name])
            if answer is not None:
                self._uri = str(answer["repositories"][0]["repositoryUri"])
        return self._uri

    def make(self) -> str:
        """Make the repository; its address."""
        answer = self._asked("create_repository", "RepositoryAlreadyExistsException", repositoryName=self.name)
        if answer is not None:
            self._uri = str(answer["repository"]["repositoryUri"])
        made = self.uri()
        assert made is not None
        return made

    def digest(self, tag: str) -> str | None:
        """The digest of what lies under a tag; ``None`` if nothing does."""
        answer = self._asked(
            "describe_images", "ImageNotFoundException", repositoryName=self.name, imageIds=[{"imageTag": tag}]
        )
        return None if answer is None else str(answer["imageDetails"][0]["imageDigest"])

    def log_in(self, engine: Engine) -> None:
        """Give the engine this account's password, which holds for twelve hours, through its standard input.

        Raises
        ------
        ImageError
            If AWS gives none, or the engine cannot keep it.
        """
        answer = self._asked("get_authorization_token", "")
        assert answer is not None
        given = answer["authorizationData"][0]
        try:
            user, _, password = base64.b64decode(given["authorizationToken"]).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise ImageError("ECR gave a password that cannot be read. Try again.") from None
        host = (self.uri() or given["proxyEndpoint"].partition("://")[2]).partition("/")[0]
        try:
            engine.ask(
                *("login", "--username", user, "--password-stdin", host), about=f"log in to {host}", given=password
            )
        except EngineRefused as refused:
            # Amazon's own credential helper gets passwords itself, and takes none.
            if "not implemented" not in refused.said:
                raise ImageError(str(refused).replace(password, "***")) from None

    def _asked(self, operation: str, absent: str, **parameters: Any) -> Any:
        """AWS's answer; ``None`` if it says that what is asked about is absent, or there already."""
        from botocore.exceptions import BotoCoreError, ClientError

        whose = self._whose if operation not in ("create_repository", "get_authorization_token") else {}
        try:
            return getattr(self._client, operation)(**whose, **parameters)
        except (BotoCoreError, ClientError) as error:
            if absent and code_of(error) == absent:
                return None
            raise self._refused(operation, error) from None

    def _refused(self, operation: str, error: Exception) -> ImageError:
        code, said = code_of(error), words_of(error).rstrip(".")
        action = "ecr:" + "".join(part.capitalize() for part in operation.split("_"))
        if code in ("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"):
            mend = "Log in (for example: aws sso login, or aws configure), or keep the image here with --no-push."
            return ImageError(f"ECR cannot be asked without credentials: {said}. {mend}")
        if code in _BAD_KEYS:
            mend = "Log in anew (for example: aws sso login), or check AWS_PROFILE and the AWS_* variables."
            return ImageError(f"AWS does not take these credentials ({code}: {said}). {mend}")
        if code in _NO_ACCESS:
            return ImageError(
                f"These credentials may not use {action} on {self.name!r}: allow it (all that is needed is in "
                f"docs/iam/pusher.json). {said}"
            )
        return ImageError(f"ECR could not carry out {action} on {self.name!r} ({code}: {said}).")
