"""Where the time of a long call goes: on a processor, or waiting for one."""

from __future__ import annotations

from _thread import get_ident
from collections.abc import Callable

from ..processor import ThreadTimes

LONG = 0.0005
"""From how many seconds on a call is worth it: to read the clocks takes some microseconds."""


class Spending:
    """Where the time of a call goes that does its work in one or more stretches.

    What counts of a processor is what the call itself ran. Of waiting for one, all from the begin
    of a stretch to its end counts, also while the call awaits something and others run: they are
    late for the same reason, and so is what wakes it. Measured on a loop of three tasks that
    compute 1 ms, sleep 6 ms and compute 1 ms, with two busy neighbours on two processors: 12 ms in
    place of 7.4 ms; 12 ms without the waiting inside of its own steps; 7.4 ms without all of it.

    Args:
        thread: a clock of the calling thread, see `smartcollect.clock.Clock`.
        reading: of the begin, where the first stretch runs already.
        seen: whether somebody tells when it awaits.
    """

    __slots__ = ("_begun", "_delayed", "_is_known", "_ran", "_resumed", "_seen", "_thread")

    def __init__(
        self, thread: Callable[[float], ThreadTimes], reading: ThreadTimes | None, seen: bool
    ) -> None:
        self._thread, self._seen = thread, seen
        self._begun = self._resumed = reading
        self._ran = 0.0
        self._delayed: float | None = 0.0
        self._is_known = True

    @property
    def total(self) -> ThreadTimes | None:
        """Where its time went; ``None`` where a stretch ended in another thread than it began."""
        return ThreadTimes(self._ran, self._delayed, get_ident()) if self._is_known else None

    def _first(self, now: float) -> ThreadTimes:
        times = self._thread(now)
        return times if self._seen else times.unseen()

    def enter(self, now: float) -> None:
        """Note that a stretch begins."""
        self._begun = self._resumed = self._first(now)

    def wait(self, now: float) -> None:
        """Note that it awaits something, in the middle of a stretch."""
        resumed, self._resumed = self._resumed, None
        if resumed is not None:
            spent = self._thread(now).since(resumed)
            if spent is None:
                self._is_known = False
            else:
                self._ran += spent.ran

    def resume(self, now: float) -> None:
        """Note that it runs on after it awaited something."""
        self._resumed = self._first(now)

    def leave(self, now: float) -> None:
        """Note that a stretch is over."""
        self.wait(now)
        begun, self._begun = self._begun, None
        spent = None if begun is None else self._thread(now).since(begun)
        if spent is None:
            self._is_known = False
        elif spent.delayed is None or self._delayed is None:
            self._delayed = None
        else:
            self._delayed += spent.delayed
