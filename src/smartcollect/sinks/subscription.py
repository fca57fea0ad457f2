"""``Subscription``: passes the calls of one log to one sink, in batches."""

from __future__ import annotations

import logging
import weakref
from collections import deque
from collections.abc import Iterable
from inspect import iscoroutine
from itertools import chain
from math import inf
from typing import Protocol

from ..clock import SYSTEM
from ..forks import this_process
from ..recording.nesting import SUSPENDED, current, suspended
from ..recording.recorder import Recorder
from ..recording.rules import Rules
from ..storage.minutes import Minutes
from ..storage.packed import Packed
from ..storage.ring import Columns
from ..storage.rows import Row
from ..storage.store import Store
from ..text import plural
from ..units import duration
from ..values.snapshot import CONTAINED
from .batch import Delivery, profile_of
from .selection import Selection
from .turns import turn_of
from .worker import worker

_LONGEST_PAUSE = 300.0
_log = logging.getLogger("smartcollect")


class Sink(Protocol):
    """An object that receives calls. A ``close()`` method is optional and called at the end."""

    def write(self, batch: Delivery) -> None:
        """Write a batch. If this raises, the same batch comes again later."""


class Subscription:
    """Passes the calls of a log to a sink, in a separate thread and never in the caller's thread.

    Calls wait in a bounded queue; statistics are always complete. If the sink raises, the logger
    ``smartcollect`` reports the first failure in a row, and the subscription tries again after
    growing pauses. Failures never reach the application.

    Args:
        store: the store of the calls.
        rules: the rules that the calls are recorded with.
        sink: the receiver of the batches.
        every: seconds between two batches.
        max_queue: the maximum number of calls that wait.
        wanted: the calls that the sink receives individually.

    Attributes:
        dropped: the number of calls that were selected for the sink but not written: the queue was
            full, or the sink still failed at the end. Lost statistics are not counted here; a
            warning reports them.
        failures: the number of times the sink raised.
        closed: true once the subscription is closed.
    """

    def __init__(
        self,
        store: Store,
        rules: Rules,
        sink: Sink,
        every: float,
        max_queue: int,
        wanted: Selection,
    ) -> None:
        self._store = store
        self._rules = rules
        self._sink = sink
        self._every = every
        self._max_queue = max_queue
        self._wanted = wanted
        self._closing = False
        self.closed = False
        # Retires the subscription when its log is gone.
        self.finalizer: weakref.finalize[..., Recorder] | None = None
        # The time of the next batch, on the monotonic clock.
        self.due = SYSTEM.monotonic() + every
        self._begin()
        store.subscribe(self)
        worker.add(self)

    def __repr__(self) -> str:
        state = "closed" if self.closed else f"every {duration(self._every)}"
        counts = f"{plural(self.failures, 'failure')}, {plural(self.dropped, 'call')} dropped"
        return f"<Subscription: {_name(self._sink)}, {state}, {counts}>"

    # -- calls from the store, under its lock ---------------------------------------------------

    def forget(self) -> None:
        """Start again in a forked child, with nothing to write."""
        self._begin()
        if not self.closed:
            worker.add(self)

    def _begin(self) -> None:
        self._process = this_process()
        # The store merges calls into it until the next batch takes them.
        self.minutes = self._store.new_minutes()
        self._since = self._store.clock.wall()
        self.dropped = 0
        self.failures = 0
        self._queue: deque[Packed] = deque()
        self._waiting = 0  # calls in the queue
        self._sending = 0  # calls in the batch that is being written
        self._dropped_before = 0  # `dropped` at the time of the last batch
        self._unsent: Delivery | None = None
        self._failed_in_a_row = 0
        self._turn = turn_of(self._sink)

    def put(self, calls: Columns) -> None:
        """Queue the selected calls, and drop the calls that do not fit."""
        wanted = self._wanted.of_calls(calls)
        if wanted is None:
            return
        number = len(wanted.columns[0])
        room = max(0, min(number, self._max_queue - self._waiting - self._sending))
        if room < number:
            self.dropped += number - room
            self._store.note_dropped(number - room)
        if room:
            self._queue.append(Packed(wanted, room))
            self._waiting += room

    def _take(self) -> tuple[Minutes, Iterable[Packed], int]:
        """Take the statistics and queued calls since the last batch, and the number dropped."""
        minutes, self.minutes = self.minutes, self._store.new_minutes()
        queue, self._queue = self._queue, deque()
        self._sending, self._waiting = self._waiting, 0
        dropped, self._dropped_before = self.dropped - self._dropped_before, self.dropped
        return minutes, queue, dropped

    def _next(self) -> Delivery | None:
        """Return the next batch, or ``None`` if there was no call."""
        taken = self._store.settle(self._take)
        if taken is None:
            return None
        minutes, queue, dropped = taken
        profiles = {
            minute: profile_of(tally.summary(), self._rules)
            for minute, tally in minutes.tallies.items()
        }
        if not any(profile.called() for profile in profiles.values()):
            return None

        def rows(*, monotonic: bool = False) -> Iterable[Row]:
            return chain.from_iterable(packed.rows(monotonic) for packed in queue)

        since, self._since = self._since, self._store.clock.wall()
        return Delivery(rows, profiles, self._rules, dropped, since, self._since)

    # -- batches for the sink -------------------------------------------------------------------

    def flush(self) -> None:
        """Write all calls until now, in the thread of the caller.

        If the sink fails, the failure is counted and the batch is kept. Called from a sink, or from
        a destructor that interrupts the recorder, this does not wait: the thread of the sink writes
        next.
        """
        if not self._may_wait():
            self._hurry()
        elif not self._is_of_parent():
            with self._turn.lock:
                if not self.closed:
                    self._flush()

    def close(self) -> None:
        """Write all calls until now, then end the subscription and close the sink.

        Called from a sink, or from a destructor that interrupts the recorder, this does not wait:
        the thread of the sink closes the subscription next.
        """
        if not self._may_wait():
            self.retire()
        elif not self._is_of_parent():
            try:
                with self._turn.lock:
                    if not self.closed:
                        self._close()
            finally:
                worker.remove(self)

    def retire(self) -> None:
        """Let the thread of the sink close the subscription, such as when its log is gone."""
        self._closing = True
        self._hurry()

    def work(self) -> None:
        """Write or close, whichever is due. Called in the thread of the sink."""
        if self._closing:
            self.close()
        else:
            self.flush()

    def abandon(self) -> None:
        """Give up on a sink that takes too long, because the process ends."""
        lost = self._lose()
        ending = f": {lost} may be lost" if lost else ""
        message = "%s is still busy, and the process ends without waiting for it%s"
        _log.warning(message, _name(self._sink), ending)

    def _hurry(self) -> None:
        self.due = -inf
        worker.wake(self)

    def _may_wait(self) -> bool:
        """Return whether this thread may wait for a writing thread without a deadlock."""
        return current.get() is not SUSPENDED and not self._store.folds_here()

    def _is_of_parent(self) -> bool:
        """Return whether this process was forked while another thread closed the subscription.

        In this process nothing releases its lock, and there is nothing to close.
        """
        return self._process is not this_process()

    def _flush(self) -> None:
        try:
            if self._unsent is None or self._write(self._unsent):
                batch = self._next()
                if batch is not None:
                    self._write(batch)
        finally:
            if not self._closing:
                pause = self._every * 2**self._failed_in_a_row
                self.due = SYSTEM.monotonic() + min(pause, max(self._every, _LONGEST_PAUSE))

    def _write(self, batch: Delivery) -> bool:
        """Write a batch and return whether that succeeded. If not, the batch is kept."""
        self._unsent = batch
        try:
            # Calls that a sink makes are not recorded: each batch would cause another one.
            result: object = suspended(self._sink.write, batch)
            if iscoroutine(result):
                result.close()
                raise TypeError("write() returned a coroutine, which nothing awaits")
        except BaseException as error:
            self.failures += 1
            self._failed_in_a_row = min(self._failed_in_a_row + 1, 16)
            if self._failed_in_a_row == 1:
                message = "%s failed to write calls; trying again later"
                _log.warning(message, _name(self._sink), exc_info=error)
            if not isinstance(error, CONTAINED):
                raise  # such as KeyboardInterrupt
            return False
        self._unsent, self._failed_in_a_row, self._sending = None, 0, 0
        return True

    def _close(self) -> None:
        self.closed = True
        self._store.unsubscribe(self)
        if self.finalizer is not None:
            self.finalizer.detach()
        try:
            self._flush()
        finally:
            lost = self._lose()
            if lost:
                _log.warning("%s did not write %s", _name(self._sink), lost)
            self._close_sink()

    def _lose(self) -> str:
        """Count the waiting calls as dropped, and return a text about the loss, or ``""``."""
        calls, counted = self._store.settle(self._take_all) or (0, 0)
        self.dropped += calls
        self._store.note_dropped(calls)
        lost = [plural(calls, "call")] if calls else []
        if counted:
            lost.append(f"the statistics of {plural(counted, 'call')}")
        return " and ".join(lost)

    def _take_all(self) -> tuple[int, int]:
        """Take everything that waits or is being written.

        Returns:
            The number of calls, and the number of calls in the statistics.
        """
        calls = self._waiting + self._sending
        minutes, _, _ = self._take()
        counted = sum(
            stats.calls for tally in minutes.tallies.values() for stats in tally.handlers.values()
        )
        if self._unsent is not None:
            counted += self._unsent.count
        self._unsent, self._sending = None, 0
        return calls, counted

    def _close_sink(self) -> None:
        close = getattr(self._sink, "close", None)
        if close is not None:
            try:
                suspended(lambda _: close(), None)
            except CONTAINED as error:
                self.failures += 1
                _log.warning("%s failed to close", _name(self._sink), exc_info=error)


def _name(sink: Sink) -> str:
    return type(sink).__name__
