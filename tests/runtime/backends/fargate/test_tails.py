"""The last lines of a worker's log."""

from __future__ import annotations

from botocore.exceptions import EndpointConnectionError

from cloudburst.runtime.backends.fargate.tails import LINES, tail_of
from tests.runtime.backends.fargate.ecs import DENIED, Logs, error


def test_the_stream_is_that_of_the_workers_container():
    logs = Logs(["one", "two"])
    assert tail_of(logs, "/cloudburst", "0f1e") == "one\ntwo"
    assert logs.asked[0]["logGroupName"] == "/cloudburst"
    assert logs.asked[0]["logStreamName"] == "cloudburst/worker/0f1e"


def test_an_empty_page_is_not_the_end():
    assert tail_of(Logs([], [], ["one\n"]), "g", "w") == "one"


def test_the_last_lines_are_enough():
    logs = Logs([f"b{n}" for n in range(40)], [f"a{n}" for n in range(40)], ["never asked for"])
    lines = tail_of(logs, "g", "w").splitlines()
    assert len(lines) == LINES
    assert (lines[0], lines[-1]) == ("a30", "b39")
    assert len(logs.asked) == 2


def test_it_does_not_look_for_ever():
    logs = Logs(*[[] for _ in range(100)])
    assert tail_of(logs, "g", "w") == ""
    assert len(logs.asked) <= 5


def test_where_there_is_none_or_no_permission_it_is_empty():
    assert tail_of(Logs(error("ResourceNotFoundException", "The specified log stream does not exist.")), "g", "w") == ""
    assert tail_of(Logs(DENIED), "g", "w") == ""


def test_what_else_goes_wrong_is_said():
    assert "could not be read: " in tail_of(Logs(error("ThrottlingException", "Rate exceeded")), "g", "w")
    assert "could not be read: " in tail_of(Logs(EndpointConnectionError(endpoint_url="https://logs")), "g", "w")
