"""Where the time of a long call goes: on a processor, or waiting for one."""

from __future__ import annotations

from collections.abc import Callable

from ..processor import Spent, ThreadTimes

LONG = 0.0005
"""From how many seconds on a call makes the next ones read their clocks."""
A_READING = 0.000004
"""What a reading takes, in seconds."""
COST_SHARE = 0.015
"""The share of its time that a handler may spend on readings."""
_CHEAP = 16


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

    Attributes:
        total: where its time went; ``None`` where a stretch ended in another thread than it began,
            or there are so many of them that to read each is dear.
        readings: how many there were.
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
        """Return what the clock says, unless it was asked too often already."""
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
        """Note that it awaits something, in the middle of a stretch."""
        times = self._read(now)
        resumed, self._resumed, self._paused = self._resumed, None, (now, times)
        self._add(times, resumed, _ran)

    def resume(self, now: float) -> None:
        """Note that it runs on after it awaited something."""
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
        """Note that a stretch is over."""
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
        """Add what was spent since a reading of the same thread."""
        spent = None if since is None or times is None else times.since(since)
        total = self.total
        self.total = None if spent is None or total is None else more(total, spent)


def _ran(total: Spent, spent: Spent) -> Spent:
    return total._replace(ran=total.ran + spent.ran)


def _delayed(total: Spent, spent: Spent) -> Spent:
    if total.delayed is None or spent.delayed is None:
        return total._replace(delayed=None)
    return total._replace(delayed=total.delayed + spent.delayed)
