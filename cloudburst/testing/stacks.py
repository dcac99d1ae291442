"""Stacks made, changed and deleted as CloudFormation does it: in order, with events, and back when it fails."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from cloudburst.testing.account import ID
from cloudburst.testing.answers import Refusal
from cloudburst.testing.clock import Clock
from cloudburst.testing.intrinsics import Made, Surround, in_order
from cloudburst.testing.kinds import KINDS, Calls, Exists

STACK = "AWS::CloudFormation::Stack"
_STEP_S = 0.2
"""Fake seconds that a resource takes; on AWS it is rather some."""


@dataclass
class Wanted:
    """A template with the values of its parameters."""

    template: Mapping[str, Any]
    parameters: Mapping[str, Any]
    tags: Mapping[str, str]


@dataclass
class Stack:
    """One stack, and everything that happened to it."""

    name: str
    region: str
    status: str = "REVIEW_IN_PROGRESS"
    reason: str = "User Initiated"
    now: Wanted = field(default_factory=lambda: Wanted({"Resources": {}}, {}, {}))
    made: dict[str, Made] = field(default_factory=dict)
    """By name, in the order in which they were made."""
    properties: dict[str, Any] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    created: str = ""

    def __post_init__(self) -> None:
        self.id = f"arn:aws:cloudformation:{self.region}:{ID}:stack/{self.name}/{uuid.uuid4()}"
        self.created = moment()
        self.tell("", "REVIEW_IN_PROGRESS", "User Initiated")

    def around(self, wanted: Wanted) -> Surround:
        """What a template may refer to as things stand."""
        return Surround(wanted.parameters, self.made, wanted.template, self.region, self.name, self.id)

    def names(self, wanted: Wanted) -> list[str]:
        """The resources of a template whose conditions hold, in order."""
        around, resources = self.around(wanted), wanted.template["Resources"]
        there = [n for n, one in resources.items() if "Condition" not in one or around.holds(one["Condition"])]
        return in_order(wanted.template, there)

    def wanted_properties(self, name: str, wanted: Wanted) -> Any:
        """The properties of a resource with values in the place of functions."""
        return self.around(wanted).resolved(wanted.template["Resources"][name].get("Properties", {}))

    def kind(self, name: str, wanted: Wanted) -> str:
        """The type of a resource."""
        return str(wanted.template["Resources"][name]["Type"])

    def tell(self, name: str, status: str, reason: str = "", kind: str = STACK) -> None:
        """Write an event down; one without a name is the stack's own, which then stands so."""
        if not name:
            self.status, self.reason = status, reason
        physical = self.made[name].physical if name in self.made else ("" if name else self.id)
        self.events.append(
            {
                "StackId": self.id,
                "StackName": self.name,
                "EventId": f"{name or self.name}-{status}-{uuid.uuid4()}",
                "LogicalResourceId": name or self.name,
                "PhysicalResourceId": physical,
                "ResourceType": kind,
                "ResourceStatus": status,
                "Timestamp": moment(),
                **({"ResourceStatusReason": reason} if reason else {}),
            }
        )


