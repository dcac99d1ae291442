"""``FakeAWS``: an AWS of one's own inside this process, on which pipelines run for real."""

from __future__ import annotations

import tempfile
import threading
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Literal, Self

from moto.moto_api._internal.models import moto_api_backend

from cloudburst.errors import UsageError
from cloudburst.testing import faults as known
from cloudburst.testing.accidents import Accidents
from cloudburst.testing.account import Account
from cloudburst.testing.admission import Admission
from cloudburst.testing.agent import Agent
from cloudburst.testing.answers import Answer
from cloudburst.testing.buckets import Buckets
from cloudburst.testing.clock import Clock
from cloudburst.testing.cloudformation import CloudFormation
from cloudburst.testing.containers import Containers
from cloudburst.testing.ecs import Ecs
from cloudburst.testing.faults import Fault
from cloudburst.testing.furnishing import CALLER, Policy, add_caller, furnish, push_image
from cloudburst.testing.identities import Identities, Who
from cloudburst.testing.images import Images
from cloudburst.testing.machines import Fleet, Processes
from cloudburst.testing.metadata import Metadata
from cloudburst.testing.objects import Objects
from cloudburst.testing.operations import Request
from cloudburst.testing.price_list import PriceListApi
from cloudburst.testing.pushed import Pushed
from cloudburst.testing.quotas import Quotas
from cloudburst.testing.script import Faults, Script
from cloudburst.testing.server import Gate, Server
from cloudburst.testing.simulation import Simulation
from cloudburst.testing.surroundings import Surroundings, block_variables
from cloudburst.testing.tasks import Task

_one_at_a_time = threading.Lock()


