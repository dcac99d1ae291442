"""Registries for tests: one that the engine takes for this account's ECR, where there is one, and a plain one."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cloudburst.testing.account import ID

ECR = "http://127.0.0.1"
"""Where it answers this process."""
_PATIENCE_S = 60.0


def registry_as_ecr() -> str:
    """The address of a registry that the engine knows under the name of the fake account's; skipped without."""
    if not os.environ.get("CLOUDBURST_TEST_REGISTRY", "").startswith(f"{ID}.dkr.ecr."):
        pytest.skip("no registry here that the engine takes for ECR")
    return ECR


@contextmanager
def plain_registry(directory: Path) -> Iterator[str]:
    """A registry without passwords on a free port, from Debian's ``docker-registry``; skipped without."""
    program = shutil.which("docker-registry")
    if program is None:
        pytest.skip("docker-registry is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"localhost:{free.getsockname()[1]}"
    settings = directory / "registry.yml"
    settings.write_text(
        "version: 0.1\n"
        f"storage: {{filesystem: {{rootdirectory: {directory / 'images'}}}}}\n"
        f"http: {{addr: '{address.replace('localhost', '127.0.0.1')}'}}\n"
    )
    with (directory / "log").open("w") as log:
        process = subprocess.Popen([program, "serve", str(settings)], stdout=log, stderr=log)
    try:
        _wait_for(f"http://{address}/v2/")
        yield address
    finally:
        process.terminate()
        process.wait()


def _wait_for(url: str) -> None:
    end = time.monotonic() + _PATIENCE_S
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except urllib.error.URLError:
            assert time.monotonic() < end, f"no answer from {url}"
            time.sleep(0.05)
        else:
            return
