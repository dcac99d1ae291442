"""Files in S3, on moto, and in the store of the run."""

import sys
from uuid import uuid4

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from cloudburst.errors import AccessDenied, NotFound, StoreError, UsageError
from cloudburst.runtime.sources import File, Spec, find, footers, read, read_facts, s3
from cloudburst.runtime.stores.memory import MemoryStore
from tests.runtime.sources.files import assert_equal, by_arrow, by_pandas, narrowed_to, places, raised_by
from tests.runtime.sources.test_parquet import ARROW, FRAME
from tests.runtime.stores import servers


@pytest.fixture(scope="module")
def moto():
    with servers.moto() as server:
        server.client().create_bucket(Bucket="data")
        yield server


class Bucket:
    def __init__(self, server):
        self.client = server.client()
        self.prefix = f"s3://data/{uuid4().hex}"
        self.where = {"endpoint_url": server.endpoint_url, "region": "us-east-1"}

    def put(self, name, path):
        url = f"{self.prefix}/{name}"
        self.client.put_object(Bucket="data", Key=url.removeprefix("s3://data/"), Body=path.read_bytes())
        return url

    def spec(self, path, kind="parquet", **narrowed):
        found = find(kind, path, **self.where)
        return Spec(kind, found.files, found.root, **narrowed, **self.where)

    def narrowed(self, spec, known, groups, columns):
        one = narrowed_to(spec, known, groups, columns)
        return Spec(one.format, one.files, one.root, one.columns, one.groups, one.labels, one.nullable, **self.where)


@pytest.fixture
def bucket(moto, monkeypatch):
    servers.let_in(monkeypatch, moto)
    s3._connection_of.cache_clear()
    return Bucket(moto)


@pytest.fixture
def gets(monkeypatch):
    """The ranges that were asked for, by request."""
    asked = []
    real = s3.s3_transfer.download_ranges

    def download(client, pool, where, ranges, write):
        asked.append(list(ranges))
        return real(client, pool, where, ranges, write)

    monkeypatch.setattr(s3.s3_transfer, "download_ranges", download)
    return asked


@pytest.fixture
def tables(tmp_path):
    whole = pa.table(ARROW)
    return [by_arrow(tmp_path / f"{number}.parquet", whole.slice(4 * number, 4), rows=2) for number in range(2)]


def test_files_are_read_as_by_pandas(bucket, tables, tmp_path):
    urls = [bucket.put(path.name, path) for path in tables]
    want = pd.read_parquet([str(path) for path in tables])
    assert_equal(read(bucket.spec(urls[0]), {}), pd.read_parquet(tables[0]))
    for path in (urls, f"{bucket.prefix}/", bucket.prefix, f"{bucket.prefix}/*.parquet"):
        spec = bucket.spec(path)
        assert [file.path for file in spec.files] == urls
        assert_equal(read(spec, {}), want)
        assert_equal(read(Spec.from_text(spec.to_text()), {"columns": ["s", "b"]}), want[["s", "b"]])
    labelled = by_pandas(tmp_path / "k.parquet", FRAME.set_index("str"))
    url = bucket.put("k.parquet", labelled)
    assert_equal(read(bucket.spec(url, columns=("int", "zoned")), {}), pd.read_parquet(labelled)[["int", "zoned"]])


def test_row_groups_are_read_as_of_all_rows(bucket, tables):
    spec = bucket.spec([bucket.put(path.name, path) for path in tables])
    known = read_facts(spec)
    full = pd.read_parquet([str(path) for path in tables])
    assert dict(known.columns) == {name: str(dtype) for name, dtype in full.dtypes.items()}
    for groups in ((), known.groups[:1], known.groups[1::2], known.groups[3:], known.groups):
        got = read(bucket.narrowed(spec, known, groups, ("s", "i8", "nulls late", "us utc")), {})
        assert_equal(got, full[["i8", "nulls late", "s", "us utc"]].iloc[places(known, groups, 8)])


