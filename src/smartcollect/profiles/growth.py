"""The numbers of a comparison: how much statistics grew, and how likely by chance."""

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
"""The smallest number of runs with a known spread."""
_LEAST_SPREAD = 0.01
_LEAST_DISPERSION = 0.1
_SIGMAS = 1 / 1.349
"""The standard deviation of a normal distribution, divided by its interquartile range."""
_LIKE = 5
"""The smallest number of similar handlers whose growths show how far chance moves them."""


class Change(NamedTuple):
    """The change of one statistic of one handler from earlier runs to a new run.

    Attributes:
        name: the handler.
        field: the statistic.
        before, after: the values. Times are in seconds and corrected for drift: as if the new run
            had been as fast as the earlier ones. ``before`` is the median of the earlier runs. For
            ``steady_time`` each run counts with the mean of the quartiles of its calls, which
            varies less than the median.
        ratio: ``after`` divided by ``before``; infinite if only ``before`` is 0.
        p: the probability that unchanged code looks at least this much slower, by the rank test on
            the calls or by the size of the growth, whichever is larger. The latter is corrected
            for the number of handlers. ``None`` for counts and for too few calls.
        spread: the spread of the earlier runs, a standard deviation as a share of ``before``;
            ``None`` with fewer than three runs.
        regression: True if the statistic grew by more than a rule allows, and not by chance.
        why: the reason for the verdict; ``""`` if no rule applies.
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
    """The growth of statistics since earlier runs, and how likely it is by chance.

    Args:
        runs: the called handlers of each earlier run.
        new: the called handlers of the new run.

    Attributes:
        drift: the drift of the new run.
    """

    def __init__(self, runs: Sequence[Handlers], new: Handlers) -> None:
        self._runs, self._new = runs, new
        low, half, high = QUARTILES
        self._level = middle = Level(runs, new, half)
        self._quartiles = [Level(runs, new, low, middle), middle, Level(runs, new, high, middle)]
        self.drift = self._level.drift
        self._pooled = self._spread_of_all()

    def _then(self, name: HandlerName, field: str) -> list[float]:
        """Return a statistic in each earlier run that has the handler, corrected for drift."""
        if field == BEST:
            # The mean of the quartiles: a median jumps if the machine is slow for half of a run.
            levels = zip(*(level.then(name) for level in self._quartiles), strict=True)
            return [fmean(times) for times in levels]
        if STATISTICS[field].kind is Kind.TIME:
            return self._level.undrifted(name, lambda run: _value(run[name], field))
        return [_value(run[name], field) for run in self._level.having(name)]

    def _now(self, name: HandlerName, field: str) -> float:
        """Return a statistic in the new run, corrected for drift."""
        if field == BEST:
            return fmean(level.now(name) for level in self._quartiles)
        value = _value(self._new[name], field)
        return value / self._level.factor(name) if STATISTICS[field].kind is Kind.TIME else value

    def _spread_of_all(self) -> float:
        """Return the median spread of all handlers."""
        spreads = []
        for name in set().union(*self._runs):
            values = self._then(name, BEST)
            if len(values) >= _RUNS and median(values) >= STEADY_FROM:
                spreads.append(spread(values))
        return max(median(spreads), _LEAST_SPREAD) if spreads else _LEAST_SPREAD

    def changes(self, field: str) -> list[Change]:
        """Return the change of one statistic of each handler, not judged yet."""
        names = sorted(name for name in self._new if any(name in run for run in self._runs))
        found = [self._change(name, field) for name in names]
        if STATISTICS[field].kind is Kind.TIME:
            enough = [change for change in found if self._has_enough_calls(change.name)]
            noise = self._noise(enough)
            chances = corrected([self._chance(change, noise[change.name]) for change in enough])
            likely = {
                change.name: max(p, self._rank_test(change.name, change.field))
                for change, p in zip(enough, chances, strict=True)
            }
            found = [change._replace(p=likely.get(change.name)) for change in found]
        return found

    def _change(self, name: HandlerName, field: str) -> Change:
        shown = self._level.field(name) if field == BEST else field
        values = self._then(name, shown)
        before, after = median(values), self._now(name, shown)
        is_time = STATISTICS[field].kind is Kind.TIME
        is_known = is_time and len(values) >= _RUNS and self._has_enough_calls(name)
        known = max(spread(values), self._pooled) if is_known else None
        return Change(name, shown, before, after, ratio(before, after), None, known, False, "")

    def _has_enough_calls(self, name: HandlerName) -> bool:
        return min(self.calls(name)) >= FEWEST

    def _noise(self, changes: Sequence[Change]) -> dict[HandlerName, float]:
        """Return by handler how far the growths of similar handlers lie apart.

        The code of most handlers did not change, so their differences show what chance does in
        these runs. Handlers that compute are similar to each other, as are handlers that wait.
        """
        long_enough = [change for change in changes if change.before >= STEADY_FROM]
        kinds: dict[bool, list[float]] = {True: [], False: []}
        for change in long_enough:
            kinds[self._level.computes(change.name)].append(change.ratio)
        every = [change.ratio for change in long_enough]
        noise = {
            kind: spread(ratios if len(ratios) >= _LIKE else every) if len(every) >= _LIKE else 0.0
            for kind, ratios in kinds.items()
        }
        return {change.name: noise[self._level.computes(change.name)] for change in changes}

    def _chance(self, change: Change, noise: float) -> float:
        """Return the probability of this growth by chance, for one handler alone."""
        name, growth = change.name, change.ratio - 1
        then, now = self.calls(name)
        # Few calls show their dispersion poorly: assume a larger one.
        dispersion = self._dispersion(name) * (1 + 3 / min(then, now))
        # Times vary in proportion: on a log scale, twice as long is as far as half as long.
        grown = math.log(change.ratio) if change.ratio > 0 else -math.inf
        p = outlying(grown, dispersion * math.sqrt(1 / then + 1 / now))
        if change.spread is None:
            return p
        ratios = self.quartiles(name)
        # The standard error of the mean of the quartiles, which may have grown differently.
        doubt = pstdev(ratios) / math.sqrt(len(ratios)) if math.isfinite(sum(ratios)) else 0.0
        between = of_median(change.spread, self.runs(name))
        return max(p, outlying(growth, max(noise, between), doubt))

    def _dispersion(self, name: HandlerName) -> float:
        """Return the dispersion of the calls in one run, as a share: a standard deviation."""
        low, middle, high = (level.now(name) for level in self._quartiles)
        before = [level.before[name] for level in self._quartiles]
        apart = [(high - low) / middle] if middle else []
        apart += [(before[2] - before[0]) / before[1]] if before[1] else []
        return max([_SIGMAS * one for one in apart] + [_LEAST_DISPERSION])

    def quartiles(self, name: HandlerName) -> list[float]:
        """Return the ratio, now to before, of each quartile of a handler's calls."""
        return [level.ratio(name) for level in self._quartiles]

    def calls(self, name: HandlerName) -> tuple[int, int]:
        """Return the number of a handler's calls in the earlier runs and in the new run."""
        return sum(run[name].calls for run in self._level.having(name)), self._new[name].calls

    def more_calls(self, name: HandlerName) -> float:
        """Return the number of calls in the new run divided by the median of the earlier runs."""
        usual = median(run[name].calls for run in self._level.having(name))
        return self._new[name].calls / usual

    def runs(self, name: HandlerName) -> int:
        """Return the number of earlier runs that have the handler."""
        return len(self._level.having(name))

    def _rank_test(self, name: HandlerName, field: str) -> float:
        """Return p of the rank test on the calls, corrected for drift."""

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
