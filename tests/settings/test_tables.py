"""Profiles and the project's table: what is read, what is refused, and how they are written."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import cloudburst as cb
from cloudburst.settings import tables
from cloudburst.settings.tables import (
    AWS_NAMES,
    forget_profile,
    image_table,
    profile_table,
    profiles_path,
    project_table,
    write_profile,
)


@pytest.fixture(autouse=True)
def config(tmp_path, monkeypatch):
    """A configuration directory and a working directory of this test alone."""
    directory = tmp_path / "config"
    monkeypatch.setenv("CLOUDBURST_CONFIG_DIR", str(directory))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return directory


def written(text):
    path = profiles_path()
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_a_profile_comes_back_as_it_was_written():
    values = {"storage_bucket": "data", "compute_subnets": ["subnet-1", "subnet-2"], "spot": True, "linger": 0.5}
    path = write_profile("work", values)
    assert path == profiles_path()
    assert profile_table("work").values == values
    assert profile_table("default") is None


def test_writing_keeps_comments_other_keys_and_other_profiles():
    written(
        '# mine\n[profiles.default]\nmax_workers = 7  # enough\nregion = "us-east-1"\n\n[profiles.b]\nspot = true\n'
    )
    write_profile("default", {"storage_bucket": "data", "region": "eu-west-1"})
    text = profiles_path().read_text()
    assert "# mine" in text
    assert "max_workers = 7  # enough" in text
    assert profile_table("default").values == {"max_workers": 7, "region": "eu-west-1", "storage_bucket": "data"}
    assert profile_table("b").values == {"spot": True}
    write_profile("default", {"storage_bucket": None})
    assert "storage_bucket" not in profile_table("default").values


def test_a_profile_that_is_written_again_leaves_the_file_as_it_was():
    path = write_profile("default", {"compute_subnets": ("subnet-1",), "region": "us-east-1"})
    before = path.read_text()
    write_profile("default", {"compute_subnets": ("subnet-1",), "region": "us-east-1"})
    assert path.read_text() == before


def test_a_forgotten_profile_is_gone_and_no_other():
    write_profile("a", {"spot": True})
    write_profile("b", {"spot": False})
    assert forget_profile("a") is True
    assert forget_profile("a") is False
    assert tomllib.loads(profiles_path().read_text()) == {"profiles": {"b": {"spot": False}}}


def test_a_file_that_cannot_be_written_is_named(config):
    config.write_text("a file where the directory should be")
    with pytest.raises(cb.SettingsError, match=r"config.toml could not be written: .*CLOUDBURST_CONFIG_DIR"):
        write_profile("default", {"spot": True})


@pytest.mark.parametrize("name", ["", "a b", "a.b", "x" * 65, 3])
def test_what_is_no_name_of_a_profile_is_refused(name):
    with pytest.raises(cb.SettingsError, match="letters, digits"):
        write_profile(name, {})


UNKNOWN = [
    (
        '[profiles.default]\nstorage_buket = "x"',
        r"storage_buket in .*config.toml:2 is no setting. Did you mean storage_bucket\?",
    ),
    ('[profiles.default]\n"comput image" = "x"', r"comput image in .*:2 .* Did you mean compute_image\?"),
    ('[profiles.default]\nqqqqqq = "x"', r"qqqqqq in .*:2 is no setting. There are architecture, compute_"),
    ("[profile.default]\nspot = true", r"profile in .*:1 is no setting. Did you mean profiles\?"),
    (
        '[profiles.default]\naws_secret_access_key = "x"',
        r"aws_secret_access_key in .*:2 has to go: credentials are never",
    ),
    ("[profiles.default\n", r"config.toml cannot be read: .*line 1.*Mend it"),
]


@pytest.mark.parametrize(("text", "said"), UNKNOWN)
def test_a_key_that_is_no_setting_is_told_the_right_one(text, said):
    written(text)
    with pytest.raises(cb.SettingsError, match=said):
        profile_table("default")


def test_a_profile_that_was_asked_for_has_to_be_there():
    with pytest.raises(cb.SettingsError, match=r"CLOUDBURST_PROFILE: there is no profile 'wrok' .* cloudburst setup"):
        profile_table("wrok", asked_in="CLOUDBURST_PROFILE")
    write_profile("work", {"spot": True})
    with pytest.raises(cb.SettingsError, match=r"there is no profile 'wrok' .*There are work\."):
        profile_table("wrok", asked_in="CLOUDBURST_PROFILE")


def test_the_nearest_project_tells_and_an_outer_one_does_not(tmp_path):
    (tmp_path / "pyproject.toml").write_text('[tool.cloudburst]\nregion = "us-east-1"\n')
    inner = tmp_path / "here"
    assert project_table().values == {"region": "us-east-1"}
    assert project_table().origin("region") == f"{tmp_path}/pyproject.toml:2"
    (inner / "pyproject.toml").write_text('[project]\nname = "x"\n')
    assert project_table() is None


PLACES = [
    ("[tool.cloudburst]\n\nspot = true\n", 3),
    ("tool.cloudburst.spot = true\n", 1),
    ('[tool]\ncloudburst = {region = "us-east-1", spot = true}\n', 2),
    ('[tool.other]\nspot = true\n[tool.cloudburst]\nregion = "spot = true"\n"spot" = true\n', 5),
    ('[tool.other]\ntext = """\nspot = true\n"""\n[tool.cloudburst]\nspot=true # spot = false\n', 6),
]


@pytest.mark.parametrize(("text", "line"), PLACES)
def test_the_line_of_a_key_is_found_in_every_way_to_write_it(text, line):
    with open("pyproject.toml", "w") as file:
        file.write(text)
    assert project_table().origin("spot") == f"pyproject.toml:{line}"


def test_the_line_of_a_table_is_that_of_its_head():
    with open("pyproject.toml", "w") as file:
        file.write('[tool.cloudburst]\nspot = true\n[tool.cloudburst.tags]\nteam = "a"\n')
    assert project_table().origin("tags") == "pyproject.toml:3"


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(AWS_NAMES), unique=True, min_size=1), st.data())
def test_the_line_is_right_for_any_table(names, data):
    noise = st.sampled_from(["", "# spot = 1", "\n"])
    lines = ["[other]", *[f"{name} = 0" for name in names], "[tool.cloudburst]"]
    for name in names:
        lines += [data.draw(noise), f"{name} = 'region = 1'"]
    text = "\n".join(lines)
    for name in names:
        at = text.split("\n").index(f"{name} = 'region = 1'") + 1
        assert tables._line_of(text, ("tool", "cloudburst"), name) == at


def test_what_a_project_says_of_its_image_is_no_setting_and_is_found_from_below(tmp_path):
    (tmp_path / "pyproject.toml").write_text('[tool.cloudburst]\nspot = true\n[tool.cloudburst.image]\napt = ["git"]\n')
    below = tmp_path / "below"
    below.mkdir()
    assert project_table(below).values == {"spot": True}
    found = image_table(below)
    assert (found.values, found.origin("apt")) == ({"apt": ["git"]}, f"{tmp_path / 'pyproject.toml'}:4")
    assert image_table(Path("/")) is None
