"""Sizes: CPU units and memory, what Fargate has of them, and how people write them.

``cpu`` counts CPU units, 1024 to a virtual CPU; ``memory`` counts MiB, as on ECS. The pairs are those of the AWS
documentation, "Amazon ECS task definition parameters for Fargate: task size".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from cloudburst.errors import ResourceError

MEMORY_MIB: dict[int, tuple[int, ...]] = {
    256: (512, 1024, 2048),
    512: tuple(range(1024, 4096 + 1, 1024)),
    1024: tuple(range(2048, 8192 + 1, 1024)),
    2048: tuple(range(4096, 16384 + 1, 1024)),
    4096: tuple(range(8192, 30720 + 1, 1024)),
    8192: tuple(range(16384, 61440 + 1, 4096)),
    16384: tuple(range(32768, 122880 + 1, 8192)),
}
"""The memory sizes, in MiB, that Fargate has for each number of CPU units: 74 pairs."""

FREE_STORAGE_GIB = 20
"""The disk that every machine has, which costs nothing."""

VCPU_HOUR, GIB_HOUR, STORAGE_GIB_HOUR = 0.04048, 0.004445, 0.000111
"""List prices in dollars (us-east-1, x86): of a virtual CPU, of a GiB of memory, and of one of storage beyond that."""

_AMOUNT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*")
_CPU_UNITS = {"": 1.0, "vcpu": 1024.0, "vcpus": 1024.0, "cpu": 1024.0, "cpus": 1024.0, "units": 1.0}
_MIB = {"": 1.0, "mb": 1.0, "mib": 1.0, "m": 1.0, "gb": 1024.0, "gib": 1024.0, "g": 1024.0}


_ALWAYS = ("cpu", "memory")


class Size(NamedTuple):
    """What a task needs of a machine; ``None`` is whatever the provider gives by default."""

    cpu: int | None = None
    """CPU units, 1024 to a virtual CPU."""
    memory: int | None = None
    """MiB."""
    storage: int | None = None
    """GiB of the machine's own disk; ``None`` is what every machine has."""
    spot: bool | None = None
    """Whether spare capacity will do, which is cheaper and may be taken back."""

    def __repr__(self) -> str:
        return f"Size({', '.join(f'{k}={v!r}' for k, v in self._asdict().items() if v is not None or k in _ALWAYS)})"

    def __str__(self) -> str:
        storage = f", {self.storage} GB disk" if self.storage is not None else ""
        spot = ", Spot" if self.spot else ""
        if self.cpu is None or self.memory is None:
            return f"default size{storage}{spot}"
        memory = f"{self.memory / 1024:g} GB" if self.memory >= 1024 else f"{self.memory} MB"
        return f"{self.cpu / 1024:g} vCPU, {memory}{storage}{spot}"


def parse_cpu(cpu: object) -> int:
    """Read a number of CPU units.

    >>> parse_cpu(1024), parse_cpu("2 vCPU"), parse_cpu(".25 vCPU")
    (1024, 2048, 256)
    """
    return _amount("cpu", cpu, _CPU_UNITS, '1024 or "1 vCPU"')


def parse_memory(memory: object) -> int:
    """Read an amount of memory in MiB.

    >>> parse_memory(2048), parse_memory("4 GB"), parse_memory("512 MiB")
    (2048, 4096, 512)
    """
    return _amount("memory", memory, _MIB, '2048 or "2 GB"')


def parse_size(cpu: object = None, memory: object = None) -> Size:
    """Read a size and check that Fargate has it.

    One of the two is enough: memory alone takes the smallest CPU that has it, CPU alone its smallest memory.

    Parameters
    ----------
    cpu : int or str, optional
        CPU units (1024 = 1 vCPU), or text such as ``"2 vCPU"``.
    memory : int or str, optional
        MiB, or text such as ``"4 GB"``.

    Returns
    -------
    Size

    Raises
    ------
    ResourceError
        If it cannot be read, or Fargate lacks the pair; the message names the nearest valid ones.

    Examples
    --------
    >>> parse_size(1024, "2 GB")
    Size(cpu=1024, memory=2048)
    >>> parse_size(memory="20 GB")
    Size(cpu=4096, memory=20480)
    """
    if cpu is None and memory is None:
        return Size()
    if memory is None:
        units = parse_cpu(cpu)
        mib = MEMORY_MIB[units][0] if units in MEMORY_MIB else 0
    else:
        mib = parse_memory(memory)
        units = parse_cpu(cpu) if cpu is not None else _smallest_cpu(mib)
    if mib not in MEMORY_MIB.get(units, ()):
        raise ResourceError(_no_such_size(units, mib, cpu, memory))
    return Size(units, mib)


STORAGE_GIB = range(21, 201)
"""Sizes of a machine's own disk that can be asked for; every machine has 20 GiB."""


def parse_storage(storage: object) -> int | None:
    """Read the size of a machine's disk, in GiB.

    Parameters
    ----------
    storage : int or str or None
        GiB, or text such as ``"50 GB"``. 20 and ``None`` are what every machine has.

    Raises
    ------
    ResourceError
        If it cannot be read, or is less than 20 or more than 200.

    Examples
    --------
    >>> parse_storage("50 GB"), parse_storage(20)
    (50, None)
    """
    if storage is None:
        return None
    mib = _amount("ephemeral_storage", storage, _MIB, '50 or "50 GB"')
    gib = mib / 1024 if isinstance(storage, str) else mib
    if gib == STORAGE_GIB[0] - 1:
        return None
    if gib not in STORAGE_GIB:
        raise ResourceError(
            f"Fargate has no machine with ephemeral_storage={storage!r}: it is 20 GiB, or {STORAGE_GIB[0]} to "
            f"{STORAGE_GIB[-1]} GiB in whole numbers."
        )
    return int(gib)


