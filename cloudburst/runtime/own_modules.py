"""Which modules are the project's own: what was written here and may have been edited a second ago.

Own are ``__main__``, notebook cells, code made by ``exec``, and every module whose source lies neither in the standard
library nor under a ``site-packages`` or ``dist-packages`` directory, editable installs included. Cloudburst itself is
never own, and neither is an extension module: a shared library cannot travel as code.
"""

from __future__ import annotations

import importlib.machinery
import sys
import sysconfig
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

_INSTALLED_DIRECTORIES = frozenset({"site-packages", "dist-packages"})
_STANDARD = tuple(Path(sysconfig.get_path(key)).resolve() for key in ("stdlib", "platstdlib"))
_EXTENSIONS = tuple(importlib.machinery.EXTENSION_SUFFIXES)
_CLOUDBURST = "cloudburst"


class Source(NamedTuple):
    """An own module that is not imported yet, as its file stands now."""

    name: str
    text: str
    file: str
    is_package: bool


def is_own(name: object) -> bool:
    """Whether the module of that name is the project's own; one that nobody can import is.

    Some types written in C have no string for ``__module__``: they are not own.

    >>> is_own("__main__"), is_own("json"), is_own("cloudburst.errors"), is_own("made_by_exec")
    (True, False, False, True)
    """
    if not name or name == "__main__":
        return True
    if not isinstance(name, str) or _is_known(name):
        return False
    module = sys.modules.get(name)
    return module is None or is_own_module(module)


def is_own_module(module: ModuleType) -> bool:
    """Whether this module object is the project's own."""
    name = module.__name__
    if name == "__main__":
        return True
    if _is_known(name):
        return False
    file = getattr(module, "__file__", None)
    if isinstance(file, str):
        return _is_own_file(file)
    places = getattr(module, "__path__", None)
    if places is not None:
        return all(_is_own_file(str(place)) for place in places)
    spec = getattr(module, "__spec__", None)
    return spec is None or spec.origin not in ("built-in", "frozen")


def _is_known(name: str) -> bool:
    top = name.partition(".")[0]
    return top == _CLOUDBURST or top in sys.stdlib_module_names


@lru_cache(maxsize=4096)
def _is_own_file(file: str) -> bool:
    if file.endswith(_EXTENSIONS):
        return False
    path = Path(file).resolve()
    if not _INSTALLED_DIRECTORIES.isdisjoint(path.parts):
        return False
    return not any(path.is_relative_to(directory) for directory in _STANDARD)


def find_source(name: str) -> Source | None:
    """The source of an own module that nobody has imported yet, without importing it or its packages.

    Returns
    -------
    Source or None
        ``None`` where no such module is found here or it is not the project's own.
    """
    if _is_known(name):
        return None
    places: list[str] | None = None
    spec: importlib.machinery.ModuleSpec | None = None
    so_far = ""
    for part in name.split("."):
        so_far = f"{so_far}.{part}" if so_far else part
        imported = sys.modules.get(so_far)
        if imported is not None and so_far != name:
            places = list(getattr(imported, "__path__", ()))
            continue
        spec = _find_spec(so_far, places)
        if spec is None:
            return None
        places = None if spec.submodule_search_locations is None else list(spec.submodule_search_locations)
    if spec is None:
        return None
    is_package = spec.submodule_search_locations is not None
    if spec.origin is None:  # a namespace package: a directory without code of its own
        own = is_package and all(_is_own_file(place) for place in places or ())
        return Source(name, "", "", True) if own else None
    read = getattr(spec.loader, "get_source", None)
    if read is None or spec.origin in ("built-in", "frozen") or not _is_own_file(spec.origin):
        return None
    text = read(name)
    return None if text is None else Source(name, text, spec.origin, is_package)


def _find_spec(name: str, places: list[str] | None) -> importlib.machinery.ModuleSpec | None:
    for finder in sys.meta_path:
        find = getattr(finder, "find_spec", None)
        if find is not None and (spec := find(name, places)) is not None:
            return spec  # type: ignore[no-any-return]
    return None