def test_folders_with_values_are_columns(bucket, tmp_path):
    frame = pd.DataFrame({"a": range(4), "year": [2023, 2023, 2024, 2024]})
    frame.to_parquet(tmp_path / "t", partition_cols=["year"])
    for path in (tmp_path / "t").rglob("*.parquet"):
        bucket.put(path.relative_to(tmp_path), path)
    want = pd.read_parquet(tmp_path / "t")
    spec = bucket.spec(f"{bucket.prefix}/t/")
    assert spec.root == f"{bucket.prefix}/t"
    assert_equal(read(spec, {}), want)
    assert_equal(read(bucket.spec(f"{bucket.prefix}/t", columns=("year",)), {}), want[["year"]])
    assert_equal(read(bucket.spec(f"{bucket.prefix}/t/**/*.parquet"), {}), want)


def test_reads_are_few_and_no_larger_than_what_is_wanted(bucket, tmp_path, gets):
    rng = np.random.default_rng(0)
    columns = {f"c{number}": rng.random(100_000) for number in range(15)}
    path = by_arrow(tmp_path / "a.parquet", columns, 25_000, compression="none", use_dictionary=False)
    url = bucket.put("a.parquet", path)
    spec = bucket.spec(url, columns=("c3", "c9"))
    known = read_facts(spec)
    assert [len(ranges) for ranges in gets] == [1]
    gets.clear()
    assert_equal(read(spec, {}), pd.read_parquet(path)[["c3", "c9"]])
    fetched = sum(end - start for ranges in gets for start, end in ranges)
    assert sum(map(len, gets)) == 1 + 8  # the footer, and two columns in each of four groups
    assert known.nbytes(["c3", "c9"]) < fetched < 1.2 * known.nbytes(["c3", "c9"])
    gets.clear()
    some = bucket.narrowed(spec, known, known.groups[2:3], ("c3", "c4"))
    assert_equal(read(some, {}), pd.read_parquet(path)[["c3", "c4"]].iloc[50_000:75_000])
    assert sum(map(len, gets)) == 2  # the footer, and two columns that lie side by side


def test_a_footer_longer_than_what_is_read_at_first_is_read_on(bucket, tmp_path):
    table = pa.table({f"a column with a long name, number {number}": [number] for number in range(3000)})
    path = by_arrow(tmp_path / "a.parquet", table)
    spec = bucket.spec(bucket.put("a.parquet", path))
    assert len(read_facts(spec).columns) == 3000
    assert_equal(read(spec, {"columns": table.column_names[:2]}), table.select([0, 1]).to_pandas())


def test_a_footer_is_read_once(bucket, tables, gets):
    spec = bucket.spec([bucket.put(path.name, path) for path in tables])
    read_facts(spec)
    assert len(gets) == 2
    read_facts(spec)
    assert footers.footer_of(spec.files[0], spec).metadata.num_rows == 4
    assert len(gets) == 2


@pytest.mark.parametrize("groups", [False, True])
def test_an_object_that_changed_or_went_since_planning_is_told(bucket, tables, groups):
    url = bucket.put("a.parquet", tables[0])
    spec = bucket.spec(url)
    known = read_facts(spec)
    spec = bucket.narrowed(spec, known, known.groups[:1], ("s",)) if groups else spec
    bucket.put("a.parquet", tables[1])
    with pytest.raises(StoreError, match=r"a\.parquet has changed since the pipeline was planned"):
        read(spec, {})
    bucket.client.delete_object(Bucket="data", Key=url.removeprefix("s3://data/"))
    with pytest.raises(NotFound, match="is no more"):
        read(spec, {})


def test_text_is_read_whole(bucket, tmp_path, gets):
    path = tmp_path / "a.csv.gz"
    FRAME[["int", "float", "bool"]].to_csv(path, index=False)
    urls = [bucket.put(name, path) for name in ("b.csv.gz", "a.csv.gz")]
    want = pd.read_csv(path)
    assert_equal(read(bucket.spec(urls[0], "csv", columns=("int",)), {}), want[["int"]])
    assert_equal(read(bucket.spec(f"{bucket.prefix}/*", "csv"), {"nrows": 2}), pd.concat([want[:2]] * 2))
    assert [len(ranges) for ranges in gets] == [1, 1, 1]


def test_an_object_that_is_none_of_parquets_raises_as_in_pandas(bucket, tmp_path):
    path = tmp_path / "a.parquet"
    for data in (b"", b"nonsense", b"x" * 100_000):
        path.write_bytes(data)
        spec = bucket.spec(bucket.put("a.parquet", path))
        assert read_facts(spec) is None
        assert raised_by(read, spec, {}) is raised_by(pd.read_parquet, path)


