"""Drift of the machine: how much slower one run was than another as a whole."""

from __future__ import annotations

from collections.abc import Collection
from statistics import median
from typing import NamedTuple

_ENOUGH = 5
COMPUTES, _WAITS = 0.5, 0.25
_LEAST = 0.01


class Ratio(NamedTuple):
    """The growth of one handler's time between two runs.

    Attributes:
        ratio: the time in the later run divided by the time in the earlier run.
        computing: the share of the handler's time spent on a processor, from 0 to 1.
    """

    ratio: float
    computing: float


class Drift(NamedTuple):
    """The slowdown of a run as a whole, compared with another run.

    A busy or hot machine computes more slowly, but waiting for a timer or another machine takes
    as long as before. So there are two factors: one for time spent computing, measured on handlers
    that compute, and one for time spent waiting, measured on handlers that wait. Each needs enough
    handlers to be known.

    Attributes:
        computing, waiting: the factors; 1.0 if unknown.
        computers, waiters: the number of handlers that each factor was measured on.
    """

    computing: float
    waiting: float
    computers: int
    waiters: int

    def __str__(self) -> str:
        known = []
        if self.computers >= _ENOUGH:
            known.append(f"{self.computing:.2f} times as long ({self.computers} handlers)")
        if self.waiters >= _ENOUGH:
            known.append(f"{self.waiting:.2f} times as long to wait ({self.waiters} handlers)")
        if known:
            return f"this run took {' and '.join(known)}"
        kind = "compute" if self.computers >= self.waiters else "wait"
        most = max(self.computers, self.waiters)
        return f"measuring it takes {_ENOUGH} handlers that mostly {kind}, and this run has {most}"

    @property
    def is_known(self) -> bool:
        """True if at least one factor was measured on enough handlers."""
        return max(self.computers, self.waiters) >= _ENOUGH

    @property
    def largest(self) -> float:
        """The larger of the two factors."""
        return max(self.computing, self.waiting)

    @classmethod
    def of(cls, ratios: Collection[Ratio], enough: int = _ENOUGH) -> Drift:
        """Return the drift between two runs: the median ratio of the handlers' times.

        A factor stays 1.0 if it has fewer than ``enough`` handlers. Otherwise a change in the code
        of a few handlers would pass for drift.

        Args:
            ratios: the growth of each handler.
            enough: the number of handlers that each factor needs.

        Example:
            >>> Drift.of([Ratio(1.1, 1.0)] * 5).computing
            1.1
        """
        computers = [one for one in ratios if one.computing >= COMPUTES]
        waiters = [one for one in ratios if one.computing < _WAITS]
        computing = waiting = 1.0
        # A handler may do both: first correct its ratio for the other part.
        if len(computers) >= enough:
            computing = median((one.ratio - 1 + one.computing) / one.computing for one in computers)
        if len(waiters) >= enough:
            waiting = median(
                (one.ratio - one.computing * computing) / (1 - one.computing) for one in waiters
            )
        return cls(max(computing, _LEAST), max(waiting, _LEAST), len(computers), len(waiters))

    def factor(self, computing: float) -> float:
        """Return the factor for a handler that spends the share ``computing`` on a processor."""
        return computing * self.computing + (1 - computing) * self.waiting


NONE = Drift(1.0, 1.0, 0, 0)
