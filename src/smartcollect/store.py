"""What is remembered of the calls: a bounded ring, and running statistics of each handler."""

from __future__ import annotations

import heapq
import os
import weakref
from collections import defaultdict, deque
from collections.abc import Callable
from itertools import count
from math import inf
from threading import RLock
from typing import Any, Final, NamedTuple, TypeVar

from .clock import SYSTEM, Clock
from .names import HandlerName
from .nesting import Children
from .snapshot import Failure, cut
from .stats import HandlerStats

MAX_HANDLERS = 10_000
"""Names with statistics of their own; the calls of any further ones are counted together."""
OTHERS = HandlerName("(other)", "(handlers)")

Place = tuple[str, int]
"""A line: file and number."""

# A call that ended, as the recorder appends it. A plain tuple: it is made once for each call.
#   (name, when it began on the monotonic clock, elapsed, self time, args, kwargs, failure, result,
#    the line that called)
Ended = tuple[HandlerName, float, float, float, Any, Any, Failure | None, Any, Place | None]


class Call(NamedTuple):
    """A call that ended, as the ring keeps it; times in seconds, ``began`` in Unix seconds."""

    name: HandlerName
    began: float
    elapsed: float
    self_time: float
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    failure: Failure | None
    result: Any
    where: Place | None


Select = Callable[[list[Ended]], list[Ended]]

# Where a call that ended has what.
NAME: Final = 0
BEGAN: Final = 1
ELAPSED: Final = 2
SELF_TIME: Final = 3
FAILURE: Final = 6


def _call(ended: Ended, to_wall: float) -> Call:
    return Call._make((ended[NAME], ended[BEGAN] + to_wall, *ended[ELAPSED:]))


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


class Store:
    """Calls and statistics, safe to use from any thread.

    A call costs one append to ``pending``. What it changes is worked out for many calls at a time
    (a fold), under the lock, when enough are pending or somebody asks.

    Args:
        max_history: how many calls the ring keeps.
        top: how many of the slowest calls are kept for `Profile`, whatever the ring forgets.
        clock: what calls are timed with.

    Attributes:
        locates: whether calls tell the line that made them.
        repeated: from how many calls under one call on repeats are noted.
    """

    def __init__(self, max_history: int, top: int = 0, clock: Clock = SYSTEM) -> None:
        self.clock = clock
        self.locates = False
        self.repeated = REPEATED
        self.pending: list[Ended] = []
        self._pending_repeats: deque[Repeat] = deque()
        # Reentrant: objects that the ring lets go may have destructors that ask this very log.
        self._lock = RLock()
        self._folding = False
        # Raw, because most calls leave it before anybody asks.
        self._ring: deque[Ended] = deque(maxlen=max_history)
        self._to_wall: deque[tuple[float, float]] = deque(maxlen=100)
        self._top = top
        self._reset()
        _stores.add(self)

    def _reset(self) -> None:
        self._ring.clear()
        self._handlers: dict[HandlerName, HandlerStats] = {}
        self._slowest: list[tuple[float, int, Call]] = []
        self._order = count()
        self._raised: dict[tuple[HandlerName, str], Raised] = {}
        self._repeats: dict[tuple[HandlerName, HandlerName], Repeat] = {}

    def add(self, call: Ended) -> None:
        """Remembers a call that ended."""
        self.pending.append(call)
        if len(self.pending) >= FOLD_AT:
            self.fold()

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
        try:
            self._fold_pending()
            for _ in range(len(self._pending_repeats)):
                self._note(self._repeats, self._pending_repeats.popleft())
        finally:
            self._folding = False

    def _fold_pending(self) -> None:
        pending = self.pending
        # Other threads append meanwhile, at the end: what is taken and what is deleted is the same.
        batch = pending[:]
        del pending[: len(batch)]
        if not batch:
            return
        to_wall = self._measure(batch[0][BEGAN])
        by_name: defaultdict[HandlerName, list[Ended]] = defaultdict(list)
        for ended in batch:
            by_name[ended[NAME]].append(ended)
        for name, calls in by_name.items():
            failures = [ended[FAILURE] for ended in calls if ended[FAILURE] is not None]
            self._of(name).add(
                [ended[ELAPSED] for ended in calls],
                [ended[SELF_TIME] for ended in calls],
                max([ended[BEGAN] for ended in calls]) + to_wall,
                len(failures),
            )
            for one in failures:
                self._note(self._raised, Raised(name, one.type, cut(one.message, _MAX_MESSAGE), 1))
        self._rank(batch, to_wall)
        self._ring.extend(batch)

    def _measure(self, since: float) -> float:
        """What to add to the monotonic clock, for calls that began ``since`` then or later.

        The wall clock may be set and the monotonic one may stand still while a machine sleeps, so
        this is measured for each batch, and noted where it changed.
        """
        to_wall = self.clock.wall() - self.clock.monotonic()
        if self._to_wall and abs(to_wall - self._to_wall[-1][1]) < _SAME_TIME:
            return self._to_wall[-1][1]
        self._to_wall.append((since, to_wall))
        return to_wall

    def _rank(self, batch: list[Ended], to_wall: float) -> None:
        """Keeps those of ``batch`` that are among the slowest; of equals the earlier ones."""
        slowest = self._slowest
        if len(slowest) == self._top:
            # Nearly always none is left, in half the time of the loop below.
            bound = slowest[0][0] if slowest else inf
            batch = [ended for ended in batch if ended[ELAPSED] > bound]
        for ended in batch:
            if len(slowest) < self._top:
                ranked = (ended[ELAPSED], -next(self._order), _call(ended, to_wall))
                heapq.heappush(slowest, ranked)
            elif ended[ELAPSED] > slowest[0][0]:
                ranked = (ended[ELAPSED], -next(self._order), _call(ended, to_wall))
                heapq.heapreplace(slowest, ranked)

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

    def calls(self, select: Select = list) -> list[Call]:
        """The calls in the ring.

        Args:
            select: takes those that are wanted from all, which are in the order in which they
                ended; they are looked at raw, because to make a `Call` of each takes longer.
        """
        with self._lock:
            self._fold()
            return [_call(ended, self._at(ended[BEGAN])) for ended in select(list(self._ring))]

    def _at(self, began: float) -> float:
        """What to add to the monotonic clock for a call that ``began`` then."""
        for since, to_wall in reversed(self._to_wall):
            if began >= since:
                return to_wall
        return self._to_wall[0][1]

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
            forgotten = [*self._ring, *self._slowest]
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
            self._ring = deque(self._ring, maxlen=max_history)


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
