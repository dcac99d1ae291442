"""What a run cost: the lives of its machines at list price, divided among the stages that they served."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any, NamedTuple

from cloudburst.prices.live import known_prices
from cloudburst.prices.tariff import SPOT_SAVES_PERCENT, PriceList, billed_since, charge
from cloudburst.resources import Size


class Machine(NamedTuple):
    """A machine that was paid for."""

    size: Size
    """CPU, memory, storage, and whether it was spare capacity (``spot``)."""
    seconds: float
    """From the start of its image pull to its end, or until now."""
    region: str
    architecture: str = "X86_64"
    stages: Mapping[str, float] = MappingProxyType({})
    """By stage: how long it had the machine. Only the shares matter."""
    before_s: float = 0.0
    """As much of ``seconds`` that an earlier run has been charged with."""
    is_over: bool = True
    is_known: bool = True
    """Whether it is known when it ended."""


class StageCost(NamedTuple):
    """What one stage cost."""

    stage: str
    dollars: float | None
    """Of its share of the machines that it had, their start and their waiting included."""
    seconds: float
    """Of machines, as they are charged."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run cost at list price, which is not the bill. It prints itself."""

    dollars: float | None
    """``None`` where no list price is known: ``why`` says of what."""
    by_stage: tuple[StageCost, ...] = ()
    idle: float | None = 0.0
    """Dollars of machines that no stage had: with ``by_stage`` they make the whole."""
    machines: int = 0
    seconds: float = 0.0
    """Of all machines together, as they are charged: a minute each at least."""
    up: int = 0
    """Machines that go on, because they are kept for the next run: they cost more than is told here."""
    unknown: int = 0
    """Machines of which AWS did not tell when they ended."""
    is_at_most: bool = False
    """Whether spare capacity is in it at the price on demand, because its own is not known."""
    prices: str = ""
    """Which were used: ``us-east-1, table of 2026-09-11``."""
    why: str = ""

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left to be paid, and all of it is known."""
        return self.dollars is not None and not self.up and not self.unknown

    def __str__(self) -> str:
        if self.dollars is None:
            return f"cost not known: {self.why}"
        if not self.machines:
            return "cost nothing: no machine was needed"
        notes = [self.prices] if self.prices else []
        notes += [f"Spot is up to {SPOT_SAVES_PERCENT} % less"] if self.is_at_most else []
        notes += [f"{self.up} still up"] if self.up else []
        notes += [f"end of {self.unknown} not known"] if self.unknown else []
        at_most = "at most " if self.is_at_most else ""
        so_far = "" if self.is_complete else " so far"
        where = f" ({'; '.join(notes)})" if notes else ""
        return f"cost {at_most}{money(self.dollars)}{so_far} at list price{where}, not the bill"

    def as_dict(self) -> dict[str, Any]:
        """The same as plain data, for JSON."""
        return {
            "dollars": self.dollars,
            "by_stage": [one._asdict() for one in self.by_stage],
            "idle": self.idle,
            "machines": self.machines,
            "seconds": self.seconds,
            "up": self.up,
            "unknown": self.unknown,
            "is_at_most": self.is_at_most,
            "is_complete": self.is_complete,
            "prices": self.prices,
            "why": self.why,
        }


def cost_of(
    machines: Iterable[Machine],
    stages: Sequence[str] = (),
    prices: Callable[[str], PriceList] = known_prices,
) -> Cost:
    """What machines cost.

    Parameters
    ----------
    machines : iterable of Machine
        Each with its own size, region and time.
    stages : sequence of str
        The order of ``by_stage``; those that are not in here come behind.
    prices : callable
        Gives the prices of a region; by default those that are known without asking anybody.

    Returns
    -------
    Cost
        Of all together, and by stage.

    Examples
    --------
    >>> from cloudburst.prices.table import table_prices
    >>> machine = Machine(Size(1024, 2048), 30.0, "us-east-1", stages={"load": 2.0, "fit": 1.0})
    >>> cost = cost_of([machine], prices=table_prices)
    >>> print(cost)
    cost $0.0008 at list price (us-east-1, table of 2026-09-11), not the bill
    >>> [(one.stage, round(one.dollars, 6), one.seconds) for one in cost.by_stage]
    [('load', 0.000549, 40.0), ('fit', 0.000274, 20.0)]
    """
    ledger = _Ledger(prices, {stage: [Decimal(0), Decimal(0)] for stage in stages})
    for machine in machines:
        ledger.enter(machine)
    return ledger.cost()


def money(dollars: float) -> str:
    """An amount as exactly as its size deserves.

    >>> money(12.3456), money(0.01234), money(0.00002), money(0)
    ('$12.35', '$0.0123', 'less than $0.0001', '$0')
    """
    if dollars <= 0:
        return "$0"
    if dollars < 0.00005:
        return "less than $0.0001"
    return f"${dollars:,.2f}" if dollars >= 1 else f"${dollars:.4f}"


class _Ledger:
    """Machines one after another, and what they add up to."""

    def __init__(self, prices: Callable[[str], PriceList], stages: dict[str, list[Decimal]]) -> None:
        self._ask = prices
        self._lists: dict[str, PriceList] = {}
        self._stages = stages
        """By stage: dollars and seconds."""
        self._total = self._idle = self._seconds = Decimal(0)
        self._unpriced: set[str] = set()
        """Stages in which something has no price; an empty name is for machines that no stage had."""
        self._why = ""
        self._machines = self._up = self._unknown = 0
        self._is_at_most = self._is_spot = False

    def enter(self, machine: Machine) -> None:
        if machine.is_over and machine.is_known and machine.seconds <= machine.before_s:
            return  # it never came to be paid for, or was paid for before
        if machine.region not in self._lists:
            self._lists[machine.region] = self._ask(machine.region)
        prices = self._lists[machine.region]
        hourly = prices.hourly(machine.size, machine.architecture)
        self._machines += 1
        self._up += not machine.is_over
        self._unknown += not machine.is_known
        seconds = Decimal(billed_since(machine.seconds, machine.before_s))
        dollars = Decimal(0)
        if hourly is None and seconds:
            self._why = self._why or prices.why_not(machine.size, machine.architecture)
        elif hourly is not None:
            dollars = charge(hourly.dollars, machine.seconds, machine.before_s)
            self._is_at_most |= hourly.is_at_most
            self._is_spot |= bool(machine.size.spot) and not hourly.is_at_most
        self._total += dollars
        self._seconds += seconds
        self._divide(machine.stages, dollars, seconds, is_priced=hourly is not None or not seconds)

    def _divide(self, stages: Mapping[str, float], dollars: Decimal, seconds: Decimal, *, is_priced: bool) -> None:
        """Each stage gets its share, the last what is left, so that the parts make the whole."""
        if not is_priced:
            self._unpriced.update(stages or ("",))
        if not stages:
            self._idle += dollars
            return
        shares = {stage: Decimal(max(0.0, share)) for stage, share in stages.items()}
        if not (whole := sum(shares.values())):
            shares = dict.fromkeys(shares, Decimal(1))
            whole = Decimal(len(shares))
        *others, last = shares
        left = [dollars, seconds]
        for stage in others:
            part = [dollars * shares[stage] / whole, seconds * shares[stage] / whole]
            left = [left[0] - part[0], left[1] - part[1]]
            self._add(stage, part)
        self._add(last, left)

    def _add(self, stage: str, part: Sequence[Decimal]) -> None:
        so_far = self._stages.setdefault(stage, [Decimal(0), Decimal(0)])
        so_far[0] += part[0]
        so_far[1] += part[1]

    def cost(self) -> Cost:
        by_stage = [
            StageCost(stage, None if stage in self._unpriced else float(dollars), float(seconds))
            for stage, (dollars, seconds) in self._stages.items()
        ]
        return Cost(
            dollars=None if self._unpriced else float(self._total),
            by_stage=tuple(by_stage),
            idle=None if "" in self._unpriced else float(self._idle),
            machines=self._machines,
            seconds=float(self._seconds),
            up=self._up,
            unknown=self._unknown,
            is_at_most=self._is_at_most,
            prices=self._names(),
            why=self._why,
        )

    def _names(self) -> str:
        names = []
        for prices in self._lists.values():
            spot = f", Spot of {prices.spot_as_of}" if self._is_spot and prices.spot_as_of is not None else ""
            names.append(prices.name + spot)
        return "; ".join(names)
