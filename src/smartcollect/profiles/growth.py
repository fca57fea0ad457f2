"""How far handlers grew since earlier runs, and how surely: the numbers of a comparison."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, median, pstdev
from typing import Any, NamedTuple

from ..names import HandlerName
from ..storage.fields import STATISTICS, Kind
from ..storage.statistics import HandlerStats
from .levels import FEWEST, STEADY_FROM, Handlers, Level, ratio
from .rules import BEST
from .significance import (
    QUARTILES,
    corrected,
    of_median,
    outlying,
    scaled,
    slower,
    spread,
)

_RUNS = 3
"""Runs whose spread can be told."""
_LEAST_SPREAD = 0.01
_LEAST_DISPERSION = 0.1
_SIGMAS = 1 / 1.349
"""Standard deviations of a normal distribution between its quartiles."""
_LIKE = 5
"""Handlers whose growths tell how far such lie apart."""


class Change(NamedTuple):
    """One statistic of one handler, then and now.

    Attributes:
        name: the handler.
        field: the statistic.
        before, after: its values, times in seconds; ``before`` is the median of several runs. Of
            ``steady_time`` they are means of the quartiles, not medians, which jump more.
        ratio: ``after`` to ``before``, the drift of the machine taken out of both; infinite where
            there was nothing before.
        p: how likely code that is no slower looks at least as slow: by the ranks of its calls or,
            if that is larger, by how much it grew, corrected for the number of handlers; ``None``
            for what is exact, such as counts, and where nothing can be told.
        spread: of the runs of the baseline, a standard deviation as a share of ``before``;
            ``None`` where they are fewer than three.
        regression: whether it grew by more than a rule allows, and that is real.
        why: what the verdict rests on; ``""`` where no rule says what to judge.
    """

    name: HandlerName
    field: str
    before: float
    after: float
    ratio: float
    p: float | None
    spread: float | None
    regression: bool
    why: str


class Growth:
    """How far the statistics of handlers grew since earlier runs, and how surely.

    Args:
        runs: the handlers of each earlier run that were called.
        new: those of the one that is compared.

    Attributes:
        drift: of the one that is compared.
    """

    def __init__(self, runs: Sequence[Handlers], new: Handlers) -> None:
        self._runs, self._new = runs, new
        self._quartiles = [Level(runs, new, share) for share in QUARTILES]
        self._level = self._quartiles[1]
        self.drift = self._level.drift
        self._pooled = self._spread_of_all()

    def _then(self, name: HandlerName, field: str) -> list[float]:
        """Return a statistic of each earlier run that has the handler, the drift taken out."""
        if field == BEST:
            # The mean of the quartiles: a median jumps if a machine is slow for half of a run.
            levels = zip(*(level.then(name) for level in self._quartiles), strict=True)
            return [fmean(times) for times in levels]
        if STATISTICS[field].kind is Kind.TIME:
            return self._level.undrifted(name, lambda run: _value(run[name], field))
        return [_value(run[name], field) for run in self._level.having(name)]

    def _now(self, name: HandlerName, field: str) -> float:
        """Return the same statistic of the new run, as it was measured."""
        if field == BEST:
            return fmean(level.now(name) for level in self._quartiles) * self._level.factor(name)
        return _value(self._new[name], field)

    def _spread_of_all(self) -> float:
        """Return the spread of a handler that is like the others."""
        spreads = []
        for name in set().union(*self._runs):
            values = self._then(name, BEST)
            if len(values) >= _RUNS and median(values) >= STEADY_FROM:
                spreads.append(spread(values))
        return max(median(spreads), _LEAST_SPREAD) if spreads else _LEAST_SPREAD

    def changes(self, field: str) -> list[Change]:
        """Return how one statistic of each handler differs, not judged yet."""
        names = sorted(name for name in self._new if any(name in run for run in self._runs))
        found = [self._change(name, field) for name in names]
        if STATISTICS[field].kind is Kind.TIME:
            telling = [change for change in found if self._can_tell(change.name)]
            noise = self._noise(telling)
            chances = corrected([self._chance(change, noise[change.name]) for change in telling])
            likely = {
                change.name: max(p, self._rank_test(change.name, change.field))
                for change, p in zip(telling, chances, strict=True)
            }
            found = [change._replace(p=likely.get(change.name)) for change in found]
        return found

    def _change(self, name: HandlerName, field: str) -> Change:
        shown = self._level.field(name) if field == BEST else field
        values = self._then(name, shown)
        before, after = median(values), self._now(name, shown)
        change = Change(name, shown, before, after, ratio(before, after), None, None, False, "")
        if STATISTICS[field].kind is not Kind.TIME:
            return change
        grown = ratio(before, after / self._level.factor(name))
        told = len(values) >= _RUNS and self._can_tell(name)
        known = max(spread(values), self._pooled) if told else None
        return change._replace(ratio=grown, spread=known)

    def _can_tell(self, name: HandlerName) -> bool:
        return min(self.calls(name)) >= FEWEST

    def _noise(self, changes: Sequence[Change]) -> dict[HandlerName, float]:
        """Return how far the growths of handlers that are like each one lie apart.

        Most handlers did not change: what they differ by is what chance does in these runs. Those
        that compute are like one another, and so are those that wait.
        """
        telling = [change for change in changes if change.before >= STEADY_FROM]
        kinds: dict[bool, list[float]] = {True: [], False: []}
        for change in telling:
            kinds[self._level.computes(change.name)].append(change.ratio)
        every = [change.ratio for change in telling]
        noise = {
            kind: spread(ratios if len(ratios) >= _LIKE else every) if len(every) >= _LIKE else 0.0
            for kind, ratios in kinds.items()
        }
        return {change.name: noise[self._level.computes(change.name)] for change in changes}

    def _chance(self, change: Change, noise: float) -> float:
        """Return how likely chance makes a handler grow so much, one handler alone."""
        name, growth = change.name, change.ratio - 1
        then, now = self.calls(name)
        # A few calls do not tell well how far they lie apart.
        dispersion = self._dispersion(name) * (1 + 3 / min(then, now))
        # Times are spread in proportion: twice as long is as far away as half as long.
        grown = math.log(change.ratio) if change.ratio > 0 else -math.inf
        p = outlying(grown, dispersion * math.sqrt(1 / then + 1 / now))
        if change.spread is None:
            return p
        ratios = self.quartiles(name)
        # How far the mean of the quartiles is known, if they grew differently.
        doubt = pstdev(ratios) / math.sqrt(len(ratios)) if math.isfinite(sum(ratios)) else 0.0
        between = of_median(change.spread, self.runs(name))
        return max(p, outlying(growth, max(noise, between), doubt))

    def _dispersion(self, name: HandlerName) -> float:
        """Return how far calls of one run lie apart: a standard deviation, as a share."""
        low, middle, high = (level.now(name) for level in self._quartiles)
        before = [level.before[name] for level in self._quartiles]
        apart = [(high - low) / middle] if middle else []
        apart += [(before[2] - before[0]) / before[1]] if before[1] else []
        return max([_SIGMAS * one for one in apart] + [_LEAST_DISPERSION])

    def quartiles(self, name: HandlerName) -> list[float]:
        """Return how much longer the quartiles of the calls of a handler take."""
        return [level.ratio(name) for level in self._quartiles]

    def calls(self, name: HandlerName) -> tuple[int, int]:
        """Return how many calls of a handler are compared: of the earlier runs, and of the new."""
        return sum(run[name].calls for run in self._level.having(name)), self._new[name].calls

    def more_calls(self, name: HandlerName) -> float:
        """Return the number of calls of a handler to that of an earlier run."""
        usual = median(run[name].calls for run in self._level.having(name))
        return self._new[name].calls / usual

    def runs(self, name: HandlerName) -> int:
        """Return how many of the earlier runs have the handler."""
        return len(self._level.having(name))

    def _rank_test(self, name: HandlerName, field: str) -> float:
        """Return p of the rank test on the calls, the drift taken out."""

        def taken(run: Handlers, number: int | None) -> tuple[Mapping[int, int], list[float]]:
            times = run[name].steady if field == BEST else run[name].histogram
            return times, [level.factor(name, number) for level in self._quartiles]

        olds = enumerate(self._runs)
        return slower(
            scaled(taken(run, number) for number, run in olds if self._level.has(run, name)),
            scaled([taken(self._new, None)]),
        )


def _value(stats: HandlerStats, field: str) -> float:
    found: Mapping[str, Any] = stats.statistics()
    return float(found[field])
