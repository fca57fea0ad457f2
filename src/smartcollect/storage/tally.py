"""Tallies of calls: statistics, slowest calls, exceptions, repeated calls and edges."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from ..names import HandlerName
from ..text import cut
from .findings import Edge, Noted, Raised, Repeat
from .histogram import buckets_of
from .ranking import Bounds, Ranking
from .ring import Columns
from .rows import CALLER, DETAILS, ELAPSED, FAILURE, NAME, SELF_TIME, START, Call, Row
from .statistics import HandlerStats

MAX_HANDLERS = 10_000
"""The number of handlers with separate statistics; the calls of all others count together."""
OTHERS = HandlerName("(other)", "(handlers)")
_MAX_MESSAGE = 200


class Summary(NamedTuple):
    """A tally in plain containers; the slowest call comes first."""

    handlers: dict[HandlerName, HandlerStats]
    slowest: list[Call]
    raised: list[Raised]
    repeats: list[Repeat]
    edges: list[Edge]


NOTHING = Summary({}, [], [], [], [])


class Tally:
    """Statistics and findings of calls, without the calls. Tallies can be merged without loss.

    Not thread-safe: a `Store` uses it under its lock.

    Args:
        top: the number of slowest calls to keep, besides the slowest of each handler.

    Attributes:
        handlers: statistics of each known handler, including handlers without calls.
        ranking: the slowest calls.
    """

    def __init__(self, top: int = 0) -> None:
        self.handlers: dict[HandlerName, HandlerStats] = {}
        self.ranking: Ranking[Call] = Ranking(top)
        self._raised: dict[tuple[HandlerName, str], Raised] = {}
        self._repeats: dict[tuple[HandlerName, HandlerName], Repeat] = {}
        self._edges: dict[tuple[HandlerName, HandlerName], Edge] = {}

    def stats_of(self, name: HandlerName) -> HandlerStats:
        """Return the statistics of a handler, and add the handler if it is new."""
        stats = self.handlers.get(name)
        if stats is None:
            if len(self.handlers) >= MAX_HANDLERS and name != OTHERS:
                return self.stats_of(OTHERS)
            stats = self.handlers[name] = HandlerStats()
        return stats

    def add(self, calls: Columns, known: Bounds | None = None) -> None:
        """Count calls.

        Args:
            calls: at least one call.
            known: further bounds that a call must exceed to be kept among the slowest.
        """
        columns = calls.columns
        names, start, elapsed, details = (columns[one] for one in (NAME, START, ELAPSED, DETAILS))
        buckets, to_wall = buckets_of(calls.elapsed), calls.to_wall
        special = any(details)
        self_times, callers = elapsed, None
        if special:
            self_times = [
                taken if one is None else one[SELF_TIME]
                for taken, one in zip(elapsed, details, strict=True)
            ]
            callers = [None if one is None else one[CALLER] for one in details]
            self._count_errors(names, details)
        slow: list[int] = []
        for indexes in _by_name(names):
            pick = _picker(indexes, len(names))
            name, times = names[indexes[0]], pick(elapsed)
            own = sum(pick(self_times)) if special else None
            last_call, longest = max(pick(start)) + to_wall, max(times)
            self.stats_of(name).add(times, pick(buckets), last_call, own, longest)
            if callers is not None:
                self._count_edges(name, times, pick(callers))
            bound = self._least(name, known)
            if longest > bound:
                slow += [index for index in indexes if elapsed[index] > bound]
        # In the order in which the calls ended: of equal calls, the earlier are kept.
        for index in sorted(slow):
            if elapsed[index] > self._least(names[index], known):
                self._keep(calls, index)

    def _count_errors(self, names: list[HandlerName], details: list[Row | None]) -> None:
        for name, one in zip(names, details, strict=True):
            failure = None if one is None else one[FAILURE]
            if failure is not None:
                self.stats_of(name).errors += 1
                message = cut(failure.message, _MAX_MESSAGE)
                _note(self._raised, Raised(name, failure.type, message, 1))

    def _count_edges(
        self, name: HandlerName, elapsed: Sequence[float], callers: Sequence[HandlerName | None]
    ) -> None:
        made: dict[HandlerName | None, Sequence[float]] = {callers[0]: elapsed}
        if callers.count(callers[0]) < len(callers):
            apart: defaultdict[HandlerName | None, list[float]] = defaultdict(list)
            for caller, taken in zip(callers, elapsed, strict=True):
                apart[caller].append(taken)
            made = dict(apart)
        for caller, times in made.items():
            if caller is not None:
                self.note_edge(Edge(caller, name, len(times), sum(times)))

    def bound(self, known: Bounds | None) -> float:
        """Return the seconds that a call must exceed to be among the slowest overall."""
        bound = self.ranking.of_all()
        return bound if known is None else max(bound, known.of_all())

    def bound_of(self, name: HandlerName, known: Bounds | None) -> float:
        """Return the seconds that a call must exceed to be among the slowest of ``name``."""
        bound = self.ranking.of(name if name in self.handlers else OTHERS)
        return bound if known is None else max(bound, known.of(name))

    def _least(self, name: HandlerName, known: Bounds | None) -> float:
        """Return the seconds that a call of ``name`` must exceed to be kept."""
        return min(self.bound(known), self.bound_of(name, known))

    def _keep(self, calls: Columns, index: int) -> None:
        name, start, *others = (column[index] for column in calls.columns)
        call = Call.of((name, start + calls.to_wall, *others))
        self.ranking.add(name if name in self.handlers else OTHERS, call.elapsed, call)

    def note_repeat(self, repeat: Repeat) -> None:
        """Note repeated calls."""
        _note(self._repeats, repeat)

    def note_edge(self, edge: Edge) -> None:
        """Add the calls of an edge."""
        _note(self._edges, edge)

    def merge(self, other: Tally) -> None:
        """Add the calls that ``other`` counted; ``other`` stays unchanged."""
        for name, stats in other.handlers.items():
            self.stats_of(name).merge(stats)
        self.ranking.merge(other.ranking)
        for raised in other._raised.values():
            _note(self._raised, raised)
        for repeat in other._repeats.values():
            _note(self._repeats, repeat)
        for edge in other._edges.values():
            _note(self._edges, edge)

    def summary(self, copied: bool = False) -> Summary:
        """Return the tally in plain containers.

        Args:
            copied: whether to copy the statistics, because the tally is still in use.
        """
        handlers = self.handlers
        if copied:
            handlers = {name: stats.copy() for name, stats in handlers.items()}
        slowest = self.ranking.slowest()
        raised, repeats = list(self._raised.values()), list(self._repeats.values())
        return Summary(handlers, slowest, raised, repeats, list(self._edges.values()))


def _note(kept: dict[Any, Noted], new: Noted) -> None:
    key = new[:2]
    before = kept.get(key)
    if before is not None:
        kept[key] = before.merged(new)
    elif len(kept) < MAX_HANDLERS:
        kept[key] = new


def _by_name(names: Sequence[HandlerName]) -> Iterable[Sequence[int]]:
    """Return the indexes of each handler in ``names``."""
    if names.count(names[0]) == len(names):
        return [range(len(names))]
    # Grouped by identity, in half the time of hashing; equal names are counted together later.
    places: defaultdict[int, list[int]] = defaultdict(list)
    for index, key in enumerate(map(id, names)):
        places[key].append(index)
    return places.values()


def _picker(indexes: Sequence[int], size: int) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """Return a function that selects the items at ``indexes`` from a column of ``size`` items."""
    if len(indexes) == size:
        return lambda column: column
    if len(indexes) > 1:
        return itemgetter(*indexes)  # a quarter of the time of a loop
    return lambda column: (column[indexes[0]],)
