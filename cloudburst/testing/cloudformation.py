"""The API of CloudFormation for stacks that are made by change sets; all others are moto's."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

import boto3
import botocore.loaders
import botocore.session
import yaml

from cloudburst.testing.account import ID
from cloudburst.testing.answers import Answer, Refusal
from cloudburst.testing.clock import Clock
from cloudburst.testing.identities import Identities
from cloudburst.testing.kinds import Calls
from cloudburst.testing.operations import Request
from cloudburst.testing.stacks import Builder, Stack, Wanted, changes_of, moment, outputs_of

_NAME = re.compile(r"[a-zA-Z][-a-zA-Z0-9]{0,127}")
_OVER = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")


def _session(region: str) -> Any:
    """A session that need not read what boto3 knows of a service if another one before it has."""
    found = botocore.session.get_session()
    found.register_component("data_loader", _LOADER)
    return boto3.session.Session(botocore_session=found, region_name=region)


_LOADER = botocore.loaders.create_loader()
_YAML = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's, ten times as quick, where PyYAML was built with it."""


@dataclass
class _ChangeSet:
    id: str
    name: str
    stack: Stack
    wanted: Wanted
    is_new: bool
    changes: list[dict[str, Any]]
    status: str = "CREATE_COMPLETE"
    reason: str = ""


