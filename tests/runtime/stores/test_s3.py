import os
import pickle
import threading
from uuid import uuid4

import pytest

from cloudburst.errors import AccessDenied, NotFound, SettingsError, StoreError
from cloudburst.runtime.stores import open_store, s3, s3_transfer
from cloudburst.runtime.stores.s3 import S3Store
from tests.contracts.stores import MIB, StoreContract
from tests.runtime.stores import servers
from tests.runtime.stores.scripted import answer, counted, error


@pytest.fixture(scope="module")
def moto():
    with servers.moto() as server:
        server.client().create_bucket(Bucket="data")
        yield server


@pytest.fixture
def store(moto, monkeypatch):
    servers.let_in(monkeypatch, moto)
    return open_store(f"s3://data/{uuid4().hex}?region=us-east-1&endpoint_url={moto.endpoint_url}")


@pytest.fixture(scope="module")
def radosgw(tmp_path_factory):
    if missing := servers.missing_programs():
        pytest.skip(f"needs Ceph's radosgw: {', '.join(missing)} not found")
    with servers.radosgw(tmp_path_factory.mktemp("ceph")) as server:
        server.client().create_bucket(Bucket="data")
        yield server


class S3Contract(StoreContract):
    @pytest.mark.slow
    def test_lists_a_thousand_at_a_time(self, store):
        super().test_lists_a_thousand_at_a_time(store)


class TestOnMoto(S3Contract):
    @pytest.fixture
    def store(self, store):
        return store


@pytest.mark.radosgw
class TestOnRadosgw(S3Contract):
    @pytest.fixture
    def store(self, radosgw, monkeypatch):
        servers.let_in(monkeypatch, radosgw)
        return open_store(f"s3://data/{uuid4().hex}?region=us-east-1&endpoint_url={radosgw.endpoint_url}")

    def test_keeps_what_takes_many_requests(self, store):
        keeps_what_takes_many_requests(store)

    def test_copies_large_objects_in_parts(self, store, monkeypatch):
        copies_large_objects_in_parts(store, monkeypatch)

    def test_a_bucket_that_works_passes_the_check(self, store):
        store.check()
        assert store.list("") == []

    def test_wrong_credentials_are_told(self, store, monkeypatch):
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
        with pytest.raises(AccessDenied, match="does not know these credentials"):
            open_store(store.url).get("a")


def keeps_what_takes_many_requests(store):
    data = os.urandom(20 * MIB + 3)
    view = memoryview(data)
    store.put("large", [view[:5], view[5 : 9 * MIB], view[9 * MIB :]])
    assert store.size("large") == len(data)
    got = store.get("large")
    assert got == data
    got[:5] = b"\0" * 5
    got.release()
    ranges = [(18 * MIB, 20 * MIB + 3), (0, 17 * MIB), (7, 8)]
    assert store.get("large", ranges) == b"".join(data[start:end] for start, end in ranges)
    with pytest.raises(StoreError, match=f"{len(data)} bytes"):
        store.get("large", [(0, 1), (19 * MIB, 21 * MIB)])


def copies_large_objects_in_parts(store, monkeypatch):
    monkeypatch.setattr(s3_transfer, "ONE_COPY", 8 * MIB)
    monkeypatch.setattr(s3_transfer, "COPY_PART", 5 * MIB)
    data = os.urandom(11 * MIB + 1)
    store.put("a", [data])
    calls = counted(store)
    store.copy("a", "b")
    assert calls == {"HeadObject": 1, "CreateMultipartUpload": 1, "UploadPartCopy": 3, "CompleteMultipartUpload": 1}
    assert store.get("b") == data


@pytest.fixture
def naps(monkeypatch):
    """The seconds that botocore would have waited between its tries."""
    import botocore.endpoint

    seconds = []
    monkeypatch.setattr(botocore.endpoint.time, "sleep", seconds.append)
    return seconds


def test_what_takes_many_requests_is_kept(store):
    keeps_what_takes_many_requests(store)


