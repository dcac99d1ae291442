"""The agent's thread: how it waits, and how it fails."""

from __future__ import annotations

import os
import threading

import boto3
import pytest

from cloudburst.testing import FakeAWS
from cloudburst.testing.loop import Loop
from tests.testing.fargate import alive, register, run, running, stopped, until


@pytest.fixture
def loop():
    ticks = []
    loop = Loop(threading.RLock(), lambda: ticks.append(1))
    loop.ticks = ticks
    return loop


def test_what_is_due_is_done_in_order(loop):
    done = []
    loop.after(0.02, lambda: done.append("second"))
    loop.after(0.0, lambda: done.append("first"))
    loop.begin()
    until(lambda: len(done) == 2)
    loop.end(lambda: True)
    assert done == ["first", "second"]


def test_output_is_given_to_who_listens_until_its_end(loop):
    read, write = os.pipe()
    os.set_blocking(read, False)
    heard = []
    loop.listen(read, heard.append)
    loop.begin()
    os.write(write, b"one")
    until(lambda: heard == [b"one"])
    os.close(write)
    until(lambda: heard == [b"one", b""])
    loop.end(lambda: True)
    os.close(read)


def test_draining_takes_what_is_there_and_listens_no_more(loop):
    read, write = os.pipe()
    os.set_blocking(read, False)
    heard = []
    loop.listen(read, heard.append)
    os.write(write, b"one")
    loop.drain(read)
    loop.drain(read)
    assert heard == [b"one"]
    os.close(read)
    os.close(write)


def test_an_interrupt_waits_until_all_is_done(loop, monkeypatch):
    waits = []
    loop.begin()
    wait = loop._ended.wait

    def interrupted():
        waits.append(1)
        if len(waits) == 1:
            raise KeyboardInterrupt
        wait()

    monkeypatch.setattr(loop._ended, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        loop.end(lambda: len(waits) == 2)
    assert not loop._thread.is_alive()


def test_a_failure_of_the_agent_is_told_and_leaves_nothing():
    def fail():
        raise ZeroDivisionError("planted")

    pids = []

    def use():
        with FakeAWS(_program=["/bin/sh", "-c", "echo $$; exec sleep 600"]) as aws:
            register(aws)
            (task,) = run(aws)
            known = running(aws, task)
            pids.append(int(aws.logs(known)))
            aws._agent._loop.after(0.0, fail)
            until(lambda: aws._agent.failure is not None)

    with pytest.raises(ZeroDivisionError, match="planted"):
        use()
    until(lambda: alive(pids) == [], "the end of its program")


def test_a_program_that_is_not_there_is_told_as_ecs_tells_it():
    with FakeAWS(_program=["/not/there"]) as aws:
        register(aws)
        told = stopped(aws, run(aws)[0])
        assert told["stopCode"] == "TaskFailedToStart"
        assert told["stoppedReason"].startswith("CannotStartContainerError")


def test_ending_takes_its_fake_time():
    with FakeAWS(time_scale=0.001, startup_s=40, shutdown_s=30, _program=["/bin/sh", "-c", "echo up"]) as aws:
        register(aws)
        (told,) = run(aws)
        stopped(aws, told)
        (task,) = aws.tasks()
        assert task.started_s - task.created_s >= 40
        assert task.pull_started_s - task.created_s >= 12
        assert task.stopped_s - task.execution_stopped_s >= 30


def test_a_task_is_stopped_while_its_image_is_pulled():
    with FakeAWS(time_scale=0.01, startup_s=100, _program=["/bin/sh", "-c", "echo up"]) as aws:
        register(aws)
        (told,) = run(aws)
        (task,) = aws.tasks()
        until(lambda: task.status == "PENDING")
        boto3.client("ecs").stop_task(cluster=aws.settings["compute_cluster"], task=task.arn)
        stopped(aws, told)
        until(lambda: aws._agent._clock.now_s() > task.pull_started_s + 75)
        assert task.started_s is None
        assert aws.logs(task) == ""
        assert [state for state, _ in task.history] == ["PROVISIONING", "PENDING", "DEPROVISIONING", "STOPPED"]
