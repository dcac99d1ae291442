"""``cloudburst config``: each value, and where it stands."""

import json

import pytest

from cloudburst.cli import config, main
from cloudburst.settings.tables import AWS_NAMES, write_profile


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    """No profile and no project but those of the test, and nothing of AWS in the environment."""
    monkeypatch.setenv("CLOUDBURST_CONFIG_DIR", str(tmp_path / "config"))
    (tmp_path / "pyproject.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))


def rows(capsys, *argv, code=0):
    """What it prints: by name, value and place."""
    assert main(["config", *argv]) == code
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
    return {name: rest.strip() for name, _, rest in (line.strip().partition(" ") for line in lines)}


def told(capsys, *argv, code=0):
    assert main(["config", "--json", *argv]) == code
    return json.loads(capsys.readouterr().out)


def test_it_says_what_a_run_here_would_use(capsys, monkeypatch):
    monkeypatch.setattr("cloudburst.settings.cpus", lambda: 7)
    monkeypatch.setattr("cloudburst.settings.machine_memory_mib", lambda: 12 * 1024)
    monkeypatch.setenv("CLOUDBURST_PROGRESS", "0")
    shown = rows(capsys)
    assert shown["workers"].startswith("7 ")
    assert shown["memory"].startswith("12 GB ")
    assert shown["progress"].startswith("never ")
    assert shown["progress"].endswith("CLOUDBURST_PROGRESS")
    assert shown["storage"].startswith("a private directory")


def test_it_says_of_each_setting_of_aws_where_it_stands(capsys, monkeypatch, tmp_path):
    write_profile("default", {"storage_bucket": "data", "compute_subnets": ["subnet-1", "subnet-2"], "spot": True})
    (tmp_path / "pyproject.toml").write_text('[tool.cloudburst]\nregion = "eu-west-1"\ntags = {team = "a"}\n')
    monkeypatch.setenv("CLOUDBURST_MAX_WORKERS", "7")
    shown = {name: [one.strip() for one in rest.split("  ") if one.strip()] for name, rest in rows(capsys).items()}
    file = str(tmp_path / "config" / "config.toml")
    assert shown["storage_bucket"] == ["data", f"{file}:2"]
    assert shown["compute_subnets"] == ["subnet-1, subnet-2", f"{file}:3"]
    assert shown["spot"] == ["yes", f"{file}:4"]
    assert shown["region"] == ["eu-west-1", "pyproject.toml:2"]
    assert shown["tags"] == ["team=a", "pyproject.toml:3"]
    assert shown["max_workers"] == ["7", "CLOUDBURST_MAX_WORKERS"]
    assert shown["architecture"] == ["X86_64", "the default"]
    assert shown["log_group"] == ["–", "not set"]


def test_as_json_it_says_the_same_with_values_as_they_are(capsys, monkeypatch, tmp_path):
    write_profile("work", {"compute_subnets": ["subnet-1"], "spot": True})
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    found = told(capsys, "--profile", "work")
    assert found["profile"] == "work"
    assert set(AWS_NAMES) <= set(found["aws"])
    assert found["aws"]["compute_subnets"] == {"value": ["subnet-1"], "from": f"{tmp_path}/config/config.toml:2"}
    assert found["aws"]["spot"]["value"] is True
    assert found["aws"]["region"] == {"value": "eu-north-1", "from": "AWS_REGION, or your AWS profile"}
    assert found["aws"]["storage_bucket"] == {"value": None, "from": "not set"}
    assert found["wrong"] == []
    assert isinstance(found["local"]["workers"]["value"], int)


def test_a_setting_that_cannot_be_is_told_and_the_exit_code_says_so(capsys):
    write_profile("default", {"storage_bucket": "My Bucket", "max_workers": 0})
    found = told(capsys, code=config.NOT_WELL)
    assert [one.partition(" in ")[0] for one in found["wrong"]] == ["storage_bucket", "max_workers"]
    assert main(["config"]) == 1
    assert "config.toml:2: 'My Bucket' cannot be" in capsys.readouterr().out


def test_a_file_with_an_unknown_key_is_one_sentence(capsys):
    write_profile("default", {"storage_buket": "data"})
    assert main(["config"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "storage_buket" in err
    assert "Did you mean storage_bucket?" in err


def test_without_boto3_it_says_how_to_get_it(capsys, monkeypatch):
    monkeypatch.setattr(config, "find_spec", lambda name: None)
    assert main(["config"]) == 0
    out = capsys.readouterr().out
    assert "workers" in out
    assert "cloudburst[aws]" in out
    assert told(capsys)["aws"] == {}
