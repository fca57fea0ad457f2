"""Which recorded call is running now, in this thread and task."""

from __future__ import annotations

import itertools
import operator
import weakref
from asyncio import Task, current_task
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any

from ..names import HandlerName
from ..storage.findings import Repeat

# A frame stands for one running call of one store: [the store, the frame around it, what runs
# inside of it or None]. It is a list and not an object because one is made for each call: that
# takes 25 ns, an instance of a class six times as long.
Frame = list[Any]
STORE, OUTER, INNER, _FIRST = range(4)

SUSPENDED: Frame = [None, None, None]
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


_ids = itertools.count(1)


class Inner:
    """The recorded calls inside of one call.

    They are counted and not only summed because those of a coroutine overlap: `gather` of two
    one-second handlers keeps their parent waiting for one second.

    Attributes:
        id: number of the call that they are inside of, which they tell as their parent.
        running: how many of them run now.
        since: when the first of these began.
        spent: seconds in them.
        children: those that ended, by name.
    """

    __slots__ = ("children", "id", "running", "since", "spent")

    def __init__(self) -> None:
        self.id = next(_ids)
        self.running = 0
        self.since = 0.0
        self.spent = 0.0
        self.children: dict[HandlerName, Children] = {}

    def started(self, at: float) -> None:
        """Notes that a call began to run at ``at``."""
        if self.running == 0:
            self.since = at
        self.running += 1

    def stopped(self, at: float) -> None:
        """Notes that a call stopped to run at ``at``."""
        self.running -= 1
        if self.running == 0:
            self.spent += at - self.since

    def called(
        self,
        name: HandlerName,
        args: Any,
        kwargs: Any,
        by_value: bool,
        objects: Sequence[Any] = (),
    ) -> None:
        """Notes a call of the handler ``name`` with such arguments.

        Plain data is compared ``by_value``, objects by identity: their own ``__eq__`` could do
        anything. Of ``objects`` the plain data tells nothing but the type.
        """
        child = self.children.get(name)
        if child is None:
            new = Children(args, kwargs, by_value, objects)
            child = self.children.setdefault(name, new)  # another thread may have been first
            if child is new:
                return
        child.calls += 1
        if child.same:
            child.same = child.like(args, kwargs, by_value, objects)

    def repeats(self, parent: HandlerName, threshold: int) -> Iterator[Repeat]:
        """Yield the handlers that were called at least ``threshold`` times."""
        for name, child in self.children.items():
            if child.calls >= threshold:
                yield Repeat(parent, name, child.calls, 1, child.same)


def inner_of(frame: Frame) -> Inner:
    """What runs inside of the call of ``frame``."""
    inner: Inner | None = frame[INNER]
    if inner is None:
        # Threads may share a context, and meet here: the one that was appended first is the one.
        frame.append(Inner())
        inner = frame[INNER] = frame[_FIRST]
    return inner


def ended(frame: Frame, at: float) -> None:
    """Notes that the call of ``frame`` ended at ``at``, whatever runs on that it started."""
    inner: Inner | None = frame[INNER]
    if inner is not None and inner.running:
        inner.spent += at - inner.since
        inner.since = at
    # A task that was started inside keeps the frame: it is not to keep all those around it.
    frame[OUTER] = None


def stopped(frame: Frame, parent: Frame | None, at: float) -> None:
    """Note that the call of ``frame`` does not run any more: it is over, or waits."""
    ended(frame, at)
    if parent is not None:
        inner_of(parent).stopped(at)


def reference_to(value: object) -> Callable[[], object]:
    """Return what returns ``value`` while that lives, and does not keep it alive.

    Later, or where there can be no such thing, it returns an object that is no other: an address
    alone may be that of another object by then.
    """
    try:
        reference = weakref.ref(value)
    except TypeError:
        return object

    def referred() -> object:
        found = reference()
        return object() if found is None else found

    return referred


class Children:
    """The calls of one handler under one call of another: how many, and whether alike."""

    __slots__ = ("args", "by_value", "calls", "kwargs", "objects", "same")

    def __init__(
        self,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        by_value: bool,
        objects: Sequence[Any],
    ) -> None:
        self.by_value = by_value
        self.calls = 1
        self.same = True
        self.args = args
        self.kwargs = kwargs
        self.objects = [reference_to(value) for value in objects]

    def like(
        self,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        by_value: bool,
        objects: Sequence[Any],
    ) -> bool:
        """Tell whether the first of them had these arguments."""
        if by_value and self.by_value:
            if args != self.args or kwargs != self.kwargs or len(objects) != len(self.objects):
                return False
            return all(known() is value for known, value in zip(self.objects, objects, strict=True))
        return (
            len(args) == len(self.args)
            and kwargs.keys() == self.kwargs.keys()
            and all(map(operator.is_, args, self.args))
            and all(value is self.kwargs[key] for key, value in kwargs.items())
        )


def task_name() -> str | None:
    """Return the name of the asyncio task that runs now, if one does."""
    try:
        task = current_task()
    except RuntimeError:  # no event loop of asyncio's
        return None
    # A subclass may have a `get_name` of its own.
    return Task.get_name(task) if isinstance(task, Task) else None
