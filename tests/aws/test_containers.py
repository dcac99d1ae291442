"""Whole runs in real containers of the worker's image: as Fargate's, and as those of ``cb.init_docker``.

What only a kernel does is shown here: one process of a container is killed for its memory, and the rest lives on.
"""

from __future__ import annotations

import os
import time

import numpy as np
import pandas as pd
import pytest

import cloudburst as cb
from cloudburst.errors import OutOfMemory, WorkerLost
from cloudburst.resources import Size
from cloudburst.runtime.backends.docker import DRIVER_LABEL
from tests.aws.runs import on_aws, ran
from tests.docker.images import engine, worker_image

pytestmark = [pytest.mark.container, pytest.mark.no_cover, pytest.mark.timeout(600)]

num_observations = 1000


@cb.stage(cpu=1024, memory=2048)
def get_data_x() -> pd.DataFrame:
    return pd.DataFrame({"x": np.arange(num_observations) / 10})


@cb.stage(cpu=1024, memory=2048)
def get_data_y() -> pd.DataFrame:
    return pd.DataFrame({"y": 3 * np.arange(num_observations) / 10 + 1})


@cb.stage(cpu=2048, memory=4096)
def build_model(x, y):
    return np.polyfit(x["x"], y["y"], 1)


@cb.stage(cpu=256, memory=512)
def hungry(mib):
    print("eating", mib)
    kept = bytearray(mib << 20)
    kept[:: 1 << 12] = bytes(len(kept) >> 12)
    return len(kept) >> 20


@cb.stage(cpu=256, memory=512)
def where():
    return os.uname().nodename, os.getuid()


@cb.stage(cpu=256, memory=512)
def crashes():
    print("before the crash")
    os.kill(os.getpid(), 11)
    time.sleep(60)


@pytest.fixture
def in_docker():
    with cb.using(cb.init_docker(image=worker_image())) as provider:
        yield provider
    cb.init_local()


def of_this_process():
    """Containers of workers that this process has started and that are there, running or not."""
    said = engine().containers(f"label={DRIVER_LABEL}", format_=f'{{{{.Label "{DRIVER_LABEL}"}}}}\t{{{{.Names}}}}')
    return [name for driver, name in said if str(os.getpid()) in driver.split(":")]


def check_model(fitted):
    assert np.allclose(fitted, [3, 1])


def test_the_seed_program_runs_in_containers_of_its_shapes_on_fargate():
    with on_aws(time_scale=0.2, fake={"mode": "container", "image": worker_image()}) as aws:
        one = ran(aws, build_model(get_data_x(), get_data_y()), name="super-complex-pipeline")
        assert one.error is None
        check_model(one.value)
        assert sorted(task.size[:2] for task in one.tasks) in (
            [(1024, 2048), (1024, 2048), (2048, 4096)],
            [(1024, 2048), (2048, 4096)],
        )
        assert one.listed == []


def test_the_kernel_kills_what_is_too_large_and_its_supervisor_records_it():
    # However long the larger machine takes to start, the smaller one waits until it is stopped.
    with on_aws(time_scale=0.2, linger=1000, fake={"mode": "container", "image": worker_image()}) as aws:
        one = ran(aws, hungry(700))
        assert (one.value, one.error) == (700, None)
        small, large = one.tasks
        assert (small.size.memory, large.size.memory) == (512, 1024)
        assert small.stop_code == "UserInitiated"  # the worker has lived on: no task of ECS has ended for memory
        assert "hungry ran out of memory at 0.25 vCPU, 512 MB" in str(one.summary)
        assert one.listed == []


def test_the_seed_program_runs_in_local_containers(in_docker):
    check_model(build_model(get_data_x(), get_data_y()).compute())
    node, user = where().compute()
    assert node != os.uname().nodename
    assert user == os.getuid()
    in_docker.close()
    assert of_this_process() == []


def test_out_of_memory_in_local_containers_is_tried_again_at_a_larger_size(in_docker):
    run = hungry(700).submit()
    assert run.result() == 700
    assert "was done at 0.25 vCPU, 1 GB" in str(run.summary)
    with pytest.raises(OutOfMemory, match="ran out of memory") as caught:
        hungry.options(cpu=256, memory=512)(5000).compute()
    assert caught.value.limit_mib == Size(512, 3072).memory
    assert "eating 5000" in caught.value.log_tail


def test_a_crash_in_a_local_container_is_told_with_what_was_printed(in_docker):
    with pytest.raises(WorkerLost, match=r"after 2 attempts.*SIGSEGV") as caught:
        crashes().compute()
    assert "before the crash" in caught.value.log_tail
