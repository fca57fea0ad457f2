"""Type checks for arguments, and for data from files that may have been edited."""

from __future__ import annotations

from typing import Any

WHOLE_NUMBER = "a whole number, zero or more"
"""The description of a valid value in errors about a failed `is_whole_number`."""
_LARGEST = 2**63
_LATEST = 1e12  # 30,000 years, in seconds
_LAST_MOMENT = 253_402_300_799  # the end of the year 9999, as far as dates go
_LONGEST = 60


def is_whole_number(value: object) -> bool:
    """Return whether ``value`` is an ``int`` (not a ``bool``) of at least 0 and below 2**63."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _LARGEST


def whole_number(name: str, value: Any) -> int:
    """Return ``value`` if it is an integer of at least 0.

    Args:
        name: the name of the parameter, for errors.
        value: the argument.

    Raises:
        TypeError: ``value`` is not an ``int``.
        ValueError: ``value`` is negative or too large.
    """
    if is_whole_number(value):
        return int(value)
    wrong = isinstance(value, bool) or not isinstance(value, int)
    error = TypeError if wrong else ValueError
    raise error(f"{name} must be {WHOLE_NUMBER}, not {value!r}")


def true_or_false(name: str, value: Any, accepted: str = "True or False") -> bool:
    """Return ``value`` if it is a ``bool``.

    Args:
        name: the name of the parameter, for errors.
        value: the argument.
        accepted: the valid values, for errors.

    Raises:
        TypeError: ``value`` is not a ``bool``.
    """
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be {accepted}, not {value!r}")
    return value


def true_false_or_none(name: str, value: Any) -> bool | None:
    """Return ``value`` if it is a ``bool`` or ``None``; see `true_or_false`."""
    return None if value is None else true_or_false(name, value, "True, False or None")


def count(value: Any) -> int:
    """Return ``value`` if it is a count.

    Raises:
        ValueError: ``value`` is not a count.
    """
    if type(value) is not int or not 0 <= value < _LARGEST:
        raise ValueError(f"{shown(value)} is not a count")
    return value


def time(value: Any) -> float:
    """Return ``value`` if it is a time in seconds, at least 0.

    Raises:
        ValueError: ``value`` is not a time.
    """
    # NaN fails the second check, as each comparison with it is false.
    if type(value) not in (int, float) or not 0 <= value <= _LATEST:
        raise ValueError(f"{shown(value)} is not a time")
    return float(value)


def moment(value: Any) -> float:
    """Return ``value`` if it is a point in time in Unix seconds that has a date.

    Raises:
        ValueError: ``value`` is not a time, or has no date.
    """
    if time(value) > _LAST_MOMENT:
        raise ValueError(f"{shown(value)} is after the year 9999")
    return float(value)


def text(value: Any) -> str:
    """Return ``value`` if it is text.

    Raises:
        ValueError: ``value`` is not text.
    """
    if type(value) is not str:
        raise ValueError(f"{shown(value)} is not text")
    return value


def flag(value: Any) -> bool:
    """Return ``value`` if it is true or false.

    Raises:
        ValueError: ``value`` is not a ``bool``.
    """
    if type(value) is not bool:
        raise ValueError(f"{shown(value)} is neither true nor false")
    return value


def shown(value: Any) -> str:
    """Return the ``repr`` of ``value`` for an error, cut to a limit."""
    if type(value) is int and value >= _LARGEST:
        return "a number with too many digits"
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
