"""Which object a call was given, without keeping that alive."""

from __future__ import annotations

import weakref
from typing import Any

from .known import bases_of, is_made_in_python

Reference = weakref.ref[Any] | None
"""To an object; ``None`` where there is no way to tell it again."""


def reference_to(value: object) -> Reference:
    """Return a reference to ``value``.

    An address alone would not do: it may be that of another object by then. Types of C code may
    look at their weak references: numpy resizes no array that has one.
    """
    *bases, _ = bases_of(type(value))
    if not all(map(is_made_in_python, bases)):
        return None
    try:
        return weakref.ref(value)
    except TypeError:
        return None


def is_same(one: Reference, other: Reference) -> bool:
    """Tell whether both refer to one object, which still lives."""
    if one is None or other is None:
        return False
    value = one()
    return value is not None and value is other()
