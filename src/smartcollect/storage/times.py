"""Calls of which only the time is kept."""

from __future__ import annotations

from math import inf
from typing import NamedTuple

from ..names import HandlerName
from ..processor import Spent

_MANY = 256
_COMPUTES = 0.8
"""A call that runs at least this share of its time on a processor only computes."""
_OF_CALLS = 0.25
"""A handler with at least this share of such calls only computes."""


class Readings(NamedTuple):
    """The sums of readings; see `HandlerStats.add_readings` for the fields."""

    steady: list[float]
    total: float
    ran: float
    read: float


class Times:
    """The times of all calls of one handler of which only the time is kept.

    Args:
        name: the handler.

    Attributes:
        name: see above.
        readings: the seconds, and the processor and waiting time, of each call with a reading.
        in_a_row: the number of calls folded since the last call of which more than the time was
            kept.
        longest: seconds of the longest of the last folded calls; infinite while there are few. If
            it is small, only the time of the next call is likely to be kept.
        slow: seconds; calls that took no longer are not among the slowest of the handler. The
            value may be too small until `Store.wants` updates it.
    """

    __slots__ = (
        "__weakref__",
        "_computed",
        "_read",
        "_shortest_wait",
        "in_a_row",
        "longest",
        "name",
        "readings",
        "slow",
    )

    def __init__(self, name: HandlerName) -> None:
        self.name = name
        self.longest = inf
        self.slow = -inf
        self.in_a_row = 0
        self.readings: list[tuple[float, Spent]] = []
        self._read = self._computed = 0
        self._shortest_wait = inf

    def note_taken(self, elapsed: list[float]) -> None:
        """Note that calls were folded, with the seconds of each."""
        self.in_a_row += len(elapsed)
        if self.in_a_row >= _MANY:
            self.longest = max(elapsed)

    def take_readings(self) -> Readings:
        """Return the sums of the readings since the last time.

        The steady time of a call is its time without the time in which its thread waited for a
        processor. Where the system does not report that time, the steady time of a handler that
        only computes is its time on a processor, and other handlers have none.
        """
        count = len(self.readings)
        readings = self.readings[:count]
        del self.readings[:count]
        for elapsed, spent in readings:
            self._read += 1
            # On a busy machine most calls lose the processor for a while, but not all of them.
            self._computed += spent.ran >= _COMPUTES * elapsed
            if spent.waited:
                self._shortest_wait = min(self._shortest_wait, spent.waited)
        found, total, ran = [], 0.0, 0.0
        for elapsed, spent in readings:
            own = min(max(spent.ran, 0.0), elapsed)
            steady = self._steady(elapsed, own, spent)
            if steady is not None:
                found.append(steady)
            total += elapsed if steady is None else steady
            ran += own if steady is None else min(own, steady)
        return Readings(found, total, ran, sum(elapsed for elapsed, _ in readings))

    def _steady(self, elapsed: float, own: float, spent: Spent) -> float | None:
        if spent.delayed is None:
            return own if self._computed >= _OF_CALLS * self._read else None
        delayed = spent.delayed
        if spent.waited:
            # A timer goes on while its thread is late, so not all lateness makes the call longer.
            # The shortest wait of any call is the time that awaiting takes when nothing is late.
            delayed -= spent.late - min(spent.late, spent.waited - self._shortest_wait)
        # Some kernels report too much delay. The time on a processor is a lower bound.
        return min(max(elapsed - delayed, own), elapsed)


class Counted:
    """The calls of one handler from one caller of which only the time is kept, until the next fold.

    In a log without a history, that is all calls but the slowest and the failed ones. Noting a time
    takes a fifth of the time of storing a row.

    Args:
        times: the times of the handler.
        caller: the times of the calling handler; ``None`` for calls without a recorded caller.

    Attributes:
        times, caller: see above.
        elapsed: seconds of each call without recorded calls inside.
        nested: for each other call, its seconds and its seconds outside the calls inside it.
        last: the start of the last call, on the monotonic clock.
        full: the number of calls at which to call `Store.notice`: 1 until the store knows that
            there are calls.
    """

    __slots__ = ("caller", "elapsed", "full", "last", "nested", "times")

    def __init__(self, times: Times, caller: Times | None) -> None:
        self.times = times
        self.caller = caller
        self.elapsed: list[float] = []
        self.nested: list[tuple[float, float]] = []
        self.last = 0.0
        self.full = 1

    def take(self) -> tuple[list[float], float]:
        """Remove the calls, and return the seconds of each and the total of their self times.

        Calls that end meanwhile are left for the next time.
        """
        plain, nested = len(self.elapsed), len(self.nested)
        elapsed = self.elapsed[:plain]
        own = sum(elapsed)
        del self.elapsed[:plain]
        if nested:
            times, inside = zip(*self.nested[:nested], strict=True)
            elapsed += times
            own += sum(inside)
            del self.nested[:nested]
        if elapsed:
            self.times.note_taken(elapsed)
        return elapsed, own
