"""Setting an account up, as the APIs tell afterwards; and what is in the way of it."""

import json
import threading

import boto3
import pytest

from cloudburst.aws.contents import bucket_state
from cloudburst.aws.setup import Setup, Wishes
from cloudburst.aws.stack import TAG, Stack, State
from cloudburst.aws.template import DAYS, PREFIX
from cloudburst.errors import SettingsError, SetupError
from cloudburst.testing import DENIED, Faults
from tests.aws.accounts import QUICK, inventory, made, opened, setup_of

EVERYTHING = {
    "buckets": ["cloudburst-123456789012-us-east-1"],
    "clusters": ["cloudburst"],
    "repositories": ["cloudburst"],
    "log groups": ["/cloudburst/cloudburst"],
    "roles": ["cloudburst-us-east-1-execution", "cloudburst-us-east-1-task"],
    "policies": ["cloudburst-us-east-1-caller", "cloudburst-us-east-1-pusher"],
    "stacks": ["cloudburst"],
}


def propose(**wishes):
    return setup_of().propose(Wishes(**wishes))


def test_nothing_is_made_before_it_is_carried_out():
    with opened():
        setup = setup_of()
        proposal = setup.propose(Wishes())
        assert [sign for sign, _, _ in proposal.lines] == ["+"] * 10
        assert {kind for kind in inventory() if kind != "stacks"} == set()
        setup.withdraw(proposal)
        assert inventory() == {}


def test_everything_is_there_as_it_was_said():
    with opened():
        seen = []
        setup = setup_of()
        setup.carry_out(setup.propose(Wishes()), seen.append)
        there = inventory()
        assert len(there.pop("security groups")) == 1
        assert there == EVERYTHING
        assert [event.status for event in seen if event.name == "cloudburst"] == [
            "CREATE_IN_PROGRESS",
            "CREATE_COMPLETE",
        ]
        [cluster] = boto3.client("ecs").describe_clusters(clusters=["cloudburst"])["clusters"]
        assert cluster["capacityProviders"] == ["FARGATE", "FARGATE_SPOT"]
        [group] = boto3.client("logs").describe_log_groups()["logGroups"]
        assert group["retentionInDays"] == 30
        [repository] = boto3.client("ecr").describe_repositories()["repositories"]
        assert repository["imageScanningConfiguration"] == {"scanOnPush": True}
        expiring = boto3.client("ecr").get_lifecycle_policy(repositoryName="cloudburst")["lifecyclePolicyText"]
        assert len(json.loads(expiring)["rules"]) == 2


def test_the_bucket_is_as_it_was_said():
    with opened():
        bucket = made(run_days=5).settings()["storage_bucket"]
        s3 = boto3.client("s3")
        rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
        days = {one["Filter"]["Prefix"]: one["Expiration"]["Days"] for one in rules if "Expiration" in one}
        assert days == {f"{PREFIX}/{folder}/": own or 5 for folder, own in DAYS.items()}
        assert set(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values()) == {True}
        assert s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
        assert "aws:SecureTransport" in s3.get_bucket_policy(Bucket=bucket)["Policy"]
        assert {"Key": "cloudburst-setup", "Value": "cloudburst"} in s3.get_bucket_tagging(Bucket=bucket)["TagSet"]


def test_the_settings_name_what_is_there():
    with opened():
        setup = made()
        found = setup.settings()
        assert found == {
            "region": "us-east-1",
            "storage_bucket": "cloudburst-123456789012-us-east-1",
            "storage_prefix": PREFIX,
            "compute_cluster": "cloudburst",
            "compute_subnets": found["compute_subnets"],
            "compute_security_groups": found["compute_security_groups"],
            "compute_assign_public_ip": True,
            "compute_execution_role": "arn:aws:iam::123456789012:role/cloudburst-us-east-1-execution",
            "compute_task_role": "arn:aws:iam::123456789012:role/cloudburst-us-east-1-task",
            "compute_repository": "123456789012.dkr.ecr.us-east-1.amazonaws.com/cloudburst",
            "log_group": "/cloudburst/cloudburst",
        }
        assert len(found["compute_subnets"]) == 5
        assert setup.caller_policy == "arn:aws:iam::123456789012:policy/cloudburst-us-east-1-caller"
        assert setup.pusher_policy == "arn:aws:iam::123456789012:policy/cloudburst-us-east-1-pusher"


def test_a_second_time_there_is_nothing_to_change():
    with opened() as aws:
        made()
        before = inventory()
        changing = [name for name in aws.calls if name.startswith(("Create", "Put", "Execute"))]
        counted = {name: aws.calls[name] for name in changing if name != "CreateChangeSet"}
        assert propose() == propose()._replace(change_set="", changes=[])
        assert {name: aws.calls[name] for name in counted} == counted
        assert inventory() == before


