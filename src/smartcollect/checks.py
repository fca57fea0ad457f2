"""Type checks for what users pass and for what files hold that may have been edited."""

from __future__ import annotations

from typing import Any

WHOLE_NUMBER = "a whole number, zero or more"
"""Names in errors what `is_whole_number` checks."""
_LARGEST = 2**63
_LATEST = 1e12  # 30,000 years, in seconds
_LAST_MOMENT = 253_402_300_799  # the end of the year 9999, as far as dates go
_LONGEST = 60


def is_whole_number(value: object) -> bool:
    """Tell whether ``value`` is an ``int`` from zero up that fits into 63 bits."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _LARGEST


def whole_number(name: str, value: Any) -> int:
    """Return ``value`` if it is a whole number.

    Args:
        name: the parameter; errors begin with it.
        value: what was passed for it.

    Raises:
        TypeError: ``value`` is not an ``int``.
        ValueError: ``value`` is negative or too large.
    """
    if is_whole_number(value):
        return int(value)
    wrong = isinstance(value, bool) or not isinstance(value, int)
    error = TypeError if wrong else ValueError
    raise error(f"{name}: {value!r} is not accepted; accepted: {WHOLE_NUMBER}")


def count(value: Any) -> int:
    """Return ``value`` if it is a number of things.

    Raises:
        ValueError: it is not.
    """
    if type(value) is not int or not 0 <= value < _LARGEST:
        raise ValueError(f"{shown(value)} is no count")
    return value


def time(value: Any) -> float:
    """Return ``value`` if it is a time in seconds, zero or more.

    Raises:
        ValueError: it is not.
    """
    # Of NaN, too, this is not true.
    if type(value) not in (int, float) or not 0 <= value <= _LATEST:
        raise ValueError(f"{shown(value)} is no time")
    return float(value)


def moment(value: Any) -> float:
    """Return ``value`` if it is a point in time in Unix seconds, which can be shown as a date.

    Raises:
        ValueError: it is not.
    """
    if time(value) > _LAST_MOMENT:
        raise ValueError(f"{shown(value)} is after the year 9999")
    return float(value)


def text(value: Any) -> str:
    """Return ``value`` if it is text.

    Raises:
        ValueError: it is not.
    """
    if type(value) is not str:
        raise ValueError(f"{shown(value)} is no text")
    return value


def flag(value: Any) -> bool:
    """Return ``value`` if it is true or false.

    Raises:
        ValueError: it is neither.
    """
    if type(value) is not bool:
        raise ValueError(f"{shown(value)} is neither true nor false")
    return value


def shown(value: Any) -> str:
    """Return ``value`` as an error shows it: bounded."""
    if type(value) is int and value >= _LARGEST:
        return "a number with too many digits"
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
