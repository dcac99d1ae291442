"""How much is tried at random: as much as finds what is planted, and more where ``CLOUDBURST_CHAINS`` asks for it."""

from __future__ import annotations

import os

USUAL = 600
ALL = 2000
CHAINS = int(os.environ.get("CLOUDBURST_CHAINS", USUAL))


def tries(most: int) -> int:
    """So many of ``most`` as there are random pipelines of 2,000, and no fewer than usual.

    >>> tries(1000) in range(300, 1001)
    True
    """
    return most * min(max(CHAINS, USUAL), ALL) // ALL
