"""A bounded buffer of calls for a trace."""

from __future__ import annotations

from .packed import Packed
from .ring import Columns
from .store import Store

_UNTAKEN = 5_000
"""The number of calls that a forked process keeps before its first `Buffer.take`."""


class Buffer:
    """A `Subscriber` of a store that keeps calls until they are taken.

    Args:
        store: the store to subscribe to.
        limit: the number of calls to keep in total; the buffer unsubscribes once it reaches it.
    """

    def __init__(self, store: Store, limit: float) -> None:
        self._store = store
        self._room = limit
        self._closed: float = 0
        self._clear()
        if limit:
            store.subscribe(self)

    def forget(self) -> None:
        """Drop everything in a forked process, whose parent has the same calls.

        Most forks never take calls; only a few run a test. So there is little room until the first
        `take`.
        """
        self._clear()
        room = self._room + self._closed
        self._room = min(room, _UNTAKEN)
        self._closed = room - self._room

    def _clear(self) -> None:
        self.minutes = self._store.new_minutes()
        self._waiting: list[Packed] = []

    def put(self, calls: Columns) -> None:
        """Keep as many of the calls as there is room for."""
        number = int(min(len(calls.columns[0]), self._room))
        if number:
            self._room -= number
            self._waiting.append(Packed(calls, number))

    def take(self, wanted: bool = True) -> list[Packed]:
        """Return the calls since the last `take`; for `Store.settle`.

        Args:
            wanted: whether the calls are needed. If not, they are dropped and free their room.
        """
        waiting = self._waiting
        self._clear()
        self._room, self._closed = self._room + self._closed, 0
        if not wanted:
            self._room += sum(map(len, waiting))
            return []
        if not self._room:
            self._store.unsubscribe(self)
        return waiting
