"""The history of a log: its last calls, in less than half the memory of a tuple for each."""

from __future__ import annotations

import heapq
from array import array
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple, Protocol

from .histogram import doubles
from .rows import DETAILS, ELAPSED, NAME, START, THREAD, Row


class Rows(Protocol):
    """A function that returns calls, in the order in which they ended."""

    def __call__(self, *, monotonic: bool = False) -> Iterable[Row]:
        """Return the calls.

        Args:
            monotonic: whether ``start`` is on the monotonic clock. A double of Unix seconds has a
                precision of a quarter of a microsecond only, and the wall clock may be set between
                two calls.
        """


class Columns(NamedTuple):
    """Consecutive calls, by column.

    Attributes:
        columns: a list for each field of `Call`. ``start`` is on the monotonic clock.
        start, elapsed: these two columns as packed doubles, which take 8 bytes and not 32.
        longest: seconds of the slowest call.
        to_wall: the difference to add to ``start`` for Unix time.
    """

    columns: list[list[Any]]
    start: bytes
    elapsed: bytes
    longest: float
    to_wall: float

    @classmethod
    def of(cls, columns: list[list[Any]], to_wall: float) -> Columns:
        """Return `Columns` of ``columns``, which hold at least one call."""
        start, elapsed = columns[START], columns[ELAPSED]
        return cls(columns, doubles(start), doubles(elapsed), max(elapsed), to_wall)

    def at(self, indexes: Sequence[int]) -> Columns:
        """Return the calls at ``indexes``, of which there is at least one."""
        columns = [[column[index] for index in indexes] for column in self.columns]
        return self.of(columns, self.to_wall)


class _Nones:
    """A column of ``None`` values only, which needs no memory per call."""

    __slots__ = ("_length",)

    def __init__(self, length: int) -> None:
        self._length = length

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, key: int | slice) -> list[None] | None:
        return [None] * len(range(self._length)[key]) if isinstance(key, slice) else None

    def __delitem__(self, indexes: slice) -> None:
        self._length -= len(range(self._length)[indexes])

    def extend(self, more: Sequence[None]) -> None:
        """Add the values of ``more``."""
        self._length += len(more)


class Block:
    """Consecutive calls of a `Ring`, by column."""

    __slots__ = ("_longest", "columns", "to_wall")

    def __init__(self, calls: Columns) -> None:
        # Takes over the lists without a copy: `calls` is not used again.
        self.columns: list[Any] = list(calls.columns)
        self.columns[START] = array("d", calls.start)
        self.columns[THREAD] = array("L", calls.columns[THREAD])  # C's type of an identity
        self.columns[ELAPSED] = array("d", calls.elapsed)
        if not any(calls.columns[DETAILS]):
            self.columns[DETAILS] = _Nones(len(calls.columns[DETAILS]))
        self.to_wall = calls.to_wall
        self._longest: float | None = calls.longest

    def __len__(self) -> int:
        return len(self.columns[NAME])

    @property
    def longest(self) -> float:
        """Seconds of the slowest call."""
        if self._longest is None:
            self._longest = max(self.columns[ELAPSED], default=0.0)
        return self._longest

    def extend(self, calls: Columns) -> None:
        self._longest = max(self.longest, calls.longest)
        details = self.columns[DETAILS]
        if type(details) is _Nones and any(calls.columns[DETAILS]):
            self.columns[DETAILS] = details[:]
        for mine, more in zip(self.columns, calls.columns, strict=True):
            mine.extend(more)

    def forget(self, number: int) -> object:
        """Drop the first ``number`` calls, and return their objects."""
        forgotten = [column[:number] for column in self.columns]
        for column in self.columns:
            del column[:number]
        self._longest = None
        return forgotten

    def rows(self, least: float, monotonic: bool) -> Iterator[Row]:
        """Return the calls that took at least ``least`` seconds; see `Rows`."""
        if least:
            slow = [index for index, one in enumerate(self.columns[ELAPSED]) if one >= least]
            columns = [[column[index] for index in slow] for column in self.columns]
        else:
            columns = [column[:] for column in self.columns]
        to_wall = 0.0 if monotonic else self.to_wall
        starts = [one + to_wall for one in columns[START]]
        return zip(*columns[:START], starts, *columns[START + 1 :], strict=True)


class Ring:
    """The last ``max_history`` calls, in the order in which they ended.

    Stored in blocks, by column. Each block knows its longest call, so that the slowest of very many
    calls are found in a few blocks.
    """

    _BLOCK = 256

    def __init__(self, max_history: int) -> None:
        self._max_history = max_history
        self._blocks: deque[Block] = deque()
        self._retained = 0

    def extend(self, calls: Columns) -> object:
        """Add calls.

        Returns:
            The objects of dropped calls. Release them last: their destructors may read the log,
            which must be consistent by then.
        """
        last = self._blocks[-1] if self._blocks else None
        if last is None or len(last) >= self._BLOCK or last.to_wall != calls.to_wall:
            self._blocks.append(Block(calls))
        else:
            last.extend(calls)
        self._retained += len(calls.columns[NAME])
        return self._forget()

    def resize(self, max_history: int) -> object:
        """Keep at most ``max_history`` calls from now on; return the objects of dropped calls."""
        self._max_history = max_history
        return self._forget()

    def _forget(self) -> object:
        forgotten: list[object] = []
        while self._retained > self._max_history:
            surplus = self._retained - self._max_history
            first = self._blocks[0]
            if len(first) <= surplus:
                self._retained -= len(first)
                forgotten.append(self._blocks.popleft())
            else:
                self._retained -= surplus
                forgotten.append(first.forget(surplus))
        return forgotten

    def rows(self, least: float = 0.0, *, monotonic: bool = False) -> Iterator[Row]:
        """Return the calls that took at least ``least`` seconds; see `Rows`.

        The tuples are made one by one, because a hundred thousand at once take longer and trigger
        garbage collections. They are made from copies, so later calls do not affect them.
        """
        blocks = [block.rows(least, monotonic) for block in self._blocks if block.longest >= least]
        return chain.from_iterable(blocks)

    def bound(self, n: int) -> float:
        """Return seconds that each of the ``n`` slowest calls took at least."""
        longest = heapq.nlargest(n, (block.longest for block in self._blocks))
        return longest[-1] if 0 < n <= len(longest) else 0.0
