"""What goes wrong on AWS, by name: each row of what is known of ECS, Fargate and S3 is one fault.

``Faults`` (in ``script``) says which of them are to happen, and when.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

When = Literal["asked", "starting", "running", "seen", "called"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to go wrong.

    Attributes
    ----------
    name : str
        Under which ``FakeAWS.met`` counts it.
    when : str
        ``asked``: RunTask answers with it. ``starting``: the task does not come to run, or late. ``running``: its
        program is ended. ``seen``: only DescribeTasks looks strange. ``called``: an API call goes wrong.
    reason, stop_code, container_reason, exit_code
        What DescribeTasks, or the call, says of it.
    after_s : float
        Fake seconds that pass first: since the program began, or since it began the stage.
    notice_s : float
        Fake seconds between SIGTERM and SIGKILL; 0 is SIGKILL at once.
    code, status
        Of an API error.
    """

    name: str
    when: When
    reason: str = ""
    stop_code: str = ""
    container_reason: str = ""
    exit_code: int | None = None
    after_s: float = 0.0
    notice_s: float = 0.0
    code: str = ""
    status: int = 400

    def __repr__(self) -> str:
        usual = ALL.get(self.name, self).after_s
        return self.name if self.after_s == usual else f"{self.name}.after({self.after_s:g})"

    def after(self, seconds: float) -> Fault:
        """The same fault with another delay.

        >>> SPOT_LOSS.after(30)
        SPOT_LOSS.after(30)
        """
        return replace(self, after_s=seconds)


def _unstarted(name: str, reason: str) -> Fault:
    return Fault(name, "starting", reason, stop_code="TaskFailedToStart")


def _died(name: str, exit_code: int, reason: str = "Essential container in task exited") -> Fault:
    return Fault(name, "running", reason, stop_code="EssentialContainerExited", exit_code=exit_code)


MEMORY_REASON = "OutOfMemoryError: Container killed due to memory usage"
_PULL = "CannotPullContainerError: pull image manifest has been retried {} time(s): failed to resolve ref {{image}}: "
_HEAD = 'failed to do request: Head "https://{registry}/v2/": '

# RunTask answers 200, with failures[].
CAPACITY = Fault(
    "CAPACITY",
    "asked",
    "Capacity is unavailable at this time. Please try again later or in a different availability zone",
)
"""RunTask finds no capacity for the machine just now."""
QUOTA = Fault("QUOTA", "asked", "You’ve reached the limit on the number of vCPUs you can run concurrently")
"""RunTask says that the account's quota of vCPUs is used up."""
ABOVE_LIMIT = Fault("ABOVE_LIMIT", "asked", "The requested CPU configuration is above your limit")
"""RunTask says that this account can never have a machine of that size."""

# The task does not come to run, or late.
NEVER_STARTS = Fault("NEVER_STARTS", "starting")
"""The machine is granted, and does not come up."""
SLOW_START = Fault("SLOW_START", "starting", after_s=120.0)
"""The machine comes up, two minutes late."""
ENI_TIMEOUT = _unstarted("ENI_TIMEOUT", "Timeout waiting for network interface provisioning to complete.")
"""The machine gets no network interface in time."""
STORAGE_TIMEOUT = _unstarted("STORAGE_TIMEOUT", "Timeout waiting for EphemeralStorage provisioning to complete.")
"""The machine gets no disk in time."""
START_ERROR = _unstarted("START_ERROR", "InternalError: unable to create container due to internal error")
"""A fault of AWS's own keeps the container from being made."""
PULL_TIMEOUT = _unstarted("PULL_TIMEOUT", _PULL.format(5) + _HEAD + "dial tcp 10.0.1.7:443: i/o timeout")
"""The registry does not answer while the image is pulled."""
PULL_NOT_FOUND = _unstarted("PULL_NOT_FOUND", _PULL.format(1) + "{image}: not found")
"""The image is not in the registry."""
PULL_DENIED = _unstarted(
    "PULL_DENIED", _PULL.format(1) + "unexpected status from HEAD request to https://{registry}/v2/: 403 Forbidden"
)
"""The execution role may not pull the image."""
RESOURCE_INITIALIZATION = _unstarted(
    "RESOURCE_INITIALIZATION",
    "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable "
    "to retrieve ecr registry auth: service call has been retried 3 time(s): RequestError: send request failed caused "
    'by: Post "https://api.ecr.{region}.amazonaws.com/": dial tcp 10.0.1.9:443: i/o timeout',
)
"""What the start takes cannot be fetched: a subnet without a way out."""
NO_LOG_GROUP = _unstarted(
    "NO_LOG_GROUP",
    "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed to "
    "create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist. : exit status 1",
)
"""The log group is not there."""
EXEC_FORMAT = Fault(
    "EXEC_FORMAT",
    "starting",
    "Essential container in task exited",
    stop_code="EssentialContainerExited",
    exit_code=255,
)
"""The image is for another kind of CPU."""

