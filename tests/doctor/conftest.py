"""One fake account for the checks that change nothing in it."""

from __future__ import annotations

import pytest

from cloudburst.testing import FakeAWS


@pytest.fixture
def aws():
    with FakeAWS(time_scale=0.01) as aws:
        yield aws