def test_what_is_not_there_is_told(bucket, tables):
    url = bucket.put("a.parquet", tables[0])
    for path in (f"{bucket.prefix}/no.parquet", [url, f"{bucket.prefix}/no.parquet"]):
        with pytest.raises(FileNotFoundError, match=r"no\.parquet"):
            find("parquet", path, **bucket.where)
    with pytest.raises(UsageError, match=r"No file matches .* \(in S3\)"):
        find("parquet", f"{bucket.prefix}/*.csv", **bucket.where)
    with pytest.raises(UsageError, match="has no file in it"):
        find("parquet", f"{bucket.prefix}/none/", **bucket.where)
    with pytest.raises(NotFound, match=r"There is no bucket nowhere-at-all, which s3://nowhere-at-all/a"):
        find("parquet", "s3://nowhere-at-all/a/", **bucket.where)


def test_a_long_list_is_read_page_by_page_without_what_consoles_make_for_folders(monkeypatch):
    pages = {
        None: {"Contents": [{"Key": "t/", "Size": 0, "ETag": '"0"'}, {"Key": "t/a", "Size": 1, "ETag": '"1"'}]},
        "more": {"Contents": [{"Key": "t/b", "Size": 2, "ETag": '"2"'}]},
    }

    class Client:
        def list_objects_v2(self, *, Bucket, Prefix, ContinuationToken=None):  # noqa: N803
            assert (Bucket, Prefix) == ("data", "t/")
            is_first = ContinuationToken is None
            return {**pages[ContinuationToken], "IsTruncated": is_first, "NextContinuationToken": "more"}

    monkeypatch.setattr(s3, "_connection", lambda *_where: type("Connection", (), {"client": Client()}))
    assert find("parquet", "s3://data/t/").files == (File("s3://data/t/a", 1, "1"), File("s3://data/t/b", 2, "2"))


def test_nothing_can_be_done_to_the_files_but_reading_them():
    from cloudburst.runtime.sources.held import Held
    from cloudburst.runtime.sources.virtual import filesystem

    files = filesystem({"a": Held(lambda ranges: memoryview(b"x"), 1)})
    assert files.open_input_file("a").read() == b"x"
    assert [one.type.name for one in files.get_file_info(["a", "b"])] == ["File", "NotFound"]
    for forbid in (files.delete_file, files.open_output_stream, files.create_dir):
        with pytest.raises(NotImplementedError):
            forbid("a")


def test_a_refusal_is_told_with_the_mend(bucket, monkeypatch):
    from botocore.exceptions import ClientError

    def refuse(*_arguments, **_options):
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": ""}}, "HeadObject")

    monkeypatch.setattr(s3._connection("us-east-1", bucket.where["endpoint_url"]).client, "head_object", refuse)
    with pytest.raises(AccessDenied, match="s3:GetObject is probably missing"):
        find("csv", f"{bucket.prefix}/a.csv", **bucket.where)


def test_without_boto3_the_mend_is_told(monkeypatch):
    s3._connection_of.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] in ("boto3", "botocore")]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "botocore", None)
    with pytest.raises(UsageError, match=r"needs boto3, which is not installed: pip install 'cloudburst\[aws\]'"):
        find("csv", "s3://bucket/a.csv")


def test_arguments_for_another_way_to_s3_are_refused(bucket, tables):
    spec = bucket.spec(bucket.put("a.parquet", tables[0]))
    with pytest.raises(UsageError, match="leave out storage_options="):
        read(spec, {"storage_options": {"anon": True}})


def test_uploaded_files_are_read_from_the_store_of_the_run(tables):
    store = MemoryStore()
    files = []
    for path in tables:
        data = path.read_bytes()
        store.put(f"files/{path.name}", [data])
        files.append(File(f"store:files/{path.name}", len(data), "digest"))
    spec = Spec("parquet", tuple(files))
    full = pd.read_parquet([str(path) for path in tables])
    known = read_facts(spec, store)
    assert_equal(read(spec, {}, store), full)
    assert_equal(read(narrowed_to(spec, known, known.groups[1:3], ("s", "b")), {}, store), full[["b", "s"]][2:6])
    with pytest.raises(StoreError, match="not at hand"):
        read(spec, {})
