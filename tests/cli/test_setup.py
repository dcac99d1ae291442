"""``cloudburst setup``, from an empty account to a pipeline and back."""

import io
import json
import re
import tomllib

import boto3
import pandas as pd
import pytest
from click.testing import CliRunner

import cloudburst as cb
from cloudburst.cli import main
from cloudburst.cli.setup import command
from cloudburst.errors import ImageError
from cloudburst.image.ecr import Ecr
from cloudburst.settings.tables import profile_table, profiles_path, write_profile
from tests.aws.accounts import inventory, made, opened


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    """No profile and no project but those of the test."""
    monkeypatch.setenv("CLOUDBURST_CONFIG_DIR", str(tmp_path / "config"))
    (tmp_path / "pyproject.toml").write_text("")
    monkeypatch.chdir(tmp_path)


def said(capsys, *argv, code=0):
    """What the program prints, to both."""
    assert main(["setup", *argv]) == code, capsys.readouterr().err
    out, err = capsys.readouterr()
    return out + err


@cb.stage(cpu=256, memory=512)
def table(rows):
    return pd.DataFrame({"x": range(rows)})


@cb.stage(cpu=256, memory=512)
def total(frame):
    return int(frame["x"].sum())


def test_from_an_empty_account_to_a_pipeline_and_back(capsys, monkeypatch):
    with opened() as aws:
        assert "cb.init_aws() needs no argument" in said(capsys, "--yes")
        write_profile("default", {"compute_image": aws.push("cloudburst")})
        cb.init_aws()
        try:
            assert total(table(1000)).compute() == 499_500
        finally:
            cb.init_local()
        roles = {task.task_role for task in aws.tasks()}  # of one machine, or two where this one is busy
        assert roles == {profile_table("default").values["compute_task_role"]}
        before = inventory()
        assert "There is nothing to change" in said(capsys)
        assert inventory() == before
        assert profile_table("default").values["compute_image"].endswith("/cloudburst:latest")
        assert "Removed, and the profile default with it." in said(capsys, "--remove", "--yes")
        assert inventory() == {}
        assert tomllib.loads(profiles_path().read_text()).get("profiles", {}) == {}


def test_the_policy_of_the_stack_for_those_who_push_is_about_its_repository(capsys):
    with opened(iam=True) as aws:
        assert "policy/cloudburst-us-east-1-pusher" in said(capsys, "--yes")
        iam = boto3.client("iam")
        policy = "arn:aws:iam::123456789012:policy/cloudburst-us-east-1-pusher"
        iam.attach_user_policy(UserName="caller", PolicyArn=policy)
        iam.delete_user_policy(UserName="caller", PolicyName="allowed")
        ecr = Ecr("cloudburst", "us-east-1", aws.settings["endpoint_url"])
        assert ecr.uri() == ecr.make() == "123456789012.dkr.ecr.us-east-1.amazonaws.com/cloudburst"
        assert ecr.digest("none") is None
        with pytest.raises(ImageError, match="may not use ecr:DescribeRepositories on 'another'"):
            Ecr("another", "us-east-1", aws.settings["endpoint_url"]).uri()


def test_the_least_permissions_of_the_stack_suffice_for_a_pipeline(capsys):
    with opened(iam=True) as aws:
        said(capsys, "--yes")
        write_profile("default", {"compute_image": aws.push("cloudburst")})
        iam = boto3.client("iam")
        policy = "arn:aws:iam::123456789012:policy/cloudburst-us-east-1-caller"
        iam.attach_user_policy(UserName="caller", PolicyArn=policy)
        iam.delete_user_policy(UserName="caller", PolicyName="allowed")
        cb.init_aws()
        try:
            assert total(table(50_000)).compute() == sum(range(50_000))
        finally:
            cb.init_local()
        with pytest.raises(boto3.client("s3").exceptions.ClientError, match="AccessDenied"):
            boto3.client("s3").put_object(Bucket="cloudburst-123456789012-us-east-1", Key="elsewhere/x", Body=b"")


def test_it_shows_what_would_be_made_and_asks():
    with opened():
        asked = CliRunner().invoke(command, [], input="n\n")
        assert isinstance(asked.exception, SystemExit)
        for what in ("S3 bucket cloudburst-123", "ECS cluster", "ECR repository", "log group", "role", "Go on? [y/N]"):
            assert what in asked.output
        assert inventory() == {}
        assert not profiles_path().exists()
        agreed = CliRunner().invoke(command, [], input="y\n")
        assert agreed.exit_code == 0
        assert "clusters" in inventory()


def test_where_nobody_can_be_asked_nothing_is_done(capsys, monkeypatch):
    with opened():
        monkeypatch.setattr("sys.stdin", io.StringIO(""))
        assert "nothing was done, since nobody is there to be asked: say --yes" in said(capsys, code=2)
        assert inventory() == {}


