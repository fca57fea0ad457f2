"""The slowest calls, overall and of each handler."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import count
from math import inf
from typing import Generic, NamedTuple, Protocol, TypeVar

from ..names import HandlerName

EACH = 5
"""The number of slowest calls to keep for each handler, besides the slowest overall."""
_order = count()

Kept = TypeVar("Kept")


class Bounds(Protocol):
    """Bounds that a call must exceed to be kept among the slowest."""

    def of_all(self) -> float:
        """Return the seconds that a call must exceed to be among the slowest overall."""

    def of(self, name: HandlerName) -> float:
        """Return the seconds that a call must exceed to be among the slowest of ``name``."""


class Ranked(NamedTuple, Generic[Kept]):
    """A call in a ranking. The slower call compares larger; of equal calls, the earlier one.

    Attributes:
        elapsed: seconds.
        order: a number that falls with each call, so that no two are equal.
        name: the handler.
        kept: the object to keep for the call.
    """

    elapsed: float
    order: int
    name: HandlerName
    kept: Kept


class Ranking(Generic[Kept]):
    """The slowest calls overall, and the `EACH` slowest of each handler. Merges without loss.

    Args:
        top: the number of slowest calls overall; 0 keeps no calls at all.
    """

    def __init__(self, top: int) -> None:
        self._top = top
        self._each = min(top, EACH)
        self._all: list[Ranked[Kept]] = []
        self._of: dict[HandlerName, list[Ranked[Kept]]] = {}

    def of_all(self) -> float:
        """Return the seconds that a call must exceed to be among the slowest overall."""
        if len(self._all) < self._top:
            return -inf
        return self._all[0].elapsed if self._all else inf

    def of(self, name: HandlerName) -> float:
        """Return the seconds that a call must exceed to be among the slowest of ``name``."""
        ranked = self._of.get(name)
        if ranked is None:
            return -inf if self._each else inf
        return -inf if len(ranked) < self._each else ranked[0].elapsed

    def add(self, name: HandlerName, elapsed: float, kept: Kept) -> bool:
        """Keep a call if it is among the slowest; of equal calls, keep the earlier.

        Args:
            name: the handler.
            elapsed: seconds.
            kept: the object to keep for the call.

        Returns:
            Whether the call is among the slowest.
        """
        return self._add(Ranked(elapsed, -next(_order), name, kept))

    def merge(self, other: Ranking[Kept]) -> None:
        """Add the calls of ``other``, which stays unchanged."""
        for ranked in other._ranked():
            self._add(ranked)

    def slowest(self) -> list[Kept]:
        """Return the kept objects, slowest call first."""
        return [ranked.kept for ranked in sorted(self._ranked(), reverse=True)]

    def _ranked(self) -> Iterator[Ranked[Kept]]:
        unique = {ranked.order: ranked for ranked in self._all}
        for some in self._of.values():
            unique.update({ranked.order: ranked for ranked in some})
        return iter(unique.values())

    def _add(self, ranked: Ranked[Kept]) -> bool:
        among = False
        if ranked.elapsed > self.of(ranked.name):
            among = _push(self._of.setdefault(ranked.name, []), ranked, self._each)
        if ranked.elapsed > self.of_all():
            among = _push(self._all, ranked, self._top)
        return among


def _push(heap: list[Ranked[Kept]], ranked: Ranked[Kept], most: int) -> bool:
    if len(heap) < most:
        heapq.heappush(heap, ranked)
    else:
        heapq.heapreplace(heap, ranked)
    return True
