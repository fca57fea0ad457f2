"""Statistical tests for differences between times: is a growth more than chance?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import NormalDist, median

from ..storage.histogram import bucket_of, middle_of

SIGNIFICANT = 0.05
"""The largest p of a difference that counts as real."""
_NORMAL = NormalDist()
_SIGMAS = 1.4826
"""The standard deviation of a normal distribution, divided by its median absolute deviation."""
_OF_FEW = (1.196, 1.495, 1.363, 1.206, 1.200, 1.140, 1.129, 1.107)
"""Corrections for the deviation of two to nine values (Croux and Rousseeuw, 1992)."""


def slower(old: Mapping[int, int], new: Mapping[int, int]) -> float:
    """Return the probability that ``new`` looks this much slower than ``old`` by chance.

    This is the one-sided rank test of Mann and Whitney (1947), with the normal approximation and
    corrections for ties and continuity. Values in the same bucket are ties.

    Args:
        old, new: histograms, the number of calls by bucket, with at least one call each.

    Returns:
        p, from 0 to 1.

    Example:
        >>> round(slower({1: 5}, {9: 5}), 3)
        0.002
    """
    size_old, size_new = sum(old.values()), sum(new.values())
    # Each pair of an old and a new call counts 2 if the new one is slower, and 1 for a tie.
    wins, below, ties = 0, 0, 0
    for bucket in sorted(old.keys() | new.keys()):
        there, here = old.get(bucket, 0), new.get(bucket, 0)
        wins += here * (2 * below + there)
        below += there
        ties += (there + here) ** 3 - (there + here)
    pairs, size = size_old * size_new, size_old + size_new
    variance = pairs / 12 * (size + 1 - ties / (size * (size - 1)))
    if variance <= 0:
        return 1.0
    return 1 - _NORMAL.cdf(((wins - pairs - 1) / 2) / math.sqrt(variance))


QUARTILES = (0.25, 0.5, 0.75)


def scaled(histograms: Iterable[tuple[Mapping[int, int], Sequence[float]]]) -> dict[int, int]:
    """Return the sum of histograms, after dividing the times of each by factors.

    Args:
        histograms: pairs of a histogram and its factors at the three quartiles; factors between
            the quartiles are interpolated.
    """
    found: dict[int, int] = {}
    for histogram, factors in histograms:
        below, all_calls = 0, sum(histogram.values())
        for bucket in sorted(histogram):
            calls = histogram[bucket]
            factor = _between(factors, (below + calls / 2) / all_calls)
            moved = bucket if factor == 1.0 else bucket_of(middle_of(bucket) / factor)
            found[moved] = found.get(moved, 0) + calls
            below += calls
    return found


def _between(factors: Sequence[float], share: float) -> float:
    low, middle, high = factors
    first, half, last = QUARTILES
    if share <= half:
        part = max(share - first, 0.0) / (half - first)
        return low + (middle - low) * part
    part = min(share - half, last - half) / (last - half)
    return middle + (high - middle) * part


def spread(values: Sequence[float]) -> float:
    """Return the spread of values: a standard deviation as a share of their median.

    It is estimated from the median absolute deviation, which a few outliers do not change.

    Args:
        values: at least two values, none of them negative.

    Example:
        >>> round(spread([1.0, 1.01, 1.02, 1.03, 9.0]), 4)
        0.0175
    """
    middle, number = median(values), len(values)
    if not middle:
        return 0.0
    few = number - 2 < len(_OF_FEW)
    correction = _OF_FEW[number - 2] if few else number / (number - 0.8)
    return correction * _SIGMAS * median(abs(value - middle) for value in values) / middle


def of_median(spread: float, runs: int) -> float:
    """Return the spread of the difference between one run and the median of other runs.

    The median of normally distributed values has pi / 2 times the variance of their mean.

    Args:
        spread: the spread of single runs, a standard deviation.
        runs: the number of other runs.

    Example:
        >>> round(of_median(0.05, 5), 4)
        0.0573
    """
    return spread * math.sqrt(1 + math.pi / (2 * runs))


def outlying(growth: float, *spreads: float) -> float:
    """Return the probability that a handler grows this much by chance.

    Args:
        growth: the growth as a share, such as 0.1 for 10 %.
        spreads: the standard deviations of independent causes of growth, as shares.

    Returns:
        p, from 0 to 1.

    Example:
        >>> round(outlying(0.1, 0.05), 3), round(outlying(0.1, 0.03, 0.04), 3)
        (0.023, 0.023)
    """
    error = math.hypot(*spreads)
    return 1 - _NORMAL.cdf(growth / error) if error else float(growth <= 0)


def corrected(chances: Sequence[float]) -> list[float]:
    """Return the p of several tests, each corrected for the number of tests.

    The corrected p is a false discovery rate (Benjamini and Hochberg, 1995): of all differences up
    to that p, this share is expected to be chance.

    Example:
        >>> [round(p, 3) for p in corrected([0.01, 0.04, 0.03, 0.5])]
        [0.04, 0.053, 0.053, 0.5]
    """
    found = list(chances)
    least = 1.0
    order = sorted(range(len(chances)), key=lambda index: chances[index], reverse=True)
    for rank, index in zip(range(len(chances), 0, -1), order, strict=True):
        least = min(least, chances[index] * len(chances) / rank)
        found[index] = least
    return found
