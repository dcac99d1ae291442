"""TOML tables that hold settings: ``[tool.cloudburst]`` of a project, and the profiles of a user; read and written."""

from __future__ import annotations

import difflib
import os
import re
import secrets
import tomllib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from cloudburst.errors import SettingsError
from cloudburst.settings.user import config_directory

AWS_NAMES = (
    "storage_bucket", "storage_prefix", "storage_kms_key", "compute_cluster", "compute_subnets",
    "compute_security_groups", "compute_assign_public_ip", "compute_image", "compute_execution_role",
    "compute_task_role", "region", "log_group", "spot", "architecture", "max_workers", "linger", "keep_warm", "tags",
    "default_cpu", "default_memory", "endpoint_url",
)  # fmt: skip
"""The settings of pipelines on AWS, as ``cb.init_aws`` names them."""

OTHER_NAMES = ("compute_repository",)
"""What else may stand beside them: where images are pushed to."""

IMAGE_NAMES = ("python", "platform", "base", "apt", "run", "without", "with_data")
"""What a project may say of the image that is made of it, as ``cb.image.build`` names it."""
_IMAGE = "image"

DEFAULT_PROFILE = "default"

_SECRET = re.compile(r"secret|password|token|access_?key|credential", re.IGNORECASE)
_PROFILE = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Table(NamedTuple):
    """The settings of one table, and where each stands."""

    values: Mapping[str, Any]
    path: Path
    text: str
    keys: tuple[str, ...]
    """The way to the table in its file."""

    def origin(self, name: str) -> str:
        """Where a setting stands: ``pyproject.toml:12``."""
        line = _line_of(self.text, self.keys, name)
        return f"{shown(self.path)}:{line}" if line else shown(self.path)


def profiles_path() -> Path:
    """The file with the user's profiles."""
    return config_directory() / "config.toml"


def project_table(start: Path | None = None) -> Table | None:
    """``[tool.cloudburst]`` of the nearest pyproject.toml, without its table of the image; ``None`` if there is none.

    Raises
    ------
    SettingsError
        If it cannot be read, or has a key that is no setting.
    """
    table = _of_project(start, ("tool", "cloudburst"))
    if table is not None:
        _refuse_unknown(table, (*AWS_NAMES, *OTHER_NAMES, "profile", _IMAGE))
        table = table._replace(values={name: value for name, value in table.values.items() if name != _IMAGE})
    return table


def image_table(project: Path) -> Table | None:
    """``[tool.cloudburst.image]`` of the pyproject.toml that is nearest to a project; ``None`` if there is none.

    Raises
    ------
    SettingsError
        If it cannot be read, or has a key that ``cb.image.build`` does not know.
    """
    table = _of_project(project, ("tool", "cloudburst", _IMAGE))
    if table is not None:
        _refuse_unknown(table, IMAGE_NAMES)
    return table


def _of_project(start: Path | None, keys: tuple[str, ...]) -> Table | None:
    here = (start or Path.cwd()).absolute()
    path = next((found for one in (here, *here.parents) if (found := one / "pyproject.toml").is_file()), None)
    if path is None:
        return None
    text, read = _read(path)
    table = _at(read, keys)
    return None if table is None else Table(table, path, text, keys)


def profile_table(name: str, *, asked_in: str = "") -> Table | None:
    """A profile of the user's; ``None`` if there is no such one and nobody asked for it.

    Parameters
    ----------
    name : str
        Its name.
    asked_in : str
        Where it was asked for by name.

    Raises
    ------
    SettingsError
        If the file cannot be read, if it has a key that is no setting, or if the profile that was asked for is not
        there.
    """
    path = profiles_path()
    text, read = _read(path) if path.exists() else ("", {})
    whole = Table(read, path, text, ())
    _refuse_unknown(whole, ("profiles",))
    profiles = _at(read, ("profiles",)) or {}
    table = _at(read, ("profiles", name))
    if table is None:
        if not asked_in:
            return None
        there = f"There are {', '.join(sorted(profiles))}." if profiles else "cloudburst setup makes one."
        raise SettingsError(f"{asked_in}: there is no profile {name!r} in {shown(path)}. {there}")
    made = Table(table, path, text, ("profiles", name))
    _refuse_unknown(made, (*AWS_NAMES, *OTHER_NAMES))
    return made


