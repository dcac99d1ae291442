"""``cloudburst runs``, over records that were put into a bucket by hand."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import textwrap

import pytest

from cloudburst.cli import main, runs
from cloudburst.errors import UsageError
from cloudburst.history.record import MachineRecord, SizeRecord
from cloudburst.runtime import layout
from cloudburst.runtime.backends.fargate import remains as fargate_remains
from cloudburst.runtime.stores.s3 import S3Store
from cloudburst.settings.user import known_user, user_secret
from cloudburst.testing import FakeAWS
from tests.history.told import BEGUN_S, OTHER, USER, put, renew, stage, told

ESCAPE = "\x1b[2J\x1b]0;title\x07"


@pytest.fixture(scope="module")
def aws():
    with FakeAWS(time_scale=0.05) as aws:
        yield aws


@pytest.fixture(autouse=True)
def config(tmp_path, monkeypatch):
    monkeypatch.setenv("CLOUDBURST_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("TZ", "UTC")


@pytest.fixture
def store(aws, request, monkeypatch):
    """A folder of one's own, in which the commands look."""
    folder = "".join(one if one.isalnum() else "-" for one in request.node.name)
    monkeypatch.setenv("CLOUDBURST_STORAGE_BUCKET", aws.settings["storage_bucket"])
    monkeypatch.setenv("CLOUDBURST_STORAGE_PREFIX", folder)
    return S3Store(aws.settings["storage_bucket"], folder, region=aws.settings["region"])


def printed(capsys, *argv, code=0):
    assert main(["runs", *argv]) == code
    out, err = capsys.readouterr()
    assert err == ""
    return out