def test_large_objects_are_written_in_parts_and_read_in_ranges(store):
    calls = counted(store)
    store.put("a", [bytes(16 * MIB)])
    assert calls == {"PutObject": 1}
    store.put("b", [bytes(16 * MIB), b"1"])
    assert calls == {"PutObject": 1, "CreateMultipartUpload": 1, "UploadPart": 3, "CompleteMultipartUpload": 1}
    calls.clear()
    store.get("a")
    store.get("b")
    assert calls == {"GetObject": 1 + 2}


def test_large_objects_are_put_if_absent_by_one_request(store):
    calls = counted(store)
    assert store.put("a", [bytes(17 * MIB)], if_absent=True)
    assert not store.put("a", [bytes(17 * MIB)], if_absent=True)
    assert calls == {"PutObject": 2}


def test_what_fails_half_way_leaves_nothing(store, moto):
    calls = counted(store, before=lambda operation, number, request: (
        error(request, 400, "InvalidPart") if operation == "UploadPart" and number == 2 else None
    ))  # fmt: skip
    with pytest.raises(StoreError, match=r"could not write .*/a in bucket data: InvalidPart: Scripted"):
        store.put("a", [bytes(40 * MIB)])
    assert calls["AbortMultipartUpload"] == 1
    assert store.list("") == []
    assert "Uploads" not in moto.client().list_multipart_uploads(Bucket="data", Prefix=store.prefix)


def test_what_cannot_be_taken_back_is_noted(store):
    counted(store, before=lambda operation, number, request: (
        error(request, 400, "InvalidPart") if operation in ("UploadPart", "AbortMultipartUpload") else None
    ))  # fmt: skip
    with pytest.raises(StoreError) as caught:
        store.put("a", [bytes(40 * MIB)])
    assert "still there, and billed" in str(caught.value.__cause__.__notes__)


def test_a_copy_brings_no_bytes_here(store):
    store.put("a", [bytes(17 * MIB)])
    calls = counted(store)
    store.copy("a", "b")
    assert calls == {"HeadObject": 1, "CopyObject": 1}
    assert store.get("b") == bytes(17 * MIB)


def test_large_objects_are_copied_in_parts(store, monkeypatch):
    copies_large_objects_in_parts(store, monkeypatch)


def test_a_copy_that_fails_half_way_leaves_nothing(store, moto, monkeypatch):
    monkeypatch.setattr(s3_transfer, "ONE_COPY", 8 * MIB)
    monkeypatch.setattr(s3_transfer, "COPY_PART", 5 * MIB)
    store.put("a", [bytes(20 * MIB)])
    calls = counted(store, before=lambda operation, number, request: (
        error(request, 403, "AccessDenied") if operation == "UploadPartCopy" and number == 2 else None
    ))  # fmt: skip
    with pytest.raises(AccessDenied, match=r"copy .*/a in bucket data .*s3:GetObject or s3:PutObject"):
        store.copy("a", "b")
    assert calls["AbortMultipartUpload"] == 1
    assert store.list("") == ["a"]
    assert "Uploads" not in moto.client().list_multipart_uploads(Bucket="data", Prefix=store.prefix)


@pytest.mark.parametrize(("status", "code"), [(503, "SlowDown"), (500, "InternalError"), (503, "ServiceUnavailable")])
def test_a_busy_server_is_asked_again_later_and_later(store, naps, status, code):
    calls = counted(store, before=lambda operation, number, request: (
        error(request, status, code) if number < 5 else None
    ))  # fmt: skip
    store.put("a", [b"1"])
    assert calls == {"PutObject": 5}
    assert len(naps) == 4
    assert all(nap <= 2**number for number, nap in enumerate(naps))
    assert bytes(store.get("a")) == b"1"


def test_a_server_that_stays_busy_is_told(store, naps):
    calls = counted(store, before=lambda operation, number, request: error(request, 503, "SlowDown"))
    with pytest.raises(StoreError, match=rf"too busy .*\(SlowDown, {s3.TRIES} tries: Scripted\).*max_workers="):
        store.get("a")
    assert calls == {"GetObject": s3.TRIES}


