"""One CloudFormation stack: how it stands, what a template would change in it, and waiting until that is done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from cloudburst.aws.access import Access, code_of, plainly
from cloudburst.errors import SetupError

TAG = "cloudburst-setup"
"""The tag of all that a stack makes, with the stack's name as its value."""

_POLL_S = 2.0
_STACK = "AWS::CloudFormation::Stack"
_NO_CHANGE = ("didn't contain changes", "No updates are to be performed", "no updates are to be performed")


class State(NamedTuple):
    """How a stack stands."""

    id: str
    status: str
    reason: str
    parameters: Mapping[str, str]
    outputs: Mapping[str, str]
    tags: Mapping[str, str]

    @property
    def is_moving(self) -> bool:
        """Whether AWS is at it."""
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"

    @property
    def is_leftover(self) -> bool:
        """Whether nothing can be done with it but deleting it."""
        return self.status in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED")

    @property
    def is_empty(self) -> bool:
        """Whether it was only ever asked about."""
        return self.status == "REVIEW_IN_PROGRESS"


class Change(NamedTuple):
    """What would happen to one thing."""

    action: str
    """``Add``, ``Modify``, ``Remove``, …"""
    name: str
    """Its name in the template."""
    kind: str
    physical: str
    replaces: bool
    """Whether a new one takes its place."""


class Event(NamedTuple):
    """What happened to one thing."""

    id: str
    name: str
    kind: str
    physical: str
    status: str
    reason: str

    @property
    def is_failure(self) -> bool:
        """Whether something went wrong."""
        return self.status.endswith("_FAILED")


