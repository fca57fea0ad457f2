"""Findings about calls beside statistics: exceptions, repeated calls, and call graph edges."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

from ..names import HandlerName


class Raised(NamedTuple):
    """The calls of one handler that ended with exceptions of one type.

    Attributes:
        name: the handler.
        type: the name of the exception's class.
        message: the message of one of the exceptions, cut to a maximum length.
        calls: the number of calls.
        test: the node id of the test that ``message`` comes from, or ``""``.
    """

    name: HandlerName
    type: str
    message: str
    calls: int
    test: str = ""

    def merged(self, other: Raised) -> Raised:
        """Return both together; they have the same handler and type."""
        # Two processes have no common order in time, so the order of names decides.
        shown = min(self, other, key=lambda one: (one.test, one.message))
        return shown._replace(calls=self.calls + other.calls)


class Repeat(NamedTuple):
    """Repeated calls (N+1): one handler called many times inside single calls of another.

    Attributes:
        parent: the handler that calls.
        child: the handler that is called.
        times: the largest number of calls inside one call of the parent.
        parents: the number of calls of the parent with enough calls of the child to be noted.
        same: whether the arguments were equal each time, so that the result could be cached. If
            not, one call could fetch everything at once.
        test: the node id of the test with the largest number of calls, or ``""``.
    """

    parent: HandlerName
    child: HandlerName
    times: int
    parents: int
    same: bool
    test: str = ""

    def merged(self, other: Repeat) -> Repeat:
        """Return both together; they have the same two handlers."""
        most = min(self, other, key=lambda one: (-one.times, one.test))
        return most._replace(parents=self.parents + other.parents, same=self.same and other.same)


class Edge(NamedTuple):
    """An edge of the call graph: the calls of one handler made by another.

    Each call counts once, when it ends, for the nearest recorded call around it. For a coroutine or
    generator that is the call that ran its first step. In a task, or a thread that runs in a copy
    of the context, it is the call that started it, even if that ended long before. So the edges to
    a handler, and its calls without a recorded caller, add up to its ``calls``.

    Attributes:
        parent: the handler that calls; equal to ``child`` if a handler calls itself.
        child: the handler that is called.
        calls: the number of calls of ``child`` made directly by calls of ``parent``.
        total_time: seconds in these calls, including the calls inside them.
    """

    parent: HandlerName
    child: HandlerName
    calls: int
    total_time: float

    def merged(self, other: Edge) -> Edge:
        """Return both together; they have the same two handlers."""
        calls, total_time = self.calls + other.calls, self.total_time + other.total_time
        return Edge(self.parent, self.child, calls, total_time)


Noted = TypeVar("Noted", Raised, Repeat, Edge)
