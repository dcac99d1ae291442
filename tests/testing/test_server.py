"""The server in front of moto: connections stay open, and one bad request does not end it."""

from __future__ import annotations

import http.client

import pytest

from cloudburst.testing.answers import Answer, Refusal
from cloudburst.testing.server import Gate, Server


@pytest.fixture
def gate():
    return Gate()


@pytest.fixture
def connection(gate):
    server = Server(gate)
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=10)
    yield connection
    server.close()
    connection.close()


def ask(connection, *args, **more):
    connection.request(*args, **more)
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_a_connection_serves_one_request_after_another(gate, connection):
    gate.handlers = [lambda request: Answer(200, "text/plain", request.path.encode())]
    assert [ask(connection, "GET", f"/v/{number}") for number in range(3)] == [
        (200, b"/v/0"),
        (200, b"/v/1"),
        (200, b"/v/2"),
    ]


def test_a_body_that_nobody_read_is_not_the_next_request(gate, connection):
    gate.handlers = [lambda request: Answer(200, "text/plain", request.method.encode())]
    assert ask(connection, "PUT", "/b/k", body=b"GET / HTTP/1.1\r\n\r\n" * 10_000) == (200, b"PUT")
    assert ask(connection, "PUT", "/b/k", body=iter([b"GET /", b" HTTP/1.1\r\n"]), encode_chunked=True,
               headers={"Transfer-Encoding": "chunked"}) == (200, b"PUT")  # fmt: skip
    assert ask(connection, "GET", "/b/k") == (200, b"GET")


def test_a_head_has_a_length_and_no_body(gate, connection):
    gate.handlers = [lambda request: Answer(200, "text/plain", b"", {"x-one": "two"}, length=42)]
    connection.request("HEAD", "/b/k")
    answer = connection.getresponse()
    assert (answer.getheader("Content-Length"), answer.getheader("x-one"), answer.read()) == ("42", "two", b"")
    assert ask(connection, "HEAD", "/b/k") == (200, b"")


def test_a_handler_that_fails_costs_one_request(gate, connection, caplog):
    def fail(request):
        if request.path == "/fail":
            raise ZeroDivisionError("planted")
        return Answer(200, "text/plain", b"well")

    gate.handlers = [fail]
    assert ask(connection, "GET", "/fail") == (500, b"")
    assert "planted" in caplog.text
    assert ask(connection, "GET", "/other") == (200, b"well")


def test_a_refusal_is_worded_for_its_service():
    refusal = Refusal("Wrong<", "not & so", 403, extra=1)
    assert refusal.answer("ecs").body == b'{"__type": "Wrong<", "message": "not & so", "extra": 1}'
    assert b"<Code>Wrong&lt;</Code><Message>not &amp; so</Message>" in refusal.answer("s3").body
    assert b"<ErrorResponse><Error><Type>Sender</Type><Code>Wrong&lt;" in refusal.answer("iam").body
    assert refusal.answer("iam").status == 403
