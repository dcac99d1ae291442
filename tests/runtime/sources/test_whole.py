import gzip
import io
import pickle
from hashlib import sha256

import pandas as pd
import pytest

from cloudburst.errors import Tampered
from cloudburst.runtime.sources import File, Spec, read, whole
from cloudburst.runtime.stores.memory import MemoryStore
from tests.runtime.sources.files import assert_equal, spec_of

FRAME = pd.DataFrame({"a": [1, 2, 3], "b": ["x", None, "z"], "c": [1.5, -0.0, None]})


def written(path, frame=FRAME):
    ways = {
        ".csv": lambda: frame.to_csv(path, index=False), ".tsv": lambda: frame.to_csv(path, index=False, sep="\t"),
        ".txt": lambda: path.write_text(frame.to_string(index=False)), ".json": lambda: frame.to_json(path),
        ".feather": lambda: frame.to_feather(path), ".orc": lambda: frame.to_orc(path),
        ".dta": lambda: frame.fillna({"b": ""}).to_stata(path), ".pkl": lambda: frame.to_pickle(path),
    }  # fmt: skip
    ways[path.suffix]()
    return path


FORMATS = {
    "csv": ".csv", "table": ".tsv", "fwf": ".txt", "json": ".json", "feather": ".feather", "orc": ".orc",
    "stata": ".dta", "pickle": ".pkl",
}  # fmt: skip


def in_store(path, name=None):
    """The same file, uploaded."""
    store, data = MemoryStore(), path.read_bytes()
    key = name or path.name
    store.put(key, [data])
    return File(f"store:{key}", len(data), sha256(data).hexdigest()), store


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_read_as_by_pandas_here_and_from_a_store(tmp_path, name):
    path = written(tmp_path / f"a{FORMATS[name]}")
    want = getattr(pd, f"read_{name}")(path)
    file, store = in_store(path)
    assert_equal(read(spec_of(path, name), {}), want)
    assert_equal(read(Spec(name, (file,)), {}, store), want)
    narrow = want[[name for name in want if name in ("c", "a")]]
    assert_equal(read(spec_of(path, name, columns=("c", "a", "no such")), {}), narrow)
    assert_equal(read(Spec(name, (file,), columns=("c", "a")), {}, store), narrow)


def test_several_files_come_one_after_another_with_their_own_labels(tmp_path):
    paths = [written(tmp_path / f"{number}.csv") for number in range(2)]
    want = pd.concat([pd.read_csv(path, usecols=["c", "a"]) for path in paths])
    assert want.index.tolist() == [0, 1, 2, 0, 1, 2]
    assert_equal(read(spec_of(paths, "csv"), {"usecols": ["c", "a"]}), want)
    assert_equal(read(spec_of(paths, "csv", columns=("c",)), {}), want[["c"]])


def test_a_malformed_row_raises_whatever_columns_are_wanted(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n1,2\n1,2,3\n")
    with pytest.raises(pd.errors.ParserError):
        read(spec_of(tmp_path / "a.csv", "csv", columns=("a",)), {})


def test_what_is_no_frame_is_not_narrowed(tmp_path):
    path = written(tmp_path / "a.csv")
    with read(spec_of(path, "csv", columns=("a",)), {"chunksize": 2}) as chunks:
        assert sum(map(len, chunks)) == 3
    pd.Series([1, 2]).to_pickle(tmp_path / "s.pkl")
    assert read(spec_of(tmp_path / "s.pkl", "pickle", columns=("a",)), {}).tolist() == [1, 2]


def test_of_a_feather_file_only_what_is_wanted_is_asked_for(tmp_path, monkeypatch):
    path = written(tmp_path / "a.feather")
    asked = []
    real = pd.read_feather
    monkeypatch.setattr(pd, "read_feather", lambda path, **kwargs: asked.append(kwargs) or real(path, **kwargs))
    assert_equal(read(spec_of(path, "feather", columns=()), {}), real(path)[[]])
    read(spec_of(path, "feather", columns=("c", "a")), {})
    read(spec_of(path, "feather", columns=("c", "a")), {"columns": ["b", "a"]})
    assert asked == [{"columns": ["a"]}, {"columns": ["a", "c"]}, {"columns": ["b", "a"]}]
    path.write_bytes(b"none of Arrow's")
    with pytest.raises(ValueError, match="."):
        read(spec_of(path, "feather", columns=("a",)), {})


def test_a_name_says_what_a_file_from_elsewhere_is_compressed_with(tmp_path):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n1,2\n"))
    want = pd.read_csv(path)
    file, store = in_store(path, "runs/x/a.CSV.gz")
    for kwargs in ({}, {"compression": "infer"}, {"compression": "gzip"}, {"compression": {"method": "infer"}}):
        assert_equal(read(Spec("csv", (file,)), kwargs, store), want)
    said = {"compression": "infer"}
    assert_equal(read(Spec("fwf", (file,)), said, store), pd.read_fwf(path, **said))
    for read_it in (lambda: pd.read_fwf(path), lambda: read(Spec("fwf", (file,)), {}, store)):
        with pytest.raises(UnicodeDecodeError):
            read_it()
    plain, store = in_store(path, "nameless")
    with pytest.raises(UnicodeDecodeError):
        read(Spec("csv", (plain,)), {}, store)
    store.put("plain.csv.gz", [b"a\n1\n"])
    lies = Spec("csv", (File("store:plain.csv.gz", 4, sha256(b"a\n1\n").hexdigest()),))
    assert_equal(read(lies, {"compression": None}, store), pd.read_csv(io.StringIO("a\n1\n")))


def test_ends_of_names_mean_what_they_mean_to_pandas():
    from pandas.io.common import extension_to_compression

    assert extension_to_compression == whole.COMPRESSIONS
    assert list(whole.COMPRESSIONS)[1] == ".tar.gz"  # before .gz


def test_labels_that_do_not_name_one_column_each_are_never_narrowed(tmp_path):
    (tmp_path / "a.csv").write_text("a,a,b\nx,y,z\n1,2,3\n")
    said = {"header": [0, 1]}
    assert_equal(
        read(spec_of(tmp_path / "a.csv", "csv", columns=("a",)), said), pd.read_csv(tmp_path / "a.csv", **said)
    )
    twice = pd.DataFrame([[1, 2, 3]], columns=["a", "a", "b"])
    twice.to_pickle(tmp_path / "a.pkl")
    assert_equal(read(spec_of(tmp_path / "a.pkl", "pickle", columns=("a",)), {}), twice)


def test_nothing_is_unpickled_that_is_not_what_was_uploaded(tmp_path):
    path = written(tmp_path / "a.pkl")
    file, store = in_store(path)
    store.put("a.pkl", [pickle.dumps(Planted()).ljust(file.size)])  # what comes behind its end is not looked at
    with pytest.raises(Tampered, match=r"a\.pkl is not the file that was put into the store"):
        read(Spec("pickle", (file,)), {}, store)


class Planted:
    """What must never be unpickled."""

    def __reduce__(self):
        return pytest.fail, ("it was unpickled",)
