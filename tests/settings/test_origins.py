"""From which place a setting is taken, and how a wrong one is told with its place."""

import inspect
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import cloudburst as cb
from cloudburst.settings.aws import aws_settings
from cloudburst.settings.origins import OWN_VARIABLES, Found, found_settings
from cloudburst.settings.tables import AWS_NAMES, write_profile

COMPLETE = {
    "storage_bucket": "data",
    "compute_cluster": "c",
    "compute_subnets": ["subnet-1"],
    "compute_image": "image:1",
    "compute_execution_role": "arn:aws:iam::1:role/e",
    "compute_task_role": "arn:aws:iam::1:role/t",
    "region": "us-east-1",
}


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    """No profile, no project and no variables but those of the test."""
    monkeypatch.setenv("CLOUDBURST_CONFIG_DIR", str(tmp_path / "config"))
    (tmp_path / "pyproject.toml").write_text("")
    monkeypatch.chdir(tmp_path)


def project(text):
    Path("pyproject.toml").write_text(f"[tool.cloudburst]\n{text}\n")


def test_the_names_are_those_of_the_call():
    assert set(AWS_NAMES) == set(inspect.signature(cb.init_aws).parameters) - {"profile"}


def test_arguments_then_variables_then_the_project_then_the_profile(monkeypatch):
    write_profile(
        "default", {name: f"profile-{name}" for name in ("storage_bucket", "region", "log_group", "compute_image")}
    )
    project('region = "project"\nlog_group = "project"\ncompute_image = "project"')
    monkeypatch.setenv("CLOUDBURST_LOG_GROUP", "variable")
    monkeypatch.setenv("CLOUDBURST_COMPUTE_IMAGE", "variable")
    sources = found_settings({"compute_image": "argument", "spot": None})
    found = sources.found
    assert found["compute_image"] == Found("argument", "")
    assert found["log_group"] == Found("variable", "CLOUDBURST_LOG_GROUP")
    assert found["region"] == Found("project", "pyproject.toml:2")
    assert found["storage_bucket"].value == "profile-storage_bucket"
    assert re.fullmatch(r".*config\.toml:2", found["storage_bucket"].origin)
    assert "spot" not in found
    assert sources.profile == "default"


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sets(st.sampled_from(["argument", "variable", "project", "profile"]), min_size=1))
def test_the_strongest_place_wins_whichever_there_are(where):
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("CLOUDBURST_CLUSTER", raising=False)
        Path("pyproject.toml").write_text("")
        write_profile("default", {"compute_cluster": "profile" if "profile" in where else None})
        if "project" in where:
            project('compute_cluster = "project"')
        if "variable" in where:
            patch.setenv("CLOUDBURST_COMPUTE_CLUSTER", "variable")
        found = found_settings({"compute_cluster": "argument"} if "argument" in where else {}).found
    strongest = next(one for one in ("argument", "variable", "project", "profile") if one in where)
    assert found["compute_cluster"].value == strongest


def test_a_profile_is_chosen_by_argument_variable_or_project(monkeypatch):
    for name in ("default", "a", "b", "c"):
        write_profile(name, {"storage_bucket": f"bucket-{name}"})

    def bucket(profile=None):
        return found_settings(profile=profile).found["storage_bucket"].value

    assert bucket() == "bucket-default"
    project('profile = "c"')
    assert bucket() == "bucket-c"
    monkeypatch.setenv("CLOUDBURST_PROFILE", "b")
    assert bucket() == "bucket-b"
    assert bucket("a") == "bucket-a"
    with pytest.raises(cb.SettingsError, match=r"profile='d': there is no profile 'd' .* There are a, b, c, default\."):
        bucket("d")


def test_a_call_without_arguments_takes_the_profile_and_forgets_nothing():
    write_profile("default", COMPLETE | {"spot": True, "tags": {"team": "x"}, "default_cpu": "1 vCPU"})
    made = aws_settings()
    assert made.storage_bucket == "data"
    assert made.compute_subnets == ("subnet-1",)
    assert (made.spot, dict(made.tags), made.default_size.cpu) == (True, {"team": "x"}, 1024)


