"""The last calls, bounded, and in less than half the memory of a tuple for each."""

from __future__ import annotations

import heapq
from array import array
from collections import deque
from collections.abc import Iterator
from itertools import chain
from typing import Any, Final, NamedTuple

from .failure import Failure
from .names import HandlerName

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


class Rest(NamedTuple):
    """What most calls do not have: time in other handlers, an exception, a place."""

    self_time: float
    failure: Failure | None = None
    where: Place | None = None


Row = tuple[HandlerName, float, float, Any, Any, Any, "Rest | None"]
"""A call as it is recorded: name, began, elapsed, args, kwargs, result, rest.

To make a `Call` of each takes as long as to look at three.
"""

NAME: Final = 0
BEGAN: Final = 1
ELAPSED: Final = 2
REST: Final = 6
WIDTH: Final = 7


def failed(row: Row) -> bool:
    """Whether the call raised."""
    rest = row[REST]
    return rest is not None and rest.failure is not None


def call_of(row: Row) -> Call:
    """The call that was recorded as ``row``."""
    name, began, elapsed, args, kwargs, result, rest = row
    self_time, failure, where = rest or (elapsed, None, None)
    return Call(name, began, elapsed, self_time, args, kwargs, failure, result, where)


def row_of(call: Call) -> Row:
    """The row that `call_of` makes ``call`` of."""
    rest = Rest(call.self_time, call.failure, call.where)
    return call.name, call.began, call.elapsed, call.args, call.kwargs, call.result, rest


class Batch(NamedTuple):
    """Calls that followed one another, by column.

    Attributes:
        columns: those of `Row`. ``began`` is on the clock's own scale.
        began, elapsed: two of them as doubles, 8 bytes for each and not 32.
        longest: seconds of the slowest of them.
        to_wall: what to add to ``began`` for Unix time.
    """

    columns: list[list[Any]]
    began: bytes
    elapsed: bytes
    longest: float
    to_wall: float


class _Block:
    """Calls that followed one another, by column."""

    __slots__ = ("_longest", "columns", "to_wall")

    def __init__(self, batch: Batch) -> None:
        # The lists that nobody else has are taken, not copied.
        self.columns: list[Any] = list(batch.columns)
        self.columns[BEGAN] = array("d", batch.began)
        self.columns[ELAPSED] = array("d", batch.elapsed)
        self.to_wall = batch.to_wall
        self._longest: float | None = batch.longest

    def __len__(self) -> int:
        return len(self.columns[NAME])

    @property
    def longest(self) -> float:
        """Seconds of the slowest of the calls."""
        if self._longest is None:
            self._longest = max(self.columns[ELAPSED], default=0.0)
        return self._longest

    def extend(self, batch: Batch) -> None:
        self._longest = max(self.longest, batch.longest)
        for mine, more in zip(self.columns, batch.columns, strict=True):
            mine.extend(more)

    def forget(self, number: int) -> object:
        """Drops the first calls, and returns what holds their objects."""
        forgotten = [column[:number] for column in self.columns]
        for column in self.columns:
            del column[:number]
        self._longest = None
        return forgotten

    def rows(self, least: float) -> Iterator[Row]:
        """The calls that took ``least`` seconds or longer, ``began`` in Unix time."""
        if least:
            slow = [index for index, one in enumerate(self.columns[ELAPSED]) if one >= least]
            columns = [[column[index] for index in slow] for column in self.columns]
        else:
            columns = [column[:] for column in self.columns]
        name, began, *others = columns
        return zip(name, [one + self.to_wall for one in began], *others, strict=True)


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

    def extend(self, batch: Batch) -> object:
        """Adds calls.

        Returns:
            What is forgotten for them. Its destructors may ask the log, which is to be whole by
            then: let it go last.
        """
        last = self._blocks[-1] if self._blocks else None
        if last is None or len(last) >= self._BLOCK or last.to_wall != batch.to_wall:
            self._blocks.append(_Block(batch))
        else:
            last.extend(batch)
        self._retained += len(batch.columns[NAME])
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

    def rows(self, least: float = 0.0) -> Iterator[Row]:
        """The calls that took ``least`` seconds or longer.

        The tuples are made one after the other: a hundred thousand at a time take longer, and
        set off collections of garbage. What they are made of does not change meanwhile.
        """
        blocks = [block.rows(least) for block in self._blocks if block.longest >= least]
        return chain.from_iterable(blocks)

    def bound(self, n: int) -> float:
        """Seconds: the ``n`` slowest calls took so long or longer."""
        longest = heapq.nlargest(n, (block.longest for block in self._blocks))
        return longest[-1] if 0 < n <= len(longest) else 0.0