def moment() -> str:
    """Now, as CloudFormation writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Builder:
    """Makes, changes and deletes what is in a stack, in a thread of its own each time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._threads: list[threading.Thread] = []

    def start(self, work: Any, *given: Any) -> None:
        """Begin something that goes on by itself."""
        thread = threading.Thread(target=work, args=given, name="cloudburst fake cloudformation", daemon=True)
        self._threads.append(thread)
        thread.start()

    def close(self) -> None:
        """Wait until nothing goes on."""
        for thread in self._threads:
            thread.join()

    def create(self, stack: Stack, wanted: Wanted, calls: Calls) -> None:
        """Make everything in a template; if something fails, take back what was made."""
        stack.now = wanted
        failed = self._make(stack, wanted, stack.names(wanted), calls)
        if not failed:
            stack.tell("", "CREATE_COMPLETE")
            return
        listed = ", ".join(failed)
        stack.tell(
            "",
            "ROLLBACK_IN_PROGRESS",
            f"The following resource(s) failed to create: [{listed}]. Rollback requested by user.",
        )
        left = self._delete(stack, [*stack.made], calls, keeps=("Retain",))
        stack.tell("", "ROLLBACK_FAILED" if left else "ROLLBACK_COMPLETE", _left(left))

    def update(self, stack: Stack, wanted: Wanted, calls: Calls) -> None:
        """Make, change and delete what differs; if something fails, put it back as it was."""
        before, had = stack.now, dict(stack.properties)
        failed: list[str] = []
        for name in stack.names(wanted):
            kind, given = KINDS[stack.kind(name, wanted)], stack.wanted_properties(name, wanted)
            if name not in stack.made or _is_replaced(kind.fixed, had[name], given):
                failed = self._make(stack, wanted, [name], calls, verb="UPDATE" if name in stack.made else "CREATE")
            elif given != had[name]:
                failed = self._change(stack, name, wanted, given, calls)
            if failed:
                break
        if failed:
            reason = f"The following resource(s) failed to update: [{', '.join(failed)}]."
            stack.tell("", "UPDATE_ROLLBACK_IN_PROGRESS", reason)
            for name in [one for one in stack.made if one in had and stack.properties[one] != had[one]]:
                self._change(stack, name, before, had[name], calls)
            self._delete(stack, [one for one in stack.made if one not in had], calls, keeps=())
            stack.tell("", "UPDATE_ROLLBACK_COMPLETE")
            return
        stack.tell("", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        self._delete(stack, [one for one in stack.made if one not in stack.names(wanted)], calls, keeps=_KEEPS)
        stack.now = wanted
        stack.tell("", "UPDATE_COMPLETE")

    def delete(self, stack: Stack, calls: Calls) -> None:
        """Delete everything that is not to be kept."""
        left = self._delete(stack, [*stack.made], calls, keeps=_KEEPS)
        stack.tell("", "DELETE_FAILED" if left else "DELETE_COMPLETE", _left(left))

    def _make(self, stack: Stack, wanted: Wanted, names: list[str], calls: Calls, verb: str = "CREATE") -> list[str]:
        for number, name in enumerate(names):
            kind = stack.kind(name, wanted)
            stack.tell(name, f"{verb}_IN_PROGRESS", kind=kind)
            self._take_time()
            try:
                given = stack.wanted_properties(name, wanted)
                stack.made[name] = KINDS[kind].make(calls, given, wanted.tags)
            except (ClientError, Exists, Refusal) as error:
                stack.tell(name, f"{verb}_FAILED", _reason(error), kind)
                # On AWS all that does not wait for something else is at work at once, and is called off.
                others = names[number + 1 : number + 2] if verb == "CREATE" else []
                for other in others:
                    also = stack.kind(other, wanted)
                    stack.tell(other, "CREATE_IN_PROGRESS", kind=also)
                    stack.tell(other, "CREATE_FAILED", "Resource creation cancelled", also)
                return [name, *others]
            stack.properties[name] = given
            stack.tell(name, f"{verb}_COMPLETE", kind=kind)
        return []

    def _change(self, stack: Stack, name: str, wanted: Wanted, given: Any, calls: Calls) -> list[str]:
        kind = stack.kind(name, wanted)
        stack.tell(name, "UPDATE_IN_PROGRESS", kind=kind)
        self._take_time()
        try:
            KINDS[kind].change(calls, stack.made[name], given)
        except ClientError as error:
            stack.tell(name, "UPDATE_FAILED", _reason(error), kind)
            return [name]
        stack.properties[name] = given
        stack.tell(name, "UPDATE_COMPLETE", kind=kind)
        return []

    def _delete(self, stack: Stack, names: list[str], calls: Calls, keeps: tuple[str, ...]) -> list[str]:
        """Delete resources, the last that was made first; the names of those that could not be."""
        left = []
        for name in reversed(names):
            one = stack.now.template["Resources"][name]
            kind = one["Type"]
            if one.get("DeletionPolicy") in keeps:
                stack.tell(name, "DELETE_SKIPPED", kind=kind)
            else:
                stack.tell(name, "DELETE_IN_PROGRESS", kind=kind)
                self._take_time()
                try:
                    KINDS[kind].delete(calls, stack.made[name], stack.properties[name])
                except ClientError as error:
                    if error.response["Error"]["Code"] not in _GONE:  # what somebody has deleted by hand is deleted
                        stack.tell(name, "DELETE_FAILED", _reason(error), kind)
                        left.append(name)
                        continue
                stack.tell(name, "DELETE_COMPLETE", kind=kind)
            del stack.made[name], stack.properties[name]
        return left

    def _take_time(self) -> None:
        time.sleep(self._clock.real_s(_STEP_S))


_GONE = (
    "ClusterNotFoundException", "RepositoryNotFoundException", "ResourceNotFoundException", "NoSuchEntity",
    "NoSuchBucket", "InvalidGroup.NotFound", "InvalidVpcEndpointId.NotFound",
)  # fmt: skip
_KEEPS = ("Retain", "RetainExceptOnCreate")


def _left(names: list[str]) -> str:
    return f"The following resource(s) failed to delete: [{', '.join(names)}]. " if names else ""


def _is_replaced(fixed: tuple[str, ...], before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    return any(before.get(one) != after.get(one) for one in fixed)


def changes_of(stack: Stack, wanted: Wanted) -> list[dict[str, Any]]:
    """What a template would change, as a change set lists it."""
    names = stack.names(wanted)
    found: list[tuple[str, str, str, str]] = []
    for name in names:
        kind = stack.kind(name, wanted)
        if kind not in KINDS:
            raise Refusal("ValidationError", f"FakeAWS makes no {kind} ({name}): it makes {', '.join(sorted(KINDS))}.")
        if name not in stack.made:
            found.append(("Add", name, kind, ""))
            continue
        before, after = stack.properties[name], stack.wanted_properties(name, wanted)
        if before != after:
            found.append(("Modify", name, kind, str(_is_replaced(KINDS[kind].fixed, before, after))))
    gone = [name for name in stack.made if name not in names]
    found += [("Remove", name, stack.kind(name, stack.now), "") for name in gone]
    return [
        {
            "Type": "Resource",
            "ResourceChange": {
                "Action": action,
                "LogicalResourceId": name,
                "ResourceType": kind,
                **({"PhysicalResourceId": stack.made[name].physical} if name in stack.made else {}),
                **({"Replacement": replaced} if replaced else {}),
            },
        }
        for action, name, kind, replaced in found
    ]


def outputs_of(stack: Stack, wanted: Wanted) -> dict[str, str]:
    """What a template puts out as things stand."""
    around = stack.around(wanted)
    return {
        name: str(around.resolved(one["Value"]))
        for name, one in wanted.template.get("Outputs", {}).items()
        if "Condition" not in one or around.holds(one["Condition"])
    }


def _reason(error: Exception) -> str:
    """What failed, as the handlers of CloudFormation write it."""
    token = uuid.uuid4()
    if isinstance(error, Exists):
        return f'Resource handler returned message: "{error}" (RequestToken: {token}, HandlerErrorCode: AlreadyExists)'
    if isinstance(error, Refusal):
        return error.message
    assert isinstance(error, ClientError)
    said, status = error.response["Error"], error.response["ResponseMetadata"].get("HTTPStatusCode", 400)
    words = f"{said.get('Message', '')} (Service: {error.operation_name}, Status Code: {status}, Request ID: {token})"
    return f'Resource handler returned message: "{words}" (RequestToken: {token}, HandlerErrorCode: {said["Code"]})'
