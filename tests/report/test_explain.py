"""Golden explanations: a pipeline, and the text that is shown for it."""

import re
import textwrap
from dataclasses import replace

import pandas as pd
import pytest

import cloudburst as cb
from cloudburst import session
from cloudburst.deferred import wrap
from cloudburst.graph.expr import make
from cloudburst.graph.nodes import Stored
from cloudburst.report.explain import MOST_LINES, Explanation
from cloudburst.resources import Size
from cloudburst.runtime.task import Artifact


@cb.stage(cpu=1024, memory="2 GB")
def load(name) -> pd.DataFrame:
    return pd.DataFrame({"name": [name]})


@cb.stage(cpu=2048, memory="4 GB", timeout=60, retries=2)
def clean(frame):
    return frame


@cb.stage
def split(frame):
    return [frame]


@cb.stage(cpu=1024, memory="2 GB")
def model(part, with_frame=None):
    return part


ITEMS = Artifact("parts", (Artifact("pickle", b"", 0),), 0)
"""A list of one item that lies in a store."""


def golden(text):
    return textwrap.dedent(text).strip("\n")


def explained(deferred, why_not=None, **how):
    prepared = session.prepare([deferred._expr], **how)
    return Explanation.of(prepared.plan, prepared.graph, prepared.grouping, why_not or {})


def test_a_pipeline_is_told_task_by_task():
    frame = clean(load("a").dropna())
    result = model.map(split(frame.head(100)), with_frame=load("b"))
    assert str(result.explain()) == golden("""
        4 stages, 5 tasks, one of them once for each item of a list

          1  load   1 vCPU, 2 GB
               then .dropna()
          2  clean  2 vCPU, 4 GB  from 1 load
               then .head()
               timeout 60 s, up to 2 retries
          3  split  default size  from 2 clean
          4  load   1 vCPU, 2 GB
          5  model  1 vCPU, 2 GB  for each item of 3 split, with 4 load

        Sizes
          default size: no cpu= or memory= was asked for; on this machine such a task takes one worker
    """)


def test_equal_calls_are_told_as_one():
    describes = [load("a").describe() for _ in range(3)]
    assert str(model(describes).explain()) == golden("""
        2 stages, 2 tasks

          1  load   1 vCPU, 2 GB
               then .describe()
          2  model  1 vCPU, 2 GB  from 1 load

        Written more than once
          load: written 3 times, runs once
          .describe(): written 3 times, runs once
    """)


def test_several_equal_pairs_of_one_stage_are_told_in_one_line():
    result = model([load(name) for name in "abab"])
    assert explained(result).merged == ("load: written 4 times, runs twice",)


def test_values_that_were_only_given_twice_are_not_told():
    frame = pd.DataFrame({"a": [1]})
    assert explained(
        model(
            [
                clean(frame),
                clean(
                    frame,
                )
                + 1,
            ]
        )
    ).merged == ("clean: written twice, runs once",)


def test_without_the_optimizer_nothing_is_one():
    result = model([load("a"), load("a")])
    assert explained(result).merged
    assert explained(result, optimized=False).merged == ()


def test_what_stays_apart_says_why_and_where_its_size_comes_from():
    both = load("a") + clean(load("b"))
    assert str(both.explain()) == golden("""
        2 stages, 4 tasks

          1  load ×2  1 vCPU, 2 GB
          2  clean    2 vCPU, 4 GB                      from 1 load
               timeout 60 s, up to 2 retries
          3  add      2 vCPU, 6 GB (for what it reads)  from 1 load, 2 clean

        In tasks of their own
          add needs the results of load and clean, and not one stage alone uses it
    """)


def test_an_op_with_one_input_has_the_size_of_what_it_reads():
    told = explained(cb.defer(len)(model.map(split([1]))))
    assert told.sizes == ("default size", "1 vCPU, 2 GB", "1 vCPU, 2 GB (as what it reads)")


def test_the_default_of_a_provider_that_has_one_is_told_as_such():
    prepared = session.prepare([model(split([1]))._expr])
    tasks = tuple(
        replace(task, size=Size(2048, 8192)) if task.stage == "split" else task for task in prepared.plan.tasks
    )
    told = Explanation.of(replace(prepared.plan, tasks=tasks), prepared.graph, prepared.grouping, {})
    assert told.sizes == ("2 vCPU, 8 GB (by default)", "1 vCPU, 2 GB")
    assert "Sizes" not in str(told)


def test_what_is_stored_is_told_as_read():
    stored = wrap(make(Stored(Artifact("pickle", b"", 0), b"digest", "clean", None)))
    assert str(model(stored).explain()) == golden("""
        1 stage, 1 task

          1  model  1 vCPU, 2 GB

        Read from an earlier run
          clean
    """)
    assert str(stored.explain()).splitlines()[0] == "Nothing to run: every value is there already."


def test_what_is_stored_twice_by_one_name_is_told_once():
    leaves = [wrap(make(Stored(Artifact("pickle", b"", 0), digest, "clean", None))) for digest in (b"1", b"2")]
    assert explained(cb.defer([model(one) for one in leaves])).stored == ("clean ×2",)


def test_what_no_later_run_can_recognise_says_why():
    told = explained(load("a"), why_not={"load": "it reads a socket"})
    assert told.unrecognised == ("load: it reads a socket",)
    assert "Not recognised by later runs\n  load: it reads a socket" in str(told)


def test_ten_thousand_tasks_fit_on_a_page():
    text = str(model([clean(load(number)) for number in range(5000)]).explain())
    assert "10,001 tasks" in text
    assert "load ×5,000" in text
    assert len(text.splitlines()) < 12


def test_tasks_that_cannot_be_folded_end_in_a_sentence():
    stages = [cb.stage(retries=number)(load.func) for number in range(100)]
    told = model([stage(1) for stage in stages]).explain()
    lines = str(told).splitlines()
    assert len(lines) <= MOST_LINES + 10
    [rest] = [line for line in lines if "… and" in line]
    assert re.fullmatch(r"  … and 71 more tasks: load, model", rest)
    assert len(told.rows) == 101


def test_a_long_chain_of_ops_is_one_line():
    result = load("a")
    for _ in range(1000):
        result = result + 1
    assert "then add ×1,000" in str(result.explain())


def test_a_chain_of_stages_is_one_line_that_reads_itself():
    result = load("a")
    for _ in range(100):
        result = clean(result)
    assert "2  clean ×100  2 vCPU, 4 GB  from 1 load, from one another" in str(result.explain())


def test_a_fan_over_a_list_that_is_there_says_so():
    [row] = (told := explained(model.map(wrap(make(Stored(ITEMS, b"digest", "items", None)))))).rows
    assert row.is_fan
    assert "for each item of a list" in str(told).splitlines()[2]


def test_html_ends_in_a_sentence_where_the_text_does():
    stages = [cb.stage(retries=number)(load.func) for number in range(100)]
    assert "<p>… and 71 more tasks: load, model</p>" in model([stage(1) for stage in stages]).explain()._repr_html_()


def test_the_data_behind_the_text_is_there():
    told = clean(load("a")).explain()
    assert (told.stages, told.tasks) == (2, 2)
    assert [re.sub(r"-[0-9a-f]{12}$", "", name) for row in told.rows for name in row.names] == ["load", "clean"]
    assert repr(told) == str(told)


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "a & b"])
def test_html_escapes_everything(name):
    told = explained(load("a"), why_not={name: name})
    html = told._repr_html_()
    assert html.count("<li>") == html.count("</li>") == 1
    assert name not in html
    assert html.count("<div") == html.count("</div>") == 1
    assert "<b>load</b>" in html
