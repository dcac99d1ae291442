"""The Dockerfile: what changes least comes first, so that an edit of the project makes the last part alone anew."""

from __future__ import annotations

from importlib.resources import files

from jinja2 import Environment, StrictUndefined

import cloudburst
from cloudburst.image.wishes import Wish

_TEMPLATE = "Dockerfile.jinja"


def dockerfile_of(wish: Wish, source: str, base: str, *, has_project: bool) -> str:
    """Fill in the template.

    Parameters
    ----------
    wish : Wish
        What is asked.
    source : str
        Where the environment was read.
    base : str
        The base image, with its digest where that is known.
    has_project : bool
        Whether the project itself is a package.
    """
    filler = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False)
    template = filler.from_string(files("cloudburst.image").joinpath(_TEMPLATE).read_text(encoding="utf-8"))
    return template.render(
        base=base,
        source=source,
        minor=wish.minor,
        platform=wish.platform,
        apt=wish.apt,
        run=wish.run,
        has_project=has_project,
        version=cloudburst.__version__,
    )