class FakeAWS:
    """A fake AWS for a ``with`` block: S3, ECS, ECR, CloudWatch Logs and IAM, with an agent that plays Fargate.

    Tasks walk through the states that they have on AWS, and the worker's program runs for real: as a process of this
    machine, or in a container. For the block, the process's environment has the address and the credentials of the fake
    (and no others of AWS); it is put back exactly. All API calls come through one server on the loopback interface,
    which imposes the rules, rates and quotas of ECS. When the block is left, no process, container or thread remains.

    Parameters
    ----------
    mode : "subprocess" or "container"
        Where a task's program runs. ``"container"`` needs Docker or Podman, and ``image=`` or ``registry=``.
    startup_s, shutdown_s : float
        Fake seconds from RunTask to RUNNING, and from the end of a program to STOPPED.
    time_scale : float
        Real seconds to a fake one: with 0.01, forty seconds of starting take 0.4 s, and so does everything else that
        waits for AWS (the variable ``CLOUDBURST_TIME_SCALE`` is set for the block).
    faults : Faults, optional
        What goes wrong, and when.
    seed : int
        Of faults that come at random.
    iam : bool
        Whether keys, signatures and policies are enforced.
    caller_policy, task_policy : dict, optional
        Policies of the caller and of the task role; all is allowed without. ``${bucket}``, ``${prefix}``,
        ``${cluster}``, ``${log_group}``, ``${repository}``, ``${region}``, ``${account}``, ``${execution_role}`` and
        ``${task_role}`` in them stand for the names of the fake account.
    vcpu_quota, spot_vcpu_quota : float, optional
        How many vCPUs may run at once, on demand and as Spot; no limit without.
    image : str, optional
        The image on this machine that plays ``compute_image`` in containers.
    registry : str, optional
        The address of a real registry that stands for the account's: what is pushed there is in ECR, and containers
        are made from it where ``image`` plays nothing.
    region : str
        Where it is.
    furnished : bool
        Whether everything is there that ``init_aws`` needs; else the account is as AWS opens one, for tests of setting
        it up, and ``settings`` has its region and address alone.
    default_vpc, has_spot : bool
        Whether the account has a default VPC, and the region Fargate Spot.
    taken_buckets : collection of str
        Names of buckets that other accounts have.

    Attributes
    ----------
    settings : dict
        Everything that ``init_aws`` needs, under its names.
    calls : Counter
        API calls by operation: ``RunTask``, ``GetObject``, …
    worker_calls : Counter
        Those of them that workers made.
    prices : dict
        What the fake price list says, by usage type (``USE1-Fargate-GB-Hours``): list prices, which may be changed.
    met : Counter
        Faults that happened, by name, also those that nobody scripted (memory really used up, a quota really full).

    Raises
    ------
    UsageError
        If there is another in this process, or a parameter cannot be.

    Examples
    --------
    >>> import cloudburst as cb
    >>> from cloudburst.testing import FakeAWS
    >>> with FakeAWS(time_scale=0.01) as aws:
    ...     sorted(aws.settings)[:3]
    ['compute_assign_public_ip', 'compute_cluster', 'compute_execution_role']
    """

    def __init__(
        self,
        mode: Literal["subprocess", "container"] = "subprocess",
        *,
        startup_s: float = 0.0,
        shutdown_s: float = 0.0,
        time_scale: float = 1.0,
        faults: Faults | None = None,
        seed: int = 0,
        iam: bool = False,
        caller_policy: Policy | None = None,
        task_policy: Policy | None = None,
        vcpu_quota: float | None = None,
        spot_vcpu_quota: float | None = None,
        image: str | None = None,
        registry: str | None = None,
        region: str = "us-east-1",
        furnished: bool = True,
        default_vpc: bool = True,
        has_spot: bool = True,
        taken_buckets: Collection[str] = (),
        _program: Sequence[str] | None = None,
    ) -> None:
        _check(mode, startup_s, shutdown_s, time_scale, image or registry)
        self._mode = mode
        self._startup_s = startup_s
        self._shutdown_s = shutdown_s
        self._time_scale = time_scale
        self._faults = faults if faults is not None else Faults()
        self._seed = seed
        self._is_enforced = iam
        self._policies = (caller_policy, task_policy)
        self._quotas = (vcpu_quota, spot_vcpu_quota)
        self._image = image
        self._registry = registry
        self._region = region
        self._is_furnished = furnished
        self._has_default_vpc = default_vpc
        self._has_spot = has_spot
        self._taken_buckets = taken_buckets
        self._program = _program
        self._stack = ExitStack()
        self._counting = threading.Lock()
        self.settings: dict[str, Any] = {}
        self._price_list = PriceListApi(region)
        self.prices = self._price_list.prices
        self.calls: Counter[str] = Counter()
        self.worker_calls: Counter[str] = Counter()
        self.met: Counter[str] = Counter()

    def __enter__(self) -> Self:
        if not _one_at_a_time.acquire(blocking=False):
            raise UsageError(
                "There is a FakeAWS in this process already, and moto has room for one: leave its block first, or use "
                "that one."
            )
        with ExitStack() as stack:
            stack.callback(_one_at_a_time.release)
            self._build(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def _build(self, stack: ExitStack) -> None:
        fleet = self._fleet()
        self._clock = clock = Clock(self._time_scale)
        self._script = script = Script(self._faults, self._seed, self.met)
        self._account = account = Account(self._region)
        self._identities = identities = Identities()
        gate = Gate()
        server = Server(gate)
        stack.callback(server.close)
        caller = identities.issue("caller", CALLER)
        cache = stack.enter_context(tempfile.TemporaryDirectory(prefix="cloudburst-fake-cache-"))
        surroundings = Surroundings(
            block_variables(server.url, self._region, caller.key_id, caller.secret, self._time_scale)
            | {"CLOUDBURST_CACHE_DIR": cache}  # what this AWS says is not to be taken for what AWS says
        )
        stack.callback(surroundings.leave)
        surroundings.enter()
        moto_api_backend.reset()
        stack.callback(moto_api_backend.reset)
        self.settings = {**self._furnish(account), "endpoint_url": server.url}
        self._ecs = ecs = Ecs(account, clock, script, *self._quotas, has_spot=self._has_spot)
        stacks = CloudFormation(self._region, server.url, identities, clock)
        metadata = Metadata(server.url, ecs.tasks, clock, self._region, identities)
        self._agent = agent = Agent(
            account, clock, script, fleet, metadata.environment, self._startup_s, self._shutdown_s
        )
        ecs.agent = agent
        images = Images(server.url)
        gate.handlers = [
            metadata.handle,
            images.fetch,
            self._count,
            Admission(account, identities, script, enforced=self._is_enforced),
            Accidents(script, clock),
            *([Pushed(self._registry, account).handle] if self._registry is not None else []),
            images.address,
            Buckets(account, self._taken_buckets),
            Objects(account),
            Simulation(account, identities).handle,
            Quotas(self._region, *self._quotas, ecs.used_vcpus).handle,
            self._price_list.handle,
            ecs.handle,
            stacks.handle,
        ]
        agent.begin()
        stack.callback(agent.close)
        stack.callback(stacks.close)

    def _furnish(self, account: Account) -> dict[str, Any]:
        account.default_vpc(wanted=self._has_default_vpc)
        if self._is_furnished:
            return furnish(account, *self._policies)
        add_caller(account, self._policies[0])
        return {"region": account.region}

    def _fleet(self) -> Fleet:
        if self._mode == "subprocess":
            return Processes(self._program)
        return Containers(self._image)

    def _count(self, request: Request) -> Answer | None:
        identity = self._identities.find(request.key_id)
        with self._counting:
            self.calls[request.operation] += 1
            if identity is not None and identity.who == "workers":
                self.worker_calls[request.operation] += 1
        return None

    # ------------------------------------------------------------ what there is

    def tasks(self) -> list[Task]:
        """All tasks that were ever started, in that order: their size, times in fake seconds, how they ended."""
        return list(self._ecs.tasks.values())

    def running(self) -> list[str]:
        """The ids of the tasks that are not STOPPED; those that were told to stop are, until nothing of them runs."""
        return [task.id for task in self.tasks() if not task.is_stopped]

    def logs(self, task: str | Task) -> str:
        """What a task printed."""
        return self._agent.printed(self._find(task))

    @property
    def worker_seconds(self) -> float:
        """Fake seconds that all tasks together were paid for: from the start of the pull to the end."""
        return sum(task.billed_s(self._clock.now_s()) for task in self.tasks())

    def push(self, repository: str) -> str:
        """Have an image for workers in a repository of the account; its URI, for ``compute_image``."""
        return push_image(self._account, repository)

    # ------------------------------------------------------------ faults by hand

    def interrupt(self, task: str | Task, fault: Fault = known.SPOT_LOSS) -> None:
        """Have a task meet a fault now: by default its Spot capacity is taken back."""
        self._agent.end(self._find(task), fault)

    def kill(self, task: str | Task) -> None:
        """Kill a task's program as a crash would."""
        self._agent.end(self._find(task), known.KILLED)

    def expire_credentials(self, of: Who = "caller") -> None:
        """Refuse the credentials of the caller, or of all workers, from now on."""
        self._identities.expire(of)

    def renew_credentials(self, of: Who = "caller") -> None:
        """Accept them again."""
        self._identities.renew(of)

    def _find(self, task: str | Task) -> Task:
        if isinstance(task, Task):
            return task
        found = self._ecs.tasks.get(task.rpartition("/")[2])
        if found is None:
            raise UsageError(f"There is no task {task!r} in this FakeAWS: tasks() lists them.")
        return found


def _check(mode: str, startup_s: float, shutdown_s: float, time_scale: float, image: str | None) -> None:
    if mode not in {"subprocess", "container"}:
        raise UsageError(f"mode={mode!r} cannot be: it is 'subprocess' or 'container'.")
    if mode == "container" and image is None:
        raise UsageError(
            "FakeAWS(mode='container') needs image=: the image on this machine that plays compute_image, for example "
            "one built with: docker build -f docker/Dockerfile ."
        )
    if not time_scale > 0:
        raise UsageError(f"time_scale={time_scale!r} cannot be: it is how long a fake second takes, more than 0.")
    if startup_s < 0 or shutdown_s < 0:
        raise UsageError("startup_s and shutdown_s are fake seconds, 0 or more.")
