"""Conversion of a profile to a short string, and back.

The string travels with a test report from a pytest worker to its controller. Each phase of a test
that called a handler makes one, so it holds only numbers that cannot be computed from others. That
takes a third of the length and time of `Profile.to_dict`, which is a format for other programs.
"""

from __future__ import annotations

import json
from types import MappingProxyType

from ..names import HandlerName
from ..storage.findings import Edge, Raised, Repeat
from ..storage.statistics import HandlerStats
from .parts import SlowCall, Waiting
from .profile import Profile

# `json.dumps` would make a new encoder for each call. Bound at import, as test suites may replace
# names in `json`.
_encode = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode
_decode = json.JSONDecoder().decode


def pack(profile: Profile) -> str:
    """Return a profile as text for `unpack`."""
    called, idle = [], []
    for name, stats in profile.handlers.items():
        if stats.calls:
            called.append((*name, *stats.pack()))
        else:
            idle.append(name)
    found = profile.slowest, profile.raised, profile.repeats
    # Most handlers of edges were called: their index among the called ones is shorter.
    places = {tuple(one[:2]): place for place, one in enumerate(called)}
    edges = [
        (places.get(parent, parent), places.get(child, child), *rest)
        for parent, child, *rest in profile.edges
    ]
    return _encode((called, idle, *found, profile.waiting, edges))


def unpack(text: str) -> Profile:
    """Return the profile in text that `pack` returned."""
    called, idle, slowest, raised, repeats, waiting, *later = _decode(text)
    # Databases may hold runs of early releases, which had no edges.
    (edges,) = later or ([],)
    handlers = {
        HandlerName(switcher, handler): HandlerStats.unpack(numbers)
        for switcher, handler, *numbers in called
    }
    names = list(handlers)
    for name in idle:
        handlers[HandlerName(*name)] = HandlerStats()
    return Profile(
        handlers=MappingProxyType(handlers),
        slowest=tuple([SlowCall(HandlerName(*name), *rest) for name, *rest in slowest]),
        raised=tuple([Raised(HandlerName(*name), *rest) for name, *rest in raised]),
        repeats=tuple(
            [
                Repeat(HandlerName(*parent), HandlerName(*child), *rest)
                for parent, child, *rest in repeats
            ]
        ),
        edges=tuple(
            [
                Edge(_placed(parent, names), _placed(child, names), *rest)
                for parent, child, *rest in edges
            ]
        ),
        waiting=Waiting(*waiting),
    )


def _placed(one: int | list[str], names: list[HandlerName]) -> HandlerName:
    return names[one] if isinstance(one, int) else HandlerName(*one)
