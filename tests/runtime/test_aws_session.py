"""Sessions of botocore: their own in what they find, and one in what they read of services."""

from __future__ import annotations

from collections import Counter

import pytest
from botocore.loaders import JSONFileLoader

from cloudburst.runtime.aws_session import aws_session


@pytest.fixture
def read(monkeypatch):
    """How often each description was read from its file."""
    read: Counter[str] = Counter()
    plain = JSONFileLoader.load_file

    def counted(self, path):
        found = plain(self, path)
        if found is not None:
            read[path] += 1
        return found

    monkeypatch.setattr(JSONFileLoader, "load_file", counted)
    return read


def test_a_service_is_read_once_for_all_its_clients(read, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))  # what no other test has read
    for region in ("us-east-1", "eu-central-1"):
        aws_session().create_client("logs", region_name=region, aws_access_key_id="a", aws_secret_access_key="b")
    assert sum("service-2" in path for path in read) == 1
    assert set(read.values()) == {1}


def test_where_more_services_stand_is_asked_anew(tmp_path, monkeypatch):
    one = aws_session().get_component("data_loader")
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    other = aws_session().get_component("data_loader")
    assert one is not other
    assert str(tmp_path) in other.search_paths


def test_credentials_are_found_anew(monkeypatch):
    for key in ("first", "second"):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        assert aws_session().get_credentials().access_key == key
