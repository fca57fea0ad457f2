"""Comparison of a run with earlier ones: what became slower by more than noise."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, NamedTuple

from ..names import HandlerName
from ..storage.fields import STATISTICS, Kind
from ..storage.statistics import HandlerStats
from ..text import plural
from ..units import duration, percent
from .drift import NONE, Drift, Ratio
from .profile import Profile
from .rules import BEST, DRIFT, Rule
from .significance import SIGNIFICANT, corrected, outlying, scaled, slower, spread

MINIMUM = 0.0001
"""The smallest growth of a time that counts unless another is asked for, in seconds."""
_FEWEST = 3
"""Calls of which something can be told."""
_RUNS = 3
"""Runs whose spread can be told."""
_LEAST_SPREAD = 0.01
_STEADY_FROM = 0.00002
"""The seconds from which on a time depends on the machine more than on how it is taken."""


class Change(NamedTuple):
    """One statistic of one handler, then and now.

    Attributes:
        name: the handler.
        field: the statistic.
        before, after: its values, times in seconds; ``before`` is the median of several runs.
        ratio: ``after`` to ``before``, the drift of the machine taken out; infinite where there was
            nothing before.
        p: how likely code that is no slower looks at least as slow, corrected for the number of
            handlers; ``None`` for what is exact, such as counts, and where nothing can be told.
        spread: of the runs of the baseline, a standard deviation as a share of ``before``;
            ``None`` where they are fewer than three.
        regression: whether it grew by more than a rule allows, and that is real.
        why: what the verdict rests on; ``""`` where no rule says what to judge.
    """

    name: HandlerName
    field: str
    before: float
    after: float
    ratio: float
    p: float | None
    spread: float | None
    regression: bool
    why: str


@dataclass(frozen=True)
class Comparison:
    """How a run differs from earlier ones.

    Attributes:
        changes: regressions first, then by ratio, the largest first.
        added: handlers that are called now only.
        removed: handlers that were called then only.
        drift: how much longer everything took than then, which is taken out of the ratios.
        runs: how many earlier runs it is compared with.
        elsewhere: how the machines differ, a text for each difference; regressions of profiles of
            different machines say nothing, and there is none.
        left_out: how many of the earlier runs come from a different machine, where others do not.
        incomplete: what is missing of the earlier runs.
    """

    changes: tuple[Change, ...]
    added: tuple[HandlerName, ...]
    removed: tuple[HandlerName, ...]
    drift: Drift
    runs: int
    elsewhere: tuple[str, ...]
    left_out: int
    incomplete: tuple[str, ...]

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
        broken = [rule for rule in rules if self.drift.computing > rule.allowed]
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
    three earlier runs and more also the spread of these. Of ``total_time`` and ``self_time`` it
    is enough that there are as many more calls.

    Args:
        old: the baseline: an earlier run, or several.
        new: what is compared with it.
        rules: what may grow by how much; where there is none, ``steady_time`` is shown.
        minimum: the smallest growth of a time that counts, in seconds.

    Example:
        >>> compare(Profile(), Profile()).changes
        ()
    """
    olds = (old,) if isinstance(old, Profile) else tuple(old)
    differences = [_differences(one, new) for one in olds]
    same = [one for one, differs in zip(olds, differences, strict=True) if not differs]
    runs = [one.called() for one in same or olds]
    rules = tuple(dict.fromkeys(rules))
    baseline = _Baseline(runs, new.called(), rules, minimum)
    fields = dict.fromkeys(rule.field for rule in rules if rule.field != DRIFT) or (BEST,)
    changes = [change for field in fields for change in baseline.changes(field)]
    if not same:
        changes = [change._replace(regression=False) for change in changes]
    then, now = set().union(*runs), new.called().keys()
    return Comparison(
        tuple(sorted(changes, key=lambda change: (not change.regression, -change.ratio))),
        tuple(sorted(now - then)),
        tuple(sorted(then - now)),
        baseline.drift,
        len(runs),
        () if same or not olds else differences[-1],
        len(olds) - len(runs),
        tuple(dict.fromkeys(text for one in same or olds for text in one.incomplete)),
    )