def test_what_was_wished_once_stays_until_something_else_is_wished():
    with opened():
        vpc = propose().words["vpc"]
        subnets = [one["SubnetId"] for one in boto3.client("ec2").describe_subnets()["Subnets"][:2]]
        setup = made(subnets=tuple(subnets), run_days=3, s3_endpoint=True)
        assert setup.settings()["compute_subnets"] == subnets
        [endpoint] = boto3.client("ec2").describe_vpc_endpoints()["VpcEndpoints"]
        assert (endpoint["VpcId"], endpoint["VpcEndpointType"]) == (vpc, "Gateway")
        assert propose().change_set == ""
        changed = propose(run_days=4)
        assert [(sign, why) for sign, _, why in changed.lines] == [("~", "changed")]
        assert "S3 bucket" in changed.lines[0][1]
        gone = propose(s3_endpoint=False)
        assert [(sign, why) for sign, _, why in gone.lines] == [("-", "removed")]
        setup.carry_out(gone, lambda event: None)
        assert "endpoints" not in inventory()
        assert propose().change_set == ""


def test_an_endpoint_that_is_there_is_not_made_again():
    with opened():
        ec2 = boto3.client("ec2")
        [table] = ec2.describe_route_tables()["RouteTables"]
        ec2.create_vpc_endpoint(
            VpcId=table["VpcId"],
            ServiceName="com.amazonaws.us-east-1.s3",
            RouteTableIds=[table["RouteTableId"]],
            VpcEndpointType="Gateway",
        )
        proposal = propose(s3_endpoint=True)
        assert not [one for one in proposal.lines if "endpoint" in one[1]]
        assert any("have a gateway endpoint for S3 already" in note for note in proposal.notes)


def test_two_set_ups_stand_beside_each_other():
    with opened():
        made("team-a")
        made("team-b")
        assert inventory("team-a")["clusters"] == ["team-a"]
        assert inventory("team-b")["roles"] == ["team-b-us-east-1-execution", "team-b-us-east-1-task"]


# ---------------------------------------------------------------- what is in the way


@pytest.mark.parametrize("name", ["", "A", "Team", "x", "1a", "a_b", "a" * 31, "a-"])
def test_a_name_that_cannot_be_is_refused(name):
    with pytest.raises(SettingsError, match="begins with a letter"):
        Setup(setup_of().access, name)


def test_a_region_without_spot_gets_a_cluster_without_it():
    with opened(has_spot=False):
        proposal = propose()
        assert any("us-east-1 has no Fargate Spot" in note for note in proposal.notes)
        assert [why for _, what, why in proposal.lines if what.startswith("ECS")] == [
            "Fargate; it has no machines of its own"
        ]
        made()
        [cluster] = boto3.client("ecs").describe_clusters(clusters=["cloudburst"])["clusters"]
        assert cluster["capacityProviders"] == ["FARGATE"]


def test_a_first_cluster_finds_the_role_of_ecs():
    with opened():
        assert any("AWSServiceRoleForECS" in note for note in propose().notes)
        made()
        assert propose().notes == []


def test_a_bucket_name_that_is_taken_is_refused_before_anything_is_made():
    with opened(taken_buckets=["cloudburst-123456789012-us-east-1", "theirs"]):
        with pytest.raises(SetupError, match=r"cloudburst-123456789012-us-east-1 is taken.*--bucket"):
            propose()
        with pytest.raises(SetupError, match="theirs is taken"):
            propose(bucket="theirs")
        assert made(bucket="mine-alone").settings()["storage_bucket"] == "mine-alone"


def test_a_bucket_of_ones_own_is_used_as_it_is():
    with opened():
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket="mine")
        proposal = propose(bucket="mine")
        assert not [one for one in proposal.lines if "bucket" in one[1]]
        assert "The bucket mine is there already: it is used as it is, with what is in it." in proposal.notes
        setup = made(bucket="mine")
        assert setup.settings()["storage_bucket"] == "mine"
        assert propose().change_set == ""
        role = boto3.client("iam").get_role_policy(RoleName="cloudburst-us-east-1-task", PolicyName="cloudburst")
        assert "arn:aws:s3:::mine/cloudburst/*" in json.dumps(role["PolicyDocument"])


def test_whose_a_bucket_is():
    with opened(taken_buckets=["theirs"]):
        boto3.client("s3").create_bucket(Bucket="ours")
        far = {"LocationConstraint": "eu-west-1"}
        boto3.client("s3", region_name="eu-west-1").create_bucket(Bucket="far-away", CreateBucketConfiguration=far)
        states = {name: bucket_state(setup_of().access, name) for name in ("nobodys", "ours", "theirs", "far-away")}
        assert states == {"nobodys": "none", "ours": "ours", "theirs": "theirs", "far-away": "elsewhere"}
        with pytest.raises(SetupError, match="far-away is in another region"):
            propose(bucket="far-away")


def test_something_of_that_name_is_the_first_reason_and_all_is_taken_back():
    with opened():
        boto3.client("ecr").create_repository(repositoryName="cloudburst")
        with pytest.raises(SetupError) as caught:
            made()
        assert str(caught.value).startswith("ECR repository cloudburst: ")
        assert "already exists" in str(caught.value)
        assert "--name" in str(caught.value)
        assert "What had been made is gone again (ROLLBACK_COMPLETE)." in str(caught.value)
        assert "RequestToken" not in str(caught.value)
        assert inventory() == {"repositories": ["cloudburst"], "stacks": ["cloudburst"]}