def test_the_template_needs_no_account(capsys, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    printed = said(capsys, "--template")
    assert json.loads(printed)["Resources"]["Cluster"]["Type"] == "AWS::ECS::Cluster"


def test_a_profile_of_another_name_and_region_stands_beside_the_first(capsys):
    with opened(region="eu-west-1"):
        said(capsys, "--yes", "--name", "team", "--profile", "work", "--region", "eu-west-1")
        assert profile_table("default") is None
        values = profile_table("work").values
        assert (values["compute_cluster"], values["region"]) == ("team", "eu-west-1")
        assert "nothing to change" in said(capsys, "--name", "team", "--profile", "work")
        said(capsys, "--remove", "--yes", "--name", "team", "--profile", "work")
        assert profile_table("work") is None


def test_a_profile_of_something_else_is_named_before_and_kept_after(capsys):
    with opened():
        write_profile("default", {"storage_bucket": "older", "max_workers": 7})
        assert "It names the bucket older now." in said(capsys, "--yes")
        assert profile_table("default").values["max_workers"] == 7
        write_profile("default", {"compute_cluster": "another"})
        assert "profile" not in said(capsys, "--remove", "--yes").splitlines()[-1]
        assert profile_table("default") is not None


def test_as_json_the_outcome_is_for_programs(capsys):
    with opened():
        assert main(["setup", "--yes", "--json"]) == 0
        out, err = capsys.readouterr()
        told = json.loads(out)
        assert "S3 bucket" in err
        assert len(told["changes"]) == 10
        assert told["settings"]["compute_cluster"] == "cloudburst"
        assert told["profile"] == "default"
        assert main(["setup", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["changes"] == []
        assert main(["setup", "--remove", "--json", "--yes"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert (len(told["removed"]), told["stays"], told["profile"]) == (9, [], "default")


def test_what_a_failed_attempt_left_is_told_deleted_and_made_anew(capsys):
    with opened():
        ecr = boto3.client("ecr")
        ecr.create_repository(repositoryName="cloudburst")
        assert "ECR repository cloudburst: " in said(capsys, "--yes", code=2)
        ecr.delete_repository(repositoryName="cloudburst")
        left = CliRunner().invoke(command, [], input="n\n")
        assert "The stack cloudburst is ROLLBACK_COMPLETE: an attempt failed and left it." in left.output
        assert inventory()["stacks"] == ["cloudburst"]
        told = said(capsys, "--yes")
        assert "ROLLBACK_COMPLETE" in told
        assert "clusters" in inventory()


def test_a_bucket_with_data_stays_and_it_is_said(capsys):
    with opened():
        said(capsys, "--yes")
        bucket = profile_table("default").values["storage_bucket"]
        boto3.client("s3").put_object(Bucket=bucket, Key="cloudburst/kept/u/1", Body=b"x")
        assert f"The bucket {bucket} stays, with 1 object that is kept" in said(capsys, "--remove", "--yes")
        assert "no set-up cloudburst in us-east-1 to remove" in said(capsys, "--remove", "--yes")
        said(capsys, "--remove", "--delete-data", "--yes")
        assert inventory() == {}


WRONG = [
    (["--delete-data"], "--delete-data goes with --remove"),
    (["--log-days", "2"], "--log-days 2 cannot be: CloudWatch has 1, 3, 5"),
    (["--run-days", "0"], "--run-days"),
    (["--name", "My Stack"], "--name 'My Stack' cannot be"),
    (["--region", "virginia"], "region='virginia' cannot be"),
    (["--profile", "my profile"], "profile='my profile' cannot be"),
    (["--subnets", "subnet-1"], "There is no subnet subnet-1 in us-east-1"),
]


@pytest.mark.parametrize(("argv", "sentence"), WRONG)
def test_what_cannot_be_is_one_sentence(capsys, argv, sentence):
    with opened():
        told = said(capsys, *argv, code=2)
        assert told.startswith("cloudburst: ")
        assert sentence in told
        assert told.count("\n") == 1
        assert inventory() == {}


def test_no_credentials_are_one_sentence(capsys):
    with opened(), pytest.MonkeyPatch.context() as inside:
        inside.delenv("AWS_ACCESS_KEY_ID")
        inside.delenv("AWS_SECRET_ACCESS_KEY")
        told = said(capsys, "--yes", code=2)
        assert told.startswith("cloudburst: There are no AWS credentials that could be used. Log in (aws sso login")
        assert told.count("\n") == 1


def test_ctrl_c_while_it_waits_says_that_aws_goes_on(capsys, monkeypatch):
    with opened():
        setup = "cloudburst.aws.setup.Setup.carry_out"
        monkeypatch.setattr(setup, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        told = said(capsys, "--yes", code=130)
        assert "AWS goes on by itself" in told
        assert "describe-stack-events --stack-name cloudburst --region us-east-1" in told


def test_on_a_terminal_progress_is_shown_and_elsewhere_not(capsys, monkeypatch):
    with opened():
        assert "create complete" not in said(capsys, "--yes")
        monkeypatch.setattr("sys.stderr.isatty", lambda: True)
        monkeypatch.setenv("TERM", "xterm")
        shown = said(capsys, "--remove", "--yes")
        assert re.search(r"asking AWS in us-east-1|delete", shown)


def test_what_was_set_up_elsewhere_gets_a_profile(capsys):
    with opened():
        made()
        assert not profiles_path().exists()
        assert "nothing to change" in said(capsys)
        assert profile_table("default").values["compute_cluster"] == "cloudburst"
