"""Scalars, lists and dictionaries as JSON, and plain arrays as ``.npy``: data that needs no unpickling.

Only what JSON gives back exactly goes as JSON. Tuples would come back as lists, keys that are numbers as text, and a
list that is met twice as two: these are left to other codecs.
"""

from __future__ import annotations

import io
import json
import math
import sys
from collections.abc import Sequence
from typing import Any

from cloudburst.errors import CodecError
from cloudburst.runtime.protocols import Buffer

_SCALARS = frozenset({type(None), bool, float, str})
_LARGEST = 1 << 63
_ARRAY_KINDS = "biufcmMSU"
_ARRAY_MAGIC = b"\x93NUMPY"


class PlainCodec:
    """JSON and ``.npy``."""

    name = "plain"

    def takes(self, value: object) -> bool:
        """Whether it is a plain array, or made of JSON's own types through and through."""
        return _is_plain_array(value) or is_json(value)

    def encode(self, value: object) -> list[Buffer]:
        """The array's header and its own memory, or a line of JSON."""
        if is_json(value):
            return [json.dumps(value, separators=(",", ":")).encode()]
        return _array_parts(value)

    def decode(self, data: memoryview, columns: Sequence[str] | None = None) -> object:  # noqa: ARG002 - it has none
        """The value again; an array is a view of ``data`` where that is writable."""
        try:
            return _array(data) if data[: len(_ARRAY_MAGIC)] == _ARRAY_MAGIC else json.loads(bytes(data))
        except ValueError as error:
            raise CodecError(f"A stored plain value cannot be read: {error}.") from error


CODEC = PlainCodec()


def is_json(value: object) -> bool:
    """Whether JSON gives a value back exactly as it is.

    >>> is_json({"a": [1, 2.5, None]}), is_json((1, 2)), is_json({1: "a"})
    (True, False, False)
    """
    todo: list[Any] = [value]
    seen = set()
    while todo:
        one = todo.pop()
        kind = type(one)
        if kind is list or kind is dict:
            if id(one) in seen:
                return False
            seen.add(id(one))
            if kind is dict:
                if any(type(key) is not str for key in one):
                    return False
                one = one.values()
            todo.extend(one)
        elif kind is int:
            if not -_LARGEST <= one < _LARGEST:
                return False
        elif kind not in _SCALARS:
            return False
    return True


def _is_plain_array(value: Any) -> bool:
    numpy = sys.modules.get("numpy")
    if numpy is None or type(value) is not numpy.ndarray:
        return False
    return value.dtype.kind in _ARRAY_KINDS and value.dtype.metadata is None


def _array_parts(array: Any) -> list[Buffer]:
    import numpy as np

    if not (array.flags.c_contiguous or array.flags.f_contiguous):
        array = array.copy(order="C")
    order = "C" if array.flags.c_contiguous else "F"
    header = io.BytesIO()
    np.lib.format.write_array_header_2_0(header, np.lib.format.header_data_from_array_1_0(array))
    flat = array.reshape(-1, order=order)
    return [header.getvalue(), flat.view(np.uint8).data if flat.nbytes else b""]


def _array(data: memoryview) -> Any:
    import numpy as np

    header = io.BytesIO(bytes(data[: 1 << 16]))
    np.lib.format.read_magic(header)
    shape, is_fortran, dtype = np.lib.format.read_array_header_2_0(header)
    if data.readonly:
        data = memoryview(bytearray(data))
    array = np.zeros(0, dtype) if 0 in shape else np.frombuffer(data, dtype, math.prod(shape), header.tell())
    return array.reshape(shape, order="F" if is_fortran else "C")
