"""What a pool's driver and workers agree on: how often they look, and how long they wait."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Self

_LEAST_LIMIT_S = 6.0
_LEAST_INTERVAL_S = 0.5
_LEAST_LINGER_S = 2.0
"""Longer than a letter is under way, which is not shortened: or workers would leave before their first."""
_LEAST_LAUNCH_S = 30.0
"""Programs start no sooner because a test plays a quicker AWS."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Times of a pool, in seconds. Figures for AWS, which ``scaled`` shortens for tests that play it."""

    lease_interval_s: float = 15.0
    """The driver rewrites the lease so often."""
    lease_limit_s: float = 120.0
    """A worker ends when the lease has not changed for so long by its own clock."""
    mail_interval_s: float = 0.25
    """A worker looks for letters so often, jittered, while it is warm."""
    cool_interval_s: float = 1.0
    """And so often when none has come for ``cool_after_s``."""
    cool_after_s: float = 60.0
    hearing_interval_s: float = 0.5
    """The driver lists what workers have said so often."""
    linger_s: float = 10.0
    """A worker without a task waits so long for another, and to the end of ``billed_s`` in any case."""
    billed_s: float = 58.0
    """What of a machine's first minute, which is paid whether it is used or not, may be waited out."""
    grace_s: float = 100.0
    """A worker whose machine is taken back goes on with its task for so long."""
    lifetime_s: float = 24 * 3600.0
    """A worker ends after so long, whatever happens."""
    launch_limit_s: float = 600.0
    """From the request for a machine to its worker's hello."""

    def scaled(self, scale: float) -> Self:
        """The same with all but the looking shortened by a factor, but not below what programs need in any case.

        >>> Terms().scaled(0.1).lease_limit_s
        12.0
        """
        if scale == 1.0:
            return self
        return replace(
            self,
            lease_interval_s=max(self.lease_interval_s * scale, _LEAST_INTERVAL_S),
            lease_limit_s=max(self.lease_limit_s * scale, _LEAST_LIMIT_S),
            cool_after_s=self.cool_after_s * scale,
            linger_s=max(self.linger_s * scale, min(self.linger_s, _LEAST_LINGER_S)),
            billed_s=self.billed_s * scale,
            grace_s=self.grace_s * scale,
            lifetime_s=max(self.lifetime_s * scale, 600.0),
            launch_limit_s=max(self.launch_limit_s * scale, _LEAST_LAUNCH_S),
        )

    def as_json(self) -> dict[str, Any]:
        """The terms as they stand in the pool's own message."""
        return asdict(self)

    @classmethod
    def of_json(cls, told: dict[str, Any]) -> Self:
        """The terms again; what is not known here is passed over, what is missing keeps its default."""
        return cls(**{name: told[name] for name in cls.__dataclass_fields__ if name in told})
