import io
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from cloudburst.report import live
from cloudburst.report.live import Notebook, Terminal, table
from cloudburst.report.summary import summarize
from cloudburst.report.tally import Tally
from cloudburst.runtime.events import Began
from cloudburst.runtime.task import TaskId
from tests.report.plans import assigned, ended, outcome, parts, plan, task

ROOT = Path(__file__).parents[2]
HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"


class Screen(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def screen(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return Screen()


def printed(tally, room=20, seconds=1.5):
    console = Console(file=io.StringIO(), width=80)
    console.print(table("nightly", tally, seconds, room))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def words(lines):
    """Lines without their bars."""
    return [" ".join(word for word in line.split() if not set(word) & set("━╸╺")) for line in lines]


def tally_of(*stages):
    return Tally(plan(*[task(number, stage) for number, stage in enumerate(stages)]))


def test_each_stage_has_a_line_with_its_numbers():
    tally = Tally(plan(task(0, "load"), task(1, "parts", 0), task(2, "model", 1, fan=0), task(3, "fit", 2)))
    tally.see([ended(0), Began("w1", TaskId(1), 1)], [])
    assert words(printed(tally)) == [
        "nightly 1.5 s 1 of 3 tasks",
        "✓ load 1/1",
        "● parts 0/1 1 running",
        "· model 0/?",
        "· fit 0/1",
    ]
    tally.see([ended(1, parts(12)), ended(2, item=0, failure="E: no")], [assigned(2, item=0, attempt=2)])
    tally.see([ended(3, failure="E: no")], [])
    assert words(printed(tally))[3:] == ["· model 0/12 1 retry", "· fit 0/1 1 failed"]


def test_names_are_shown_as_they_are_and_not_as_markup():
    assert "[red]x[/red]" in printed(tally_of("[red]x[/red]"))[1]


def test_an_empty_fan_has_a_full_bar():
    tally = Tally(plan(task(0, "parts"), task(1, "model", 0, fan=0)))
    tally.see([ended(0, parts(0))], [])
    assert [line.count("━") for line in printed(tally)[1:]] == [24, 24]


def test_where_there_is_no_room_stages_at_work_come_first():
    tally = tally_of(*[f"stage{number}" for number in range(30)])
    tally.see([*[ended(number) for number in range(10)], Began("w1", TaskId(20), 1)], [])
    _, *lines, rest = printed(tally, room=5)
    assert [line.split()[1] for line in lines] == ["stage10", "stage11", "stage12", "stage13", "stage20"]
    assert rest.strip() == "… and 25 more stages"


def test_a_terminal_is_drawn_on_and_left_clean(screen):
    tally = tally_of("load")
    display = Terminal("nightly", screen)
    display.draw(tally, 0.5)
    assert live._screen.locked()
    tally.see([ended(0)], [])
    display.close(tally, 1.0)
    text = screen.getvalue()
    assert text.index(HIDE_CURSOR) < text.index("0/1") < text.index("1/1") < text.rindex(SHOW_CURSOR)
    assert not live._screen.locked()
    display.tell(summarize(plan(task(0, "load")), (), outcome(tasks_done=1), 1.0, tally))
    assert screen.getvalue().endswith("nightly: done in 1.0 s\n  1 stage, 1 task on 1 worker\n")


def test_a_terminal_that_was_never_drawn_on_is_not_touched(screen):
    Terminal("nightly", screen).close(tally_of("load"), 0.1)
    assert screen.getvalue() == ""


def test_two_runs_do_not_draw_over_each_other(screen):
    first, second = Terminal("first", screen), Terminal("second", screen)
    first.draw(tally_of("load"), 0.5)
    second.draw(tally_of("load"), 0.5)
    assert "second" not in screen.getvalue()
    first.close(tally_of("load"), 0.6)
    second.draw(tally_of("load"), 0.7)
    assert "second" in screen.getvalue()
    second.close(tally_of("load"), 0.8)
    assert not live._screen.locked()


def test_a_run_that_ends_while_another_is_drawn_prints_above_it(screen, monkeypatch):
    above = io.StringIO()
    first, second = Terminal("first", screen), Terminal("second", screen)
    first.draw(tally_of("load"), 0.5)
    monkeypatch.setattr(sys, "stderr", above)
    before = screen.getvalue()
    second.tell(summarize(plan(task(0, "load")), (), outcome(tasks_done=1), 1.0, tally_of("load")))
    assert screen.getvalue() == before
    assert above.getvalue().startswith("nightly: done")
    first.close(tally_of("load"), 0.6)


def test_a_terminal_that_rich_cannot_use_is_given_back(screen, monkeypatch):
    def refuse(*_, **__):
        raise OSError("gone")

    monkeypatch.setattr("rich.live.Live.start", refuse)
    with pytest.raises(OSError, match="gone"):
        Terminal("nightly", screen).draw(tally_of("load"), 0.5)
    assert not live._screen.locked()


def test_a_drawing_that_fails_gives_the_terminal_back(screen, monkeypatch):
    display = Terminal("nightly", screen)
    display.draw(tally_of("load"), 0.5)
    monkeypatch.setattr(live, "table", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        display.close(tally_of("load"), 0.6)
    assert screen.getvalue().endswith(SHOW_CURSOR)
    assert not live._screen.locked()


def test_what_the_program_prints_into_a_file_stays_there(screen, monkeypatch):
    stdout = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stdout)
    display = Terminal("nightly", screen)
    display.draw(tally_of("load"), 0.5)
    print("mine")
    display.close(tally_of("load"), 0.6)
    assert stdout.getvalue() == "mine\n"
    assert "mine" not in screen.getvalue()


def test_a_notebook_gets_one_cell_that_changes(monkeypatch):
    shown = []

    def display(html, display_id):
        shown.append(html)
        return SimpleNamespace(update=shown.append)

    ipython = SimpleNamespace(HTML=str, display=display)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(display=ipython))
    monkeypatch.setitem(sys.modules, "IPython.display", ipython)
    tally = tally_of("<load>")
    notebook = Notebook("nightly")
    notebook.draw(tally, 0.5)
    tally.see([ended(0)], [])
    notebook.close(tally, 0.9)
    notebook.tell(summarize(plan(task(0, "<load>")), (), outcome(tasks_done=1), 1.0, tally))
    assert len(shown) == 3
    assert "0/1" in shown[0]
    assert "1/1" in shown[1]
    assert shown[2].startswith(shown[1])
    assert "nightly: done in 1.0 s" in shown[2]
    assert all("<load>" not in html and "&lt;load&gt;" in html for html in shown)


def test_rich_is_not_imported_before_there_is_something_to_draw():
    code = (
        "import sys, cloudburst.report.live, cloudburst.report.progress, cloudburst.report.explain\n"
        "print({'rich', 'graphviz', 'IPython'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "set()"
