from pathlib import Path

import numpy as np
import pytest

import cloudburst
from cloudburst.errors import ImageError
from cloudburst.image.mirror import Local
from cloudburst.image.needs import needs

ROOT = Path(__file__).parents[2]


def names(found):
    return {pin.partition("==")[0] for pin in found.pins}


def test_an_empty_lock_gets_what_a_worker_is_made_of_as_it_is_here(wish):
    found = needs({}, (), wish)
    assert {"boto3", "botocore", "cloudpickle", "numpy", "pandas", "pyarrow", "six"} <= names(found)
    assert f"numpy=={np.__version__}" in found.pins


def test_what_shows_things_to_people_and_what_tests_need_is_not_for_workers(wish):
    assert not names(needs({}, (), wish)) & {"rich", "pygments", "click", "graphviz", "moto", "pytest"}


def test_what_a_lock_has_is_not_pinned_again(wish):
    found = needs({"pandas": "3.0.0", "numpy": ""}, (), wish)
    assert not {"pandas", "numpy"} & names(found)


def test_what_is_to_be_left_out_is_not_brought_back(wish):
    from dataclasses import replace

    assert "boto3" not in names(needs({}, (), replace(wish, without=frozenset({"boto3"}))))


def test_cloudburst_comes_from_where_it_runs(wish):
    assert needs({}, (), wish).local == (Local("cloudburst", ROOT),)
    mine = (Local("Cloudburst", ROOT),)
    assert needs({}, mine, wish).local == ()


def test_another_cloudburst_in_the_lock_is_refused(wish):
    with pytest.raises(
        ImageError, match=rf"The lock has cloudburst 0\.0\.1, and this program runs {cloudburst.__version__}"
    ):
        needs({"cloudburst": "0.0.1"}, (), wish)


def test_a_package_too_old_for_cloudburst_is_refused_and_named(wish):
    with pytest.raises(ImageError, match=r"The lock has pandas 2\.2\.3, and cloudburst .* needs pandas.*>=3\.0"):
        needs({"pandas": "2.2.3"}, (), wish)
