"""Where the time of a long call goes: on a processor, or waiting for one."""

from __future__ import annotations

from collections.abc import Callable

from ..processor import Spent, ThreadTimes

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

    Attributes:
        total: where its time went; ``None`` where a stretch ended in another thread than it began.
    """

    __slots__ = ("_begun", "_paused", "_resumed", "_seen", "_thread", "total")

    def __init__(
        self, thread: Callable[[float], ThreadTimes], reading: ThreadTimes | None, seen: bool
    ) -> None:
        self._thread, self._seen = thread, seen
        self._begun = self._resumed = reading
        self._paused: tuple[float, ThreadTimes] | None = None
        self.total: Spent | None = Spent(0.0, 0.0)

    def enter(self, now: float) -> None:
        """Note that a stretch begins."""
        times = self._thread(now)
        self._begun = self._resumed = times if self._seen else times.unseen()

    def wait(self, now: float) -> None:
        """Note that it awaits something, in the middle of a stretch."""
        times = self._thread(now)
        resumed, self._resumed = self._resumed, None
        self._paused = now, times
        self._add(times, resumed, lambda total, spent: total._replace(ran=total.ran + spent.ran))

    def resume(self, now: float) -> None:
        """Note that it runs on after it awaited something."""
        self._resumed = times = self._thread(now)
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
        if self._resumed is not None:
            self.wait(now)
        begun, self._begun, self._paused = self._begun, None, None
        self._add(self._thread(now), begun, _delayed)

    def _add(
        self,
        times: ThreadTimes,
        since: ThreadTimes | None,
        more: Callable[[Spent, Spent], Spent],
    ) -> None:
        """Add what was spent since a reading of the same thread."""
        spent = None if since is None else times.since(since)
        total = self.total
        self.total = None if spent is None or total is None else more(total, spent)


def _delayed(total: Spent, spent: Spent) -> Spent:
    if total.delayed is None or spent.delayed is None:
        return total._replace(delayed=None)
    return total._replace(delayed=total.delayed + spent.delayed)
