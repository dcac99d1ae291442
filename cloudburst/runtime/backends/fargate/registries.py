"""What ECR knows of an image: whether it is there, for which CPU it is, and the labels that it was built with."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Mapping
from typing import Any, NamedTuple

_ECR = re.compile(
    r"(?P<account>\d+)\.dkr\.ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/"
    r"(?P<repository>[^:@]+)(?::(?P<tag>[^@]+))?(?:@(?P<digest>sha256:[0-9a-f]+))?"
)
_KINDS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
CPUS = {"amd64": "X86_64", "arm64": "ARM64"}
"""What images call the architectures of ECS."""

_TIMEOUT_S = 10
_MOST_BYTES = 4 << 20


class EcrImage(NamedTuple):
    """An image's address in ECR."""

    account: str
    region: str
    repository: str
    wanted: dict[str, str]
    """The tag or the digest, as ECR takes it."""


class ImageFacts(NamedTuple):
    """What could be read of an image; what could not is ``None``, and may be whatever it likes."""

    is_there: bool | None = None
    missing: str = ""
    """In ECR's words: what is not there."""
    architectures: frozenset[str] | None = None
    """Those that it is built for, as ECS calls them."""
    labels: Mapping[str, str] | None = None


def parse_ecr(image: str) -> EcrImage | None:
    """Read an address; ``None`` if it is not one of ECR.

    >>> parse_ecr("123456789012.dkr.ecr.us-east-1.amazonaws.com/team/worker:v2").wanted
    {'imageTag': 'v2'}
    >>> parse_ecr("python:3.11-slim") is None
    True
    """
    found = _ECR.fullmatch(image)
    if found is None:
        return None
    wanted = {"imageDigest": found["digest"]} if found["digest"] else {"imageTag": found["tag"] or "latest"}
    return EcrImage(found["account"], found["region"], found["repository"], wanted)


def image_facts(ecr: Any, image: EcrImage, architecture: str) -> ImageFacts:
    """Ask ECR about an image. What these credentials may not read is left open.

    Parameters
    ----------
    ecr : object
        boto3's client for the image's region.
    image : EcrImage
        Which.
    architecture : str
        Of an image that is built for several kinds of CPU: whose labels to read.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        manifest, missing = _manifest(ecr, image)
    except ecr.exceptions.RepositoryNotFoundException as error:
        return ImageFacts(is_there=False, missing=str(error.response["Error"].get("Message", "")))
    except (BotoCoreError, ClientError):  # not ours to read: ECS will say
        return ImageFacts()
    if manifest is None:
        return ImageFacts(is_there=False, missing=missing)
    try:
        return _read(ecr, image, architecture, manifest)
    except (BotoCoreError, ClientError, OSError, ValueError, LookupError, TypeError, AttributeError):
        return ImageFacts(is_there=True)  # there, and written in a way that nobody here can read


def _read(ecr: Any, image: EcrImage, architecture: str, manifest: dict[str, Any]) -> ImageFacts:
    architectures = None
    if "manifests" in manifest:
        digests = {
            CPUS[one["platform"]["architecture"]]: one["digest"]
            for one in manifest["manifests"]
            if one.get("platform", {}).get("architecture") in CPUS
        }
        architectures = frozenset(digests)
        if architecture not in digests:
            return ImageFacts(is_there=True, architectures=architectures or None)
        part, _ = _manifest(ecr, image._replace(wanted={"imageDigest": digests[architecture]}))
        manifest = part or {}
    built = _config(ecr, image, manifest["config"]["digest"])
    if architectures is None and built.get("architecture") in CPUS:
        architectures = frozenset({CPUS[built["architecture"]]})
    labels = (built.get("config") or {}).get("Labels") or {}
    return ImageFacts(is_there=True, architectures=architectures, labels={str(k): str(v) for k, v in labels.items()})


def _manifest(ecr: Any, image: EcrImage) -> tuple[dict[str, Any] | None, str]:
    """The manifest, or why there is none."""
    answer = ecr.batch_get_image(
        registryId=image.account,
        repositoryName=image.repository,
        imageIds=[image.wanted],
        acceptedMediaTypes=list(_KINDS),
    )
    for found in answer.get("images", ()):
        try:
            manifest = json.loads(found["imageManifest"])
        except (ValueError, KeyError, TypeError):
            manifest = {}
        return manifest if isinstance(manifest, dict) else {}, ""
    reasons = [str(one.get("failureReason", one.get("failureCode", ""))) for one in answer.get("failures", ())]
    return None, "; ".join(reasons) or "it has no such image"


def _config(ecr: Any, image: EcrImage, digest: str) -> dict[str, Any]:
    url = ecr.get_download_url_for_layer(registryId=image.account, repositoryName=image.repository, layerDigest=digest)[
        "downloadUrl"
    ]
    with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:
        built = json.loads(answer.read(_MOST_BYTES))
    if not isinstance(built, dict):
        raise ValueError("an image's configuration is a JSON object")
    return built
