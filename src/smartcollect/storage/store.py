"""What is remembered of the calls of one log: a bounded ring and a tally, behind one lock."""

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
"""How many calls may be pending until they are folded."""
_CROWDED = 32 * FOLD_AT
_PATIENCE = 0.01
REPEATED = 10
"""From how many calls of one handler under one call of another on these are noted."""
_SAME_TIME = 0.001
_ROOM = 30


Taken = TypeVar("Taken")


class Drained(NamedTuple):
    """What a store remembered until it was drained: its retained calls, and what all came to."""

    ring: Ring
    summary: Summary


class Subscriber(Protocol):
    """What a store hands calls to, under its lock, in the thread of whoever folds them.

    Attributes:
        minutes: what the calls came to that it was not given yet; the store merges into it.
    """

    minutes: Minutes

    def put(self, calls: Columns) -> None:
        """Take a copy of calls, without waiting."""

    def forget(self) -> None:
        """Drop everything: this is a fork, and its parent has it too."""


unseen: list[Callable[[], None]] = []
"""Are called before a store is asked: they add calls that ended without anybody's notice."""


class Store:
    """Calls and statistics, safe to use from any thread.

    A call costs one ``extend`` of ``pending`` by its `Row`, which starts on the monotonic clock.
    What that changes is worked out for many calls at a time (a fold), under the lock, when enough
    are pending or somebody asks.

    Args:
        max_history: how many calls the ring keeps.
        top: how many of the slowest calls are kept, whatever the ring forgets, beside the slowest
            of each handler.
        clock: what calls are timed with.

    Attributes:
        pending: the rows of the calls that are not folded yet, one after the other. To extend a
            list keeps no tuple of each, and its columns are slices: 20 ns for a call, where to
            take tuples apart costs 50.
        full: how many items of ``pending`` call for a fold.
        call_sites: whether calls tell the line that made them.
        repeat_threshold: from how many calls under one call on repeats are noted.
        now: its monotonic clock.
        thread: its clock of the calling thread.
        slow: seconds; calls that took no longer are only `Counted`, if they took no longer than the
            ``slow`` of their handler's times either: nobody wants their rows.
        since: Unix seconds, from which on the statistics count calls.
        dropped: calls that subscribers were to have and had no room for, of closed ones too.
    """

    def __init__(self, max_history: int, top: int = 0, clock: Clock = SYSTEM) -> None:
        self.clock = clock
        self.now = clock.monotonic
        self.thread = clock.thread
        self.call_sites = False
        self.repeat_threshold = REPEATED
        self._known: Bounds | None = None
        # Weak: functions come and go in a log that nobody clears.
        self._raised: weakref.WeakSet[Times] = weakref.WeakSet()
        self.pending: list[Any] = []
        self.full = FOLD_AT * WIDTH
        self._pending_repeats: deque[Repeat] = deque()
        self._counting: set[Counted] = set()
        # Reentrant: objects that the ring lets go may have destructors that ask this very log.
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
            except KeyError:  # there are no more; any may have gone just now
                break
            times.slow = -inf if self._known is None else self._known.of(times.name)
            times.in_a_row, times.longest = 0, inf
        self.since = self.clock.wall()
        self._set_slow()
        # A destructor may clear its log in the middle of a fold, which goes on with what is there.
        if not (self._folding and self._subscribers):
            self._recent = self._fresh()

    def _fresh(self) -> Tally | Minutes:
        """Return what a fold adds to: the tally of the log, or something apart from that where
        somebody else has to be told of it too.
        """
        return self.new_minutes() if self._subscribers else self._tally

    def new_minutes(self) -> Minutes:
        """Return tallies by minute in which nothing is counted yet."""
        return Minutes(self._top, minute_of(self.clock.wall()))

    # -- what comes in --------------------------------------------------------------------------

    def add(self, row: Row) -> None:
        """Remember a call that ended."""
        self.pending.extend(row)
        if len(self.pending) >= self.full:
            try:  # noqa: SIM105 - `suppress` needs room too
                self.fold()
            except RecursionError:  # a later call has room for it
                pass

    def rank_after(self, known: Bounds) -> None:
        """Keep calls among the slowest only if they exceed these bounds, which may rise."""
        self._known = known
        self._set_slow()

    def wants(self, times: Times, elapsed: float) -> bool:
        """Return whether somebody wants more of a call than its time.

        Args:
            times: those of its handler.
            elapsed: its seconds.
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
        """Note handlers that one call called again and again."""
        self._pending_repeats.extend(repeats)

    def fold(self) -> None:
        """Work out what the pending calls change, unless somebody does so already."""
        # Who folds takes these calls too, or the next one does. The others wait only where calls
        # come faster than one thread among many can work them out, and never for long: who folds
        # may run a destructor that needs what this thread holds.
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
        # Other threads are not to try for each of their calls while this one waits for its turn.
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
        # Other threads append meanwhile, at the end: what is taken and what is deleted is the same.
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
        """Note a call of which nobody wants more than the time: see `slow`.

        Args:
            counted: the calls of its handler from its caller.
            start: when it began, on the monotonic clock.
            elapsed: seconds.
            own: seconds that it spent in no other recorded call.
        """
        if counted.full == 1:
            self.notice(counted)
        if start > counted.last:
            counted.last = start
        counted.nested.append((elapsed, own))
        if len(counted.nested) >= counted.full:
            self.notice(counted)

    def note_reading(self, counted: Counted, elapsed: float, spent: Spent) -> None:
        """Note where the time of a call went.

        Args:
            counted: calls of its handler, from whatever caller.
            elapsed: its seconds.
            spent: where the time of its thread went meanwhile.
        """
        counted.times.readings.append((elapsed, spent))
        if counted.full == 1:
            self.notice(counted)

    def notice(self, counted: Counted) -> None:
        """Note that there are calls in ``counted``; fold them where they are many."""
        self._counting.add(counted)
        if counted.full > 1:
            self.fold()
        else:
            counted.full = FOLD_AT

    def _fold_counted(self) -> None:
        to_wall = self._measure() if self._counting else 0.0
        while self._counting:
            counted = self._counting.pop()
            # In this order: a call that ends meanwhile is counted here, or noticed anew.
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
        """Return whether calls ended that are not folded."""
        for add in unseen:
            add()
        return bool(self.pending or self._counting or self._pending_repeats)

    def _measure(self) -> float:
        """Return what to add to the monotonic clock, for calls that ended just now.

        The wall clock may be set and the monotonic one may stand still while a machine sleeps, so
        this is measured for each fold; but calls stay in order where it is the same.
        """
        to_wall = self.clock.wall() - self.clock.monotonic()
        if self._to_wall is None or abs(to_wall - self._to_wall) >= _SAME_TIME:
            self._to_wall = to_wall
        return self._to_wall

    def register(self, name: HandlerName) -> None:
        """Note a handler that may be called."""
        with self._lock:
            self._is_empty = False
            self._settled().stats_of(name)

    def rename(self, old: HandlerName, new: HandlerName) -> None:
        """Note that a handler has another name from now on; calls that it had keep the old one."""
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

    # -- what is asked --------------------------------------------------------------------------

    def _settled(self) -> Tally:
        """Return what all calls came to, and let the subscribers have their share."""
        self._complete()
        if self._recent is not self._tally and not self._folding:
            # A destructor or a signal handler that asks meanwhile is not to merge it once more.
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
        """Return the retained calls that took ``least`` seconds or longer; see `ring.Rows`."""
        with self._lock:
            self._complete()
            return self._ring.rows(least, monotonic=monotonic)

    def calls(self) -> list[Call]:
        """Return the retained calls, in the order in which they ended."""
        return list(map(Call.of, self.rows()))

    def slowest_rows(self, n: int) -> Iterator[Row]:
        """Return the retained calls among which the ``n`` slowest are."""
        with self._lock:
            self._complete()
            return self._ring.rows(self._ring.bound(n))

    def statistics(self) -> dict[HandlerName, Statistics]:
        """Return the numbers of each handler that was called."""
        with self._lock:
            handlers = self._settled().handlers
            return {name: stats.statistics() for name, stats in handlers.items() if stats.calls}

    def handlers(self) -> dict[HandlerName, HandlerStats]:
        """Return a copy of the statistics of each registered handler."""
        with self._lock:
            return {name: stats.copy() for name, stats in self._settled().handlers.items()}

    def summary(self) -> Summary:
        """Return what the calls came to."""
        with self._lock:
            return self._settled().summary(copied=True)

    # -- what is taken --------------------------------------------------------------------------

    def clear(self) -> None:
        """Forget all calls; registered handlers stay known."""
        with self._lock:
            # Dies when the store is whole again: objects may have destructors that ask it.
            forgotten = self._exchanged(known=True)
        del forgotten

    def drain(self) -> Drained:
        """Return all that is remembered, and forget it in the same step.

        Registered handlers stay known. A destructor that drains its own log in the middle of a fold
        gets nothing: the calls that are folded come out with the next drain.
        """
        with self._lock:
            if self._folding:
                return Drained(Ring(0), Tally().summary())
            tally, ring = self._exchanged(known=True)
        return Drained(ring, tally.summary())

    def take(self) -> Summary | None:
        """Return what the calls came to, if there were any, and start afresh.

        Handlers without a call are among the statistics only when they were registered since the
        last take.
        """
        if not self._has_more() and self._is_empty:
            return None
        with self._lock:
            tally, _ = self._exchanged(known=False)
        return tally.summary()

    def _exchanged(self, known: bool) -> tuple[Tally, Ring]:
        """Return what is remembered, and start afresh.

        Args:
            known: whether the handlers stay registered.
        """
        self._settled()
        before = self._folding
        # A destructor or a signal handler that drains meanwhile is not to take the same once more.
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

    # -- who is told ----------------------------------------------------------------------------

    def subscribe(self, subscriber: Subscriber) -> None:
        """Hand the calls that end from now on to ``subscriber`` too."""
        with self._lock:
            self._settled()
            self._subscribers.append(subscriber)
            self._set_slow()
            if self._recent is self._tally:
                self._recent = self._fresh()

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Hand it no more calls; it has all until now."""
        with self._lock:
            self._settled()
            if subscriber in self._subscribers:
                self._subscribers.remove(subscriber)
                self._set_slow()

    def note_dropped(self, calls: int) -> None:
        """Count calls that a subscriber was to have and never gets."""
        with self._lock:
            self.dropped += calls

    def settle(self, take: Callable[[], Taken]) -> Taken | None:
        """Let the subscribers have all calls until now, and return what ``take`` takes of them.

        In the middle of a fold, where a destructor may ask, nothing is complete: ``None``.
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
    """Raise RecursionError now, and not in the middle of a fold, where room is short."""
    if frames:
        _make_room(frames - 1)


_stores: weakref.WeakSet[Store] = weakref.WeakSet()
_held: list[Store] = []


# A fork while another thread folds would leave a lock in the child that nobody opens, and half a
# batch: so all folds are let finish first.
def _before_fork() -> None:
    while True:
        try:
            _held[:] = list(_stores)
            break
        except RuntimeError:  # another thread made a store meanwhile
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
        # The parent tells its subscribers of the calls until now, the child of those that come.
        if store._subscribers:
            store._settled()
            for subscriber in store._subscribers:
                subscriber.forget()
    _after_fork()


at_fork(_before_fork, _after_fork, _after_fork_in_child)
