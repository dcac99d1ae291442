"""The last that a machine's log says, from CloudWatch."""

from __future__ import annotations

from typing import Any

from cloudburst.runtime.backends.fargate.definition import STREAM_PREFIX
from cloudburst.runtime.backends.fargate.signs import CONTAINER

LINES = 50
_PAGES = 5
_NOTHING = frozenset({"ResourceNotFoundException", "AccessDeniedException"})


def tail_of(logs: Any, log_group: str, worker: str) -> str:
    """The last lines of a worker's log stream.

    Parameters
    ----------
    logs : object
        boto3's client.
    log_group, worker : str
        Whose log.

    Returns
    -------
    str
        Empty if there is none, or if these credentials may not read it.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    stream = f"{STREAM_PREFIX}/{CONTAINER}/{worker}"
    wanted = {"logGroupName": log_group, "logStreamName": stream, "startFromHead": False, "limit": LINES}
    lines: list[str] = []
    try:
        for _ in range(_PAGES):  # a page may be empty, and another come before it
            page = logs.get_log_events(**wanted)
            lines = [str(event.get("message", "")).rstrip("\n") for event in page.get("events", ())] + lines
            token = page.get("nextBackwardToken")
            if len(lines) >= LINES or not token or token == wanted.get("nextToken"):
                break
            wanted["nextToken"] = token
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in _NOTHING:
            return ""
        return f"(its log could not be read: {error})"
    except BotoCoreError as error:
        return f"(its log could not be read: {error})"
    return "\n".join(lines[-LINES:])