class _Baseline:
    """Earlier runs and the one that is compared with them, the drift of each known.

    Args:
        runs: the handlers of each earlier run.
        new: those of the one that is compared.
        rules, minimum: see `compare`.

    Attributes:
        drift: of the one that is compared.
    """

    def __init__(
        self,
        runs: Sequence[Mapping[HandlerName, HandlerStats]],
        new: Mapping[HandlerName, HandlerStats],
        rules: tuple[Rule, ...],
        minimum: float,
    ) -> None:
        self._runs, self._new, self._rules, self._minimum = runs, new, rules, minimum
        # What all runs that have the handler came to: each run drifts from that.
        usual: dict[HandlerName, float] = {}
        for name in set().union(*runs):
            usual[name] = median(run[name].steady_time() for run in runs if name in run)
        self._drifts = [_drift(usual, run) for run in runs] if len(runs) > 1 else [NONE] * len(runs)
        before = {name: self._usual(name, BEST) for name in usual}
        self.drift = _drift(before, new)
        self._pooled = self._spread_of_all(usual)

    def _values(self, name: HandlerName, field: str) -> list[float]:
        """Return a statistic of each earlier run that has the handler, its drift taken out."""
        timed = STATISTICS[field].kind is Kind.TIME
        values = []
        for run, drift in zip(self._runs, self._drifts, strict=True):
            if name in run:
                factor = drift.factor(run[name].computing) if timed else 1.0
                values.append(_value(run[name], field) / factor)
        return values

    def _usual(self, name: HandlerName, field: str) -> float:
        return median(self._values(name, field))

    def _spread_of_all(self, usual: Mapping[HandlerName, float]) -> float:
        """Return the spread of a handler that is like the others."""
        spreads = [
            spread(values)
            for name, time in usual.items()
            if time >= _STEADY_FROM and len(values := self._values(name, BEST)) >= _RUNS
        ]
        return max(median(spreads), _LEAST_SPREAD) if spreads else _LEAST_SPREAD

    def changes(self, field: str) -> list[Change]:
        """Return how one statistic of each handler differs."""
        names = sorted(name for name in self._new if any(name in run for run in self._runs))
        found = [self._change(name, field) for name in names]
        chances = iter(corrected([one.p for one in found if one.p is not None]))
        found = [one if one.p is None else one._replace(p=next(chances)) for one in found]
        return [self._judged(change, field) for change in found]

    def _change(self, name: HandlerName, field: str) -> Change:
        new = self._new[name]
        olds = [
            (run[name], drift)
            for run, drift in zip(self._runs, self._drifts, strict=True)
            if name in run
        ]
        shown = field
        if field == BEST and not (new.is_steady and all(stats.is_steady for stats, _ in olds)):
            shown = "p50_time"  # like is compared with like
        values = self._values(name, shown)
        before, after = median(values), _value(new, shown)
        if STATISTICS[field].kind is not Kind.TIME:
            return Change(name, shown, before, after, _ratio(before, after), None, None, False, "")
        factor = self.drift.factor(new.computing)
        ratio = _ratio(before, after / factor)
        known = p = None
        if new.calls >= _FEWEST and sum(stats.calls for stats, _ in olds) >= _FEWEST:
            p = slower(
                scaled((_times(one, shown), drift.factor(one.computing)) for one, drift in olds),
                scaled([(_times(new, shown), factor)]),
            )
            if len(values) >= _RUNS:
                known = max(spread(values), self._pooled)
                p = max(p, outlying(ratio - 1, known, len(values)))
        return Change(name, shown, before, after, ratio, p, known, False, "")

    def _judged(self, change: Change, field: str) -> Change:
        """Return ``change`` with the verdict on it."""
        rules = [rule for rule in self._rules if rule.field == field]
        if not rules:
            return change
        # The strictest one: what it lets pass, the others do too.
        rule = min(rules, key=lambda rule: rule.percent)
        name, text = change.name, STATISTICS[change.field].text
        olds = [run[name].calls for run in self._runs if name in run]
        calls = f"{sum(olds):,} and {plural(self._new[name].calls, 'call')}"
        grown, allowed = change.ratio - 1, f"{rule.percent:g} % allowed"
        if STATISTICS[field].kind is not Kind.TIME:
            broken = change.after > change.before * rule.allowed
            return change._replace(regression=broken, why=f"{_signed(grown)}, {allowed}")
        if change.p is None:
            few = min(sum(olds), self._new[name].calls)
            return change._replace(why=f"{plural(few, 'call')}: {_UNTOLD}")
        before = change.before
        more = (change.ratio - 1) * before if before else change.after
        # A sum grows with the number of calls too, which is not noise.
        certain = STATISTICS[field].sums and self._new[name].calls > median(olds) * rule.allowed
        chance = f"p {change.p:.4f}"
        if change.spread is not None:
            chance += f", {plural(len(olds), 'run')} spread by {percent(change.spread)}"
        if change.ratio <= rule.allowed:
            why, broken = f"{_signed(grown)}, {allowed}", False
        elif more < self._minimum:
            why, broken = f"{_signed(grown)}, but less than {duration(self._minimum)} more", False
        elif change.p > SIGNIFICANT and not certain:
            why, broken = f"{_signed(grown)}, but may be chance: {chance}, {calls}", False
        else:
            broken = True
            why = f"{_signed(grown)} ({allowed}), {text(more)} more, {chance}, {calls}"
        return change._replace(regression=broken, why=why)


_UNTOLD = "nothing can be told"


def _untold(change: Change) -> bool:
    return change.why.endswith(_UNTOLD)


def _drift(before: Mapping[HandlerName, float], run: Mapping[HandlerName, HandlerStats]) -> Drift:
    return Drift.of(
        [
            Ratio(run[name].steady_time() / time, run[name].computing)
            for name, time in before.items()
            if time >= _STEADY_FROM and name in run and run[name].calls >= _FEWEST
        ]
    )


def _value(stats: HandlerStats, field: str) -> float:
    found: Mapping[str, Any] = stats.statistics()
    return float(found[field])


def _times(stats: HandlerStats, field: str) -> Mapping[int, int]:
    return stats.steady if field == BEST else stats.histogram


def _ratio(before: float, after: float) -> float:
    if before == after:
        return 1.0
    return after / before if before else math.inf


def _signed(growth: float) -> str:
    return f"{growth * 100:+,.0f} %"


def _differences(old: Profile, new: Profile) -> tuple[str, ...]:
    if old.run is None or new.run is None:
        return ("no machine is told",)
    then, now = old.run.machine, new.run.machine
    return tuple(
        f"{key}: {then.get(key, 'not told')} then, {now.get(key, 'not told')} now"
        for key in sorted(then.keys() | now.keys())
        if then.get(key) != now.get(key)
    )
