"""How pickle is to take apart what it would copy, bloat or lose by itself.

- Arrays of any layout, date or read-only, hand their own bytes out of band and come back writable: numpy alone does so
  only for some, and pickles dates and strided arrays into the stream.
- Arrow arrays, and the pandas arrays and indexes that stand on them, hand over their buffers without a copy, and slices
  only their own part.
- polars frames and series go as Arrow IPC, out of band.
- Open files and Deferreds are refused, although something would come out: it would not be equal.

Libraries are not imported for this: their types are entered once somebody else has imported them.
"""

from __future__ import annotations

import copyreg
import io
import sys
from collections.abc import Callable
from importlib import import_module
from pickle import PickleBuffer
from typing import Any, NoReturn

Reducer = Callable[[Any], tuple[Any, ...]]

_BLOAT = 4096
"""Bytes that an Arrow slice may drag along before it is copied."""


def own() -> dict[type, Reducer]:
    """Our reducers, for the types of all libraries that are loaded by now."""
    for module in _waiting.keys() & sys.modules.keys():
        _own.update(_waiting[module]())
        _waiting.pop(module, None)
    return _own


def table() -> dict[type, Any]:
    """All reducers: what is registered with ``copyreg``, and ours."""
    return {**copyreg.dispatch_table, **own()}


# ---------------------------------------------------------------- Python


def _reduce_memoryview(view: memoryview) -> tuple[Any, ...]:
    flat = view.cast("B") if view.c_contiguous else view.tobytes()
    return _memoryview, (PickleBuffer(flat), view.format, view.shape)


def _memoryview(data: Any, cells: str, shape: tuple[int, ...]) -> memoryview:
    view = memoryview(data).cast("B")
    return view.cast(cells, shape) if shape and view.nbytes else view.cast(cells)  # type: ignore[call-overload, no-any-return]


# ---------------------------------------------------------------- numpy


class _AsWritable:
    """The bytes of an array without the mark that they may not be written, so that the copy made of them has none."""

    def __init__(self, array: Any) -> None:
        interface = dict(array.__array_interface__)
        interface["data"] = (interface["data"][0], False)
        self.__array_interface__ = interface
        self.array = array


def _reduce_ndarray(array: Any) -> tuple[Any, ...]:
    dtype = array.dtype
    if dtype.hasobject or dtype.kind == "T" or not dtype.itemsize:
        return array.__reduce__()  # type: ignore[no-any-return]
    if not (array.flags.c_contiguous or array.flags.f_contiguous):
        array = array.copy(order="K" if array.ndim == 2 else "C")
    order = "C" if array.flags.c_contiguous else "F"
    import numpy as np

    flat = array.reshape(-1, order=order).view(np.uint8)
    if not flat.flags.writeable:
        flat = np.asarray(_AsWritable(flat))
    return _ndarray, (PickleBuffer(flat), dtype, array.shape, order)


def _ndarray(data: Any, dtype: Any, shape: tuple[int, ...], order: Any) -> Any:
    import numpy as np

    flat = np.frombuffer(data, dtype) if len(data) else np.empty(0, dtype)
    return flat.reshape(shape, order=order)


def _numpy() -> dict[type, Reducer]:
    import numpy as np

    return {np.ndarray: _reduce_ndarray}


# ---------------------------------------------------------------- Arrow, and what pandas builds on it


def _compact(array: Any) -> Any:
    import pyarrow as pa

    if array.get_total_buffer_size() > array.nbytes + _BLOAT:
        return pa.concat_arrays([array])
    return array


def _reduce_arrow_array(array: Any) -> tuple[Any, ...]:
    return _compact(array).__reduce__()  # type: ignore[no-any-return]


def _pyarrow() -> dict[type, Reducer]:
    import pyarrow as pa

    concrete, todo = [], [pa.Array]
    while todo:
        kind = todo.pop()
        concrete.append(kind)
        todo += kind.__subclasses__()
    return dict.fromkeys(concrete, _reduce_arrow_array)


def _reduce_arrow_backed(array: Any) -> tuple[Any, ...]:
    return copyreg.__newobj__, (type(array),), {**array.__dict__, "_cache": {}}  # type: ignore[attr-defined]


def _pandas() -> dict[type, Reducer]:
    import pandas as pd

    return dict.fromkeys((pd.arrays.ArrowStringArray, pd.arrays.ArrowExtensionArray), _reduce_arrow_backed)


# ---------------------------------------------------------------- polars


def _reduce_polars(value: Any) -> tuple[Any, ...]:
    from cloudburst.runtime.codecs.arrow import CODEC

    if not CODEC.takes(value):
        return value.__reduce_ex__(5)  # type: ignore[no-any-return]
    return _polars_again, (PickleBuffer(b"".join(CODEC.encode(value))),)


def _polars_again(data: Any) -> object:
    from cloudburst.runtime.codecs.arrow import CODEC

    return CODEC.decode(memoryview(data))


def _polars() -> dict[type, Reducer]:
    import polars as pl

    return dict.fromkeys((pl.DataFrame, pl.Series), _reduce_polars)


# ---------------------------------------------------------------- refused


def _refuse(value: object) -> NoReturn:
    raise TypeError(f"a {type(value).__name__} would not come back as it is")


def _deferred() -> dict[type, Reducer]:
    return {import_module("cloudburst.deferred").Deferred: _refuse}


_own: dict[type, Reducer] = {memoryview: _reduce_memoryview, io.TextIOWrapper: _refuse}
_waiting: dict[str, Callable[[], dict[type, Reducer]]] = {
    "numpy": _numpy,
    "pyarrow": _pyarrow,
    "pandas": _pandas,
    "polars": _polars,
    "cloudburst.deferred": _deferred,
}
