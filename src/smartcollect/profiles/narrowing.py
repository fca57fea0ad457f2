"""Narrowing of a profile to some of its handlers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from ..names import HandlerName, UnknownHandler, no_such
from .parts import Phase
from .profile import Profile


def narrowed(profile: Profile, pattern: str) -> Profile:
    """Return the part of a profile about the handlers that a pattern matches.

    Args:
        profile: the whole profile.
        pattern: the name of a handler, or a pattern such as ``users.*``.

    Raises:
        KeyError: ``pattern`` matches no handler; the error suggests a similar name.

    Example:
        >>> from smartcollect import HandlerName, HandlerStats
        >>> handlers = {HandlerName("shop", name): HandlerStats() for name in ("get", "put")}
        >>> [name.handler for name in narrowed(Profile(handlers), "g*").handlers]
        ['get']
    """
    fitting = {name for name in profile.handlers if name.like(pattern)}
    if not fitting:
        raise UnknownHandler(no_such(profile.handlers, pattern))
    tests = {test: _phases(phases, fitting) for test, phases in profile.tests.items()}
    return replace(
        profile,
        handlers=MappingProxyType(
            {name: stats for name, stats in profile.handlers.items() if name in fitting}
        ),
        slowest=tuple(call for call in profile.slowest if call.name in fitting),
        raised=tuple(one for one in profile.raised if one.name in fitting),
        repeats=tuple(one for one in profile.repeats if fitting & {one.parent, one.child}),
        edges=tuple(one for one in profile.edges if fitting & {one.parent, one.child}),
        tests=MappingProxyType({test: phases for test, phases in tests.items() if phases}),
    )


def _phases(phases: Mapping[str, Phase], fitting: set[HandlerName]) -> Mapping[str, Phase]:
    """Return the phases of a test that called handlers in ``fitting``, with only those calls."""
    used = {
        when: {name: usage for name, usage in phase.handlers.items() if name in fitting}
        for when, phase in phases.items()
    }
    return MappingProxyType(
        {
            when: phases[when]._replace(handlers=MappingProxyType(handlers))
            for when, handlers in used.items()
            if handlers
        }
    )
