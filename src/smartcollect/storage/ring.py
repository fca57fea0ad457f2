"""The last calls, bounded, and in less than half the memory of a tuple for each."""

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
    """Returns calls, in the order in which they ended."""

    def __call__(self, *, monotonic: bool = False) -> Iterable[Row]:
        """Return the calls.

        Args:
            monotonic: whether they start on the monotonic clock: a double of Unix seconds is good
                to a quarter of a microsecond only, and the wall clock may be set between two calls.
        """


class Columns(NamedTuple):
    """Calls that followed one another, by column.

    Attributes:
        columns: a list for each field of `Call`. ``start`` is on the clock's own scale.
        start, elapsed: two of them as doubles, 8 bytes for each and not 32.
        longest: seconds of the slowest of them.
        to_wall: what to add to ``start`` for Unix time.
    """

    columns: list[list[Any]]
    start: bytes
    elapsed: bytes
    longest: float
    to_wall: float

    @classmethod
    def of(cls, columns: list[list[Any]], to_wall: float) -> Columns:
        """Return the calls of some columns; one call at least."""
        start, elapsed = columns[START], columns[ELAPSED]
        return cls(columns, doubles(start), doubles(elapsed), max(elapsed), to_wall)

    def at(self, indexes: Sequence[int]) -> Columns:
        """Return some of the calls; one at least."""
        columns = [[column[index] for index in indexes] for column in self.columns]
        return self.of(columns, self.to_wall)


class _Nones:
    """A column that has nothing but ``None``, which takes no memory for each call."""

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
        """Add as many as ``more`` has."""
        self._length += len(more)


class Block:
    """Calls that followed one another, by column."""

    __slots__ = ("_longest", "columns", "to_wall")

    def __init__(self, calls: Columns) -> None:
        # The lists that nobody else has are taken, not copied.
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
        """Seconds of the slowest of the calls."""
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
        """Drops the first calls, and returns what holds their objects."""
        forgotten = [column[:number] for column in self.columns]
        for column in self.columns:
            del column[:number]
        self._longest = None
        return forgotten

    def rows(self, least: float, monotonic: bool) -> Iterator[Row]:
        """The calls that took ``least`` seconds or longer; see `Rows`."""
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

    They are kept in blocks by column. The longest call of each block is known, so that the
    slowest of very many calls are found among the few blocks that can have them.
    """

    _BLOCK = 256

    def __init__(self, max_history: int) -> None:
        self._max_history = max_history
        self._blocks: deque[Block] = deque()
        self._retained = 0

    def extend(self, calls: Columns) -> object:
        """Adds calls.

        Returns:
            What is forgotten for them. Its destructors may ask the log, which is to be whole by
            then: let it go last.
        """
        last = self._blocks[-1] if self._blocks else None
        if last is None or len(last) >= self._BLOCK or last.to_wall != calls.to_wall:
            self._blocks.append(Block(calls))
        else:
            last.extend(calls)
        self._retained += len(calls.columns[NAME])
        return self._forget()

    def resize(self, max_history: int) -> object:
        """Keeps at most ``max_history`` calls from now on; returns what is forgotten for that."""
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
        """The calls that took ``least`` seconds or longer; see `Rows`.

        The tuples are made one after the other: a hundred thousand at a time take longer, and
        set off collections of garbage. What they are made of does not change meanwhile.
        """
        blocks = [block.rows(least, monotonic) for block in self._blocks if block.longest >= least]
        return chain.from_iterable(blocks)

    def bound(self, n: int) -> float:
        """Seconds: the ``n`` slowest calls took so long or longer."""
        longest = heapq.nlargest(n, (block.longest for block in self._blocks))
        return longest[-1] if 0 < n <= len(longest) else 0.0
