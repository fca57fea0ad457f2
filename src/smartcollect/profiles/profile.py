"""The class `Profile`: an immutable, mergeable, JSON-able summary of recorded calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from ..names import HandlerName
from ..storage.findings import Edge, Raised, Repeat
from ..storage.statistics import HandlerStats
from ..storage.tally import Summary
from ..text import cut
from ..values.arguments import arguments
from . import document
from .parts import NO_WAITING, Phase, Run, SlowCall, Usage, Waiting, edge_order

_EMPTY: Mapping[Any, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Profile:
    """An immutable summary of recorded calls. Use `merge` to combine several.

    Attributes:
        handlers: the statistics of each handler, including registered handlers without a call.
        slowest: the 50 slowest of all calls and the 5 slowest of each handler, slowest first.
        raised: the exceptions that ended calls, by handler and type.
        repeats: the repeated calls: handlers called many times under a single call of another.
        edges: the calls between handlers, by caller and callee, largest total time first.
        tests: the calls of each handler by test and phase.
        run: the run that made the profile, if it is known.
        incomplete: what is missing, one text for each cause; empty for a complete profile.
        waiting: the time that the processes of the run waited for a processor.

    Example:
        >>> import smartcollect
        >>> smartcollect.Profile().to_dict()["complete"]
        True
    """

    handlers: Mapping[HandlerName, HandlerStats] = field(default_factory=lambda: _EMPTY)
    slowest: tuple[SlowCall, ...] = ()
    raised: tuple[Raised, ...] = ()
    repeats: tuple[Repeat, ...] = ()
    edges: tuple[Edge, ...] = ()
    tests: Mapping[str, Mapping[str, Phase]] = field(default_factory=lambda: _EMPTY)
    run: Run | None = None
    incomplete: tuple[str, ...] = ()
    waiting: Waiting = NO_WAITING

    @classmethod
    def of(cls, summary: Summary) -> Profile:
        """Return the profile of a store's summary."""
        return cls(
            handlers=MappingProxyType(summary.handlers),
            slowest=tuple(
                SlowCall(
                    call.name,
                    call.elapsed,
                    arguments(call.args, call.kwargs),
                    "" if call.failure is None else cut(call.failure.type, 100),
                    "",
                )
                for call in summary.slowest
            ),
            raised=tuple(summary.raised),
            repeats=tuple(summary.repeats),
            edges=tuple(sorted(summary.edges, key=edge_order)),
        )

    def in_test(self, test: str, phase: str, outcome: str, duration: float) -> Profile:
        """Return a copy of the profile with its calls assigned to a phase of a test.

        Args:
            test: the node id of the test.
            phase: ``setup``, ``call`` or ``teardown``.
            outcome: pytest's outcome of the phase.
            duration: the duration of the phase, in seconds.
        """
        used = {
            name: Usage(stats.calls, stats.errors, stats.total_time)
            for name, stats in self.called().items()
        }
        phases = {phase: Phase(outcome, duration, MappingProxyType(used))}
        return Profile(
            handlers=self.handlers,
            slowest=tuple([call._replace(test=test) for call in self.slowest]),
            raised=tuple([one._replace(test=test) for one in self.raised]),
            repeats=tuple([one._replace(test=test) for one in self.repeats]),
            edges=self.edges,
            tests=MappingProxyType({test: MappingProxyType(phases)} if used else {}),
            run=self.run,
            incomplete=self.incomplete,
            waiting=self.waiting,
        )

    def called(self) -> dict[HandlerName, HandlerStats]:
        """Return the handlers that were called, with their statistics.

        Example:
            >>> Profile().called()
            {}
        """
        return {name: stats for name, stats in self.handlers.items() if stats.calls}

    def uncalled(self) -> list[HandlerName]:
        """Return the registered handlers that were never called, sorted by name."""
        return sorted(name for name, stats in self.handlers.items() if not stats.calls)

    def tests_of(self) -> dict[HandlerName, int]:
        """Return the number of tests that called each handler, its fixtures included."""
        tests = dict.fromkeys(self.called(), 0)
        for phases in self.tests.values():
            for name in set().union(*(phase.handlers for phase in phases.values())):
                if name in tests:
                    tests[name] += 1
        return tests

    def to_dict(self) -> dict[str, Any]:
        """Return the profile as JSON-able data, for `from_dict`.

        The function `smartcollect.profiles.schema` returns the JSON Schema of this data.
        """
        return document.written(self)

    @classmethod
    def from_dict(cls, written: Any) -> Profile:
        """Return the profile in data that `to_dict` returned.

        Args:
            written: the data, which may have been saved as JSON and loaded again.

        Raises:
            ValueError: ``written`` is not such data, is damaged, or was written by a newer version.

        Example:
            >>> Profile.from_dict(Profile().to_dict()) == Profile()
            True
        """
        return cls(**document.read(written))
