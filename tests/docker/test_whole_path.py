"""From an empty account to an empty account, by the commands that a user types."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import moto.backends
import pytest

from cloudburst.testing import FakeAWS
from cloudburst.testing.account import ID
from cloudburst.testing.furnishing import CALLER
from tests.aws.accounts import inventory
from tests.docker.images import ROOT, engine
from tests.docker.projects import apt_of, mixed_project
from tests.docker.registries import registry_as_ecr
from tests.image.projects import package
from tests.testing.fargate import until

pytestmark = [
    pytest.mark.container,
    pytest.mark.heavy,
    pytest.mark.timeout(900),
    pytest.mark.usefixtures("unmeasured_programs"),
]

MB = 1_000_000
CLOUDBURST = Path(sys.executable).with_name("cloudburst")
CHECKS = (
    "settings", "credentials", "region", "bucket", "cluster", "image", "roles", "permissions", "network", "log group",
    "quota", "engine",
)  # fmt: skip


class User:
    """Somebody at a terminal in the directory of their project, with an AWS account that is empty."""

    def __init__(self, directory: Path, aws: FakeAWS, config: Path) -> None:
        self.directory = directory
        self.aws = aws
        self.profiles = config / "config.toml"
        self.environment = {
            **os.environ,
            "CLOUDBURST_CONFIG_DIR": str(config),
            "PYTHONPATH": os.pathsep.join([str(directory / "src"), str(ROOT)]),
        }
        self.took: dict[str, float] = {}
        self.images: list[str] = []

    def types(self, *command: str, step: str = "") -> str:
        """Run a command; what it prints."""
        program = {"cloudburst": str(CLOUDBURST), "python": sys.executable}[command[0]]
        begun = time.monotonic()
        done = subprocess.run(
            [program, *command[1:]],
            cwd=self.directory, env=self.environment, capture_output=True, text=True, timeout=800, check=False,
        )  # fmt: skip
        self.took[step or " ".join(command[:3])] = time.monotonic() - begun
        assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def told(self, *command: str, step: str = "") -> Any:
        """What a command tells programs."""
        return json.loads(self.types(*command, "--json", step=step))


@contextmanager
def user_in(directory: Path, tmp_path: Path, *, iam: bool = False) -> Iterator[User]:
    with FakeAWS("container", registry=registry_as_ecr(), furnished=False, time_scale=0.2, iam=iam) as aws:
        user = User(directory, aws, tmp_path / "config")
        yield user
    for name in user.images:
        engine().ask("image", "rm", name, about="remove an image")
    for step, seconds in user.took.items():
        print(f"{seconds:7.2f} s  {step}")


def set_up(user: User) -> None:
    """Twice: the second time there is nothing to do."""
    assert inventory() == {}
    made = user.told("cloudburst", "setup", "--yes")
    assert made["profile"] == "default"
    there = inventory()
    assert there.keys() >= {"buckets", "clusters", "repositories", "log groups", "roles", "policies", "stacks"}
    user.types("cloudburst", "setup", "--yes", step="setup, nothing to change")
    assert inventory() == there


@contextmanager
def least_permissions() -> Iterator[None]:
    """Meanwhile the user has the policies that setting up has made, and no other."""
    iam = boto3.client("iam")
    made = [one["Arn"] for one in iam.list_policies(Scope="Local")["Policies"]]
    everything = iam.get_user_policy(UserName=CALLER, PolicyName="allowed")["PolicyDocument"]
    assert {arn.rpartition("-")[2] for arn in made} == {"caller", "pusher"}
    for arn in made:
        iam.attach_user_policy(UserName=CALLER, PolicyArn=arn)
    iam.delete_user_policy(UserName=CALLER, PolicyName="allowed")
    yield
    # Who has so little may not take more: the account's administrator gives it back.
    moto.backends.get_backend("iam")[ID]["aws"].put_user_policy(CALLER, "allowed", json.dumps(everything))


def image(user: User, module: Path) -> str:
    """Made and pushed; then nothing; and after an edit the last layer alone. Its name."""
    source = module.read_text()
    module.write_text(f"{source}\nMADE = {time.time()}\n")  # what earlier tests have pushed is another
    first = user.told("cloudburst", "image")
    assert (first["was_built"], first["was_pushed"]) == (True, True)
    again = user.told("cloudburst", "image", step="image, nothing changed")
    assert again == {**first, "was_built": False, "was_pushed": False}
    module.write_text(f"{source}\nEDITED = {time.time()}\n")
    edited = user.told("cloudburst", "image", step="image, code edited")
    assert (edited["was_built"], edited["was_pushed"]) == (True, True)
    before, after = layers(first["name"]), layers(edited["name"])
    assert before[:-1] == after[:-1]
    assert before[-1] != after[-1]
    user.images += [first["name"], edited["name"]]
    return str(edited["name"])


def layers(name: str) -> list[str]:
    said = engine().ask("image", "inspect", "--format", "{{json .RootFS.Layers}}", name, about="look at it")
    return list(json.loads(said))


def is_well(user: User) -> None:
    """The doctor finds all well, with a task that is run."""
    found = user.told("cloudburst", "doctor", "--run")
    assert {one["check"]: one["mark"] for one in found["checks"]} == dict.fromkeys((*CHECKS, "run"), "well")


def look_back(user: User, image: str, run: str) -> None:
    """The run is shown, and what it left is removed."""
    shown = user.told("cloudburst", "runs", "show", "last")
    assert (shown["name"], shown["state"]) == (run, "done")
    assert "at list price" in shown["cost"]
    assert {task.image for task in user.aws.tasks()} == {image}
    until(lambda: user.aws.running() == [], "the end of the last machine")
    user.types("cloudburst", "runs", "clean", "--older-than", "0d", "--yes")


def leave(user: User) -> None:
    """The account is as it was."""
    [bucket] = boto3.client("s3").list_buckets()["Buckets"]
    left = boto3.client("s3").list_objects_v2(Bucket=bucket["Name"]).get("Contents", [])
    assert {one["Key"].split("/")[1] for one in left} <= {"history", "logs", "sources"}  # what tells of runs stays
    user.types("cloudburst", "setup", "--remove", "--yes")
    assert inventory() == {}
    assert "[profiles.default]" not in user.profiles.read_text()


def test_the_flights_go_from_an_empty_account_to_an_empty_account(base, tmp_path):
    directory = package(tmp_path / "meine Flüge", "flights", (ROOT / "examples/flights.py").read_text())
    (directory / "requirements.txt").write_text((ROOT / "requirements/demo.txt").read_text())
    with user_in(directory, tmp_path) as user:
        set_up(user)
        name = image(user, directory / "src/flights/__init__.py")
        is_well(user)
        said = user.types("python", "-c", "import cloudburst as cb; cb.init_aws(); import flights; flights.main()")
        assert "Plain pandas gives exactly the same." in said
        look_back(user, name, "flights")
        leave(user)
        size = int(engine().ask("image", "inspect", "--format", "{{.Size}}", name, about="measure it"))
        print(f"{size / MB:6.1f} MB  image")
        assert size <= 450 * MB


def test_packages_from_everywhere_go_the_same_way_with_the_least_permissions(base, tmp_path):
    apt = apt_of(base)
    more = f"""
        [tool.cloudburst.image]
        apt = {json.dumps(apt)}
        run = ["echo done > /etc/done"]
    """
    directory = mixed_project(tmp_path, more)
    program = """
import cloudburst as cb

libraries = LIBRARIES

@cb.stage(cpu=256, memory=512)
def answer(x):
    import addressed, ctypes, mine, neighbour, private
    for library in libraries:
        ctypes.CDLL(library)
    return [mine.EDITED > 0, neighbour.NAME, private.ANSWER + x, addressed.VERSION, open("/etc/done").read()]

cb.init_aws()
print(answer(0).compute("mixed"))
"""
    program = program.replace("LIBRARIES", repr(["libgomp.so.1"] if apt else []))
    (directory / "run.py").write_text(program)
    with user_in(directory, tmp_path, iam=True) as user:
        set_up(user)
        with least_permissions():
            name = image(user, directory / "src/mine/__init__.py")
            is_well(user)
            assert user.types("python", "run.py") == "[True, 'neighbour', 42, '1.0', 'done\\n']\n"
            look_back(user, name, "mixed")
        leave(user)
