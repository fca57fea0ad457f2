"""The store of a log: its history in a bounded ring and a tally of all calls, behind one lock.

To fold is to aggregate pending calls into statistics. It happens for many calls at a time, so that
the end of a single call costs little.
"""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from math import inf
from threading import RLock
from typing import Any, NamedTuple, Protocol, TypeVar

from ..clock import SYSTEM, Clock
from ..forks import at_fork
from ..names import HandlerName
from ..processor import Spent
from .fields import Statistics
from .findings import Edge, Repeat
from .histogram import buckets_of, doubles
from .minutes import Minutes, minute_of
from .ranking import Bounds
from .ring import Columns, Ring
from .rows import WIDTH, Call, Row
from .statistics import HandlerStats
from .tally import Summary, Tally
from .times import Counted, Times

FOLD_AT = 256
"""The number of pending calls at which they are folded."""
_CROWDED = 32 * FOLD_AT
_PATIENCE = 0.01
REPEATED = 10
"""The number of calls of one handler inside one call of another from which they are noted."""
_SAME_TIME = 0.001
_ROOM = 30


Taken = TypeVar("Taken")


class Drained(NamedTuple):
    """The content of a drained store: its history, and a summary of all calls."""

    ring: Ring
    summary: Summary


class Subscriber(Protocol):
    """A receiver of the calls of a store.

    The store calls it under its lock, in the thread that folds.

    Attributes:
        minutes: tallies by minute, into which the store merges the calls until they are taken.
    """

    minutes: Minutes

    def put(self, calls: Columns) -> None:
        """Copy the calls, without waiting."""

    def forget(self) -> None:
        """Drop everything in a forked process, whose parent has the same calls."""


unseen: list[Callable[[], None]] = []
"""Functions to call before a store is read; they add calls that ended without an event."""


