"""The settings of a log: their names, their defaults, and what each takes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from .redaction import SECRET_NAMES


@dataclass(frozen=True)
class Settings:
    """How a log records; see `CollectPlugin` for what each setting means."""

    max_history: int = 1000
    serialize: bool = True
    include_context: bool = True
    sample_rate: float = 1.0
    serializers: Mapping[type, Callable[[Any], Any]] = field(default_factory=dict)
    redact: tuple[str, ...] = SECRET_NAMES
    enabled: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able data."""
        plain = {one.name: getattr(self, one.name) for one in fields(self)}
        plain["serializers"] = [kind.__qualname__ for kind in self.serializers]
        plain["redact"] = list(self.redact)
        return plain


DEFAULTS = Settings()
HANDLER_SETTINGS = ("enabled", "sample_rate", "serialize")
"""The settings that may differ from handler to handler."""
FLAGS = ("enabled", "serialize", "include_context")
"""The settings that are on or off."""


def changed(settings: Settings, changes: Mapping[str, Any]) -> Settings:
    """``settings`` with ``changes``.

    Raises:
        TypeError: a name is unknown, or a value has the wrong type.
        ValueError: a value is out of range.
    """
    checked = {name: check(name, value) for name, value in changes.items()}
    return replace(settings, **checked)


def check(name: str, value: Any, accepted: Iterable[str] | None = None) -> Any:
    """``value`` as the setting ``name`` keeps it.

    Args:
        name: the setting.
        value: what was given for it.
        accepted: the settings that may be given here; all of them when left out.

    Raises:
        TypeError: there is no such setting, or the value has the wrong type.
        ValueError: the value is out of range.
    """
    names = tuple(_CHECKS if accepted is None else accepted)
    if name not in names:
        raise TypeError(f"{name}: no such setting here; accepted: {', '.join(names)}")
    return _CHECKS[name](name, value)


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{name}: {value!r} is not accepted; accepted: True or False")
    return value


def _max_history(name: str, value: Any) -> int:
    accepted = "a whole number, zero or more"
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name}: {value!r} is not accepted; accepted: {accepted}")
    if not 0 <= value <= sys.maxsize:
        raise ValueError(f"{name}: {value!r} is not accepted; accepted: {accepted}")
    return value


def _sample_rate(name: str, value: Any) -> float:
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


def _redact(name: str, value: Any) -> tuple[str, ...]:
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


_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "max_history": _max_history,
    "serialize": _flag,
    "include_context": _flag,
    "sample_rate": _sample_rate,
    "serializers": _serializers,
    "redact": _redact,
    "enabled": _flag,
}
