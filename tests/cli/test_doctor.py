"""``cloudburst doctor``: what it prints, and its exit code."""

from __future__ import annotations

import json
import sys

import pytest

from cloudburst.cli import main
from cloudburst.settings.tables import write_profile
from cloudburst.testing import FakeAWS


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    """No profile and no project but those of the test, and no engine."""
    monkeypatch.setenv("CLOUDBURST_CONFIG_DIR", str(tmp_path / "config"))
    (tmp_path / "pyproject.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "")


@pytest.fixture
def aws():
    with FakeAWS(time_scale=0.01) as aws:
        write_profile("default", {name: value for name, value in aws.settings.items() if name != "endpoint_url"})
        yield aws


def told(capsys, *argv, code=0):
    assert main(["doctor", "--json", *argv]) == code
    return json.loads(capsys.readouterr().out)


def test_each_check_has_a_line_that_says_how_it_is(aws, capsys):
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[:14].split() for line in lines[:4]] == [
        ["✓", "settings"],
        ["✓", "credentials"],
        ["✓", "region"],
        ["✓", "bucket"],
    ]
    assert [line for line in lines if line.startswith("–")] == [line for line in lines if "engine" in line]
    assert lines[-1] == "Nothing is wrong."


def test_what_is_wrong_is_told_with_its_mend_and_makes_the_exit_code(aws, capsys, monkeypatch):
    monkeypatch.setenv("CLOUDBURST_COMPUTE_CLUSTER", "gone")
    monkeypatch.setenv("CLOUDBURST_LOG_GROUP", "/gone")
    assert main(["doctor", "--run"]) == 1
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    wrong = [line.split()[1] for line in lines if line.startswith("✗")]
    assert wrong == ["cluster", "log"]
    assert "Create it, or correct compute_cluster or region." in captured.out
    assert "– run          not tried, as something else is wrong" in lines
    assert lines[-1] == "2 of 13 are wrong."
    assert captured.err == ""


def test_what_is_found_goes_to_standard_output_on_a_terminal_too(aws, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main(["doctor", "--run"]) == 0
    out, err = capsys.readouterr()
    assert [line.split()[1] for line in out.splitlines() if line.startswith("✓")][:3] == [
        "settings",
        "credentials",
        "region",
    ]
    assert "✓ run" in out
    assert "settings" not in err


def test_programs_get_json(aws, capsys):
    found = told(capsys)
    assert found["well"] is True
    assert [one["check"] for one in found["checks"]][:3] == ["settings", "credentials", "region"]
    assert found["checks"][2] == {"check": "region", "mark": "well", "said": [{"mark": "well", "said": "us-east-1"}]}
    assert "run" not in found


def test_a_run_is_timed_part_by_part(aws, capsys):
    found = told(capsys, "--run")
    assert found["run"]["seconds"] > 0
    assert len(found["run"]["phases"]) == 4
    assert [(task.size.cpu, task.size.memory) for task in aws.tasks()] == [(256, 512)]
    assert main(["doctor", "--run"]) == 0
    assert "s  the image is pulled" in capsys.readouterr().out


def test_where_nothing_is_set_up_one_sentence_says_what_to_do(capsys):
    with FakeAWS(furnished=False):
        assert main(["doctor"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("✗ settings     Nothing is set up")
    assert "cloudburst setup makes all that is needed" in lines[0]
    assert lines[1].startswith("✓ credentials  arn:aws:iam::123456789012:user/caller")
    assert lines[3] == "– bucket       not looked at, as settings is wrong"


def test_a_profile_that_is_not_there_is_a_mistake_of_the_call(capsys):
    assert main(["doctor", "--profile", "nobody"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("cloudburst: ")
    assert "nobody" in captured.err


def test_without_boto3_it_is_said_what_to_install(capsys, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["doctor"]) == 2
    assert "pip install 'cloudburst[aws]'" in capsys.readouterr().err
