"""IAM policies as AWS reads them: actions, resources and conditions. moto reads the first two only, and few resources.

A request *needs* permissions; each is an action on one of some resources, in a context that conditions look at.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Need:
    """A permission that a request takes.

    Attributes
    ----------
    action : str
        ``s3:GetObject``.
    resources : tuple of str
        The ARNs by which AWS may know what the request is about; one that is allowed will do.
    context : mapping
        What conditions may ask for, by name in lower case.
    """

    action: str
    resources: tuple[str, ...] = ("*",)
    context: Mapping[str, str] = field(default_factory=dict)


def allows(policies: Iterable[Document], need: Need) -> bool:
    """Whether the policies together allow it: something does, and nothing denies it.

    >>> read = {"Statement": {"Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::data/*"}}
    >>> allows([read], Need("s3:GetObject", ("arn:aws:s3:::data/a",))), allows([read], Need("s3:PutObject"))
    (True, False)
    """
    statements = [statement for policy in policies for statement in _listed(policy.get("Statement"))]
    return any(_decide(statements, need, resource) for resource in need.resources)


def denies(policies: Iterable[Document], need: Need) -> bool:
    """Whether a policy of the thing itself denies it, whoever asks.

    >>> plain = {"Bool": {"aws:SecureTransport": "false"}}
    >>> policy = {"Statement": {"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": plain}}
    >>> [denies([policy], Need("s3:GetObject", ("*",), {"aws:securetransport": tls})) for tls in ("true", "false")]
    [False, True]
    """
    statements = [statement for policy in policies for statement in _listed(policy.get("Statement"))]
    denying = [statement for statement in statements if statement["Effect"] == "Deny"]
    return any(_concerns(statement, need, resource) for statement in denying for resource in need.resources)


def _decide(statements: Iterable[Document], need: Need, resource: str) -> bool:
    effects = {statement["Effect"] for statement in statements if _concerns(statement, need, resource)}
    return effects == {"Allow"}


def _concerns(statement: Document, need: Need, resource: str) -> bool:
    return (
        _named(statement, "Action", need.action.lower(), str.lower)
        and _named(statement, "Resource", resource, str)
        and all(
            _holds(operator, name.lower(), _listed(values), need.context)
            for operator, conditions in (statement.get("Condition") or {}).items()
            for name, values in conditions.items()
        )
    )


def _named(statement: Document, element: str, name: str, as_written: Callable[[str], str]) -> bool:
    if f"Not{element}" in statement:
        return not any(_is_like(as_written(one), name) for one in _listed(statement[f"Not{element}"]))
    return any(_is_like(as_written(one), name) for one in _listed(statement.get(element)))


def _holds(operator: str, name: str, wanted: list[Any], context: Mapping[str, str]) -> bool:
    quantifier, _, rest = operator.rpartition(":")
    compared = rest.removesuffix("IfExists")
    if compared == "Null":
        return (name not in context) == (str(wanted[0]).lower() == "true")
    if name not in context:
        return rest.endswith("IfExists") or quantifier == "ForAllValues" or "Not" in compared
    there = context[name]
    compare = _COMPARISONS.get(compared)
    if compare is None:
        raise ValueError(f"FakeAWS does not know the condition {operator!r} of IAM")
    matches = any(compare(str(one), there) for one in wanted)
    return matches != ("Not" in compared)


@lru_cache(maxsize=4096)
def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(pattern.replace("[", "[[]")))


def _is_like(pattern: str, name: str) -> bool:
    return _pattern(pattern).match(name) is not None


def _is_equal(one: str, other: str) -> bool:
    return one == other


def _is_equal_but_for_case(one: str, other: str) -> bool:
    return one.lower() == other.lower()


_COMPARISONS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": _is_equal,
    "StringNotEquals": _is_equal,
    "StringEqualsIgnoreCase": _is_equal_but_for_case,
    "StringLike": _is_like,
    "StringNotLike": _is_like,
    "ArnEquals": _is_like,
    "ArnLike": _is_like,
    "ArnNotEquals": _is_like,
    "ArnNotLike": _is_like,
    "Bool": _is_equal_but_for_case,
    "NumericEquals": lambda wanted, there: float(wanted) == float(there),
    "NumericLessThanEquals": lambda wanted, there: float(there) <= float(wanted),
}


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]
