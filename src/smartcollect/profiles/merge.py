"""Many profiles as one."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from types import MappingProxyType
from typing import Any

from ..names import HandlerName
from ..storage.findings import Noted, Raised, Repeat
from ..storage.statistics import HandlerStats
from .parts import SLOWEST, Phase, Run, SlowCall
from .profile import Profile


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
