"""What Docker or Podman has pushed to a real registry that stands for the account's: it is in the fake ECR too."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.parse
import urllib.request
from http import HTTPStatus
from typing import Any

from cloudburst.testing.account import ID, Account, keep_config
from cloudburst.testing.answers import Answer
from cloudburst.testing.operations import Request

_USER = "AWS"
_READS = frozenset({"BatchGetImage", "DescribeImages", "ListImages", "GetDownloadUrlForLayer"})
_KINDS = (
    "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, "
    "application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json"
)
_TIMEOUT_S = 10


class Pushed:
    """Looks into a registry before ECR is asked what lies in a repository.

    Parameters
    ----------
    address : str
        Of the registry, which takes the password that ECR gives.
    account : Account
        Whose images these are.
    """

    def __init__(self, address: str, account: Account) -> None:
        self._address = address.rstrip("/")
        self._account = account
        password = base64.b64encode(f"{_USER}:{ID}-auth-token".encode()).decode()
        self._signed = {"Authorization": f"Basic {password}"}

    def handle(self, request: Request) -> Answer | None:
        """Take over what is new in the repository that a request is about; moto answers."""
        if request.service == "ecr" and request.operation in _READS:
            name = str(request.parameters.get("repositoryName"))
            if name in self._account.ecr.repositories:
                self._take_over(name)
        return None

    def _take_over(self, name: str) -> None:
        repository = self._account.ecr.repositories[name]
        known = {(tag, one.get_image_digest()) for one in repository.images for tag in one.image_tags}
        listed = self._read(f"{name}/tags/list")
        for tag in (json.loads(listed[0]).get("tags") or ()) if listed is not None else ():
            found = self._read(f"{name}/manifests/{tag}")
            if found is None or (tag, found[1]) in known:
                continue
            manifest = json.loads(found[0])
            self._account.ecr.put_image(name, found[0].decode(), tag, manifest.get("mediaType"), found[1])
            config = manifest.get("config", {}).get("digest")
            if config is not None and (read := self._read(f"{name}/blobs/{config}")) is not None:
                keep_config(config, read[0])

    def _read(self, below: str) -> tuple[bytes, str] | None:
        """What lies there, and its digest; ``None`` if nothing does."""
        url = f"{self._address}/v2/{urllib.parse.quote(below, safe='/:')}"
        request = urllib.request.Request(url, headers={**self._signed, "Accept": _KINDS})
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
                headers: Any = answer.headers
                return answer.read(), str(headers.get("Docker-Content-Digest", ""))
        except urllib.error.HTTPError as error:
            if error.code == HTTPStatus.NOT_FOUND:
                return None
            raise
