"""The processor time of long calls, and their time of waiting for a processor."""

from __future__ import annotations

from collections.abc import Callable

from ..processor import Spent, ThreadTimes

LONG = 0.0005
"""Seconds. A call of this length or longer lets the next calls read their clocks."""
A_READING = 0.000004
"""The cost of a reading, in seconds."""
COST_SHARE = 0.015
"""The largest share of its time that a handler may spend on readings."""
_CHEAP = 16


class Spending:
    """The processor and waiting time of a call that works in one or more stretches.

    Processor time counts only while the call itself runs. Waiting for a processor counts from the
    beginning of a stretch to its end, including the time in which the call awaits something and
    other tasks run: they are late for the same reason, and so is the event that wakes the call.

    Measured on an event loop with three tasks that compute 1 ms, sleep 6 ms and compute 1 ms, with
    two busy processes on two processors: a call took 12 ms instead of 7.4 ms. Leaving out the
    waiting during its own steps gave 12 ms, leaving out all waiting gave 7.4 ms.

    Args:
        thread: the clock of the calling thread; see `smartcollect.clock.Clock`.
        reading: the reading at the start of the first stretch, if that already runs.
        seen: whether `wait` and `resume` are called when the call awaits something.

    Attributes:
        total: the processor and waiting time. ``None`` if a stretch ended in a different thread
            from the one it began in, or if there are so many stretches that readings cost too much.
        readings: the number of readings.
    """

    __slots__ = ("_begun", "_paused", "_resumed", "_seen", "_since", "_thread", "readings", "total")

    def __init__(
        self, thread: Callable[[float], ThreadTimes], reading: ThreadTimes | None, seen: bool
    ) -> None:
        self._thread, self._seen = thread, seen
        self._begun = self._resumed = reading
        self._paused: tuple[float, ThreadTimes | None] | None = None
        self.total: Spent | None = Spent(0.0, 0.0)
        self.readings = int(reading is not None)
        self._since: float | None = None

    def _read(self, now: float) -> ThreadTimes | None:
        """Return a reading, unless readings already took too much time."""
        if self.total is None:
            return None
        if self._since is None:
            self._since = now
        self.readings += 1
        allowed = COST_SHARE * (now - self._since)
        if self.readings > _CHEAP and self.readings * A_READING > allowed:
            self.total = None
            return None
        return self._thread(now)

    def enter(self, now: float) -> None:
        """Note that a stretch begins."""
        self._begun = self._resumed = self._first(now)

    def _first(self, now: float) -> ThreadTimes | None:
        times = self._read(now)
        return times if self._seen or times is None else times.unseen()

    def wait(self, now: float) -> None:
        """Note that the call awaits something, in the middle of a stretch."""
        times = self._read(now)
        resumed, self._resumed, self._paused = self._resumed, None, (now, times)
        self._add(times, resumed, _ran)

    def resume(self, now: float) -> None:
        """Note that the call continues after it awaited something."""
        self._resumed = times = self._first(now)
        if self._paused is not None:
            paused, before = self._paused
            self._add(
                times,
                before,
                lambda total, spent: total._replace(
                    late=total.late + (spent.delayed or 0.0), waited=total.waited + now - paused
                ),
            )

    def leave(self, now: float) -> None:
        """Note that a stretch ends."""
        times = self._read(now)
        resumed, begun = self._resumed, self._begun
        self._resumed = self._begun = self._paused = None
        if resumed is not None:
            self._add(times, resumed, _ran)
        self._add(times, begun, _delayed)

    def _add(
        self,
        times: ThreadTimes | None,
        since: ThreadTimes | None,
        more: Callable[[Spent, Spent], Spent],
    ) -> None:
        """Add the time since a reading; drop the total if that was made in another thread."""
        spent = None if since is None or times is None else times.since(since)
        total = self.total
        self.total = None if spent is None or total is None else more(total, spent)


def _ran(total: Spent, spent: Spent) -> Spent:
    return total._replace(ran=total.ran + spent.ran)


def _delayed(total: Spent, spent: Spent) -> Spent:
    if total.delayed is None or spent.delayed is None:
        return total._replace(delayed=None)
    return total._replace(delayed=total.delayed + spent.delayed)
