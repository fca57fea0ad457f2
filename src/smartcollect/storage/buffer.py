"""Calls that wait to be drawn, bounded."""

from __future__ import annotations

from .packed import Packed
from .ring import Columns
from .store import Store

_UNTAKEN = 5_000
"""How many calls a fork keeps until it takes some."""


class Buffer:
    """A `Subscriber` of a store that keeps each call until it is taken.

    Args:
        store: where the calls are.
        limit: how many calls it keeps in all; once it has had as many, it asks for no more.
    """

    def __init__(self, store: Store, limit: float) -> None:
        self._store = store
        self._room = limit
        self._closed: float = 0
        self._clear()
        if limit:
            store.subscribe(self)

    def forget(self) -> None:
        """Drop everything: this is a fork, and its parent has it too.

        Most forks take no calls, a few run a test. So there is little room until one takes some.
        """
        self._clear()
        room = self._room + self._closed
        self._room = min(room, _UNTAKEN)
        self._closed = room - self._room

    def _clear(self) -> None:
        self.minutes = self._store.new_minutes()
        self._waiting: list[Packed] = []

    def put(self, calls: Columns) -> None:
        """Keep calls, as many as there is room for."""
        number = int(min(len(calls.columns[0]), self._room))
        if number:
            self._room -= number
            self._waiting.append(Packed(calls, number))

    def take(self, wanted: bool = True) -> list[Packed]:
        """Return the calls since the last time; for `Store.settle`.

        Args:
            wanted: whether somebody draws them; those that nobody does need no room.
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
