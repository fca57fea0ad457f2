"""Steps: lasting changes in a series of numbers, one number per run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import accumulate, chain, pairwise, repeat
from statistics import NormalDist, fmean, median, mode
from typing import NamedTuple

CONFIRMING = 3
"""The number of consecutive runs that confirm a step."""
_LEVEL = 20
"""The number of runs before a step that define the level before it."""
_BLOCK = 10
"""The number of runs that share a rough level, and that must precede a step of times."""
COUNTED, TIMED = 2 * CONFIRMING, _BLOCK + CONFIRMING
"""The smallest number of runs in which a step of counts, or of times, can be found."""
_RECENT = 500
"""The number of latest runs that the noise of a handler is estimated from."""
_LEAST = math.log(1.05)
_SURE = 5.25
"""The smallest step of times, in standard deviations."""
_LEAST_SPREAD = 0.01
_USUAL = 0.8
"""The quantile of the differences between successive runs used for the spread.

Larger differences may be outliers.
"""
_OF_NORMAL = math.sqrt(2) * NormalDist().inv_cdf((1 + _USUAL) / 2)
"""The same quantile for normally distributed times with a standard deviation of 1."""
_RARE = 0.97
_BEYOND_RARE = 1.75
_ENOUGH = 100
_SOME = 3
_SHORTEST = 1e-9
_AROUND = 2


class Found(NamedTuple):
    """A step in a series of numbers.

    Attributes:
        at: the index of the first run with the new value.
        before, after: the values before and after the step.
    """

    at: int
    before: float
    after: float


def count_steps(counts: Sequence[float]) -> Iterator[Found]:
    """Yield the steps of counts: three runs in a row with the same new count.

    The count before a step is the most frequent one in the runs before it. A count that changes
    again and again does not depend on the code alone, so it has no steps.

    Example:
        >>> list(count_steps([4, 4, 4, 4, 5, 5, 5]))
        [Found(at=4, before=4, after=5)]
    """
    if len(set(counts)) < 2:
        return  # the most common case
    changes = [0, *accumulate(before != after for before, after in pairwise(counts))]
    start = 0
    for index in range(CONFIRMING, len(counts) - CONFIRMING + 1):
        after = counts[index]
        if counts[index - 1] == after or changes[index + CONFIRMING - 1] != changes[index]:
            continue
        first = max(start, index - _LEVEL)
        # With enough runs, allow a single different run, which makes two changes.
        unsteady = changes[index - 1] - changes[first]
        if unsteady > (2 if index - first >= 15 else 0):
            continue
        before = mode(counts[max(first, index - _BLOCK) : index])
        if before != after:
            yield Found(index, before, after)
            start = index


def time_steps(times: Sequence[float]) -> Iterator[Found]:
    """Yield the steps of times, in seconds.

    A step needs three runs in a row whose mean differs by 5 % or more from the median of the runs
    before. Each of the three must differ by at least half of that difference. The difference must
    also be larger than two limits:

    - About five standard deviations, estimated from the differences between successive runs (von
      Neumann, 1941), which a step hardly changes.
    - Clearly more than groups of three runs usually differ, for machines that are slow for several
      runs in a row.

    Example:
        >>> [step.at for step in time_steps([1.0] * 20 + [1.2] * 3)]
        [20]
    """
    # Times vary in proportion: on a log scale, twice as long is as far as half as long.
    if not min(times, default=1.0):
        times = [time or _SHORTEST for time in times]
    looked_at = _Times(list(map(math.log, times)))
    start = confirmed = 0
    for index in looked_at.candidates():
        if index < confirmed:
            continue
        first = max(start, index - _LEVEL)
        grown = abs(looked_at.grown(first, index))
        if grown >= _LEAST and looked_at.is_more_than_chance(grown, first, index):
            start = looked_at.began(first, index)
            confirmed = start + CONFIRMING
            looked_at.found.append(start)
            level = median(looked_at.logs[first:start])
            after = fmean(looked_at.logs[start:confirmed])
            yield Found(start, math.exp(level), math.exp(after))


class _Times:
    """The times of a handler in successive runs, on a log scale.

    Args:
        logs: the logarithms of the times.

    Attributes:
        logs: the logarithms of the times.
        found: the indexes of the steps found so far.
    """

    def __init__(self, logs: Sequence[float]) -> None:
        self.logs = logs
        self.found: list[int] = []
        sums = [0.0, *accumulate(logs)]
        self._means = [
            (end - start) / CONFIRMING for start, end in zip(sums, sums[CONFIRMING:], strict=False)
        ]
        blocks = (median(logs[first : first + _BLOCK]) for first in range(0, len(logs), _BLOCK))
        usual = chain.from_iterable(repeat(block, _BLOCK) for block in blocks)
        # For each index from _BLOCK on: the distance of three runs' mean from a rough level before.
        self._away = [
            abs(mean - rough) for mean, rough in zip(self._means[_BLOCK:], usual, strict=False)
        ]
        self._noise: dict[tuple[int, int], tuple[float, float]] = {}

    def candidates(self) -> list[int]:
        """Return the indexes where there may be a step, by a quick test."""
        least = 0.8 * _LEAST
        # The rough level may be outdated soon after a step, so compare with the runs just before.
        before = self._means[_BLOCK - CONFIRMING :]
        return [
            index
            for index, (away, then, now) in enumerate(
                zip(self._away, before, self._means[_BLOCK:], strict=False), _BLOCK
            )
            if away >= least or abs(now - then) >= least
        ]

    def grown(self, first: int, index: int) -> float:
        """Return the difference of the confirming runs from the level before the step.

        It is 0 if one of these runs differs too little.
        """
        level = median(self.logs[first:index])
        grown = self._means[index] - level
        confirming = self.logs[index : index + CONFIRMING]
        # Each must differ to the same side, by at least half of the mean difference.
        return grown if min(one * grown for one in _from(level, confirming)) >= grown**2 / 2 else 0

    def is_more_than_chance(self, grown: float, first: int, index: int) -> bool:
        """Return whether a difference is too large to be chance."""
        error = math.sqrt(1 / CONFIRMING + math.pi / 2 / (index - first))
        if grown < _SURE * _LEAST_SPREAD * error:
            return False
        # Sorting is slow, so ten runs share an estimate.
        key = index // _BLOCK * _BLOCK, len(self.found)
        if key not in self._noise:
            self._noise[key] = self._spread(key[0]), self._rarely(key[0])
        spread, rarely = self._noise[key]
        return grown >= max(_SURE * spread * error, _BEYOND_RARE * rarely)

    def _spread(self, end: int) -> float:
        """Return the standard deviation of the runs before ``end``."""
        recent = self.logs[max(0, end - _RECENT) : end]
        differences = sorted(abs(after - before) for before, after in pairwise(recent))
        usual = differences[int(_USUAL * len(differences))] / _OF_NORMAL
        # Few runs show their spread poorly: assume a larger one.
        return usual * (1 + 3 / len(recent))

    def _rarely(self, end: int) -> float:
        """Return a difference that three runs in a row before ``end`` rarely exceeded."""
        last = end - _BLOCK - CONFIRMING
        start = max(0, last - _RECENT)
        away = self._away[start : max(start, last)]
        # Leave out known steps, which are not noise, unless there are many of them.
        recent = [step for step in self.found if step >= start]
        for step in reversed(recent if len(recent) <= _SOME else []):
            low = max(0, step - CONFIRMING - _BLOCK - start)
            del away[low : max(low, step + _LEVEL - _BLOCK - start)]
        return sorted(away)[int(_RARE * len(away))] if len(away) >= _ENOUGH else 0.0

    def began(self, first: int, index: int) -> int:
        """Return the index where a step that was found at ``index`` began.

        That is the split of the nearby runs into two levels with the smallest error.
        """
        end = min(len(self.logs), index + CONFIRMING + _AROUND)
        low, high = max(first + CONFIRMING, index - _AROUND), min(index + _AROUND, end - CONFIRMING)

        def error(split: int) -> float:
            parts = self.logs[first:split], self.logs[split:end]
            return sum(abs(one) for part in parts for one in _from(median(part), part))

        return min(range(low, high + 1), key=lambda split: (error(split), abs(split - index)))


def _from(level: float, values: Sequence[float]) -> list[float]:
    return [value - level for value in values]
