"""The values of secrets, from a Secrets Manager and a parameter store that are played."""

from __future__ import annotations

import json

import boto3
import pytest

from cloudburst.errors import SettingsError
from cloudburst.runtime.backends.fargate.secrets import Secret, fetch, parse_secret
from cloudburst.testing import DENIED, FakeAWS, Faults

VALUE = "hunter2"
ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:api-AbCdEf"


@pytest.fixture(scope="module")
def aws():
    faults = Faults(api={"GetSecretValue": [None] * 8 + [DENIED]})
    with FakeAWS(faults=faults) as fake:
        yield fake


def stored(name, **value):
    return boto3.client("secretsmanager").create_secret(Name=name, **value)["ARN"]


def test_an_arn_is_read_with_what_stands_behind_it():
    assert parse_secret("A", ARN) == Secret("secretsmanager", "us-east-1", ARN)
    assert parse_secret("A", f"{ARN}:token::")[3:] == ("token", "", "")
    assert parse_secret("A", f"{ARN}:token:AWSPREVIOUS:1234")[3:] == ("token", "AWSPREVIOUS", "1234")
    parameter = "arn:aws:ssm:eu-west-1:123456789012:parameter/team/api"
    assert parse_secret("A", parameter) == Secret("ssm", "eu-west-1", parameter)


@pytest.mark.parametrize(
    "arn",
    [
        "",
        "api",
        "arn:aws:s3:::bucket",
        "arn:aws:secretsmanager:us-east-1:123456789012:secret",
        f"{ARN}:a:b:c:d",
        "arn:aws:ssm:us-east-1:123456789012:document/x",
        "arn:aws:secretsmanager::123456789012:secret:x",
    ],
)
def test_what_is_no_secrets_arn_is_named_with_its_variable(arn):
    with pytest.raises(SettingsError, match="TOKEN.*is not the ARN of a secret"):
        parse_secret("TOKEN", arn)


def test_secrets_and_parameters_are_fetched_by_variable(aws):
    text = stored("text", SecretString=VALUE)
    fields = stored("fields", SecretString=json.dumps({"token": VALUE, "port": 5432}))
    ssm = boto3.client("ssm")
    ssm.put_parameter(Name="/team/api", Value=VALUE, Type="SecureString")
    parameter = ssm.get_parameter(Name="/team/api")["Parameter"]["ARN"]
    wanted = {"A": text, "B": f"{fields}:token::", "C": f"{fields}:port:AWSCURRENT:", "D": parameter}
    assert fetch(wanted) == {"A": VALUE, "B": VALUE, "C": "5432", "D": VALUE}


def test_no_secrets_ask_for_nothing(aws):
    before = aws.calls.total()
    assert fetch({}) == {}
    assert aws.calls.total() == before


@pytest.mark.parametrize(
    ("value", "behind", "words"),
    [
        ({"SecretString": VALUE}, ":token::", "not a JSON object with the key 'token'"),
        ({"SecretString": json.dumps({"other": VALUE})}, ":token::", "not a JSON object with the key 'token'"),
        ({"SecretString": json.dumps([VALUE])}, ":token::", "not a JSON object"),
        ({"SecretBinary": VALUE.encode()}, "", "is binary"),
    ],
)
def test_a_secret_of_another_form_is_named_and_its_value_is_not(aws, value, behind, words):
    arn = stored(f"form{abs(hash(words + str(value)))}", **value)
    with pytest.raises(SettingsError, match=words) as raised:
        fetch({"TOKEN": arn + behind})
    shown = "".join(map(str, (raised.value, raised.value.__cause__, raised.value.__context__)))
    assert VALUE not in shown
    assert arn in str(raised.value)
    assert "TOKEN" in str(raised.value)


def test_a_secret_that_is_not_there_is_named_with_the_permission_that_it_takes(aws):
    with pytest.raises(SettingsError, match="(?s)for the variable TOKEN.*ResourceNotFound.*compute_task_role"):
        fetch({"TOKEN": ARN})
    with pytest.raises(SettingsError, match="(?s)ParameterNotFound.*ssm:GetParameter"):
        fetch({"TOKEN": "arn:aws:ssm:us-east-1:123456789012:parameter/none"})


def test_a_secret_that_may_not_be_read_says_so(aws):
    while not aws.met["DENIED"]:
        with pytest.raises(SettingsError) as raised:
            fetch({"TOKEN": ARN})
    assert "AccessDenied" in str(raised.value)
