"""Programs as users write them, on the fake AWS: with ``cb.init_aws(...)`` and nothing else changed."""

from __future__ import annotations

import json
import os
import pickle
import runpy
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import boto3
import numpy as np
import pandas as pd
import pytest

import cloudburst as cb
from cloudburst.resources import Size
from cloudburst.testing import FakeAWS
from tests.aws.leftovers import check_nothing_runs, folder_of, keys, remove_kept
from tests.testing.fargate import until

pytestmark = pytest.mark.no_cover

EXAMPLE = Path(__file__).parents[2] / "examples" / "flights.py"

SEED = """
import cloudburst as cb, numpy as np, pandas as pd

cb.init_aws(
    storage_bucket={storage_bucket!r},
    compute_cluster={compute_cluster!r},
    compute_subnets={compute_subnets!r},
    compute_assign_public_ip=True,
    compute_image={compute_image!r},
    compute_execution_role={compute_execution_role!r},
    compute_task_role={compute_task_role!r},
)
num_observations = 1000                        # variables are there in the stages that use them

@cb.stage(cpu=1024, memory=2048)
def get_data_x() -> pd.DataFrame:
    return pd.DataFrame({{"x": np.random.rand(num_observations)}})

@cb.stage(cpu=1024, memory=2048)
def get_data_y() -> pd.DataFrame:
    return pd.DataFrame({{"y": np.random.randn(num_observations)}})

@cb.stage(cpu=2048, memory=4096)
def build_model(x, y):
    return np.polyfit(x["x"], y["y"], 1)

result = build_model(get_data_x(), get_data_y()).compute(name="super-complex-pipeline")
"""


@pytest.fixture(scope="module")
def aws() -> Iterator[FakeAWS]:
    """One for all tests that leave it as it was."""
    with FakeAWS(time_scale=0.1) as fake:
        yield fake


