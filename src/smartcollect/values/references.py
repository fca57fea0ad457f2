"""Which object a call was given, without keeping that alive."""

from __future__ import annotations

import weakref
from typing import Any

from .known import bases_of, is_made_in_python

Reference = weakref.ref[Any] | None
"""To an object; ``None`` where there is no way to tell it again."""
UNTOLD: tuple[Reference, ...] = (None,)
"""For arguments that nobody is going to compare."""


# By the identity of a class: to ask all its bases takes ten times as long.
_referable: dict[int, tuple[weakref.ref[type], bool]] = {}
_MOST = 10_000


def is_referable(kind: type) -> bool:
    """Return whether there may be references to objects of a class without their noticing.

    Types of C code may look at their weak references: numpy resizes no array that has one.
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
    """Return a reference to ``value``; an address alone may be that of another object by then."""
    return made_reference(value) if is_referable(type(value)) else None


def made_reference(value: object) -> Reference:
    """Return a reference to ``value``, which is of a class that `is_referable`."""
    try:
        return weakref.ref(value)
    except TypeError:
        return None


def is_same(one: Reference, other: Reference) -> bool:
    """Return whether both refer to one object, which still lives."""
    if one is None or other is None:
        return False
    value = one()
    return value is not None and value is other()
