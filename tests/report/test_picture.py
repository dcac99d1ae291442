import stat
import sys

import pytest

from cloudburst.errors import UsageError
from cloudburst.report.picture import MOST_BOXES, Picture
from cloudburst.resources import Size
from tests.report.plans import plan, task


@pytest.fixture
def dot(tmp_path, monkeypatch):
    """A program named dot that gives its input back as SVG."""
    program = tmp_path / "bin" / "dot"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\nimport sys\nprint('<svg>' + sys.stdin.read() + '</svg>')\n")
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", str(program.parent))


@pytest.fixture
def no_dot(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))


def boxes(picture):
    return [line for line in picture.dot.splitlines() if "label=" in line]


def test_the_text_names_tasks_sizes_riders_and_arrows():
    tasks = task(0, "parts"), task(1, "model", 0, fan=0, then=[".head()"]), task(2, "total", 1, size=Size())
    assert Picture.of(plan(*tasks)).dot.splitlines()[4:-1] == [
        '\t0 [label="parts\\n1 vCPU, 2 GB"]',
        '\t1 [label="model\\nonce an item\\n1 vCPU, 2 GB\\nthen .head()" shape=box3d]',
        '\t2 [label="total\\ndefault size" penwidth=2]',
        "\t0 -> 1",
        "\t1 -> 2",
    ]


def test_an_input_read_twice_is_one_arrow():
    assert Picture.of(plan(task(0, "load"), task(1, "join", 0, 0))).dot.count("->") == 1


def test_names_that_mean_something_to_graphviz_are_escaped():
    [box] = boxes(Picture.of(plan(task(0, '<b>"x"\\n'))))
    assert box.startswith('\t0 [label="<b>\\"x\\"\\\\n\\n1 vCPU')


def test_many_equal_tasks_share_a_box():
    tasks = [task(n, "load") for n in range(MOST_BOXES)]
    few = Picture.of(plan(*tasks))
    assert len(boxes(few)) == MOST_BOXES
    many = Picture.of(plan(*tasks, task(MOST_BOXES, "total", *range(MOST_BOXES))))
    assert [line.partition("\\n")[0] for line in boxes(many)] == ['\t1 [label="load ×200', '\t2 [label="total']
    assert "shape=box3d" in boxes(many)[0]
    assert "1 -> 2" in many.dot


def test_a_folded_chain_reads_from_itself():
    chain = Picture.of(plan(task(0, "step"), *[task(n, "step", n - 1) for n in range(1, 300)]))
    [box] = boxes(chain)
    assert "step ×300\\nfrom one another" in box


def test_more_kinds_of_tasks_than_boxes_end_in_a_box_that_says_so():
    picture = Picture.of(plan(*[task(n, f"stage{n}") for n in range(MOST_BOXES + 50)]))
    assert len(boxes(picture)) == MOST_BOXES + 1
    assert "… and 50 more tasks" in boxes(picture)[-1]


def test_a_picture_is_drawn_where_graphviz_is(dot, tmp_path):
    picture = Picture.of(plan(task(0, "load")))
    assert picture.svg.startswith("<svg>digraph")
    assert set(picture._repr_mimebundle_(include=None, exclude=None)) == {"image/svg+xml", "text/plain"}
    picture.save(tmp_path / "plan.svg")
    assert (tmp_path / "plan.svg").read_text(encoding="utf-8") == picture.svg


def test_without_graphviz_the_text_is_there_and_the_drawing_says_the_mend(no_dot, tmp_path):
    picture = Picture.of(plan(task(0, "load")))
    with pytest.raises(UsageError, match="install"):
        _ = picture.svg
    with pytest.raises(UsageError, match=r"plan\.dot"):
        picture.save(tmp_path / "plan.svg")
    assert not (tmp_path / "plan.svg").exists()
    shown = picture._repr_mimebundle_()
    assert set(shown) == {"text/plain"}
    assert picture.dot in shown["text/plain"]


@pytest.mark.parametrize("name", ["plan.dot", "plan.gv"])
def test_text_is_saved_without_graphviz(no_dot, tmp_path, name):
    picture = Picture.of(plan(task(0, "load")))
    picture.save(str(tmp_path / name))
    assert (tmp_path / name).read_text(encoding="utf-8") == str(picture) == picture.dot


@pytest.mark.parametrize("name", ["plan.png", "plan"])
def test_other_files_are_refused(tmp_path, name):
    with pytest.raises(UsageError, match=r"\.svg"):
        Picture.of(plan(task(0, "load"))).save(tmp_path / name)


def test_it_is_short_at_a_prompt():
    assert len(repr(Picture.of(plan(task(0, "load"))))) < 100
