"""Text for values of known types, written without running code of the application.

A ``repr`` of the application may do anything: send SQL, consume an iterator, or wait for a lock
that the caller holds. Types are recognized by identity, so subclasses are not known. Types whose
``repr`` shows other objects are not included, such as bound methods.
"""

from __future__ import annotations

import datetime
import decimal
import pathlib
import types
import uuid
import weakref
import zoneinfo
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

# Read from `type` directly, because a metaclass may override these attributes.
name_of: Callable[[type], str] = type.__dict__["__name__"].__get__
bases_of: Callable[[type], tuple[type, ...]] = type.__dict__["__mro__"].__get__
namespace_of: Callable[[type], Mapping[str, Any]] = type.__dict__["__dict__"].__get__
_flags_of: Callable[[type], int] = type.__dict__["__flags__"].__get__
_MADE_IN_PYTHON = 1 << 9  # Py_TPFLAGS_HEAPTYPE

_MOST = 10_000
# By the ``id`` of a class. Making the text anew for each object takes three times as long.
_texts: dict[int, tuple[weakref.ref[type], str]] = {}
_OS_ERROR = {
    name: OSError.__dict__[name].__get__ for name in ("errno", "strerror", "filename", "filename2")
}
_SCALARS = (type(None), bool, int, float, str, bytes)


def is_shown_by_type(kind: type) -> bool:
    """Return whether `known_text` knows no value of a class."""
    return id(kind) not in _WRITERS and not issubclass(kind, (Enum, type))


def is_scalar(value: object) -> bool:
    """Return whether ``value`` has a builtin type whose values contain no other objects."""
    kind = type(value)
    return any(kind is one for one in _SCALARS)


def is_made_in_python(kind: type) -> bool:
    """Return whether a class was defined by Python code."""
    return bool(_flags_of(kind) & _MADE_IN_PYTHON)


def type_text(value: object) -> str:
    """Return the text for an object that is shown only by type.

    Example:
        >>> type_text(object())
        '<object>'
    """
    kind = type(value)
    known = _texts.get(id(kind))
    if known is not None and known[0]() is kind:
        return known[1]
    if len(_texts) >= _MOST:
        _texts.clear()
    text = f"<{name_of(kind)}>"
    _texts[id(kind)] = weakref.ref(kind), text
    return text


def known_text(value: object) -> str | None:
    """Return the text of a value of a known type, such as a date; ``None`` for any other.

    Example:
        >>> known_text(datetime.date(2026, 1, 31)), known_text(object())
        ('2026-01-31', None)
    """
    kind = type(value)
    writer = _WRITERS.get(id(kind))
    if writer is not None:
        return writer(value)
    if issubclass(kind, Enum):
        return _enum_text(value, kind)
    if issubclass(kind, type):
        return f"<class {name_of(value)}>"  # type: ignore[arg-type]
    return None


def os_error_text(error: OSError) -> str | None:
    """Return the message of an ``OSError``; ``None`` if it has parts of unknown types."""
    parts = {name: get(error) for name, get in _OS_ERROR.items()}
    if not all(map(is_scalar, parts.values())):
        return None
    if parts["errno"] is None:
        return None
    names = [repr(parts[name]) for name in ("filename", "filename2") if parts[name] is not None]
    ending = f": {' -> '.join(names)}" if names else ""
    return f"[Errno {parts['errno']}] {parts['strerror']}{ending}"


def _enum_text(value: Any, kind: type) -> str | None:
    # The name of a member is in its own dict, unless a class defines `_name_`.
    if any("_name_" in namespace_of(base) for base in bases_of(kind)):
        return None
    name = object.__getattribute__(value, "_name_")
    return f"{name_of(kind)}.{name}" if type(name) is str else None


def _moment_text(value: Any) -> str:
    # A time zone class of the application would compute the offset by its own code.
    zone = _zone_of(value)
    if any(type(zone) is known for known in _ZONES):
        return str(value)
    return f"{value.replace(tzinfo=None)} {type_text(zone)}"


def _zone_of(value: Any) -> object:
    owner = datetime.datetime if type(value) is datetime.datetime else datetime.time
    zone: object = owner.__dict__["tzinfo"].__get__(value)
    return zone


def _uuid_text(value: Any) -> str:
    number: object = object.__getattribute__(value, "int")
    return str(value) if type(number) is int else type_text(value)


def _function_text(value: Any) -> str:
    return f"<function {value.__code__.co_qualname}>"


_ZONES = (type(None), datetime.timezone, zoneinfo.ZoneInfo)
_PLAIN = (
    *(complex, type(Ellipsis), type(NotImplemented)),
    *(datetime.date, datetime.timedelta, datetime.timezone, decimal.Decimal, zoneinfo.ZoneInfo),
    *(pathlib.PurePosixPath, pathlib.PureWindowsPath, pathlib.PosixPath, pathlib.WindowsPath),
)
_WRITERS: dict[int, Callable[[Any], str]] = {
    **{id(kind): str for kind in _PLAIN},
    id(datetime.datetime): _moment_text,
    id(datetime.time): _moment_text,
    id(uuid.UUID): _uuid_text,
    id(types.FunctionType): _function_text,
    id(types.BuiltinFunctionType): lambda value: f"<built-in function {value.__name__}>",
}
"""The function that writes values of a type, by the ``id`` of the type."""
