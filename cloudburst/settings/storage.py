"""Where the runs of this user lie, for commands that only look at them: no machine is started, so little is needed."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

from cloudburst.errors import SettingsError
from cloudburst.settings.aws import need_boto3
from cloudburst.settings.checks import CHECKS
from cloudburst.settings.origins import checked, found_settings


@dataclass(frozen=True, slots=True)
class StorageSettings:
    """A bucket, and where it is."""

    bucket: str
    prefix: str
    region: str
    endpoint_url: str | None = None
    kms_key: str | None = None

    @property
    def url(self) -> str:
        """The store as ``open_store`` opens it.

        >>> StorageSettings("data", "team", "eu-west-1").url
        's3://data/team?region=eu-west-1'
        """
        asked = {"region": self.region, "endpoint_url": self.endpoint_url, "kms": self.kms_key}
        query = urlencode({name: value for name, value in asked.items() if value}, quote_via=quote)
        return f"s3://{self.bucket}{'/' if self.prefix else ''}{self.prefix}?{query}"


def storage_settings(
    storage: str | None = None,
    region: str | None = None,
    endpoint_url: str | None = None,
    profile: str | None = None,
) -> StorageSettings:
    """Where runs lie: as the arguments say, else the environment, the project, or a profile.

    Parameters
    ----------
    storage : str, optional
        ``s3://bucket/prefix``, in place of ``storage_bucket`` and ``storage_prefix``.
    region : str, optional
        Where no place names one: ``AWS_REGION``, or that of the AWS profile.
    endpoint_url : str, optional
        Of a service that plays AWS.
    profile : str, optional
        The profile to use.

    Returns
    -------
    StorageSettings

    Raises
    ------
    SettingsError
        Naming the setting, and where it stands.

    Examples
    --------
    >>> storage_settings("s3://data/team/cloudburst", region="eu-west-1").prefix
    'team/cloudburst'
    """
    need_boto3("cloudburst runs")
    given: dict[str, str | None] = {"region": region, "endpoint_url": endpoint_url}
    if storage is not None:
        given["storage_bucket"], given["storage_prefix"] = _parts(storage)
    found = found_settings(given, profile).found
    if "storage_bucket" not in found:
        raise SettingsError(
            "which bucket your runs are in is not known: name it with --storage s3://bucket/prefix, or where "
            "cb.init_aws() finds it: in CLOUDBURST_STORAGE_BUCKET, under [tool.cloudburst] in pyproject.toml, or in "
            "a profile, which cloudburst setup writes."
        )
    names = ("storage_bucket", "storage_prefix", "region", "endpoint_url", "storage_kms_key")
    return StorageSettings(*[checked(name, found.get(name), CHECKS[name]) for name in names])


def _parts(storage: str) -> tuple[str, str]:
    """The bucket and the prefix."""
    split = urlsplit(storage if "://" in storage else f"s3://{storage}")
    if split.scheme != "s3" or split.query or split.fragment:
        raise SettingsError(f"storage={storage!r} cannot be: it is a bucket and a prefix, s3://bucket/prefix.")
    return split.netloc, split.path
