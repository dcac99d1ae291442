import subprocess
import sys

import pytest

from cloudburst.errors import SettingsError, StoreError
from cloudburst.runtime.stores import open_store


@pytest.mark.parametrize("url", ["", "s4://bucket", "/var/tmp", "memory"])
def test_an_unknown_url_is_an_error_that_names_it(url):
    with pytest.raises(StoreError, match="No store has the url"):
        open_store(url)


def test_a_store_of_s3_asks_for_nothing_before_it_is_used():
    assert open_store("s3://data/runs?region=us-east-1").url == "s3://data/runs?region=us-east-1"


def test_opening_a_store_of_s3_loads_no_boto3():
    code = "import sys; from cloudburst.runtime.stores import open_store; open_store('s3://data'); "
    code += "print({'boto3', 'botocore'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_a_url_of_an_unusable_directory_says_the_mend(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match=r"init_local\(storage="):
        open_store(f"file://{tmp_path}/file/below")
