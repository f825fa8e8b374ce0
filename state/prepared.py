"""Statements that are made once for each of their shapes, and executed with other values each time.

To make one, and to find its compiled form, costs many times what the database needs to execute it.
"""

from collections.abc import Callable, Hashable, Mapping
from typing import Any

from sqlalchemy import ClauseElement, bindparam

MOST = 1000  # of one user; there are some dozens


class Prepared:
    """Statements by their shapes: which columns are set, which conditions hold."""

    def __init__(self) -> None:
        self._made: dict[Hashable, Any] = {}

    def get(self, shape: Hashable, make: Callable[[], Any]) -> Any:
        """The statement of this shape, made at first."""
        statement = self._made.get(shape)
        if statement is None:
            if len(self._made) >= MOST:  # a part of the shapes is never the same twice
                self._made.clear()
            statement = self._made[shape] = make()
        return statement


def shape_of(values: Mapping[str, Any]) -> Hashable:
    """What distinguishes one SET from another. An expression is known by being the same object."""
    return tuple((name, id(value) if isinstance(value, ClauseElement) else None) for name, value in values.items())


def settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """For `update.values`: expressions as they are, and a parameter in the place of each value."""
    return {
        name: value if isinstance(value, ClauseElement) else bindparam(f"v_{name}") for name, value in values.items()
    }


def parameters(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values for the parameters of `settings`."""
    return {f"v_{name}": value for name, value in values.items() if not isinstance(value, ClauseElement)}
