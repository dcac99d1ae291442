"""A session of botocore's for each client, and one copy of what all of them read of AWS's services.

To make a client, botocore lists the hundreds of services that it knows and parses the description of one. A session
keeps what it has read, but to share a session is to share the credentials that it has found. So the sessions of this
process are their own, and share the descriptions alone: a run on AWS makes half a dozen clients.
"""

from __future__ import annotations

from functools import cache
from typing import Any


def aws_session() -> Any:
    """A new session, which reads environment and files of AWS anew.

    Returns
    -------
    botocore.session.Session
        Its ``create_client`` gives what boto3's would, in half the time.

    Examples
    --------
    >>> one, other = aws_session(), aws_session()
    >>> one is other
    False
    >>> one.get_component("data_loader") is other.get_component("data_loader")
    True
    """
    import botocore.session

    session = botocore.session.get_session()
    session.lazy_register_component("data_loader", lambda: _descriptions(session.get_config_variable("data_path")))
    return session


@cache
def _descriptions(folders: str | None) -> Any:
    """What reads the descriptions of services, and keeps them: one for each setting of where there are more."""
    from botocore.loaders import create_loader

    return create_loader(folders)
