"""``Profile``: an immutable, mergeable, JSON-able summary of recorded calls."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

from .names import HandlerName
from .plain import count, flag, shown, text, time
from .snapshot import cut
from .stats import HandlerStats
from .store import Noted, Raised, Repeat, Summary
from .tables import arguments

SCHEMA = "smartcollect/profile"
VERSION = 1
SLOWEST = 50
"""How many of the slowest calls a profile keeps."""


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


class Usage(NamedTuple):
    """What one phase of a test spent in one handler; the time in seconds."""

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


class Run(NamedTuple):
    """What made a profile.

    Attributes:
        created: when, in Unix seconds.
        command: the command line.
        machine: what the times depend on; those of equal machines can be compared.
        versions: of Python and of the packages that took part.
    """

    created: float
    command: tuple[str, ...]
    machine: Mapping[str, str]
    versions: Mapping[str, str]


_EMPTY: Mapping[Any, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Profile:
    """What some calls came to. Two profiles merge into that of all their calls.

    Attributes:
        handlers: the statistics of each handler; registered ones without a call included.
        slowest: the slowest calls, slowest first.
        raised: how calls failed, by handler and type of exception.
        repeats: handlers called again and again under single calls of another.
        tests: by test and phase, what was spent in each handler that was called.
        run: what made it, where that is known.
        incomplete: what is missing, a text for each cause; empty for a complete profile.

    Example:
        >>> import smartcollect
        >>> smartcollect.Profile().to_dict()["complete"]
        True
    """

    handlers: Mapping[HandlerName, HandlerStats] = field(default_factory=lambda: _EMPTY)
    slowest: tuple[SlowCall, ...] = ()
    raised: tuple[Raised, ...] = ()
    repeats: tuple[Repeat, ...] = ()
    tests: Mapping[str, Mapping[str, Phase]] = field(default_factory=lambda: _EMPTY)
    run: Run | None = None
    incomplete: tuple[str, ...] = ()

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
            tests=MappingProxyType({test: MappingProxyType(phases)} if used else {}),
            run=self.run,
            incomplete=self.incomplete,
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
                tests[name] += 1
        return tests

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able data, from which `from_dict` makes the same profile.

        ``profile.schema.json`` in this package describes it.
        """
        return {
            "schema": SCHEMA,
            "version": VERSION,
            "run": None
            if self.run is None
            else {
                "created": self.run.created,
                "command": list(self.run.command),
                "machine": dict(self.run.machine),
                "versions": dict(self.run.versions),
            },
            "complete": not self.incomplete,
            "incomplete": list(self.incomplete),
            "handlers": [
                {**name._asdict(), **stats.to_dict()} for name, stats in self.handlers.items()
            ],
            "uncalled": [name._asdict() for name in self.uncalled()],
            "tests": [
                {
                    "test": test,
                    "phases": {
                        when: {
                            "outcome": phase.outcome,
                            "duration": phase.duration,
                            "handlers": [
                                {**name._asdict(), **usage._asdict()}
                                for name, usage in phase.handlers.items()
                            ],
                        }
                        for when, phase in phases.items()
                    },
                }
                for test, phases in self.tests.items()
            ],
            "slowest": [_named(call) for call in self.slowest],
            "raised": [_named(one) for one in self.raised],
            "repeats": [
                {**one._asdict(), "parent": one.parent._asdict(), "child": one.child._asdict()}
                for one in self.repeats
            ],
        }

    @classmethod
    def from_dict(cls, plain: Any) -> Profile:
        """The profile that `to_dict` wrote.

        Args:
            plain: what `to_dict` returned, perhaps by way of JSON.

        Raises:
            ValueError: ``plain`` is something else, or was written by a newer version.

        Example:
            >>> Profile.from_dict(Profile().to_dict()) == Profile()
            True
        """
        if not isinstance(plain, Mapping) or plain.get("schema") != SCHEMA:
            raise ValueError(f"no {SCHEMA}; accepted: what Profile.to_dict() returns")
        version = plain.get("version")
        if version != VERSION:
            newer = isinstance(version, int) and version > VERSION
            hint = "; it was written by a newer smartcollect" if newer else ""
            raise ValueError(
                f"{SCHEMA} version {shown(version)} is not accepted; accepted: {VERSION}{hint}"
            )
        try:
            return cls._from_plain(plain)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise ValueError(f"damaged {SCHEMA}: {type(error).__name__}: {error}") from None

    @classmethod
    def _from_plain(cls, plain: Mapping[str, Any]) -> Profile:
        run = plain["run"]
        return cls(
            handlers=MappingProxyType(
                {_name(one): HandlerStats.from_dict(one) for one in plain["handlers"]}
            ),
            slowest=tuple(
                SlowCall(
                    _name(one),
                    time(one["elapsed"]),
                    text(one["arguments"]),
                    text(one["error"]),
                    text(one["test"]),
                )
                for one in plain["slowest"]
            ),
            raised=tuple(
                Raised(
                    _name(one),
                    text(one["type"]),
                    text(one["message"]),
                    count(one["calls"]),
                    text(one["test"]),
                )
                for one in plain["raised"]
            ),
            repeats=tuple(
                Repeat(
                    _name(one["parent"]),
                    _name(one["child"]),
                    count(one["times"]),
                    count(one["parents"]),
                    flag(one["same"]),
                    text(one["test"]),
                )
                for one in plain["repeats"]
            ),
            tests=MappingProxyType(
                {
                    text(one["test"]): MappingProxyType(
                        {text(when): _phase(phase) for when, phase in one["phases"].items()}
                    )
                    for one in plain["tests"]
                }
            ),
            run=None
            if run is None
            else Run(
                time(run["created"]),
                tuple(map(text, run["command"])),
                _texts(run["machine"]),
                _texts(run["versions"]),
            ),
            incomplete=tuple(map(text, plain["incomplete"])),
        )


