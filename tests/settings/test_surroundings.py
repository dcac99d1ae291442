"""What is read of the environment and of this machine."""

from __future__ import annotations

import pytest

import cloudburst as cb
from cloudburst.settings import progress_wanted, script_name, time_scale


@pytest.mark.parametrize(("said", "scale"), [("1", 1.0), ("0.05", 0.05), ("1e-2", 0.01)])
def test_waits_are_scaled_as_the_variable_says(monkeypatch: pytest.MonkeyPatch, said: str, scale: float) -> None:
    monkeypatch.setenv("CLOUDBURST_TIME_SCALE", said)
    assert time_scale() == scale


@pytest.mark.parametrize("said", ["", "0", "-1", "2", "nan", "inf", "fast"])
def test_a_scale_that_cannot_be_is_refused(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setenv("CLOUDBURST_TIME_SCALE", said)
    with pytest.raises(cb.SettingsError, match=f"CLOUDBURST_TIME_SCALE={said!r} cannot be"):
        time_scale()


def test_waits_are_those_of_aws_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLOUDBURST_TIME_SCALE", raising=False)
    assert time_scale() == 1.0


@pytest.mark.parametrize(
    ("said", "wanted"), [("", None), ("1", True), ("on", True), ("0", False), ("No", False), ("perhaps", None)]
)
def test_progress_is_shown_as_the_call_says_and_else_the_variable(
    monkeypatch: pytest.MonkeyPatch, said: str, wanted: bool | None
) -> None:
    monkeypatch.setenv("CLOUDBURST_PROGRESS", said)
    assert progress_wanted(None) is wanted
    assert progress_wanted(True) is True
    assert progress_wanted(False) is False


@pytest.mark.parametrize(
    ("program", "name"), [("/a/flights.py", "flights"), ("-c", "run"), ("", "run"), ("x/ipykernel_launcher.py", "run")]
)
def test_a_run_without_a_name_is_called_as_the_program(
    monkeypatch: pytest.MonkeyPatch, program: str, name: str
) -> None:
    monkeypatch.setattr("sys.argv", [program])
    assert script_name() == name
