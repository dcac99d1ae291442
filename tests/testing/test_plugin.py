"""The fixture that comes with the package."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLUGIN = "cloudburst.testing.plugin"


def test_the_fixture_gives_a_fake_aws_to_a_test(tmp_path):
    (tmp_path / "test_mine.py").write_text(
        "import os\n"
        "def test_mine(fake_aws):\n"
        "    assert fake_aws.settings['endpoint_url'] == os.environ['AWS_ENDPOINT_URL']\n"
        "def test_after():\n"
        "    assert 'AWS_ENDPOINT_URL' not in os.environ\n"
    )
    is_installed = any(one.value == PLUGIN for one in entry_points(group="pytest11"))
    named = [] if is_installed else ["-p", PLUGIN]  # a checkout that is not installed has no entry points
    command = [sys.executable, "-m", "pytest", "-q", *named, "-p", "no:cacheprovider"]
    own = {name: value for name, value in os.environ.items() if name != "AWS_ENDPOINT_URL"}  # of a fake that plays here
    done = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, cwd=ROOT, env=own)
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_the_plugin_loads_nothing_heavy():
    code = (
        "import sys, cloudburst.testing.plugin\n"
        "heavy = {'boto3', 'botocore', 'moto', 'pandas', 'psutil', 'pyarrow', 'werkzeug'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "[]", done.stderr
