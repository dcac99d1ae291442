"""What is known of a value before it is worked out: that it is a frame, and of which columns and dtypes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

Kind = Literal[
    "", "frame", "series", "index", "groups", "column groups", "rows", "window", "accessor", "scalar", "array", "truths"
]
"""Empty for what is not known; ``groups`` is a frame's group-by, ``column groups`` that of one column of it, ``rows``
its ``loc``, ``window`` a series' ``rolling``, ``accessor`` its ``str`` or ``dt``, ``array`` one of NumPy's, ``truths``
what a series compared with something unknown gives: a series or frame of truth values."""


class Known(NamedTuple):
    """What is known of a value. What is said here is certain: a value of another type or dtype would be an error."""

    kind: Kind = ""
    columns: Mapping[str, str] | None = None
    """Of a frame, and of the frame beneath groups and rows: dtypes by label, in order, in pandas' words, empty where
    one is not known and ``"mask"`` as below; ``None`` where it is not known which there are. Labels are distinct and
    all of them ``str``."""
    dtype: str = ""
    """Of a series, index or scalar, and of the series beneath an accessor; empty where it is not known, ``"mask"``
    where it is one of pandas' dtypes of truth values, but not known which."""
    keys: tuple[str, ...] | None = None
    """Of groups: the columns by which they are made, where these are all that they are made by."""
    labels: tuple[tuple[str, str], ...] | None = None
    """Of the rows of a frame or series: the levels of its index, each as its name and its dtype, empty where one is not
    known; none for one level of ``int64`` without a name, as a range is, ``None`` where it is not known. Names are
    distinct and all ``str``."""
    name: str | None = None
    """Of a series, where it has a name that is known."""
    rows: bytes = b""
    """Of a frame or series: the key of the value that has these very row labels, in this order; empty for its own."""


NOTHING = Known()
"""Nothing is known."""

Knowledge = Mapping[bytes, Known]
"""By a node's key."""
