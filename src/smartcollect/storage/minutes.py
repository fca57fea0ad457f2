"""Tallies of calls, minute by minute."""

from __future__ import annotations

from collections import defaultdict

from ..names import HandlerName
from .findings import Edge, Repeat
from .ranking import Bounds
from .ring import Columns
from .rows import START
from .statistics import HandlerStats
from .tally import Tally

_MOST = 60


def minute_of(moment: float) -> int:
    """Return the Unix minute of Unix seconds."""
    return int(moment // 60)


class Minutes:
    """Tallies of calls by the Unix minute in which they began.

    Keeps at most 60 minutes, however long they are not read; the oldest are merged into one.

    Args:
        top: the number of slowest calls to keep for each minute.
        minute: the minute for findings without a time, until the first call sets it.
    """

    def __init__(self, top: int, minute: int) -> None:
        self.tallies: dict[int, Tally] = {}
        self._top = top
        self._latest = minute

    def add(self, calls: Columns, known: Bounds | None = None) -> None:
        """Count calls; see `Tally.add`."""
        start, to_wall = calls.columns[START], calls.to_wall
        first, last = minute_of(min(start) + to_wall), minute_of(max(start) + to_wall)
        self._latest = last
        if first == last:
            self._of(last).add(calls, known)
            return
        indexes: defaultdict[int, list[int]] = defaultdict(list)
        for index, moment in enumerate(start):
            indexes[minute_of(moment + to_wall)].append(index)
        for minute, some in indexes.items():
            self._of(minute).add(calls.at(some), known)

    def stats_of(self, name: HandlerName) -> HandlerStats:
        """Return the statistics of a handler in the latest minute."""
        return self._of(self._latest).stats_of(name)

    def note_repeat(self, repeat: Repeat) -> None:
        """Note repeated calls in the latest minute."""
        self._of(self._latest).note_repeat(repeat)

    def note_edge(self, edge: Edge) -> None:
        """Add an edge to the latest minute."""
        self._of(self._latest).note_edge(edge)

    def merge(self, other: Minutes) -> None:
        """Add the tallies of ``other``, which stays unchanged."""
        for minute, tally in other.tallies.items():
            self._of(minute).merge(tally)

    def _of(self, minute: int) -> Tally:
        if len(self.tallies) == _MOST:
            minute = max(minute, min(self.tallies))
        if minute not in self.tallies:
            self.tallies[minute] = Tally(self._top)
            if len(self.tallies) > _MOST:
                oldest, older = sorted(self.tallies)[:2]
                self.tallies[older].merge(self.tallies.pop(oldest))
        return self.tallies[minute]
