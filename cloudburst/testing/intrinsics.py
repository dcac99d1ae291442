"""What stands in a CloudFormation template instead of a value: references, conditions, and text put together."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from cloudburst.testing.account import ID
from cloudburst.testing.answers import Refusal

NO_VALUE = object()
"""What ``AWS::NoValue`` is: the property is left out."""

_PLACE = re.compile(r"\$\{(!?)([\w:.]+)\}")


class Made(NamedTuple):
    """A resource that is there."""

    physical: str
    attributes: Mapping[str, str]


class Surround(NamedTuple):
    """All that a template may refer to."""

    parameters: Mapping[str, Any]
    made: Mapping[str, Made]
    template: Mapping[str, Any]
    region: str
    stack: str
    stack_id: str

    def resolved(self, value: Any) -> Any:
        """A part of the template with values in the place of functions."""
        if isinstance(value, list):
            return [one for one in map(self.resolved, value) if one is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            [(name, given)] = value.items()
            if name in _FUNCTIONS:
                return _FUNCTIONS[name](self, given)
        found = {name: self.resolved(one) for name, one in value.items()}
        return {name: one for name, one in found.items() if one is not NO_VALUE}

    def holds(self, condition: str) -> bool:
        """Whether one of the template's conditions is true."""
        return bool(self.resolved(self.template["Conditions"][condition]))

    def ref(self, name: str) -> Any:
        """What ``Ref`` gives."""
        pseudo = {
            "AWS::AccountId": ID,
            "AWS::Region": self.region,
            "AWS::StackName": self.stack,
            "AWS::StackId": self.stack_id,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::NoValue": NO_VALUE,
        }
        if name in pseudo:
            return pseudo[name]
        if name in self.parameters:
            return self.parameters[name]
        # Of what is not made yet a change set knows only that it will be.
        return self.made[name].physical if name in self.made else f"(known after {name} is made)"

    def attribute(self, resource: str, name: str) -> str:
        """What ``Fn::GetAtt`` gives."""
        if resource not in self.made:
            return f"({name} is known after {resource} is made)"
        found = self.made[resource].attributes
        if name not in found:
            raise Refusal(
                "ValidationError", f"Template error: resource {resource} does not support attribute type {name}"
            )
        return found[name]

    def _sub(self, given: Any) -> str:
        text, more = given if isinstance(given, list) else (given, {})
        known = {name: str(self.resolved(one)) for name, one in more.items()}

        def put(match: re.Match[str]) -> str:
            literal, name = match.groups()
            if literal:
                return f"${{{name}}}"
            if name in known:
                return known[name]
            resource, dot, attribute = name.partition(".")
            return self.attribute(resource, attribute) if dot else str(self.ref(name))

        return _PLACE.sub(put, text)

    def _if(self, given: Any) -> Any:
        condition, yes, no = given
        return self.resolved(yes if self.holds(condition) else no)


_FUNCTIONS: dict[str, Any] = {
    "Ref": Surround.ref,
    "Fn::GetAtt": lambda around, given: around.attribute(*(given if isinstance(given, list) else given.split(".", 1))),
    "Fn::Sub": Surround._sub,
    "Fn::If": Surround._if,
    "Fn::Equals": lambda around, given: str(around.resolved(given[0])) == str(around.resolved(given[1])),
    "Fn::Not": lambda around, given: not around.resolved(given[0]),
    "Fn::And": lambda around, given: all(around.resolved(one) for one in given),
    "Fn::Or": lambda around, given: any(around.resolved(one) for one in given),
    "Condition": lambda around, given: around.holds(given) if isinstance(given, str) else around.resolved(given),
    "Fn::Join": lambda around, given: given[0].join(str(one) for one in around.resolved(given[1])),
    "Fn::Split": lambda around, given: str(around.resolved(given[1])).split(given[0]),
    "Fn::Select": lambda around, given: around.resolved(given[1])[int(given[0])],
}


def references(value: Any) -> Iterator[str]:
    """The names that a part of a template refers to.

    >>> sorted(set(references({"A": {"Ref": "Bucket"}, "B": {"Fn::Sub": "${Role.Arn} ${!x} ${AWS::Region}"}})))
    ['AWS::Region', 'Bucket', 'Role']
    """
    if isinstance(value, list):
        for one in value:
            yield from references(one)
    elif isinstance(value, dict):
        for name, given in value.items():
            if name == "Ref":
                yield given
            elif name == "Fn::GetAtt":
                yield given[0] if isinstance(given, list) else given.partition(".")[0]
            elif name == "Fn::Sub":
                text = given[0] if isinstance(given, list) else given
                yield from (match[1].partition(".")[0] for match in _PLACE.findall(text) if not match[0])
                yield from references(given[1:] if isinstance(given, list) else [])
            else:
                yield from references(given)


def in_order(template: Mapping[str, Any], names: list[str]) -> list[str]:
    """Resources so that each comes after those that it refers to."""
    left, ordered = list(names), []
    needs = {
        name: {one for one in references(template["Resources"][name]) if one in names and one != name}
        | set(_listed(template["Resources"][name].get("DependsOn")))
        for name in names
    }
    while left:
        ready = [name for name in left if not needs[name] & set(left)]
        if not ready:
            raise Refusal("ValidationError", f"Circular dependency between resources: [{', '.join(left)}]")
        ordered += ready
        left = [name for name in left if name not in ready]
    return ordered


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())
