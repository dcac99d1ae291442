"""Pipelines in local containers: what AWS will do, on this machine."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from cloudburst.providers.local import private_directory
from cloudburst.providers.remote import RemoteProvider
from cloudburst.resources import Size
from cloudburst.settings.checks import DEFAULT_CPU, DEFAULT_MEMORY
from cloudburst.settings.docker import DockerSettings

if TYPE_CHECKING:
    from cloudburst.runtime.backends.docker import DockerFleet
    from cloudburst.runtime.pool import Pool
    from cloudburst.runtime.protocols import Store


class DockerProvider(RemoteProvider):
    """One container for each worker, and a directory between them."""

    default_size = Size(DEFAULT_CPU, DEFAULT_MEMORY)

    def __init__(self, settings: DockerSettings) -> None:
        super().__init__(settings.image, settings.max_workers, settings.linger_s, None)
        self.settings = settings
        self._private: Path | None = None

    def __repr__(self) -> str:
        return f"<Docker provider: {self.settings.max_workers} containers of {self.settings.image}>"

    def _directory(self) -> Path:
        if self.settings.storage is not None:
            return self.settings.storage
        if self._private is None:
            self._private = private_directory(Path(tempfile.gettempdir()))
        return self._private

    def _open_store(self) -> Store:
        from cloudburst.runtime.stores.local import LocalStore

        return LocalStore(self._directory(), shared=True)

    def _fleet(self, pool: Pool) -> DockerFleet:
        from cloudburst.runtime.backends.docker import DockerFleet

        return DockerFleet(self.settings.image, pool.id, pool.variable, self._directory(), engine=self.settings.engine)

    def _check_before_launch(self) -> None:
        from cloudburst.runtime.backends.docker import image_labels
        from cloudburst.runtime.greeting import check_python

        labels = image_labels(self.settings.image, engine=self.settings.engine)
        if python := labels.get("org.cloudburst.python"):
            check_python(self.settings.image, python)

    def close(self) -> None:
        """End all workers and remove the private directory."""
        super().close()
        private, self._private = self._private, None
        if private is not None:
            shutil.rmtree(private, ignore_errors=True)
