"""The numbers that are told of a run, counted from its events."""

from __future__ import annotations

from cloudburst.history.figures import Figures
from cloudburst.providers.base import Whereabouts
from cloudburst.resources import Size
from cloudburst.runtime.events import Ended, Failure, Gone, Hello
from cloudburst.runtime.task import GIVEN, Artifact, Input, Origin, Output, Plan, Task, TaskId

SMALL, LARGE = Size(256, 512), Size(1024, 2048, None, True)
WHERE = Whereabouts(
    "u00aa11bb", "0123", "pools/u/p", 120.0, "eu-west-1", "data", "ARM64", False, "/logs", "cloudburst-0"
)


def task(index, stage, size=SMALL, inputs=(), fan=None, outputs=(Output(0),), environment=()):
    return Task(
        index, f"{stage}-{index}", stage, (), inputs, outputs, (Origin(stage, None, 0),), size, fan=fan, stage_step=0,
        environment=environment,
    )  # fmt: skip


def plan(*tasks, given=()):
    return Plan("daily", tuple(tasks), {}, given, ())


def made(nbytes):
    return Artifact("plain", "key", nbytes)


def ended(number, item=-1, nbytes=(100,), seconds=2.0, attempt=1, failure=None, worker="w1", peak=50.0):
    artifacts = () if failure else tuple(made(n) for n in nbytes)
    return Ended(worker, TaskId(number, item), attempt, artifacts, failure, seconds, peak)


def figures(planned):
    return Figures(planned, "6a2-daily-01", WHERE, 1000.0)


def row(seen, stage, state="running", now_s=2000.0):
    return next(one for one in seen.record(now_s, state).stages if one.stage == stage)


def test_bytes_in_and_out_and_the_time_that_a_task_could_not_begin():
    seen = figures(plan(task(0, "load"), task(1, "fit", LARGE, (Input(0), Input(GIVEN, 0))), given=(made(7),)))
    seen.see([ended(0, nbytes=(100,), seconds=2.0)], [], 1010.0)
    assert row(seen, "load").waited_s == 8.0  # from 1000 until it began at 1008
    assert (row(seen, "load").bytes_in, row(seen, "load").bytes_out) == (0, 100)
    assert row(seen, "fit").state == "waiting"
    seen.see([ended(1, nbytes=(40,), seconds=5.0, peak=99.0)], [], 1030.0)
    fit = row(seen, "fit")
    assert (fit.waited_s, fit.bytes_in, fit.bytes_out, fit.peak_mib, fit.seconds) == (15.0, 107, 40, 99.0, 5.0)
    assert fit.state == "done"
    record = seen.record(1031.0, "done")
    assert (record.done, record.tasks, record.attempts, record.seconds) == (2, 2, 2, 31.0)


def test_an_item_of_a_fan_reads_its_part_and_a_reader_of_the_fan_reads_all():
    given = Artifact("parts", (made(3), made(30)), 33)
    planned = plan(
        task(0, "each", inputs=(Input(GIVEN, 0),), fan=0, outputs=(Output(0, parts=True),)),
        task(1, "again", inputs=(Input(0),), fan=0, outputs=(Output(0, parts=True),)),
        task(2, "all", inputs=(Input(1),)),
        given=(given,),
    )
    seen = figures(planned)
    assert seen.record(1000.0, "running").tasks == 4 + 1
    seen.see([ended(0, 0, (10,)), ended(0, 1, (20,))], [], 1001.0)
    seen.see([ended(1, 1, (200,))], [], 1002.0)
    assert (row(seen, "each").bytes_in, row(seen, "each").bytes_out) == (33, 30)
    assert row(seen, "again").bytes_in == 20
    seen.see([ended(1, 0, (100,)), ended(2, nbytes=(1,))], [], 1003.0)
    assert row(seen, "again").bytes_in == 30
    assert row(seen, "all").bytes_in == 300


