"""What a check came to."""

from __future__ import annotations

import pytest

from cloudburst.doctor.findings import Result, open_, warning, well, wrong


@pytest.mark.parametrize(
    ("findings", "mark"),
    [
        ((well("a"), well("b")), "well"),
        ((well("a"), open_("b")), "open"),
        ((open_("a"), warning("b"), well("c")), "warning"),
        ((well("a"), wrong("b"), warning("c")), "wrong"),
    ],
)
def test_a_result_is_as_bad_as_the_worst_that_was_found(findings, mark):
    assert Result("bucket", findings).mark == mark
