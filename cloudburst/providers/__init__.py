"""Providers: where pipelines run. The one on this machine needs no set-up and is the default."""

from __future__ import annotations

import atexit
import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Literal, TypeVar

from cloudburst.providers.base import Provider
from cloudburst.providers.local import LocalProvider
from cloudburst.settings import local_settings

if TYPE_CHECKING:
    from cloudburst.providers.aws import AwsProvider
    from cloudburst.providers.docker import DockerProvider

_P = TypeVar("_P", bound=Provider)

_lock = threading.Lock()
_current: Provider | None = None
_using: ContextVar[Provider | None] = ContextVar("cloudburst provider", default=None)


def init_local(
    *,
    workers: int | None = None,
    memory: int | str | None = None,
    storage: str | os.PathLike[str] | None = None,
) -> LocalProvider:
    """Run pipelines in worker processes on this machine; without a call, that is what happens, with the defaults.

    Parameters
    ----------
    workers : int, optional
        Worker processes at once; as many as this process may use CPUs by default.
    memory : int or str, optional
        What all tasks that run at once may claim together, in MiB or as text such as ``"8 GB"``; what the machine has
        by default. A task that asks for more than that runs alone.
    storage : path, optional
        A directory for what passes between tasks, and for cached results, which are then there for later programs too.
        By default a private one, in memory as long as there is room, that goes with the program.

    Returns
    -------
    LocalProvider
        Current from now on; it can be given to ``cb.using`` too.

    Raises
    ------
    SettingsError
        Naming the setting that is wrong.

    Examples
    --------
    >>> import cloudburst as cb
    >>> provider = cb.init_local(workers=2, memory="2 GB")
    >>> provider.settings.workers
    2
    """
    return _made_current(LocalProvider(local_settings(workers, memory, storage)))


def init_docker(
    *,
    image: str,
    max_workers: int | None = None,
    linger: float | None = None,
    storage: str | os.PathLike[str] | None = None,
    engine: str | None = None,
) -> DockerProvider:
    """Run each stage in a local container of its size: what AWS will do, on this machine.

    Parameters
    ----------
    image : str
        An image made for workers (see ``docker/README.md``), known to the engine on this machine.
    max_workers : int, optional
        Containers at once; as many as this process may use CPUs by default.
    linger : float, optional
        Seconds that a container without a task waits for another; 0 gives every task a container of its own.
    storage : path, optional
        A directory for what passes between tasks, mounted into the containers. By default a private one.
    engine : str, optional
        ``"docker"`` or ``"podman"``; the first of them that is there by default.

    Returns
    -------
    DockerProvider
        Current from now on; it can be given to ``cb.using`` too.

    Raises
    ------
    SettingsError
        Naming the setting that is wrong.

    Examples
    --------
    ``cb.init_docker(image="cloudburst-worker:latest")``
    """
    from cloudburst.providers.docker import DockerProvider
    from cloudburst.settings.docker import docker_settings

    return _made_current(DockerProvider(docker_settings(image, max_workers, linger, storage, engine)))


