"""``Profile``: an immutable, mergeable, JSON-able summary of recorded calls."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, NamedTuple

from .names import HandlerName
from .snapshot import cut
from .stats import HandlerStats
from .store import Repeat, Summary
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
    """What one test spent in one handler; the time in seconds."""

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


_EMPTY: Mapping[Any, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Profile:
    """What some calls came to. Two profiles merge into that of all their calls.

    Attributes:
        handlers: the statistics of each handler; registered ones without a call included.
        slowest: the slowest calls, slowest first.
        repeats: handlers called again and again under single calls of another.
        tests: by test, what it spent in each handler that it called.
    """

    handlers: Mapping[HandlerName, HandlerStats] = field(default_factory=lambda: _EMPTY)
    slowest: tuple[SlowCall, ...] = ()
    repeats: tuple[Repeat, ...] = ()
    tests: Mapping[str, Mapping[HandlerName, Usage]] = field(default_factory=lambda: _EMPTY)

    @classmethod
    def of(cls, summary: Summary) -> Profile:
        """The profile of what a store remembers."""
        return cls(
            MappingProxyType(summary.handlers),
            tuple(
                SlowCall(
                    call.name,
                    call.elapsed,
                    arguments(call.args, call.kwargs),
                    "" if call.failure is None else cut(call.failure.type, 100),
                    "",
                )
                for call in summary.slowest
            ),
            tuple(summary.repeats),
        )

    def in_test(self, test: str) -> Profile:
        """The same, as what the test with the node id ``test`` did."""
        used = {
            name: Usage(stats.calls, stats.errors, stats.total_time)
            for name, stats in self.handlers.items()
            if stats.calls
        }
        return replace(
            self,
            slowest=tuple(call._replace(test=test) for call in self.slowest),
            tests=MappingProxyType({test: MappingProxyType(used)} if used else {}),
        )

    def called(self) -> dict[HandlerName, HandlerStats]:
        """The handlers that were called."""
        return {name: stats for name, stats in self.handlers.items() if stats.calls}

    def uncalled(self) -> list[HandlerName]:
        """The registered handlers that no call reached, in order of their names."""
        return sorted(name for name, stats in self.handlers.items() if not stats.calls)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able data, from which `from_dict` makes the same profile."""
        return {
            "schema": SCHEMA,
            "version": VERSION,
            "handlers": [
                {"switcher": name.switcher, "handler": name.handler, **stats.to_dict()}
                for name, stats in self.handlers.items()
            ],
            "slowest": [
                {
                    "switcher": call.name.switcher,
                    "handler": call.name.handler,
                    "elapsed": call.elapsed,
                    "arguments": call.arguments,
                    "error": call.error,
                    "test": call.test,
                }
                for call in self.slowest
            ],
            "repeats": [
                {
                    "parent": list(one.parent),
                    "child": list(one.child),
                    "times": one.times,
                    "parents": one.parents,
                    "same": one.same,
                }
                for one in self.repeats
            ],
            "tests": {
                test: [[*name, *usage] for name, usage in used.items()]
                for test, used in self.tests.items()
            },
        }

    @classmethod
    def from_dict(cls, plain: Any) -> Profile:
        """The profile that `to_dict` wrote.

        Raises:
            ValueError: ``plain`` is something else, or was written by a newer version.
        """
        if not isinstance(plain, Mapping) or plain.get("schema") != SCHEMA:
            raise ValueError(f"no {SCHEMA}; accepted: what Profile.to_dict() returns")
        version = plain.get("version")
        if version != VERSION:
            raise ValueError(f"{SCHEMA} version {version!r} is not accepted; accepted: {VERSION}")
        try:
            return cls._from_plain(plain)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"damaged {SCHEMA}: {type(error).__name__}: {error}") from None

    @classmethod
    def _from_plain(cls, plain: Mapping[str, Any]) -> Profile:
        handlers = {_name(one): HandlerStats.from_dict(one) for one in plain["handlers"]}
        slowest = (
            SlowCall(
                _name(one),
                float(one["elapsed"]),
                str(one["arguments"]),
                str(one["error"]),
                str(one["test"]),
            )
            for one in plain["slowest"]
        )
        repeats = (
            Repeat(
                HandlerName(*map(str, one["parent"])),
                HandlerName(*map(str, one["child"])),
                int(one["times"]),
                int(one["parents"]),
                bool(one["same"]),
            )
            for one in plain["repeats"]
        )
        tests = {
            str(test): MappingProxyType(
                {
                    HandlerName(str(switcher), str(handler)): Usage(
                        int(calls), int(errors), float(total)
                    )
                    for switcher, handler, calls, errors, total in used
                }
            )
            for test, used in plain["tests"].items()
        }
        return cls(
            MappingProxyType(handlers), tuple(slowest), tuple(repeats), MappingProxyType(tests)
        )


def _name(plain: Mapping[str, Any]) -> HandlerName:
    return HandlerName(str(plain["switcher"]), str(plain["handler"]))


def merge(profiles: Iterable[Profile]) -> Profile:
    """The profile of all calls of ``profiles``; that of none is empty.

    The order of the profiles makes no difference to counts and percentiles.
    """
    handlers: dict[HandlerName, HandlerStats] = {}
    tests: dict[str, dict[HandlerName, Usage]] = {}
    slowest: list[SlowCall] = []
    repeats: dict[tuple[HandlerName, HandlerName], Repeat] = {}
    for profile in profiles:
        for name, stats in profile.handlers.items():
            handlers.setdefault(name, HandlerStats()).merge(stats)
        for test, used in profile.tests.items():
            merged = tests.setdefault(test, {})
            for name, usage in used.items():
                merged[name] = merged.get(name, Usage(0, 0, 0.0)).plus(usage)
        for repeat in profile.repeats:
            pair = repeat[:2]
            repeats[pair] = repeats[pair].merged(repeat) if pair in repeats else repeat
        slowest = heapq.nlargest(
            SLOWEST, [*slowest, *profile.slowest], key=lambda call: call.elapsed
        )
    return Profile(
        MappingProxyType(handlers),
        tuple(slowest),
        tuple(sorted(repeats.values(), key=lambda one: (-one.times, one))),
        MappingProxyType({test: MappingProxyType(used) for test, used in tests.items()}),
    )
