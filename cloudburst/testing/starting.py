"""Whether a task could start on AWS: its image, its architecture, its log group."""

from __future__ import annotations

from cloudburst.testing import faults
from cloudburst.testing.account import Account
from cloudburst.testing.faults import Fault
from cloudburst.testing.tasks import Task

_ARCHITECTURES = {"X86_64": "amd64", "ARM64": "arm64"}


def what_prevents(task: Task, account: Account) -> Fault | None:
    """The fault that the task itself makes, if any: settings that RunTask takes and that do not work."""
    try:
        config = account.image_config(task.image)
    except LookupError:
        return faults.PULL_NOT_FOUND
    if task.log is not None and task.log[0] not in account.logs.groups:
        return faults.NO_LOG_GROUP
    if config is not None and config["architecture"] != _ARCHITECTURES.get(task.architecture):
        return faults.EXEC_FORMAT
    return None


def worded(fault: Fault, task: Task, account: Account) -> str:
    """The reason with this task's names in it."""
    registry = task.image.partition("/")[0]
    words = {"{image}": task.image, "{registry}": registry, "{region}": account.region}
    reason = fault.reason
    for word, name in words.items():
        reason = reason.replace(word, name)
    return reason
