"""Cases for checks: the settings of a fake account, with what a test has changed in them."""

from __future__ import annotations

from typing import Any

from cloudburst.doctor.findings import Case
from cloudburst.settings.origins import Found, Sources
from cloudburst.testing import FakeAWS


def case_of(aws: FakeAWS, **changes: Any) -> Case:
    """The account as its settings tell; what is changed to ``None`` is left out."""
    given = {name: value for name, value in {**aws.settings, **changes}.items() if value is not None}
    return Case(Sources({name: Found(value, "") for name, value in given.items()}, "default"))


def seen(check: Any, case: Case) -> list[tuple[str, str]]:
    """What a check finds: mark and text."""
    return [(one.mark, one.said) for one in check(case)]


def marks(check: Any, case: Case) -> list[str]:
    return [mark for mark, _ in seen(check, case)]


def only(check: Any, case: Case) -> tuple[str, str]:
    """The one thing that a check finds."""
    [found] = seen(check, case)
    return found
