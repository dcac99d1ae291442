import textwrap

from cloudburst.graph.facts import Merged
from cloudburst.prices import Cost
from cloudburst.report.summary import summarize
from cloudburst.report.tally import Tally
from cloudburst.runtime.events import Gone
from cloudburst.runtime.task import TaskId
from tests.report.plans import assigned, ended, outcome, parts, plan, task, value


def pipeline():
    return plan(
        task(0, "load"),
        task(1, "parts", 0),
        task(2, "model", 1, fan=0),
        task(3, "concat", 2, is_stage=False, then=[".head()"]),
    )


def performed():
    tally = Tally(pipeline())
    tally.see([ended(0, value(2048)), ended(1, parts(2), worker="w2")], [assigned(2, 1)])
    tally.see([Gone("w1", "lost", "exit code 1", TaskId(2, 1))], [assigned(2, 1, attempt=2)])
    tally.see([ended(2, item=0), ended(2, item=1), ended(3, value(10**9))], [])
    return tally


def merged(label, times, *, is_stage=True):
    return Merged(label, label.encode(), times, is_stage)


def test_a_run_is_told_in_a_few_lines():
    found = [merged("load", 3), merged(".head()", 4, is_stage=False), merged("DataFrame", 9, is_stage=False)]
    summary = summarize(pipeline(), found, outcome(tasks_done=5), 4.25, performed())
    assert (
        str(summary)
        == repr(summary)
        == textwrap.dedent("""\
        nightly: done in 4.2 s
          3 stages, 5 tasks on 2 workers
          2.04 KB passed between tasks
          5 calls of stages written, 3 run: equal ones are one
          3 equal ops saved
          1 retry""")
    )


def test_what_it_cost_is_told_where_somebody_is_paid():
    cost = Cost(0.0123, machines=2, seconds=90.0, prices="us-east-1, table of 2026-09-11")
    summary = summarize(pipeline(), [], outcome("failed", tasks_done=2), 4.25, performed(), cost)
    assert summary.cost is cost
    assert "\n  cost $0.0123 at list price (us-east-1, table of 2026-09-11), not the bill" in str(summary)
    assert summarize(pipeline(), [], outcome(tasks_done=5), 4.25, performed()).cost is None


def test_the_figures_are_there_as_data():
    summary = summarize(pipeline(), [merged("load", 3)], outcome(tasks_done=5), 4.25, performed())
    assert (summary.stages, summary.tasks, summary.calls, summary.calls_saved, summary.retries) == (3, 5, 3, 2, 1)
    assert summary.passed == 2048 + 20 + 20
    assert [(one.stage, one.tasks, one.retries, one.seconds) for one in summary.by_stage] == [
        ("load", 1, 0, 0.5),
        ("parts", 1, 0, 0.5),
        ("model", 2, 1, 1.0),
        ("concat", 1, 0, 0.5),
    ]
    assert summary.by_stage[0].peak_mib == 100.0


def test_a_run_that_saved_nothing_says_nothing_of_it():
    summary = summarize(plan(task(0, "load")), [], outcome(tasks_done=1), 0.05, Tally(plan(task(0, "load"))))
    assert str(summary) == "nightly: done in 50 ms\n  1 stage, 1 task"


def test_a_failed_run_says_how_far_it_came():
    result = outcome("failed", failures=2, skipped=1, tasks_done=3, warnings=("An observer of the run failed.",))
    assert str(summarize(pipeline(), [], result, 61, Tally(pipeline()))) == textwrap.dedent("""\
        nightly: failed after 1 min 1 s
          3 stages, 3 tasks done
          2 tasks failed, 1 task skipped
          An observer of the run failed.""")


def test_a_cancelled_run_says_so():
    assert str(summarize(pipeline(), [], outcome("cancelled"), 2, Tally(pipeline()))).startswith(
        "nightly: cancelled after 2.0 s\n  3 stages, 0 tasks done"
    )
