"""Setting an account up: what is wished, what that would change, making it so, and the settings that come of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from cloudburst.aws.access import Access, code_of, plainly
from cloudburst.aws.contents import bucket_state
from cloudburst.aws.network import Network, find_network
from cloudburst.aws.stack import TAG, Change, Event, Stack, State
from cloudburst.aws.template import template, template_text
from cloudburst.aws.wording import cause, lines
from cloudburst.errors import SettingsError, SetupError

_NAME = re.compile(r"[a-z][a-z0-9-]{0,28}[a-z0-9]")
_READY = (
    "CREATE_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
)
_DONE = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
_ECS_ROLE = "AWSServiceRoleForECS"
_LISTS = ("compute_subnets", "compute_security_groups")


class Wishes(NamedTuple):
    """What the user asks for; what is empty or ``None`` stays as it is, or is as the template has it."""

    subnets: tuple[str, ...] = ()
    bucket: str | None = None
    s3_endpoint: bool | None = None
    run_days: int | None = None
    log_days: int | None = None


class Proposal(NamedTuple):
    """What would be done."""

    change_set: str
    """Its id; empty if nothing would change."""
    changes: list[Change]
    words: Mapping[str, str]
    notes: list[str]
    is_new: bool

    @property
    def lines(self) -> list[tuple[str, str, str]]:
        """Each change in plain words: a sign, the thing, and what it is for."""
        return lines(self.changes, self.words)


class Setup:
    """The set-up of one name in one account and region.

    Parameters
    ----------
    access : Access
        The account.
    name : str
        Of the stack, and what the names of all things in it begin with.
    scale : float
        Real seconds to one of AWS.

    Raises
    ------
    SettingsError
        If the name cannot be.
    """

    def __init__(self, access: Access, name: str = "cloudburst", scale: float = 1.0) -> None:
        if not _NAME.fullmatch(name):
            raise SettingsError(
                f"--name {name!r} cannot be: it begins with a letter, and has 2 to 30 of a-z, 0-9 and '-', since the "
                "bucket and the roles are named after it."
            )
        self.access = access
        self.name = name
        self.stack = Stack(access, name, scale)

    @property
    def own_bucket(self) -> str:
        """What the bucket is called where nobody says otherwise."""
        return f"{self.name}-{self.access.account}-{self.access.region}"

    # ------------------------------------------------------------ how it stands

    def state(self) -> State | None:
        """How the stack stands.

        Raises
        ------
        SetupError
            If there is another of that name, or one that only AWS's own tools can mend.
        """
        state = self.stack.state()
        if state is None:
            return None
        if state.tags.get(TAG) != self.name and "ComputeRepository" not in state.outputs:
            raise SetupError(
                f"There is a stack {self.name} in {self.access.region} that cloudburst has not made. Choose another "
                "name: --name."
            )
        if not (state.is_moving or state.is_leftover or state.is_empty or state.status in _READY):
            raise SetupError(
                f"The stack {self.name} is {state.status}, which only AWS's own tools can mend: aws cloudformation "
                f"continue-update-rollback --stack-name {self.name} --region {self.access.region}."
            )
        return state

    def clear_leftover(self, see: Callable[[Event], None]) -> None:
        """Delete what an attempt that failed has left.

        Raises
        ------
        SetupError
            If it cannot be deleted.
        """
        state = self.stack.state()
        if state is not None:
            since = self.stack.last_event()
            self.stack.delete()
            after, events = self.stack.wait(state.id, since, see)
            if after.status != "DELETE_COMPLETE":
                raise SetupError(
                    f"The stack {self.name} could not be deleted. {cause(events, self.words(after.parameters))}"
                )

    # ------------------------------------------------------------ setting up

    def propose(self, wishes: Wishes) -> Proposal:
        """Have AWS work out what has to change; nothing is changed.

        Raises
        ------
        SetupError
            If something is in the way.
        """
        state = self.stack.state()
        is_new = state is None or state.is_empty
        before = {} if state is None or is_new else dict(state.parameters)
        notes: list[str] = []
        parameters = {
            **self._bucket(wishes, before, notes),
            **self._network(wishes, before, notes),
            "Spot": self._spot(before, notes),
            "RunDays": str(wishes.run_days or before.get("RunDays") or _default("RunDays")),
            "LogDays": str(wishes.log_days or before.get("LogDays") or _default("LogDays")),
        }
        if is_new and not self._has_ecs_role():
            notes.append(f"ECS gets its own role in this account, {_ECS_ROLE}, which it needs once and which stays.")
        change_set, changes = self.stack.propose(template_text(), parameters, is_new=is_new)
        return Proposal(change_set, changes, self.words(parameters), notes, is_new)

    def withdraw(self, proposal: Proposal) -> None:
        """Leave everything as it was."""
        self.stack.withdraw(proposal.change_set, with_stack=proposal.is_new)

    def carry_out(self, proposal: Proposal, see: Callable[[Event], None]) -> None:
        """Make a proposal true, and wait until it is.

        Raises
        ------
        SetupError
            If something could not be made; AWS has then taken back what it had done.
        """
        state = self.stack.state()
        assert state is not None
        if proposal.is_new and not self._has_ecs_role():
            # ECS makes it with the first cluster of an account, and that one then fails: it cannot use it at once.
            with plainly(f"make the role {_ECS_ROLE}"):
                self.access("iam").create_service_linked_role(AWSServiceName="ecs.amazonaws.com")
        since = self.stack.last_event()
        self.stack.execute(proposal.change_set)
        after, events = self.stack.wait(state.id, since, see)
        if after.status not in _DONE:
            back = "What had been made is gone again" if proposal.is_new else "Everything is as it was before"
            raise SetupError(f"{cause(events, proposal.words)} {back} ({after.status}).")

    def settings(self) -> dict[str, Any]:
        """The settings of pipelines that use what is there, as ``cb.init_aws`` names them."""
        state = self.stack.state()
        assert state is not None
        found: dict[str, Any] = {"region": self.access.region}
        for output, value in state.outputs.items():
            name = re.sub(r"(?<!^)(?=[A-Z])", "_", output).lower()
            found[name] = value.split(",") if name in _LISTS else value
        found["compute_assign_public_ip"] = found["compute_assign_public_ip"] == "yes"
        return {name: value for name, value in found.items() if not name.endswith("_policy")}

    @property
    def caller_policy(self) -> str:
        """The ARN of the policy for those who run pipelines."""
        return self._output("CallerPolicy")

    @property
    def pusher_policy(self) -> str:
        """The ARN of the policy for those who push images."""
        return self._output("PusherPolicy")

    def _output(self, name: str) -> str:
        state = self.stack.state()
        assert state is not None
        return state.outputs[name]

    # ------------------------------------------------------------ parameters

    def _bucket(self, wishes: Wishes, before: Mapping[str, str], notes: list[str]) -> dict[str, str]:
        name = wishes.bucket or before.get("BucketName") or self.own_bucket
        if name == before.get("BucketName"):
            return {"BucketName": name, "MakeBucket": before["MakeBucket"]}
        state = bucket_state(self.access, name)
        if state == "theirs":
            raise SetupError(
                f"The bucket name {name} is taken: by another account, or it is yours and closed to you. Choose "
                "another: --bucket."
            )
        if state == "elsewhere":
            raise SetupError(
                f"Your bucket {name} is in another region, and what passes between machines in {self.access.region} "
                "should lie there. Choose another: --bucket, or that region: --region."
            )
        if state == "ours":
            notes.append(f"The bucket {name} is there already: it is used as it is, with what is in it.")
        return {"BucketName": name, "MakeBucket": "no" if state == "ours" else "yes"}

    def _network(self, wishes: Wishes, before: Mapping[str, str], notes: list[str]) -> dict[str, str]:
        keeps = before and not wishes.subnets
        if keeps and wishes.s3_endpoint is not True:
            found = {name: before[name] for name in ("Vpc", "Subnets", "PublicIp", "EndpointRouteTables")}
            return found if wishes.s3_endpoint is None else {**found, "EndpointRouteTables": ""}
        network = find_network(self.access, before["Subnets"].split(",") if keeps else wishes.subnets)
        if network.note:
            notes.append(network.note)
        own = before.get("EndpointRouteTables", "")
        wants = bool(own) if wishes.s3_endpoint is None else wishes.s3_endpoint
        return {
            "Vpc": network.vpc,
            "Subnets": ",".join(network.subnets),
            "PublicIp": "yes" if network.has_public_ip else "no",
            "EndpointRouteTables": ",".join(self._endpoint_tables(network, own, notes)) if wants else "",
        }

    def _endpoint_tables(self, network: Network, own: str, notes: list[str]) -> list[str]:
        """The route tables that have no endpoint for S3 yet but that of this stack."""
        filters = [
            {"Name": "vpc-id", "Values": [network.vpc]},
            {"Name": "service-name", "Values": [f"com.amazonaws.{self.access.region}.s3"]},
        ]
        with plainly("look for gateway endpoints"):
            there = self.access("ec2").describe_vpc_endpoints(Filters=filters)["VpcEndpoints"]
        served = {table for one in there for table in one.get("RouteTableIds", ())} - set(own.split(","))
        left = [table for table in network.route_tables if table not in served]
        if not left:
            notes.append(f"The subnets have a gateway endpoint for S3 already: none is made in {network.vpc}.")
        return left

    def _spot(self, before: Mapping[str, str], notes: list[str]) -> str:
        from botocore.exceptions import ClientError

        with plainly("ask for Fargate's capacity"):
            try:
                there = self.access("ecs").describe_capacity_providers(capacityProviders=["FARGATE_SPOT"])
            except ClientError as error:
                if not code_of(error).startswith("AccessDenied"):
                    raise
                return before.get("Spot", "yes")
        if any(one["name"] == "FARGATE_SPOT" for one in there["capacityProviders"]):
            return "yes"
        notes.append(f"{self.access.region} has no Fargate Spot: stages with spot=True cannot run there.")
        return "no"

    def _has_ecs_role(self) -> bool:
        from botocore.exceptions import ClientError

        with plainly(f"look for the role {_ECS_ROLE}"):
            try:
                self.access("iam").get_role(RoleName=_ECS_ROLE)
            except ClientError as error:
                if code_of(error).startswith("AccessDenied"):
                    return True  # ECS will say it, if it is not
                if code_of(error) != "NoSuchEntity":
                    raise
                return False
        return True

    def words(self, parameters: Mapping[str, str]) -> dict[str, str]:
        """What stands in the places of sentences about things."""
        spot = parameters.get("Spot") != "no"
        return {
            "name": self.name,
            "region": self.access.region,
            "bucket": parameters.get("BucketName") or self.own_bucket,
            "vpc": parameters.get("Vpc", "the network"),
            "run_days": parameters.get("RunDays", ""),
            "log_days": parameters.get("LogDays", ""),
            "capacity": "Fargate and Fargate Spot" if spot else "Fargate",
        }


def _default(parameter: str) -> str:
    return str(template()["Parameters"][parameter]["Default"])