SPOKEN = [
    ("COMPUTE_SUBNETS", "subnet-1, subnet-2", "compute_subnets", ("subnet-1", "subnet-2")),
    ("COMPUTE_SECURITY_GROUPS", "sg-1", "compute_security_groups", ("sg-1",)),
    ("COMPUTE_ASSIGN_PUBLIC_IP", "yes", "compute_assign_public_ip", True),
    ("SPOT", "0", "spot", False),
    ("MAX_WORKERS", "7", "max_workers", 7),
    ("LINGER", "0.5", "linger_s", 0.5),
    ("TAGS", "team=a, cost center=b", "tags", {"team": "a", "cost center": "b"}),
    ("STORAGE_PREFIX", "", "storage_prefix", ""),
]


@pytest.mark.parametrize(("variable", "text", "name", "value"), SPOKEN)
def test_variables_are_read_by_their_kind(monkeypatch, variable, text, name, value):
    write_profile("default", COMPLETE)
    monkeypatch.setenv(f"CLOUDBURST_{variable}", text)
    assert getattr(aws_settings(), name) == value


@pytest.mark.parametrize(("text", "cpu"), [("1024", 1024), ("4 vCPU", 4096)])
def test_a_size_in_a_variable_is_a_number_or_has_a_unit(monkeypatch, text, cpu):
    write_profile("default", COMPLETE)
    monkeypatch.setenv("CLOUDBURST_DEFAULT_CPU", text)
    assert aws_settings().default_size.cpu == cpu


def test_a_wrong_value_is_told_with_its_place(monkeypatch):
    write_profile("default", COMPLETE)
    project('\n\nstorage_bucket = "My Bucket"')
    with pytest.raises(
        cb.SettingsError, match=r"^storage_bucket in pyproject.toml:4: 'My Bucket' cannot be: it is the name"
    ):
        aws_settings()
    assert aws_settings(storage_bucket="right").storage_bucket == "right"
    project("")
    monkeypatch.setenv("CLOUDBURST_COMPUTE_SUBNETS", "vpc-1")
    with pytest.raises(cb.SettingsError, match=r"^compute_subnets in CLOUDBURST_COMPUTE_SUBNETS: has 'vpc-1'"):
        aws_settings()
    monkeypatch.delenv("CLOUDBURST_COMPUTE_SUBNETS")
    write_profile("default", {"max_workers": "many"})
    with pytest.raises(cb.SettingsError, match=r"^max_workers in .*config\.toml:\d+: 'many' cannot be"):
        aws_settings()
    with pytest.raises(cb.SettingsError, match=r"^max_workers=0 cannot be"):
        aws_settings(max_workers=0)


WRONG_VARIABLES = [
    (
        "CLOUDBURST_STORAGE_BUKET",
        r"CLOUDBURST_STORAGE_BUKET in the environment is no setting. Did you mean CLOUDBURST_STORAGE_BUCKET\?",
    ),
    ("CLOUDBURST_spot", r"Did you mean CLOUDBURST_SPOT\?"),
    ("CLOUDBURST_XQZ", "CLOUDBURST_XQZ in the environment is no setting. There are CLOUDBURST_"),
]


@pytest.mark.parametrize(("variable", "said"), WRONG_VARIABLES)
def test_a_variable_that_is_no_setting_is_told_the_right_one(monkeypatch, variable, said):
    monkeypatch.setenv(variable, "a private value")
    with pytest.raises(cb.SettingsError, match=said) as caught:
        found_settings()
    assert "private" not in str(caught.value)


def test_a_flag_in_a_variable_is_yes_or_no(monkeypatch):
    monkeypatch.setenv("CLOUDBURST_SPOT", "maybe")
    with pytest.raises(cb.SettingsError, match="spot in CLOUDBURST_SPOT: 'maybe' cannot be: it is 1 or 0"):
        found_settings()


def test_every_variable_that_the_package_reads_is_known():
    root = Path(inspect.getfile(cb)).parent
    read = {
        name
        for path in root.rglob("*.py")
        for name in re.findall(r"""["']CLOUDBURST_([A-Z_]*[A-Z])["']""", path.read_text(encoding="utf-8"))
    }
    assert {"CONFIG_DIR", "POOL"} <= read
    assert {name for name in read if not name.startswith("FAKE_")} <= {
        *OWN_VARIABLES,
        *[one.upper() for one in AWS_NAMES],
    }
