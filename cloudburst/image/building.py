"""Docker or Podman at work: building, and pushing, whose output is followed line by line."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import deque
from collections.abc import Callable
from pathlib import Path
from time import sleep

from cloudburst.errors import ImageError
from cloudburst.image.resolver import told
from cloudburst.image.wishes import Wish
from cloudburst.runtime.backends.complaints import meaning
from cloudburst.runtime.backends.engine import Engine, EngineRefused

Follow = Callable[[str], None]

_KEPT_LINES = 40
_PUSHES = 3
_PAUSE_S = 2.0
_PLAIN = {"BUILDKIT_PROGRESS": "plain", "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
_NO_EMULATOR = (
    "This engine cannot run programs of {platform}: give it an emulator (docker run --privileged --rm "
    "tonistiigi/binfmt --install all), build on a machine of that kind, or take --platform of this one."
)
_MEANINGS = (
    (
        r"exec format error|not match the \w+ platform|does not match the specified platform",
        _NO_EMULATOR,
    ),
    (r"The base image has Python", "Take another --base, or leave it out, or name its Python with --python."),
    (r"Unable to locate package", "Correct --apt, or take a --base whose system has that package."),
    (r"apt-get: (?:command )?not found", "The base image has no apt-get: take a Debian or Ubuntu one, or use --run."),
    (r"no space left on device", "Free the engine's disk: its command `system prune` removes what is not used."),
    (
        r"manifest (?:for \S+ not found|unknown)|pull access denied|no such host|repository .*not exist",
        "The base image cannot be had: correct --base or --python, or log in to its registry.",
    ),
)


def build(engine: Engine, name: str, context: Path, wish: Wish, follow: Follow | None) -> None:
    """Build an image from what lies in a directory.

    Raises
    ------
    ImageError
        If it cannot be built, with the last that was said and the mend.
    """
    platform = () if _is_default(engine, wish) else ("--platform", wish.platform)
    try:
        followed(engine, "build", *platform, "--tag", name, str(context), about=f"build {name}", follow=follow)
    except EngineRefused as refused:
        raise _explained(refused, wish, f"{engine.name.capitalize()} could not build the image") from None


def push(engine: Engine, name: str, follow: Follow | None) -> None:
    """Push an image; what was pushed before stays and is not pushed again.

    Raises
    ------
    ImageError
        If it was interrupted again and again, or is refused.
    """
    for attempt in range(1, _PUSHES + 1):
        try:
            followed(engine, "push", name, about=f"push {name}", follow=follow)
        except EngineRefused as refused:
            if refused.cause == "passing" and attempt < _PUSHES:
                sleep(_PAUSE_S * attempt)
                continue
            host = name.partition("/")[0]
            if re.search(r"denied|unauthorized|no basic auth|authentication", refused.said, re.IGNORECASE):
                raise ImageError(
                    f"{host} does not let this user push {name}: {refused.said} Log in first ({engine.name} login "
                    f"{host}), or take a repository that you may write to."
                ) from None
            raise ImageError(
                f"The push of {name} was interrupted: {refused.said} What has arrived stays there: run the same again, "
                "and it goes on from there."
            ) from None
        else:
            return


def is_here(engine: Engine, name: str) -> bool:
    """Whether the engine has an image."""
    try:
        engine.ask("image", "inspect", "--format", "{{.Id}}", name, about=f"look for {name}")
    except EngineRefused as refused:
        if refused.cause == "setup" and re.search(r"no such image|not known|not find", refused.said, re.IGNORECASE):
            return False
        raise
    return True


def size_of(engine: Engine, name: str) -> int:
    """Bytes of an image, unpacked."""
    return int(engine.ask("image", "inspect", "--format", "{{.Size}}", name, about=f"measure {name}"))


def followed(engine: Engine, *arguments: str, about: str, follow: Follow | None) -> None:
    """Let the engine do something that takes long, and tell each line that it prints.

    Raises
    ------
    EngineRefused
        If it fails, with the last lines.
    """
    last: deque[str] = deque(maxlen=_KEPT_LINES)
    with subprocess.Popen(
        [engine.program, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, **_PLAIN},
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if line.strip() and "DEPRECATED: The legacy builder" not in line:
                    last.append(line.rstrip())
                    if follow is not None:
                        follow(line.rstrip())
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise engine.refused(about, told("\n".join(last)) or f"exit code {process.returncode}")


def context_of(place: Path, dockerfile: str, archives: dict[str, Path]) -> None:
    """Lay out what the engine is given: the Dockerfile and its archives, and nothing of the project's directory."""
    (place / "Dockerfile").write_text(dockerfile, encoding="utf-8")
    for name, path in archives.items():
        try:
            (place / name).hardlink_to(path)
        except OSError:  # another file system
            shutil.copyfile(path, place / name)


def _is_default(engine: Engine, wish: Wish) -> bool:
    """Whether the engine builds for the wanted platform anyway; an old one knows no other, and no option for it."""
    asked = {"docker": "{{.OSType}}/{{.Architecture}}", "podman": "{{.Host.OS}}/{{.Host.Arch}}"}[engine.name]
    said = engine.ask("info", "--format", asked, about="tell how it is set up").strip()
    return said.replace("x86_64", "amd64").replace("aarch64", "arm64") == wish.platform


def _explained(refused: EngineRefused, wish: Wish, what: str) -> ImageError:
    for pattern, mend in _MEANINGS:
        if re.search(pattern, refused.said):
            return ImageError(f"{what}: {refused.said.rstrip('.')}. {mend.format(platform=wish.platform)}")
    return ImageError(str(refused) if meaning(refused.said) else f"{what}: {refused.said}")
