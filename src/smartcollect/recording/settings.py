"""The settings of a log: their names, their defaults, and what each accepts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from ..checks import whole_number
from ..values.redaction import SECRET_NAMES

OBJECTS = ("repr", "type")
"""How objects can be shown that are neither scalars nor builtin containers."""
OBJECTS_ACCEPTED = " or ".join(map(repr, OBJECTS))


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{name}: {value!r} is not accepted; accepted: True or False")
    return value


def _share(name: str, value: Any) -> float:
    accepted = "a number from 0.0 (no call) to 1.0 (every call)"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name}: {value!r} is not accepted; accepted: {accepted}")
    if not 0 <= value <= 1:
        raise ValueError(f"{name}: {value!r} is not accepted; accepted: {accepted}")
    return float(value)


def _serializers(name: str, value: Any) -> dict[type, Callable[[Any], Any]]:
    accepted = "a dict of type to function, such as {Decimal: str}"
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise TypeError(f"{name}: {value!r} is not accepted; accepted: {accepted}")
    for kind, function in value.items():
        if not isinstance(kind, type) or not callable(function):
            raise TypeError(f"{name}: {kind!r}: {function!r} is not accepted; accepted: {accepted}")
    return dict(value)


def _objects(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name}: {value!r} is not accepted; accepted: {OBJECTS_ACCEPTED}")
    if value not in OBJECTS:
        raise ValueError(f"{name}: {value!r} is not accepted; accepted: {OBJECTS_ACCEPTED}")
    return value


def _names(name: str, value: Any) -> tuple[str, ...]:
    accepted = 'names of parameters, such as ("password", "pin"); () redacts nothing'
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise TypeError(f"{name}: {value!r} is not accepted; accepted: {accepted}")
    names = tuple(value)
    for one in names:
        if not isinstance(one, str):
            raise TypeError(f"{name}: {one!r} is not accepted; accepted: {accepted}")
        if not any(character.isalpha() for character in one):
            raise ValueError(f"{name}: {one!r} is not accepted; accepted: {accepted}")
    return names


def _setting(default: Any, check: Callable[[str, Any], Any], handler: bool = False) -> Any:
    """Define a setting; ``handler`` tells whether a single handler may have its own."""
    return field(default=default, metadata={"check": check, "handler": handler})


@dataclass(frozen=True)
class LogSettings:
    """The way a log records; see `CollectPlugin` for what each setting means."""

    max_history: int = _setting(1000, whole_number)
    serialize: bool = _setting(True, _flag, handler=True)
    include_context: bool = _setting(True, _flag)
    sample_rate: float = _setting(1.0, _share, handler=True)
    serializers: Mapping[type, Callable[[Any], Any]] = field(
        default_factory=dict, metadata={"check": _serializers, "handler": False}
    )
    objects: str = _setting("repr", _objects)
    redact: tuple[str, ...] = _setting(SECRET_NAMES, _names)
    call_sites: bool = _setting(False, _flag)
    enabled: bool = _setting(True, _flag, handler=True)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-able data."""
        document = {name: getattr(self, name) for name in _FIELDS}
        document["serializers"] = [kind.__qualname__ for kind in self.serializers]
        document["redact"] = list(self.redact)
        return document


_FIELDS = {one.name: one.metadata for one in fields(LogSettings)}
DEFAULTS = LogSettings()
HANDLER_SETTINGS = tuple(name for name, setting in _FIELDS.items() if setting["handler"])
"""The settings that may differ from handler to handler."""
FLAGS = tuple(name for name, setting in _FIELDS.items() if setting["check"] is _flag)
"""The settings that are on or off."""


def changed(settings: LogSettings, changes: Mapping[str, Any]) -> LogSettings:
    """Return ``settings`` with ``changes``.

    Raises:
        TypeError: a name is unknown, or a value has the wrong type.
        ValueError: a value is out of range.
    """
    checked = {name: check(name, value) for name, value in changes.items()}
    return replace(settings, **checked)


def check(name: str, value: Any, accepted: Iterable[str] | None = None) -> Any:
    """Return ``value`` as the setting ``name`` keeps it.

    Args:
        name: the setting.
        value: what was passed for it.
        accepted: the settings that may be given here; all of them when left out.

    Raises:
        TypeError: there is no such setting, or the value has the wrong type.
        ValueError: the value is out of range.
    """
    names = tuple(_FIELDS if accepted is None else accepted)
    if name not in names:
        raise TypeError(f"{name}: no such setting here; accepted: {', '.join(names)}")
    return _FIELDS[name]["check"](name, value)