class CloudFormation:
    """Answers for the stacks that change sets have made."""

    def __init__(self, region: str, url: str, identities: Identities, clock: Clock) -> None:
        self._region = region
        self._url = url
        self._identities = identities
        self._stacks: list[Stack] = []
        self._change_sets: dict[str, _ChangeSet] = {}
        self._builder = Builder(clock)
        self._session = _session(region)
        self._operations: dict[str, Callable[[Request, Mapping[str, str]], Any]] = {
            "CreateChangeSet": self._create_change_set,
            "DescribeChangeSet": self._describe_change_set,
            "ExecuteChangeSet": self._execute_change_set,
            "DeleteChangeSet": self._delete_change_set,
            "DescribeStacks": self._describe_stacks,
            "DescribeStackEvents": self._describe_events,
            "DescribeStackResources": self._describe_resources,
            "GetTemplate": self._get_template,
            "DeleteStack": self._delete_stack,
        }

    def close(self) -> None:
        """Wait until nothing is made or deleted any more."""
        self._builder.close()

    def handle(self, request: Request) -> Answer | None:
        """What is to be said to a request, or nothing if it is moto's to answer."""
        if request.service != "cloudformation" or request.operation not in self._operations:
            return None
        asked = request.parameters
        is_about_all = request.operation == "DescribeStacks" and not asked.get("StackName") and bool(self._live())
        if request.operation != "CreateChangeSet" and not is_about_all and self._stack(asked) is None:
            return None
        told = self._operations[request.operation](request, asked)
        name = request.operation
        result = f"<{name}Result>{_xml(told)}</{name}Result>"
        about = f"<ResponseMetadata><RequestId>{uuid.uuid4()}</RequestId></ResponseMetadata>"
        namespace = "http://cloudformation.amazonaws.com/doc/2010-05-15/"
        body = f'<{name}Response xmlns="{namespace}">{result}{about}</{name}Response>'
        return Answer(200, "text/xml", body.encode())

    def _live(self) -> list[Stack]:
        return [one for one in self._stacks if one.status != "DELETE_COMPLETE"]

    def _stack(self, asked: Mapping[str, str]) -> Stack | None:
        """By its name the one that is there; by its id also one that is deleted."""
        name = asked.get("StackName", "")
        if not name and asked.get("ChangeSetName", "") in self._change_sets:
            return self._change_sets[asked["ChangeSetName"]].stack
        found = [one for one in self._stacks if name in (one.id, one.name)]
        live = [one for one in found if name == one.id or one.status != "DELETE_COMPLETE"]
        return live[-1] if live else None

    def _there(self, asked: Mapping[str, str]) -> Stack:
        found = self._stack(asked)
        assert found is not None
        return found

    # ------------------------------------------------------------ change sets

    def _create_change_set(self, _: Request, asked: Mapping[str, str]) -> dict[str, Any]:
        name, is_new = asked.get("StackName", ""), asked.get("ChangeSetType") == "CREATE"
        stack = self._stack(asked)
        if is_new and stack is not None and stack.status != "REVIEW_IN_PROGRESS":
            raise Refusal(
                "ValidationError", f"Stack [{name}] already exists and cannot be created again with the changeSet"
            )
        if not is_new and stack is None:
            raise Refusal("ValidationError", f"Stack [{name}] does not exist")
        if not is_new and stack is not None and stack.status not in _OVER:
            raise Refusal("ValidationError", f"Stack:{stack.id} is in {stack.status} state and can not be updated.")
        if not _NAME.fullmatch(name):
            raise Refusal("ValidationError", f"Value '{name}' at 'stackName' failed to satisfy constraint")
        wanted = self._wanted(asked)
        if "AWS::IAM::" in json.dumps(wanted.template) and "CAPABILITY_NAMED_IAM" not in members(asked, "Capabilities"):
            raise Refusal("InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_NAMED_IAM]")
        if stack is None:
            stack = Stack(name, self._region)
            stack.now.tags = wanted.tags
            self._stacks.append(stack)
        made = _ChangeSet(
            f"arn:aws:cloudformation:{self._region}:{ID}:changeSet/{asked['ChangeSetName']}/{uuid.uuid4()}",
            asked["ChangeSetName"],
            stack,
            wanted,
            is_new,
            changes_of(stack, wanted),
        )
        if not is_new and not made.changes and outputs_of(stack, wanted) == outputs_of(stack, stack.now):
            made.status = "FAILED"
            made.reason = (
                "The submitted information didn't contain changes. Submit different information to create a change set."
            )
        self._change_sets[made.id] = made
        return {"Id": made.id, "StackId": stack.id}

    def _wanted(self, asked: Mapping[str, str]) -> Wanted:
        try:
            template = yaml.load(asked.get("TemplateBody", ""), Loader=_YAML)
            declared = template.get("Parameters", {})
            template["Resources"]["_"] = {}
            del template["Resources"]["_"]
        except (yaml.YAMLError, AttributeError, KeyError, TypeError):
            raise Refusal("ValidationError", "Template format error: unsupported structure.") from None
        given = {one["ParameterKey"]: one.get("ParameterValue", "") for one in records(asked, "Parameters")}
        if unknown := sorted(set(given) - set(declared)):
            raise Refusal("ValidationError", f"Parameters: [{', '.join(unknown)}] do not exist in the template")
        values = {name: given.get(name, one.get("Default")) for name, one in declared.items()}
        if missing := [name for name, value in values.items() if value is None]:
            raise Refusal("ValidationError", f"Parameters: [{', '.join(missing)}] must have values")
        for name, value in values.items():
            allowed = declared[name].get("AllowedValues")
            if allowed and str(value) not in map(str, allowed):
                raise Refusal(
                    "ValidationError",
                    f"Parameter '{name}' must be one of AllowedValues",
                )
        tags = {one["Key"]: one["Value"] for one in records(asked, "Tags")}
        return Wanted(template, {name: str(value) for name, value in values.items()}, tags)

    def _change_set(self, asked: Mapping[str, str]) -> _ChangeSet:
        name, stack = asked.get("ChangeSetName", ""), self._stack(asked)
        for one in self._change_sets.values():
            if name == one.id or (name == one.name and one.stack is stack):
                return one
        raise Refusal("ChangeSetNotFound", f"ChangeSet [{name}] does not exist", 404)

    def _describe_change_set(self, _: Request, asked: Mapping[str, str]) -> dict[str, Any]:
        found = self._change_set(asked)
        return {
            "ChangeSetId": found.id,
            "ChangeSetName": found.name,
            "StackId": found.stack.id,
            "StackName": found.stack.name,
            "Status": found.status,
            **({"StatusReason": found.reason} if found.reason else {}),
            "ExecutionStatus": "AVAILABLE" if found.status == "CREATE_COMPLETE" else "UNAVAILABLE",
            "Changes": found.changes,
        }

    def _execute_change_set(self, request: Request, asked: Mapping[str, str]) -> dict[str, Any]:
        found = self._change_set(asked)
        stack = found.stack
        if found.status != "CREATE_COMPLETE" or stack.status.removesuffix("_IN_PROGRESS") in ("CREATE", "UPDATE"):
            raise Refusal("InvalidChangeSetStatus", f"ChangeSet [{found.id}] cannot be executed in its current status")
        self._forget_change_sets(stack)
        stack.tell("", "CREATE_IN_PROGRESS" if found.is_new else "UPDATE_IN_PROGRESS", "User Initiated")
        work = self._builder.create if found.is_new else self._builder.update
        self._builder.start(work, stack, found.wanted, self._calls(request, stack))
        return {}

    def _delete_change_set(self, _: Request, asked: Mapping[str, str]) -> dict[str, Any]:
        del self._change_sets[self._change_set(asked).id]
        return {}

    def _forget_change_sets(self, stack: Stack) -> None:
        self._change_sets = {name: one for name, one in self._change_sets.items() if one.stack is not stack}

    # ------------------------------------------------------------ stacks

    def _describe_stacks(self, _: Request, asked: Mapping[str, str]) -> dict[str, Any]:
        return {
            "Stacks": [_described(one) for one in ([self._there(asked)] if asked.get("StackName") else self._live())]
        }

    def _describe_events(self, _: Request, asked: Mapping[str, str]) -> dict[str, Any]:
        return {"StackEvents": [*reversed(self._there(asked).events)]}

    def _describe_resources(self, _: Request, asked: Mapping[str, str]) -> dict[str, Any]:
        stack = self._there(asked)
        last = {one["LogicalResourceId"]: one for one in stack.events}
        told = [
            {
                "StackName": stack.name,
                "StackId": stack.id,
                "LogicalResourceId": name,
                "PhysicalResourceId": made.physical,
                "ResourceType": stack.kind(name, stack.now),
                "Timestamp": moment(),
                "ResourceStatus": last[name]["ResourceStatus"],
            }
            for name, made in [*stack.made.items()]
        ]
        return {"StackResources": told}

    def _get_template(self, _: Request, asked: Mapping[str, str]) -> dict[str, Any]:
        return {"TemplateBody": json.dumps(self._there(asked).now.template)}

    def _delete_stack(self, request: Request, asked: Mapping[str, str]) -> dict[str, Any]:
        stack = self._there(asked)
        if stack.status != "DELETE_COMPLETE" and not stack.status.startswith("DELETE_IN"):
            self._forget_change_sets(stack)
            stack.tell("", "DELETE_IN_PROGRESS", "User Initiated")
            self._builder.start(self._builder.delete, stack, self._calls(request, stack))
        return {}

    def _calls(self, request: Request, stack: Stack) -> Calls:
        """CloudFormation acts with the rights of whoever asks it."""
        who = self._identities.find(request.key_id)
        keys: dict[str, str] = {}
        if who is not None:
            keys = {"aws_access_key_id": who.key_id, "aws_secret_access_key": who.secret}
            if who.token:
                keys["aws_session_token"] = who.token
        made: dict[str, Any] = {}

        def client(service: str) -> Any:
            if service not in made:
                made[service] = self._session.client(service, endpoint_url=self._url, **keys)
            return made[service]

        return Calls(client, self._region, stack.name)


