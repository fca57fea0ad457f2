"""The times of handlers in several runs, the drift of the machine taken out of each."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from statistics import median
from typing import TypeAlias

from ..names import HandlerName
from ..storage.histogram import quantile
from ..storage.statistics import HandlerStats
from .drift import COMPUTES, NONE, Drift, Ratio
from .rules import BEST

FEWEST = 3
"""Calls of which something can be told."""
STEADY_FROM = 0.00002
"""The seconds from which on a time depends on the machine more than on how it is taken."""

Handlers: TypeAlias = Mapping[HandlerName, HandlerStats]


class Level:
    """The times of handlers at one quantile of their calls, in earlier runs and in a new one.

    Args:
        runs: the handlers of each earlier run that were called.
        new: those of the one that is compared.
        share: of the calls, that take no longer; from 0 to 1.

    Attributes:
        drifts: of the earlier runs.
        drift: of the new one.
        before: the median of the earlier runs by handler, the drift of each taken out.
    """

    def __init__(self, runs: Sequence[Handlers], new: Handlers, share: float) -> None:
        self._runs, self._new, self._share = runs, new, share
        # Each is asked for again and again.
        self._times: dict[tuple[HandlerName, int], float] = {}
        self._known = {
            id(run): {name for name, stats in run.items() if stats.is_steady}
            for run in (*runs, new)
        }
        names: set[HandlerName] = set().union(*runs)
        self._steady = {name for name in names if self._is_steady(name)}
        self._computing = {name: self._share_of_computing(name) for name in names}
        # What all runs that have the handler came to: each run drifts from that.
        usual = {name: median(self._time(name, run) for run in self.having(name)) for name in names}
        self.drifts = [self._drift(usual, run) if len(runs) > 1 else NONE for run in runs]
        self.before = {name: median(self.then(name)) for name in names}
        self.drift = self._drift(self.before, new)

    def field(self, name: HandlerName) -> str:
        """Return the statistic that is known of the handler in all runs, the steadiest one."""
        return BEST if name in self._steady else "p50_time"

    def has(self, run: Handlers, name: HandlerName) -> bool:
        """Tell whether a run has what the others are compared by, of a handler."""
        return name in run and (name not in self._steady or name in self._known[id(run)])

    def _is_steady(self, name: HandlerName) -> bool:
        if name in self._new and name not in self._known[id(self._new)]:
            return False
        return any(name in self._known[id(run)] for run in self._runs)

    def _share_of_computing(self, name: HandlerName) -> float:
        # That of the new run is another one where the machine drifted.
        known = [share for run in self.having(name) if (share := run[name].computing) is not None]
        if not known and name in self._new:
            known = [share for share in [self._new[name].computing] if share is not None]
        return median(known) if known else 1.0  # what is short computes, mostly

    def factor(self, name: HandlerName, run: int | None = None) -> float:
        """Return what the drift multiplies the time of a handler by.

        Args:
            name: the handler.
            run: which of the earlier runs; ``None`` for the new one.
        """
        drift = self.drift if run is None else self.drifts[run]
        return drift.factor(self._computing[name])

    def then(self, name: HandlerName) -> list[float]:
        """Return the time of each earlier run that has the handler, the drift taken out."""
        return self.undrifted(name, partial(self._time, name))

    def now(self, name: HandlerName) -> float:
        """Return the time of the new run, the drift taken out."""
        return self._time(name, self._new) / self.factor(name)

    def computes(self, name: HandlerName) -> bool:
        """Tell whether the handler computes most of its time."""
        return self._computing[name] >= COMPUTES

    def ratio(self, name: HandlerName) -> float:
        """Return how much longer the calls of the new run take, the drift taken out."""
        return ratio(self.before[name], self.now(name))

    def undrifted(self, name: HandlerName, time: Callable[[Handlers], float]) -> list[float]:
        """Return a time of each earlier run that has the handler, its drift taken out.

        Args:
            name: the handler.
            time: tells that of a run, in seconds.
        """
        return [
            time(run) / self.factor(name, number)
            for number, run in enumerate(self._runs)
            if self.has(run, name)
        ]

    def having(self, name: HandlerName) -> list[Handlers]:
        """Return the earlier runs that have what a handler is compared by."""
        return [run for run in self._runs if self.has(run, name)]

    def _time(self, name: HandlerName, run: Handlers) -> float:
        key = name, id(run)
        if key not in self._times:
            # Like is compared with like.
            times = run[name].steady if name in self._steady else run[name].histogram
            self._times[key] = quantile(times, self._share)
        return self._times[key]

    def _drift(self, before: Mapping[HandlerName, float], run: Handlers) -> Drift:
        return Drift.of(
            [
                Ratio(self._time(name, run) / time, self._computing[name])
                for name, time in before.items()
                if time >= STEADY_FROM and self.has(run, name) and run[name].calls >= FEWEST
            ]
        )


def ratio(before: float, after: float) -> float:
    """Return ``after`` to ``before``: infinite where there was nothing before.

    Example:
        >>> ratio(2.0, 3.0), ratio(0.0, 0.0), ratio(0.0, 3.0)
        (1.5, 1.0, inf)
    """
    if before == after:
        return 1.0
    return after / before if before else math.inf
