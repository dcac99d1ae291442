"""Settings, credentials and region."""

from __future__ import annotations

import pytest

from cloudburst.doctor import account
from cloudburst.doctor.findings import Case
from cloudburst.errors import SetupError
from cloudburst.settings.origins import Sources
from tests.doctor.cases import case_of, only, seen


def test_settings_that_are_all_there_are_well(aws):
    mark, said = only(account.settings, case_of(aws))
    assert (mark, said.partition(",")[0]) == ("well", f"{len(aws.settings)} settings")


def test_where_nothing_is_set_the_way_to_set_up_is_told():
    mark, said = only(account.settings, Case(Sources({}, "team")))
    assert mark == "wrong"
    assert said.startswith("Nothing is set up: there are neither variables, nor a profile 'team'. cloudburst setup")


def test_all_settings_that_are_missing_are_named_at_once(aws):
    mark, said = only(account.settings, case_of(aws, compute_cluster=None, compute_task_role=None))
    assert mark == "wrong"
    assert said.startswith("compute_cluster, compute_task_role are missing")


def test_an_image_is_not_missing_where_there_is_a_repository_to_make_it_for(aws):
    assert only(account.settings, case_of(aws, compute_image=None, compute_repository="worker"))[0] == "well"
    assert only(account.settings, case_of(aws, compute_image=None))[0] == "wrong"


def test_settings_that_cannot_be_are_named_each(aws):
    found = seen(account.settings, case_of(aws, storage_bucket="UPPER", compute_subnets=["nonsense"]))
    assert [mark for mark, _ in found] == ["wrong", "wrong", "well"]
    assert "UPPER" in found[0][1]
    assert "nonsense" in found[1][1]


def test_credentials_are_told_by_their_owner_and_origin(aws):
    assert only(account.credentials, case_of(aws)) == (
        "well",
        "arn:aws:iam::123456789012:user/caller, from the environment",
    )


def test_credentials_that_have_expired_say_how_to_get_new_ones(aws):
    aws.expire_credentials()
    with pytest.raises(SetupError, match="have expired. Log in"):
        list(account.credentials(case_of(aws)))


def test_without_credentials_the_way_to_log_in_is_told(aws, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(SetupError, match="There are no AWS credentials that could be used. Log in"):
        list(account.credentials(case_of(aws)))


def test_a_region_without_ecs_is_doubted(aws):
    assert only(account.region, case_of(aws)) == ("well", "us-east-1")
    mark, said = only(account.region, case_of(aws, region="mars-north-1".replace("mars", "xx")))
    assert mark == "open"
    assert said.startswith("xx-north-1 is none that this boto3 knows ECS in")
