"""What ECS answers instead of starting a machine."""

from __future__ import annotations

import pytest
from botocore import exceptions
from botocore.exceptions import ClientError
from hypothesis import given

from cloudburst.runtime.backends.fargate.refusals import refusal_of_error, refusal_of_failure
from tests.runtime.backends.fargate.test_outcomes import JSON


def error(code, message="", status=400):
    answer = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "RunTask")


@pytest.mark.parametrize(
    ("reason", "cause", "named"),
    [
        ("Capacity is unavailable at this time. Please try again later", "capacity", "availability zones"),
        ("RESOURCE:FARGATE", "capacity", "availability zones"),
        ("You've reached the limit on the number of vCPUs you can run concurrently", "quota", "L-3032A538"),
        ("You’ve reached the limit on the number of vCPUs you can run concurrently", "quota", "L-36FBB829"),
        ("The requested CPU configuration is above your limit", "never", "higher Fargate vCPU quota"),
        ("AGENT", "passing", "AGENT"),
        (None, "passing", "would not start it"),
    ],
)
def test_a_failure_in_an_answer_has_its_cause(reason, cause, named):
    refusal = refusal_of_failure({"arn": "arn:aws:ecs:task/x", "reason": reason})
    assert refusal.cause == cause
    assert named in refusal.detail
    assert not refusal.ask_again


def test_the_detail_of_a_failure_counts_too():
    assert refusal_of_failure({"reason": "RunTask", "detail": "Capacity is unavailable"}).cause == "capacity"


PASS_ROLE = "User: arn:aws:iam::1:user/me is not authorized to perform: iam:PassRole on resource: arn:aws:iam::1:role/t"


@pytest.mark.parametrize(
    ("code", "message", "cause", "setting"),
    [
        ("ClusterNotFoundException", "Cluster not found.", "setup", "compute_cluster"),
        ("AccessDeniedException", PASS_ROLE, "setup", "compute_execution_role"),
        ("AccessDeniedException", "not authorized to perform: ecs:RunTask", "setup", "credentials"),
        ("ExpiredTokenException", "The security token included in the request is expired", "setup", "credentials"),
        ("UnrecognizedClientException", "The security token is invalid", "setup", "credentials"),
        ("InvalidSignatureException", "Signature expired", "setup", "credentials"),
        ("InvalidParameterException", "The subnet ID 'subnet-1' does not exist", "setup", "compute_subnets"),
        ("InvalidParameterException", "The security group 'sg-1' does not exist", "setup", "compute_security_groups"),
        ("InvalidParameterException", "The specified capacity provider was not found", "setup", "spot"),
        ("ClientException", "ECS was unable to assume the role 'arn:aws:iam::1:role/x'", "setup", "compute_task_role"),
        ("ClientException", "Fargate requires task definition to have execution role ARN to support ECR images.",
         "setup", "compute_execution_role"),
        ("ClientException", "Container.image is invalid", "setup", "compute_image"),
        ("ClientException", "Log driver awslogs requires options", "setup", "log_group"),
        ("ClientException", "You’ve reached the limit on the number of vCPUs", "quota", ""),
        ("ClientException", "The requested CPU configuration is above your limit", "never", "cpu"),
        ("InvalidParameterException", "Capacity is unavailable at this time", "capacity", "compute_subnets"),
        ("PlatformUnknownException", "The specified platform version does not exist", "setup", "architecture"),
        ("PlatformTaskDefinitionIncompatibilityException", "", "setup", "architecture"),
        ("UnsupportedFeatureException", "", "setup", "architecture"),
        ("BlockedException", "Your account is currently blocked", "setup", "credentials"),
        ("ClientException", "something else", "setup", ""),
        ("QuuxException", "something new", "setup", ""),
    ],
)  # fmt: skip
def test_an_error_names_the_setting_and_awss_own_words(code, message, cause, setting):
    refusal = refusal_of_error(error(code, message))
    assert (refusal.cause, refusal.setting, refusal.ask_again) == (cause, setting, False)
    assert message.rstrip(".") in refusal.detail
    assert code in refusal.detail


@pytest.mark.parametrize(
    ("raised", "is_unknown"),
    [
        (error("ThrottlingException", "Rate exceeded"), False),
        (error("ClientException", "Too many concurrent attempts to create a new revision"), False),
        (error("ServerException", "", 500), True),
        (error("Whatever", "", 503), True),
        (exceptions.EndpointConnectionError(endpoint_url="https://ecs"), True),
        (exceptions.ReadTimeoutError(endpoint_url="https://ecs"), True),
        (exceptions.ConnectionClosedError(endpoint_url="https://ecs"), True),
    ],
)
def test_what_passes_is_asked_again_and_may_have_been_done(raised, is_unknown):
    refusal = refusal_of_error(raised)
    assert (refusal.cause, refusal.ask_again, refusal.is_unknown) == ("passing", True, is_unknown)


@pytest.mark.parametrize(
    "message", ["TaskDefinition is inactive", "TaskDefinition not found.", "Unable to describe task definition."]
)
def test_a_definition_that_is_no_more_is_recognised(message):
    assert refusal_of_error(error("ClientException", message)).is_stale


@pytest.mark.parametrize(
    ("raised", "setting"),
    [
        (exceptions.NoCredentialsError(), "credentials"),
        (exceptions.UnauthorizedSSOTokenError(), "credentials"),
        (exceptions.ProfileNotFound(profile="data"), "credentials"),
        (exceptions.NoRegionError(), "region"),
        (exceptions.InvalidRegionError(region_name="us east"), "region"),
    ],
)
def test_what_boto3_itself_refuses_names_its_setting(raised, setting):
    refusal = refusal_of_error(raised)
    assert (refusal.cause, refusal.setting, refusal.ask_again) == ("setup", setting, False)


@given(JSON, JSON)
def test_whatever_is_answered_there_is_a_refusal(failure, answer):
    assert refusal_of_failure(failure).detail
    raised = ClientError({}, "RunTask")
    raised.response = answer
    assert refusal_of_error(raised).detail
