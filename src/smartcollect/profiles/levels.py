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
from .drift import NONE, Drift, Ratio
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
    """

    def __init__(self, runs: Sequence[Handlers], new: Handlers, share: float) -> None:
        self._runs, self._new, self._share = runs, new, share
        names: set[HandlerName] = set().union(*runs)
        self._steady = {
            name: all(run[name].is_steady for run in (*runs, new) if name in run) for name in names
        }
        # That of the new run is another one where the machine drifted.
        self._computing = {
            name: median(run[name].computing for run in self._with(name)) for name in names
        }
        # What all runs that have the handler came to: each run drifts from that.
        usual = {name: median(self._time(name, run) for run in self._with(name)) for name in names}
        self.drifts = [self._drift(usual, run) if len(runs) > 1 else NONE for run in runs]
        self._before = {name: median(self.then(name)) for name in names}
        self.drift = self._drift(self._before, new)

    def field(self, name: HandlerName) -> str:
        """Return the statistic that is known of the handler in all runs, the steadiest one."""
        return BEST if self._steady[name] else "p50_time"

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

    def ratio(self, name: HandlerName) -> float:
        """Return how much longer the calls of the new run take, the drift taken out."""
        return ratio(self._before[name], self.now(name))

    def undrifted(self, name: HandlerName, time: Callable[[Handlers], float]) -> list[float]:
        """Return a time of each earlier run that has the handler, its drift taken out.

        Args:
            name: the handler.
            time: tells that of a run, in seconds.
        """
        return [
            time(run) / drift.factor(self._computing[name])
            for run, drift in zip(self._runs, self.drifts, strict=True)
            if name in run
        ]

    def _with(self, name: HandlerName) -> list[Handlers]:
        return [run for run in self._runs if name in run]

    def _time(self, name: HandlerName, run: Handlers) -> float:
        # Like is compared with like.
        stats = run[name]
        return quantile(stats.steady if self._steady[name] else stats.histogram, self._share)

    def _drift(self, before: Mapping[HandlerName, float], run: Handlers) -> Drift:
        return Drift.of(
            [
                Ratio(self._time(name, run) / time, self._computing[name])
                for name, time in before.items()
                if time >= STEADY_FROM and name in run and run[name].calls >= FEWEST
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
