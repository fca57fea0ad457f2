"""The findings of a run that stand out, for the top of the HTML report."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ...names import HandlerName
from ...profiles.profile import Profile
from ...text import plural
from ...units import duration
from ..headlines import percent, shares

_MUCH = 0.25
"""The share of all time from which on a handler stands out."""
_LONG, _RARE = 0.02, 20.0
"""The minimum of an outlier in seconds, and as a multiple of the handler's median."""
_OF_A_KIND = 3


class Look(NamedTuple):
    """A finding, as a sentence: ``name``, ``text``, and perhaps ``other`` and ``more``.

    Attributes:
        name: the handler with which the sentence begins.
        text: the text that follows the name.
        other: another handler, named after the text.
        more: the text that follows the name of ``other``.
    """

    name: HandlerName
    text: str
    other: HandlerName | None = None
    more: str = ""


def first_looks(profile: Profile) -> list[Look]:
    """Return the findings of a run that are worth a look first, the most costly ones first.

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
            text = f"took {duration(stats.max_time)} once, but usually takes {duration(usual)}"
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
        what = f"in all of its {-calls:,} calls" if calls < -1 else "in its only call"
        yield Look(name, f"raised {what}")
