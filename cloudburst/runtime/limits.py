"""What a run may use, and how much failing it bears."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from cloudburst.errors import InternalError
from cloudburst.resources import Size


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may use, and how much failing it bears.

    Parameters
    ----------
    workers : int
        Workers at most.
    cpu, memory_mib : int or None
        What all tasks performed at one time may use: CPU units and MiB; ``None`` is without limit. Workers with a
        machine each are limited by their number alone.
    keep_going : bool
        Perform what does not depend on a failed task.
    crash_retries : int
        How often a task is tried again after its worker went away.
    memory_steps : int
        How often a task is tried at a larger size after running out of memory.
    grace_s : float
        How long tasks that are being performed may go on after another has failed the run.
    shaped : bool
        Each worker has a machine of its own shape, and takes what fits it. Otherwise all share one machine.
    reuse : bool
        A worker with a machine of its own performs one task after another. Otherwise it is stopped after its first.
    launch_delay_s : float
        How long to wait before a machine that was refused is asked for again: the first time, then twice as long each
        time, up to 60 times as long.
    quota_wait_s : float
        How long to wait in all for a machine that was refused for want of quota or capacity, while no worker is busy.
    prestart : bool
        Ask for the machines of tasks whose inputs are just being made, where a worker could start meanwhile.
    """

    workers: int
    cpu: int | None
    memory_mib: int | None
    keep_going: bool = False
    crash_retries: int = 1
    memory_steps: int = 3
    grace_s: float = 1.0
    shaped: bool = False
    reuse: bool = True
    launch_delay_s: float = 1.0
    quota_wait_s: float = 1800.0
    prestart: bool = False

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise InternalError(f"A run with {self.workers} workers would never end.")

    @property
    def machine(self) -> tuple[int, int]:
        """CPU units and MiB that there are; 0 where there is no limit, for nothing is charged there."""
        return (0, 0) if self.shaped else (self.cpu or 0, self.memory_mib or 0)

    def scaled(self, scale: float) -> Self:
        """The same with what waits for AWS shortened by a factor.

        >>> Limits(1, None, None).scaled(0.1).quota_wait_s
        180.0
        """
        if scale == 1.0:
            return self
        return replace(self, launch_delay_s=self.launch_delay_s * scale, quota_wait_s=self.quota_wait_s * scale)

    def charge(self, size: Size) -> tuple[int, int]:
        """CPU units and MiB that a task of a size takes up; what is larger than the machine takes all of it.

        >>> limits = Limits(workers=4, cpu=4096, memory_mib=8192)
        >>> limits.charge(Size(2048, 4096)), limits.charge(Size(2048, 16384)), limits.charge(Size())
        ((2048, 4096), (4096, 8192), (1024, 0))
        """
        all_cpu, all_memory = self.machine
        cpu = all_cpu // self.workers if size.cpu is None else size.cpu
        memory = size.memory or 0
        if 0 < all_cpu < cpu or 0 < all_memory < memory:
            return all_cpu, all_memory
        return min(cpu, all_cpu), min(memory, all_memory)
