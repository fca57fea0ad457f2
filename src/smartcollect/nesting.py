"""Which recorded call is running now, in this thread and task."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

# A frame stands for one running call of one store. It is a list and not an object because one is
# made for each call: a list display takes a sixth of the time of a class instance.
#   [store, the frame around it, children running, when the first of these began,
#    seconds in children]
Frame = list[Any]
STORE, OUTER, RUNNING, SINCE, IN_CHILDREN = range(5)

SUSPENDED: Frame = [None, None, 0, 0.0, 0.0]
"""The frame while a value's own ``repr`` runs: handlers that it calls are not recorded."""

current: ContextVar[Frame | None] = ContextVar("smartcollect_frame", default=None)


def suspended(function: Callable[[Any], Any], value: Any) -> Any:
    """``function(value)``, with the handlers that it calls left out of every recording."""
    token = current.set(SUSPENDED)
    try:
        return function(value)
    finally:
        current.reset(token)


def parent_of(frame: Frame | None, store: object) -> Frame | None:
    """The nearest frame of ``store``: collectors that watch other handlers do not break a chain."""
    while frame is not None and frame[STORE] is not store:
        frame = frame[OUTER]
    return frame


# Children are counted and not only summed because those of a coroutine overlap: `gather` of two
# one-second handlers keeps their parent waiting for one second.


def child_started(parent: Frame, at: float) -> None:
    """Notes that a call inside ``parent`` began to run at ``at``."""
    if parent[RUNNING] == 0:
        parent[SINCE] = at
    parent[RUNNING] += 1


def child_stopped(parent: Frame, at: float) -> None:
    """Notes that a call inside ``parent`` stopped to run at ``at``."""
    parent[RUNNING] -= 1
    if parent[RUNNING] == 0:
        parent[IN_CHILDREN] += at - parent[SINCE]
