"""What is left out of an image: what a worker never opens, such as tests, headers and symbols for debuggers."""

from __future__ import annotations

import glob
import re
import struct
from pathlib import Path

_UNUSED = re.compile(
    r"""
    __pycache__/ | \.py[co]$ | \.pyi$ | ^site-packages/\.lock$
    | \.dist-info/(?:uv_cache\.json|uv_build\.json|direct_url\.json)$
    | ^site-packages/(?:matplotlib|mpl_toolkits|numpy|pandas|pyarrow|scipy|sklearn|statsmodels)/(?:.+/)?tests/(?!_)
    | ^site-packages/pyarrow/(?:include|includes|src)/
    | ^site-packages/pyarrow/[^/]*(?:flight|_pyarrow_cpp_tests)[^/]*$
    | ^site-packages/numpy/(?:_core/include|f2py/src)/
    | ^site-packages/(?:numpy|pandas|pyarrow)/.+\.p(?:yx|xd|xi)$
    | ^site-packages/botocore/data/.+/examples-1\.json$
    | ^site-packages/matplotlib/mpl-data/sample_data/
    | ^site-packages/cloudburst/testing/
    | ^\. | ^include/
    """,
    re.VERBOSE,
)
_COMPILED = frozenset({".c", ".cpp", ".pyx"})
"""What an extension was compiled from, where it lies beside it."""
_LIBRARY = re.compile(r"\.so(?:\.\d+)*$")

_ELF_64_LITTLE = b"\x7fELF\x02\x01"
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")


def is_unused(path: Path, name: str) -> bool:
    """Whether a worker has no use for a file.

    Parameters
    ----------
    path : Path
        Where it is.
    name : str
        Its name among all that is installed.

    Examples
    --------
    >>> is_unused(Path("x"), "site-packages/pandas/tests/test_a.py")
    True
    >>> is_unused(Path("x"), "site-packages/mine/tests/test_a.py")
    False
    >>> is_unused(Path("x"), "site-packages/cloudburst/testing/fake.py")
    True
    """
    is_source = path.suffix in _COMPILED and any(path.parent.glob(f"{glob.escape(path.stem)}.*.so"))
    return is_source or _UNUSED.search(name) is not None


def trimmed(name: str, content: bytes) -> bytes:
    """A file as it goes into the image: a shared library ends where the last of it ends that is loaded.

    Behind that stand symbols for debuggers and linkers, which a loader never looks at; a fifth of pyarrow is that.
    """
    if not _LIBRARY.search(name) or not content.startswith(_ELF_64_LITTLE) or len(content) < _HEADER.size:
        return content
    fields = list(_HEADER.unpack_from(content))
    segments_at, sections_at = fields[5], fields[6]
    segment_size, segments, section_size, sections = fields[9], fields[10], fields[11], fields[12]
    if segment_size != _SEGMENT.size or sections_at + section_size * sections != len(content):
        return content  # something else is behind it, which may be read
    ends = [segments_at + segments * segment_size]
    for number in range(segments):
        segment = _SEGMENT.unpack_from(content, segments_at + number * segment_size)
        ends.append(segment[2] + segment[5])
    if max(ends) > sections_at:
        return content
    fields[6] = fields[12] = fields[13] = 0  # there is no table of sections
    return _HEADER.pack(*fields) + content[_HEADER.size : max(ends)]
