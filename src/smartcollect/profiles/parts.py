"""Parts of a profile other than statistics."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from ..names import HandlerName
from ..storage.findings import Edge
from .revision import Revision

SLOWEST = 50
"""The number of slowest calls that a profile keeps, besides the slowest of each handler."""


class SlowCall(NamedTuple):
    """One of the slowest calls.

    Attributes:
        name: the handler.
        elapsed: the time of the call in seconds.
        arguments: the arguments as source code, cut to a limit.
        error: the type of the exception that ended the call, or ``""``.
        test: the node id of the test that made the call, or ``""``.
    """

    name: HandlerName
    elapsed: float
    arguments: str
    error: str
    test: str


def edge_order(edge: Edge) -> tuple[float, Edge]:
    """Return the sort key of an edge: the largest total time comes first."""
    return -edge.total_time, edge


class Usage(NamedTuple):
    """The calls of one handler in one phase of a test.

    Attributes:
        calls: the number of calls that ended.
        errors: the number of calls that raised.
        total_time: the time in all calls, in seconds.
    """

    calls: int
    errors: int
    total_time: float

    def plus(self, other: Usage) -> Usage:
        """Return the sum of both."""
        return Usage(
            self.calls + other.calls,
            self.errors + other.errors,
            self.total_time + other.total_time,
        )


NO_USAGE = Usage(0, 0, 0.0)


class Phase(NamedTuple):
    """One phase of a test: setup, call or teardown.

    Attributes:
        outcome: pytest's outcome of the phase: ``passed``, ``failed``, ``skipped`` or, if a plugin
            runs the test again, ``rerun``.
        duration: the duration in the test report, in seconds; the sum if the phase ran more than
            once.
        handlers: the calls of each handler that the phase called.
    """

    outcome: str
    duration: float
    handlers: Mapping[HandlerName, Usage]

    def plus(self, other: Phase) -> Phase:
        """Return the sum of both, with the outcome of ``other``, which ran later."""
        handlers = dict(self.handlers)
        for name, usage in other.handlers.items():
            handlers[name] = handlers.get(name, NO_USAGE).plus(usage)
        return Phase(other.outcome, self.duration + other.duration, MappingProxyType(handlers))


class Waiting(NamedTuple):
    """The time that the processes of a run spent waiting for a processor.

    Attributes:
        waited: the time in which their main threads were ready to run and did not, in seconds.
        time: the time over which this was measured, in seconds.
    """

    waited: float
    time: float

    @property
    def share(self) -> float:
        """The share of the time spent waiting, from 0 to 1; 0 if it was not measured."""
        return min(self.waited / self.time, 1.0) if self.time else 0.0

    def plus(self, other: Waiting) -> Waiting:
        """Return the sum of both."""
        return Waiting(self.waited + other.waited, self.time + other.time)


NO_WAITING = Waiting(0.0, 0.0)


class Run(NamedTuple):
    """The run that made a profile.

    Attributes:
        created: the time when it was made, in Unix seconds.
        command: the command line.
        machine: the properties of the machine; times compare only if all are equal.
        versions: the versions of Python and of the packages involved.
        revision: the revision of the code in git, if there is one.
    """

    created: float
    command: tuple[str, ...]
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    revision: Revision | None = None
