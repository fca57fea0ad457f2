"""The times of handlers in several runs, each corrected for the drift of the machine."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from statistics import median
from typing import TypeAlias

from ..names import HandlerName
from ..storage.histogram import quantile
from ..storage.statistics import HandlerStats
from .drift import COMPUTES, NONE, Drift, Ratio
from .rules import BEST

FEWEST = 3
"""The smallest number of calls that a comparison can judge."""
STEADY_FROM = 0.00002
"""The shortest time, in seconds, that reflects the machine more than the error of the clock."""

Handlers: TypeAlias = Mapping[HandlerName, HandlerStats]


class Level:
    """The times of handlers at one quantile of their calls, in earlier runs and in a new run.

    Args:
        runs: the called handlers of each earlier run.
        new: the called handlers of the new run.
        share: the quantile, from 0 to 1; 0.5 for the median.
        middle: the level of the median, if this is another one. It decides which drift is removed.

    Attributes:
        drifts: the drift of each earlier run.
        drift: the drift of the new run.
        before: the median time in the earlier runs by handler, corrected for drift.
    """

    def __init__(
        self,
        runs: Sequence[Handlers],
        new: Handlers,
        share: float,
        middle: Level | None = None,
    ) -> None:
        self._runs, self._new, self._share = runs, new, share
        # A cache: quantiles are slow to compute and used many times.
        self._times: dict[tuple[HandlerName, int], float] = {}
        names: set[HandlerName] = set().union(*runs)
        if middle is None:
            self._known: dict[int, set[HandlerName]] = {
                id(run): {name for name, stats in run.items() if stats.is_steady}
                for run in (*runs, new)
            }
            self._steady: set[HandlerName] = {name for name in names if self._is_steady(name)}
            self._computing: dict[HandlerName, float] = {
                name: self._share_of_computing(name) for name in names
            }
            self._alone: set[HandlerName] = {
                name for name in names if all(map(_works_itself, self._of(name)))
            }
        else:
            self._known, self._steady = middle._known, middle._steady
            self._computing, self._alone = middle._computing, middle._alone
        # The reference that each earlier run drifts from.
        usual = {name: median(self._time(name, run) for run in self.having(name)) for name in names}
        like = [None] * len(runs) if middle is None else middle.drifts
        self.drifts: list[Drift] = [
            self._drift(usual, run, one) if len(runs) > 1 else NONE
            for run, one in zip(runs, like, strict=True)
        ]
        self.before = {name: median(self.then(name)) for name in names}
        self.drift: Drift = self._drift(self.before, new, None if middle is None else middle.drift)

    def field(self, name: HandlerName) -> str:
        """Return the statistic to compare: ``steady_time`` if it is known, or else ``p50_time``."""
        return BEST if name in self._steady else "p50_time"

    def has(self, run: Handlers, name: HandlerName) -> bool:
        """Return whether a run has the statistic that a handler is compared by."""
        return name in run and (name not in self._steady or name in self._known[id(run)])

    def _is_steady(self, name: HandlerName) -> bool:
        if name in self._new and name not in self._known[id(self._new)]:
            return False
        return any(name in self._known[id(run)] for run in self._runs)

    def _share_of_computing(self, name: HandlerName) -> float:
        # The new run comes last: drift changes the share it measures.
        known = [share for run in self.having(name) if (share := run[name].computing) is not None]
        if not known and name in self._new:
            known = [share for share in [self._new[name].computing] if share is not None]
        return median(known) if known else 1.0  # unknown for short calls, which mostly compute

    def factor(self, name: HandlerName, run: int | None = None) -> float:
        """Return the factor by which drift multiplies the time of a handler.

        Args:
            name: the handler.
            run: the index of an earlier run; ``None`` for the new run.
        """
        if run is not None:
            return self.drifts[run].factor(self._computing[name])
        # The code may wait more or less than before. Without steady times, waiting for a processor
        # would pass for that.
        now = self._new[name].computing if name in self._steady else None
        if now is not None:
            return self.drift.factor_of(now)
        return self.drift.factor(self._computing[name])

    def then(self, name: HandlerName) -> list[float]:
        """Return the time in each earlier run that has the handler, corrected for drift."""
        return self.undrifted(name, partial(self._time, name))

    def now(self, name: HandlerName) -> float:
        """Return the time in the new run, corrected for drift."""
        return self._time(name, self._new) / self.factor(name)

    def computes(self, name: HandlerName) -> bool:
        """Return whether the handler spends most of its time on a processor."""
        return self._computing[name] >= COMPUTES

    def ratio(self, name: HandlerName) -> float:
        """Return the time in the new run divided by the time before, corrected for drift."""
        return ratio(self.before[name], self.now(name))

    def undrifted(self, name: HandlerName, time: Callable[[Handlers], float]) -> list[float]:
        """Return a time in each earlier run that has the handler, corrected for drift.

        Args:
            name: the handler.
            time: a function that returns the measured time in a run, in seconds.
        """
        return [
            time(run) / self.factor(name, number)
            for number, run in enumerate(self._runs)
            if self.has(run, name)
        ]

    def having(self, name: HandlerName) -> list[Handlers]:
        """Return the earlier runs that have the statistic that a handler is compared by."""
        return [run for run in self._runs if self.has(run, name)]

    def _time(self, name: HandlerName, run: Handlers) -> float:
        key = name, id(run)
        if key not in self._times:
            # The same statistic for all runs: steady times only compare with steady times.
            times = run[name].steady if name in self._steady else run[name].histogram
            self._times[key] = quantile(times, self._share)
        return self._times[key]

    def _of(self, name: HandlerName) -> Iterator[HandlerStats]:
        """Yield the statistics of a handler in all runs that are compared."""
        yield from (run[name] for run in self.having(name))
        if name in self._new:
            yield self._new[name]

    def _drift(
        self, before: Mapping[HandlerName, float], run: Handlers, like: Drift | None
    ) -> Drift:
        return Drift.of(
            [
                Ratio(
                    self._time(name, run) / time,
                    self._computing[name],
                    name in self._alone,
                )
                for name, time in before.items()
                if time >= STEADY_FROM and self.has(run, name) and run[name].calls >= FEWEST
            ],
            like=like,
        )


def _works_itself(stats: HandlerStats) -> bool:
    """Tell whether a handler takes at least as much time itself as the handlers it calls."""
    return stats.self_time >= stats.total_time / 2


def ratio(before: float, after: float) -> float:
    """Return ``after`` divided by ``before``; infinite if only ``before`` is 0.

    Example:
        >>> ratio(2.0, 3.0), ratio(0.0, 0.0), ratio(0.0, 3.0)
        (1.5, 1.0, inf)
    """
    if before == after:
        return 1.0
    return after / before if before else math.inf
