"""The page of a run: what is told of it, all of it escaped, in one file that asks for nothing."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudburst.history.page import MOST_BARS, MOST_PIECES, page
from cloudburst.history.record import MachineRecord, RunRecord, SizeRecord, from_json, shown, to_json
from tests.history.told import stage, told

SIZE = SizeRecord(1024, 2048, None, False, "X86_64")
BIG = SizeRecord(16384, 65536, 100, True, "ARM64")
_VOID = ("meta", "rect")
_FETCHES = ("src", "href", "data", "action", "poster", "srcset", "background", "xlink:href", "formaction")


class Seen(HTMLParser):
    """What a browser would make of a page: its elements, whether they are closed in order, and what is to be read."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        self.attributes += attrs
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def run(**more) -> RunRecord:
    given = {"region": "us-east-1", "cluster": "data", "cloudburst": "0.1.0", "python": "3.12", "attempts": 3}
    return told(**{**given, **more})


def test_it_says_what_a_run_came_to():
    stages = [
        stage(),
        stage("plot", size=BIG, tasks=4, done=2, failed=1, attempts=9, state="failed", error="ValueError: no & no"),
    ]
    machines = [MachineRecord(SIZE, [75.0, 40.0]), MachineRecord(BIG, [30.0])]
    text = Seen(page(run(state="failed", stages=stages, machines=machines), "cost $0.10 at list price")).text
    assert "daily failed after 1 min 15 s" in text
    assert "Begun 2023-11-14 22:13:20 UTC Ended 2023-11-14 22:14:35 UTC" in text
    assert "2 of 2 done, in 3 attempts" in text
    assert "3 machines of data in us-east-1" in text
    assert "cloudburst 0.1.0 on Python 3.12" in text
    assert "$0.10 at list price" in text
    assert "fit done 2/2 1 vCPU, 2 GB 3.5 s 40.0 s 188 MB 10 bytes 4 KB 2" in text
    assert "plot failed 2/4, 1 failed 16 vCPU, 64 GB, 100 GB disk, Spot, ARM" in text
    assert "Error plot ValueError: no & no Stages" in text
    assert "2 machines, 1 min 55 s together" in text


def test_what_is_not_known_is_not_told():
    seen = Seen(page(RunRecord("6a2-x-01", "x", "running", begun_s=0.0, written_s=2.5)))
    assert "x running for 2.5 s" in seen.text
    assert "As of 1970-01-01 00:00:02 UTC" in seen.text
    for word in ("Cost", "With", "Stages", "Machines How", "Where", "Error", "no more"):
        assert word not in seen.text
    assert "svg" not in seen.elements
    assert "table" not in seen.elements


def test_a_run_whose_program_is_no_more_says_so():
    assert "has not said what became of the run" in Seen(page(run(state="lost"))).text


@pytest.mark.parametrize(
    ("error", "of_stage", "told_of"),
    [
        ("fit: ValueError: no", "ValueError: no", ["fit"]),
        ("fit: ValueError: no", "", ["The run"]),
        ("the budget is used up", "ValueError: no", ["The run", "fit"]),
        ("", "", []),
    ],
)
def test_each_error_is_told_once(error, of_stage, told_of):
    text = page(run(state="failed", error=error, stages=[stage(error=of_stage)]))
    assert re.findall(r'<div class="error"><b>(.*?)</b>', text) == told_of


def texts(record: RunRecord, told: str) -> RunRecord:
    """A record all of whose texts are this one."""
    size = replace(SIZE, architecture=told)
    stages = [replace(one, stage=told, error=f"{told}!", size=size) for one in record.stages]
    names = ("run", "name", "user", "cloudburst", "python", "region", "cluster", "error", "pool", "definition")
    machines = [replace(one, size=size) for one in record.machines]
    return replace(record, **dict.fromkeys(names, told), stages=stages, machines=machines)


WHOLE = run(state="failed", stages=[stage()], machines=[MachineRecord(SIZE, [75.0])])
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style></title><svg onload=alert(1)>",
    "' onmouseover='alert(1)",
    "<!-- ",
    "&lt;b&gt; &amp; &#60;",
    "]]>",
    "\x1b[2J\u202eevil\u2028\n\ud800",
]


