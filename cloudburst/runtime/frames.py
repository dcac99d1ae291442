"""Messages on a pipe: eight bytes of length, then that many bytes of pickled plain data.

Both ends belong to us, and only tuples, numbers, strings and bytes go through: the user's values are bytes in here.
"""

from __future__ import annotations

import pickle
import struct
from typing import Any

Message = tuple[Any, ...]
"""A tag and what belongs to it."""

CHUNK = 1 << 20
"""Bytes to read at once."""

_LENGTH = struct.Struct("<Q")


def frame(message: Message) -> bytes:
    """A message as it goes through a pipe.

    >>> Inbox().feed(frame(("tasks", 1)))
    [('tasks', 1)]
    """
    body = pickle.dumps(message, 5)
    return _LENGTH.pack(len(body)) + body


class Inbox:
    """What has come out of a pipe so far, cut into messages."""

    __slots__ = ("_data",)

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """Take in bytes as they come and give the messages that are whole now.

        Parameters
        ----------
        data : bytes
            Any piece of the stream.

        Returns
        -------
        list of tuple
        """
        self._data += data
        messages = []
        start, end = 0, len(self._data)
        with memoryview(self._data) as view:
            while end - start >= _LENGTH.size:
                body = start + _LENGTH.size
                stop = body + _LENGTH.unpack_from(view, start)[0]
                if stop > end:
                    break
                with view[body:stop] as one:
                    messages.append(pickle.loads(one))
                start = stop
        del self._data[:start]
        return messages
