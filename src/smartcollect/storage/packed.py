"""Calls that wait to be read, stored in few objects."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from itertools import chain, islice

from .ring import Columns
from .rows import ARGS, ELAPSED, START, Row


class Packed:
    """Consecutive calls, stored so that the garbage collector has few objects to visit.

    With one tuple of arguments for each of a hundred thousand calls, garbage collection took a
    third of the time of the calls. So one list holds the arguments of all calls.

    Args:
        calls: the calls.
        number: the number of calls to keep, from the first.
    """

    __slots__ = ("_after", "_before", "_elapsed", "_lengths", "_start", "_to_wall", "_values")

    def __init__(self, calls: Columns, number: int) -> None:
        columns = calls.columns
        args = columns[ARGS]
        if number < len(args):
            columns = [column[:number] for column in columns]
            args = columns[ARGS]
        self._values = list(chain.from_iterable(args))
        self._lengths = list(map(len, args))
        # The columns before and after start, elapsed and args, which are stored differently.
        self._before = [column[:] for column in columns[:START]]
        self._after = [column[:] for column in columns[ARGS + 1 :]]
        self._start, self._elapsed, self._to_wall = calls.start, calls.elapsed, calls.to_wall

    def __len__(self) -> int:
        return len(self._lengths)

    def rows(self, monotonic: bool = False) -> Iterator[Row]:
        """Yield the calls; see `ring.Rows`."""
        values = iter(self._values)
        args = [tuple(islice(values, length)) for length in self._lengths]
        to_wall = 0.0 if monotonic else self._to_wall
        start = [one + to_wall for one in array("d", self._start)[: len(self)]]
        elapsed = array("d", self._elapsed)[: len(self)]
        return zip(*self._before, start, elapsed, args, *self._after, strict=True)


assert (ELAPSED, ARGS) == (START + 1, START + 2)
