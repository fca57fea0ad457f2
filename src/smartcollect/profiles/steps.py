"""Steps: where numbers of one run after the other change for good."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import accumulate, chain, pairwise, repeat
from statistics import NormalDist, fmean, median, mode
from typing import NamedTuple

CONFIRMING = 3
"""Runs in a row that confirm a step."""
_LEVEL = 20
"""Runs before a step that tell what is usual."""
_BLOCK = 10
"""Runs that have to be there before a step of times, and whose median is a rough level."""
_RECENT = 500
"""Runs that tell how far those of a handler lie apart."""
_LEAST = math.log(1.05)
_SURE = 5.25
"""Standard deviations that a step of times is larger than."""
_LEAST_SPREAD = 0.01
_USUAL = 0.8
"""The share of the differences of successive runs that tells their spread: outliers do not."""
_OF_NORMAL = math.sqrt(2) * NormalDist().inv_cdf((1 + _USUAL) / 2)
"""That quantile for times of which the standard deviation is 1."""
_RARE = 0.97
_BEYOND_RARE = 1.75
_ENOUGH = 100
_SOME = 3
_SHORTEST = 1e-9
_AROUND = 2


class Found(NamedTuple):
    """A step.

    Attributes:
        at: the first run that has the new value.
        before, after: the values.
    """

    at: int
    before: float
    after: float


def count_steps(counts: Sequence[float]) -> Iterator[Found]:
    """Yield the steps of counts: three runs in a row with the same new count.

    What was usual is what most of the runs before had. Where the count changes again and again, it
    is not the code that determines it, and nothing is told.

    Example:
        >>> list(count_steps([4, 4, 4, 4, 5, 5, 5]))
        [Found(at=4, before=4, after=5)]
    """
    if len(set(counts)) < 2:
        return  # as most are
    changes = [0, *accumulate(before != after for before, after in pairwise(counts))]
    start = 0
    for index in range(CONFIRMING, len(counts) - CONFIRMING + 1):
        after = counts[index]
        if counts[index - 1] == after or changes[index + CONFIRMING - 1] != changes[index]:
            continue
        first = max(start, index - _LEVEL)
        # One run that differs, which are two changes, is let pass where there are enough others.
        unsteady = changes[index - 1] - changes[first]
        if index - first < CONFIRMING or unsteady > (2 if index - first >= 15 else 0):
            continue
        before = mode(counts[max(first, index - _BLOCK) : index])
        if before != after:
            yield Found(index, before, after)
            start = index


def time_steps(times: Sequence[float]) -> Iterator[Found]:
    """Yield the steps of times, in seconds.

    The mean of three runs differs by 5 % or more from the median of those before, each of the three
    by half of that at least; and the difference is larger than chance makes it: than five standard
    deviations, and well beyond what three runs in a row rarely differ by. The standard deviation
    comes from the differences of successive runs (von Neumann, 1941), which a step between them
    does not change. The other limit is for a machine that is slower for some runs in a row.

    Example:
        >>> [step.at for step in time_steps([1.0] * 20 + [1.2] * 3)]
        [20]
    """
    # Times are spread in proportion: twice as long is as far away as half as long.
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
            looked_at.told.append(start)
            level = median(looked_at.logs[first:start])
            after = fmean(looked_at.logs[start:confirmed])
            yield Found(start, math.exp(level), math.exp(after))


class _Times:
    """Times of one run after the other.

    Args:
        logs: their logarithms.

    Attributes:
        logs: the same.
        told: where steps are told until now.
    """

    def __init__(self, logs: Sequence[float]) -> None:
        self.logs = logs
        self.told: list[int] = []
        sums = [0.0, *accumulate(logs)]
        self._means = [
            (end - start) / CONFIRMING for start, end in zip(sums, sums[CONFIRMING:], strict=False)
        ]
        blocks = (median(logs[first : first + _BLOCK]) for first in range(0, len(logs), _BLOCK))
        usual = chain.from_iterable(repeat(block, _BLOCK) for block in blocks)
        # Of each run from the tenth on: how far it and the next two are from some runs before.
        self._away = [
            abs(mean - rough) for mean, rough in zip(self._means[_BLOCK:], usual, strict=False)
        ]
        self._noise: dict[tuple[int, int], tuple[float, float]] = {}

    def candidates(self) -> list[int]:
        """Return where a rough look sees a step."""
        least = 0.8 * _LEAST
        # Soon after a step back, only the runs just before tell it.
        before = self._means[_BLOCK - CONFIRMING :]
        return [
            index
            for index, (away, then, now) in enumerate(
                zip(self._away, before, self._means[_BLOCK:], strict=False), _BLOCK
            )
            if away >= least or abs(now - then) >= least
        ]

    def grown(self, first: int, index: int) -> float:
        """Return by how much the confirming runs differ from those before; 0 where one does not."""
        level = median(self.logs[first:index])
        grown = self._means[index] - level
        confirming = self.logs[index : index + CONFIRMING]
        # All on one side, and none by less than half.
        return grown if min(one * grown for one in _from(level, confirming)) >= grown**2 / 2 else 0

    def is_more_than_chance(self, grown: float, first: int, index: int) -> bool:
        """Tell whether chance hardly makes so large a difference."""
        error = math.sqrt(1 / CONFIRMING + math.pi / 2 / (index - first))
        if grown < _SURE * _LEAST_SPREAD * error:
            return False
        # One answer for ten runs: to sort hundreds for each takes most of the time.
        key = index // _BLOCK * _BLOCK, len(self.told)
        if key not in self._noise:
            self._noise[key] = self._spread(key[0]), self._rarely(key[0])
        spread, rarely = self._noise[key]
        return grown >= max(_SURE * spread * error, _BEYOND_RARE * rarely)

    def _spread(self, end: int) -> float:
        """Return the standard deviation of the runs before."""
        recent = self.logs[max(0, end - _RECENT) : end]
        differences = sorted(abs(after - before) for before, after in pairwise(recent))
        usual = differences[int(_USUAL * len(differences))] / _OF_NORMAL
        # Of few runs nobody knows well how far they lie apart.
        return usual * (1 + 3 / len(recent))

    def _rarely(self, end: int) -> float:
        """Return what three runs in a row before differed by at most, but for few."""
        last = end - _BLOCK - CONFIRMING
        start = max(0, last - _RECENT)
        away = self._away[start : max(start, last)]
        # A step that is told is no noise, unless there is one again and again.
        recent = [step for step in self.told if step >= start]
        for step in reversed(recent if len(recent) <= _SOME else []):
            low = max(0, step - CONFIRMING - _BLOCK - start)
            del away[low : max(low, step + _LEVEL - _BLOCK - start)]
        return sorted(away)[int(_RARE * len(away))] if len(away) >= _ENOUGH else 0.0

    def began(self, first: int, index: int) -> int:
        """Return the run where a step that is seen at ``index`` began: the best split of the runs
        around it in two levels.
        """
        end = min(len(self.logs), index + CONFIRMING + _AROUND)
        low, high = max(first + CONFIRMING, index - _AROUND), min(index + _AROUND, end - CONFIRMING)

        def error(split: int) -> float:
            parts = self.logs[first:split], self.logs[split:end]
            return sum(abs(one) for part in parts for one in _from(median(part), part))

        return min(range(low, high + 1), key=lambda split: (error(split), abs(split - index)))


def _from(level: float, values: Sequence[float]) -> list[float]:
    return [value - level for value in values]
