"""What is noted of calls beside their numbers: exceptions, and calls that repeat."""

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


Noted = TypeVar("Noted", Raised, Repeat)
