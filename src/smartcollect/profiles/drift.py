"""Drift of the machine: how much slower one run was than another as a whole."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from statistics import median
from typing import NamedTuple

_ENOUGH = 5
COMPUTES, _WAITS = 0.5, 0.25
_LEAST = 0.01
_CREDIBLE = 2.0
"""The largest drift that handlers which call each other can show."""


class Ratio(NamedTuple):
    """The growth of one handler's time between two runs.

    Attributes:
        ratio: the time in the later run divided by the time in the earlier run.
        computing: the share of the handler's time spent on a processor, from 0 to 1.
        works_itself: whether most of the time is its own, and not that of handlers it calls.
    """

    ratio: float
    computing: float
    works_itself: bool


class Drift(NamedTuple):
    """The slowdown of a run as a whole, compared with another run.

    A busy or hot machine computes more slowly, but waiting for a timer or another machine takes
    as long as before. So there are two factors: one for time spent computing, measured on handlers
    that compute, and one for time spent waiting, measured on handlers that wait. Each needs enough
    handlers to be known.

    Attributes:
        computing, waiting: the factors that are removed from times; 1.0 if unknown, or if a machine
            does not cause such a factor.
        computers, waiters: the number of handlers that each factor was measured on.
        measured_computing, measured_waiting: the factors as measured; 1.0 if unknown.
    """

    computing: float
    waiting: float
    computers: int
    waiters: int
    measured_computing: float = 1.0
    measured_waiting: float = 1.0

    def __str__(self) -> str:
        known = []
        if self.computers >= _ENOUGH:
            factor = self.measured_computing
            known.append(f"{factor:.2f} times as long ({self.computers} handlers)")
        if self.waiters >= _ENOUGH:
            factor = self.measured_waiting
            known.append(f"{factor:.2f} times as long to wait ({self.waiters} handlers)")
        if known:
            beyond = "" if self.is_removed else ", more than a machine causes"
            return f"this run took {' and '.join(known)}{beyond}"
        kind = "compute" if self.computers >= self.waiters else "wait"
        most = max(self.computers, self.waiters)
        return f"measuring it takes {_ENOUGH} handlers that mostly {kind}, and this run has {most}"

    @property
    def is_known(self) -> bool:
        """True if at least one factor was measured on enough handlers."""
        return max(self.computers, self.waiters) >= _ENOUGH

    @property
    def largest(self) -> float:
        """The larger of the two factors, as measured."""
        return max(self.measured_computing, self.measured_waiting)

    @property
    def is_removed(self) -> bool:
        """True if at least one factor is known, and each known factor is removed from times."""
        measured = self.measured_computing, self.measured_waiting
        return self.is_known and measured == (self.computing, self.waiting)

    @classmethod
    def of(
        cls, ratios: Collection[Ratio], enough: int = _ENOUGH, like: Drift | None = None
    ) -> Drift:
        """Return the drift between two runs: the median ratio of the handlers' times.

        Handlers that work themselves count. The others become slower with the handlers they call,
        so one slow function would pass for the drift of all. Only if there are too few handlers
        that work themselves, all count, but only a factor that a busy machine may cause is removed.

        A factor stays 1.0 if it has fewer than ``enough`` handlers. Otherwise a change in the code
        of a few handlers would pass for drift.

        Args:
            ratios: the growth of each handler.
            enough: the number of handlers that each factor needs.
            like: the drift of the same runs at another quantile, to remove what it removes.

        Example:
            >>> Drift.of([Ratio(1.1, 1.0, True)] * 5).computing
            1.1
        """
        computing, computers, removes = _factor(
            [one for one in ratios if one.computing >= COMPUTES],
            # A handler may do both: first correct its ratio for the other part.
            lambda one: (one.ratio - 1 + one.computing) / one.computing,
            enough,
        )
        if like is not None:
            removes = like.computing == like.measured_computing
        removed = computing if removes else 1.0
        waiting, waiters, removes = _factor(
            [one for one in ratios if one.computing < _WAITS],
            lambda one: (one.ratio - one.computing * removed) / (1 - one.computing),
            enough,
        )
        if like is not None:
            removes = like.waiting == like.measured_waiting
        return cls(removed, waiting if removes else 1.0, computers, waiters, computing, waiting)

    def factor(self, computing: float) -> float:
        """Return the factor for a handler that spends the share ``computing`` on a processor."""
        return computing * self.computing + (1 - computing) * self.waiting

    def factor_of(self, computing: float) -> float:
        """Return the factor for a handler with the share ``computing`` in the drifted run."""
        return 1 / (computing / self.computing + (1 - computing) / self.waiting)


def _factor(
    ratios: Sequence[Ratio], grown: Callable[[Ratio], float], enough: int
) -> tuple[float, int, bool]:
    """Return the drift of handlers of one kind, their number, and whether a machine may cause it.

    Args:
        ratios: the handlers.
        grown: a function that returns the growth of the part that is of this kind.
        enough: the number of handlers that it takes.
    """
    alone = [one for one in ratios if one.works_itself]
    if len(alone) >= enough:
        return max(median(map(grown, alone)), _LEAST), len(alone), True
    if len(ratios) < enough:
        return 1.0, len(ratios), True
    factor = max(median(map(grown, ratios)), _LEAST)
    return factor, len(ratios), 1 / _CREDIBLE <= factor <= _CREDIBLE


NONE = Drift(1.0, 1.0, 0, 0)