def test_a_fan_over_a_list_that_is_made_counts_its_items_when_they_are_known():
    planned = plan(task(0, "list", outputs=(Output(0, parts=True),)), task(1, "each", inputs=(Input(0),), fan=0))
    seen = figures(planned)
    assert (seen.record(1000.0, "running").tasks, seen.record(1000.0, "running").more) == (1, True)
    made_list = Artifact("parts", (made(5), made(6), made(7)), 18)
    seen.see([Ended("w1", TaskId(0), 1, (made_list,), None, 1.0, 1.0)], [], 1001.0)
    assert (seen.record(1001.0, "running").tasks, seen.record(1001.0, "running").more) == (4, False)
    seen.see([ended(1, 2)], [], 1002.0)
    assert row(seen, "each").bytes_in == 7


def test_sizes_of_one_stage_have_a_row_each():
    seen = figures(plan(task(0, "fit"), task(1, "fit", LARGE), task(2, "fit", LARGE)))
    rows = seen.record(1000.0, "running").stages
    assert [(one.tasks, one.size.cpu, one.size.spot, one.size.architecture) for one in rows] == [
        (1, 256, False, "ARM64"),
        (2, 1024, True, "ARM64"),
    ]


def test_a_failure_is_told_in_one_line_and_what_follows_waits_from_it():
    seen = figures(plan(task(0, "fit")))
    seen.see([ended(0, failure=Failure("raised", "ValueError: no\nat all"), seconds=1.0)], [], 1010.0)
    assert (row(seen, "fit").error, row(seen, "fit").attempts) == ("ValueError: no", 1)
    seen.see([ended(0, attempt=2, seconds=1.0)], [], 1020.0)
    fit = row(seen, "fit")
    assert (fit.waited_s, fit.attempts, fit.state) == (9.0 + 9.0, 2, "done")
    assert seen.record(1021.0, "done").error == ""


def test_a_run_that_failed_tells_the_first_error_and_which_stages_did_not_run():
    seen = figures(plan(task(0, "load"), task(1, "fit"), task(2, "other"), task(3, "never")))
    seen.see([ended(0), ended(1, failure=Failure("raised", "ValueError: no"))], [], 1010.0)
    seen.see([Gone("w2", "lost", "killed by SIGKILL", TaskId(2))], [], 1011.0)
    seen.give_up([TaskId(1)])
    record = seen.record(1012.0, "failed")
    assert record.error == "fit: ValueError: no"
    assert [(one.state, one.failed) for one in record.stages] == [
        ("done", 0),
        ("failed", 1),
        ("stopped", 0),
        ("skipped", 0),
    ]
    assert record.stages[2].error == "killed by SIGKILL"


def test_machines_are_told_by_size_with_the_seconds_of_each():
    seen = figures(plan(task(0, "fit")))
    seen.see([Hello("w1", SMALL), Hello("w2", LARGE)], [], 1010.0)
    seen.see([Hello("w3", SMALL), Hello("w1", SMALL)], [], 1020.0)
    seen.see([Gone("w1", "stopped", "", None)], [], 1030.0)
    record = seen.record(1060.0, "done")
    assert [(one.size.cpu, one.seconds) for one in record.machines] == [(256, [20.0, 40.0]), (1024, [50.0])]
    assert record.workers == ["w1", "w2", "w3"]


def test_values_of_variables_are_in_no_error():
    seen = figures(plan(task(0, "fit", environment=(("TOKEN", "s3cr3t-value"), ("N", "1")))))
    seen.see([ended(0, failure=Failure("raised", "KeyError: 's3cr3t-value' 1"))], [], 1001.0)
    seen.give_up([TaskId(0)])
    record = seen.record(1002.0, "failed", "it said s3cr3t-value")
    assert "s3cr3t" not in str(record)
    assert record.stages[0].error == "KeyError: '…' 1"


def test_where_the_machines_are_is_told_and_no_key():
    record = figures(plan(task(0, "fit"))).record(1000.0, "running")
    assert (record.user, record.pool, record.region, record.cluster) == ("u00aa11bb", "0123", "eu-west-1", "data")
    assert (record.log_group, record.definition, record.lease_limit_s) == ("/logs", "cloudburst-0", 120.0)
