"""Calls of which nobody wants more than the time."""

from __future__ import annotations

from math import inf

from ..names import HandlerName

_MANY = 256


class Times:
    """The calls of one handler that are only counted, until they are folded.

    Where a log keeps no history, that is all but the slowest calls, and those that failed. To note
    a time takes a fifth of what it takes to keep a row.

    Args:
        name: the handler.

    Attributes:
        name: see above.
        elapsed: seconds of each call that had no other recorded calls inside.
        nested: the same of those that had, and without these.
        last: when the last one began, on the monotonic clock.
        in_a_row: how many calls were folded since one that somebody wants more of than the time.
        longest: seconds of the longest of these; infinite while they are not many. The next call is
            hardly wanted either, if that is little.
        full: how many call for `Store.notice`: one, until the store knows that there are some.
    """

    __slots__ = ("elapsed", "full", "in_a_row", "last", "longest", "name", "nested")

    def __init__(self, name: HandlerName) -> None:
        self.name = name
        self.elapsed: list[float] = []
        self.nested: list[tuple[float, float]] = []
        self.last = 0.0
        self.longest = inf
        self.full = 1
        self.in_a_row = 0

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
        self.in_a_row += len(elapsed)
        if elapsed and self.in_a_row >= _MANY:
            self.longest = max(elapsed)
        return elapsed, own
