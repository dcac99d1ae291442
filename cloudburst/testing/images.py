"""The part of a registry that moto lacks: what an image's configuration says, by its digest."""

from __future__ import annotations

from cloudburst.testing.account import image_layer
from cloudburst.testing.answers import Answer, Refusal, json_answer
from cloudburst.testing.operations import Request

_LAYERS = "/cloudburst-fake-layers/"


class Images:
    """Says where a layer can be fetched, and gives it.

    Parameters
    ----------
    url : str
        Where the fake AWS answers.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    def fetch(self, request: Request) -> Answer | None:
        """Give what lies under an address that was given out."""
        if not request.path.startswith(_LAYERS):
            return None
        found = image_layer(request.path.removeprefix(_LAYERS))
        return Answer(404, "text/plain", b"") if found is None else Answer(200, "application/octet-stream", found)

    def address(self, request: Request) -> Answer | None:
        """Answer GetDownloadUrlForLayer."""
        if request.operation != "GetDownloadUrlForLayer":
            return None
        digest = str(request.parameters.get("layerDigest"))
        if image_layer(digest) is None:
            raise Refusal("LayersNotFoundException", f"The layer with digest '{digest}' does not exist.")
        return json_answer({"downloadUrl": f"{self._url}{_LAYERS}{digest}", "layerDigest": digest})
