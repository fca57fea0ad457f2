"""``Profile``: an immutable, mergeable, JSON-able summary of recorded calls."""

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
    """What some calls came to. Two profiles merge into that of all their calls.

    Attributes:
        handlers: the statistics of each handler; registered ones without a call included.
        slowest: the 50 slowest of all calls and the 5 slowest of each handler, slowest first.
        raised: how calls failed, by handler and type of exception.
        repeats: handlers called again and again under single calls of another.
        edges: which handlers called which, largest total time first.
        tests: by test and phase, what was spent in each handler that was called.
        run: what made it, where that is known.
        incomplete: what is missing, a text for each cause; empty for a complete profile.
        waiting: how long the processes waited for a processor.

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
        """The profile of what a store remembers."""
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
        """The same, as what a phase of a test did.

        Args:
            test: the node id of the test.
            phase: ``setup``, ``call`` or ``teardown``.
            outcome: how it ended, in pytest's words.
            duration: how long it took, in seconds.
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
        """The handlers that were called, with their statistics.

        Example:
            >>> Profile().called()
            {}
        """
        return {name: stats for name, stats in self.handlers.items() if stats.calls}

    def uncalled(self) -> list[HandlerName]:
        """The registered handlers that no call reached, in order of their names."""
        return sorted(name for name, stats in self.handlers.items() if not stats.calls)

    def tests_of(self) -> dict[HandlerName, int]:
        """In how many tests each called handler was called; fixtures count for their test."""
        tests = dict.fromkeys(self.called(), 0)
        for phases in self.tests.values():
            for name in set().union(*(phase.handlers for phase in phases.values())):
                if name in tests:
                    tests[name] += 1
        return tests

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-able data, from which `from_dict` makes the same profile.

        `smartcollect.profiles.schema` describes it.
        """
        return document.written(self)

    @classmethod
    def from_dict(cls, written: Any) -> Profile:
        """Return the profile that `to_dict` wrote.

        Args:
            written: what `to_dict` returned, perhaps by way of JSON.

        Raises:
            ValueError: ``written`` is something else, or was written by a newer version.

        Example:
            >>> Profile.from_dict(Profile().to_dict()) == Profile()
            True
        """
        return cls(**document.read(written))
