"""Conversion of quantities: ``"100ms"`` to seconds, ``"10%"`` to a share, and back to text."""

from __future__ import annotations

import math
import re
from contextlib import suppress
from datetime import UTC, datetime

_SECONDS = {
    "d": 86_400.0,
    "h": 3_600.0,
    "min": 60.0,
    "s": 1.0,
    "ms": 1e-3,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,  # the Greek letter mu, which many keyboards type for the micro sign
    "ns": 1e-9,
}
_TEXT = re.compile(r"\s*([0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)\s*([a-zµμ]+)?\s*")
ACCEPTED = 'seconds as a number, or text such as "100ms" (units: ns, µs, us, ms, s, min, h, d)'


def seconds(value: float | str, name: str = "duration") -> float:
    """Return a duration in seconds.

    Args:
        value: seconds as a number, or text with a unit: ``"100ms"``, ``"1.5 s"``, ``"30d"``.
        name: the name of the argument or option, for errors.

    Returns:
        The duration in seconds, at least 0.

    Raises:
        TypeError: ``value`` is neither a number nor text.
        ValueError: ``value`` is text that is not a duration, or a number that is negative, infinite
            or NaN.

    Example:
        >>> seconds("100ms")
        0.1
    """
    if isinstance(value, str):
        match = _TEXT.fullmatch(value)
        unit = (match[2] or "s") if match else ""
        if match is None or unit not in _SECONDS:
            raise ValueError(f"{name}: {value!r} is not a duration; use {ACCEPTED}")
        number = float(match[1]) * _SECONDS[unit]
    elif isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name}: {value!r} is not a duration; use {ACCEPTED}")
    else:
        number = _float(value)
    if not 0 <= number < math.inf:
        wrong = "negative" if number < 0 else "not finite"
        raise ValueError(f"{name}: {value!r} is {wrong}; use {ACCEPTED}")
    return number


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:  # the int is larger than any float
        return math.inf


def duration(value: float) -> str:
    """Return text for a number of seconds, to three figures, in a unit from ns to s.

    Example:
        >>> duration(0.0123), duration(0.0)
        ('12.3 ms', '0 s')
    """
    if value == 0:
        return "0 s"
    for unit in ("s", "ms", "µs"):
        # From 0.9995 ms on, microseconds would round to 1000 µs: use 1.00 ms.
        if value >= 0.9995 * _SECONDS[unit]:
            break
    else:
        unit = "ns"
    scaled = value / _SECONDS[unit]
    digits = 2 if scaled < 9.995 else 1 if scaled < 99.95 else 0
    return f"{scaled:,.{digits}f} {unit}"


def share(value: float | str, name: str = "share") -> float:
    """Return a share as a number from 0 to 1.

    Args:
        value: the number, or text such as ``"10%"`` or ``"0.1"``.
        name: the name of the argument or option, for errors.

    Raises:
        TypeError: ``value`` is neither a number nor text.
        ValueError: ``value`` is not from 0 to 1, or is text that is not a share.

    Example:
        >>> share("10%"), share(0.25)
        (0.1, 0.25)
    """
    accepted = 'a number from 0 to 1, or text such as "10%"'
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise TypeError(f"{name}: {value!r} is not a share; use {accepted}")
    try:
        if isinstance(value, str):
            text = value.strip()
            number = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        else:
            number = _float(value)
    except ValueError:
        number = math.nan
    if not 0 <= number <= 1:
        raise ValueError(f"{name}: {value!r} is not a share; use {accepted}")
    return number


def percent(value: float) -> str:
    """Return text for a share, in percent to three figures.

    Example:
        >>> percent(0.125), percent(0.0)
        ('12.5 %', '0 %')
    """
    return f"{value * 100:.3g} %"


def probability(value: float) -> str:
    """Return text for a probability, to four digits.

    Example:
        >>> probability(0.0123), probability(1e-9)
        ('0.0123', '<0.0001')
    """
    return "<0.0001" if value < 0.00005 else f"{value:.4f}"


def moment(value: float) -> str:
    """Return text for Unix seconds, in UTC.

    Example:
        >>> moment(1_700_000_000)
        '2023-11-14 22:13:20 UTC'
    """
    return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def instant(value: float | str | datetime, name: str, now: float) -> float:
    """Return a point in time in Unix seconds.

    Args:
        value: Unix seconds; a ``datetime``, in local time unless it has a time zone; or text: how
            long ago, such as ``"1h"``, or a date in ISO 8601.
        name: the name of the argument or option, for errors.
        now: the current time in Unix seconds.

    Raises:
        TypeError, ValueError: ``value`` is not a point in time.

    Example:
        >>> instant("1h", "since", now=1_700_000_000.0)
        1699996400.0
        >>> instant("2023-11-14T22:13:20Z", "since", now=0.0)
        1700000000.0
    """
    accepted = 'Unix seconds, a datetime, or text such as "1h" (ago) or "2024-05-31 12:00"'
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, str):
        with suppress(ValueError):
            return now - seconds(value)
        with suppress(ValueError):
            return datetime.fromisoformat(value).timestamp()
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        if math.isfinite(_float(value)):
            return float(value)
    else:
        raise TypeError(f"{name}: {value!r} is not a time; use {accepted}")
    raise ValueError(f"{name}: {value!r} is not a time; use {accepted}")
