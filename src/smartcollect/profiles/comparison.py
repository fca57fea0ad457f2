"""Comparison of a run with earlier runs, to find what became slower by more than noise."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..names import HandlerName
from ..storage.fields import STATISTICS, Kind
from ..text import plural
from ..units import duration, percent, probability
from .drift import Drift
from .growth import Change, Growth
from .machine import differences
from .profile import Profile
from .rules import BEST, DRIFT, Rule
from .significance import SIGNIFICANT

MINIMUM = 0.0001
"""The default for the smallest growth of a time that counts, in seconds."""
RUNS = 20
"""The largest number of earlier runs in a baseline."""
_OF_ALL = 0.8
"""The growth that each quartile of the calls must exceed, as a share of the allowed growth."""


@dataclass(frozen=True)
class Comparison:
    """The differences between a run and earlier runs.

    Attributes:
        changes: the compared statistics: regressions first, then by ratio, the largest first.
        added: handlers that only the new run called.
        removed: handlers that the last earlier run called and the new run did not.
        drift: how much slower the new run was as a whole. The ratios do not include it.
        runs: the number of earlier runs in the comparison.
        elsewhere: the differences between the machines, one text each, if all earlier runs come
            from different machines. Times of different machines do not compare, so there are no
            regressions then.
        left_out: the number of earlier runs left out because they come from a different machine;
            0 if all of them do.
        incomplete: what is missing from the earlier runs, one text for each cause.
        copies: the number of earlier runs left out because they are copies of others.
    """

    changes: tuple[Change, ...]
    added: tuple[HandlerName, ...]
    removed: tuple[HandlerName, ...]
    drift: Drift
    runs: int
    elsewhere: tuple[str, ...]
    left_out: int
    incomplete: tuple[str, ...]
    copies: int = 0

    @property
    def regressions(self) -> tuple[Change, ...]:
        """The changes that are regressions."""
        return tuple(change for change in self.changes if change.regression)

    @property
    def names(self) -> set[HandlerName]:
        """All handlers of the runs that are compared."""
        return {*(change.name for change in self.changes), *self.added, *self.removed}

    @property
    def has_spread(self) -> bool:
        """True if there are enough earlier runs to measure their spread."""
        return any(change.spread is not None for change in self.changes)

    @property
    def judged(self) -> int:
        """The number of handlers with enough calls to be judged."""
        return len({change.name for change in self.changes if change.why and not _too_few(change)})

    def slower_by(self, rules: Iterable[Rule]) -> Rule | None:
        """Return the loosest rule that the drift of the whole run breaks, if any."""
        if self.elsewhere:
            return None
        of_times = [rule for rule in rules if rule.is_of_time]
        broken = [rule for rule in of_times if self.drift.largest > rule.allowed]
        return max(broken, key=lambda rule: rule.percent, default=None)


def compare(
    old: Profile | Sequence[Profile],
    new: Profile,
    rules: Iterable[Rule] = (),
    minimum: float = MINIMUM,
) -> Comparison:
    """Compare a run with one earlier run or several.

    All times are first corrected for the drift of the machine: the median ratio of the handlers'
    times. A count is then a regression if it grew by more than the percentage of its rule. A time
    is a regression if it also grew by at least ``minimum``, and if the growth is more than chance:

    - The rank test of `slower` on the calls finds a significant difference.
    - With three or more earlier runs, the growth is larger than their spread explains, and larger
      than similar handlers differ in the new run.
    - With fewer earlier runs, ``steady_time`` and ``p50_time`` must grow in all quartiles of the
      calls. A machine that is slow for a while slows only some calls.

    ``total_time`` and ``self_time`` also regress if the number of calls grew by more than the rule
    allows.

    Args:
        old: the baseline, one earlier run or several. Of several, the last `RUNS` complete runs
            from this machine are used.
        new: the run to compare with the baseline.
        rules: the allowed growth of statistics; without rules ``steady_time`` is compared, and
            nothing is a regression.
        minimum: the smallest growth of a time that counts, in seconds.

    Example:
        >>> compare(Profile(), Profile()).changes
        ()
    """
    given = (old,) if isinstance(old, Profile) else tuple(old)
    olds = _without_copies(given)
    here = [one for one in olds if not _differences(one, new)]
    # Incomplete runs may lack calls, so they serve only if there is no complete run.
    whole = [one for one in here or olds if not one.incomplete] or here or olds
    kept = whole[-RUNS:]
    runs = [one.called() for one in kept]
    rules = tuple(dict.fromkeys(rules))
    growth = Growth(runs, new.called())
    judge = _Judge(growth, rules if here else (), minimum)
    fields = dict.fromkeys(rule.field for rule in rules if rule.field != DRIFT) or (BEST,)
    changes = [judge.judged(change, field) for field in fields for change in growth.changes(field)]
    then: set[HandlerName] = set().union(*runs)
    now = new.called().keys()
    last: Iterable[HandlerName] = runs[-1] if runs else ()
    return Comparison(
        tuple(sorted(changes, key=lambda change: (not change.regression, -change.ratio))),
        tuple(sorted(now - then)),
        tuple(sorted(set(last) - now)),
        growth.drift,
        len(runs),
        _differences(olds[-1], new) if olds and not here else (),
        len(olds) - len(here) if here else 0,
        tuple(dict.fromkeys(text for one in kept for text in one.incomplete)),
        len(given) - len(olds),
    )


def _without_copies(runs: Sequence[Profile]) -> list[Profile]:
    """Return the runs without duplicates, which would make the spread look too small."""
    kept: list[Profile] = []
    made: dict[float, list[Profile]] = {}
    for one in runs:
        same = [] if one.run is None else made.setdefault(one.run.created, [])
        if not any(_are_copies(one, other) for other in same):
            kept.append(one)
            same.append(one)
    return kept


def _are_copies(one: Profile, other: Profile) -> bool:
    if (one.run, one.incomplete) != (other.run, other.incomplete):
        return False
    # Tests are not compared: a database does not keep them.
    numbers, others = (
        {name: stats.to_dict() for name, stats in profile.handlers.items()}
        for profile in (one, other)
    )
    return numbers == others


class _Judge:
    """The judgement of changes: whether each is a regression, and why.

    Args:
        growth: the numbers of the comparison.
        rules, minimum: see `compare`.
    """

    def __init__(self, growth: Growth, rules: tuple[Rule, ...], minimum: float) -> None:
        self._growth, self._rules, self._minimum = growth, rules, minimum

    def judged(self, change: Change, field: str) -> Change:
        """Return ``change`` with its verdict and the reason for it.

        Args:
            change: a change that is not judged yet.
            field: the statistic that was compared; ``change.field`` may be ``p50_time`` instead.
        """
        rules = [rule for rule in self._rules if rule.field == field]
        if not rules:
            return change
        # A change within the strictest rule is within all of them.
        rule = min(rules, key=lambda rule: rule.percent)
        grown, allowed = _signed(change.ratio, rule.percent), f"{rule.percent:g} % allowed"
        if not change.before and change.after:
            grown = "up from 0"
        if STATISTICS[field].kind is not Kind.TIME:
            broken = change.after > change.before * rule.allowed
            return change._replace(regression=broken, why=f"{grown}, {allowed}")
        if change.p is None:
            few = min(self._growth.calls(change.name))
            return change._replace(why=f"{plural(few, 'call')}, {_TOO_FEW}")
        if change.ratio <= rule.allowed:
            return change._replace(why=f"{grown}, {allowed}")
        more_calls = self._growth.more_calls(change.name)
        if STATISTICS[field].sums and more_calls > rule.allowed and _more(change) >= self._minimum:
            # A sum grows with the number of calls. That number is exact and needs no test.
            why = f"{grown} ({allowed}), {_signed(more_calls, rule.percent)} calls"
            return change._replace(regression=True, why=why)
        doubt = self._doubt(change, field, rule)
        if doubt:
            return change._replace(why=f"{grown}, but {doubt}")
        more = STATISTICS[change.field].text(_more(change))
        why = f"{grown} ({allowed}), {more} more, {self._evidence(change)}"
        return change._replace(regression=True, why=why)

    def _doubt(self, change: Change, field: str, rule: Rule) -> str:
        """Return why a growth over the limit is not a regression; ``""`` if it is a regression."""
        if _more(change) < self._minimum:
            return f"by less than {duration(self._minimum)}"
        if change.p is not None and change.p > SIGNIFICANT:
            return f"may be chance: {self._evidence(change)}"
        if change.spread is None and field in (BEST, "p50_time"):
            least = min(self._growth.quartiles(change.name))
            if least <= 1 + _OF_ALL * rule.percent / 100:
                return f"not all calls are slower: one quartile changed by {_signed(least)}"
        return ""

    def _evidence(self, change: Change) -> str:
        then, now = self._growth.calls(change.name)
        runs = ""
        if change.spread is not None:
            number = self._growth.runs(change.name)
            runs = f"{number} earlier runs with a spread of {percent(change.spread)}, "
        p = "" if change.p is None else f"p = {probability(change.p)}, ".replace("= <", "< ")
        return f"{p}{runs}{plural(then, 'call')} before, {now:,} now"


_TOO_FEW = "too few to judge"
_DIGITS = 3


def _too_few(change: Change) -> bool:
    return change.why.endswith(_TOO_FEW)


def _more(change: Change) -> float:
    """Return the growth of a time in seconds."""
    return change.after - change.before


def _signed(ratio: float, limit: float = math.inf) -> str:
    """Return a growth in whole percent, with the digits that show that it is over the limit."""
    growth = (ratio - 1) * 100
    digits = 0
    while growth > limit >= round(growth, digits) and digits < _DIGITS:
        digits += 1
    return f"{growth:+,.{digits}f} %"


def _differences(old: Profile, new: Profile) -> tuple[str, ...]:
    if old.run is None or new.run is None:
        return ("a report does not name its machine",)
    return differences(old.run.machine, new.run.machine)
