"""What is remembered of the calls: a bounded ring, and running statistics of each handler."""

from __future__ import annotations

import heapq
import os
import sys
import weakref
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from math import inf
from operator import itemgetter
from threading import RLock
from typing import Any, NamedTuple, TypeVar

from .clock import SYSTEM, Clock
from .names import HandlerName
from .nesting import Children
from .ring import BEGAN, ELAPSED, NAME, REST, WIDTH, Batch, Call, Ring, Row, call_of
from .snapshot import cut
from .stats import HandlerStats, Statistics, buckets_of, doubles

MAX_HANDLERS = 10_000
"""Names with statistics of their own; the calls of any further ones are counted together."""
OTHERS = HandlerName("(other)", "(handlers)")


class Raised(NamedTuple):
    """The calls of one handler that ended with exceptions of one type.

    Attributes:
        name: the handler.
        type: the name of the exception's class.
        message: that of one of them, cut short.
        calls: how many.
        test: where it came from: a test's node id, or ``""``.
    """

    name: HandlerName
    type: str
    message: str
    calls: int
    test: str = ""

    def merged(self, other: Raised) -> Raised:
        """Both together, of the same handler and type."""
        # Which came first is not known of two processes, so the order of names decides.
        shown = min(self, other, key=lambda one: (one.test, one.message))
        return shown._replace(calls=self.calls + other.calls)


class Repeat(NamedTuple):
    """One handler called again and again under single calls of another: an N+1.

    Attributes:
        parent: the handler that calls.
        child: the handler that is called.
        times: how often under one call of the parent, at the most.
        parents: under how many calls of the parent it was called so often that it is noted.
        same: whether the arguments were alike each time, so that the answer could be kept;
            otherwise one call could ask for all at once.
        test: where it was called most: a test's node id, or ``""``.
    """

    parent: HandlerName
    child: HandlerName
    times: int
    parents: int
    same: bool
    test: str = ""

    def merged(self, other: Repeat) -> Repeat:
        """Both together, of the same two handlers."""
        most = min(self, other, key=lambda one: (-one.times, one.test))
        return most._replace(parents=self.parents + other.parents, same=self.same and other.same)


Noted = TypeVar("Noted", Raised, Repeat)


class Summary(NamedTuple):
    """What a store remembers beside its ring: statistics, slowest calls first, and the rest."""

    handlers: dict[HandlerName, HandlerStats]
    slowest: list[Call]
    raised: list[Raised]
    repeats: list[Repeat]


FOLD_AT = 256
"""How many calls may be pending until they are folded."""
REPEATED = 10
"""From how many calls of one handler under one call of another on these are noted."""
_MAX_MESSAGE = 200
_SAME_TIME = 0.001
_ROOM = 30