class Store:
    """Calls and statistics of one log, safe to use from any thread.

    Recording a call extends ``pending`` by its `Row`, whose ``start`` is on the monotonic clock.
    Pending calls are folded under the lock, once there are enough or the store is read.

    Args:
        max_history: the number of calls that the ring keeps.
        top: the number of slowest calls to keep independent of the ring, besides the slowest of
            each handler.
        clock: the clock that times calls.

    Attributes:
        pending: the fields of the pending calls, row after row. Extending a list keeps no tuple per
            call, and its columns are slices: 20 ns per call instead of 50 ns for unpacking tuples.
        full: the number of items in ``pending`` at which to fold.
        call_sites: whether calls record the line that made them.
        repeat_threshold: the number of calls inside one call from which they are repeated calls.
        now: the monotonic clock.
        thread: the clock of the calling thread.
        slow: seconds; only the time is kept of a call that took no longer than this and no longer
            than the ``slow`` of its handler's `Times`.
        since: Unix seconds of the last `clear`, `drain` or `take`, from which statistics count.
        dropped: the number of calls that subscribers, including closed ones, had no room for.
    """

    def __init__(self, max_history: int, top: int = 0, clock: Clock = SYSTEM) -> None:
        self.clock = clock
        self.now = clock.monotonic
        self.thread = clock.thread
        self.call_sites = False
        self.repeat_threshold = REPEATED
        self._known: Bounds | None = None
        # Weak, because functions may come and go in a log that is never cleared.
        self._raised: weakref.WeakSet[Times] = weakref.WeakSet()
        self.pending: list[Any] = []
        self.full = FOLD_AT * WIDTH
        self._pending_repeats: deque[Repeat] = deque()
        self._counting: set[Counted] = set()
        # Reentrant, because destructors of objects that the ring drops may read this log.
        self._lock = RLock()
        self._folding = False
        self._max_history = max_history
        self._to_wall: float | None = None
        self._top = top
        self._subscribers: list[Subscriber] = []
        self.dropped = 0
        self._reset()
        _stores.add(self)

    def _reset(self) -> None:
        self._is_empty = True
        self._ring = Ring(self._max_history)
        self._tally = Tally(self._top)
        while True:
            try:
                times = self._raised.pop()
            except KeyError:  # empty; its items may vanish at any time
                break
            times.slow = -inf if self._known is None else self._known.of(times.name)
            times.in_a_row, times.longest = 0, inf
        self.since = self.clock.wall()
        self._set_slow()
        # If a destructor clears the log during a fold, the fold goes on with the current tallies.
        if not (self._folding and self._subscribers):
            self._recent = self._fresh()

    def _fresh(self) -> Tally | Minutes:
        """Return the object that folds add to.

        That is the tally of the log or, if there are subscribers, separate tallies by minute.
        """
        return self.new_minutes() if self._subscribers else self._tally

    def new_minutes(self) -> Minutes:
        """Return empty tallies by minute."""
        return Minutes(self._top, minute_of(self.clock.wall()))

    # -- adding calls ---------------------------------------------------------------------------

    def add(self, row: Row) -> None:
        """Add a call that ended."""
        self.pending.extend(row)
        if len(self.pending) >= self.full:
            try:  # noqa: SIM105 - `suppress` needs room too
                self.fold()
            except RecursionError:  # a later call will fold
                pass

    def rank_after(self, known: Bounds) -> None:
        """Keep calls among the slowest only if they exceed ``known`` too; its bounds may rise."""
        self._known = known
        self._set_slow()

    def wants(self, times: Times, elapsed: float) -> bool:
        """Return whether more than the time of a call is to be kept.

        Args:
            times: the times of its handler.
            elapsed: seconds of the call.
        """
        if elapsed > self.slow:
            return True
        if elapsed > times.slow and self._lock.acquire(blocking=False):
            try:
                times.slow = self._tally.bound_of(times.name, self._known)
                self._raised.add(times)
            finally:
                self._lock.release()
        return elapsed > times.slow

    def note_repeats(self, repeats: Iterable[Repeat]) -> None:
        """Note repeated calls."""
        self._pending_repeats.extend(repeats)

    def fold(self) -> None:
        """Fold the pending calls, unless another thread does so already."""
        # A running fold takes these calls too, or leaves them to the next. Other threads wait only
        # if calls arrive faster than one thread can fold, and never for long: a destructor that
        # runs during the fold may need a lock that this thread holds.
        crowded = len(self.pending) >= _CROWDED * WIDTH
        if self._lock.acquire(timeout=_PATIENCE if crowded else 0):
            try:
                self._fold()
            finally:
                self._lock.release()

    def _fold(self) -> None:
        if self._folding:
            return
        self._folding = True
        # Otherwise the other threads would try to fold after each of their calls.
        self.full = _CROWDED * WIDTH
        try:
            self._fold_pending()
            self._fold_counted()
            self._set_slow()
            for _ in range(len(self._pending_repeats)):
                self._recent.note_repeat(self._pending_repeats.popleft())
        finally:
            self.full = FOLD_AT * WIDTH
            self._folding = False

    def _fold_pending(self) -> None:
        pending = self.pending
        # Other threads append meanwhile, but only after `size`.
        size = len(pending)
        if not size:
            return
        self._is_empty = False
        _make_room(_ROOM)
        columns = [pending[start:size:WIDTH] for start in range(WIDTH)]
        del pending[:size]
        calls = Columns.of(columns, self._measure())
        self._recent.add(calls, self._known)
        for subscriber in tuple(self._subscribers):
            subscriber.put(calls)
        forgotten = self._ring.extend(calls)
        del calls, columns, forgotten

    def count(self, counted: Counted, start: float, elapsed: float, own: float) -> None:
        """Count a call of which only the time is kept; see `slow`.

        Args:
            counted: the calls of its handler from its caller.
            start: the start of the call, on the monotonic clock.
            elapsed: seconds of the call.
            own: seconds of the call outside other recorded calls.
        """
        if start > counted.last:
            counted.last = start
        counted.nested.append((elapsed, own))
        if len(counted.nested) >= counted.full:
            self.notice(counted)

    def note_reading(self, counted: Counted, elapsed: float, spent: Spent) -> None:
        """Note the processor and waiting time of a call.

        Args:
            counted: calls of its handler, from any caller.
            elapsed: seconds of the call.
            spent: the processor and waiting time of its thread during the call.
        """
        counted.times.readings.append((elapsed, spent))
        if counted.full == 1:
            self.notice(counted)

    def notice(self, counted: Counted) -> None:
        """Note that there are calls in ``counted``, and fold if there are many."""
        self._counting.add(counted)
        if counted.full > 1:
            self.fold()
        else:
            counted.full = FOLD_AT

    def _fold_counted(self) -> None:
        to_wall = self._measure() if self._counting else 0.0
        while self._counting:
            counted = self._counting.pop()
            # In this order, a call that ends meanwhile is either taken here or noticed again.
            counted.full = 1
            elapsed, own = counted.take()
            times, caller = counted.times, counted.caller
            readings = times.take_readings()
            if elapsed or readings.read:
                self._is_empty = False
                stats = self._recent.stats_of(times.name)
            if elapsed:
                stats.add(elapsed, buckets_of(doubles(elapsed)), counted.last + to_wall, own)
                if caller is not None:
                    edge = Edge(caller.name, times.name, len(elapsed), sum(elapsed))
                    self._recent.note_edge(edge)
            if readings.read:
                stats.add_readings(*readings)

    def _complete(self) -> None:
        """Fold all calls until now."""
        if self._has_more():
            self._fold()

    def _has_more(self) -> bool:
        """Return whether there are calls to fold."""
        for add in unseen:
            add()
        return bool(self.pending or self._counting or self._pending_repeats)

    def _measure(self) -> float:
        """Return the difference from the monotonic clock to the wall clock.

        Measured for each fold, because the wall clock may be set, and the monotonic clock may stop
        while a machine sleeps. Tiny changes are ignored, so that calls stay in order.
        """
        to_wall = self.clock.wall() - self.clock.monotonic()
        if self._to_wall is None or abs(to_wall - self._to_wall) >= _SAME_TIME:
            self._to_wall = to_wall
        return self._to_wall

    def register(self, name: HandlerName) -> None:
        """Add a handler, which may never be called."""
        with self._lock:
            self._is_empty = False
            self._settled().stats_of(name)

    def rename(self, old: HandlerName, new: HandlerName) -> None:
        """Rename a handler from now on; earlier calls keep the old name."""
        with self._lock:
            self._is_empty = False
            tally = self._settled()
            stats = tally.handlers.get(old)
            if stats is not None and not stats.calls:
                del tally.handlers[old]
            tally.stats_of(new)

    def resize(self, max_history: int) -> None:
        """Keep at most ``max_history`` calls from now on; the last ones stay."""
        with self._lock:
            self._fold()
            self._max_history = max_history
            self._set_slow()
            forgotten = self._ring.resize(max_history)
        del forgotten

    def _set_slow(self) -> None:
        wanted = self._max_history or self._subscribers
        self.slow = -inf if wanted else self._tally.bound(self._known)

    # -- reading --------------------------------------------------------------------------------

    def _settled(self) -> Tally:
        """Fold all calls, pass them on to the subscribers, and return the tally of the log."""
        self._complete()
        if self._recent is not self._tally and not self._folding:
            # A destructor or a signal handler may read the log meanwhile; it must not merge again.
            self._folding = True
            try:
                recent, self._recent = self._recent, self._fresh()
                assert isinstance(recent, Minutes)
                for tally in recent.tallies.values():
                    self._tally.merge(tally)
                for subscriber in self._subscribers:
                    subscriber.minutes.merge(recent)
            finally:
                self._folding = False
        return self._tally

    def names(self) -> set[HandlerName]:
        """Return the handlers that are registered."""
        with self._lock:
            return set(self._tally.handlers)

    def rows(self, least: float = 0.0, *, monotonic: bool = False) -> Iterator[Row]:
        """Return the retained calls that took at least ``least`` seconds; see `ring.Rows`."""
        with self._lock:
            self._complete()
            return self._ring.rows(least, monotonic=monotonic)

    def calls(self) -> list[Call]:
        """Return the retained calls, in the order in which they ended."""
        return list(map(Call.of, self.rows()))

    def slowest_rows(self, n: int) -> Iterator[Row]:
        """Return retained calls that include the ``n`` slowest."""
        with self._lock:
            self._complete()
            return self._ring.rows(self._ring.bound(n))

    def statistics(self) -> dict[HandlerName, Statistics]:
        """Return the statistics of each handler that was called."""
        with self._lock:
            handlers = self._settled().handlers
            return {name: stats.statistics() for name, stats in handlers.items() if stats.calls}

    def handlers(self) -> dict[HandlerName, HandlerStats]:
        """Return copies of the running statistics of each registered handler."""
        with self._lock:
            return {name: stats.copy() for name, stats in self._settled().handlers.items()}

    def summary(self) -> Summary:
        """Return a summary of all calls."""
        with self._lock:
            return self._settled().summary(copied=True)

    # -- taking out -----------------------------------------------------------------------------

    def clear(self) -> None:
        """Forget all calls; registered handlers stay known."""
        with self._lock:
            # Released after the lock, because destructors may read the store.
            forgotten = self._exchanged(known=True)
        del forgotten

    def drain(self) -> Drained:
        """Return the history and the summary, and clear both in the same step.

        Registered handlers stay known. A destructor that drains its own log during a fold gets
        nothing; the folded calls are part of the next drain.
        """
        with self._lock:
            if self._folding:
                return Drained(Ring(0), Tally().summary())
            tally, ring = self._exchanged(known=True)
        return Drained(ring, tally.summary())

    def take(self) -> Summary | None:
        """Return the summary, or ``None`` if nothing was added, and start anew.

        Handlers without calls are included only if they were registered since the last `take`.
        """
        if not self._has_more() and self._is_empty:
            return None
        with self._lock:
            tally, _ = self._exchanged(known=False)
        return tally.summary()

    def _exchanged(self, known: bool) -> tuple[Tally, Ring]:
        """Return the tally and the ring, and replace them by new ones.

        Args:
            known: whether the handlers stay registered.
        """
        self._settled()
        before = self._folding
        # A destructor or a signal handler may drain meanwhile; it must not take the same calls.
        self._folding = True
        try:
            tally, ring = self._tally, self._ring
            self._reset()
            self._is_empty = not known
            for name in tally.handlers if known else ():
                self._tally.stats_of(name)
        finally:
            self._folding = before
        return tally, ring

    # -- subscribers ----------------------------------------------------------------------------

    def subscribe(self, subscriber: Subscriber) -> None:
        """Pass on all calls that end from now on to ``subscriber``."""
        with self._lock:
            self._settled()
            self._subscribers.append(subscriber)
            self._set_slow()
            if self._recent is self._tally:
                self._recent = self._fresh()

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Stop passing on calls to ``subscriber``; it has received all until now."""
        with self._lock:
            self._settled()
            if subscriber in self._subscribers:
                self._subscribers.remove(subscriber)
                self._set_slow()

    def note_dropped(self, calls: int) -> None:
        """Count calls that a subscriber will never receive."""
        with self._lock:
            self.dropped += calls

    def settle(self, take: Callable[[], Taken]) -> Taken | None:
        """Pass on all calls until now to the subscribers, and return the result of ``take()``.

        Return ``None`` during a fold, in which a destructor may call this, because nothing is
        complete then.
        """
        with self._lock:
            self._settled()
            return None if self._folding else take()

    def folds_here(self) -> bool:
        """Return whether this thread is in the middle of a fold and so must not wait."""
        if not self._lock.acquire(blocking=False):
            return False
        try:
            return self._folding
        finally:
            self._lock.release()


def _make_room(frames: int) -> None:
    """Raise RecursionError now if the stack is nearly full, and not in the middle of a fold."""
    if frames:
        _make_room(frames - 1)


_stores: weakref.WeakSet[Store] = weakref.WeakSet()
_held: list[Store] = []


# A fork while another thread folds would leave the child with a locked lock and half a batch. So
# the fork waits for all folds.
def _before_fork() -> None:
    while True:
        try:
            _held[:] = list(_stores)
            break
        except RuntimeError:  # another thread has just made a store
            continue
    for store in _held:
        store._lock.acquire()


def _after_fork() -> None:
    for store in _held:
        store._lock.release()
    _held.clear()


def _after_fork_in_child() -> None:
    for store in _held:
        store.dropped = 0
        # The parent passes on the calls until now to its subscribers; the child, later calls.
        if store._subscribers:
            store._settled()
            for subscriber in store._subscribers:
                subscriber.forget()
    _after_fork()


at_fork(_before_fork, _after_fork, _after_fork_in_child)
