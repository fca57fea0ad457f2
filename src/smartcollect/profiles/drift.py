"""How much slower one run was than another as a whole: the machine's drift."""

from __future__ import annotations

from collections.abc import Collection
from statistics import median
from typing import NamedTuple

from ..text import plural

_ENOUGH = 5
COMPUTES, _WAITS = 0.5, 0.25
_LEAST = 0.01


class Ratio(NamedTuple):
    """How much longer one handler took.

    Attributes:
        ratio: its time now to that of then.
        computing: the share of its time that it runs on a processor.
    """

    ratio: float
    computing: float


class Drift(NamedTuple):
    """How much longer everything took.

    A machine that is busy, or hot, computes slower; what waits for a timer or for another machine
    takes as long as ever. So the drift of handlers that compute is taken out of what computes, and
    that of those that wait out of what waits; each where enough handlers tell it.

    Attributes:
        computing, waiting: the factors; 1.0 where none is taken out.
        computers, waiters: how many handlers told them.
    """

    computing: float
    waiting: float
    computers: int
    waiters: int

    def __str__(self) -> str:
        told = []
        if self.computers >= _ENOUGH:
            told.append(f"{self.computing:.2f} times as long ({self.computers} handlers)")
        if self.waiters >= _ENOUGH:
            told.append(f"{self.waiting:.2f} times as long to wait ({self.waiters} handlers)")
        if told:
            return f"this run took {' and '.join(told)}"
        handlers = plural(max(self.computers, self.waiters), "handler")
        return f"{handlers} can tell how the machine drifted, {_ENOUGH} are needed"

    @property
    def is_known(self) -> bool:
        """Whether enough handlers tell it."""
        return max(self.computers, self.waiters) >= _ENOUGH

    @property
    def largest(self) -> float:
        """The larger one of the two factors."""
        return max(self.computing, self.waiting)

    @classmethod
    def of(cls, ratios: Collection[Ratio], enough: int = _ENOUGH) -> Drift:
        """Return the drift that the handlers of two runs tell: their median ratio.

        With few of a kind there is none: a change of a few would pass for the machine's.

        Args:
            ratios: of the handlers.
            enough: how many of a kind are needed.

        Example:
            >>> Drift.of([Ratio(1.1, 1.0)] * 5).computing
            1.1
        """
        computers = [one for one in ratios if one.computing >= COMPUTES]
        waiters = [one for one in ratios if one.computing < _WAITS]
        computing = waiting = 1.0
        # Of one that does both, what the other part would have changed is taken out first.
        if len(computers) >= enough:
            computing = median((one.ratio - 1 + one.computing) / one.computing for one in computers)
        if len(waiters) >= enough:
            waiting = median(
                (one.ratio - one.computing * computing) / (1 - one.computing) for one in waiters
            )
        return cls(max(computing, _LEAST), max(waiting, _LEAST), len(computers), len(waiters))

    def factor(self, computing: float) -> float:
        """Return the factor for a handler that computes for a share of its time."""
        return computing * self.computing + (1 - computing) * self.waiting


NONE = Drift(1.0, 1.0, 0, 0)
