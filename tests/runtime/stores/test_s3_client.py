import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import CredentialRetrievalError

from cloudburst.runtime.stores import s3_client
from cloudburst.runtime.stores.s3_client import Connection, configured_region


@pytest.fixture
def nothing_configured(monkeypatch):
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)


def test_threads_get_one_client_and_one_pool(nothing_configured, monkeypatch):
    made, new_client = [], s3_client._new_client
    monkeypatch.setattr(s3_client, "_new_client", lambda *arguments: made.append(1) or new_client(*arguments))
    connection = Connection("us-east-1", None, 3)
    with ThreadPoolExecutor(8) as threads:
        clients = set(threads.map(lambda _: connection.client, range(32)))
    assert len(clients) == len(made) == 1
    assert connection.pool is connection.pool


def test_a_client_sends_as_often_as_it_is_told_and_waits_not_for_ever(nothing_configured):
    config = Connection("eu-west-1", None, 3).client.meta.config
    assert config.retries["total_max_attempts"] == 3
    assert config.max_pool_connections >= 32
    assert 0 < config.connect_timeout <= config.read_timeout <= 60
    assert config.request_checksum_calculation == "when_required"


@pytest.mark.parametrize(
    ("endpoint_url", "style"),
    [
        (None, "auto"),
        ("https://bucket.vpce-1.s3.us-east-1.vpce.amazonaws.com", "auto"),
        ("https://s3.cn-north-1.amazonaws.com.cn", "auto"),
        ("http://127.0.0.1:9", "path"),
        ("https://minio.example.org", "path"),
    ],
)
def test_somebody_elses_server_is_not_asked_for_a_host_name_per_bucket(nothing_configured, endpoint_url, style):
    assert Connection("us-east-1", endpoint_url, 1).client.meta.config.s3["addressing_style"] == style


def test_the_region_is_the_one_that_boto3_would_take(nothing_configured, monkeypatch, tmp_path):
    assert configured_region() is None
    (tmp_path / "config").write_text("[profile mine]\nregion = eu-west-3\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "mine")
    assert configured_region() == "eu-west-3"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    assert configured_region() == "us-west-2"


class Forgetful:
    """A session whose machine does not answer at first."""

    def __init__(self, times, provider):
        self.times, self.provider, self.asked = times, provider, 0

    def get_credentials(self):
        self.asked += 1
        if self.asked <= self.times:
            raise CredentialRetrievalError(provider=self.provider, error_msg="Read timeout on endpoint URL")


def test_a_machine_that_does_not_tell_its_credentials_is_asked_again(monkeypatch):
    monkeypatch.setattr(s3_client, "_PAUSE_S", 0.0)
    session = Forgetful(3, "container-role")
    s3_client._find_credentials(session)
    assert session.asked == 4


def test_a_machine_is_not_asked_for_ever_and_nobody_else_twice(monkeypatch):
    monkeypatch.setattr(s3_client, "_CREDENTIALS_S", 0.0)
    for provider in ("container-role", "sso"):
        session = Forgetful(9, provider)
        with pytest.raises(CredentialRetrievalError):
            s3_client._find_credentials(session)
        assert session.asked == 1
