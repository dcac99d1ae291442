"""The user's own key: by it a later program knows what an earlier one of the same user made."""

from __future__ import annotations

import os
import secrets
import stat
from hashlib import sha256
from pathlib import Path

from cloudburst.errors import SettingsError

_BYTES = 32
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def user_secret() -> bytes:
    """The user's own key; made, for this user alone, when there is none.

    Returns
    -------
    bytes
        32 bytes from ``key`` in the configuration directory: ``CLOUDBURST_CONFIG_DIR``, else the platform's.

    Raises
    ------
    SettingsError
        If it cannot be read or made, or others may read it.
    """
    path = config_directory() / "key"
    try:
        return _read(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise SettingsError(f"Your key {path} cannot be read: {error.strerror}. Make it readable for you.") from error
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = path.with_name(f"key.{os.getpid()}.{secrets.token_hex(4)}")
        file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(file, "wb") as out:
            out.write(secrets.token_bytes(_BYTES))
        try:
            os.link(fresh, path)  # whole, and never over one that another program made meanwhile
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
        return _read(path)
    except OSError as error:
        raise SettingsError(
            f"A key of yours could not be written to {path}: {error.strerror}. It signs what your runs leave in the "
            "storage. Set CLOUDBURST_CONFIG_DIR to a directory of yours that can be written to."
        ) from error


def user_name(secret: bytes) -> str:
    """A name for the user of a key, the same in each of their programs, from which the key cannot be told.

    >>> user_name(bytes(32))
    'u66687aad'
    """
    return f"u{sha256(secret).hexdigest()[:8]}"


def known_user() -> str | None:
    """The name of the user whose key is on this machine; ``None`` where there is none, and none is made.

    Raises
    ------
    SettingsError
        If it cannot be read, or others may read it.
    """
    return user_name(user_secret()) if (config_directory() / "key").exists() else None


def config_directory() -> Path:
    """Where this user's settings lie."""
    if said := os.environ.get("CLOUDBURST_CONFIG_DIR"):
        return Path(said).expanduser()
    try:
        from platformdirs import user_config_path
    except ModuleNotFoundError:
        raise SettingsError(
            "Where your settings lie on this machine is told by platformdirs, which is not installed: pip install "
            "'cloudburst[aws]', or set CLOUDBURST_CONFIG_DIR to a directory of yours."
        ) from None
    return user_config_path("cloudburst", appauthor=False)


def cache_directory() -> Path | None:
    """Where what can be had again lies: ``CLOUDBURST_CACHE_DIR``, else the platform's; ``None`` if nobody knows."""
    if said := os.environ.get("CLOUDBURST_CACHE_DIR"):
        return Path(said).expanduser()
    try:
        from platformdirs import user_cache_path
    except ModuleNotFoundError:
        return None
    return user_cache_path("cloudburst", appauthor=False)


def own_cache() -> Path:
    """The same where there has to be one.

    Raises
    ------
    SettingsError
        If nobody knows where it would lie.
    """
    directory = cache_directory()
    if directory is None:
        raise SettingsError(
            "Where caches lie on this machine is told by platformdirs, which is not installed: pip install "
            "'cloudburst[image]', or set CLOUDBURST_CACHE_DIR to a directory of yours."
        )
    return directory


def _read(path: Path) -> bytes:
    mode = path.stat().st_mode
    if os.name == "posix" and mode & _OTHERS:
        raise SettingsError(
            f"Your key {path} can be read by others, who could pass for you: chmod 600 {path}, or remove it, and the "
            "next run makes another."
        )
    key = path.read_bytes()
    if len(key) != _BYTES:
        raise SettingsError(
            f"Your key {path} is damaged: it has {len(key)} bytes and not {_BYTES}. Remove it, and the next run makes "
            "another; what you have cached on shared storage is then worked out anew."
        )
    return key
