import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudburst.errors import StoreError
from cloudburst.runtime.stores.checks import checked, cut


@given(st.text(alphabet="a./\0-", max_size=8))
def test_a_key_that_is_taken_never_leaves_its_directory(tmp_path_factory, key):
    root = tmp_path_factory.getbasetemp()
    try:
        checked(key)
    except StoreError:
        return
    path = (root / key).resolve()
    assert path != root
    assert path.is_relative_to(root)
    assert str(path.relative_to(root)) == key


@given(st.binary(max_size=9), st.lists(st.tuples(st.integers(-2, 11), st.integers(-2, 11)), max_size=3))
def test_ranges_are_cut_as_slices_are_or_refused(data, ranges):
    if all(0 <= start <= end <= len(data) for start, end in ranges):
        assert cut(data, ranges, "key") == b"".join(data[start:end] for start, end in ranges)
    else:
        with pytest.raises(StoreError, match="key has"):
            cut(data, ranges, "key")
