"""The settings of a log: names, defaults and checks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from ..checks import true_or_false, whole_number
from ..names import did_you_mean
from ..values.redaction import SECRET_NAMES

OBJECTS = ("repr", "type")
"""The ways to show objects that are neither scalars nor builtin containers."""
OBJECTS_ACCEPTED = " or ".join(map(repr, OBJECTS))


def _share(name: str, value: Any) -> float:
    accepted = "a number from 0.0 (no call) to 1.0 (every call)"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be {accepted}, not {value!r}")
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must be {accepted}, not {value!r}")
    return float(value)


def _serializers(name: str, value: Any) -> dict[type, Callable[[Any], Any]]:
    accepted = "a dict that maps types to functions, such as {Decimal: str}"
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must be {accepted}, not {value!r}")
    for kind, function in value.items():
        if not isinstance(kind, type) or not callable(function):
            raise TypeError(f"{name} must be {accepted}; it has {kind!r}: {function!r}")
    return dict(value)


def _objects(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be {OBJECTS_ACCEPTED}, not {value!r}")
    if value not in OBJECTS:
        raise ValueError(f"{name} must be {OBJECTS_ACCEPTED}, not {value!r}")
    return value


def _names(name: str, value: Any) -> tuple[str, ...]:
    accepted = 'a tuple of parameter names, such as ("password", "pin"), or () to redact nothing'
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise TypeError(f"{name} must be {accepted}, not {value!r}")
    names = tuple(value)
    for one in names:
        if not isinstance(one, str):
            raise TypeError(f"{name} must be {accepted}; it has {one!r}")
        if not any(character.isalpha() for character in one):
            raise ValueError(f"{name} must be {accepted}; {one!r} has no letters")
    return names


def _setting(default: Any, check: Callable[[str, Any], Any], handler: bool = False) -> Any:
    """Return a field for a setting; ``handler`` says whether it can be set for one handler."""
    return field(default=default, metadata={"check": check, "handler": handler})


@dataclass(frozen=True)
class LogSettings:
    """The settings of a log; see `CollectPlugin` for the meaning of each."""

    max_history: int = _setting(1000, whole_number)
    serialize: bool = _setting(True, true_or_false, handler=True)
    include_context: bool = _setting(True, true_or_false)
    sample_rate: float = _setting(1.0, _share, handler=True)
    serializers: Mapping[type, Callable[[Any], Any]] = field(
        default_factory=dict, metadata={"check": _serializers, "handler": False}
    )
    objects: str = _setting("repr", _objects)
    redact: tuple[str, ...] = _setting(SECRET_NAMES, _names)
    call_sites: bool = _setting(False, true_or_false)
    enabled: bool = _setting(True, true_or_false, handler=True)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-able data."""
        document = {name: getattr(self, name) for name in _FIELDS}
        document["serializers"] = [kind.__qualname__ for kind in self.serializers]
        document["redact"] = list(self.redact)
        return document


_FIELDS = {one.name: one.metadata for one in fields(LogSettings)}
DEFAULTS = LogSettings()
HANDLER_SETTINGS = tuple(name for name, setting in _FIELDS.items() if setting["handler"])
"""The settings that can be set for a single handler."""
FLAGS = tuple(name for name, setting in _FIELDS.items() if setting["check"] is true_or_false)
"""The settings that are either true or false."""


def changed(settings: LogSettings, changes: Mapping[str, Any]) -> LogSettings:
    """Return ``settings`` with ``changes``.

    Raises:
        TypeError: a name is unknown, or a value has the wrong type.
        ValueError: a value is out of range.
    """
    checked = {name: check(name, value) for name, value in changes.items()}
    return replace(settings, **checked)


def check(name: str, value: Any, accepted: Iterable[str] | None = None) -> Any:
    """Return ``value`` checked, and converted to the type of the setting ``name``.

    Args:
        name: the name of the setting.
        value: the value that was passed.
        accepted: the names of the settings that can be used here; all by default.

    Raises:
        TypeError: ``name`` is not one of these settings, or the value has the wrong type.
        ValueError: the value is out of range.
    """
    names = tuple(_FIELDS if accepted is None else accepted)
    if name not in names:
        hint = did_you_mean(name, names)
        raise TypeError(
            f"setting {name!r} is not available here; choose from {', '.join(names)}"
            f"{hint and f'; {hint}'}"
        )
    return _FIELDS[name]["check"](name, value)
