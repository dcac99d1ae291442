from __future__ import annotations

import sys
from importlib.metadata import distributions, version
from platform import python_version

import pytest

from cloudburst.errors import ImageError
from cloudburst.runtime.greeting import Greeting, check_python, differences, installed, introduction


def test_what_is_installed_is_what_its_own_words_say():
    told = {one.metadata["Name"].lower().replace("_", "-").replace(".", "-"): one.version for one in distributions()}
    found = installed()
    assert found == {name: told[name] for name in found}
    assert {"numpy", "pandas", "pyarrow", "cloudpickle"} <= found.keys()


def test_what_comes_first_in_the_path_is_what_counts(tmp_path, monkeypatch):
    for place, number in (("one", "1.0"), ("two", "2.0")):
        (tmp_path / place / f"some_package-{number}.dist-info").mkdir(parents=True)
    (tmp_path / "one" / "no.dist-info").mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path / "nowhere"), str(tmp_path / "one"), str(tmp_path / "two")])
    assert installed() == {"some-package": "1.0"}


def test_another_patch_of_python_will_do():
    major, minor = python_version().split(".")[:2]
    check_python("image", f"{major}.{minor}.99")


@pytest.mark.parametrize("python", ["3.10.4", "4.0.0", "2.7"])
def test_another_minor_python_is_an_error_that_names_both(python):
    with pytest.raises(ImageError) as caught:
        check_python("my-image", python)
    assert "my-image" in str(caught.value)
    assert python in str(caught.value)
    assert python_version() in str(caught.value)


def test_packages_that_differ_are_named_with_both_versions():
    assert differences({"pandas": "0.1", "numpy": version("numpy")}) == [
        f"pandas {version('pandas')} here, 0.1 in the image"
    ]


def test_packages_that_this_program_does_not_use_or_have_are_no_difference():
    assert differences({"no-such-package": "1.0", "graphviz-of-another": "1"}) == []


def test_a_module_that_is_not_called_as_its_package_is_counts_when_it_is_loaded(monkeypatch):
    monkeypatch.setattr("importlib.metadata.version", lambda name: "1.0")
    monkeypatch.setitem(sys.modules, "sklearn", sys)
    assert differences({"scikit-learn": "2.0"}) == ["scikit-learn 1.0 here, 2.0 in the image"]


def test_a_package_that_is_only_in_the_image_is_no_difference(monkeypatch):
    monkeypatch.setitem(sys.modules, "strange", sys)
    assert differences({"strange": "2.0"}) == []


def test_workers_with_the_same_versions_are_warned_of_once():
    greet = Greeting("my-image")
    about = introduction()
    greet(about)
    assert greet.warnings == []
    about["packages"] |= {"pandas": "0.1"}
    greet(about)
    greet(dict(about))
    [warning] = greet.warnings
    assert "my-image" in warning
    assert f"pandas {version('pandas')} here, 0.1 in the image" in warning


def test_a_worker_of_another_python_is_refused():
    with pytest.raises(ImageError):
        Greeting("my-image")(introduction() | {"python": "3.5.0"})
