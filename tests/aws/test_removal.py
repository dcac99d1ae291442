"""Removing what was set up: nothing is left, but for data that somebody may want."""

import boto3
import pytest

from cloudburst.aws.removal import plan_removal, remove
from cloudburst.aws.template import PREFIX
from cloudburst.errors import SetupError
from cloudburst.testing import DENIED, Faults
from tests.aws.accounts import inventory, made, opened, setup_of

BUCKET = "cloudburst-123456789012-us-east-1"


def removed(**options):
    setup = setup_of()
    removal = plan_removal(setup, **options)
    remove(setup, removal, lambda event: None)
    return removal


def put(*keys):
    for key in keys:
        boto3.client("s3").put_object(Bucket=BUCKET, Key=key, Body=b"x")


def test_nothing_is_left():
    with opened():
        made(s3_endpoint=True)
        assert len(inventory()) == 9
        removal = plan_removal(setup_of())
        assert len(inventory()) == 9
        assert len(removal.lines) == 10
        remove(setup_of(), removal, lambda event: None)
        assert inventory() == {}
        assert plan_removal(setup_of()).is_nothing


def test_what_runs_left_goes_with_the_bucket():
    with opened():
        made()
        put(*[f"{PREFIX}/runs/{number}" for number in range(5)], f"{PREFIX}/pools/u/1", f"{PREFIX}/checks/1")
        boto3.client("s3").create_multipart_upload(Bucket=BUCKET, Key=f"{PREFIX}/runs/half")
        assert "0 objects that are kept and 7 objects of runs" in removed().lines[-1]
        assert inventory() == {}


@pytest.mark.parametrize("key", [f"{PREFIX}/kept/u/1", "reports/2024.csv", f"{PREFIX}/other"])
def test_a_bucket_with_data_stays_until_it_is_told_to_go(key):
    with opened():
        made()
        put(key, f"{PREFIX}/runs/1")
        removal = removed()
        [stays] = removal.stays
        assert stays.startswith(f"The bucket {BUCKET} stays, with 1 object that is kept and 1 object of runs. ")
        assert "--remove --delete-data" in stays
        assert inventory() == {"buckets": [BUCKET]}
        assert removed().is_nothing
        assert removed(delete_data=True).bucket == BUCKET
        assert inventory() == {}


def test_a_bucket_that_stayed_is_used_again_and_removed_with_the_next_set_up():
    with opened():
        made()
        put(f"{PREFIX}/kept/u/1")
        removed()
        made()
        assert inventory()["buckets"] == [BUCKET]
        removed(delete_data=True)
        assert inventory() == {}


def test_a_bucket_that_was_there_before_is_never_removed():
    with opened():
        boto3.client("s3").create_bucket(Bucket="mine")
        made(bucket="mine")
        removed(delete_data=True)
        assert inventory() == {}
        assert [one["Name"] for one in boto3.client("s3").list_buckets()["Buckets"]] == ["mine"]


def test_a_bucket_with_versions_goes_with_all_of_them():
    with opened():
        made()
        boto3.client("s3").put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        put(f"{PREFIX}/runs/1", f"{PREFIX}/runs/1")
        boto3.client("s3").delete_object(Bucket=BUCKET, Key=f"{PREFIX}/runs/1")
        removed()
        assert inventory() == {}


def test_images_go_with_the_repository_and_it_is_said():
    with opened() as aws:
        made()
        aws.push("cloudburst")
        assert "ECR repository cloudburst, with 1 image" in removed().lines
        assert inventory() == {}


def test_the_policies_are_taken_from_those_who_have_them():
    with opened():
        setup = made()
        iam = boto3.client("iam")
        iam.create_user(UserName="alice")
        iam.create_group(GroupName="scientists")
        iam.attach_user_policy(UserName="alice", PolicyArn=setup.caller_policy)
        iam.attach_group_policy(GroupName="scientists", PolicyArn=setup.caller_policy)
        iam.attach_group_policy(GroupName="scientists", PolicyArn=setup.pusher_policy)
        lines = removed().lines
        assert "policy cloudburst-us-east-1-caller, which is taken from user alice, group scientists" in lines
        assert "policy cloudburst-us-east-1-pusher, which is taken from group scientists" in lines
        assert inventory() == {}


def test_machines_that_run_are_in_the_way():
    with opened() as aws:
        settings = made().settings()
        ecs = boto3.client("ecs")
        container = {"name": "x", "image": aws.push("cloudburst"), "command": ["sleep", "60"]}
        ecs.register_task_definition(
            family="cloudburst-x", containerDefinitions=[container], networkMode="awsvpc", cpu="256", memory="512",
            requiresCompatibilities=["FARGATE"], executionRoleArn=settings["compute_execution_role"],
        )  # fmt: skip
        network = {"awsvpcConfiguration": {"subnets": settings["compute_subnets"]}}
        asked = {"cluster": "cloudburst", "taskDefinition": "cloudburst-x", "networkConfiguration": network}
        [task] = ecs.run_task(**asked, launchType="FARGATE")["tasks"]
        with pytest.raises(SetupError, match=r"1 machine runs in cluster cloudburst: .*cloudburst runs stop"):
            plan_removal(setup_of())
        ecs.stop_task(cluster="cloudburst", task=task["taskArn"])


def test_what_could_not_be_deleted_is_told_and_goes_the_next_time():
    with opened(faults=Faults(api={"DeleteLogGroup": [DENIED]})):
        made()
        with pytest.raises(
            SetupError, match=r"stack cloudburst could not be deleted. log group /cloudburst/cloudburst: "
        ):
            removed()
        setup = setup_of()
        assert setup.state().status == "DELETE_FAILED"
        assert inventory()["log groups"] == ["/cloudburst/cloudburst"]
        removed()
        assert inventory() == {}


def test_what_a_failed_attempt_left_is_removed():
    with opened():
        boto3.client("ecr").create_repository(repositoryName="cloudburst")
        with pytest.raises(SetupError):
            made()
        assert removed().lines == ["stack cloudburst, which is ROLLBACK_COMPLETE"]
        assert inventory() == {"repositories": ["cloudburst"]}


def test_what_somebody_has_deleted_by_hand_is_not_missed():
    with opened():
        setup = made()
        boto3.client("ecs").delete_cluster(cluster="cloudburst")
        boto3.client("ecr").delete_repository(repositoryName="cloudburst")
        boto3.client("iam").delete_policy(PolicyArn=setup.caller_policy)
        boto3.client("iam").delete_policy(PolicyArn=setup.pusher_policy)
        boto3.client("logs").delete_log_group(logGroupName="/cloudburst/cloudburst")
        boto3.client("s3").delete_bucket(Bucket=BUCKET)
        removed()
        assert inventory() == {}
