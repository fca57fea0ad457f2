"""What a profile is made of beside statistics."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from ..names import HandlerName
from ..storage.findings import Edge
from .revision import Revision

SLOWEST = 50
"""How many of the slowest calls of all a profile keeps, beside the slowest of each handler."""


class SlowCall(NamedTuple):
    """One of the slowest calls.

    Attributes:
        name: the handler.
        elapsed: seconds.
        arguments: how they would be written, cut short.
        error: the type of the exception that ended it, or ``""``.
        test: where the call was made: a test's node id, or ``""``.
    """

    name: HandlerName
    elapsed: float
    arguments: str
    error: str
    test: str


def edge_order(edge: Edge) -> tuple[float, Edge]:
    """Return what sorts edges: the largest total time first."""
    return -edge.total_time, edge


class Usage(NamedTuple):
    """What one phase of a test spent in one handler.

    Attributes:
        calls: calls that ended.
        errors: those that raised.
        total_time: seconds in all calls.
    """

    calls: int
    errors: int
    total_time: float

    def plus(self, other: Usage) -> Usage:
        """Both together."""
        return Usage(
            self.calls + other.calls,
            self.errors + other.errors,
            self.total_time + other.total_time,
        )


NO_USAGE = Usage(0, 0, 0.0)


class Phase(NamedTuple):
    """One phase of a test: its setup, its call or its teardown.

    Attributes:
        outcome: how it ended, in pytest's words: ``passed``, ``failed``, ``skipped`` or, where a
            plugin runs it again, ``rerun``.
        duration: seconds, as the test report tells it; the sum where it ran more than once.
        handlers: what it spent in each handler that it called.
    """

    outcome: str
    duration: float
    handlers: Mapping[HandlerName, Usage]

    def plus(self, other: Phase) -> Phase:
        """Both together, ``other`` the later one."""
        handlers = dict(self.handlers)
        for name, usage in other.handlers.items():
            handlers[name] = handlers.get(name, NO_USAGE).plus(usage)
        return Phase(other.outcome, self.duration + other.duration, MappingProxyType(handlers))


class Waiting(NamedTuple):
    """How long the processes of a run waited for a processor.

    Attributes:
        waited: seconds in which their main threads could have run and did not.
        time: seconds of the time in which that was noted.
    """

    waited: float
    time: float

    @property
    def share(self) -> float:
        """The share of the time that they waited, from 0 to 1; 0 where nothing is known."""
        return min(self.waited / self.time, 1.0) if self.time else 0.0

    def plus(self, other: Waiting) -> Waiting:
        """Both together."""
        return Waiting(self.waited + other.waited, self.time + other.time)


NO_WAITING = Waiting(0.0, 0.0)


class Run(NamedTuple):
    """What made a profile.

    Attributes:
        created: when, in Unix seconds.
        command: the command line.
        machine: what the times depend on; those of equal machines can be compared.
        versions: of Python and of the packages that took part.
        revision: that of the code, where git tells it.
    """

    created: float
    command: tuple[str, ...]
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    revision: Revision | None = None
