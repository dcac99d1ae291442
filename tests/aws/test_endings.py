"""However a run or its program ends, no task is left: by what ListTasks says, and by what still runs."""

from __future__ import annotations

import signal
import subprocess
import time

import pytest

import cloudburst as cb
from cloudburst.errors import Cancelled, InternalError, NotFound
from cloudburst.report.tally import Tally
from cloudburst.runtime.state import State
from cloudburst.testing import NEVER_STARTS
from tests.aws.leftovers import check_nothing_runs, keys
from tests.aws.programs import begun, lapsed, started
from tests.aws.runs import listed, on_aws, ran
from tests.testing.fargate import until

pytestmark = pytest.mark.no_cover

COMPUTES = "cb.compute([sleeps(300), sleeps(301)])"


@cb.stage(cpu=256, memory=512)
def sleeps(seconds):
    time.sleep(seconds)
    return seconds


@cb.stage(cpu=256, memory=512)
def add(x, y=1):
    return x + y


# ---------------------------------------------------------------- in this process


def test_a_cancelled_run_stops_its_machines():
    with on_aws() as aws:
        run = cb.defer([sleeps(300), sleeps(301)]).submit()
        begun(aws, "sleeps", 2)
        run.cancel("enough")
        with pytest.raises(Cancelled, match="enough"):
            run.result()
        check_nothing_runs(aws)
        assert {task.stop_code for task in aws.tasks()} == {"UserInitiated"}


def test_a_run_that_is_cancelled_while_machines_come_stops_those_too():
    with on_aws(fake={"startup_s": 60.0}) as aws:
        run = cb.defer([sleeps(300), sleeps(301)]).submit()
        until(lambda: len(aws.tasks()) == 2, "what was asked for")
        run.cancel("enough")
        with pytest.raises(Cancelled):
            run.result()
        check_nothing_runs(aws)
        assert [task.started_s for task in aws.tasks()] == [None, None]


def test_a_run_that_breaks_off_stops_its_machines(monkeypatch):
    with on_aws() as aws:
        run = cb.defer([sleeps(300), sleeps(0.5)]).submit()
        begun(aws, "sleeps", 2)
        decide = State.on

        def broken(self, *events):
            decide(self, *events)
            raise RuntimeError("a bug of ours")

        monkeypatch.setattr(State, "on", broken)
        with pytest.raises(InternalError, match="a bug of ours"):
            run.result()
        check_nothing_runs(aws)


def test_an_observer_that_fails_costs_the_run_nothing(monkeypatch):
    def broken(self, events, commands):
        raise RuntimeError("it cannot look")

    with on_aws() as aws:
        monkeypatch.setattr(Tally, "see", broken)
        one = ran(aws, add(1))
        assert (one.value, one.listed) == (2, [])
        assert "it cannot look" in str(one.summary)


# ---------------------------------------------------------------- a program that ends


def pools(aws):
    """What is left in the store of pools that were not closed."""
    return [key for key in keys(aws.settings) if "/pools/" in key]


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_stops_all_machines(tmp_path, times):
    with on_aws() as aws:
        program = started(aws, tmp_path, COMPUTES)
        begun(aws, "sleeps", 2)
        for _ in range(times):
            program.send_signal(signal.SIGINT)
            if times > 1:
                with pytest.raises(subprocess.TimeoutExpired):
                    program.wait(0.02)
        _, error = program.communicate(timeout=180)
        assert "KeyboardInterrupt" in error
        assert program.returncode != 0
        check_nothing_runs(aws)
        assert pools(aws) == []


@pytest.mark.parametrize(
    "ending",
    ["", "raise ValueError('the program itself')", "sys.exit(3)"],
    ids=["the end", "an exception", "sys.exit"],
)
def test_a_run_that_nobody_waits_for_ends_with_its_program(tmp_path, ending):
    code = "run = cb.defer([sleeps(300), sleeps(301)]).submit()\nsys.stdin.readline()\n"
    with on_aws() as aws:
        program = started(aws, tmp_path, code + ending)
        begun(aws, "sleeps", 2)
        program.communicate("go on\n", timeout=180)
        check_nothing_runs(aws)
        assert pools(aws) == []


