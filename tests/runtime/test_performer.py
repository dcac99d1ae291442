from __future__ import annotations

import os
import subprocess
import sys

import pytest

from cloudburst.runtime import performer
from cloudburst.runtime.frames import Inbox, frame
from cloudburst.runtime.messages import task_message
from cloudburst.runtime.performer import Functions
from tests.assignments import assignment, captured, step


class Program:
    """The performer as a process, spoken to by hand."""

    def __init__(self, directory):
        requests, self.requests = os.pipe()
        self.records, records = os.pipe()
        lifeline, self.lifeline = os.pipe()
        self.log = open(directory / "log", "a+b")  # noqa: SIM115
        self.inbox, self.come = Inbox(), []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cloudburst.runtime.performer", *map(str, (requests, records, lifeline))],
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            pass_fds=(requests, records, lifeline),
            start_new_session=True,
        )
        for file in (requests, records, lifeline):
            os.close(file)

    def send(self, *messages):
        for message in messages:
            os.write(self.requests, frame(message))

    def receive(self):
        while not self.come:
            data = os.read(self.records, 1 << 16)
            if not data:
                return None
            self.come += self.inbox.feed(data)
        return self.come.pop(0)

    def end(self):
        """Say that nothing more comes, and wait."""
        os.close(self.requests)
        try:
            return self.process.wait(30)
        finally:
            os.close(self.records)
            os.close(self.lifeline)
            self.log.close()


@pytest.fixture
def program(tmp_path):
    program = Program(tmp_path)
    yield program
    if program.process.returncode is None:
        assert program.end() == 0


def run(directory, **environment):
    return "run", sys.path, str(directory), dict(os.environ) | environment, f"file://{directory}/store"


def functions(**named):
    return "functions", {name: function.payload for name, function in captured(**named).items()}


def tasks(*assignments):
    return "tasks", [task_message(one) for one in assignments]


def test_it_is_ready_performs_in_order_and_ends_when_nothing_more_comes(program, tmp_path):
    def say(word):
        print(word)
        return word * 2

    program.send(run(tmp_path), functions(say=say))
    program.send(tasks(*[assignment(step("call", "say", word), task=n) for n, word in enumerate("ab")]))
    assert program.receive() == ("ready",)
    for number in range(2):
        tag, task, item, attempt, artifacts, failure, seconds, peak_mib, log_end = program.receive()
        assert (tag, task, item, attempt, failure) == ("ended", number, -1, 1, None)
        assert len(artifacts) == 1
        assert seconds >= 0
        assert peak_mib > 1
        assert log_end == 2 * (number + 1)
    assert program.end() == 0


def test_a_record_of_a_failure_is_plain_data(program, tmp_path):
    program.send(run(tmp_path), tasks(assignment(step("operator", "truediv", 1, 0))))
    assert program.receive() == ("ready",)
    failure = program.receive()[5]
    assert type(failure) is tuple
    assert failure[:3] == ("raised", "ZeroDivisionError: division by zero", 0)


def test_a_new_run_forgets_the_functions_of_the_one_before(program, tmp_path):
    program.send(run(tmp_path), functions(f=lambda: 1), tasks(assignment(step("call", "f"))))
    program.send(run(tmp_path, MOOD="good"), tasks(assignment(step("call", "f"))))
    program.receive()
    assert program.receive()[5] is None
    assert program.receive()[5][1] == "KeyError: 'f'"


def test_it_ends_in_silence_when_nobody_takes_its_records(tmp_path):
    program = Program(tmp_path)
    program.send(run(tmp_path))
    assert program.receive() == ("ready",)
    os.close(program.records)
    program.records = os.open(os.devnull, os.O_RDONLY)
    program.send(tasks(assignment(step("build", "list"))))
    assert program.process.wait(30) == 0
    program.log.seek(0)
    assert program.log.read() == b""
    program.end()


def test_it_ends_with_its_lifeline(tmp_path):
    program = Program(tmp_path)
    program.send(run(tmp_path))
    assert program.receive() == ("ready",)
    os.close(program.lifeline)
    program.lifeline = os.open(os.devnull, os.O_RDONLY)
    assert program.process.wait(30) == -9
    program.end()


def test_functions_are_loaded_once_and_the_least_used_are_dropped(monkeypatch):
    monkeypatch.setattr(performer, "MOST_LOADED", 2)
    known = Functions()
    known.add({name: function.payload for name, function in captured(a=lambda: 1, b=lambda: 2, c=lambda: 3).items()})
    first = known["a"]
    known["b"]
    assert known["a"] is first
    known["c"]
    assert known["a"] is first
    assert known["b"]() == 2
    assert (len(known), list(known)) == (3, ["a", "b", "c"])


def test_a_peak_that_cannot_be_reset_is_the_process_s_own(monkeypatch):
    def no_file(*args):
        raise OSError(2, "No such file")

    monkeypatch.setattr(os, "open", no_file)
    peak = performer._Peak()
    peak.reset()
    assert peak.mib(1.0) > 1


def test_a_peak_is_told_even_when_the_users_code_closed_what_it_is_read_from():
    peak = performer._Peak()
    for file in peak._files or ():
        os.close(file)
    assert peak.mib(1.0) > 1
    assert peak._files is None
    peak = performer._Peak()
    for file in peak._files or ():
        os.close(file)
    peak.reset()
    assert peak._files is None
    assert peak.mib(1.0) > 1


def test_a_short_attempt_used_what_was_in_use_before(monkeypatch):
    status = {"text": b"VmHWM:\t  204800 kB\nVmRSS:\t   10240 kB\n"}
    monkeypatch.setattr(os, "pread", lambda file, size, offset: status["text"])
    peak = performer._Peak()
    if peak._files is None:
        pytest.skip("only Linux can reset it")
    assert peak.mib(0.0) == 200
    assert peak.mib(0.0) == 10
    assert peak.mib(1.0) == 200
