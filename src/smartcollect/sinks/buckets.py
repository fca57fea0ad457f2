"""Buckets as others count in them: fewer than the recorder's own, but with the same bounds.

A bucket of the recorder has its lower bound and not its upper one. Where others count times up to
a bound, that is the largest number below ours, written as ours.
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
    """Return the recorder's buckets whose lower bounds are nearest to some bounds, in order.

    Args:
        buckets: seconds, or text such as ``"100ms"``. Infinity is left out: it is always a bound.

    Raises:
        TypeError: ``buckets`` are not bounds.
        ValueError: one is not above zero.

    Example:
        >>> [bound_of(bound) for bound in snapped(["1s", 0.5, "0.501s"])]
        [0.5, 1.0]
    """
    if isinstance(buckets, (str, bytes)) or not isinstance(buckets, Iterable):
        raise TypeError(
            f'buckets: {buckets!r} are not bounds such as (0.1, 0.5) or ["100ms", "1s"]'
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
        raise ValueError(f"{name}: {value!r} is not above zero")
    return number


def calls_below(bounds: Iterable[int], histogram: Mapping[int, int]) -> list[int]:
    """Return how many calls took less than each bound.

    Args:
        bounds: as `snapped` returns them, in order.
        histogram: how many calls fell into each bucket of `storage.histogram.bucket_of`.

    Example:
        >>> calls_below(snapped(["1s", "2s"]), {snapped(["1s"])[0]: 7})
        [0, 7]
    """
    buckets = sorted(histogram)
    reached = [0, *accumulate(map(histogram.__getitem__, buckets))]
    return [reached[bisect_left(buckets, bound)] for bound in bounds]


def buckets_between(low: float | str, high: float | str, steps: int = 1) -> tuple[float, ...]:
    """Return the bounds of buckets that lie side by side, for ``Collector(log, buckets=...)``.

    They are bounds of the recorder's own buckets, so they are not moved.

    Args:
        low: seconds, or text such as ``"1ms"``; the first bound is there, or the next below.
        high: in the same way; the last bound is there, or the next above.
        steps: buckets for each doubling of the time: 1, 2, 4, 8, 16 or 32. A quantile that
            Prometheus works out between ``low`` and ``high`` is off by ``1 / steps`` at most.

    Raises:
        TypeError, ValueError: a value is not accepted; the error names it.

    Example:
        >>> buckets_between("1s", "3.5s", steps=2)
        (1.0, 1.5, 2.0, 3.0, 4.0)
    """
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1 or STEPS % steps:
        raise ValueError(f"steps: {steps!r} is not 1, 2, 4, 8, 16 or 32")
    least, most = _above_zero(low, "low"), _above_zero(high, "high")
    if least > most:
        raise ValueError(f"low: {low!r} is above high: {high!r}")
    width = STEPS // steps
    bounds = [bound_of(bucket_of(least) // width * width)]
    while bounds[-1] < most:
        bounds.append(bound_of(bucket_of(bounds[-1]) + width))
    return tuple(bounds)


DEFAULT_BUCKETS = buckets_between(2.0**-20, 2.0**5, steps=2)
"""The bounds unless others are given: 1 µs to 32 s, two buckets for each doubling."""
