"""The connection to S3 that a process has: one client and the threads that share it.

It is made when first needed, since loading botocore takes longer than all else that a worker does at its start, and
made anew in a process that was forked: sockets and threads belong to the process that opened them.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from time import monotonic, sleep
from typing import Any
from urllib.parse import urlsplit

from cloudburst.errors import StoreError
from cloudburst.runtime.aws_session import aws_session
from cloudburst.runtime.stores.s3_errors import is_not_told

THREADS = 16
"""Requests that one large object is read or written by at a time."""

_CONNECTIONS = 48
"""Sockets that a client keeps: for those threads, and for as many of the program's own."""

_CONNECT_TIMEOUT_S = 10
_READ_TIMEOUT_S = 60
_CREDENTIALS_S = 60.0
"""How long a machine is asked for the credentials of what runs on it."""
_PAUSE_S = 0.5


class Connection:
    """A client and its threads, one of each per process.

    Parameters
    ----------
    region, endpoint_url : str or None
        Where S3 is; whatever boto3's own settings say if ``None``.
    tries : int
        How often a request is sent that S3 is too busy for, or that the network loses.
    """

    def __init__(self, region: str | None, endpoint_url: str | None, tries: int) -> None:
        self._region = region
        self._endpoint_url = endpoint_url
        self._tries = tries
        self._lock = Lock()
        self._process = 0
        self._client: Any = None
        self._pool: ThreadPoolExecutor | None = None

    @property
    def client(self) -> Any:
        """The S3 client; threads may share it."""
        if self._process != os.getpid():
            self._open()
        return self._client

    @property
    def pool(self) -> ThreadPoolExecutor:
        """Threads for the parts of large objects."""
        if self._process != os.getpid():
            self._open()
        assert self._pool is not None
        return self._pool

    def _open(self) -> None:
        with self._lock:
            if self._process != os.getpid():
                self._client = _new_client(self._region, self._endpoint_url, self._tries)
                self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="cloudburst-s3")
                self._process = os.getpid()


def configured_region() -> str | None:
    """The region that boto3's own settings name: the environment, or the profile in its files."""
    import botocore.session
    from botocore.exceptions import BotoCoreError

    try:
        region: str | None = botocore.session.get_session().get_config_variable("region")
    except BotoCoreError as error:  # a profile that is not there, a file that cannot be read
        raise StoreError(f"{str(error).rstrip('.')}. See AWS_PROFILE and AWS_CONFIG_FILE.") from error
    return region


def _new_client(region: str | None, endpoint_url: str | None, tries: int) -> Any:
    from botocore.config import Config

    config = Config(
        signature_version="s3v4",
        # The standard mode backs off request by request; the adaptive one would slow down all of a process for one.
        retries={"mode": "standard", "total_max_attempts": tries},
        max_pool_connections=_CONNECTIONS,
        connect_timeout=_CONNECT_TIMEOUT_S,
        read_timeout=_READ_TIMEOUT_S,
        tcp_keepalive=True,
        # Servers that are not AWS's know no trailing checksums, and what is unpickled has one of ours.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"addressing_style": "path" if _is_no_aws(endpoint_url) else "auto"},
    )
    session = aws_session()
    _find_credentials(session)
    return session.create_client("s3", region_name=region, endpoint_url=endpoint_url, config=config)


def _find_credentials(session: Any) -> None:
    """Have the session find its credentials. A machine on which much starts at once may be slow to tell them."""
    from botocore.exceptions import CredentialRetrievalError

    until = monotonic() + _CREDENTIALS_S
    while True:
        try:
            session.get_credentials()
        except CredentialRetrievalError as error:
            if not is_not_told(error) or monotonic() >= until:
                raise
            sleep(_PAUSE_S)
        else:
            return


def _is_no_aws(endpoint_url: str | None) -> bool:
    """Whether it is a server of somebody else's, which seldom has a host name for each bucket."""
    return endpoint_url is not None and not (urlsplit(endpoint_url).hostname or "").endswith(
        (".amazonaws.com", ".amazonaws.com.cn")
    )
