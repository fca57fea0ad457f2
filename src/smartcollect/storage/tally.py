"""What calls came to: statistics, the slowest calls, exceptions, repeats and edges."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import count
from math import inf
from operator import itemgetter
from typing import Any, NamedTuple

from ..names import HandlerName
from ..text import cut
from .findings import Edge, Noted, Raised, Repeat
from .histogram import buckets_of
from .ring import Columns
from .rows import CALLER, DETAILS, ELAPSED, FAILURE, NAME, SELF_TIME, START, Call, Row
from .statistics import HandlerStats

MAX_HANDLERS = 10_000
"""Names with statistics of their own; the calls of any further ones are counted together."""
OTHERS = HandlerName("(other)", "(handlers)")
_MAX_MESSAGE = 200
_order = count()


class Summary(NamedTuple):
    """A tally in plain containers: statistics, slowest calls first, exceptions, repeats, edges."""

    handlers: dict[HandlerName, HandlerStats]
    slowest: list[Call]
    raised: list[Raised]
    repeats: list[Repeat]
    edges: list[Edge]


NOTHING = Summary({}, [], [], [], [])


class Tally:
    """What calls came to, beside the calls themselves. Two tallies merge without loss.

    It is not safe for threads: a `Store` holds its lock.

    Args:
        top: how many of the slowest calls are kept.

    Attributes:
        handlers: statistics of each known handler, those without a call included.
    """

    def __init__(self, top: int = 0) -> None:
        self.handlers: dict[HandlerName, HandlerStats] = {}
        self._top = top
        self._slowest: list[tuple[float, int, Call]] = []
        self._raised: dict[tuple[HandlerName, str], Raised] = {}
        self._repeats: dict[tuple[HandlerName, HandlerName], Repeat] = {}
        self._edges: dict[tuple[HandlerName, HandlerName], Edge] = {}

    def stats_of(self, name: HandlerName) -> HandlerStats:
        """Return the running statistics of a handler, which is known from now on."""
        stats = self.handlers.get(name)
        if stats is None:
            if len(self.handlers) >= MAX_HANDLERS and name != OTHERS:
                return self.stats_of(OTHERS)
            stats = self.handlers[name] = HandlerStats()
        return stats

    def add(self, calls: Columns, slow_from: float = -inf) -> None:
        """Count calls.

        Args:
            calls: one at least.
            slow_from: seconds; calls that took no longer are not among the slowest that are kept.
        """
        self._count(calls)
        if calls.longest > self.bound(slow_from):
            self._rank(calls, slow_from)

    def _count(self, calls: Columns) -> None:
        columns = calls.columns
        names, start, elapsed, details = (columns[one] for one in (NAME, START, ELAPSED, DETAILS))
        buckets, to_wall = buckets_of(calls.elapsed), calls.to_wall
        special = any(details)
        self_times = elapsed
        if special:
            self_times = [
                taken if one is None else one[SELF_TIME]
                for taken, one in zip(elapsed, details, strict=True)
            ]
        if names.count(names[0]) == len(names):
            own = sum(self_times) if special else None
            last_call = max(start) + to_wall
            self.stats_of(names[0]).add(elapsed, buckets, last_call, own, calls.longest)
        else:
            # By identity, which takes half the time of a hash; equal names meet in `stats_of`.
            by_name: defaultdict[int, list[int]] = defaultdict(list)
            for index, key in enumerate(map(id, names)):
                by_name[key].append(index)
            for indexes in by_name.values():
                pick = _picker(indexes)
                own = sum(pick(self_times)) if special else None
                last_call = max(pick(start)) + to_wall
                stats = self.stats_of(names[indexes[0]])
                stats.add(pick(elapsed), pick(buckets), last_call, own)
        if special:
            self._count_details(names, elapsed, details)

    def _count_details(
        self, names: list[HandlerName], elapsed: list[float], details: list[Row | None]
    ) -> None:
        made: defaultdict[tuple[HandlerName, HandlerName], list[float]] = defaultdict(list)
        for name, taken, one in zip(names, elapsed, details, strict=True):
            if one is None:
                continue
            caller, failure = one[CALLER], one[FAILURE]
            if caller is not None:
                made[caller, name].append(taken)
            if failure is not None:
                self.stats_of(name).errors += 1
                message = cut(failure.message, _MAX_MESSAGE)
                _note(self._raised, Raised(name, failure.type, message, 1))
        for (caller, name), times in made.items():
            self.note_edge(Edge(caller, name, len(times), sum(times)))

    def bound(self, slow_from: float) -> float:
        """Return the seconds that a call has to exceed to be among the slowest."""
        if len(self._slowest) < self._top:
            return slow_from
        return max(slow_from, self._slowest[0][0] if self._slowest else inf)

    def _rank(self, calls: Columns, slow_from: float) -> None:
        bound = self.bound(slow_from)
        for index, elapsed in enumerate(calls.columns[ELAPSED]):
            if elapsed > bound:
                name, start, *others = (column[index] for column in calls.columns)
                call = Call.of((name, start + calls.to_wall, *others))
                self._keep((elapsed, -next(_order), call))
                bound = self.bound(slow_from)

    def _keep(self, ranked: tuple[float, int, Call]) -> None:
        """Keep a call if it is among the slowest; of equals the earlier ones."""
        if len(self._slowest) < self._top:
            heapq.heappush(self._slowest, ranked)
        elif self._top:
            heapq.heappushpop(self._slowest, ranked)

    def note_repeat(self, repeat: Repeat) -> None:
        """Note a handler that was called again and again under one call of another."""
        _note(self._repeats, repeat)

    def note_edge(self, edge: Edge) -> None:
        """Count calls of one handler that calls of another made."""
        _note(self._edges, edge)

    def merge(self, other: Tally) -> None:
        """Add what ``other`` counted, which is left as it is."""
        for name, stats in other.handlers.items():
            self.stats_of(name).merge(stats)
        for ranked in other._slowest:
            self._keep(ranked)
        for raised in other._raised.values():
            _note(self._raised, raised)
        for repeat in other._repeats.values():
            _note(self._repeats, repeat)
        for edge in other._edges.values():
            _note(self._edges, edge)

    def summary(self, copied: bool = False) -> Summary:
        """Return the tally in plain containers.

        Args:
            copied: whether the statistics are copies, because the tally goes on.
        """
        handlers = self.handlers
        if copied:
            handlers = {name: stats.copy() for name, stats in handlers.items()}
        slowest = [call for _, _, call in sorted(self._slowest, reverse=True)]
        raised, repeats = list(self._raised.values()), list(self._repeats.values())
        return Summary(handlers, slowest, raised, repeats, list(self._edges.values()))


def _note(kept: dict[Any, Noted], new: Noted) -> None:
    key = new[:2]
    before = kept.get(key)
    if before is not None:
        kept[key] = before.merged(new)
    elif len(kept) < MAX_HANDLERS:
        kept[key] = new


def _picker(indexes: Sequence[int]) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """Return a function that takes the items at ``indexes``."""
    if len(indexes) > 1:
        return itemgetter(*indexes)  # a quarter of the time of a loop
    return lambda column: (column[indexes[0]],)