def test_what_an_attempt_left_is_deleted_and_all_is_made():
    with opened():
        ecr = boto3.client("ecr")
        ecr.create_repository(repositoryName="cloudburst")
        with pytest.raises(SetupError):
            made()
        ecr.delete_repository(repositoryName="cloudburst")
        setup = setup_of()
        assert setup.state().is_leftover
        setup.clear_leftover(lambda event: None)
        assert setup.state() is None
        made()
        assert inventory()["clusters"] == ["cloudburst"]


def test_a_change_that_fails_leaves_everything_as_it_was():
    with opened(faults=Faults(api={"PutRetentionPolicy": [None, DENIED]})):
        setup = made()
        with pytest.raises(
            SetupError, match=r"log group /cloudburst/cloudburst: .*may not do that.*Everything is as it was"
        ):
            setup.carry_out(propose(log_days=7, run_days=5), lambda event: None)
        assert setup.state().status == "UPDATE_ROLLBACK_COMPLETE"
        [group] = boto3.client("logs").describe_log_groups()["logGroups"]
        assert group["retentionInDays"] == 30
        assert {rule["Expiration"]["Days"] for rule in _rules(setup) if "runs/" in rule["Filter"]["Prefix"]} == {30}
        assert propose().change_set == ""


def _rules(setup):
    bucket = setup.settings()["storage_bucket"]
    return boto3.client("s3").get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]


def test_a_stack_of_somebody_else_is_left_alone():
    with opened():
        body = json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})
        boto3.client("cloudformation").create_stack(StackName="cloudburst", TemplateBody=body)
        with pytest.raises(SetupError, match=r"a stack cloudburst in us-east-1 that cloudburst has not made.*--name"):
            setup_of().state()


def test_what_somebody_else_is_at_is_waited_for():
    with opened():
        theirs = setup_of()
        proposal = theirs.propose(Wishes())
        working = threading.Thread(target=theirs.carry_out, args=(proposal, lambda event: None))
        working.start()
        setup = setup_of()
        state = setup.stack.settled()
        while state.is_empty:
            state = setup.stack.settled()
        working.join()
        assert state.status == "CREATE_COMPLETE"
        assert propose().change_set == ""


WRONG_CREDENTIALS = [
    ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "There are no AWS credentials that could be used"),
    ({"AWS_PROFILE": "nobody"}, "There are no AWS credentials that could be used"),
    ({"AWS_ACCESS_KEY_ID": "AKIA0000000000000000"}, "AWS does not accept your credentials"),
]


@pytest.mark.parametrize(("variables", "said"), WRONG_CREDENTIALS)
def test_credentials_that_are_missing_or_wrong_are_one_sentence(variables, said):
    with opened(iam=True), pytest.MonkeyPatch.context() as inside:
        for name, value in variables.items():
            inside.setenv(name, value) if value else inside.delenv(name)
        with pytest.raises(SetupError, match=f"^{said}.*aws sso login"):
            propose()


def test_credentials_that_have_expired_say_so():
    with opened() as aws:
        aws.expire_credentials()
        with pytest.raises(SetupError, match="^Your AWS credentials have expired"):
            propose()


def test_a_permission_that_is_missing_is_named():
    allowed = {"Effect": "Allow", "Action": ["cloudformation:Describe*", "s3:*"], "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [allowed]}
    with opened(iam=True, caller_policy=policy), pytest.raises(SetupError) as caught:
        propose()
    assert "ec2:DescribeVpcs" in str(caught.value)
    assert "cloudburst setup --template" in str(caught.value)


def test_aws_that_cannot_be_reached_is_one_sentence():
    with opened(), pytest.MonkeyPatch.context() as inside:
        inside.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        inside.setenv("AWS_MAX_ATTEMPTS", "1")
        setup = setup_of()
        assert QUICK < 1
        with pytest.raises(SetupError, match=r"^AWS cannot be reached. Check the network"):
            setup.state()


def test_what_may_not_be_looked_at_is_left_to_cloudformation():
    denied = {"DescribeCapacityProviders": [DENIED], "GetRole": [DENIED]}
    with opened(faults=Faults(api=denied)):
        proposal = propose()
        assert proposal.notes == []
        assert proposal.words["capacity"] == "Fargate and Fargate Spot"


def test_a_stack_that_only_aws_can_mend_says_how(monkeypatch):
    stuck = State("id", "UPDATE_ROLLBACK_FAILED", "", {}, {}, {TAG: "cloudburst"})
    monkeypatch.setattr(Stack, "state", lambda self: stuck)
    with pytest.raises(
        SetupError, match=r"is UPDATE_ROLLBACK_FAILED, .*continue-update-rollback --stack-name cloudburst"
    ):
        setup_of().state()
