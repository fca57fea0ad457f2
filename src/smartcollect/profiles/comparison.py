"""Comparison of a run with earlier ones: what became slower by more than noise."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..names import HandlerName
from ..storage.fields import STATISTICS, Kind
from ..text import plural
from ..units import duration, percent
from .drift import Drift
from .growth import Change, Growth
from .machine import differences
from .profile import Profile
from .rules import BEST, DRIFT, Rule
from .significance import SIGNIFICANT

MINIMUM = 0.0001
"""The smallest growth of a time that counts unless another is asked for, in seconds."""
RUNS = 20
"""Of so many earlier runs, the last ones that fit, is a baseline made."""
_OF_ALL = 0.8
"""The share of what a rule allows that each quartile of the calls has to be slower by."""


@dataclass(frozen=True)
class Comparison:
    """How a run differs from earlier ones.

    Attributes:
        changes: regressions first, then by ratio, the largest first.
        added: handlers that are called now only.
        removed: handlers that were called in the last of the earlier runs only.
        drift: how much longer everything took than then, which is taken out of the ratios.
        runs: how many earlier runs it is compared with.
        elsewhere: how the machines differ, a text for each difference; regressions of profiles of
            different machines say nothing, and there is none.
        left_out: how many of the earlier runs come from a different machine, where others do not.
        incomplete: what is missing of the earlier runs.
        copies: how many of the earlier runs are left out, since they are copies of others.
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
    def has_spread(self) -> bool:
        """Whether there are enough earlier runs to know how far they lie apart."""
        return any(change.spread is not None for change in self.changes)

    @property
    def judged(self) -> int:
        """How many handlers could be judged."""
        return len({change.name for change in self.changes if change.why and not _untold(change)})

    def slower_by(self, rules: Iterable[Rule]) -> Rule | None:
        """Return the rule, if any, that everything together is slower than."""
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

    The machine's drift, the median ratio of the handlers' times, is taken out of all times. Then a
    growth is a regression when it is over the percentage of its rule and, for times, over
    ``minimum`` too, and more than chance: the rank test of `slower` on the calls says so, and with
    three earlier runs and more also the spread of these, or that of handlers like it in this run.
    With fewer runs, all quartiles of the calls have to be slower for ``steady_time`` and
    ``p50_time``: a machine that is slower for a while makes some calls slower, and not all. Of
    ``total_time`` and ``self_time`` it is enough that there are as many more calls.

    Args:
        old: the baseline: an earlier run, or several, of which the last `RUNS` of this machine
            count that are complete.
        new: what is compared with it.
        rules: what may grow by how much; where there is none, ``steady_time`` is shown.
        minimum: the smallest growth of a time that counts, in seconds.

    Example:
        >>> compare(Profile(), Profile()).changes
        ()
    """
    given = (old,) if isinstance(old, Profile) else tuple(old)
    olds = _without_copies(given)
    here = [one for one in olds if not _differences(one, new)]
    # Of a run that is not complete nobody knows what is missing.
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
    """Return runs without those that are there twice: their spread would be none."""
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
    # What tests did is not known of runs in a database.
    numbers, others = (
        {name: stats.to_dict() for name, stats in profile.handlers.items()}
        for profile in (one, other)
    )
    return numbers == others


class _Judge:
    """Says of changes whether they are regressions, and why.

    Args:
        growth: what they are part of.
        rules, minimum: see `compare`.
    """

    def __init__(self, growth: Growth, rules: tuple[Rule, ...], minimum: float) -> None:
        self._growth, self._rules, self._minimum = growth, rules, minimum

    def judged(self, change: Change, field: str) -> Change:
        """Return ``change`` with the verdict on it."""
        rules = [rule for rule in self._rules if rule.field == field]
        if not rules:
            return change
        # The strictest one: what it lets pass, the others do too.
        rule = min(rules, key=lambda rule: rule.percent)
        grown, allowed = _signed(change.ratio), f"{rule.percent:g} % allowed"
        if not change.before and change.after:
            grown = "it was none"
        if STATISTICS[field].kind is not Kind.TIME:
            broken = change.after > change.before * rule.allowed
            return change._replace(regression=broken, why=f"{grown}, {allowed}")
        if change.p is None:
            few = min(self._growth.calls(change.name))
            return change._replace(why=f"{plural(few, 'call')}: {_UNTOLD}")
        if change.ratio <= rule.allowed:
            return change._replace(why=f"{grown}, {allowed}")
        more_calls = self._growth.more_calls(change.name)
        if STATISTICS[field].sums and more_calls > rule.allowed and _more(change) >= self._minimum:
            # A sum grows with the number of calls too, which is not noise.
            why = f"{grown} ({allowed}), {_signed(more_calls)} calls"
            return change._replace(regression=True, why=why)
        doubt = self._doubt(change, field, rule)
        if doubt:
            return change._replace(why=f"{grown}, but {doubt}")
        more = STATISTICS[change.field].text(_more(change))
        why = f"{grown} ({allowed}), {more} more, {self._evidence(change)}"
        return change._replace(regression=True, why=why)

    def _doubt(self, change: Change, field: str, rule: Rule) -> str:
        """Return why a growth by more than a rule allows may be none; ``""`` where it is one."""
        if _more(change) < self._minimum:
            return f"less than {duration(self._minimum)} more"
        if change.p is not None and change.p > SIGNIFICANT:
            return f"may be chance: {self._evidence(change)}"
        if change.spread is None and field in (BEST, "p50_time"):
            least = min(self._growth.quartiles(change.name))
            if least <= 1 + _OF_ALL * rule.percent / 100:
                return f"not all calls are slower: a quartile of them by {_signed(least)}"
        return ""

    def _evidence(self, change: Change) -> str:
        then, now = self._growth.calls(change.name)
        told = ""
        if change.spread is not None:
            runs = self._growth.runs(change.name)
            told = f"{runs} runs spread by {percent(change.spread)}, "
        return f"p {change.p:.4f}, {told}{then:,} and {plural(now, 'call')}"


_UNTOLD = "nothing can be told"


def _untold(change: Change) -> bool:
    return change.why.endswith(_UNTOLD)


def _more(change: Change) -> float:
    """Return by how much longer a call takes, in seconds, the drift taken out."""
    return (change.ratio - 1) * change.before if change.before else change.after


def _signed(ratio: float) -> str:
    return f"{(ratio - 1) * 100:+,.0f} %"


def _differences(old: Profile, new: Profile) -> tuple[str, ...]:
    if old.run is None or new.run is None:
        return ("no machine is told",)
    return differences(old.run.machine, new.run.machine)
