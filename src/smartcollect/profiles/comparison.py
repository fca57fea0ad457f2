"""Comparison of two profiles: what became slower, and whether that is more than noise."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, NamedTuple

from ..names import HandlerName
from ..storage.fields import LIMITED, STATISTICS, Kind, named
from ..storage.statistics import HandlerStats
from .profile import Profile

SIGNIFICANT = 0.05
"""The largest p at which a difference counts as real."""
MINIMUM = 0.001
"""The smallest growth of a time that counts unless another is asked for, in seconds."""


class Rule(NamedTuple):
    """How much a statistic may grow.

    Attributes:
        field: the statistic.
        percent: by how many percent at the most.
    """

    field: str
    percent: float

    def __str__(self) -> str:
        return f"{self.field}:{self.percent:g}%"


def parse_rule(text: str) -> Rule:
    """A rule from text such as ``avg_time:20%``.

    Raises:
        ValueError: the text is something else.

    Example:
        >>> parse_rule("avg_time:20%")
        Rule(field='avg_time', percent=20.0)
    """
    field, _, share = text.strip().partition(":")
    field = named(field)
    try:
        percent = float(share.strip().removesuffix("%"))
    except ValueError:
        percent = math.nan
    if field not in LIMITED or not 0 <= percent < math.inf:
        raise ValueError(
            f"accepted: FIELD:PERCENT%, such as avg_time:20%; fields: {', '.join(LIMITED)}"
        )
    return Rule(field, percent)


class Change(NamedTuple):
    """One statistic of one handler, then and now.

    Attributes:
        name: the handler.
        field: the statistic.
        before, after: its values, times in seconds.
        p: how likely calls that are no slower look at least as slow as these, by the rank test;
            ``None`` for counts, which are exact.
        regression: whether it grew by more than a rule allows, and that is real.
    """

    name: HandlerName
    field: str
    before: float
    after: float
    p: float | None
    regression: bool

    @property
    def ratio(self) -> float:
        """``after`` to ``before``; infinite where there was nothing before."""
        if self.before == self.after:
            return 1.0
        return self.after / self.before if self.before else math.inf


@dataclass(frozen=True)
class Comparison:
    """How one profile differs from an earlier one.

    Attributes:
        changes: regressions first, then by ratio, the largest first.
        added: handlers that are called now only.
        removed: handlers that were called then only.
        elsewhere: how the machines differ, a text for each difference; regressions of profiles of
            different machines say nothing, and there is none.
        incomplete: what is missing of the earlier profile.
    """

    changes: tuple[Change, ...]
    added: tuple[HandlerName, ...]
    removed: tuple[HandlerName, ...]
    elsewhere: tuple[str, ...]
    incomplete: tuple[str, ...]

    @property
    def regressions(self) -> tuple[Change, ...]:
        """The changes that are regressions."""
        return tuple(change for change in self.changes if change.regression)


def compare(
    old: Profile, new: Profile, rules: Iterable[Rule] = (), minimum: float = MINIMUM
) -> Comparison:
    """What changed from ``old`` to ``new``.

    A growth is a regression when it is over the percentage of its rule and, for times, over
    ``minimum`` too and not explained by noise: the rank test of `slower` says so, or, for
    ``total_time`` and ``self_time``, there are as many more calls.

    Args:
        old: the baseline.
        new: what is compared with it.
        rules: what may grow by how much; where there is none, ``avg_time`` is shown.
        minimum: the smallest difference of a time that counts, in seconds.

    Example:
        >>> compare(Profile(), Profile()).changes
        ()
    """
    rules = tuple(dict.fromkeys(rules))
    before, after = old.called(), new.called()
    elsewhere = _differences(old, new)
    changes = [
        _change(name, before[name], after[name], field, rules, minimum, not elsewhere)
        for field in dict.fromkeys(rule.field for rule in rules) or ("avg_time",)
        for name in sorted(before.keys() & after.keys())
    ]
    return Comparison(
        tuple(sorted(changes, key=lambda change: (not change.regression, -change.ratio))),
        tuple(sorted(after.keys() - before.keys())),
        tuple(sorted(before.keys() - after.keys())),
        elsewhere,
        old.incomplete,
    )


def _change(
    name: HandlerName,
    old: HandlerStats,
    new: HandlerStats,
    field: str,
    rules: tuple[Rule, ...],
    minimum: float,
    comparable: bool,
) -> Change:
    olds: Mapping[str, Any] = old.statistics()
    news: Mapping[str, Any] = new.statistics()
    before, after = olds[field], news[field]
    timed = STATISTICS[field].kind is Kind.TIME
    p = slower(old.histogram, new.histogram) if timed else None

    def broken(rule: Rule) -> bool:
        allowed = 1 + rule.percent / 100
        if rule.field != field or after <= before * allowed:
            return False
        # A sum grows with the number of calls too, which is not noise.
        more_calls = STATISTICS[field].sums and new.calls > old.calls * allowed
        return p is None or (after - before >= minimum and (p <= SIGNIFICANT or more_calls))

    return Change(name, field, before, after, p, comparable and any(map(broken, rules)))


def slower(old: Mapping[int, int], new: Mapping[int, int]) -> float:
    """How likely ``new`` looks so much slower than ``old`` when in truth it is not.

    The one-sided rank test of Mann and Whitney (1947) on binned values, which are tied inside of
    a bin: normal approximation with the corrections for ties and for continuity.

    Args:
        old, new: histograms, calls by bucket; at least one call in each.

    Returns:
        p, from 0 to 1.

    Example:
        >>> round(slower({1: 5}, {9: 5}), 3)
        0.002
    """
    size_old, size_new = sum(old.values()), sum(new.values())
    # In units of half a pair: a new call counts two for each faster old one, one for a tie.
    wins, below, ties = 0, 0, 0
    for bucket in sorted(old.keys() | new.keys()):
        there, here = old.get(bucket, 0), new.get(bucket, 0)
        wins += here * (2 * below + there)
        below += there
        ties += (there + here) ** 3 - (there + here)
    pairs, size = size_old * size_new, size_old + size_new
    variance = pairs / 12 * (size + 1 - ties / (size * (size - 1)))
    if variance <= 0:
        return 1.0
    return 1 - NormalDist().cdf(((wins - pairs - 1) / 2) / math.sqrt(variance))


def _differences(old: Profile, new: Profile) -> tuple[str, ...]:
    if old.run is None or new.run is None:
        return ("no machine is told",)
    then, now = old.run.machine, new.run.machine
    return tuple(
        f"{key}: {then.get(key, 'not told')} then, {now.get(key, 'not told')} now"
        for key in sorted(then.keys() | now.keys())
        if then.get(key) != now.get(key)
    )
