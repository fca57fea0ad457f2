"""Calls of which nobody wants more than the time."""

from __future__ import annotations

from math import inf
from typing import NamedTuple

from ..names import HandlerName
from ..processor import Spent

_MANY = 256
_COMPUTES = 0.8
"""The share of its time on a processor from which on a call does nothing but compute."""
_OF_CALLS = 0.25
"""The share of such calls from which on a handler does nothing else."""


class Readings(NamedTuple):
    """What some calls came to that read where their time went; see `HandlerStats.add_readings`."""

    steady: list[float]
    total: float
    ran: float
    read: float


class Times:
    """What is known of the times of all calls of one handler that are only counted.

    Args:
        name: the handler.

    Attributes:
        name: see above.
        readings: of each call that read them, its seconds and where its time went.
        in_a_row: how many calls were folded since one that somebody wants more of than the time.
        longest: seconds of the longest of these; infinite while they are not many. The next call is
            hardly wanted either, if that is little.
        slow: seconds; calls that took no longer are not among the slowest of the handler. It may
            be too little, until `Store.wants` is asked.
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
        """Note that calls are folded that took so many seconds each."""
        self.in_a_row += len(elapsed)
        if self.in_a_row >= _MANY:
            self.longest = max(elapsed)

    def take_readings(self) -> Readings:
        """Return what the calls came to that were read until now.

        The steady time of a call is its time without that in which its thread waited for a
        processor. Where nothing tells how long that was, it is what a call ran on one, of a
        handler that does nothing but compute; of one that waits for something it is not known.
        """
        count = len(self.readings)
        readings = self.readings[:count]
        del self.readings[:count]
        for elapsed, spent in readings:
            self._read += 1
            # A busy machine takes the processor away from most calls, but not from all.
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
            # A timer runs on while its thread is late. What a call awaits takes as long as it took
            # when it took the least.
            delayed -= spent.late - min(spent.late, spent.waited - self._shortest_wait)
        # Some kernels count more than there was: it ran at least as long as it ran.
        return min(max(elapsed - delayed, own), elapsed)


class Counted:
    """The calls of one handler from one caller that are only counted, until they are folded.

    Where a log keeps no history, that is all but the slowest calls, and those that failed. To note
    a time takes a fifth of what it takes to keep a row.

    Args:
        times: what is known of all calls of the handler.
        caller: the same of the handler that makes these calls; ``None`` if no recorded call does.

    Attributes:
        times, caller: see above.
        elapsed: seconds of each call that had no other recorded calls inside.
        nested: the same of those that had, and without these.
        last: when the last one began, on the monotonic clock.
        full: how many call for `Store.notice`: one, until the store knows that there are some.
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
        """Return the seconds of each call until now, and those that all spent in themselves.

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
