"""Where the runs of this user lie, for commands that only look at them: no machine is started, so little is needed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

from cloudburst.errors import SettingsError
from cloudburst.settings import aws


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
    storage: str | None = None, region: str | None = None, endpoint_url: str | None = None
) -> StorageSettings:
    """Where runs lie: as the arguments say, else as the environment does.

    Parameters
    ----------
    storage : str, optional
        ``s3://bucket/prefix``; else ``CLOUDBURST_STORAGE_BUCKET`` and ``CLOUDBURST_STORAGE_PREFIX``.
    region : str, optional
        Else ``CLOUDBURST_REGION``, ``AWS_REGION``, or that of the AWS profile.
    endpoint_url : str, optional
        Of a service that plays AWS; else ``CLOUDBURST_ENDPOINT_URL``.

    Returns
    -------
    StorageSettings

    Raises
    ------
    SettingsError
        Naming the setting.

    Examples
    --------
    >>> storage_settings("s3://data/team/cloudburst", region="eu-west-1").prefix
    'team/cloudburst'
    """
    aws._need_boto3()
    if storage is None:
        bucket = os.environ.get("CLOUDBURST_STORAGE_BUCKET")
        prefix = os.environ.get("CLOUDBURST_STORAGE_PREFIX", "")
        if not bucket:
            raise SettingsError(
                "which bucket your runs are in is not known: name it with --storage s3://bucket/prefix, or set "
                "CLOUDBURST_STORAGE_BUCKET and CLOUDBURST_STORAGE_PREFIX to storage_bucket and storage_prefix of "
                "cb.init_aws(...)."
            )
    else:
        split = urlsplit(storage if "://" in storage else f"s3://{storage}")
        if split.scheme != "s3" or split.query or split.fragment:
            raise SettingsError(f"storage={storage!r} cannot be: it is a bucket and a prefix, s3://bucket/prefix.")
        bucket, prefix = split.netloc, split.path
    return StorageSettings(
        bucket=aws._bucket(bucket),
        prefix=aws._prefix(prefix),
        region=aws._region(region or os.environ.get("CLOUDBURST_REGION")),
        endpoint_url=aws._endpoint(endpoint_url or os.environ.get("CLOUDBURST_ENDPOINT_URL")),
        kms_key=aws._kms_key(os.environ.get("CLOUDBURST_STORAGE_KMS_KEY")),
    )