def write_profile(name: str, values: Mapping[str, Any]) -> Path:
    """Put settings into a profile, beside what stands there already; ``None`` takes one out.

    Parameters
    ----------
    name : str
        The profile, which is made if it is not there.
    values : mapping
        Settings by name.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    SettingsError
        If the file cannot be read or written.
    """
    check_profile_name(name)
    import tomlkit

    document = _document()
    profiles = document.setdefault("profiles", tomlkit.table(is_super_table=True))
    profile = profiles.setdefault(name, tomlkit.table())
    for key, value in values.items():
        if value is None:
            profile.pop(key, None)
        elif profile.get(key) != value:
            profile[key] = list(value) if isinstance(value, tuple) else value
    return _written(tomlkit.dumps(document))


def forget_profile(name: str) -> bool:
    """Take a profile out of the file; whether it was there."""
    import tomlkit

    document = _document()
    profiles = document.get("profiles", {})
    if name not in profiles:
        return False
    del profiles[name]
    _written(tomlkit.dumps(document))
    return True


def check_profile_name(name: object) -> None:
    """Refuse what cannot be the name of a profile.

    Raises
    ------
    SettingsError
        If it has anything but letters, digits, ``_`` and ``-``.
    """
    if not isinstance(name, str) or not _PROFILE.fullmatch(name):
        raise SettingsError(f"profile={name!r} cannot be: it is a name of letters, digits, '_' and '-'.")


def shown(path: Path) -> str:
    """A path as people read it: its name where it lies in this directory."""
    return path.name if path.parent == Path.cwd() else str(path)


def unknown(what: str, where: str, known: Iterable[str], prefix: str = "") -> SettingsError:
    """The error for a name that is none of those known, all of which begin with a prefix."""
    if _SECRET.search(what):
        return SettingsError(
            f"{what} in {where} has to go: credentials are never kept there. boto3 finds them by itself (aws "
            "configure, aws sso login, AWS_PROFILE); what a stage needs goes by secrets=."
        )
    names = list(known)
    bare = {name.removeprefix(prefix).lower(): name for name in names}
    right = next((bare[one] for one in difflib.get_close_matches(what.removeprefix(prefix).lower(), bare, n=1)), None)
    mend = f"Did you mean {right}?" if right else f"There are {', '.join(sorted(names))}."
    return SettingsError(f"{what} in {where} is no setting. {mend}")


def _refuse_unknown(table: Table, known: tuple[str, ...]) -> None:
    for name in table.values:
        if name not in known:
            raise unknown(name, table.origin(name), known)


def _read(path: Path) -> tuple[str, dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
        return text, tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise SettingsError(f"{shown(path)} cannot be read: {why.rstrip('.')}. Mend it, or move it away.") from None


def _at(read: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any] | None:
    found: Any = read
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, dict) else None


def _line_of(text: str, keys: tuple[str, ...], name: str) -> int | None:
    """The line of a key: the one which, under another name, is not found any more."""
    for match in re.finditer(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text):
        try:
            renamed = tomllib.loads(f"{text[: match.start()]}x{text[match.start() :]}")
        except tomllib.TOMLDecodeError:  # a table of two names now, or a name that is there already
            continue
        if name not in (_at(renamed, keys) or {}):
            return text.count("\n", 0, match.start()) + 1
    return None


def _document() -> Any:
    import tomlkit

    path = profiles_path()
    if not path.exists():
        return tomlkit.document()
    text, _ = _read(path)
    return tomlkit.parse(text)


def _written(text: str) -> Path:
    path = profiles_path()
    fresh = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)  # whole, or as it was
    except OSError as error:
        with suppress(OSError):
            fresh.unlink()
        raise SettingsError(
            f"{shown(path)} could not be written: {error.strerror}. Set CLOUDBURST_CONFIG_DIR to a directory of yours "
            "that can be written to."
        ) from error
    return path
