"""API calls that go wrong as the script says: throttled, refused, slow, or carried out and never answered."""

from __future__ import annotations

import time

from cloudburst.testing import faults
from cloudburst.testing.answers import Answer, Refusal
from cloudburst.testing.clock import Clock
from cloudburst.testing.operations import Request
from cloudburst.testing.script import Script


class Accidents:
    """Has a call meet the fault that is next for its operation."""

    def __init__(self, script: Script, clock: Clock) -> None:
        self._script = script
        self._clock = clock

    def __call__(self, request: Request) -> Answer | None:
        """Refuse the call, delay it, or note that its answer is to be lost."""
        fault = self._script.call(request.service, request.operation)
        if fault is None:
            return None
        self._script.met(fault)
        if fault.after_s:
            time.sleep(self._clock.real_s(fault.after_s))
        if fault.name == faults.LOST_ANSWER.name:
            request.loses_answer = True
        if fault.code:
            code, status = fault.code, fault.status
            if request.service == "s3":
                code, status = faults.S3_CODES.get(code, (code, status))
            action = f"{request.service}:{request.operation}"
            raise Refusal(code, fault.reason.replace("{action}", action), status)
        return None
