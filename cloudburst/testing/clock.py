"""Fake time: seconds as the fake AWS counts them, which pass ``1 / scale`` times as fast as real ones."""

from __future__ import annotations

import time


class Clock:
    """Counts fake seconds from its making.

    Parameters
    ----------
    scale : float
        Real seconds to a fake one: with 0.01 a fake minute takes 0.6 s.

    Examples
    --------
    >>> Clock(0.01).real_s(60)
    0.6
    """

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale
        self._epoch_s = time.time()
        self._start_s = time.monotonic()

    def now_s(self) -> float:
        """Fake seconds since the start."""
        return (time.monotonic() - self._start_s) / self.scale

    def real_s(self, fake_s: float) -> float:
        """How long so many fake seconds take."""
        return fake_s * self.scale

    def stamp(self, fake_s: float) -> float:
        """The fake moment as AWS writes it: seconds since 1970."""
        return self._epoch_s + fake_s
