"""``cloudburst runs`` over real runs on the fake AWS: done, failed, going on, and left by a program that was killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import boto3
import pandas as pd
import pytest

import cloudburst as cb
from cloudburst.cli import main
from cloudburst.errors import Cancelled
from cloudburst.runtime.stores import open_store
from cloudburst.testing import NEVER_STARTS
from tests.aws.leftovers import check_nothing_runs, keys
from tests.aws.programs import begun, lapsed, started
from tests.aws.runs import on_aws
from tests.testing.fargate import until

pytestmark = [pytest.mark.slow, pytest.mark.no_cover]

COMPUTES = """
run = cb.defer([sleeps(300), sleeps(301)]).submit(name="left behind")
print(run.id)
run.result()
"""


@cb.stage(cpu=256, memory=512)
def load(n):
    print("loading", n)
    return pd.DataFrame({"x": range(n)})


@cb.stage(cpu=512, memory=1024, environment={"TOKEN": "s3cr3t-value"})
def fit(frame):
    print("fitting")
    return len(frame)


@cb.stage(cpu=512, memory=1024, environment={"TOKEN": "s3cr3t-value"})
def fails(frame):
    print("about to fail")
    raise ValueError(f"no: {os.environ['TOKEN']}\nin many lines")


@cb.stage(cpu=256, memory=512)
def sleeps(seconds):
    print("falls asleep", flush=True)
    time.sleep(seconds)
    return seconds


@pytest.fixture
def aws(request, monkeypatch):
    with on_aws(**getattr(request, "param", {})) as aws:
        monkeypatch.setenv("CLOUDBURST_STORAGE_BUCKET", aws.settings["storage_bucket"])
        monkeypatch.setenv("CLOUDBURST_STORAGE_PREFIX", aws.settings["storage_prefix"])
        yield aws


def said(capsys, *argv, code=0):
    capsys.readouterr()
    assert main(["runs", *argv]) == code
    return capsys.readouterr().out


def shown(capsys, run, code=0):
    return json.loads(said(capsys, "show", run, "--json", code=code))


def under(aws, prefix):
    return [key for key in keys(aws.settings) if key.startswith(f"{aws.settings['storage_prefix']}/{prefix}")]


def by_stage(told):
    return {one["stage"]: one for one in told["stages"]}


def test_a_run_that_was_done_and_one_that_failed(aws, capsys):
    assert fit(load(20_000)).compute(name="daily") == 20_000
    with pytest.raises(ValueError, match="no: "):
        fails(load(30_000)).compute(name="weekly")
    failed, done = json.loads(said(capsys, "list", "--json"))
    assert (done["name"], done["state"], done["done"], done["tasks"]) == ("daily", "done", 2, 2)
    assert (failed["name"], failed["state"], failed["done"], failed["tasks"]) == ("weekly", "failed", 1, 2)

    told = by_stage(done)
    assert (told["load"]["size"]["cpu"], told["load"]["size"]["architecture"]) == (256, "X86_64")
    assert told["load"]["bytes_out"] == told["fit"]["bytes_in"] > 0
    assert told["load"]["seconds"] > 0
    assert told["load"]["peak_mib"] > 10
    assert sum(len(one["seconds"]) for one in done["machines"]) == len(done["workers"]) >= 1
    assert set(done["workers"]) | set(failed["workers"]) == {task.id for task in aws.tasks()}
    assert done["region"] == aws.settings["region"]

    assert failed["error"] == "fails: ValueError: no: …"
    assert [by_stage(failed)[one]["state"] for one in ("load", "fails")] == ["done", "failed"]
    assert said(capsys, "logs", done["run"]) == "load | loading 20000\nfit | fitting\n"
    assert said(capsys, "logs", failed["run"], "fails") == "fails | about to fail\n"
    assert "weekly: failed after" in said(capsys, "show", "last", code=1)
    told = b"".join(store_of(aws).get(key.removeprefix("pipelines/")) for key in under(aws, "history/"))
    assert b"s3cr3t" not in told

    assert "Would remove" in said(capsys, "clean", "--older-than", "0", "--dry-run")
    assert len(under(aws, "runs/")) == 1
    assert "of 2 runs, 1 task definition." in said(capsys, "clean", "--older-than", "0", "--yes")
    assert under(aws, "runs/") == under(aws, "journals/") == []
    assert len(json.loads(said(capsys, "list", "--json"))) == 2
    assert fit(load(20_000)).compute() == 20_000  # with a definition that is registered again


def store_of(aws):
    return open_store(f"s3://{aws.settings['storage_bucket']}/{aws.settings['storage_prefix']}?region=us-east-1")


def test_anybody_with_access_can_look_and_no_key_is_made_for_it(aws, capsys, tmp_path, monkeypatch):
    fit(load(10)).compute(name="daily")
    monkeypatch.setenv("CLOUDBURST_CONFIG_DIR", str(tmp_path / "of another"))
    assert "another user has: --all-users" in said(capsys, "list")
    assert "daily" in said(capsys, "list", "--all-users")
    assert shown(capsys, "last")["state"] == "done"
    assert not (tmp_path / "of another").exists()


def test_a_run_that_goes_on_is_watched_and_stopped(aws, capsys):
    run = cb.defer([sleeps(300), sleeps(301)]).submit(name="nightly")
    begun(aws, "sleeps", 2)
    until(lambda: len(shown(capsys, run.id)["workers"]) == 2, "its workers")
    assert shown(capsys, run.id)["state"] == "running"
    # Nothing has ended, so the store has no output: CloudWatch does.
    until(lambda: said(capsys, "logs", run.id) == "sleeps | falls asleep\n" * 2, "what was printed")
    assert said(capsys, "logs", run.id, "sleeps") == "sleeps | falls asleep\n" * 2
    said(capsys, "clean", "--older-than", "0", "--yes")
    assert under(aws, f"journals/{run.id}") != []
    assert said(capsys, "stop", run.id) == f"{run.id}: its program has ended it (cancelled).\n"
    with pytest.raises(Cancelled, match="cloudburst runs stop"):
        run.result()
    check_nothing_runs(aws)
    assert "was over before (cancelled)" in said(capsys, "stop", run.id)
    assert shown(capsys, run.id, code=1)["state"] == "cancelled"


def test_output_is_followed_until_the_run_is_over(aws):
    call = [sys.executable, "-c", "import sys; from cloudburst.cli import main; sys.exit(main(sys.argv[1:]))", "runs"]
    run = cb.defer([sleeps(3), fit(load(7))]).submit(name="nightly")
    begun(aws, "sleeps", 1)
    store = store_of(aws)
    until(lambda: store.list("history/"), "the record")
    following = subprocess.Popen([*call, "logs", run.id, "--follow"], stdout=-1, stderr=-1, text=True, env=os.environ)
    assert run.result() == [3, 7]
    out, err = following.communicate(timeout=180)
    printed = {line for line in out.splitlines() if not line.startswith("worker ")}
    assert printed == {"sleeps | falls asleep", "load | loading 7", "fit | fitting"}
    assert (err, following.returncode) == ("The run is over: done.\n", 0)


def test_ctrl_c_ends_the_following_and_not_the_run(aws):
    call = [sys.executable, "-c", "import sys; from cloudburst.cli import main; sys.exit(main(sys.argv[1:]))", "runs"]
    run = cb.defer(sleeps(300)).submit(name="nightly")
    begun(aws, "sleeps", 1)
    store = store_of(aws)
    until(lambda: b'"workers": ["' in b"".join(store.get(key) for key in store.list("history/")), "the record")
    following = subprocess.Popen([*call, "logs", run.id, "-f"], stdout=-1, stderr=-1, text=True, env=os.environ)
    while following.stdout.readline() != "sleeps | falls asleep\n":
        assert following.poll() is None
    following.send_signal(signal.SIGINT)
    _, err = following.communicate(timeout=180)
    assert following.returncode == 130
    assert f"The run goes on; `cloudburst runs stop {run.id}` would end it." in err
    assert "Traceback" not in err
    assert run.status == "running"
    run.cancel()


@pytest.mark.parametrize("aws", [{"launches": [NEVER_STARTS] * 2}], indirect=True)
def test_a_run_whose_program_was_killed_is_lost_and_swept(tmp_path, aws, capsys):
    program = started(aws, tmp_path, COMPUTES)
    run = program.stdout.readline().strip()
    until(lambda: len(aws.tasks()) == 2, "what was asked for")
    other = sleeps(300).submit(name="another of this user")
    begun(aws, "sleeps", 1)
    program.kill()
    program.communicate()
    lapsed(aws, 1)
    told = shown(capsys, run, code=1)
    assert (told["state"], told["done"], told["ended"]) == ("lost", 0, None)
    assert said(capsys, "stop", run) == f"{run}: its program was killed; 2 machines stopped. It is marked as ended.\n"
    until(lambda: all(task.is_stopped for task in aws.tasks()[:2]), "the end of both")
    assert [task.desired_status for task in aws.tasks()] == ["STOPPED", "STOPPED", "RUNNING"]
    assert "was over before (lost)" in said(capsys, "stop", run)
    assert shown(capsys, run, code=1)["ended"] is not None
    assert len({key.split("/")[3] for key in under(aws, "pools/")}) == 1
    other.cancel()
    until(lambda: other.status == "cancelled", "its end")
    check_nothing_runs(aws)


def test_cleaning_leaves_what_was_persisted_and_cached(aws, capsys):
    cached = load.options(cache=True)
    kept = load(50_000).persist()
    assert fit(cached(60_000)).compute() == 60_000
    with pytest.raises(ValueError, match="no: "):
        cb.compute([fails(load(30_000)), fit(cached(70_000))])
    out = said(capsys, "clean", "--older-than", "0", "--yes")
    assert "with kept values" in out
    assert "Removed" in out
    before = len(aws.tasks())
    assert fit(kept).compute() == 50_000
    assert cached(60_000).compute().shape == (60_000, 1)
    assert len(aws.tasks()) == before + 1


def test_a_run_that_is_taken_up_has_one_record(tmp_path, aws, capsys):
    program = started(aws, tmp_path, COMPUTES.replace("300", "6").replace("301", "7"), linger=1000)
    run = program.stdout.readline().strip()
    begun(aws, "sleeps", 2)
    until(lambda: shown(capsys, run)["workers"], "its workers")
    program.kill()
    program.communicate()
    assert cb.resume(run).result() == [6, 7]
    [told] = json.loads(said(capsys, "list", "--json"))
    assert (told["state"], told["done"], told["tasks"]) == ("done", 2, 2)


def test_machines_of_others_are_stopped_by_no_record(aws, capsys):
    """A forged record that names the pool of a run that lives, under a user whose lease nobody renews."""
    run = sleeps(300).submit(name="nightly")
    begun(aws, "sleeps", 1)
    store = store_of(aws)
    [key] = until(lambda: store.list("history/"), "the record")
    forged = json.loads(bytes(store.get(key))) | {"user": "u00000000", "run": "6a2-forged-01"}
    store.put("history/u00000000/8200000000-6a2-forged-01", [json.dumps(forged).encode()])
    assert shown(capsys, "6a2-forged", code=1)["state"] == "lost"
    assert "no machine was left to stop" in said(capsys, "stop", "6a2-forged")
    assert len(boto3.client("ecs").list_tasks(cluster=aws.settings["compute_cluster"])["taskArns"]) == 1
    assert run.status == "running"
    run.cancel()
