"""What machines print, from CloudWatch, as it comes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cloudburst.errors import AccessDenied, StoreError
from cloudburst.runtime.backends.fargate.definition import STREAM_PREFIX
from cloudburst.runtime.backends.fargate.place import Clients, FargatePlace
from cloudburst.runtime.backends.fargate.refusals import code_of, refusal_of_error
from cloudburst.runtime.backends.fargate.signs import CONTAINER

_MOST_PAGES = 1000


class Streams:
    """The log streams of workers, each read on from where it was left.

    Parameters
    ----------
    log_group : str
        Where they are.
    region, endpoint_url : str or None
        Where CloudWatch is.
    since_s : float
        Seconds since 1970: what was printed before is passed over.
    """

    def __init__(self, log_group: str, region: str | None, endpoint_url: str | None, since_s: float) -> None:
        place = FargatePlace("", (), "", region=region, endpoint_url=endpoint_url, log_group=log_group)
        self._logs: Any = Clients(place)("logs")
        self._group = log_group
        self._since_ms = max(0, int(since_s * 1000))
        self._tokens: dict[str, str] = {}

    def lines(self, worker: str) -> Iterator[str]:
        """The lines that have come since they were read last.

        Raises
        ------
        AccessDenied
            If these credentials may not read them.
        StoreError
            If CloudWatch does not answer.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        asked = {
            "logGroupName": self._group,
            "logStreamName": f"{STREAM_PREFIX}/{CONTAINER}/{worker}",
            "startTime": self._since_ms,
            "startFromHead": True,
        }
        for _ in range(_MOST_PAGES):
            token = self._tokens.get(worker)
            more = {"nextToken": token} if token else {}
            try:
                page = self._logs.get_log_events(**asked, **more)
            except ClientError as error:
                if code_of(error) == "ResourceNotFoundException":  # it has printed nothing yet
                    return
                kind = AccessDenied if code_of(error) == "AccessDeniedException" else StoreError
                raise kind(f"Log group {self._group} cannot be read: {refusal_of_error(error).detail}") from error
            except BotoCoreError as error:
                raise StoreError(f"Log group {self._group} cannot be read: {refusal_of_error(error).detail}") from error
            for event in page.get("events", ()):
                yield str(event.get("message", ""))
            if page["nextForwardToken"] == token:
                return
            self._tokens[worker] = page["nextForwardToken"]
