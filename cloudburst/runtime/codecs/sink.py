"""A file for Arrow to write to that keeps the buffers it is given instead of copying them."""

from __future__ import annotations

from typing import Any

from cloudburst.runtime.protocols import Buffer


class Sink:
    """Collects what is written, as parts for a store."""

    closed = False

    def __init__(self) -> None:
        self.parts: list[Buffer] = []

    def file(self) -> Any:
        """The sink as a file of Arrow's."""
        import pyarrow as pa

        return pa.PythonFile(self, mode="w")

    def write(self, data: Any) -> int:
        """Keep a piece."""
        self.parts.append(data if isinstance(data, bytes) else memoryview(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Nothing is held open."""
        self.closed = True
