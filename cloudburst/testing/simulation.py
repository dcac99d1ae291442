"""Whose credentials these are, and what their policies would allow: what moto makes up, or lacks."""

from __future__ import annotations

from itertools import count, takewhile
from typing import Any
from xml.sax.saxutils import escape

from moto.iam.exceptions import NotFoundException

from cloudburst.testing.account import ID, Account
from cloudburst.testing.answers import Answer, Refusal
from cloudburst.testing.identities import Identities
from cloudburst.testing.operations import Request
from cloudburst.testing.permissions import policies_of
from cloudburst.testing.policies import Need, allows

_XML = "text/xml"


class Simulation:
    """Answers ``GetCallerIdentity`` of STS and ``SimulatePrincipalPolicy`` of IAM.

    Parameters
    ----------
    account : Account
        Has the policies.
    identities : Identities
        Know whose keys are whose.
    """

    def __init__(self, account: Account, identities: Identities) -> None:
        self._account = account
        self._identities = identities

    def handle(self, request: Request) -> Answer | None:
        """What is to be said to a request, or nothing if it is about something else."""
        if request.service == "sts" and request.operation == "GetCallerIdentity":
            return self._identity(request)
        if request.service == "iam" and request.operation == "SimulatePrincipalPolicy":
            return self._simulated(request.parameters)
        return None

    def _identity(self, request: Request) -> Answer | None:
        identity = self._identities.find(request.key_id)
        if identity is None:
            return None
        found = f"<Arn>{escape(identity.arn)}</Arn><UserId>{identity.key_id}</UserId><Account>{ID}</Account>"
        return _answer("GetCallerIdentity", "https://sts.amazonaws.com/doc/2011-06-15/", found)

    def _simulated(self, asked: dict[str, Any]) -> Answer:
        arn = str(asked.get("PolicySourceArn", ""))
        kind, _, name = arn.partition(f"arn:aws:iam::{ID}:")[2].partition("/")
        try:
            policies = policies_of(self._account, name.rpartition("/")[2], is_role=kind == "role")
        except (LookupError, NotFoundException) as error:
            raise Refusal("NoSuchEntity", f"{arn} is no user and no role of this account.", 404) from error
        context = {
            str(asked[f"{entry}.ContextKeyName"]).lower(): str(asked[f"{entry}.ContextKeyValues.member.1"])
            for entry in _members(asked, "ContextEntries", ".ContextKeyName")
        }
        results = "".join(
            _result(asked[action], asked[resource], policies, context)
            for action in _members(asked, "ActionNames")
            for resource in _members(asked, "ResourceArns")
        )
        found = f"<IsTruncated>false</IsTruncated><EvaluationResults>{results}</EvaluationResults>"
        return _answer("SimulatePrincipalPolicy", "https://iam.amazonaws.com/doc/2010-05-08/", found)


def _members(asked: dict[str, Any], name: str, end: str = "") -> list[str]:
    """The keys of a list's members, as forms number them."""
    keys = (f"{name}.member.{number}" for number in count(1))
    return list(takewhile(lambda key: key + end in asked, keys))


def _result(action: str, resource: str, policies: list[Any], context: dict[str, str]) -> str:
    decision = "allowed" if allows(policies, Need(action, (resource,), context)) else "implicitDeny"
    return (
        f"<member><EvalActionName>{escape(action)}</EvalActionName><EvalResourceName>{escape(resource)}"
        f"</EvalResourceName><EvalDecision>{decision}</EvalDecision></member>"
    )


def _answer(operation: str, namespace: str, found: str) -> Answer:
    body = (
        f'<{operation}Response xmlns="{namespace}"><{operation}Result>{found}</{operation}Result>'
        f"<ResponseMetadata><RequestId>fake</RequestId></ResponseMetadata></{operation}Response>"
    )
    return Answer(200, _XML, body.encode())