# The program is ended.
SPOT_LOSS = Fault("SPOT_LOSS", "running", "Your Spot Task was interrupted.", "SpotInterruption", notice_s=120.0)
"""Spare capacity is taken back, with two minutes' notice."""
SPOT_KILLED = Fault("SPOT_KILLED", "running", "Your Spot Task was interrupted.", "SpotInterruption", exit_code=137)
"""Spare capacity is taken back, without a notice that would help."""
TERMINATION_NOTICE = Fault(
    "TERMINATION_NOTICE",
    "running",
    "Task was stopped because its host is going to be retired.",
    "TerminationNotice",
    notice_s=120.0,
)
"""The host is going to be retired: two minutes' notice."""
HOST_FAULT = Fault(
    "HOST_FAULT", "running", "Task stopped due to an underlying infrastructure failure.", "InfrastructureHealth"
)
"""The host under the machine fails."""
KILLED = _died("KILLED", 137)
"""The worker's program is killed by SIGKILL."""
SEGFAULT = _died("SEGFAULT", 139)
"""The worker's program crashes in native code."""
OUT_OF_MEMORY = replace(_died("OUT_OF_MEMORY", 137, MEMORY_REASON), container_reason=MEMORY_REASON)
"""The container is killed for the memory that it uses."""

# The program is not touched: DescribeTasks alone looks strange.
MISSING = Fault("MISSING", "seen", after_s=10.0)
"""DescribeTasks does not know the task for its first ten seconds."""
MEMORY_FLAG_STICKS = Fault("MEMORY_FLAG_STICKS", "seen", container_reason=MEMORY_REASON)
"""DescribeTasks says of the task, however it ended, that it ran out of memory."""
AGED_OUT = Fault("AGED_OUT", "seen")
"""DescribeTasks has forgotten a task that has ended."""

# API calls.
THROTTLED = Fault("THROTTLED", "called", "Rate exceeded", code="ThrottlingException")
"""The call is refused because there are too many."""
SLOW_DOWN = Fault("SLOW_DOWN", "called", "Please reduce your request rate.", code="SlowDown", status=503)
"""S3 asks for fewer calls."""
SERVER_ERROR = Fault(
    "SERVER_ERROR", "called", "We encountered an internal error. Please try again.", code="ServerException", status=500
)
"""AWS has a fault of its own."""
EXPIRED = Fault(
    "EXPIRED", "called", "The security token included in the request is expired", code="ExpiredTokenException"
)
"""The credentials have expired."""
SKEWED = Fault(
    "SKEWED", "called", "Signature expired: the clocks are more than 5 minutes apart", code="InvalidSignatureException"
)
"""The clock of this machine is wrong."""
DENIED = Fault("DENIED", "called", "User is not authorized to perform: {action}", code="AccessDeniedException")
"""The credentials may not make this call."""
LOST_ANSWER = Fault("LOST_ANSWER", "called")
"""The call is carried out, and its answer never comes."""
SLOW = Fault("SLOW", "called", after_s=1.0)
"""The answer takes a second."""

ALL = {fault.name: fault for fault in list(globals().values()) if isinstance(fault, Fault)}
"""Every fault by its name."""

S3_CODES = {
    "ThrottlingException": ("SlowDown", 503),
    "ServerException": ("InternalError", 500),
    "ExpiredTokenException": ("ExpiredToken", 400),
    "InvalidSignatureException": ("RequestTimeTooSkewed", 403),
    "AccessDeniedException": ("AccessDenied", 403),
}
"""How S3 calls what the other services call so."""
