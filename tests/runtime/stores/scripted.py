"""A store of S3 whose requests are counted, and answered by a script instead of the server."""

from collections import Counter
from io import BytesIO

from botocore.awsrequest import AWSResponse
from urllib3 import HTTPResponse


def counted(store, *, before=None):
    """Calls of a store's, by operation, from now on; ``before`` sees each request and may answer it."""
    calls = Counter()

    def see(request, event_name, **_):
        operation = event_name.rpartition(".")[2]
        calls[operation] += 1
        return None if before is None else before(operation, calls[operation], request)

    store._connection.client.meta.events.register("before-send.s3", see)
    return calls


def answer(request, status, body=b"", **headers):
    """What a server could have said."""
    raw = HTTPResponse(BytesIO(body), headers, status, preload_content=False)
    return AWSResponse(request.url, status, raw.headers, raw)


def error(request, status, code):
    return answer(request, status, f"<Error><Code>{code}</Code><Message>Scripted.</Message></Error>".encode())
