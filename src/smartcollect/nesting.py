"""Which recorded call is running now, in this thread and task."""

from __future__ import annotations

import operator
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from .names import HandlerName

Taken = tuple[tuple[Any, ...], dict[str, Any]]  # positional and keyword arguments

# A frame stands for one running call of one store. It is a list and not an object because one is
# made for each call: a list display takes a sixth of the time of a class instance.
#   [store, the frame around it, children running, when the first of these began,
#    seconds in children, the children by name]
Frame = list[Any]
STORE, OUTER, RUNNING, SINCE, IN_CHILDREN, CHILDREN = range(6)

SUSPENDED: Frame = [None, None, 0, 0.0, 0.0, None]
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


def ended(frame: Frame, at: float) -> None:
    """Notes that the call of ``frame`` ended at ``at``, whatever runs on that it started."""
    if frame[RUNNING]:
        frame[IN_CHILDREN] += at - frame[SINCE]
        frame[SINCE] = at
    # A task that was started inside keeps the frame: it is not to keep all those around it.
    frame[OUTER] = None


def child_called(parent: Frame, name: HandlerName, taken: Taken, plain: bool) -> None:
    """Notes that ``parent`` called the handler ``name`` with the arguments ``taken``.

    Where these are not ``plain`` data they are told apart by identity: their own ``__eq__`` could
    do anything.
    """
    children = parent[CHILDREN]
    if children is None:
        children = parent[CHILDREN] = {}
    child = children.get(name)
    if child is None:
        children[name] = Children(taken)
    else:
        child.calls += 1
        if child.same:
            child.same = taken == child.taken if plain else _identical(taken, child.taken)


def _identical(one: Taken, other: Taken) -> bool:
    (args, kwargs), (other_args, other_kwargs) = one, other
    return (
        len(args) == len(other_args)
        and kwargs.keys() == other_kwargs.keys()
        and all(map(operator.is_, args, other_args))
        and all(value is other_kwargs[key] for key, value in kwargs.items())
    )


class Children:
    """The calls of one handler under one call of another: how many, and whether alike."""

    __slots__ = ("calls", "same", "taken")

    def __init__(self, taken: Taken) -> None:
        self.calls = 1
        self.same = True
        self.taken = taken


def child_stopped(parent: Frame, at: float) -> None:
    """Notes that a call inside ``parent`` stopped to run at ``at``."""
    parent[RUNNING] -= 1
    if parent[RUNNING] == 0:
        parent[IN_CHILDREN] += at - parent[SINCE]