class Store:
    """Calls and statistics, safe to use from any thread.

    A call costs one ``extend`` of ``pending`` by its `Row`, which begins on the monotonic clock.
    What that changes is worked out for many calls at a time (a fold), under the lock, when enough
    are pending or somebody asks.

    Args:
        max_history: how many calls the ring keeps.
        top: how many of the slowest calls are kept for `Profile`, whatever the ring forgets.
        clock: what calls are timed with.

    Attributes:
        pending: the rows of the calls that are not folded yet, one after the other. To extend a
            list keeps no tuple of each, and its columns are slices: 20 ns for a call, where to
            take tuples apart costs 50.
        full: how many items of ``pending`` call for a fold.
        locates: whether calls tell the line that made them.
        repeated: from how many calls under one call on repeats are noted.
        slow_from: seconds; calls that took no longer are not among the slowest that are kept.
    """

    def __init__(self, max_history: int, top: int = 0, clock: Clock = SYSTEM) -> None:
        self.clock = clock
        self.locates = False
        self.repeated = REPEATED
        self.slow_from = -inf
        self.pending: list[Any] = []
        self.full = FOLD_AT * WIDTH
        self._pending_repeats: deque[Repeat] = deque()
        # Reentrant: objects that the ring lets go may have destructors that ask this very log.
        self._lock = RLock()
        self._folding = False
        self._max_history = max_history
        self._to_wall: float | None = None
        self._top = top
        self._reset()
        _stores.add(self)

    def _reset(self) -> None:
        self._ring = Ring(self._max_history)
        self._handlers: dict[HandlerName, HandlerStats] = {}
        self._slowest: list[tuple[float, int, Call]] = []
        self._order = count()
        self._raised: dict[tuple[HandlerName, str], Raised] = {}
        self._repeats: dict[tuple[HandlerName, HandlerName], Repeat] = {}

    def add(self, row: Row) -> None:
        """Remembers a call that ended."""
        self.pending.extend(row)
        if len(self.pending) >= self.full:
            try:  # noqa: SIM105 - `suppress` needs room too
                self.fold()
            except RecursionError:  # a later call has room for it
                pass

    def fold(self) -> None:
        """Works out what the pending calls change, unless somebody does so already."""
        # Never waits: who folds takes these calls too, or the next one does.
        if self._lock.acquire(blocking=False):
            try:
                self._fold()
            finally:
                self._lock.release()

    def _fold(self) -> None:
        if self._folding:
            return
        self._folding = True
        # Other threads are not to try for each of their calls while this one waits for its turn.
        self.full = sys.maxsize
        try:
            self._fold_pending()
            for _ in range(len(self._pending_repeats)):
                self._note(self._repeats, self._pending_repeats.popleft())
        finally:
            self.full = FOLD_AT * WIDTH
            self._folding = False

    def _fold_pending(self) -> None:
        pending = self.pending
        # Other threads append meanwhile, at the end: what is taken and what is deleted is the same.
        size = len(pending)
        if not size:
            return
        _make_room(_ROOM)
        columns = [pending[start:size:WIDTH] for start in range(WIDTH)]
        del pending[:size]
        batch = Batch(
            columns,
            doubles(columns[BEGAN]),
            doubles(columns[ELAPSED]),
            max(columns[ELAPSED]),
            self._measure(),
        )
        self._count(batch)
        if batch.longest > self._bound():
            self._rank(batch)
        forgotten = self._ring.extend(batch)
        del batch, columns, forgotten

    def _count(self, batch: Batch) -> None:
        """Adds calls to the statistics of their handlers."""
        columns = batch.columns
        names, began, elapsed, rests = (columns[one] for one in (NAME, BEGAN, ELAPSED, REST))
        buckets, to_wall = buckets_of(batch.elapsed), batch.to_wall
        special = any(rests)
        self_times = elapsed
        if special:
            self_times = [
                taken if rest is None else rest.self_time
                for taken, rest in zip(elapsed, rests, strict=True)
            ]
        if names.count(names[0]) == len(names):
            own = sum(self_times) if special else None
            self._of(names[0]).add(elapsed, buckets, max(began) + to_wall, own)
        else:
            # By identity, which takes half the time of a hash; equal names meet again in `_of`.
            by_name: defaultdict[int, list[int]] = defaultdict(list)
            for index, key in enumerate(map(id, names)):
                by_name[key].append(index)
            for indexes in by_name.values():
                pick = _picker(indexes)
                own = sum(pick(self_times)) if special else None
                last_call = max(pick(began)) + to_wall
                self._of(names[indexes[0]]).add(pick(elapsed), pick(buckets), last_call, own)
        if special:
            for name, rest in zip(names, rests, strict=True):
                if rest is not None and rest.failure is not None:
                    self._of(name).errors += 1
                    message = cut(rest.failure.message, _MAX_MESSAGE)
                    self._note(self._raised, Raised(name, rest.failure.type, message, 1))

    def _measure(self) -> float:
        """What to add to the monotonic clock, for calls that ended just now.

        The wall clock may be set and the monotonic one may stand still while a machine sleeps, so
        this is measured for each batch; but calls stay in order where it is the same.
        """
        to_wall = self.clock.wall() - self.clock.monotonic()
        if self._to_wall is None or abs(to_wall - self._to_wall) >= _SAME_TIME:
            self._to_wall = to_wall
        return self._to_wall

    def _bound(self) -> float:
        """Seconds: what took no longer is not among the slowest."""
        if len(self._slowest) < self._top:
            return self.slow_from
        return max(self.slow_from, self._slowest[0][0] if self._slowest else inf)

    def _rank(self, batch: Batch) -> None:
        """Keeps those calls that are among the slowest; of equals the earlier ones."""
        slowest = self._slowest
        bound = self._bound()
        for index, elapsed in enumerate(batch.columns[ELAPSED]):
            if elapsed > bound:
                name, began, *others = (column[index] for column in batch.columns)
                call = call_of((name, began + batch.to_wall, *others))
                ranked = (elapsed, -next(self._order), call)
                if len(slowest) < self._top:
                    heapq.heappush(slowest, ranked)
                else:
                    heapq.heapreplace(slowest, ranked)
                bound = self._bound()

    @staticmethod
    def _note(kept: dict[Any, Noted], new: Noted) -> None:
        key = new[:2]
        before = kept.get(key)
        if before is not None:
            kept[key] = before.merged(new)
        elif len(kept) < MAX_HANDLERS:
            kept[key] = new

    def note_children(self, parent: HandlerName, children: dict[HandlerName, Children]) -> None:
        """Notes which handlers one call of ``parent`` called too often."""
        for name, child in children.items():
            if child.calls >= self.repeated:
                self._pending_repeats.append(Repeat(parent, name, child.calls, 1, child.same))

    def _of(self, name: HandlerName) -> HandlerStats:
        stats = self._handlers.get(name)
        if stats is None:
            if len(self._handlers) >= MAX_HANDLERS and name != OTHERS:
                return self._of(OTHERS)
            stats = self._handlers[name] = HandlerStats()
        return stats

    def register(self, name: HandlerName) -> None:
        """Notes a handler that may be called."""
        with self._lock:
            self._of(name)

    def rename(self, old: HandlerName, new: HandlerName) -> None:
        """Notes that a handler has another name from now on; calls that it had keep the old one."""
        with self._lock:
            self._fold()
            stats = self._handlers.get(old)
            if stats is not None and not stats.calls:
                del self._handlers[old]
            self._of(new)

    def names(self) -> set[HandlerName]:
        """The handlers that are registered."""
        with self._lock:
            return set(self._handlers)

    def rows(self, least: float = 0.0) -> Iterator[Row]:
        """The retained calls that took ``least`` seconds or longer, in order of their ends."""
        with self._lock:
            self._fold()
            return self._ring.rows(least)

    def calls(self) -> list[Call]:
        """The retained calls, in the order in which they ended."""
        return list(map(call_of, self.rows()))

    def slowest_rows(self, n: int) -> Iterator[Row]:
        """The retained calls among which the ``n`` slowest are."""
        with self._lock:
            self._fold()
            return self._ring.rows(self._ring.bound(n))

    def statistics(self) -> dict[HandlerName, Statistics]:
        """The numbers of each handler that was called."""
        with self._lock:
            self._fold()
            return {
                name: stats.statistics() for name, stats in self._handlers.items() if stats.calls
            }

    def handlers(self) -> dict[HandlerName, HandlerStats]:
        """A copy of the statistics of each registered handler."""
        with self._lock:
            self._fold()
            return {name: stats.copy() for name, stats in self._handlers.items()}

    def clear(self) -> None:
        """Forgets all calls; registered handlers stay known."""
        with self._lock:
            self._fold()
            names = list(self._handlers)
            # Dies when the store is whole again: objects may have destructors that ask it.
            forgotten = [self._ring, self._slowest]
            self._reset()
            for name in names:
                self._of(name)
        del forgotten

    def take(self) -> Summary:
        """What is remembered beside the ring; the store starts afresh.

        Handlers without a call are among the statistics only when they were registered since the
        last take.
        """
        with self._lock:
            self._fold()
            summary = self._summary(self._handlers)
            self._reset()
        return summary

    def summary(self) -> Summary:
        """What is remembered beside the ring."""
        with self._lock:
            self._fold()
            return self._summary({name: stats.copy() for name, stats in self._handlers.items()})

    def _summary(self, handlers: dict[HandlerName, HandlerStats]) -> Summary:
        slowest = [call for _, _, call in sorted(self._slowest, reverse=True)]
        return Summary(handlers, slowest, list(self._raised.values()), list(self._repeats.values()))

    def resize(self, max_history: int) -> None:
        """Keeps at most ``max_history`` calls from now on; the last ones stay."""
        with self._lock:
            self._fold()
            self._max_history = max_history
            forgotten = self._ring.resize(max_history)
        del forgotten


def _make_room(frames: int) -> None:
    """Raises RecursionError now, and not in the middle of a fold, where room is short."""
    if frames:
        _make_room(frames - 1)


def _picker(indexes: Sequence[int]) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """What takes the items at ``indexes``."""
    if len(indexes) > 1:
        return itemgetter(*indexes)  # a quarter of the time of a loop
    return lambda column: (column[indexes[0]],)


_stores: weakref.WeakSet[Store] = weakref.WeakSet()
_held: list[Store] = []


# A fork while another thread folds would leave a lock in the child that nobody opens, and half a
# batch: so all folds are let finish first.
def _before_fork() -> None:
    _held[:] = list(_stores)
    for store in _held:
        store._lock.acquire()


def _after_fork() -> None:
    for store in _held:
        store._lock.release()
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork
    )
