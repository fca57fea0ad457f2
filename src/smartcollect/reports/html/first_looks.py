"""What is worth a look first: the few things of a run that stand out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ...names import HandlerName
from ...profiles.profile import Profile
from ...text import plural
from ...units import duration
from ..headlines import percent, shares

_MUCH = 0.25
"""The share of all time that stands out."""
_LONG, _RARE = 0.02, 20.0
"""Seconds of a call that is far longer than usual, and how many times as long that is."""
_OF_A_KIND = 3


class Look(NamedTuple):
    """Something worth a look.

    Attributes:
        name: the handler that it is about.
        text: what it says, to be read after the handler's name.
        other: another handler that it is about, named after the text.
        more: the rest of the sentence.
    """

    name: HandlerName
    text: str
    other: HandlerName | None = None
    more: str = ""


def first_looks(profile: Profile) -> list[Look]:
    """Return the few things of a run that are worth a look first, the costly ones first.

    Example:
        >>> first_looks(Profile())
        []
    """
    return [*_busiest(profile), *_outliers(profile), *_repeats(profile), *_failing(profile)]


def _busiest(profile: Profile) -> Iterator[Look]:
    called = profile.called()
    for name, share in sorted(shares(profile).items(), key=lambda item: -item[1])[:_OF_A_KIND]:
        if share >= _MUCH:
            stats = called[name]
            spent = f"{duration(stats.self_time)} in {plural(stats.calls, 'call')}"
            yield Look(name, f"takes {percent(share)} of the time in all handlers: {spent}")


def _outliers(profile: Profile) -> Iterator[Look]:
    found = []
    for name, stats in profile.called().items():
        usual = stats.percentile(0.5)
        if stats.calls > 1 and stats.max_time >= max(_LONG, _RARE * usual):
            text = f"took {duration(stats.max_time)} once, and {duration(usual)} usually"
            found.append((-stats.max_time, Look(name, text)))
    return (look for _, look in sorted(found)[:_OF_A_KIND])


def _repeats(profile: Profile) -> Iterator[Look]:
    for one in profile.repeats[:_OF_A_KIND]:
        how = "with the same arguments each time" if one.same else "with different arguments"
        yield Look(one.parent, "calls", one.child, f"{one.times:,} times in one call, {how}")


def _failing(profile: Profile) -> Iterator[Look]:
    found = [
        (-stats.calls, name)
        for name, stats in profile.called().items()
        if stats.errors == stats.calls
    ]
    for calls, name in sorted(found)[:_OF_A_KIND]:
        what = f"in each of its {-calls:,} calls" if calls < -1 else "in its only call"
        yield Look(name, f"raised {what}")
