"""The worker's image: what is in it, what is not, and how it behaves as a program."""

from __future__ import annotations

import json
import re
import secrets
import zipfile

import pytest

import cloudburst
from cloudburst.runtime.backends.docker import image_labels
from cloudburst.runtime.backends.engine import EngineRefused
from tests.docker.images import PYTHON_VERSION, ROOT, engine, image_of, worker_image

MIB = 1 << 20
LOCKS = ("docker/requirements.txt", "docker/build.txt")


def described(image):
    return json.loads(engine().ask("image", "inspect", image, about="describe the image"))[0]


def printed(code, *options, image=None):
    """What a program prints in a container of the worker's image."""
    command = ("run", "--rm", *options, "--entrypoint", "python", image or worker_image(), "-c", code)
    return engine().ask(*command, about="run a program", with_errors=True).strip()


# ---------------------------------------------------------------- what it is made of


def pins(lock):
    return dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / lock).read_text(), re.MULTILINE))


@pytest.mark.parametrize("lock", LOCKS)
def test_the_image_holds_the_versions_that_are_tested(lock):
    tested = re.findall(r"^([\w.-]+==\S+)", (ROOT / "requirements/test.txt").read_text(), re.MULTILINE)
    assert [f"{name}=={version}" for name, version in pins(lock).items() if f"{name}=={version}" not in tested] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_what_the_image_is_made_of_is_pinned_by_hash(lock):
    packages = re.split(r"\n(?=\S)", (ROOT / lock).read_text().strip())
    assert len(packages) > 5
    assert [package for package in packages if "==" not in package or "--hash=sha256:" not in package] == []


def test_the_dockerfile_names_this_version():
    dockerfile = (ROOT / "docker/Dockerfile").read_text()
    assert re.findall(r"^ARG CLOUDBURST_VERSION=(.*)", dockerfile, re.MULTILINE) == [cloudburst.__version__]


@pytest.mark.container
def test_the_image_is_small():
    assert described(worker_image())["Size"] < 450 * MIB


@pytest.mark.container
def test_the_labels_say_what_the_image_holds():
    labels = image_labels(worker_image())
    assert labels["org.cloudburst.python"] == PYTHON_VERSION
    assert labels["org.cloudburst.version"] == cloudburst.__version__


@pytest.mark.container
def test_the_image_has_no_compiler_and_nobody_in_it_is_root():
    code = (
        "import os, shutil; "
        "print(os.getuid(), [name for name in ('cc', 'gcc', 'g++', 'clang', 'ld', 'as', 'make') if shutil.which(name)])"
    )
    assert printed(code) == "1000 []"


@pytest.mark.container
def test_what_stages_and_workers_import_is_there_and_was_compiled():
    modules = "boto3, cloudpickle, pandas, pyarrow.dataset, pyarrow.fs, pyarrow.orc, cloudburst.runtime.performer"
    code = f"import sys, {modules}; print(sorted(m.__cached__ for m in sys.modules.values() if is_source(m)))"
    is_source = "import os\ndef is_source(m): return (c := getattr(m, '__cached__', None)) and not os.path.exists(c)"
    assert printed(f"{is_source}\n{code}") == "[]"


@pytest.mark.container
def test_a_frame_goes_to_parquet_and_back():
    code = (
        "import pandas as pd; "
        "frame = pd.DataFrame({'x': [1, 2], 's': ['a', None], 't': pd.Timestamp('2024-01-01', tz='Europe/Berlin')}); "
        "frame.to_parquet('frame.parquet'); "
        "pd.testing.assert_frame_equal(pd.read_parquet('frame.parquet'), frame); print('equal')"
    )
    assert printed(code) == "equal"


# ---------------------------------------------------------------- how it behaves


@pytest.mark.container
def test_what_is_given_as_command_reaches_the_worker_as_arguments():
    config = described(worker_image())["Config"]
    assert config["Entrypoint"] == ["python", "-m", "cloudburst.runtime.supervisor"]
    assert not config.get("Cmd")


@pytest.mark.container
def test_without_a_pool_the_worker_says_what_it_is_for():
    with pytest.raises(EngineRefused, match=r"started with CLOUDBURST_POOL in its environment.*cb\.init_docker"):
        engine().ask("run", "--rm", worker_image(), about="run a worker", with_errors=True)


@pytest.mark.container
def test_sigterm_ends_a_container_with_143():
    name = f"cloudburst-test-{secrets.token_hex(4)}"
    sleeps = ("--entrypoint", "python", worker_image(), "-c", "import time; time.sleep(600)")
    engine().ask("run", "--detach", "--init", "--name", name, *sleeps, about="start a program")
    try:
        engine().ask("stop", "-t", "60", name, about="stop it")
        state = engine().ask("inspect", "--format", "{{json .State}}", name, about="read its end")
        assert json.loads(state)["ExitCode"] == 143
    finally:
        engine().remove([name])


@pytest.mark.container
def test_whoever_a_container_runs_as_can_write_where_it_starts_and_at_home():
    code = (
        "import os, pathlib; home = pathlib.Path.home(); "
        "pathlib.Path('here').touch(); (home / 'there').touch(); print(os.getuid(), home == pathlib.Path.cwd())"
    )
    assert printed(code, "--user", "4321:4321") == "4321 True"


@pytest.mark.container
def test_what_pip_installs_in_an_image_from_it_is_found_whoever_runs_it(tmp_path):
    with zipfile.ZipFile(tmp_path / "extra-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("extra.py", "ANSWER = 42\n")
        wheel.writestr("extra-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: extra\nVersion: 1.0\n")
        wheel.writestr("extra-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("extra-1.0.dist-info/RECORD", "extra.py,,\nextra-1.0.dist-info/RECORD,,\n")
    (tmp_path / "Dockerfile").write_text(
        f"FROM {worker_image()}\nCOPY *.whl /tmp/\nRUN pip install --no-index /tmp/*.whl\n"
    )
    tag = f"cloudburst-test-extended:{secrets.token_hex(4)}"
    engine().ask("build", "--tag", tag, str(tmp_path), about="extend the image")
    try:
        code = "import extra, os; print(os.getuid(), extra.ANSWER)"
        assert printed(code, image=tag) == "1000 42"
        assert printed(code, "--user", "4321:4321", "--env", "HOME=/tmp", image=tag) == "4321 42"
    finally:
        engine().ask("image", "rm", tag, about="remove the image")


@pytest.mark.container
def test_the_image_cannot_be_built_under_another_version():
    build = (
        "build",
        "--force-rm",
        "--file",
        str(ROOT / "docker/Dockerfile"),
        "--build-arg",
        f"PYTHON_VERSION={PYTHON_VERSION}",
    )
    worker_image()  # so that the layers up to that are there
    with pytest.raises(EngineRefused, match="CLOUDBURST_VERSION=" + re.escape(cloudburst.__version__)):
        engine().ask(
            *(*build, "--build-arg", "CLOUDBURST_VERSION=9.9.9", str(ROOT)),
            about="build",
            limit_s=600.0,
            with_errors=True,
        )


@pytest.mark.container
def test_an_image_is_made_of_a_dockerfile_once():
    assert image_of("FROM {worker}\nLABEL one=1\n") == image_of("FROM {worker}\nLABEL one=1\n")
