"""A profile as one short string, which can ride on a test report through every serializer.

There is one for each phase that called a handler, so it holds what merges and nothing that can be
worked out: a third of the length and of the time of `Profile.to_dict`, which is for other readers.
"""

from __future__ import annotations

import json
from types import MappingProxyType

from ..names import HandlerName
from ..storage.findings import Edge, Raised, Repeat
from ..storage.statistics import HandlerStats
from .parts import SlowCall, Waiting
from .profile import Profile

# One encoder for all: `json.dumps` makes a new one for each. Bound here: tests replace what others
# look up while they run.
_encode = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode
_decode = json.JSONDecoder().decode


def pack(profile: Profile) -> str:
    """The text that `unpack` reads."""
    called, idle = [], []
    for name, stats in profile.handlers.items():
        if stats.calls:
            called.append((*name, *stats.pack()))
        else:
            idle.append(name)
    found = profile.slowest, profile.raised, profile.repeats
    # Most handlers of edges are among those that were called: their place there is shorter.
    places = {tuple(one[:2]): place for place, one in enumerate(called)}
    edges = [
        (places.get(parent, parent), places.get(child, child), *rest)
        for parent, child, *rest in profile.edges
    ]
    return _encode((called, idle, *found, profile.waiting, edges))


def unpack(text: str) -> Profile:
    """The profile that was packed."""
    called, idle, slowest, raised, repeats, waiting, *later = _decode(text)
    # Databases keep runs of the first version, which had no edges.
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