def _named(one: SlowCall | Raised) -> dict[str, Any]:
    plain = one._asdict()
    return {**plain.pop("name")._asdict(), **plain}


def _name(plain: Mapping[str, Any]) -> HandlerName:
    return HandlerName(text(plain["switcher"]), text(plain["handler"]))


def _texts(plain: Mapping[str, Any]) -> Mapping[str, str]:
    return MappingProxyType({text(key): text(value) for key, value in plain.items()})


def _phase(plain: Mapping[str, Any]) -> Phase:
    handlers = {
        _name(one): Usage(count(one["calls"]), count(one["errors"]), time(one["total_time"]))
        for one in plain["handlers"]
    }
    return Phase(text(plain["outcome"]), time(plain["duration"]), MappingProxyType(handlers))


def merge(profiles: Iterable[Profile]) -> Profile:
    """The profile of all calls of ``profiles``; that of none is empty.

    The order of the profiles makes no difference to counts and percentiles. What made it (``run``)
    is told where all say the same.

    Example:
        >>> import smartcollect
        >>> smartcollect.merge([]) == smartcollect.Profile()
        True
    """
    handlers: dict[HandlerName, HandlerStats] = {}
    tests: dict[str, dict[str, Phase]] = {}
    slowest: list[SlowCall] = []
    raised: dict[tuple[Any, ...], Raised] = {}
    repeats: dict[tuple[Any, ...], Repeat] = {}
    runs: list[Run | None] = []
    incomplete: dict[str, None] = {}
    for profile in profiles:
        for name, stats in profile.handlers.items():
            if name not in handlers:
                handlers[name] = HandlerStats()
            handlers[name].merge(stats)
        for test, phases in profile.tests.items():
            merged = tests.setdefault(test, {})
            for when, phase in phases.items():
                merged[when] = merged[when].plus(phase) if when in merged else phase
        _merge_noted(raised, profile.raised)
        _merge_noted(repeats, profile.repeats)
        # Most phases of a long run have none: only those that may be among them ride on reports.
        if profile.slowest:
            slowest = heapq.nlargest(
                SLOWEST, [*slowest, *profile.slowest], key=lambda call: call.elapsed
            )
        runs.append(profile.run)
        incomplete.update(dict.fromkeys(profile.incomplete))
    return Profile(
        MappingProxyType(handlers),
        tuple(slowest),
        tuple(sorted(raised.values(), key=lambda one: (-one.calls, one))),
        tuple(sorted(repeats.values(), key=lambda one: (-one.times, one))),
        MappingProxyType({test: MappingProxyType(phases) for test, phases in tests.items()}),
        runs[0] if runs and all(run == runs[0] for run in runs) else None,
        tuple(incomplete),
    )


def _merge_noted(kept: dict[tuple[Any, ...], Noted], more: Iterable[Noted]) -> None:
    for one in more:
        key = one[:2]
        kept[key] = kept[key].merged(one) if key in kept else one
