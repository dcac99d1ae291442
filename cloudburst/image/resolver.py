"""uv, which reads locks, resolves for other platforms and builds wheels, and what its complaints mean."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from cloudburst.errors import ImageError
from cloudburst.image.wishes import Wish

_GLIBC = "manylinux_2_28"
"""What Debian 10, Red Hat 8, Amazon Linux 2023 and all that are newer can load."""

_LONGEST_SAID = 1200
_SECRET = re.compile(r"(?<=://)[^@/\s'\"`]+(?=@)")
_UNBUILT = re.compile(
    r"Failed to (?:download and |download, )?build `(?P<built>[^`@]+?)(?: @ [^`]*)?`"
    r"|Because (?P<lacks>\S+) has no (?:usable )?wheels"
    r"|(?:distribution|package) `(?P<locked>[^`]+)` can't be installed"
    r"|`(?P<only>[^`]+)` (?:doesn't|does not) have a (?:source distribution or )?wheel"
)


@cache
def find_uv() -> str:
    """The path of uv: the one that is installed beside cloudburst, else the first on the PATH.

    Raises
    ------
    ImageError
        If there is none.
    """
    try:
        from uv import find_uv_bin

        return str(find_uv_bin())
    except (ImportError, FileNotFoundError):
        found = shutil.which("uv")
    if found is None:
        raise ImageError("Images are made with uv, which is not installed: pip install 'cloudburst[image]'.")
    return found


def uv(*arguments: str, about: str, within: Path, given: str | None = None) -> str:
    """What a command of uv prints.

    Parameters
    ----------
    *arguments : str
        The command.
    about : str
        What it is for, as the end of "uv could not ...".
    within : Path
        The directory it runs in: the project's, whose ``[tool.uv]`` says where packages come from.
    given : str, optional
        What it reads from its standard input.

    Raises
    ------
    ImageError
        If it fails, with what it said. Passwords in addresses are left out.
    """
    try:
        done = subprocess.run(
            [find_uv(), *arguments, "--no-progress", "--color=never"],
            cwd=within,
            input=given,
            stdin=subprocess.DEVNULL if given is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise ImageError(
            f"uv could not be started: {error.strerror}. Install it: pip install 'cloudburst[image]'."
        ) from error
    if done.returncode:
        raise ImageError(f"uv could not {about}: {told(done.stderr or done.stdout)}")
    return done.stdout


def told(said: str) -> str:
    """What uv said, short enough to read, without what is secret in it.

    >>> told("error: cannot fetch https://me:token@index.example/simple")
    'cannot fetch https://***@index.example/simple'
    """
    lines = [line for line in said.splitlines() if not line.startswith(("Using ", "Resolved "))]
    text = _SECRET.sub("***", " ".join(" ".join(lines).split()))
    for beginning in ("error: ", "× "):
        text = text.removeprefix(beginning)
    return text if len(text) <= _LONGEST_SAID else f"{text[: _LONGEST_SAID // 2]} ... {text[-_LONGEST_SAID // 2 :]}"


def target(wish: Wish) -> list[str]:
    """The options of uv that say for which machine packages are chosen."""
    return [
        "--python", sys.executable, "--python-version", wish.python, "--python-platform", f"{wish.machine}-{_GLIBC}",
    ]  # fmt: skip


def without_wheel(error: ImageError, wish: Wish) -> ImageError:
    """The error for packages that could not be had for the platform, with the package's name and the mend."""
    found = _UNBUILT.search(str(error))
    if found is None:
        return error
    name = next(one for one in found.groups() if one)
    return no_wheel(name, wish, f"It could not be built here either. {error}")


def no_wheel(name: str, wish: Wish, why: str) -> ImageError:
    """The error for a package that has no wheel for the platform."""
    bare = re.split(r"[=<>@ \[]", name, maxsplit=1)[0]
    return ImageError(
        f"{name} has no wheel for {wish.platform} with Python {wish.minor}. Take a version of it that has one, or a "
        f"package that brings its libraries along (psycopg2-binary for psycopg2), or have it built in the image: "
        f"--without {bare} --apt gcc --run 'pip install {name}'. {why}"
    )