def test_machines_that_are_held_end_with_the_program(tmp_path):
    code = """
with cb.using(cb.init_aws(**SETTINGS)):
    cb.compute(sleeps(0))
    os.kill(os.getpid(), 2)
    time.sleep(9)
"""
    with on_aws() as aws:
        program = started(aws, tmp_path, code)
        program.communicate(timeout=180)
        assert len(aws.tasks()) == 1
        check_nothing_runs(aws)
        assert pools(aws) == []


def test_a_fork_of_the_program_ends_nothing_of_it(tmp_path):
    code = """
with cb.using(cb.init_aws(**SETTINGS)):
    first = cb.compute(sleeps(0))
    child = os.fork()
    if child == 0:
        sys.exit(0)  # with all that a program does at its end
    assert os.waitpid(child, 0)[1] == 0
    print(first, cb.compute(sleeps(0.1)))
"""
    with on_aws(linger=100) as aws:
        program = started(aws, tmp_path, code, linger=100)
        output, error = program.communicate(timeout=180)
        assert output == "0 0.1\n", error
        assert len(aws.tasks()) == 1
        check_nothing_runs(aws)


# ---------------------------------------------------------------- a program that is killed


def test_machines_end_by_themselves_when_their_program_was_killed(tmp_path):
    with on_aws() as aws:
        program = started(aws, tmp_path, COMPUTES)
        begun(aws, "sleeps", 2)
        program.kill()
        program.communicate()
        assert len(listed(aws)) == 2
        until(lambda: not aws.running(), "the end of their lease")
        assert {task.stop_code for task in aws.tasks()} == {"EssentialContainerExited"}
        assert all("has not renewed its lease" in aws.logs(task) for task in aws.tasks())


HOLDS = """
with cb.using(cb.init_aws(**SETTINGS)):
    print(cb.compute(sleeps(0)))
    sys.stdin.readline()
    print(cb.compute(sleeps(0.1)))
"""


def test_the_next_run_stops_what_killed_programs_of_its_user_left_and_nothing_else(tmp_path, monkeypatch):
    programs, mine, theirs = tmp_path / "programs", tmp_path / "mine", tmp_path / "theirs"
    programs.mkdir()
    monkeypatch.setenv("CLOUDBURST_CONFIG_DIR", str(mine))
    with on_aws(launches=[NEVER_STARTS] * 3) as aws:
        killed = [
            started(aws, programs, COMPUTES, config=mine),
            started(aws, programs, "cb.compute(sleeps(302))", config=theirs),
        ]
        until(lambda: len(aws.tasks()) == 3, "what was asked for")
        for program in killed:
            program.kill()
            program.communicate()
        live = started(aws, programs, HOLDS, config=mine, linger=1000)
        assert live.stdout.readline() == "0\n"
        lapsed(aws, 2)
        run = add(1).submit()
        assert run.result() == 2
        assert "Left by a program of yours that did not end as it should: 2 machines still up" in str(run.summary)
        # Of those that were left only theirs is to run on; of those that live it is the live program's.
        pools = [task.started_by for task in aws.tasks()[:3]]
        [their_pool] = [pool for pool in pools if pools.count(pool) == 1]
        assert next(task.started_by for task in aws.tasks() if not task.is_stopped) == their_pool
        assert len(listed(aws)) == 2
        output, error = live.communicate("go on\n", timeout=180)
        assert output == "0.1\n", error
        assert len(aws.tasks()) == 5
        assert len(listed(aws)) == 1


# ---------------------------------------------------------------- a run that another program goes on with


TWO_CHAINS = """
@cb.stage(cpu=256, memory=512)
def add(x, y=1):
    time.sleep(0.3)
    return x + y

top = add(0)
run = add(add(add(top, 10), add(top, 100)), sleeps(2)).submit()
print(run.id)
run.result()
"""


def test_a_run_whose_program_was_killed_is_ended_by_another(tmp_path):
    with on_aws(linger=1000) as aws:
        program = started(aws, tmp_path, TWO_CHAINS, linger=1000)
        name = program.stdout.readline().strip()
        begun(aws, "sleeps", 1)
        begun(aws, "add", 1)
        program.kill()
        program.communicate()
        before = {task.id for task in aws.tasks()}
        run = cb.resume(name)
        assert run.result() == 114
        assert run.status == "done"
        after = {task.id for task in aws.tasks()}
        assert before <= after
        assert len(after - before) <= 1  # one may have been asked for and not been granted yet
        check_nothing_runs(aws)
        with pytest.raises(NotFound):
            cb.resume(name)