def _described(stack: Stack) -> dict[str, Any]:
    outputs = outputs_of(stack, stack.now) if stack.status in _OVER else {}
    return {
        "StackId": stack.id,
        "StackName": stack.name,
        "CreationTime": stack.created,
        "StackStatus": stack.status,
        **({"StackStatusReason": stack.reason} if stack.reason else {}),
        "Parameters": _pairs(stack.now.parameters, "ParameterKey", "ParameterValue"),
        "Outputs": _pairs(outputs, "OutputKey", "OutputValue"),
        "Tags": _pairs(stack.now.tags, "Key", "Value"),
    }


def members(asked: Mapping[str, str], name: str) -> list[str]:
    """A list of texts in a form.

    >>> members({"Capabilities.member.1": "A", "Capabilities.member.2": "B"}, "Capabilities")
    ['A', 'B']
    """
    return [value for key, value in asked.items() if re.fullmatch(rf"{name}\.member\.\d+", key)]


def records(asked: Mapping[str, str], name: str) -> list[dict[str, str]]:
    """A list of structures in a form.

    >>> records({"Tags.member.1.Key": "a", "Tags.member.1.Value": "b"}, "Tags")
    [{'Key': 'a', 'Value': 'b'}]
    """
    found: dict[int, dict[str, str]] = {}
    for key, value in asked.items():
        if match := re.fullmatch(rf"{name}\.member\.(\d+)\.(\w+)", key):
            found.setdefault(int(match[1]), {})[match[2]] = value
    return [found[number] for number in sorted(found)]


def _pairs(values: Mapping[str, Any], key: str, value: str) -> list[dict[str, str]]:
    return [{key: name, value: str(one)} for name, one in values.items()]


def _xml(value: Any) -> str:
    if isinstance(value, dict):
        return "".join(f"<{name}>{_xml(one)}</{name}>" for name, one in value.items())
    if isinstance(value, list):
        return "".join(f"<member>{_xml(one)}</member>" for one in value)
    return escape(str(value))
