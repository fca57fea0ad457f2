"""``Subscription``: hands the calls of one log to one sink, batch by batch."""

from __future__ import annotations

import logging
import weakref
from collections import deque
from collections.abc import Iterable
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
from ..values.snapshot import CONTAINED
from .batch import Delivery, profile_of
from .selection import Selection
from .turns import turn_of
from .worker import worker

_LONGEST_PAUSE = 300.0
_log = logging.getLogger("smartcollect")


class Sink(Protocol):
    """A place for calls to go. It may have a ``close()`` too, which is called at the end."""

    def write(self, batch: Delivery) -> None:
        """Take a batch. One that raises is given the same batch again, later."""


class Subscription:
    """Hands the calls of a log to a sink, from a thread of its own and never from a caller's.

    Calls wait in a bounded queue, and what they came to in tallies that are always complete. A
    sink that raises is reported once, to the logger ``smartcollect``; it is tried again with a
    growing pause, and never reaches the application.

    Args:
        store: where the calls are.
        rules: how they are recorded.
        sink: where they go.
        every: seconds between two batches.
        max_queue: how many calls may wait.
        wanted: the calls that the sink is given one by one.

    Attributes:
        dropped: calls that the sink was to have one by one and never got: they found no room in
            the queue, or the sink did not take them until the end. Statistics that it did not take
            do not count here; a warning tells of them.
        failures: how often the sink raised.
        due: when the next batch is to be written, on the monotonic clock.
        closed: whether it is closed.
        finalizer: what retires it when its log is gone.
        minutes: see `storage.store.Subscriber`.
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
        self.finalizer: weakref.finalize[..., Recorder] | None = None
        self.due = SYSTEM.monotonic() + every
        self._begin()
        store.subscribe(self)
        worker.add(self)

    # -- where calls come from: under the store's lock ------------------------------------------

    def forget(self) -> None:
        """Start afresh in the child of a fork, with nothing to write."""
        self._begin()
        if not self.closed:
            worker.add(self)

    def _begin(self) -> None:
        self._process = this_process()
        self.minutes = self._store.new_minutes()
        self._since = self._store.clock.wall()
        self.dropped = 0
        self.failures = 0
        self._queue: deque[Packed] = deque()
        # Calls in the queue and in the batch that is being written.
        self._waiting = 0
        self._sending = 0
        self._told = 0
        self._unsent: Delivery | None = None
        self._failed_in_a_row = 0
        self._turn = turn_of(self._sink)

    def put(self, calls: Columns) -> None:
        """Take those calls that are wanted, as many as there is room for."""
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
        """Return what came since the last time, and how many calls found no room."""
        minutes, self.minutes = self.minutes, self._store.new_minutes()
        queue, self._queue = self._queue, deque()
        self._sending, self._waiting = self._waiting, 0
        dropped, self._told = self.dropped - self._told, self.dropped
        return minutes, queue, dropped

    def _next(self) -> Delivery | None:
        """Return all that was called since the last time, if anything was."""
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

    # -- where they go --------------------------------------------------------------------------

    def flush(self) -> None:
        """Give the sink everything until now, in the thread of the caller.

        Where the sink fails, that is counted and the batch is kept, as it is in its own thread. A
        sink that asks for this, and a destructor in the middle of the recorder's own work, do not
        wait: the thread of the sink does it next.
        """
        if not self._may_wait():
            self._hurry()
        elif not self._is_of_parent():
            with self._turn.lock:
                if not self.closed:
                    self._flush()

    def close(self) -> None:
        """Give the sink everything until now, hand it no more calls, and close it.

        A sink that asks for this, and a destructor in the middle of the recorder's own work, do not
        wait: the thread of the sink does it next.
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
        """Let the thread of the sink close the subscription: its log is gone."""
        self._closing = True
        self._hurry()

    def work(self) -> None:
        """Do what is due; the thread of the sink calls this."""
        if self._closing:
            self.close()
        else:
            self.flush()

    def abandon(self) -> None:
        """Leave alone a sink that takes too long, because the process ends."""
        lost = self._lose()
        ending = f": {lost} may be lost" if lost else ""
        message = "%s is still at work, and the process ends without it%s"
        _log.warning(message, _name(self._sink), ending)

    def _hurry(self) -> None:
        self.due = -inf
        worker.wake(self)

    def _may_wait(self) -> bool:
        """Tell whether this thread may wait for one that writes: nobody waits for this thread."""
        return current.get() is not SUSPENDED and not self._store.folds_here()

    def _is_of_parent(self) -> bool:
        """Tell whether this process was forked while another thread closed the subscription.

        Nobody here would ever let go of its lock, and there is nothing to close.
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
        """Give the sink a batch; false, and the batch is kept, where it fails."""
        self._unsent = batch
        try:
            # What a sink calls is not recorded: it would have something to write each time.
            suspended(self._sink.write, batch)
        except BaseException as error:
            self.failures += 1
            self._failed_in_a_row = min(self._failed_in_a_row + 1, 16)
            if self._failed_in_a_row == 1:
                message = "%s failed to write calls and is tried again"
                _log.warning(message, _name(self._sink), exc_info=error)
            if not isinstance(error, CONTAINED):
                raise  # an interrupt is its caller's
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
                _log.warning("%s never took %s", _name(self._sink), lost)
            self._close_sink()

    def _lose(self) -> str:
        """Count the calls that wait as dropped, and say how much waited, if anything."""
        calls, counted = self._store.settle(self._take_all) or (0, 0)
        self.dropped += calls
        self._store.note_dropped(calls)
        lost = [plural(calls, "call")] if calls else []
        if counted:
            lost.append(f"the statistics of {plural(counted, 'call')}")
        return " and ".join(lost)

    def _take_all(self) -> tuple[int, int]:
        """Take everything, and what is being written too.

        Returns:
            How many calls that are, and of how many calls the statistics.
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
