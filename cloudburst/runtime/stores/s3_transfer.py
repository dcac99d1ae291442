"""Large objects in and out of S3 by several requests at a time.

Bytes that arrive are handed on in chunks, to memory or to a file, so that no object is there twice. A connection that
breaks in the middle of an answer, which botocore does not see, is taken up where it broke.
"""

from __future__ import annotations

import mmap
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from itertools import accumulate
from typing import Any, TypeVar

from cloudburst.runtime.protocols import Buffer
from cloudburst.runtime.stores.checks import beyond
from cloudburst.runtime.stores.files import LARGE
from cloudburst.runtime.stores.ranges import Range, pieces
from cloudburst.runtime.stores.s3_errors import code_of

ONE_REQUEST = 16 << 20
"""Bytes up to which an object is read or written by one request."""

PUT_PART = 8 << 20
"""Bytes of a part; each is copied once while it is under way."""

ONE_COPY = 1 << 30
"""Bytes up to which an object is copied by one request; S3 takes 5 GiB, in the time of more than one."""

COPY_PART = 256 << 20
"""Bytes of a part of what is copied."""

_MOST_PARTS = 10_000
_CHUNK = 1 << 20
_TRIES = 5
_CHANGES = 3
_BROKEN = ("IncompleteReadError", "ReadTimeoutError", "ResponseStreamingError", "ConnectionClosedError")

WriteAt = Callable[[int, Buffer], object]
"""Takes bytes and the place in the object where they belong; called from several threads."""

_T = TypeVar("_T")


def memory(size: int) -> memoryview:
    """So much writable memory of one's own. Large memory is not touched before it is filled."""
    if size < LARGE:
        return memoryview(bytearray(size))
    if sys.platform == "win32":
        return memoryview(mmap.mmap(-1, size))
    return memoryview(mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))


def into_memory(target: memoryview) -> WriteAt:
    """Writes to that memory."""

    def write(place: int, data: Buffer) -> None:
        target[place : place + len(data)] = data

    return write


def download(
    client: Any, pool: ThreadPoolExecutor, where: Mapping[str, Any], open_target: Callable[[int], WriteAt]
) -> int:
    """Read a whole object: by one request up to 16 MiB, by many at a time beyond.

    Parameters
    ----------
    client : botocore client
        For S3.
    pool : ThreadPoolExecutor
        Threads for all requests but the first.
    where : mapping
        ``Bucket`` and ``Key``.
    open_target : callable
        Given the size of the object, returns what its bytes go to. It is called again if the object is another one
        before all of it is there.

    Returns
    -------
    int
        The size.
    """
    for change in range(_CHANGES):
        try:
            return _downloaded(client, pool, where, open_target)
        except Exception as error:
            if code_of(error) not in ("PreconditionFailed", "412") or change == _CHANGES - 1:
                raise
    raise AssertionError


def _downloaded(
    client: Any, pool: ThreadPoolExecutor, where: Mapping[str, Any], open_target: Callable[[int], WriteAt]
) -> int:
    try:
        answer = client.get_object(**where, Range=f"bytes=0-{ONE_REQUEST - 1}")
    except Exception as error:
        if code_of(error) not in ("InvalidRange", "416"):
            raise
        open_target(0)
        return 0
    size = _size(answer)
    write = open_target(size)
    same = {**where, "IfMatch": answer["ETag"]}
    first = min(size, ONE_REQUEST)
    rest = [partial(_fetch, client, same, one, write, one[0]) for one in pieces(first, size, ONE_REQUEST)]
    at_once(pool, [partial(_fetch, client, same, (0, first), write, 0, answer), *rest])
    return size


def download_ranges(
    client: Any, pool: ThreadPoolExecutor, where: Mapping[str, Any], ranges: Sequence[Range], write: WriteAt
) -> None:
    """Read ranges, none of them empty, to one place after another, many at a time.

    Raises
    ------
    StoreError
        If one reaches beyond the object.
    """
    places = accumulate((end - start for start, end in ranges), initial=0)
    calls = [
        partial(_fetch, client, where, piece, write, place + piece[0] - start)
        for place, (start, end) in zip(places, ranges, strict=False)
        for piece in pieces(start, end, ONE_REQUEST)
    ]
    at_once(pool, calls)