def refusal(capsys, *argv):
    assert main(["runs", *argv]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("cloudburst: ")
    assert err.count("\n") == 1
    return err


# ---------------------------------------------------------------- the group


def test_it_says_what_there_is_in_the_order_in_which_it_is_used(capsys):
    out = printed(capsys)
    listed = out.partition("Commands:\n")[2].partition("\n\n")[0]
    assert [line.split()[0] for line in listed.splitlines()] == ["list", "show", "open", "logs", "stop", "clean"]


@pytest.mark.parametrize("name", ["list", "show", "open", "logs", "stop", "clean"])
def test_each_command_has_examples(capsys, name):
    assert f"cloudburst runs {name}" in printed(capsys, name, "--help").partition("Examples:")[2]


@pytest.mark.parametrize("argv", [["lst"], ["show"], ["list", "--limit", "0"], ["list", "--limit", "x"], ["logs"]])
def test_wrong_arguments_are_one_sentence(capsys, argv):
    assert "--help" in refusal(capsys, *argv)


def test_a_command_that_is_nearly_spelled_is_named(capsys):
    assert "did you mean list?" in refusal(capsys, "lst")


# ---------------------------------------------------------------- where


def test_without_a_bucket_it_says_how_to_name_one(capsys, monkeypatch):
    monkeypatch.delenv("CLOUDBURST_STORAGE_BUCKET", raising=False)
    assert "--storage s3://bucket/prefix" in refusal(capsys, "list")


@pytest.mark.parametrize("storage", ["https://x/y", "s3://", "s3://UPPER/x", "s3://data/a//b", "s3://data/x?y"])
def test_a_storage_that_cannot_be_is_named(capsys, storage):
    assert "cannot be" in refusal(capsys, "list", "--storage", storage, "--region", "us-east-1")


def test_a_bucket_that_is_not_there_is_named(capsys, aws):
    assert "not-there-at-all" in refusal(capsys, "list", "--storage", "s3://not-there-at-all/x")


def test_options_say_where(capsys, aws, store, monkeypatch):
    put(store, told())
    where = f"s3://{store.bucket}/{store.prefix}"
    monkeypatch.delenv("CLOUDBURST_STORAGE_BUCKET")
    url = aws.settings["endpoint_url"]
    out = printed(capsys, "show", "6a2", "--storage", where, "--region", "us-east-1", "--endpoint-url", url)
    assert out.startswith("daily: done in 1 min 15 s\n")


# ---------------------------------------------------------------- list


def test_ones_own_runs_are_listed_and_those_of_others_on_request(capsys, store):
    assert printed(capsys, "list") == f"No runs in s3://{store.bucket}/{store.prefix}.\n"
    put(store, told("001-theirs-01", user=OTHER))
    assert "another user has: --all-users" in printed(capsys, "list")
    assert known_user() is None  # to look makes no key
    user_secret()
    put(store, told("6a2-mine-02", user=known_user(), begun_s=BEGUN_S + 60, state="failed", more=True))
    [row] = printed(capsys, "list").splitlines()[1:]
    assert row.split()[:3] == ["6a2-mine-02", "mine", "failed"]
    assert row.endswith(" 1 min 15 s   2/2+")
    assert " 2023-11-14 " in row
    rows = [line.split() for line in printed(capsys, "list", "--all-users").splitlines()]
    assert [(row[0], row[1]) for row in rows] == [
        ("run", "user"), ("6a2-mine-02", known_user()), ("001-theirs-01", OTHER),
    ]  # fmt: skip


def test_a_list_has_a_limit(capsys, store):
    for n in range(25):
        put(store, told(f"6a2-a-{n:02}", begun_s=BEGUN_S + n))
    assert len(printed(capsys, "list", "--all-users").splitlines()) == 1 + 20
    assert len(json.loads(printed(capsys, "list", "--all-users", "--limit", "3", "--json"))) == 3


def test_a_list_as_json_has_all_that_there_is(capsys, store):
    put(store, told(machines=[MachineRecord(SizeRecord(1024, 2048, None, True, "ARM64"), [61.5])]))
    store.put(layout.history_key(USER, f"6a2-broken-{ESCAPE}01", BEGUN_S + 1), [b"{"])
    broken, whole = json.loads(printed(capsys, "list", "--all-users", "--json"))
    assert (broken["state"], broken["run"]) == (None, f"6a2-broken-{ESCAPE}01")
    assert "no record" in broken["trouble"]
    assert (whole["begun"], whole["ended"]) == ("2023-11-14T22:13:20.000Z", "2023-11-14T22:14:35.000Z")
    assert (whole["seconds"], whole["state"], whole["region"]) == (75.0, "done", "")
    assert whole["machines"][0]["size"] == {
        "cpu": 1024, "memory": 2048, "storage": None, "spot": True, "architecture": "ARM64",
    }  # fmt: skip
    assert whole["stages"][0]["bytes_out"] == 4096
    assert printed(capsys, "list", "--all-users", "--json").isascii()


def test_nothing_that_others_wrote_reaches_the_terminal_as_a_command(capsys, store):
    store.put(layout.history_key(USER, f"6a2-a{ESCAPE}-01", BEGUN_S), [b"{"])
    put(store, told("6a2-b-02", error=f"no{ESCAPE}", state="failed"))
    line = {"stage": f"fit{ESCAPE}", "task": "fit-0", "attempt": 1, "text": f"one{ESCAPE}\ttwo\r\nthree"}
    store.put(layout.printed_key(USER, "6a2-b-02", 1), [json.dumps(line).encode()])
    out = printed(capsys, "list", "--all-users")
    assert "unreadable" in out
    out += printed(capsys, "show", "6a2-b", code=1) + printed(capsys, "logs", "6a2-b")
    out += refusal(capsys, "show", "6a2-a") + refusal(capsys, "show", f"zzz{ESCAPE}") + refusal(capsys, "stop", "6a2-a")
    assert "\x1b" not in out
    assert "\x07" not in out
    assert "one\\x1b[2J\\x1b]0;title\\x07\ttwo\n" in out


def rendered(columns, *argv, **environment):
    """What a terminal of so many columns gets that wants no colours."""
    code = """
        import sys
        sys.stdout.isatty = lambda: True
        from cloudburst.cli import main
        sys.exit(main(sys.argv[1:]))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), "runs", *argv],
        env={**os.environ, "COLUMNS": str(columns), "NO_COLOR": "1", "TERM": "xterm", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", done.stdout)
    return re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)  # bold is no colour


def test_tables_fit_a_terminal_of_eighty_columns(store):
    long = "4d0-a_pipeline_with_quite_a_long_name_that_somebody_chose-1f3b5d7e"
    put(store, told(long, stages=[stage("a_stage_of_which_the_name_has_no_end_" * 2, tasks=1000, done=999)]))
    for argv in (("list", "--all-users"), ("show", "4d0")):
        lines = rendered(80, *argv).splitlines()
        assert all(len(line) <= 80 for line in lines), lines
        assert "…" in "".join(lines)
    wide = rendered(120, "show", "4d0")
    assert "4 KB" in wide
    assert "4 KB" not in rendered(80, "show", "4d0")


def test_what_is_piped_has_no_colours_and_is_cut_off_nowhere(capsys, store):
    long = "4d0-a_pipeline_with_quite_a_long_name_that_somebody_chose-1f3b5d7e"
    put(store, told(long))
    out = printed(capsys, "list", "--all-users")
    assert long in out
    assert "\x1b" not in out
    assert max(map(len, out.splitlines())) < 160


# ---------------------------------------------------------------- show


def test_a_run_is_shown_a_line_a_stage(capsys, store):
    put(store, told(stages=[stage(), stage("plot", tasks=1, done=1, size=SizeRecord(256, 512, 50, True, "ARM64"))]))
    head, *rows = printed(capsys, "show", "last").splitlines()
    assert head == "daily: done in 1 min 15 s"
    fit, plot = (" ".join(row.split()) for row in rows[-2:])
    assert fit == "fit done 2/2 1 vCPU, 2 GB 3.5 s 40.0 s 188 MB 10 bytes 4 KB 2"
    assert plot.startswith("plot done 1/1 0.25 vCPU, 512 MB, 50 GB disk, Spot, ARM")


@pytest.mark.parametrize(("state", "code"), [("done", 0), ("failed", 1), ("cancelled", 1), ("lost", 1)])
def test_the_exit_code_tells_how_a_run_ended(capsys, store, state, code):
    put(store, told(state=state, error="fit: ValueError: no", stages=[stage(error="ValueError: no")]))
    assert printed(capsys, "show", "6a2", code=code).count("ValueError: no") == 1
    assert json.loads(printed(capsys, "show", "6a2", "--json", code=code))["state"] == state


def test_a_run_that_goes_on_and_one_whose_program_was_killed(capsys, store):
    put(store, told(state="running"))
    assert "its program is no more" in printed(capsys, "show", "6a2", code=1)
    renew(store)
    assert "daily: running for" in printed(capsys, "show", "6a2")


# ---------------------------------------------------------------- open


@pytest.fixture
def browser(tmp_path):
    """A browser that notes what it was to show."""
    program = tmp_path / "browser"
    program.write_text(f'#!/bin/sh\necho "$1" >> {shlex.quote(str(tmp_path / "shown"))}\n')
    program.chmod(0o700)
    return program


def test_a_page_is_written_and_opened(store, browser, tmp_path):
    put(store, told("6a2-old-01", begun_s=BEGUN_S - 100))
    put(store, told(stages=[stage("<script>fit")]))
    out = rendered(200, "open", "last", BROWSER=f"{browser} %s", TMPDIR=str(tmp_path))
    [shown] = (tmp_path / "shown").read_text().splitlines()
    [path] = tmp_path.glob("cloudburst-6a2-daily-1f3b5d7e-*.html")
    assert out == f"The report is in {path}.\n"
    assert shown == path.as_uri()
    assert path.stat().st_mode & 0o077 == 0
    page = path.read_text(encoding="utf-8")
    assert "<h1>daily " in page
    assert "&lt;script&gt;fit" in page


@pytest.mark.parametrize("found", ["none", "one that fails"])
def test_without_a_browser_it_says_where_the_page_is(store, tmp_path, found):
    put(store, told())
    given = {"DISPLAY": "", "WAYLAND_DISPLAY": "", "BROWSER": "" if found == "none" else "/bin/false %s"}
    if found != "none":
        given["PATH"] = str(tmp_path)  # no other browser
    out = rendered(200, "open", "6a2", TMPDIR=str(tmp_path), **given)
    [path] = tmp_path.glob("cloudburst-*.html")
    assert out == f"No browser can be opened here. The report is in {path}.\n"


def test_a_page_is_written_to_a_file_and_nothing_is_opened(capsys, store, browser, tmp_path, monkeypatch):
    monkeypatch.setenv("BROWSER", f"{browser} %s")
    put(store, told(state="failed", machines=[MachineRecord(SizeRecord(1024, 2048), [75.0])], region="us-east-1"))
    path = tmp_path / "report.html"
    assert printed(capsys, "open", "6a2", "--out", str(path)) == f"The report is in {path}.\n"
    page = path.read_text(encoding="utf-8")
    assert "failed after 1 min 15 s" in page
    assert "at list price" in page
    assert not (tmp_path / "shown").exists()
    assert "cannot be written" in refusal(capsys, "open", "6a2", "--out", str(tmp_path / "missing" / "report.html"))
    assert "There is no run" in refusal(capsys, "open", "nobody", "--out", str(path))


def test_a_run_that_is_not_there_is_told_the_nearest(capsys, store):
    put(store, told())
    assert "Did you mean 6a2-daily-1f3b5d7e?" in refusal(capsys, "show", "daly")
    assert "2 runs begin with '6'" in (put(store, told("6b1-x-01")) and refusal(capsys, "logs", "6"))


# ---------------------------------------------------------------- logs


def test_logs_name_the_stage_and_the_item(capsys, store):
    put(store, told(stages=[stage("fit"), stage("load")]))
    entries = [
        {"stage": "load", "task": "load-ab-0", "attempt": 1, "text": "one\ntwo\n"},
        {"stage": "fit", "task": "fit-cd-1[7]", "attempt": 1, "text": "three"},
        {"stage": "fit", "task": "fit-cd-1[7]", "attempt": 1, "text": "three again, by a program that took it up"},
        {"stage": "fit", "task": 7, "attempt": 1, "text": "forged"},
    ]
    store.put(layout.printed_key(USER, "6a2-daily-1f3b5d7e", 1), ["\n".join(map(json.dumps, entries[:1])).encode()])
    store.put(
        layout.printed_key(USER, "6a2-daily-1f3b5d7e", 2), ["\n".join([*map(json.dumps, entries[1:]), "{"]).encode()]
    )
    assert printed(capsys, "logs", "6a2") == "load | one\nload | two\nfit[7] | three\n"
    assert printed(capsys, "logs", "6a2", "fit") == "fit[7] | three\n"
    assert "no stage 'fti': there are fit, load" in refusal(capsys, "logs", "6a2", "fti")


def test_following_a_run_that_is_over_ends_with_what_became_of_it(capsys, store):
    put(store, told(state="failed"))
    assert main(["runs", "logs", "6a2", "--follow"]) == 1
    assert capsys.readouterr().err == "The run is over: failed.\n"


# ---------------------------------------------------------------- stop and clean


@pytest.mark.parametrize("state", ["done", "failed", "cancelled"])
def test_what_is_over_is_not_stopped(capsys, store, state):
    put(store, told(state=state))
    assert f"was over before ({state})" in printed(capsys, "stop", "6a2")


def leave(store):
    put(store, told(state="failed", cluster="cloudburst-fake"))
    for n in range(3):
        store.put(f"runs/6a2-daily-1f3b5d7e/a/fit-{n}/0", [b"x" * 1000])


def test_cleaning_asks_first(capsys, store, monkeypatch):
    leave(store)
    assert "Nothing to remove that is older than 7d." in printed(capsys, "clean")
    assert "Would remove 3 objects (2.93 KB) of 1 run" in printed(capsys, "clean", "--older-than", "0", "--dry-run")
    answers = iter(["n", "y"])
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda prompt: next(answers))
    assert "Nothing was removed." in printed(capsys, "clean", "--older-than", "0")
    assert len(store.list("runs/")) == 3
    assert "Removed 3 objects (2.93 KB) of 1 run" in printed(capsys, "clean", "--older-than", "0")
    assert store.list("runs/") == []
    assert "Nothing to remove" in printed(capsys, "clean", "--older-than", "0")


def test_cleaning_with_nobody_to_ask_does_nothing(capsys, store, monkeypatch):
    leave(store)

    def nobody(prompt):
        raise EOFError

    monkeypatch.setattr("click.termui.visible_prompt_func", nobody)
    assert main(["runs", "clean", "--older-than", "0"]) == 130
    assert len(store.list("runs/")) == 3
    capsys.readouterr()
    assert "Removed 3 objects" in printed(capsys, "clean", "--older-than", "0", "--yes")


def test_what_may_go_on_is_told(capsys, store):
    store.put("runs/6a2-unknown-01/a/0", [b"x"])
    out = printed(capsys, "clean", "--older-than", "0", "--yes")
    assert "Left as they are: 1 run that may go on." in out
    assert store.list("runs/") != []


@pytest.mark.parametrize("age", ["", "7 fortnights", "-1d", "d", "1e3d"])
@pytest.mark.parametrize("option", ["--older-than", "--kept"])
def test_an_age_that_cannot_be_is_named(capsys, store, age, option):
    told = refusal(capsys, "clean", option, age)
    assert option in told
    assert "such as 7d" in told


def test_ages_are_read():
    ages = ("90s", "2m", "1.5h", "7", "7d", "1 w")
    assert [runs._seconds(age, "--kept") for age in ages] == [90, 120, 5400, 604800, 604800, 604800]
    with pytest.raises(UsageError, match="--kept 'soon' cannot be"):
        runs._seconds("soon", "--kept")


def test_credentials_that_may_not_list_task_definitions_clean_the_rest(capsys, store, monkeypatch):
    from cloudburst.errors import AccessDenied

    def denied(self, *_):
        raise AccessDenied("not you")

    monkeypatch.setattr(fargate_remains.Definitions, "unused", denied)
    leave(store)
    assert main(["runs", "clean", "--older-than", "0", "--yes"]) == 0
    out, err = capsys.readouterr()
    assert "Removed 3 objects" in out
    assert err == "Task definitions are left as they are: not you\n"