def init_aws(
    *,
    profile: str | None = None,
    storage_bucket: str | None = None,
    compute_cluster: str | None = None,
    compute_subnets: Sequence[str] | None = None,
    compute_image: str | None = None,
    compute_execution_role: str | None = None,
    compute_task_role: str | None = None,
    compute_assign_public_ip: bool | None = None,
    compute_security_groups: Sequence[str] | None = None,
    region: str | None = None,
    storage_prefix: str | None = None,
    storage_kms_key: str | None = None,
    spot: bool | None = None,
    architecture: Literal["X86_64", "ARM64"] | None = None,
    max_workers: int | None = None,
    linger: float | None = None,
    keep_warm: float | None = None,
    log_group: str | None = None,
    tags: Mapping[str, str] | None = None,
    default_cpu: int | str | None = None,
    default_memory: int | str | None = None,
    endpoint_url: str | None = None,
) -> AwsProvider:
    """Run pipelines on AWS Fargate: one machine of the right size for each piece of work, and S3 between them.

    What is not given is looked for in variables (``CLOUDBURST_STORAGE_BUCKET``, …), then under ``[tool.cloudburst]``
    in the nearest pyproject.toml, then in a profile as ``cloudburst setup`` writes it: after that ``cb.init_aws()``
    needs no argument. ``cloudburst config`` shows each value and where it stands.

    Nothing is asked of AWS before the first run. Credentials are those that boto3 finds.

    Parameters
    ----------
    profile : str, optional
        The profile to use: that of ``CLOUDBURST_PROFILE``, else the one that the project names, else ``default``.
    storage_bucket : str
        The S3 bucket for what passes between tasks.
    compute_cluster : str
        Name or ARN of the ECS cluster.
    compute_subnets : list of str
        Subnets that machines are started in. Nothing connects to them from outside; they need a way to S3, to the
        image's registry and, with ``log_group``, to CloudWatch: a public address, a NAT gateway or endpoints.
    compute_image : str
        The workers' image, with its tag (see ``docker/README.md``). With ``"auto"`` the first run sees to it that an
        image of this environment is in this account's ECR, as ``cb.image.build()`` does, and uses that.
    compute_execution_role : str
        ARN of the role with which ECS pulls the image and writes logs.
    compute_task_role : str
        ARN of the role of the workers: it has to read and write the bucket. ``docs/iam`` has the least policies.
    compute_assign_public_ip : bool
        Give machines a public address, as subnets without a NAT gateway need. Off by default.
    compute_security_groups : list of str, optional
        The default one of the VPC is used without.
    region : str, optional
        Where all of this is: that of ``AWS_REGION`` or of your AWS profile, where no other place names one.
    storage_prefix : str, optional
        What all keys in the bucket begin with.
    storage_kms_key : str, optional
        The KMS key that objects are encrypted with; the bucket's own way by default.
    spot : bool
        Use spare capacity, at less than half the price, which may be taken back. Off by default; stages may say
        otherwise.
    architecture : str
        ``"X86_64"``, the default, or ``"ARM64"``, as the image was built.
    max_workers : int
        Machines at once, 100 by default.
    linger : float, optional
        Seconds that a machine without a task waits for another, and in any case to the end of its first minute, which
        is paid anyway. 10 by default; 0 gives every task a machine of its own.
    keep_warm : float, optional
        Seconds that machines wait for the next run; without it they end with the run, unless ``cb.using`` holds them.
    log_group : str, optional
        A CloudWatch log group for what workers print.
    tags : dict, optional
        Tags of all machines, beside our own.
    default_cpu, default_memory : int or str
        The size of what has none of its own; 2048 and 8192 by default.
    endpoint_url : str, optional
        Of a service that plays AWS, for tests.

    Returns
    -------
    AwsProvider
        Current from now on; it can be given to ``cb.using`` too.

    Raises
    ------
    SettingsError
        Naming the setting that is wrong. What only AWS can tell comes with the first run, before anything is started.

    Examples
    --------
    >>> import cloudburst as cb
    >>> from cloudburst.testing import FakeAWS
    >>> with FakeAWS() as aws, cb.using(cb.init_aws(**aws.settings)):
    ...     cb.defer(sum)([1, 2]).compute()
    3
    """
    given = dict(locals())
    from cloudburst.providers.aws import AwsProvider
    from cloudburst.settings.aws import aws_settings

    return _made_current(AwsProvider(aws_settings(**given)))


def _made_current(provider: _P) -> _P:
    global _current
    with _lock:
        before, _current = _current, provider
    if before is not None:
        before.close()
    return provider


def current() -> Provider:
    """The provider that a run uses which starts now."""
    global _current
    used = _using.get()
    if used is not None:
        return used
    with _lock:
        if _current is None:
            _current = LocalProvider(local_settings())
        return _current


@contextmanager
def using(provider: _P) -> Iterator[_P]:
    """Use a provider for the runs of a block; its workers stay up from one to the next and end with the block.

    On AWS they wait for the next run as long as ``linger`` and ``keep_warm`` say, and to the end of their first minute.

    Examples
    --------
    >>> import cloudburst as cb
    >>> with cb.using(cb.init_local(workers=1)):
    ...     cb.defer(sum)([1, 2]).compute()
    3
    """
    token = _using.set(provider)
    provider.hold()
    try:
        yield provider
    finally:
        _using.reset(token)
        provider.close()


def _close_at_exit() -> None:
    with _lock:
        provider = _current
    if provider is not None:
        with _uninterrupted():
            provider.close()


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C is not heard while what must go is going."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


atexit.register(_close_at_exit)