def on_default(size: Size, default: Size) -> Size:
    """A size with what it does not say filled in as a provider does by default.

    >>> on_default(Size(1024, 2048), Size(2048, 8192, spot=True)), on_default(Size(), Size(2048, 8192))
    (Size(cpu=1024, memory=2048, spot=True), Size(cpu=2048, memory=8192))
    """
    if size.cpu is not None and size.spot is default.spot and size.storage is default.storage:
        return size
    return Size(
        default.cpu if size.cpu is None else size.cpu,
        default.memory if size.cpu is None else size.memory,
        default.storage if size.storage is None else size.storage,
        default.spot if size.spot is None else size.spot,
    )


def room_for(sizes: Iterable[Size], default: Size) -> Size:
    """The smallest size with the memory of all of these and the CPU of the largest; the default if they say nothing.

    >>> room_for([Size(1024, 2048), Size(256, 1024)], Size())
    Size(cpu=1024, memory=3072)
    """
    sizes = list(sizes)
    cpu = max((size.cpu or 0 for size in sizes), default=0)
    memory = sum(size.memory or 0 for size in sizes)
    if not memory:
        return default
    most = max(MEMORY_MIB)
    fits = (Size(units, mib) for units, some in MEMORY_MIB.items() if units >= cpu for mib in some if mib >= memory)
    return next(fits, Size(most, MEMORY_MIB[most][-1]))


def next_memory(size: Size) -> Size | None:
    """The next larger valid size: at least half more memory, and more CPU only where that needs it.

    >>> next_memory(Size(1024, 2048)), next_memory(Size(1024, 8192)), next_memory(Size(16384, 122880))
    (Size(cpu=1024, memory=3072), Size(cpu=2048, memory=12288), None)
    """
    if size.cpu is None or size.memory is None:
        return None
    wanted = size.memory * 3 / 2
    for cpu, sizes in MEMORY_MIB.items():
        if cpu >= size.cpu:
            for memory in sizes:
                if memory >= wanted:
                    return size._replace(cpu=cpu, memory=memory)
    largest = size._replace(cpu=16384, memory=MEMORY_MIB[16384][-1])
    return largest if largest.memory is not None and largest.memory > size.memory else None


def rate(size: Size) -> float:
    """What an hour of a size costs by AWS's list price on demand, in dollars: for comparing sizes with one another.

    >>> round(rate(Size(1024, 2048)), 5), round(rate(Size(1024, 2048, storage=120)), 5)
    (0.04937, 0.06047)
    """
    more_storage = max(0, (size.storage or FREE_STORAGE_GIB) - FREE_STORAGE_GIB)
    vcpus, memory_gib = (size.cpu or 0) / 1024, (size.memory or 0) / 1024
    return VCPU_HOUR * vcpus + GIB_HOUR * memory_gib + STORAGE_GIB_HOUR * more_storage


def _smallest_cpu(mib: int) -> int:
    for units, sizes in MEMORY_MIB.items():
        if mib in sizes:
            return units
    return min(MEMORY_MIB, key=lambda units: min(abs(mib - one) for one in MEMORY_MIB[units]))


def _amount(name: str, value: object, units: dict[str, float], example: str) -> int:
    mend = f"{name} is a whole number or text such as {example}"
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ResourceError(f"{name}={value!r} is not an amount: {mend}.")
    if isinstance(value, str):
        text = value if not value.lstrip().startswith(".") else "0" + value.lstrip()
        match = _AMOUNT.fullmatch(text)
        factor = units.get(match[2].lower()) if match else None
        if match is None or factor is None:
            raise ResourceError(f"{name}={value!r} cannot be read: {mend}.")
        amount = float(match[1]) * factor
    else:
        amount = float(value)
    if not amount > 0 or amount == float("inf") or amount != int(amount):
        raise ResourceError(f"{name}={value!r} is not a positive whole amount: {mend}.")
    return int(amount)


def _no_such_size(units: int, mib: int, cpu: object, memory: object) -> str:
    asked = ", ".join(f"{name}={value!r}" for name, value in (("cpu", cpu), ("memory", memory)) if value is not None)
    if units not in MEMORY_MIB:
        nearest = sorted(sorted(MEMORY_MIB, key=lambda one: abs(one - units))[:2])
        listed = " or ".join(f"cpu={one}" for one in nearest)
        return f"Fargate has no size {asked}: cpu must be one of {', '.join(map(str, MEMORY_MIB))}. Nearest: {listed}."
    pairs = [(one, size) for one, sizes in MEMORY_MIB.items() for size in sizes]
    same_cpu = min(MEMORY_MIB[units], key=lambda size: abs(size - mib))
    enough = [pair for pair in pairs if pair[1] >= mib and pair[0] >= units] or [pairs[-1]]
    options = dict.fromkeys([(units, same_cpu), min(enough)])
    listed = " or ".join(f"cpu={one}, memory={size}" for one, size in options)
    low, high = MEMORY_MIB[units][0], MEMORY_MIB[units][-1]
    return f"Fargate has no size {asked}: with cpu={units}, memory goes from {low} to {high} MiB. Nearest: {listed}."
