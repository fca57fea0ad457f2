"""Merging of profiles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from ..names import HandlerName
from ..storage.findings import Edge, Noted, Raised, Repeat
from ..storage.ranking import Ranking
from ..storage.statistics import HandlerStats
from .parts import NO_WAITING, SLOWEST, Phase, Run, SlowCall, edge_order
from .profile import Profile


def merge(profiles: Iterable[Profile]) -> Profile:
    """Return one profile of the calls in all ``profiles``; an empty profile if there are none.

    The order of the profiles makes no difference to counts and percentiles. The result has a
    ``run`` only if all profiles have the same one.

    Example:
        >>> import smartcollect
        >>> smartcollect.merge([]) == smartcollect.Profile()
        True
    """
    merger = Merger()
    for profile in profiles:
        merger.add(profile)
    return merger.profile()


class Merger:
    """A profile that grows as other profiles are added to it."""

    def __init__(self) -> None:
        self._handlers: dict[HandlerName, HandlerStats] = {}
        self._tests: dict[str, Mapping[str, Phase]] = {}
        self._slowest: Ranking[SlowCall] = Ranking(SLOWEST)
        self._raised: dict[tuple[Any, ...], Raised] = {}
        self._repeats: dict[tuple[Any, ...], Repeat] = {}
        self._edges: dict[tuple[Any, ...], Edge] = {}
        self._runs: list[Run | None] = []
        self._incomplete: dict[str, None] = {}
        self._waiting = NO_WAITING

    def add(self, profile: Profile) -> None:
        """Merge another profile."""
        for name, stats in profile.handlers.items():
            if name not in self._handlers:
                self._handlers[name] = HandlerStats()
            self._handlers[name].merge(stats)
        for test, phases in profile.tests.items():
            known = self._tests.get(test)
            self._tests[test] = phases if known is None else _together(known, phases)
        _merge_noted(self._raised, profile.raised)
        _merge_noted(self._repeats, profile.repeats)
        _merge_noted(self._edges, profile.edges)
        for call in profile.slowest:
            self._slowest.add(call.name, call.elapsed, call)
        if not self._runs or profile.run != self._runs[-1]:
            self._runs.append(profile.run)
        self._incomplete.update(dict.fromkeys(profile.incomplete))
        self._waiting = self._waiting.plus(profile.waiting)

    def profile(self) -> Profile:
        """Return the merged profile."""
        return Profile(
            # Sorted, as each process meets the handlers in a different order.
            MappingProxyType(dict(sorted(self._handlers.items()))),
            tuple(self._slowest.slowest()),
            tuple(sorted(self._raised.values(), key=lambda one: (-one.calls, one))),
            tuple(sorted(self._repeats.values(), key=lambda one: (-one.times, one))),
            tuple(sorted(self._edges.values(), key=edge_order)),
            MappingProxyType(self._tests),
            self._runs[0] if len(self._runs) == 1 else None,
            tuple(self._incomplete),
            self._waiting,
        )


def _together(known: Mapping[str, Phase], more: Mapping[str, Phase]) -> Mapping[str, Phase]:
    phases = dict(known)
    for when, phase in more.items():
        phases[when] = phases[when].plus(phase) if when in phases else phase
    return MappingProxyType(phases)


def _merge_noted(kept: dict[tuple[Any, ...], Noted], more: Iterable[Noted]) -> None:
    for one in more:
        key = one[:2]
        kept[key] = kept[key].merged(one) if key in kept else one
