"""What is read from plain data that anybody may have edited has the type that it should have."""

from __future__ import annotations

import math
from typing import Any

_LATEST = 1e12  # 30,000 years, in seconds
_MOST = 2**63
_LONGEST = 60


def count(value: Any) -> int:
    """A number of things.

    Raises:
        ValueError: ``value`` is none.
    """
    if type(value) is not int or not 0 <= value < _MOST:
        raise ValueError(f"{shown(value)} is no count")
    return value


def time(value: Any) -> float:
    """Seconds, zero or more.

    Raises:
        ValueError: ``value`` is none.
    """
    if type(value) not in (int, float) or not 0 <= value <= _LATEST or math.isnan(value):
        raise ValueError(f"{shown(value)} is no time")
    return float(value)


def text(value: Any) -> str:
    """Text.

    Raises:
        ValueError: ``value`` is none.
    """
    if type(value) is not str:
        raise ValueError(f"{shown(value)} is no text")
    return value


def flag(value: Any) -> bool:
    """True or false.

    Raises:
        ValueError: ``value`` is neither.
    """
    if type(value) is not bool:
        raise ValueError(f"{shown(value)} is neither true nor false")
    return value


def shown(value: Any) -> str:
    """``value`` in an error."""
    if type(value) is int and value >= _MOST:
        return "a number with too many digits"
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
