"""The first lines of the summary: at most five, the most important first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ..names import HandlerName, Names
from ..profiles.profile import Profile
from ..profiles.verdict import Verdict
from ..text import plural
from ..units import duration

BUSY = 0.05
"""The share of waiting for a processor from which on the summary mentions it."""
_NAMED = 3
_BAR = 5
_EIGHTHS = " ▏▎▍▌▋▊▉"


class Headline(NamedTuple):
    """A line at the top of the summary, and its tone; see `terminal.Line`."""

    text: str
    tone: str = ""


def headlines(profile: Profile, verdict: Verdict, names: Names) -> Iterator[Headline]:
    """Yield the first lines of the summary: at most five, the most important first.

    Args:
        profile: the profile of the run.
        verdict: the verdict on the run.
        names: the names that the summary uses for handlers.
    """
    if verdict.failures:
        yield Headline(_failures(verdict, names), "failure")
    if profile.incomplete:
        first, *later = profile.incomplete
        more = f" and {len(later):,} more" if later else ""
        yield Headline(f"incomplete: {first}{more}", "warning")
    elif verdict.partial:
        left = plural(verdict.unjudged, "expectation")
        yield Headline(f"partial: {verdict.partial}; {left} not judged", "warning")
    if profile.handlers:
        yield Headline(_totals(profile, names))
    if profile.repeats:
        worst, *others = profile.repeats
        parent, child = (names.get(one, one.full) for one in (worst.parent, worst.child))
        more = f"; {len(others):,} more" if others else ""
        yield Headline(
            f"N+1: one call to {parent} made {worst.times:,} calls to {child}{more}", "warning"
        )
    share = profile.waiting.share
    if share >= BUSY:
        yield Headline(f"{share * 100:.0f} % of the run was spent waiting for a processor")


def _failures(verdict: Verdict, names: Names) -> str:
    """Return the line that names the causes of failure; their numbers follow at the end."""
    grown = verdict.comparison.regressions if verdict.comparison else ()
    kinds = {
        "over budget": [one.name for one in verdict.over_budget if one.name is not None],
        "regression": [one.name for one in grown],
        "repeated": [one.child for one in verdict.repeated],
    }
    causes = [f"{kind}: {_few(names, found)}" for kind, found in kinds.items() if found]
    others = len(verdict.failures) - sum(map(len, kinds.values()))
    if others:
        causes.append(f"{others:,} more" if causes else "see the end")
    return f"{plural(len(verdict.failures), 'failure')}: {'; '.join(causes)}"


def _few(names: Names, found: Iterable[HandlerName]) -> str:
    times = Counter(names.get(one, one.full) for one in found)
    listed = [f"{name} ({number:,})" if number > 1 else name for name, number in times.items()]
    more = f" and {len(listed) - _NAMED:,} more" if len(listed) > _NAMED else ""
    return ", ".join(listed[:_NAMED]) + more


def _totals(profile: Profile, names: Names) -> str:
    called = profile.called()
    line = (
        f"{plural(sum(stats.calls for stats in called.values()), 'call')} to "
        f"{plural(len(called), 'handler')} in {plural(len(profile.tests), 'test')}"
    )
    of_all = shares(profile)
    if not of_all:
        return line
    most = max(of_all, key=of_all.__getitem__)
    total = sum(stats.self_time for stats in called.values())
    where = f"{percent(of_all[most])} in {names.get(most, most.full)}" if len(called) > 1 else ""
    return f"{line}; {duration(total)}{', ' if where else ''}{where}"


def shares(profile: Profile) -> dict[HandlerName, float]:
    """Return the share of each called handler in the time of all handlers, from 0 to 1.

    Shares are of self time, so that they add up to 1. If no time passed, the dict is empty.
    """
    times = {name: stats.self_time for name, stats in profile.called().items()}
    total = sum(times.values())
    return {name: time / total for name, time in times.items()} if total > 0 else {}


def percent(share: float) -> str:
    """Return ``share`` as text in whole percent.

    Example:
        >>> percent(0.567), percent(0.001)
        ('57 %', '<1 %')
    """
    return "<1 %" if 0 < share < 0.005 else f"{share * 100:.0f} %"


def bar(share: float) -> str:
    """Return a bar of block characters. Its length is ``share`` of five cells.

    Example:
        >>> bar(1.0), bar(0.5), bar(0.0)
        ('█████', '██▌', '')
    """
    eighths = round(share * _BAR * 8)
    return ("█" * (eighths // 8) + _EIGHTHS[eighths % 8]).rstrip()