class Stack:
    """A stack by its name.

    Parameters
    ----------
    access : Access
        The account.
    name : str
        The stack's.
    scale : float
        Real seconds to one of AWS.
    """

    def __init__(self, access: Access, name: str, scale: float = 1.0) -> None:
        self._access = access
        self.name = name
        self._pause_s = _POLL_S * scale

    def pause(self) -> None:
        """Let some time pass before AWS is asked again."""
        time.sleep(self._pause_s)

    @property
    def _api(self) -> Any:
        return self._access("cloudformation")

    def state(self, id: str | None = None) -> State | None:  # noqa: A002
        """How it stands; ``None`` if there is no such stack. By its id also one that is deleted."""
        from botocore.exceptions import ClientError

        with plainly(f"describe the stack {self.name}"):
            try:
                found = self._api.describe_stacks(StackName=id or self.name)["Stacks"][0]
            except ClientError as error:
                if code_of(error) == "ValidationError" and "does not exist" in str(error):
                    return None
                raise
        if id is None and found["StackStatus"] == "DELETE_COMPLETE":
            return None
        return State(
            found["StackId"],
            found["StackStatus"],
            found.get("StackStatusReason", ""),
            {one["ParameterKey"]: one.get("ParameterValue", "") for one in found.get("Parameters", ())},
            {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", ())},
            {one["Key"]: one["Value"] for one in found.get("Tags", ())},
        )

    def propose(self, template: str, parameters: Mapping[str, str], *, is_new: bool) -> tuple[str, list[Change]]:
        """Have AWS work out what a template would change, without changing anything: a change set and what is in it.

        Raises
        ------
        SetupError
            If AWS does not take the template.
        """
        with plainly(f"prepare the stack {self.name}"):
            made = self._api.create_change_set(
                StackName=self.name,
                ChangeSetName=f"cloudburst-{int(time.time() * 1000)}",
                ChangeSetType="CREATE" if is_new else "UPDATE",
                TemplateBody=template,
                Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
                Capabilities=["CAPABILITY_NAMED_IAM"],
                Tags=[{"Key": TAG, "Value": self.name}],
                Description="cloudburst setup",
            )["Id"]
            while True:
                told = self._api.describe_change_set(ChangeSetName=made, StackName=self.name)
                if told["Status"] not in ("CREATE_PENDING", "CREATE_IN_PROGRESS"):
                    break
                time.sleep(self._pause_s)
            reason = told.get("StatusReason", "")
            if told["Status"] == "FAILED":
                self.withdraw(made)
                if any(words in reason for words in _NO_CHANGE):
                    return "", []
                raise SetupError(f"CloudFormation does not take the template: {reason.rstrip('.')}.")
            return made, list(self._changes(made, told))

    def _changes(self, change_set: str, told: Mapping[str, Any]) -> Iterator[Change]:
        page = told
        while True:
            for one in page["Changes"]:
                change = one["ResourceChange"]
                yield Change(
                    change["Action"],
                    change["LogicalResourceId"],
                    change["ResourceType"],
                    change.get("PhysicalResourceId", ""),
                    change.get("Replacement") == "True",
                )
            if not page.get("NextToken"):
                return
            page = self._api.describe_change_set(
                ChangeSetName=change_set, StackName=self.name, NextToken=page["NextToken"]
            )

    def withdraw(self, change_set: str, *, with_stack: bool = False) -> None:
        """Take a change set back that is not wanted, and the empty stack that was made for it."""
        with plainly("take the change set back"):
            self._api.delete_change_set(ChangeSetName=change_set, StackName=self.name)
            if with_stack:
                self._api.delete_stack(StackName=self.name)

    def last_event(self) -> str:
        """The id of the newest event; empty if there is none."""
        return next((event.id for event in self._events(self.name)), "")

    def execute(self, change_set: str) -> None:
        """Have AWS make a change set true; it goes on by itself."""
        with plainly(f"change the stack {self.name}"):
            self._api.execute_change_set(ChangeSetName=change_set, StackName=self.name)

    def delete(self) -> None:
        """Have AWS delete the stack; it goes on by itself."""
        with plainly(f"delete the stack {self.name}"):
            self._api.delete_stack(StackName=self.name)

    def resources(self) -> dict[str, str]:
        """What is there of it: the ids of things by their names in the template."""
        with plainly(f"describe the stack {self.name}"):
            found = self._api.describe_stack_resources(StackName=self.name)["StackResources"]
        return {
            one["LogicalResourceId"]: one.get("PhysicalResourceId", "")
            for one in found
            if one["ResourceStatus"] != "DELETE_COMPLETE" and one.get("PhysicalResourceId")
        }

    def settled(self) -> State | None:
        """Wait until AWS is at rest with it, whoever asked for what it is at."""
        while (state := self.state()) is not None and state.is_moving:
            time.sleep(self._pause_s)
        return state

    def wait(self, id: str, since: str, see: Callable[[Event], None]) -> tuple[State, list[Event]]:  # noqa: A002
        """Wait until what was asked of AWS is over; how the stack stands then, and all that happened.

        Parameters
        ----------
        id : str
            The stack's id.
        since : str
            The id of the last event before it.
        see : callable
            Is given each event.
        """
        seen: list[Event] = []
        while True:
            known = {since, *[event.id for event in seen]}
            for event in reversed(list(self._events(id, known))):
                seen.append(event)
                see(event)
            # What describes a stack may be behind: it is over when its own event says so.
            if any(event.kind == _STACK and not event.status.endswith("_IN_PROGRESS") for event in seen):
                state = self.state(id)
                if state is not None and not state.is_moving:
                    return state, seen
            time.sleep(self._pause_s)

    def _events(self, of: str, until: set[str] | None = None) -> Iterator[Event]:
        """The newest first, down to one that is known."""
        with plainly(f"tell what happens to the stack {self.name}"):
            for page in self._api.get_paginator("describe_stack_events").paginate(StackName=of):
                for one in page["StackEvents"]:
                    if until and one["EventId"] in until:
                        return
                    yield Event(
                        one["EventId"],
                        one["LogicalResourceId"],
                        one["ResourceType"],
                        one.get("PhysicalResourceId", ""),
                        one["ResourceStatus"],
                        one.get("ResourceStatusReason", ""),
                    )