def test_a_race_for_a_key_is_run_again(store, monkeypatch):
    monkeypatch.setattr(s3, "_RACE_S", 0)
    calls = counted(store, before=lambda operation, number, request: (
        error(request, 409, "ConditionalRequestConflict") if number < 3 else None
    ))  # fmt: skip
    assert store.put("a", [b"1"], if_absent=True)
    assert calls == {"PutObject": 3}
    assert not store.put("a", [b"2"], if_absent=True)


def test_a_race_without_end_is_told(store, monkeypatch):
    monkeypatch.setattr(s3, "_RACE_S", 0)
    counted(store, before=lambda operation, number, request: error(request, 409, "ConditionalRequestConflict"))
    with pytest.raises(StoreError, match="ConditionalRequestConflict"):
        store.put("a", [b"1"], if_absent=True)


@pytest.mark.parametrize("is_ours", [True, False])
def test_a_put_if_absent_whose_answer_was_lost_knows_whether_it_won(store, naps, is_ours):
    other = open_store(store.url)

    def lose_the_answer(operation, number, request):
        if operation == "PutObject" and number == 1:
            if is_ours:
                token = request.headers["x-amz-meta-cloudburst-put"].decode()
                other._connection.client.put_object(
                    Bucket="data", Key=f"{store.prefix}/a", Body=b"1", Metadata={"cloudburst-put": token}
                )
            else:
                other.put("a", [b"1"], if_absent=True)
            return error(request, 500, "InternalError")
        return None

    counted(store, before=lose_the_answer)
    assert store.put("a", [b"1"], if_absent=True) is is_ours
    assert bytes(store.get("a")) == b"1"


@pytest.mark.parametrize("cut", [0, 1, 2 * MIB])
def test_a_connection_that_breaks_is_taken_up_where_it_broke(store, cut):
    data = os.urandom(5 * MIB)
    store.put("a", [data])

    def break_off(operation, number, request):
        if number > 2:
            return None
        start, end = map(int, request.headers["Range"].decode().removeprefix("bytes=").split("-"))
        whole = data[start : end + 1]
        headers = {
            "Content-Length": str(len(whole)), "ETag": '"x"', "Content-Range": f"bytes {start}-{end}/{len(data)}"
        }  # fmt: skip
        return answer(request, 206, whole[:cut], **headers)

    def forget_the_tag(params, **_):  # that of the answers above is not the object's
        params["headers"].pop("If-Match", None)

    calls = counted(store, before=break_off)
    store._connection.client.meta.events.register("before-call.s3.GetObject", forget_the_tag)
    assert store.get("a") == data
    assert calls == {"GetObject": 3}


def test_a_connection_that_always_breaks_is_told(store):
    store.put("a", [bytes(100)])
    headers = {"Content-Length": "100", "ETag": '"x"', "Content-Range": "bytes 0-99/100"}
    calls = counted(store, before=lambda operation, number, request: answer(request, 206, b"half", **headers))
    with pytest.raises(StoreError, match="cannot be reached to read|could not read"):
        store.get("a")
    assert calls == {"GetObject": 5}


def test_an_object_that_changes_while_it_is_read_is_read_anew(store):
    old, new = bytes(40 * MIB), b"\1" * (33 * MIB)
    store.put("a", [old])
    other, lock = open_store(store.url), threading.Lock()

    def change(operation, number, request):
        with lock:
            if number == 2:
                other.put("a", [new])

    calls = counted(store, before=change)
    assert store.get("a") == new
    assert calls["GetObject"] >= 2 + 3


def test_an_object_that_never_stays_the_same_is_told(store, monkeypatch):
    store.put("a", [bytes(17 * MIB)])
    counted(store, before=lambda operation, number, request: (
        error(request, 412, "PreconditionFailed") if "If-Match" in request.headers else None
    ))  # fmt: skip
    with pytest.raises(StoreError, match="PreconditionFailed"):
        store.get("a")


