"""The last calls, bounded, and in half the memory of a tuple for each."""

from __future__ import annotations

import heapq
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

from .names import HandlerName
from .snapshot import Failure

Place = tuple[str, int]
"""A line: file and number."""


class Call(NamedTuple):
    """A call that ended; times in seconds, ``began`` in Unix seconds."""

    name: HandlerName
    began: float
    elapsed: float
    self_time: float
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    failure: Failure | None
    result: Any
    where: Place | None


Row = tuple[HandlerName, float, float, float, Any, Any, Failure | None, Any, Place | None]
"""The same as a plain tuple: to make a `Call` of each row takes as long as to look at three."""

NAME: Final = 0
BEGAN: Final = 1
ELAPSED: Final = 2
SELF_TIME: Final = 3
FAILURE: Final = 6
WHERE: Final = 8

Select = Callable[[list[Row]], list[Row]]


class _Block:
    """Calls that followed one another, by column."""

    __slots__ = ("_longest", "columns")

    def __init__(self) -> None:
        # Numbers in arrays take 8 bytes each, and not 32; the other columns are the objects.
        self.columns: list[Any] = [
            array("d") if BEGAN <= index <= SELF_TIME else [] for index in range(WHERE + 1)
        ]
        self._longest: float | None = 0.0

    def __len__(self) -> int:
        return len(self.columns[NAME])

    @property
    def longest(self) -> float:
        """Seconds of the slowest of the calls."""
        if self._longest is None:
            self._longest = max(self.columns[ELAPSED], default=0.0)
        return self._longest

    def extend(self, columns: Sequence[Sequence[Any]], longest: float) -> None:
        self._longest = max(self.longest, longest)
        for mine, more in zip(self.columns, columns, strict=True):
            mine.extend(more)

    def forget(self, number: int) -> object:
        """Drops the first calls, and returns what holds their objects."""
        forgotten = [column[:number] for column in self.columns]
        for column in self.columns:
            del column[:number]
        self._longest = None
        return forgotten

    def rows(self, least: float) -> Iterable[Row]:
        """The calls that took ``least`` seconds or longer."""
        if not least:
            return zip(*self.columns, strict=True)
        slow = [index for index, one in enumerate(self.columns[ELAPSED]) if one >= least]
        return [tuple([column[index] for column in self.columns]) for index in slow]


class Ring:
    """The last ``max_history`` calls, in the order in which they ended.

    They are kept in blocks by column. The longest call of each block is known, so that the
    slowest of very many calls are found among the few blocks that can have them.
    """

    _BLOCK = 256

    def __init__(self, max_history: int) -> None:
        self._max_history = max_history
        self._blocks: deque[_Block] = deque()
        self._retained = 0

    def extend(self, columns: Sequence[Sequence[Any]], longest: float) -> object:
        """Adds calls, given by column, of which the longest took ``longest`` seconds.

        Returns:
            What is forgotten for them. Its destructors may ask the log, which is to be whole by
            then: let it go last.
        """
        if not self._blocks or len(self._blocks[-1]) >= self._BLOCK:
            self._blocks.append(_Block())
        self._blocks[-1].extend(columns, longest)
        self._retained += len(columns[NAME])
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

    def rows(self, least: float = 0.0) -> list[Row]:
        """The calls that took ``least`` seconds or longer."""
        return [
            row for block in self._blocks if block.longest >= least for row in block.rows(least)
        ]

    def bound(self, n: int) -> float:
        """Seconds: the ``n`` slowest calls took so long or longer."""
        longest = heapq.nlargest(n, (block.longest for block in self._blocks))
        return longest[-1] if 0 < n <= len(longest) else 0.0
