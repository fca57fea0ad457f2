"""Weak references to arguments, to compare them between calls without keeping them alive."""

from __future__ import annotations

import weakref
from typing import Any

from .known import bases_of, is_made_in_python

Reference = weakref.ref[Any] | None
"""A reference to an object; ``None`` if the object cannot be referenced."""
UNKNOWN_REFERENCES: tuple[Reference, ...] = (None,)
"""The references of arguments that will not be compared."""


# By the ``id`` of a class. Checking all of its bases takes ten times as long.
_referable: dict[int, tuple[weakref.ref[type], bool]] = {}
_MOST = 10_000


def is_referable(kind: type) -> bool:
    """Return whether weak references to objects of a class have no side effects.

    C types may check for weak references: numpy does not resize an array that has one.
    """
    known = _referable.get(id(kind))
    if known is not None and known[0]() is kind:
        return known[1]
    *bases, _ = bases_of(kind)
    answer = all(map(is_made_in_python, bases))
    if len(_referable) >= _MOST:
        _referable.clear()
    _referable[id(kind)] = weakref.ref(kind), answer
    return answer


def reference_to(value: object) -> Reference:
    """Return a reference to ``value``. Comparing ``id`` is not enough, because it may be reused."""
    return made_reference(value) if is_referable(type(value)) else None


def made_reference(value: object) -> Reference:
    """Return a reference to ``value``, whose class `is_referable`."""
    try:
        return weakref.ref(value)
    except TypeError:
        return None


def is_same(one: Reference, other: Reference) -> bool:
    """Return whether both refer to the same object, and it is still alive."""
    if one is None or other is None:
        return False
    value = one()
    return value is not None and value is other()