def test_many_keys_are_deleted_by_few_requests(store):
    keys = [f"a/{number}" for number in range(1500)]
    store.put(keys[0], [b""])
    store.put(keys[-1], [b""])
    calls = counted(store)
    store.delete(keys)
    assert calls == {"DeleteObjects": 2}
    store.delete([])
    assert calls == {"DeleteObjects": 2}
    assert store.list("") == []


def test_keys_that_may_not_be_deleted_are_told(store):
    body = b"<DeleteResult><Error><Key>p/b</Key><Code>AccessDenied</Code><Message>No</Message></Error></DeleteResult>"
    counted(store, before=lambda operation, number, request: answer(request, 200, body))
    with pytest.raises(AccessDenied, match=r"delete p/b in bucket data .*s3:DeleteObject is probably missing"):
        store.delete(["a", "b"])
    body = b"<DeleteResult><Error><Key>p/a</Key><Code>NoSuchKey</Code></Error></DeleteResult>"
    other = open_store(store.url)
    counted(other, before=lambda operation, number, request: answer(request, 200, body))
    other.delete(["a"])


def test_a_page_that_the_server_cuts_short_is_filled_up(store):
    for key in "abcde":
        store.put(key, [b""])
    client = store._connection.client
    client.meta.events.register("before-parameter-build.s3.ListObjectsV2", lambda params, **_: params.update(MaxKeys=2))
    assert store.list("") == list("abcde")


def test_folders_that_others_made_are_no_keys(store, moto):
    for key in ("", "a/", "a/1", ".hidden"):
        moto.client().put_object(Bucket="data", Key=f"{store.prefix}/{key}", Body=b"")
    assert store.list("") == ["a/1"]


def test_everything_is_encrypted_with_the_key(store, moto, monkeypatch):
    store = S3Store("data", store.prefix, endpoint_url=moto.endpoint_url, kms_key="alias/mine")
    store.put("small", [b"1"])
    store.put("once", [b"1"], if_absent=True)
    store.put("large", [bytes(17 * MIB)])
    store.copy("small", "copied")
    monkeypatch.setattr(s3_transfer, "ONE_COPY", 16 * MIB)
    store.copy("large", "copied/large")
    for key in ("small", "once", "large", "copied", "copied/large"):
        told = moto.client().head_object(Bucket="data", Key=f"{store.prefix}/{key}")
        assert (told["ServerSideEncryption"], told["SSEKMSKeyId"]) == ("aws:kms", "alias/mine")


@pytest.mark.parametrize(
    "store",
    [
        S3Store("data"),
        S3Store("data", "team/runs"),
        S3Store("data", "t ä/50%", region="eu-central-1", endpoint_url="http://127.0.0.1:9/a?b=c&d#e"),
        S3Store("data", kms_key="arn:aws:kms:us-east-1:123456789012:key/1 2+3&4"),
    ],
    ids=lambda store: store.url,
)
def test_the_url_says_everything(store):
    for again in (open_store(store.url), S3Store.open(store.url), pickle.loads(pickle.dumps(store))):
        assert again.url == store.url
        for name in ("bucket", "prefix", "region", "endpoint_url", "kms_key"):
            assert getattr(again, name) == getattr(store, name)


def test_what_stands_behind_the_url_is_not_the_stores():
    assert open_store("s3://data/p?region=us-east-1#pools/1").url == "s3://data/p?region=us-east-1"


@pytest.mark.parametrize("url", ["s3://", "s3:///prefix", "s3://data?regoin=us-east-1"])
def test_a_url_without_a_bucket_or_with_something_else_is_an_error(url):
    with pytest.raises(StoreError, match=r"s3://bucket/prefix\?region="):
        open_store(url)


@pytest.mark.parametrize("prefix", ["/a", "a/", "a//b", "../a"])
def test_a_prefix_that_is_none_is_an_error(prefix):
    with pytest.raises(SettingsError, match="storage_prefix="):
        S3Store("data", prefix)


def test_a_bucket_that_works_passes_the_check_and_nothing_is_left(store):
    store.check()
    assert store.list("") == []


def test_a_bucket_that_is_not_there_fails_the_check(store, moto):
    with pytest.raises(StoreError, match=r"There is no bucket nope.*storage_bucket="):
        S3Store("nope", endpoint_url=moto.endpoint_url, region="us-east-1").check()


