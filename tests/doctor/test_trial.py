"""One smallest task, end to end."""

from __future__ import annotations

import pytest

from cloudburst.doctor.trial import trial
from cloudburst.errors import LaunchError
from cloudburst.testing import EXEC_FORMAT, FakeAWS, Faults
from tests.doctor.cases import case_of
from tests.testing.fargate import until


@pytest.fixture(autouse=True)
def own_key(tmp_path, monkeypatch):
    monkeypatch.setenv("CLOUDBURST_CONFIG_DIR", str(tmp_path))


def test_a_task_runs_and_its_parts_are_timed():
    with FakeAWS(time_scale=0.02, startup_s=40) as aws:
        done = trial(case_of(aws))
        [task] = aws.tasks()
        assert (task.size.cpu, task.size.memory) == (256, 512)
        assert until(lambda: aws.running() == [])
    assert [phase.name.split(",")[0] for phase in done.phases] == [
        "until a machine is found and on the network",
        "the image is pulled",
        "its container starts",
        "checking",
    ]
    assert sum(phase.seconds for phase in done.phases) == pytest.approx(done.seconds, abs=1.0)
    assert sum(phase.seconds for phase in done.phases[:3]) == pytest.approx(40, rel=0.2)
    assert done.cost.startswith("cost $")


def test_a_machine_that_cannot_start_is_told_as_a_run_tells_it():
    with FakeAWS(time_scale=0.01, faults=Faults(launches=[EXEC_FORMAT] * 9)) as aws:
        with pytest.raises(LaunchError, match="architecture"):
            trial(case_of(aws))
        assert until(lambda: aws.running() == [])
