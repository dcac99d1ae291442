"""The pytest plugin that comes with cloudburst: the fixture ``fake_aws``.

It loads nothing until the fixture is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from cloudburst.testing.fake import FakeAWS


@pytest.fixture
def fake_aws() -> Iterator[FakeAWS]:
    """Give a ``FakeAWS`` in which nothing goes wrong; all that takes AWS time takes a hundredth of it.

    A test that wants faults or other settings makes a ``FakeAWS`` of its own.
    """
    from cloudburst.testing import FakeAWS

    with FakeAWS(time_scale=0.01) as aws:
        yield aws
