"""Histogram buckets for other systems: fewer than the recorder's, but on the same bounds.

A bucket of the recorder includes its lower bound and excludes its upper bound. Systems that
include the upper bound get the largest number below it, written as the recorder's bound.
"""

from __future__ import annotations

import sys
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from itertools import accumulate
from math import inf

from ..storage.histogram import STEPS, bound_of, bucket_of, nearest_bound
from ..units import seconds

_LEAST = sys.float_info.min


def snapped(buckets: Iterable[float | str]) -> list[int]:
    """Return the recorder's buckets whose lower bounds are nearest to the given bounds, in order.

    Args:
        buckets: bounds in seconds, or text such as ``"100ms"``. Infinity is left out because it
            is always a bound.

    Raises:
        TypeError: ``buckets`` is not a list of bounds.
        ValueError: a bound is not above zero.

    Example:
        >>> [bound_of(bound) for bound in snapped(["1s", 0.5, "0.501s"])]
        [0.5, 1.0]
    """
    if isinstance(buckets, (str, bytes)) or not isinstance(buckets, Iterable):
        raise TypeError(
            f'buckets must be bounds such as (0.1, 0.5) or ["100ms", "1s"], not {buckets!r}'
        )
    bounds = set()
    for value in buckets:
        if value == inf:
            continue
        bounds.add(nearest_bound(_above_zero(value, "buckets")))
    return sorted(bounds)


def _above_zero(value: float | str, name: str) -> float:
    number = seconds(value, name)
    if number < _LEAST:
        raise ValueError(f"{name} must be above zero, not {value!r}")
    return number


def calls_below(bounds: Iterable[int], histogram: Mapping[int, int]) -> list[int]:
    """Return the number of calls below each bound.

    Args:
        bounds: the bounds that `snapped` returned, in order.
        histogram: the number of calls in each bucket of `storage.histogram.bucket_of`.

    Example:
        >>> calls_below(snapped(["1s", "2s"]), {snapped(["1s"])[0]: 7})
        [0, 7]
    """
    buckets = sorted(histogram)
    reached = [0, *accumulate(map(histogram.__getitem__, buckets))]
    return [reached[bisect_left(buckets, bound)] for bound in bounds]


def buckets_between(low: float | str, high: float | str, steps: int = 1) -> tuple[float, ...]:
    """Return the bounds of adjacent buckets, for ``Collector(log, buckets=...)``.

    They are bounds of the recorder's buckets, so `Collector` uses them unchanged.

    Args:
        low: seconds, or text such as ``"1ms"``; the first bound is here or just below.
        high: seconds, or text such as ``"10s"``; the last bound is here or just above.
        steps: the buckets for each doubling of the time: 1, 2, 4, 8, 16 or 32. The relative error
            of a quantile that Prometheus computes between ``low`` and ``high`` is at most
            ``1 / steps``.

    Raises:
        TypeError, ValueError: a value is invalid; the error names it.

    Example:
        >>> buckets_between("1s", "3.5s", steps=2)
        (1.0, 1.5, 2.0, 3.0, 4.0)
    """
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1 or STEPS % steps:
        raise ValueError(f"steps must be 1, 2, 4, 8, 16 or 32, not {steps!r}")
    least, most = _above_zero(low, "low"), _above_zero(high, "high")
    if least > most:
        raise ValueError(f"low={low!r} must not be above high={high!r}")
    width = STEPS // steps
    bounds = [bound_of(bucket_of(least) // width * width)]
    while bounds[-1] < most:
        bounds.append(bound_of(bucket_of(bounds[-1]) + width))
    return tuple(bounds)


DEFAULT_BUCKETS = buckets_between(2.0**-20, 2.0**5, steps=2)
"""The default bounds: 1 µs to 32 s, two buckets for each doubling."""
