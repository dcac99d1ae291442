import os
from pathlib import Path

import pytest

from cloudburst.errors import UsageError
from cloudburst.runtime.sources import File, find


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("b.csv", "a.csv", "sub/c.csv", "x[1].csv", "y=1/d.csv"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text("a\n1\n")
    return tmp_path


def names(found):
    return [os.path.relpath(file.path) for file in found.files]


def test_a_file_is_told_with_size_and_time(data):
    told = (data / "a.csv").stat()
    want = File(str(data / "a.csv"), told.st_size, str(told.st_mtime_ns))
    for path in ("a.csv", Path("a.csv"), "sub/../a.csv", "~/a.csv", f"file://{data}/a.csv"):
        (file,) = find("csv", path).files
        assert file[1:] == want[1:]
        assert os.path.samefile(file.path, want.path)
        assert file.is_local


def test_a_pattern_gives_its_files_in_order(data):
    assert names(find("csv", "*.csv")) == ["a.csv", "b.csv", "x[1].csv"]
    assert names(find("csv", "**/[abc].csv")) == ["a.csv", "b.csv", "sub/c.csv"]


def test_a_list_gives_its_files_in_its_order(data):
    assert names(find("csv", ["b.csv", "sub/*.csv", Path("a.csv")])) == ["b.csv", "sub/c.csv", "a.csv"]
    assert names(find("csv", ("b.csv", "b.csv"))) == ["b.csv", "b.csv"]


def test_a_name_that_looks_like_a_pattern_is_a_name(data):
    assert names(find("csv", "x[1].csv")) == ["x[1].csv"]


def test_folders_with_values_are_told(data):
    assert find("parquet", "y=1/d.csv").root == ""  # as Arrow does with a file
    assert find("parquet", "y=1").root == ""
    assert find("parquet", ["y=1/d.csv"]).root == "/"
    assert find("parquet", "y=1/*.csv").root == "/"
    assert find("parquet", ".").root == str(data)


def test_files_of_a_directory_are_in_the_order_of_their_paths(data):
    for name in ("t/b/1", "t/b-/1", "t/B/1", "t/_no/1", "t/.no/1", "t/_no", "t/b/.no"):
        path = data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_dir():
            path.write_bytes(b"")
    (data / "link").symlink_to(data / "sub")
    assert names(find("parquet", "t")) == ["t/B/1", "t/b-/1", "t/b/1"]
    assert names(find("parquet", "link/")) == ["link/c.csv"]


@pytest.mark.parametrize("path", ["no.csv", ["a.csv", "no.csv"], "~/no.csv", "a.csv/b.csv/../no"])
def test_a_file_that_is_not_there_is_the_error_of_python(data, path):
    with pytest.raises(OSError, match="no"):
        find("csv", path)
    with pytest.raises(FileNotFoundError):
        find("parquet", "no.parquet")


def test_a_directory_is_no_text(data):
    for path in ("sub", ["sub"]):
        with pytest.raises(IsADirectoryError):
            find("csv", path)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("*.nothing", r"No file matches \*\.nothing \(seen from "),
        (["a.csv", "*.nothing"], r"No file matches"),
        ("empty", r"The directory empty has no file"),
        ([], "the list of paths is empty"),
        (3, "and not 3: read that in a stage"),
        ("https://example.org/a.csv", "and not 'https://example.org/a.csv'"),
        (b"a.csv", "by their path"),
        ("a\0b", "by their path"),
        ("s3:///a.csv", "names no bucket"),
    ],
)
def test_what_names_no_file_is_told_with_the_mend(data, path, message):
    (data / "empty").mkdir()
    (data / "empty" / "_SUCCESS").write_bytes(b"")
    with pytest.raises(UsageError, match=message):
        find("parquet", path)
