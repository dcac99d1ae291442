import io
import sys
import threading
from types import SimpleNamespace

import pytest

import cloudburst as cb
from cloudburst.report import progress
from cloudburst.report.live import Notebook, Terminal
from cloudburst.report.progress import Lines, Reporting, reporter
from cloudburst.report.tally import Tally
from tests.report.plans import assigned, ended, outcome, parts, plan, task


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


class Recorder:
    """A display that remembers what it was asked to show, and lets a test wait for a drawing."""

    def __init__(self, trouble=None):
        self.shown = []
        self.drawn = threading.Event()
        self.trouble = trouble

    def draw(self, tally, seconds):
        self.shown.append(("draw", tally.done))
        self.drawn.set()
        if self.trouble is not None:
            raise self.trouble

    def close(self, tally, seconds):
        self.shown.append(("close", tally.done))

    def tell(self, summary):
        self.shown.append(("tell", summary.status))


@pytest.fixture
def hasty(monkeypatch):
    monkeypatch.setattr(progress, "PATIENCE_S", 0.0)
    monkeypatch.setattr(progress, "INTERVAL_S", 0.001)


@pytest.fixture
def patient(monkeypatch):
    monkeypatch.setattr(progress, "PATIENCE_S", 3600.0)


@pytest.fixture
def streams(monkeypatch):
    """Where the program writes, in place of the real streams."""

    def put(kind):
        stream = kind()
        monkeypatch.setattr(sys, "stderr", stream)
        return stream

    return put


PLAN = plan(task(0, "load"), task(1, "clean", 0), task(2, "model", 1))


def run_of(reporting, events=(), status="done"):
    with reporting:
        for event in events:
            reporting.see([event], [])
    return reporting.finish(outcome(status, tasks_done=len(events)), 1.0)


# ---------------------------------------------------------------- which display


@pytest.mark.parametrize(
    ("wanted", "stream", "display"),
    [
        (None, io.StringIO, type(None)),
        (True, io.StringIO, Lines),
        (False, io.StringIO, type(None)),
        (None, Screen, Terminal),
        (True, Screen, Terminal),
        (False, Screen, type(None)),
    ],
)
def test_it_is_shown_where_there_is_somebody_to_see_it(streams, wanted, stream, display):
    streams(stream)
    assert type(reporter(PLAN, (), wanted)._display) is display


@pytest.mark.parametrize(("wanted", "display"), [(None, Notebook), (True, Notebook), (False, type(None))])
def test_a_notebook_is_known_by_its_kernel(streams, monkeypatch, wanted, display):
    streams(Screen)
    shell = SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel="python3"))
    monkeypatch.setitem(sys.modules, "IPython", shell)
    assert type(reporter(PLAN, (), wanted)._display) is display


def test_ipython_in_a_terminal_is_a_terminal(streams, monkeypatch):
    streams(Screen)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: SimpleNamespace()))
    assert type(reporter(PLAN, (), None)._display) is Terminal