def upload(
    client: Any,
    pool: ThreadPoolExecutor,
    where: Mapping[str, Any],
    parts: Sequence[Buffer],
    encryption: Mapping[str, Any],
) -> None:
    """Write an object of more than one part, all or nothing."""
    nbytes = sum(map(len, parts))
    size = max(PUT_PART, -(-nbytes // _MOST_PARTS))

    def calls(begun: Mapping[str, Any]) -> list[Callable[[], dict[str, Any]]]:
        put = partial(_put_part, client, begun)
        return [partial(put, number, slices) for number, slices in enumerate(sliced(parts, size), 1)]

    _in_parts(client, pool, where, encryption, calls)


def copy(
    client: Any,
    pool: ThreadPoolExecutor,
    source: Mapping[str, Any],
    target: Mapping[str, Any],
    nbytes: int,
    encryption: Mapping[str, Any],
) -> None:
    """Have S3 copy an object of so many bytes: by one request up to 1 GiB, in parts beyond."""
    if nbytes <= ONE_COPY:
        client.copy_object(**target, CopySource=dict(source), **encryption)
        return

    def calls(begun: Mapping[str, Any]) -> list[Callable[[], dict[str, Any]]]:
        ask = partial(_copy_part, client, begun, dict(source))
        size = max(COPY_PART, -(-nbytes // _MOST_PARTS))
        return [partial(ask, number, piece) for number, piece in enumerate(pieces(0, nbytes, size), 1)]

    _in_parts(client, pool, target, encryption, calls)


def _in_parts(
    client: Any,
    pool: ThreadPoolExecutor,
    where: Mapping[str, Any],
    encryption: Mapping[str, Any],
    calls: Callable[[Mapping[str, Any]], Sequence[Callable[[], dict[str, Any]]]],
) -> None:
    """Make an object of the parts that the calls make, all or nothing."""
    begun = {**where, "UploadId": client.create_multipart_upload(**where, **encryption)["UploadId"]}
    try:
        client.complete_multipart_upload(**begun, MultipartUpload={"Parts": at_once(pool, calls(begun))})
    except BaseException as error:
        try:
            client.abort_multipart_upload(**begun)
        except Exception as second:  # noqa: BLE001 - the first is what is wrong
            error.add_note(f"What was uploaded of it is still there, and billed: it could not be removed ({second}).")
        raise


def sliced(parts: Iterable[Buffer], size: int) -> Iterator[list[memoryview]]:
    """Buffers that belong one after another, cut into stretches of so many bytes without copying any.

    >>> [[bytes(one) for one in stretch] for stretch in sliced([b"abcde", b"", b"fg"], 3)]
    [[b'abc'], [b'de', b'f'], [b'g']]
    """
    stretch: list[memoryview] = []
    room = size
    for part in parts:
        view = memoryview(part).cast("B")
        while len(view):
            stretch.append(view[:room])
            room -= len(stretch[-1])
            view = view[len(stretch[-1]) :]
            if not room:
                yield stretch
                stretch, room = [], size
    if stretch:
        yield stretch


def at_once(pool: ThreadPoolExecutor, calls: Sequence[Callable[[], _T]]) -> list[_T]:
    """What the calls give, the first of them made by this thread. If one fails, none is under way any more."""
    if not calls:
        return []
    futures: list[Future[_T]] = [pool.submit(call) for call in calls[1:]]
    try:
        return [calls[0](), *(future.result() for future in futures)]
    except BaseException:
        for future in futures:
            future.cancel()
        wait(futures)
        raise


def _put_part(client: Any, begun: Mapping[str, Any], number: int, slices: list[memoryview]) -> dict[str, Any]:
    answer = client.upload_part(**begun, PartNumber=number, Body=b"".join(slices))
    return {"PartNumber": number, "ETag": answer["ETag"]}


def _copy_part(
    client: Any, begun: Mapping[str, Any], source: dict[str, Any], number: int, piece: Range
) -> dict[str, Any]:
    span = f"bytes={piece[0]}-{piece[1] - 1}"
    answer = client.upload_part_copy(**begun, PartNumber=number, CopySource=source, CopySourceRange=span)
    return {"PartNumber": number, "ETag": answer["CopyPartResult"]["ETag"]}


def _fetch(
    client: Any, where: Mapping[str, Any], wanted: Range, write: WriteAt, place: int, answer: Any = None
) -> None:
    """Read one range to its place, going on where a connection broke."""
    start, end = wanted
    for further in range(_TRIES):
        if answer is None:
            answer = client.get_object(**where, Range=f"bytes={start}-{end - 1}")
            if _size(answer) < end:
                answer["Body"].close()
                raise beyond(where["Key"], _size(answer), *wanted)
        try:
            for chunk in iter(partial(answer["Body"].read, _CHUNK), b""):
                write(place + start - wanted[0], chunk)
                start += len(chunk)
            return
        except Exception as error:
            if type(error).__name__ not in _BROKEN or further == _TRIES - 1:
                raise
            answer = None


def _size(answer: Mapping[str, Any]) -> int:
    """Bytes of the whole object that an answer is a range of."""
    total = answer.get("ContentRange", "").rpartition("/")[2]
    return int(total) if total else int(answer["ContentLength"])
