"""Files that lie elsewhere as a file system of Arrow's, so that pandas reads them by its own code.

Loads pyarrow: it is imported where such files are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
from pyarrow import fs

from cloudburst.runtime.sources.held import Held


class _Files(fs.FileSystemHandler):  # type: ignore[misc]
    """Just these files: nothing else can be seen in it, and nothing written."""

    def __init__(self, files: Mapping[str, Held]) -> None:
        self._files = files

    def get_type_name(self) -> str:
        return "source"

    def normalize_path(self, path: str) -> str:
        return path

    def get_file_info(self, paths: list[str]) -> list[Any]:
        return [self._info(path) for path in paths]

    def open_input_file(self, path: str) -> Any:
        return self._files[path].file()

    def _refuse(self, *_arguments: object) -> None:
        raise pa.ArrowNotImplementedError("a source is only read")

    # Arrow's own class asks for all of these.
    get_file_info_selector = open_input_stream = open_output_stream = open_append_stream = _refuse
    create_dir = delete_dir = delete_dir_contents = delete_root_dir_contents = delete_file = _refuse
    move = copy_file = _refuse

    def _info(self, path: str) -> Any:
        if path in self._files:
            return fs.FileInfo(path, fs.FileType.File, size=self._files[path].size)
        return fs.FileInfo(path, fs.FileType.NotFound)


def filesystem(files: Mapping[str, Held]) -> Any:
    """These files, by their paths, as a file system of Arrow's."""
    return fs.PyFileSystem(_Files(files))
