"""A registry beside the fake AWS: what is pushed there is in ECR."""

import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import pytest
from botocore.exceptions import ClientError

from cloudburst.testing import FakeAWS

CONFIG = json.dumps({"architecture": "amd64", "config": {"Labels": {"a": "b"}}}).encode()
KIND = "application/vnd.docker.distribution.manifest.v2+json"


def digest(content):
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@pytest.fixture
def registry():
    """A registry of a page, with the password that ECR gives: its address, and what lies in it by path."""
    held = {}

    class Registry(BaseHTTPRequestHandler):
        def do_GET(self):
            user = base64.b64encode(b"AWS:123456789012-auth-token").decode()
            found = held.get(self.path)
            allowed = self.headers["Authorization"] == f"Basic {user}"
            self.send_response(401 if not allowed else 200 if found is not None else 404)
            content = found if allowed and found is not None else b"{}"
            self.send_header("Docker-Content-Digest", digest(content))
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", held
    server.shutdown()
    thread.join()
    server.server_close()


def push(held, repository, tag, layer="1"):
    manifest = json.dumps(
        {"schemaVersion": 2, "mediaType": KIND, "config": {"digest": digest(CONFIG)}, "layers": [{"digest": layer}]}
    ).encode()
    tags = json.loads(held.get(f"/v2/{repository}/tags/list", b'{"tags": []}'))["tags"]
    held[f"/v2/{repository}/tags/list"] = json.dumps({"tags": sorted({*tags, tag})}).encode()
    held[f"/v2/{repository}/manifests/{tag}"] = manifest
    held[f"/v2/{repository}/blobs/{digest(CONFIG)}"] = CONFIG
    return digest(manifest)


def described(ecr, tag):
    return ecr.describe_images(repositoryName="mine", imageIds=[{"imageTag": tag}])["imageDetails"][0]["imageDigest"]


def test_what_is_pushed_is_in_ecr_and_what_is_pushed_again_is_new(registry):
    address, held = registry
    with FakeAWS(registry=address):
        ecr = boto3.client("ecr")
        ecr.create_repository(repositoryName="mine")
        with pytest.raises(ClientError, match="ImageNotFound"):
            described(ecr, "1")
        first = push(held, "mine", "1")
        assert described(ecr, "1") == first
        assert described(ecr, "1") == first
        assert described(ecr, "1") != push(held, "mine", "1", layer="2")
        [image] = ecr.batch_get_image(repositoryName="mine", imageIds=[{"imageTag": "1"}])["images"]
        assert json.loads(image["imageManifest"])["layers"] == [{"digest": "2"}]


def test_a_repository_that_ecr_does_not_have_is_not_there(registry):
    address, held = registry
    push(held, "mine", "1")
    with FakeAWS(registry=address), pytest.raises(ClientError, match="RepositoryNotFound"):
        described(boto3.client("ecr"), "1")


def test_what_the_account_had_before_is_there_still(registry):
    with FakeAWS(registry=registry[0]) as aws:
        _, tag = aws.settings["compute_image"].rsplit(":", 1)
        listed = boto3.client("ecr").list_images(repositoryName="cloudburst")["imageIds"]
        assert [one["imageTag"] for one in listed] == [tag]
