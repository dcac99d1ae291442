"""Servers that speak S3, on loopback: moto's, in this process, and Ceph's radosgw, which is a real one."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

PROGRAMS = ("ceph-mon", "ceph-osd", "ceph-authtool", "monmaptool", "ceph", "radosgw", "radosgw-admin")
_UP_S = 90


class Server(NamedTuple):
    """Where it is and who may speak to it."""

    endpoint_url: str
    access_key: str
    secret_key: str

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to be let in, and nowhere else."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def client(self) -> Any:
        """A client of boto3's for it, with settings of its own."""
        import boto3
        from botocore.config import Config

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint_url,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}, request_checksum_calculation="when_required"),
        )


def let_in(monkeypatch: Any, server: Server) -> None:
    """Have all that speaks to AWS in a test use this server's credentials, and nobody else's."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)


@contextmanager
def moto() -> Iterator[Server]:
    """moto's server."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield Server(f"http://{host}:{port}", "testing", "testing")
    finally:
        server.stop()


def missing_programs() -> list[str]:
    """Programs that :func:`radosgw` needs and this machine lacks."""
    return [program for program in PROGRAMS if shutil.which(program) is None]


@contextmanager
def radosgw(directory: Path) -> Iterator[Server]:
    """Ceph's radosgw with one monitor and one object daemon in memory, all in this directory."""
    monitor, gateway = _free_port(), _free_port()
    ceph = _Ceph(directory, monitor)
    ceph.write_settings()
    try:
        ceph.start_monitor()
        ceph.start_object_daemon()
        ceph.start("radosgw", "-n", "client.admin", "--rgw-frontends", f"beast endpoint=127.0.0.1:{gateway}")
        access_key, secret_key = secrets.token_hex(10), secrets.token_hex(20)
        ceph.run(
            "radosgw-admin", "user", "create", "--uid=tester", "--display-name=tester",
            f"--access-key={access_key}", f"--secret-key={secret_key}",
        )  # fmt: skip
        ceph.wait_for(gateway)
        yield Server(f"http://127.0.0.1:{gateway}", access_key, secret_key)
    finally:
        ceph.stop()


class _Ceph:
    """The smallest cluster there is."""

    def __init__(self, directory: Path, monitor: int) -> None:
        self._directory = directory
        self._monitor = f"[v2:127.0.0.1:{monitor}]"
        self._cluster = str(uuid4())
        self._daemons: list[subprocess.Popen[bytes]] = []

    def write_settings(self) -> None:
        options = {
            "fsid": self._cluster,
            "mon_host": self._monitor,
            "public_addr": "127.0.0.1",
            "ms_bind_msgr1": "false",
            "paxos_propose_interval": "0.05",
            "mon_allow_pool_size_one": "true",
            "osd_pool_default_size": "1",
            "osd_pool_default_min_size": "1",
            "osd_pool_default_pg_num": "4",
            "osd_pool_default_pg_autoscale_mode": "off",
            "osd_crush_chooseleaf_type": "0",
            "osd_objectstore": "memstore",
            "memstore_device_bytes": str(4 << 30),
            "run_dir": self._directory,
            "crash_dir": self._directory,
            "admin_socket": "",
            "pid_file": "",
            "log_file": self._directory / "$name.log",
            "mon_cluster_log_file": self._directory / "cluster.log",
            "mon_data": self._directory / "mon",
            "osd_data": self._directory / "osd",
            "rgw_data": self._directory / "rgw",
            "keyring": self._directory / "keyring",
        }
        lines = ["[global]", *(f"{name} = {value}" for name, value in options.items())]
        (self._directory / "ceph.conf").write_text("\n".join(lines) + "\n")
        for name in ("mon", "osd", "rgw"):
            (self._directory / name).mkdir()

    def start_monitor(self) -> None:
        keyring = "--create-keyring", "keyring", "--gen-key", "-n"
        self.run("ceph-authtool", *keyring, "mon.", "--cap", "mon", "allow *", settings=False)
        for name, mon_may in (("client.admin", "allow *"), ("osd.0", "allow profile osd")):
            caps = "--cap", "mon", mon_may, "--cap", "osd", "allow *"
            self.run("ceph-authtool", *keyring[1:], name, *caps, settings=False)
        self.run(
            "monmaptool", "--create", "--fsid", self._cluster, "--addv", "a", self._monitor, "monmap", settings=False
        )
        self.run("ceph-mon", "--mkfs", "-i", "a", "--monmap", "monmap", "--keyring", "keyring")
        self.start("ceph-mon", "-i", "a")

    def start_object_daemon(self) -> None:
        name = str(uuid4())
        self.run("ceph", "osd", "new", name)
        self.run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", name)
        self.start("ceph-osd", "-i", "0")

    def run(self, program: str, *arguments: str, settings: bool = True) -> None:
        command = [program, *(["-c", "ceph.conf"] if settings else []), *arguments]
        done = subprocess.run(command, cwd=self._directory, capture_output=True, text=True, timeout=_UP_S)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"

    def start(self, program: str, *arguments: str) -> None:
        with (self._directory / f"{program}.out").open("wb") as out:
            command = [program, "-c", "ceph.conf", "-f", *arguments]
            self._daemons.append(subprocess.Popen(command, cwd=self._directory, stdout=out, stderr=out))

    def wait_for(self, port: int) -> None:
        end = time.monotonic() + _UP_S
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return
            assert self._daemons[-1].poll() is None, (self._directory / "radosgw.out").read_text()
            assert time.monotonic() < end, f"radosgw does not answer: see {self._directory}"
            time.sleep(0.1)

    def stop(self) -> None:
        for daemon in reversed(self._daemons):
            daemon.kill()
            daemon.wait()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