def test_a_program_without_stderr_is_silent(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    assert reporter(PLAN, (), True)._display is None


@pytest.mark.parametrize("wanted", [None, False])
def test_silent_means_silent(streams, capsys, wanted):
    stream = streams(io.StringIO)
    reporting = reporter(PLAN, (), wanted)
    summary = run_of(reporting, [ended(0), ended(1), ended(2)])
    assert reporting._artist is None
    assert (stream.getvalue(), capsys.readouterr().out) == ("", "")
    assert summary.tasks == 3


# ---------------------------------------------------------------- when it is drawn


def test_a_short_run_draws_nothing_and_tells_nothing(patient):
    display = Recorder()
    run_of(Reporting(PLAN, (), display), [ended(0)])
    assert display.shown == []


def test_a_short_run_tells_what_it_came_to_if_asked(patient):
    display = Recorder()
    run_of(Reporting(PLAN, (), display, always=True), [ended(0)])
    assert display.shown == [("close", 1), ("tell", "done")]


def test_a_long_run_is_drawn_closed_and_told(hasty):
    display = Recorder()
    reporting = Reporting(PLAN, (), display)
    with reporting:
        assert display.drawn.wait(30)
        reporting.see([ended(0)], [])
    reporting.finish(outcome("failed"), 1.0)
    assert display.shown[0] == ("draw", 0)
    assert display.shown[-2:] == [("close", 1), ("tell", "failed")]


def test_seeing_does_not_draw(patient):
    display = Recorder()
    with Reporting(PLAN, (), display) as reporting:
        for _ in range(1000):
            reporting.see([ended(0)], [assigned(1)])
        assert display.shown == []


def test_a_display_that_breaks_ends_the_display_and_not_the_run(hasty):
    trouble = OSError("the terminal has gone")
    display = Recorder(trouble)
    reporting = Reporting(PLAN, (), display)
    with reporting:
        assert display.drawn.wait(30)
        reporting._artist.join(30)
        reporting.see([ended(0)], [])
    assert reporting.finish(outcome(tasks_done=1), 1.0).tasks == 1
    assert reporting.trouble is trouble
    assert [what for what, _ in display.shown] == ["draw", "close", "tell"]


def test_a_run_that_breaks_off_closes_the_display(hasty):
    display = Recorder()

    def run():
        with Reporting(PLAN, (), display):
            assert display.drawn.wait(30)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    assert display.shown[-1] == ("close", 0)


def test_a_process_without_room_for_a_thread_runs_on(monkeypatch):
    def refuse(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    display = Recorder()
    reporting = Reporting(PLAN, (), display)
    assert run_of(reporting, [ended(0)]).tasks == 1
    assert isinstance(reporting.trouble, RuntimeError)
    assert display.shown == []


def test_a_closed_stderr_does_not_break_a_run(hasty, streams):
    stream = streams(io.StringIO)
    reporting = reporter(PLAN, (), True)
    stream.close()
    assert run_of(reporting, [ended(0)]).tasks == 1
    assert isinstance(reporting.trouble, ValueError)


# ---------------------------------------------------------------- plain lines


def lines(stream):
    return stream.getvalue().splitlines()


def test_finished_stages_are_told_at_most_once_a_second():
    stream, tally = io.StringIO(), Tally(PLAN)
    display = Lines("nightly", stream)
    tally.see([ended(0)], [])
    display.draw(tally, 0.3)
    tally.see([ended(1)], [])
    display.draw(tally, 0.4)
    assert lines(stream) == ["nightly: load done; 1 of 3 tasks, 0.3 s"]
    tally.see([ended(2)], [])
    display.draw(tally, 1.3)
    display.draw(tally, 9.0)
    assert lines(stream)[1:] == ["nightly: clean, model done; 3 of 3 tasks, 1.3 s"]


def test_failures_and_retries_are_told_at_once_and_once():
    stream, tally = io.StringIO(), Tally(PLAN)
    display = Lines("nightly", stream)
    display.draw(tally, 0.3)
    tally.see([ended(0, failure="ValueError: no")], [assigned(0, attempt=2)])
    display.draw(tally, 0.4)
    display.draw(tally, 0.5)
    assert lines(stream) == [
        "nightly: load failed in attempt 1: ValueError: no",
        "nightly: load is tried again, attempt 2",
    ]


def test_a_flood_of_failures_is_told_in_twenty_lines():
    stream, tally = io.StringIO(), Tally(PLAN)
    tally.see([ended(0, attempt=number, failure="E: no") for number in range(500)], [])
    Lines("nightly", stream).draw(tally, 0.3)
    assert len(lines(stream)) == 20
    assert lines(stream)[-1] == "nightly: … and 481 more"
    assert not tally.notices


def test_what_failed_at_the_very_end_is_told_too():
    stream, tally = io.StringIO(), Tally(PLAN)
    tally.see([ended(0, failure="ValueError: no")], [])
    Lines("nightly", stream).close(tally, 0.1)
    assert lines(stream) == ["nightly: load failed in attempt 1: ValueError: no"]


def test_a_total_that_may_grow_says_so():
    stream = io.StringIO()
    tally = Tally(plan(task(0, "load"), task(1, "parts", 0), task(2, "model", 1, fan=0)))
    display = Lines("nightly", stream)
    tally.see([ended(0)], [])
    display.draw(tally, 0.5)
    tally.see([ended(1, parts(8))], [])
    display.draw(tally, 2.0)
    assert lines(stream) == [
        "nightly: load done; 1 of at least 2 tasks, 0.5 s",
        "nightly: parts done; 2 of 10 tasks, 2.0 s",
    ]


# ---------------------------------------------------------------- a run


def test_a_run_tells_what_it_came_to_if_asked_and_is_silent_if_not(streams):
    stream = streams(io.StringIO)
    total = cb.defer(sum)([1, 2])
    assert total.compute(progress=False) == 3
    assert stream.getvalue() == ""
    assert total.compute(name="nightly", progress=True) == 3
    assert lines(stream)[0].startswith("nightly: done in ")
    assert lines(stream)[1] == "  0 stages, 1 task on 1 worker"
