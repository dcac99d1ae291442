"""What a run may use."""

from __future__ import annotations

from cloudburst.resources import Size
from cloudburst.runtime.limits import Limits


def test_workers_with_machines_of_their_own_are_charged_nothing():
    limits = Limits(workers=4, cpu=4096, memory_mib=8192, shaped=True)
    assert limits.machine == limits.charge(Size(2048, 4096)) == (0, 0)
