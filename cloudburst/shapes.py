"""The nest in which the user wants the values of a run: containers at the top are put together here, by no worker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cloudburst.graph.expr import Expr
from cloudburst.graph.nodes import Build


@dataclass(frozen=True, slots=True)
class Place:
    """Where the value of a run's target goes."""

    number: int


def shape_of(root: Expr, found: list[Expr]) -> Any:
    """A container at the top of an expression is put together here and not by a worker: its shape, with places."""
    what = root.what
    if isinstance(what, Build) and what.container in ("list", "tuple", "dict"):
        members = [shape_of(arg, found) if type(arg) is Expr else arg for arg in root.args]
        return what.container, members
    found.append(root)
    return Place(len(found) - 1)


Wanted = tuple[list[Any], bool]
"""Shapes of what is asked for, and whether it is one value and not a list of them."""


def fetched(wanted: Wanted, values: list[Any]) -> Any:
    """What the user asked for, made of the values of the targets."""
    shapes, whole = wanted
    found = [filled(shape, values) for shape in shapes]
    return found[0] if whole and found else found


def taken_apart(roots: Sequence[Expr]) -> list[Expr]:
    """The expressions that workers work out."""
    found: list[Expr] = []
    for root in roots:
        shape_of(root, found)
    return found


def filled(shape: Any, values: list[Any]) -> Any:
    """A shape with values in its places."""
    if isinstance(shape, Place):
        return values[shape.number]
    container, members = shape
    values_of = [filled(one, values) if isinstance(one, Place | tuple) else one for one in members]
    if container == "dict":
        return dict(zip(values_of[::2], values_of[1::2], strict=True))
    return values_of if container == "list" else tuple(values_of)
