"""One thread at a time for each sink, also where it is subscribed to several logs."""

from __future__ import annotations

from threading import Lock
from weakref import WeakValueDictionary

from ..forks import Process, this_process


class Turn:
    """What subscriptions of one sink have in common.

    Args:
        sink: the sink.

    Attributes:
        lock: held by whoever calls the sink.
    """

    def __init__(self, sink: object) -> None:
        self._sink = sink  # no other one gets its identity meanwhile
        self.lock = Lock()


_turns: WeakValueDictionary[tuple[Process, int], Turn] = WeakValueDictionary()


def turn_of(sink: object) -> Turn:
    """Return the `Turn` of a sink. The child of a fork has another one, which nobody holds."""
    return _turns.setdefault((this_process(), id(sink)), Turn(sink))
