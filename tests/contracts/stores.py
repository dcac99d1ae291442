"""What every store must do: subclass ``StoreContract`` and give it a ``store``."""

from __future__ import annotations

import os
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest

from cloudburst.errors import NotFound, StoreError
from cloudburst.runtime.protocols import Store
from cloudburst.runtime.stores import open_store

MIB = 1 << 20


class StoreContract:
    """A subclass has a fixture ``store``: an empty one."""

    def test_keeps_the_concatenation_of_parts(self, store: Store) -> None:
        assert store.put("a/0", [b"some ", bytearray(b"by"), memoryview(b"tes"), b""])
        assert bytes(store.get("a/0")) == b"some bytes"
        assert store.size("a/0") == 10

    def test_keeps_an_empty_object(self, store: Store) -> None:
        assert store.put("empty", [])
        assert store.size("empty") == 0
        assert len(store.get("empty")) == 0
        assert store.list("") == ["empty"]

    @pytest.mark.parametrize("count", [3000, 1024, 1])
    def test_keeps_any_number_of_parts(self, store: Store, count: int) -> None:
        parts = [b"%d," % number for number in range(count)]
        store.put("many", parts)
        assert bytes(store.get("many")) == b"".join(parts)

    def test_keeps_large_objects(self, store: Store) -> None:
        data = bytes(range(256)) * (3 * MIB // 256)
        store.put("large", [memoryview(data)[:MIB], memoryview(data)[MIB:]])
        assert store.get("large") == data
        assert store.size("large") == 3 * MIB

    @pytest.mark.parametrize("size", [5, 2 * MIB])
    def test_gives_writable_memory_that_is_nobody_elses(self, store: Store, size: int) -> None:
        store.put("a", [bytes(size)])
        mine, other = store.get("a"), store.get("a")
        mine[:] = b"\xff" * size
        assert not any(other)
        assert not any(store.get("a"))

    def test_keeps_what_was_put_although_its_buffer_changes(self, store: Store) -> None:
        buffer = bytearray(b"before")
        store.put("a", [buffer])
        buffer[:] = b"after!"
        assert bytes(store.get("a")) == b"before"

    @pytest.mark.parametrize("size", [10, 2 * MIB])
    def test_what_was_got_outlives_its_object(self, store: Store, size: int) -> None:
        store.put("a", [b"x" * size])
        data = store.get("a")
        store.delete(["a"])
        store.put("a", [b"y" * size])
        assert data == b"x" * size

    def test_gives_byte_ranges_one_after_another(self, store: Store) -> None:
        store.put("digits", [b"0123456789"])
        assert bytes(store.get("digits", [(8, 10), (0, 2), (5, 5)])) == b"8901"
        assert bytes(store.get("digits", [])) == b""

    @pytest.mark.parametrize("beyond", [(5, 11), (-1, 2), (4, 3)])
    def test_refuses_a_range_beyond_the_object(self, store: Store, beyond: tuple[int, int]) -> None:
        store.put("digits", [b"0123456789"])
        with pytest.raises(StoreError, match="10 bytes"):
            store.get("digits", [(0, 1), beyond])

    def test_gives_many_byte_ranges_in_any_order(self, store: Store) -> None:
        data = bytes(range(256)) * (2 * MIB // 256)
        store.put("bytes", [data])
        ranges = [(start * 7919 % (2 * MIB - 999), start * 7919 % (2 * MIB - 999) + start) for start in range(1000)]
        for wanted in (ranges, sorted(ranges), [(0, 3), (1, 2), (0, 3), (2 * MIB - 1, 2 * MIB)]):
            assert store.get("bytes", wanted) == b"".join(data[start:end] for start, end in wanted)

    def test_refuses_a_range_of_nothing(self, store: Store) -> None:
        store.put("empty", [])
        with pytest.raises(StoreError, match="0 bytes"):
            store.get("empty", [(0, 1)])

    def test_says_what_is_not_there(self, store: Store) -> None:
        store.put("a/b", [b"1"])
        for ask in (
            store.get,
            store.size,
            store.age_s,
            lambda key: store.get(key, [(0, 1)]),
            lambda key: store.get(key, []),
        ):
            with pytest.raises(NotFound, match="a/c"):
                ask("a/c")

    @pytest.mark.parametrize("size", [0, 5, 2 * MIB])
    def test_a_copy_is_an_object_of_its_own(self, store: Store, size: int) -> None:
        store.put("a/0", [b"x" * size])
        store.copy("a/0", "b/c/0")
        assert store.list("") == ["a/0", "b/c/0"]
        store.get("b/c/0")[:] = b"?" * size
        store.put("a/0", [b"another"])
        assert store.get("b/c/0") == b"x" * size
        store.delete(["a/0"])
        assert (store.size("b/c/0"), bytes(store.get("b/c/0", [(0, size)]) if size else b"")) == (size, b"x" * size)

    @pytest.mark.parametrize("sizes", [(1, 2), (1, 2 * MIB), (2 * MIB, 1), (2 * MIB, 3 * MIB)])
    def test_a_copy_goes_over_what_was_there(self, store: Store, sizes: tuple[int, int]) -> None:
        before, after = sizes
        store.put("b", [b"x" * before])
        assert store.size("b") == before
        store.put("a", [b"y" * after])
        store.copy("a", "b")
        store.copy("a", "b")
        assert store.get("b") == store.get("a") == b"y" * after
        assert store.list("") == ["a", "b"]

    def test_copies_only_what_is_there(self, store: Store) -> None:
        with pytest.raises(NotFound, match="a/c"):
            store.copy("a/c", "b")
        assert store.list("") == []
        store.put("a", [b"1"])
        for key, to in (("../a", "b"), ("a", "b/")):
            with pytest.raises(StoreError, match="is no key"):
                store.copy(key, to)
        assert store.list("") == ["a"]

    @pytest.mark.parametrize("size", [1, 2 * MIB])
    def test_tells_how_long_ago_it_was_written(self, store: Store, size: int) -> None:
        store.put("a", [b"x" * size])
        assert 0 <= store.age_s("a") < 3600

    def test_says_whether_others_write_to_it(self, store: Store) -> None:
        assert store.is_shared == open_store(store.url).is_shared
        assert isinstance(store.is_shared, bool)

    def test_puts_if_absent_once(self, store: Store) -> None:
        assert store.put("a/record", [b"first"], if_absent=True)
        assert not store.put("a/record", [b"second"], if_absent=True)
        assert bytes(store.get("a/record")) == b"first"

    def test_puts_an_empty_object_if_absent_once(self, store: Store) -> None:
        assert store.put("a/lock", [], if_absent=True)
        assert not store.put("a/lock", [], if_absent=True)

    def test_of_many_that_put_if_absent_one_wins(self, store: Store) -> None:
        with ThreadPoolExecutor(8) as threads:
            for key in ("x/0", "x/1", "x/2"):
                won = list(threads.map(lambda mine: store.put(key, [b"%d" % mine], if_absent=True), range(8)))  # noqa: B023
                assert won.count(True) == 1
                assert bytes(store.get(key)) == b"%d" % won.index(True)

    def test_threads_may_share_it(self, store: Store) -> None:
        def use(mine: int) -> bool:
            data = bytes([mine]) * (MIB + mine)
            store.put(f"t/{mine}", [data])
            return store.get(f"t/{mine}") == data and store.get(f"t/{mine}", [(MIB - 1, MIB + mine)]) == data[MIB - 1 :]

        with ThreadPoolExecutor(8) as threads:
            assert all(threads.map(use, range(16)))
        assert len(store.list("t/")) == 16

    @pytest.mark.parametrize("sizes", [(1, 2), (1, 2 * MIB), (2 * MIB, 1), (2 * MIB, 3 * MIB)])
    def test_the_last_put_holds(self, store: Store, sizes: tuple[int, int]) -> None:
        for size in sizes:
            assert store.put("a", [b"x" * size])
        assert store.size("a") == sizes[-1]
        assert store.list("a") == ["a"]
        assert not store.put("a", [b"late"], if_absent=True)

    def test_takes_back_what_is_deleted(self, store: Store) -> None:
        for key in ("a/0", "a/1", "b"):
            store.put(key, [b"x" * 2 * MIB if key == "b" else b"x"])
        store.delete(["a/0", "b", "never/there"])
        store.delete(["a/0"])
        assert store.list("") == ["a/1"]
        assert store.put("b", [b"again"], if_absent=True)

    def test_lists_sorted_by_prefix(self, store: Store) -> None:
        keys = ["a/1", "a/10", "a/2", "a-b/x", "ab", "b/a/1", "b/a.b", "ä/1", "A"]
        for key in keys:
            store.put(key, [b""])
        assert store.list("") == sorted(keys)
        assert store.list("a") == ["a-b/x", "a/1", "a/10", "a/2", "ab"]
        assert store.list("a/1") == ["a/1", "a/10"]
        assert store.list("b/a") == ["b/a.b", "b/a/1"]
        assert store.list("b/a/") == ["b/a/1"]
        assert store.list("none") == store.list("a/1/2") == []

    def test_tells_the_bytes_of_what_it_lists(self, store: Store) -> None:
        for key, data in {"a/1": b"", "a/2": b"two", "b": b"other"}.items():
            store.put(key, [data])
        assert list(store.sizes("a/").items()) == [("a/1", 0), ("a/2", 3)]
        assert store.sizes("a/", "a/1") == {"a/2": 3}
        assert store.sizes("none") == {}

    def test_lists_what_comes_after(self, store: Store) -> None:
        keys = ["a/1", "a/10", "a/2", "ab", "b/a/1", "b/a.b"]
        for key in keys:
            store.put(key, [b""])
        for after in ("", "a", "a/1", "a/10", "a/15", "b/a", "b/a.", "b/a/1", "zz"):
            assert store.list("", after) == sorted(key for key in keys if key > after)
            assert store.list("a/", after) == sorted(key for key in keys if key > after and key.startswith("a/"))

    def test_lists_a_thousand_at_a_time(self, store: Store) -> None:
        keys = sorted(f"n/{number % 7}/{number}" for number in range(1003))
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda key: store.put(key, [b""]), keys))
        page = store.list("n/")
        assert page == keys[:1000]
        assert store.list("n/", page[-1]) == keys[1000:]
        store.delete(keys[1:])
        assert store.list("") == keys[:1]

    @pytest.mark.parametrize("key", ["", "/a", "a/", "a//b", "../a", "a/../../b", ".", "a/.hidden", "a\0b"])
    def test_refuses_what_is_no_key(self, store: Store, key: str) -> None:
        for use in (store.get, store.size, lambda key: store.put(key, [b""]), lambda key: store.delete([key])):
            with pytest.raises(StoreError, match="is no key"):
                use(key)

    def test_can_be_opened_by_its_url(self, store: Store) -> None:
        store.put("a", [b"1"])
        other = open_store(store.url)
        assert other.url == store.url
        assert bytes(other.get("a")) == b"1"
        other.put("b", [b"2" * 2 * MIB])
        assert store.list("") == ["a", "b"]

    def test_can_be_used_after_a_fork(self, store: Store) -> None:
        store.put("a", [b"1"])
        ends, starts = os.pipe()
        with warnings.catch_warnings(action="ignore"):  # that threads are not forked is what is tried
            child = os.fork()
        if not child:
            os.write(starts, bytes(open_store(store.url).get("a")) if store.url[:6] != "memory" else b"1")
            os.write(starts, bytes(store.get("a")))
            os._exit(0)
        os.close(starts)
        assert os.waitpid(child, 0)[1] == 0
        assert os.read(ends, 9) == b"11"
        os.close(ends)

    def test_is_a_store(self, store: Store) -> None:
        assert isinstance(store, Store)