def test_a_bucket_elsewhere_fails_the_check(store, moto):
    moto.client().create_bucket(Bucket="far", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    with pytest.raises(StoreError, match=r'far is in region eu-west-1, .* us-east-1: set region="eu-west-1"'):
        S3Store("far", endpoint_url=moto.endpoint_url, region="us-east-1").check()
    S3Store("far", endpoint_url=moto.endpoint_url, region="eu-west-1").check()


def checked_with(monkeypatch, store, before):
    """Check a store all of whose requests ``before`` sees."""
    made = s3.Connection

    def connect(*arguments):
        connection = made(*arguments)
        counted(type("Store", (), {"_connection": connection}), before=before)
        return connection

    monkeypatch.setattr(s3, "Connection", connect)
    store.check()


def test_a_bucket_that_may_not_be_listed_fails_the_check(store, monkeypatch):
    with pytest.raises(AccessDenied, match="s3:ListBucket is probably missing"):
        checked_with(monkeypatch, store, lambda operation, number, request: (
            error(request, 403, "AccessDenied") if operation in ("HeadBucket", "ListObjectsV2") else None
        ))  # fmt: skip


def test_a_policy_for_the_prefix_alone_passes_the_check(store, monkeypatch):
    asked = []

    def before(operation, number, request):
        asked.append(operation)
        return answer(request, 403) if operation == "HeadBucket" else None

    checked_with(monkeypatch, store, before)
    assert asked[0] == "HeadBucket"
    assert {"ListObjectsV2", "PutObject"} <= set(asked)


def test_a_bucket_that_may_not_be_written_fails_the_check(store, monkeypatch):
    with pytest.raises(AccessDenied, match="s3:PutObject is probably missing"):
        checked_with(monkeypatch, store, lambda operation, number, request: (
            error(request, 403, "AccessDenied") if operation == "PutObject" else None
        ))  # fmt: skip


def test_a_server_that_knows_no_conditions_fails_the_check(store, monkeypatch):
    with pytest.raises(StoreError, match="If-None-Match"):
        checked_with(monkeypatch, store, lambda operation, number, request: (
            answer(request, 200, ETag='"x"') if operation == "PutObject" else None
        ))  # fmt: skip


def test_a_server_that_is_not_there_fails_the_check(store, naps):
    with pytest.raises(StoreError, match="cannot be reached .*endpoint_url="):
        S3Store("data", endpoint_url="http://127.0.0.1:9", region="us-east-1").check()
    assert len(naps) == 2


def test_no_credentials_are_told(store, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(AccessDenied, match="There are no AWS credentials"):
        open_store(store.url).get("a")


def test_what_is_told_survives_pickling(store):
    with pytest.raises(NotFound) as caught:
        store.get("a")
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)
    assert "NoSuchKey" in str(again.__cause__)


def test_parts_become_larger_where_there_would_be_too_many(monkeypatch):
    monkeypatch.setattr(s3_transfer, "PUT_PART", 10)
    monkeypatch.setattr(s3_transfer, "_MOST_PARTS", 4)
    sizes = {}

    class Client:
        def create_multipart_upload(self, **_):
            return {"UploadId": "1"}

        def upload_part(self, **part):
            sizes[part["PartNumber"]] = part["Body"]
            return {"ETag": str(part["PartNumber"])}

        def complete_multipart_upload(self, **told):
            assert [part["PartNumber"] for part in told["MultipartUpload"]["Parts"]] == [1, 2, 3, 4]

    from concurrent.futures import ThreadPoolExecutor

    data = os.urandom(99)
    with ThreadPoolExecutor(2) as pool:
        s3_transfer.upload(Client(), pool, {"Bucket": "b", "Key": "k"}, [data[:7], data[7:]], {})
    assert [len(sizes[number]) for number in (1, 2, 3, 4)] == [25, 25, 25, 24]
    assert b"".join(sizes[number] for number in (1, 2, 3, 4)) == data