@given(st.sampled_from(HOSTILE) | st.text(max_size=40).map(lambda text: f"<{text}>"))
def test_whatever_stands_in_a_record_is_text(hostile):
    plain, seen = Seen(page(texts(WHOLE, "plain"), "plain")), Seen(page(texts(WHOLE, hostile), hostile))
    assert seen.elements == plain.elements
    assert [name for name, _ in seen.attributes] == [name for name, _ in plain.attributes]
    words = "".join(seen.words)
    assert words.count(shown(hostile)) >= "".join(plain.words).count("plain") - 1  # "cost" may be taken from one
    assert page(texts(WHOLE, hostile)).encode()


def test_nothing_is_fetched_and_nothing_runs():
    seen = Seen(page(WHOLE, "cost $1"))
    assert not {"script", "link", "img", "iframe", "object", "embed", "base", "form", "a"} & set(seen.elements)
    assert [name for name, _ in seen.attributes if name in _FETCHES or name.startswith("on")] == []
    text = page(WHOLE)
    assert "url(" not in text
    assert "@import" not in text
    assert "://" not in text
    [policy] = [value for name, value in seen.attributes if name == "content" and "default-src" in (value or "")]
    assert policy.startswith("default-src 'none'")


def bars(text: str) -> list[list[tuple[str, float, float]]]:
    """Of each bar its pieces: what they are, where they begin, and how wide they are, in hundredths."""
    piece = re.compile(r'class="(\w+)" x="(.*?)%" width="(.*?)%"')
    return [
        [(kind, float(x), float(width)) for kind, x, width in piece.findall(one)]
        for one in re.findall(r"<svg.*?</svg>", text)
    ]


amounts = st.floats(0, 1e6) | st.just(0.0)


@given(st.lists(st.tuples(amounts, amounts), max_size=8), st.lists(st.lists(amounts, max_size=5), max_size=4))
def test_bars_are_as_long_as_what_they_show(times, lives):
    stages = [stage(f"s{n}", seconds=work, waited_s=waited) for n, (work, waited) in enumerate(times)]
    machines = [MachineRecord(SIZE, seconds) for seconds in lives]
    drawn = bars(page(run(stages=stages, machines=machines)))
    for pieces in drawn:
        place = 0.0
        for _, x, width in pieces:
            assert x == pytest.approx(place, abs=0.01)
            assert width >= 0
            place += width
        assert place <= 100.05
    longest = sorted((work + waited for work, waited in times if work + waited > 0), reverse=True)
    shown_lengths = [sum(width for _, _, width in pieces) for pieces in drawn[: len(longest)]]
    assert shown_lengths == pytest.approx([100 * one / longest[0] for one in longest], abs=0.01)
    assert (len(drawn) > len(longest)) == (sum(map(sum, lives)) > 0)


def test_numbers_below_nothing_that_somebody_wrote_draw_nothing():
    text = page(run(stages=[stage(seconds=-5.0, waited_s=1.0)], machines=[MachineRecord(SIZE, [-3.0])]))
    assert bars(text) == [[("waited", 0.0, 100.0)]]


def test_of_many_stages_and_machines_as_many_are_drawn_as_can_be_seen():
    stages = [stage(f"s{number}", seconds=float(number)) for number in range(MOST_BARS + 7)]
    machines = [MachineRecord(SIZE, [1.0] * (MOST_PIECES + 1)), MachineRecord(BIG, [1.0] * MOST_PIECES)]
    text = page(run(stages=stages, machines=machines))
    drawn = bars(text)
    assert [len(one) for one in drawn[MOST_BARS:]] == [1, MOST_PIECES]
    assert "And 7 stages that took less." in text
    assert text.count('<tr><th scope="row">') == len(stages)


def test_a_record_gives_the_same_page_after_it_was_written_and_read():
    assert page(from_json(to_json(WHOLE)), "cost") == page(WHOLE, "cost")