@pytest.fixture
def settings(aws: FakeAWS, request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """Settings with a folder of the test's own, with no machine and nothing in it but journals and histories."""
    own = aws.settings | {"storage_prefix": folder_of(request.node.name)}
    yield own
    cb.init_local()
    check_nothing_runs(aws)
    assert {name.split("/")[2] for name in keys(own)} <= {"history", "journals", "logs"}


def started(aws: FakeAWS, before: int) -> list[Any]:
    return aws.tasks()[before:]


@cb.stage(cpu=256, memory=512)
def square(x: Any) -> Any:
    return x * x


@cb.stage(cpu=256, memory=512)
def table(n: int) -> pd.DataFrame:
    rng = np.random.default_rng(n)
    return pd.DataFrame(
        {
            "n": range(n),
            "x": rng.normal(size=n),
            "s": pd.Categorical.from_codes(rng.integers(0, 3, n), ["a", "b", "c"]),
        },
        index=pd.date_range("2024", periods=n, freq="h"),
    )


@cb.stage(cpu=256, memory=512)
def by_kind(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.groupby("s", observed=True)["x"].agg(["mean", "sum"])


@cb.stage(cpu=256, memory=512)
def variables(*names: str) -> list[str | None]:
    return [os.environ.get(name) for name in names]


# ---------------------------------------------------------------- the first programs


def test_the_seed_program_runs_unchanged(aws: FakeAWS, settings: dict[str, Any], tmp_path: Path) -> None:
    before = len(aws.tasks())
    (tmp_path / "seed.py").write_text(SEED.format_map(settings))
    result = runpy.run_path(str(tmp_path / "seed.py"), run_name="__main__")["result"]
    assert isinstance(result, np.ndarray)
    assert result.shape == (2,)
    assert abs(result[0]) < 0.6  # y knows nothing of x
    sizes = Counter((task.size.cpu, task.size.memory) for task in started(aws, before))
    assert sizes == {(1024, 2048): 2, (2048, 4096): 1}


def test_what_comes_back_is_the_same_as_on_this_machine(aws: FakeAWS, settings: dict[str, Any]) -> None:
    def pipeline() -> dict[str, Any]:
        frame = table(500)
        return {"all": frame, "kinds": by_kind(frame), "top": frame.nlargest(3, "x"), "sum": frame["n"].sum() + 1}

    with cb.using(cb.init_local(workers=1)):
        [here] = cb.compute([pipeline()])
    with cb.using(cb.init_aws(**settings)):
        [there] = cb.compute([pipeline()])
    assert list(here) == list(there)
    for name in ("all", "kinds", "top"):
        pd.testing.assert_frame_equal(here[name], there[name], check_exact=True, check_freq=True)
    assert (here["sum"], type(here["sum"])) == (there["sum"], type(there["sum"]))


@pytest.mark.heavy
def test_flights_agree_with_plain_pandas(
    aws: FakeAWS,
    settings: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.argv", ["flights.py", "--out", str(tmp_path / "plot.png")])
    before = len(aws.tasks())
    cb.init_aws(**settings)
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    assert "Plain pandas gives exactly the same." in capsys.readouterr().out
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
    shapes = {(task.size.cpu, task.size.memory) for task in started(aws, before)}
    assert shapes >= {(512, 1024), (512, 2048), (1024, 2048), (2048, 4096)}


# ---------------------------------------------------------------- settings


def test_subnets_without_public_addresses_and_a_folder_of_ones_own(aws: FakeAWS, settings: dict[str, Any]) -> None:
    private = settings | {"compute_assign_public_ip": False}
    del private["compute_security_groups"], private["log_group"]
    with cb.using(cb.init_aws(**private, tags={"cost center": "data"}, max_workers=2)) as provider:
        before = len(aws.tasks())
        assert cb.compute([square(n) for n in range(6)]) == [0, 1, 4, 9, 16, 25]
        assert provider.store.list("pools/") != []
        assert len(keys(settings)) >= len(provider.store.list("pools/"))
    tasks = started(aws, before)
    assert 1 <= len(tasks) <= 2
    assert all({"key": "cost center", "value": "data"} in task.tags for task in tasks)
    assert {tag["key"] for tag in tasks[0].tags} >= {"cloudburst:pool", "cloudburst:shape"}


def test_objects_are_encrypted_with_the_key_that_is_named(aws: FakeAWS, settings: dict[str, Any]) -> None:
    alias = boto3.client("kms").create_key()["KeyMetadata"]["Arn"]
    client = boto3.client("s3")
    with cb.using(cb.init_aws(**settings, storage_kms_key=alias)):
        kept = table(20_000).persist()
        assert by_kind(kept).compute().shape == (3, 2)
        found = [client.head_object(Bucket=settings["storage_bucket"], Key=key) for key in keys(settings)]
        assert len(found) > 3
        assert {one.get("SSEKMSKeyId") for one in found} == {alias}
        assert {one["ServerSideEncryption"] for one in found} == {"aws:kms"}
    remove_kept(settings)


def test_without_lingering_every_task_has_a_machine_of_its_own(aws: FakeAWS, settings: dict[str, Any]) -> None:
    before = len(aws.tasks())
    with cb.using(cb.init_aws(**settings, linger=0)):
        assert square(square(square(2))).compute() == 256
    assert len(started(aws, before)) == 3


def test_spare_capacity_is_used_where_it_will_do(aws: FakeAWS, settings: dict[str, Any]) -> None:
    before = len(aws.tasks())
    with cb.using(cb.init_aws(**settings, spot=True)):
        result = square.options(spot=False)(square(3))
        assert str(result.explain()).count("0.25 vCPU, 512 MB, Spot") == 1
        assert result.compute() == 81
    assert [task.provider for task in started(aws, before)] == ["FARGATE_SPOT", ""]
    before = len(aws.tasks())
    with cb.using(cb.init_aws(**settings)):
        assert square.options(spot=True, ephemeral_storage="30 GB")(3).compute() == 9
    [task] = started(aws, before)
    assert task.size == Size(256, 512, 30, True)


def test_ops_alone_run_on_the_default_size(aws: FakeAWS, settings: dict[str, Any]) -> None:
    before = len(aws.tasks())
    with cb.using(cb.init_aws(**settings, default_cpu=512, default_memory="1 GB")):
        total = cb.defer(sum)([1, 2])
        assert "0.5 vCPU, 1 GB (by default)" in str(total.explain())
        assert total.compute() == 3
    assert [task.size[:2] for task in started(aws, before)] == [(512, 1024)]


# ---------------------------------------------------------------- what the code finds in its environment


def test_variables_and_secrets_reach_the_code_and_nobody_else(
    aws: FakeAWS, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = boto3.client("secretsmanager").create_secret(
        Name="api", SecretString=json.dumps({"token": "SECRET-OF-MANAGER"})
    )["ARN"]
    boto3.client("ssm").put_parameter(Name="/team/token", Value="SECRET-OF-SSM", Type="SecureString")
    parameter = boto3.client("ssm").get_parameter(Name="/team/token")["Parameter"]["ARN"]
    written: list[bytes] = []
    client, bucket = boto3.client("s3"), settings["storage_bucket"]
    stage = variables.options(
        environment={"CITY": "Bern-in-plain"}, secrets={"TOKEN": f"{secret}:token::", "OTHER": parameter}
    )
    before = len(aws.tasks())
    from cloudburst.runtime.stores.s3 import S3Store

    plain = S3Store.put

    def spy(self: Any, key: str, parts: Any, **how: Any) -> bool:
        written.append(b"".join(map(bytes, parts)))
        return plain(self, key, parts, **how)

    monkeypatch.setattr(S3Store, "put", spy)
    with cb.using(cb.init_aws(**settings)):
        run = cb.defer([stage("CITY", "TOKEN", "OTHER"), variables("CITY", "TOKEN")]).submit()
        assert run.result() == [["Bern-in-plain", "SECRET-OF-MANAGER", "SECRET-OF-SSM"], [None, None]]
        written += [client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys(settings)]
    assert b"SECRET-OF" not in b"".join(written)
    printed = "".join(aws.logs(task) for task in started(aws, before)) + "".join(run.logs().values()) + str(run.summary)
    assert "begins variables" in printed
    assert "SECRET-OF" not in printed
    assert "Bern-in-plain" not in printed
    shown = [task.overrides for task in started(aws, before)]
    assert "Bern" not in str(shown)


def test_a_secret_that_is_not_there_is_told_by_its_variable(aws: FakeAWS, settings: dict[str, Any]) -> None:
    missing = "arn:aws:secretsmanager:us-east-1:123456789012:secret:nobody-AbCdEf"
    with cb.using(cb.init_aws(**settings)), pytest.raises(cb.StageError) as caught:
        variables.options(secrets={"TOKEN": missing})("TOKEN").compute()
    said = str(caught.value)
    assert "stage variables (test_first_steps.py:" in said
    assert "could not begin" in said
    assert "TOKEN" in said
    assert "compute_task_role has secretsmanager:GetSecretValue" in said


# ---------------------------------------------------------------- values


def test_large_arguments_and_frames_pass_between_machines(aws: FakeAWS, settings: dict[str, Any]) -> None:
    large = np.random.default_rng(0).normal(size=(1 << 21) + (1 << 18))  # 18 MiB
    frame = pd.DataFrame({"x": large})

    @cb.stage(cpu=256, memory=512)
    def doubled(frame: pd.DataFrame) -> pd.DataFrame:
        return frame * 2

    @cb.stage(cpu=512, memory=1024)
    def total(frame: pd.DataFrame, array: np.ndarray) -> float:
        return float(frame["x"].sum() - array.sum())

    uploads = aws.calls["CreateMultipartUpload"]
    with cb.using(cb.init_aws(**settings)):
        assert total(doubled(frame), large).compute() == (frame * 2)["x"].sum() - large.sum()
    assert aws.calls["CreateMultipartUpload"] >= uploads + 2


def test_a_fan_over_a_list_that_is_known_only_in_the_run(aws: FakeAWS, settings: dict[str, Any]) -> None:
    @cb.stage(cpu=256, memory=512)
    def numbers(n: int) -> list[int]:
        return list(range(n))

    with cb.using(cb.init_aws(**settings, max_workers=3)):
        assert square.map(numbers(7)).compute() == [n * n for n in range(7)]
        assert square.map(numbers(0)).compute() == []
        assert cb.defer(sum)(square.map(numbers(4))).compute() == 14


def test_odd_results_come_back_or_say_why_not(aws: FakeAWS, settings: dict[str, Any]) -> None:
    @cb.stage(cpu=256, memory=512)
    def give(what: str) -> Any:
        return {"none": None, "nan": float("nan"), "text": "ü" * 100_000, "lock": __import__("threading").Lock()}[what]

    with cb.using(cb.init_aws(**settings)):
        assert give("none").compute() is None
        assert np.isnan(give("nan").compute())
        assert give("text").compute() == "ü" * 100_000
        with pytest.raises(cb.StageError, match=r"stage give .*returned what cannot be taken.*lock"):
            give("lock").compute()


class OutOfStock(Exception):
    """As users make them."""

    def __init__(self, article: str, left: int) -> None:
        super().__init__(f"{left} {article} left")
        self.article, self.left = article, left


def test_the_users_own_exception_is_raised_with_its_log(aws: FakeAWS, settings: dict[str, Any]) -> None:
    @cb.stage(cpu=256, memory=512)
    def order(article: str) -> None:
        print(f"looking for {article}")
        raise OutOfStock(article, 3)

    with cb.using(cb.init_aws(**settings)):
        run = order("chairs").submit()
        with pytest.raises(OutOfStock) as caught:
            run.result()
    assert (caught.value.article, caught.value.left) == ("chairs", 3)
    cause = caught.value.__cause__
    assert isinstance(cause, cb.StageError)
    assert cause.stage == "order"
    assert cause.log_tail == "looking for chairs\n"
    assert "raise OutOfStock" in cause.remote_traceback
    assert run.status == "failed"
    [log] = run.logs().values()
    assert log == "looking for chairs\n"
    remove_kept(settings)


# ---------------------------------------------------------------- from one run to the next


def test_runs_of_a_block_share_their_machines(aws: FakeAWS, settings: dict[str, Any]) -> None:
    before = len(aws.tasks())
    with cb.using(cb.init_aws(**settings)):
        for n in range(3):
            assert square(n + 10).compute() == (n + 10) ** 2
        assert len(started(aws, before)) == 1
        assert len(aws.running()) == 1
    until(lambda: not aws.running(), "the end of the machine")


def test_machines_are_kept_warm_without_a_block(aws: FakeAWS, settings: dict[str, Any]) -> None:
    before = len(aws.tasks())
    provider = cb.init_aws(**settings, keep_warm=1200)
    assert [square(n + 20).compute() for n in range(2)] == [400, 441]
    assert len(started(aws, before)) == 1
    assert len(aws.running()) == 1
    provider.close()


def test_machines_that_ended_meanwhile_are_not_missed(aws: FakeAWS, settings: dict[str, Any]) -> None:
    before = len(aws.tasks())
    with cb.using(cb.init_aws(**settings)):
        assert square(30).compute() == 900
        until(lambda: not aws.running(), "the end of the machine's first minute")
        assert square(31).compute() == 961
    assert len(started(aws, before)) > 1


def test_what_is_kept_serves_another_program_of_the_same_user(
    aws: FakeAWS, settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        dedent("""
        import json, pickle, sys
        import cloudburst as cb

        class Point:  # no data: it goes as a pickle, which only a receipt makes good
            def __init__(self, x):
                self.x = x

        @cb.stage(cpu=256, memory=512, cache=True)
        def slow(x):
            print("slow was here")
            return Point(x)

        @cb.stage(cpu=256, memory=512)
        def read(point):
            return point.x + 1

        cb.init_aws(**json.loads(sys.argv[1]))
        run = read(slow(4)).submit()
        print(run.result(), "slow" in "".join(run.logs()))
        """)
    )

    def output() -> list[str]:
        done = subprocess.run(
            [sys.executable, program, json.dumps(settings)], capture_output=True, text=True, timeout=240, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    assert output() == ["5 True"]
    assert len([key for key in keys(settings) if "/kept/" in key]) == 1
    assert output() == ["5 False"]
    monkeypatch.setenv("CLOUDBURST_CONFIG_DIR", str(tmp_path / "somebody-else"))
    assert output() == ["5 True"]
    assert len([key for key in keys(settings) if "/kept/" in key]) == 2
    remove_kept(settings)


def test_what_is_persisted_is_read_by_another_process(aws: FakeAWS, settings: dict[str, Any]) -> None:
    with cb.using(cb.init_aws(**settings)):
        kept = table(3000).persist()
        before = len(aws.tasks())
        code = (
            "import json, pickle, sys, cloudburst as cb; cb.init_aws(**json.loads(sys.argv[1]))\n"
            "print(pickle.load(sys.stdin.buffer)['n'].sum().compute())"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, json.dumps(settings)], input=pickle.dumps(kept), capture_output=True,
            timeout=240, check=False,
        )  # fmt: skip
        assert done.stdout.decode().strip() == str(sum(range(3000))), done.stderr.decode()
        assert "begins table" not in "".join(aws.logs(task) for task in started(aws, before))
    remove_kept(settings)
