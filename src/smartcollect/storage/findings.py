"""What is noted of calls beside their numbers: exceptions, repeated calls, who calls whom."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

from ..names import HandlerName


class Raised(NamedTuple):
    """The calls of one handler that ended with exceptions of one type.

    Attributes:
        name: the handler.
        type: the name of the exception's class.
        message: that of one of them, cut short.
        calls: how many.
        test: where it came from: a test's node id, or ``""``.
    """

    name: HandlerName
    type: str
    message: str
    calls: int
    test: str = ""

    def merged(self, other: Raised) -> Raised:
        """Both together, of the same handler and type."""
        # Which came first is not known of two processes, so the order of names decides.
        shown = min(self, other, key=lambda one: (one.test, one.message))
        return shown._replace(calls=self.calls + other.calls)


class Repeat(NamedTuple):
    """One handler called again and again under single calls of another: an N+1.

    Attributes:
        parent: the handler that calls.
        child: the handler that is called.
        times: how often under one call of the parent, at the most.
        parents: under how many calls of the parent it was called so often that it is noted.
        same: whether the arguments were alike each time, so that the answer could be kept;
            otherwise one call could ask for all at once.
        test: where it was called most: a test's node id, or ``""``.
    """

    parent: HandlerName
    child: HandlerName
    times: int
    parents: int
    same: bool
    test: str = ""

    def merged(self, other: Repeat) -> Repeat:
        """Both together, of the same two handlers."""
        most = min(self, other, key=lambda one: (-one.times, one.test))
        return most._replace(parents=self.parents + other.parents, same=self.same and other.same)


class Edge(NamedTuple):
    """The calls of one handler that calls of another made: an edge of the call graph.

    Each call counts once, when it has ended, for the nearest recorded call around it: in a
    coroutine or generator that is the call that made its first step, and in a task or thread that
    was given a copy of the context it is the call that started it, even if that ended long before.
    So the edges to a handler and its calls that no recorded call made add up to its ``calls``.

    Attributes:
        parent: the handler that calls; the same as ``child`` where a handler calls itself.
        child: the handler that is called.
        calls: how many calls of ``child`` the calls of ``parent`` made directly.
        total_time: seconds in these calls, including the calls inside them.
    """

    parent: HandlerName
    child: HandlerName
    calls: int
    total_time: float

    def merged(self, other: Edge) -> Edge:
        """Return both together, which are of the same two handlers."""
        calls, total_time = self.calls + other.calls, self.total_time + other.total_time
        return Edge(self.parent, self.child, calls, total_time)


Noted = TypeVar("Noted", Raised, Repeat, Edge)
