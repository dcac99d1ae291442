"""Sizes: what Fargate has, and how people write it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cloudburst as cb
from cloudburst.resources import MEMORY_MIB, Size, next_memory, parse_cpu, parse_memory, parse_size, parse_storage, rate

PAIRS = [(cpu, memory) for cpu, sizes in MEMORY_MIB.items() for memory in sizes]


def test_fargate_has_74_sizes() -> None:
    assert len(PAIRS) == 74


@given(st.sampled_from(PAIRS))
def test_every_valid_pair_is_taken_in_every_spelling(pair: tuple[int, int]) -> None:
    cpu, memory = pair
    assert parse_size(cpu, memory) == Size(cpu, memory)
    assert parse_size(f"{cpu / 1024} vCPU", f"{memory / 1024} GB") == Size(cpu, memory)
    assert parse_size(str(cpu), f"{memory} MiB") == Size(cpu, memory)


@given(st.integers(1, 40_000), st.integers(1, 200_000))
def test_any_other_pair_is_refused_with_a_valid_one(cpu: int, memory: int) -> None:
    if (cpu, memory) in PAIRS:
        return
    with pytest.raises(cb.ResourceError, match="Nearest: ") as caught:
        parse_size(cpu, memory)
    nearest = str(caught.value).rpartition("Nearest: ")[2].rstrip(".")
    for option in nearest.split(" or "):
        parsed = {name: int(value) for name, value in (part.split("=") for part in option.split(", "))}
        assert parse_size(**parsed) in [Size(*pair) for pair in PAIRS]


def test_one_of_the_two_is_enough() -> None:
    assert parse_size(2048) == Size(2048, 4096)
    assert parse_size(memory=512) == Size(256, 512)
    assert parse_size(memory="120 GB") == Size(16384, 122880)
    assert parse_size() == Size()


@pytest.mark.parametrize("cpu", [0, -1, 1.5, "two", "2 apples", True, None, float("inf"), [], "1e9999"])
def test_what_is_no_amount_is_refused(cpu: object) -> None:
    with pytest.raises(cb.ResourceError, match="cpu="):
        parse_cpu(cpu)


def test_units_are_read_in_any_case() -> None:
    assert [parse_memory(text) for text in ("4gb", "4 GiB", "4096", "4096 MB", "4 g")] == [4096] * 5


@given(st.sampled_from(PAIRS))
def test_the_next_size_has_half_more_memory_or_is_the_largest(pair: tuple[int, int]) -> None:
    larger = next_memory(Size(*pair))
    if larger is None:
        assert pair == (16384, 122880)
        return
    assert (larger.cpu, larger.memory) in PAIRS
    assert larger.memory >= min(pair[1] * 1.5, 122880)
    assert larger.cpu >= pair[0]


def test_sizes_read_well() -> None:
    assert [str(Size(*pair)) for pair in ((256, 512), (2048, 4096), (None, None))] == [
        "0.25 vCPU, 512 MB",
        "2 vCPU, 4 GB",
        "default size",
    ]
    assert next_memory(Size()) is None


def test_disk_and_spare_capacity_are_told_where_they_were_asked_for() -> None:
    assert str(Size(1024, 2048, 50, True)) == "1 vCPU, 2 GB, 50 GB disk, Spot"
    assert str(Size(1024, 2048, spot=False)) == "1 vCPU, 2 GB"
    assert str(Size(storage=50)) == "default size, 50 GB disk"
    assert repr(Size(1024, 2048, 50)) == "Size(cpu=1024, memory=2048, storage=50)"
    assert repr(Size(spot=False)) == "Size(cpu=None, memory=None, spot=False)"


@pytest.mark.parametrize(("storage", "gib"), [(None, None), (20, None), ("20 GB", None), (21, 21), ("200 GiB", 200)])
def test_disks_are_read(storage: object, gib: int | None) -> None:
    assert parse_storage(storage) == gib


@pytest.mark.parametrize("storage", [19, 201, "1 TB", "20.5 GB", -1, True, "much", 1.5, "512 MB"])
def test_a_disk_that_fargate_lacks_is_refused(storage: object) -> None:
    with pytest.raises(cb.ResourceError, match="ephemeral_storage="):
        parse_storage(storage)


def test_the_next_size_keeps_disk_and_spare_capacity() -> None:
    assert next_memory(Size(1024, 2048, 50, True)) == Size(1024, 3072, 50, True)
    assert next_memory(Size(16384, 114688, 50, False)) == Size(16384, 122880, 50, False)


def test_a_larger_disk_costs_more_and_spare_capacity_is_compared_at_the_same_price() -> None:
    assert rate(Size(1024, 2048, 100)) > rate(Size(1024, 2048)) == rate(Size(1024, 2048, spot=True))
