"""How much slower one run was than another as a whole: the machine's drift."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from statistics import median
from typing import NamedTuple

from ..text import plural

_ENOUGH = 5
_COMPUTES, _WAITS = 0.5, 0.25
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
    that of those that wait, where enough of them tell it, out of what waits.

    Attributes:
        computing, waiting: the factors; 1.0 where none is taken out.
        handlers: how many told them.
    """

    computing: float
    waiting: float
    handlers: int

    def __str__(self) -> str:
        if not self.is_known:
            return (
                f"{plural(self.handlers, 'handler')} can tell how the machine drifted, "
                f"{_ENOUGH} are needed"
            )
        return f"this run took {self.computing:.2f} times as long ({self.handlers} handlers)"

    @property
    def is_known(self) -> bool:
        """Whether enough handlers tell it."""
        return self.handlers >= _ENOUGH

    @classmethod
    def of(cls, ratios: Collection[Ratio]) -> Drift:
        """Return the drift that the handlers of two runs tell: their median ratio.

        With fewer than five there is none: a change of a few would pass for the machine's.

        Example:
            >>> Drift.of([Ratio(1.1, 1.0)] * 5).computing
            1.1
        """
        if len(ratios) < _ENOUGH:
            return cls(1.0, 1.0, len(ratios))
        every = median(one.ratio for one in ratios)
        # Of one that does both, what the other part would have changed is taken out first.
        computing = _of(
            (one.ratio - (1 - one.computing)) / one.computing
            for one in ratios
            if one.computing >= _COMPUTES
        )
        known = every if computing is None else computing
        waiting = _of(
            (one.ratio - one.computing * known) / (1 - one.computing)
            for one in ratios
            if one.computing < _WAITS
        )
        if waiting is None:
            waiting = known if computing is None else 1.0
        return cls(max(known, _LEAST), max(waiting, _LEAST), len(ratios))

    def factor(self, computing: float) -> float:
        """Return the factor for a handler that computes for a share of its time."""
        return computing * self.computing + (1 - computing) * self.waiting


NONE = Drift(1.0, 1.0, 0)


def _of(ratios: Iterable[float]) -> float | None:
    found = list(ratios)
    return median(found) if len(found) >= _ENOUGH else None
