"""Locks that let one thread at a time call a sink, also when several logs share the sink."""

from __future__ import annotations

from threading import Lock
from weakref import WeakValueDictionary

from ..forks import Process, this_process


class Turn:
    """The lock that all subscriptions of a sink share.

    Args:
        sink: the sink.

    Attributes:
        lock: held while a thread calls the sink.
    """

    def __init__(self, sink: object) -> None:
        self._sink = sink  # kept alive, so that no other sink gets the same id()
        self.lock = Lock()


_turns: WeakValueDictionary[tuple[Process, int], Turn] = WeakValueDictionary()


def turn_of(sink: object) -> Turn:
    """Return the `Turn` of a sink. A forked child gets a new one, whose lock is free."""
    return _turns.setdefault((this_process(), id(sink)), Turn(sink))
