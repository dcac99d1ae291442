from __future__ import annotations

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cloudburst.errors import InternalError
from cloudburst.runtime import identity as module
from cloudburst.runtime.identity import POOL, WORKER, identity, pool_variable

VARIABLE = pool_variable("s3://bucket/a%23b?region=us-east-1", "pools/u1/3f0-p1", b"\x01\xff")


class Answers(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        status, body = self.server.answers.pop(0) if len(self.server.answers) > 1 else self.server.answers[0]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def endpoint():
    """The metadata endpoint of ECS, which gives these answers."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.asked, server.answers = [], []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    server.url = f"http://127.0.0.1:{server.server_port}/v4/abc"
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


ARN = json.dumps({"TaskARN": "arn:aws:ecs:us-east-1:123456789012:task/data/0f9de17a"}).encode()


def test_a_worker_is_called_as_its_task_is(endpoint):
    endpoint.answers = [(200, ARN)]
    me = identity({POOL: VARIABLE, "ECS_CONTAINER_METADATA_URI_V4": endpoint.url, WORKER: "not this"})
    assert me == ("0f9de17a", "s3://bucket/a%23b?region=us-east-1", "pools/u1/3f0-p1", b"\x01\xff")
    assert endpoint.asked == ["/v4/abc/task"]


def test_an_endpoint_that_is_not_up_yet_is_asked_again(endpoint, monkeypatch):
    monkeypatch.setattr(module, "sleep", lambda seconds: None)
    endpoint.answers = [(503, b""), (200, b"{"), (200, ARN)]
    assert identity({POOL: VARIABLE, "ECS_CONTAINER_METADATA_URI_V4": endpoint.url}).worker == "0f9de17a"


def test_an_endpoint_that_says_nothing_is_told_of(endpoint, monkeypatch):
    monkeypatch.setattr(module, "sleep", lambda seconds: None)
    endpoint.answers = [(200, b"{}")]
    with pytest.raises(InternalError, match="the task metadata endpoint|The task metadata endpoint"):
        identity({POOL: VARIABLE, "ECS_CONTAINER_METADATA_URI_V4": endpoint.url})
    assert len(endpoint.asked) == 4


def test_elsewhere_a_variable_tells_its_name():
    assert identity({POOL: VARIABLE, WORKER: "w7"}).worker == "w7"


@pytest.mark.parametrize("variable", ["", "s3://bucket", "s3://bucket#pools/u/p", "s3://bucket##00", "#p#00"])
def test_who_was_not_started_as_a_worker_is_told_so(variable):
    with pytest.raises(InternalError, match=f"started with {POOL}"):
        identity({POOL: variable, WORKER: "w"})


def test_a_damaged_key_is_not_shown():
    with pytest.raises(InternalError, match="damaged") as caught:
        identity({POOL: "s3://bucket#pools/u/p#12secret34", WORKER: "w"})
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_worker_without_a_name_is_told_so():
    with pytest.raises(InternalError, match=WORKER):
        identity({POOL: VARIABLE})


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")
def test_the_key_is_wiped_out_of_what_the_process_was_started_with():
    code = (
        "import os, ctypes; from pathlib import Path; from cloudburst.runtime.identity import keep_to_myself\n"
        "before = Path('/proc/self/environ').read_bytes()\n"
        "keep_to_myself()\n"
        "is_shown = ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)\n"
        "ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)\n"
        "after = Path('/proc/self/environ').read_bytes()\n"
        "print(b'topsecret' in before, b'topsecret' in after, 'CLOUDBURST_POOL' in os.environ, is_shown)\n"
        "keep_to_myself()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": "", "PYTHONPATH": ":".join(sys.path), POOL: "url#pool#topsecret"},
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.stderr) == ("True False False 0\n", "")
