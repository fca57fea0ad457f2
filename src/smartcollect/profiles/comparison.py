"""Comparison of a run with earlier ones: what became slower by more than noise."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median, pstdev
from typing import Any, NamedTuple

from ..names import HandlerName
from ..storage.fields import STATISTICS, Kind
from ..storage.statistics import HandlerStats
from ..text import plural
from ..units import duration, percent
from .drift import Drift
from .levels import FEWEST, STEADY_FROM, Handlers, Level, ratio
from .profile import Profile
from .rules import BEST, DRIFT, Rule
from .significance import (
    QUARTILES,
    SIGNIFICANT,
    corrected,
    of_median,
    outlying,
    scaled,
    slower,
    spread,
)

MINIMUM = 0.0001
"""The smallest growth of a time that counts unless another is asked for, in seconds."""
RUNS = 20
"""Of so many earlier runs, the last ones that fit, is a baseline made."""
_RUNS = 3
"""Runs whose spread can be told."""
_LEAST_SPREAD = 0.01
_LEAST_DISPERSION = 0.1
_SIGMAS = 1 / 1.349
"""Standard deviations of a normal distribution between its quartiles."""
_OF_ALL = 0.8
"""The share of what a rule allows that each quartile of the calls has to be slower by."""
_LIKE = 5
"""Handlers whose growths tell how far such lie apart."""


class Change(NamedTuple):
    """One statistic of one handler, then and now.

    Attributes:
        name: the handler.
        field: the statistic.
        before, after: its values, times in seconds; ``before`` is the median of several runs. Of
            ``steady_time`` they are means of the quartiles, not medians, which jump more.
        ratio: ``after`` to ``before``, the drift of the machine taken out of both; infinite where
            there was nothing before.
        p: how likely code that is no slower looks at least as slow: by the ranks of its calls or,
            if that is larger, by how much it grew, corrected for the number of handlers; ``None``
            for what is exact, such as counts, and where nothing can be told.
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
        removed: handlers that were called in the last of the earlier runs only.
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
    olds = (old,) if isinstance(old, Profile) else tuple(old)
    here = [one for one in olds if not _differences(one, new)]
    # Of a run that is not complete nobody knows what is missing.
    whole = [one for one in here or olds if not one.incomplete] or here or olds
    kept = whole[-RUNS:]
    runs = [one.called() for one in kept]
    rules = tuple(dict.fromkeys(rules))
    baseline = _Baseline(runs, new.called(), rules if here else (), minimum)
    fields = dict.fromkeys(rule.field for rule in rules if rule.field != DRIFT) or (BEST,)
    changes = [change for field in fields for change in baseline.changes(field)]
    then: set[HandlerName] = set().union(*runs)
    now = new.called().keys()
    last: Iterable[HandlerName] = runs[-1] if runs else ()
    return Comparison(
        tuple(sorted(changes, key=lambda change: (not change.regression, -change.ratio))),
        tuple(sorted(now - then)),
        tuple(sorted(set(last) - now)),
        baseline.drift,
        len(runs),
        _differences(olds[-1], new) if olds and not here else (),
        len(olds) - len(here) if here else 0,
        tuple(dict.fromkeys(text for one in kept for text in one.incomplete)),
    )


class _Baseline:
    """Earlier runs, and how one that is compared with them differs.

    Args:
        runs: the handlers of each earlier run that were called.
        new: those of the one that is compared.
        rules, minimum: see `compare`.

    Attributes:
        drift: of the one that is compared.
    """

    def __init__(
        self,
        runs: Sequence[Handlers],
        new: Handlers,
        rules: tuple[Rule, ...],
        minimum: float,
    ) -> None:
        self._runs, self._new, self._rules, self._minimum = runs, new, rules, minimum
        self._quartiles = [Level(runs, new, share) for share in QUARTILES]
        self._level = self._quartiles[1]
        self.drift = self._level.drift
        self._pooled = self._spread_of_all()

    def _then(self, name: HandlerName, field: str) -> list[float]:
        """Return a statistic of each earlier run that has the handler, the drift taken out."""
        if field == BEST:
            # The mean of the quartiles: a median jumps if a machine is slow for half of a run.
            levels = zip(*(level.then(name) for level in self._quartiles), strict=True)
            return [fmean(times) for times in levels]
        if STATISTICS[field].kind is Kind.TIME:
            return self._level.undrifted(name, lambda run: _value(run[name], field))
        return [_value(run[name], field) for run in self._level.having(name)]

    def _now(self, name: HandlerName, field: str) -> float:
        """Return the same statistic of the new run, as it was measured."""
        if field == BEST:
            return fmean(level.now(name) for level in self._quartiles) * self._level.factor(name)
        return _value(self._new[name], field)

    def _spread_of_all(self) -> float:
        """Return the spread of a handler that is like the others."""
        spreads = []
        for name in set().union(*self._runs):
            values = self._then(name, BEST)
            if len(values) >= _RUNS and median(values) >= STEADY_FROM:
                spreads.append(spread(values))
        return max(median(spreads), _LEAST_SPREAD) if spreads else _LEAST_SPREAD

    def changes(self, field: str) -> list[Change]:
        """Return how one statistic of each handler differs."""
        names = sorted(name for name in self._new if any(name in run for run in self._runs))
        found = [self._change(name, field) for name in names]
        if STATISTICS[field].kind is Kind.TIME:
            telling = [change for change in found if self._can_tell(change.name)]
            noise = self._noise(telling)
            chances = corrected([self._chance(change, noise[change.name]) for change in telling])
            likely = {
                change.name: max(p, self._rank_test(change.name, change.field))
                for change, p in zip(telling, chances, strict=True)
            }
            found = [change._replace(p=likely.get(change.name)) for change in found]
        return [self._judged(change, field) for change in found]

    def _change(self, name: HandlerName, field: str) -> Change:
        shown = self._level.field(name) if field == BEST else field
        values = self._then(name, shown)
        before, after = median(values), self._now(name, shown)
        change = Change(name, shown, before, after, ratio(before, after), None, None, False, "")
        if STATISTICS[field].kind is not Kind.TIME:
            return change
        grown = ratio(before, after / self._level.factor(name))
        told = len(values) >= _RUNS and self._can_tell(name)
        known = max(spread(values), self._pooled) if told else None
        return change._replace(ratio=grown, spread=known)

    def _can_tell(self, name: HandlerName) -> bool:
        return self._new[name].calls >= FEWEST and self._calls(name) >= FEWEST

    def _noise(self, changes: Sequence[Change]) -> dict[HandlerName, float]:
        """Return how far the growths of handlers that are like each one lie apart.

        Most handlers did not change: what they differ by is what chance does in these runs. Those
        that compute are like one another, and so are those that wait.
        """
        telling = [change for change in changes if change.before >= STEADY_FROM]
        kinds: dict[bool, list[float]] = {True: [], False: []}
        for change in telling:
            kinds[self._level.computes(change.name)].append(change.ratio)
        every = [change.ratio for change in telling]
        noise = {
            kind: spread(ratios if len(ratios) >= _LIKE else every) if len(every) >= _LIKE else 0.0
            for kind, ratios in kinds.items()
        }
        return {change.name: noise[self._level.computes(change.name)] for change in changes}

    def _chance(self, change: Change, noise: float) -> float:
        """Return how likely chance makes a handler grow so much, one handler alone."""
        name, growth = change.name, change.ratio - 1
        then, now = self._calls(name), self._new[name].calls
        # A few calls do not tell well how far they lie apart.
        dispersion = self._dispersion(name) * (1 + 3 / min(then, now))
        # Times are spread in proportion: twice as long is as far away as half as long.
        grown = math.log(change.ratio) if change.ratio > 0 else -math.inf
        p = outlying(grown, dispersion * math.sqrt(1 / then + 1 / now))
        if change.spread is None:
            return p
        ratios = self._quartiles_of(name)
        # How far the mean of the quartiles is known, if they grew differently.
        doubt = pstdev(ratios) / math.sqrt(len(ratios)) if math.isfinite(sum(ratios)) else 0.0
        between = of_median(change.spread, len(self._level.having(name)))
        return max(p, outlying(growth, max(noise, between), doubt))

    def _dispersion(self, name: HandlerName) -> float:
        """Return how far calls of one run lie apart: a standard deviation, as a share."""
        low, middle, high = (level.now(name) for level in self._quartiles)
        before = [level.before[name] for level in self._quartiles]
        apart = [(high - low) / middle] if middle else []
        apart += [(before[2] - before[0]) / before[1]] if before[1] else []
        return max([_SIGMAS * one for one in apart] + [_LEAST_DISPERSION])

    def _quartiles_of(self, name: HandlerName) -> list[float]:
        """Return how much longer the quartiles of the calls of a handler take."""
        return [level.ratio(name) for level in self._quartiles]

    def _calls(self, name: HandlerName) -> int:
        return sum(run[name].calls for run in self._level.having(name))

    def _rank_test(self, name: HandlerName, field: str) -> float:
        """Return p of the rank test on the calls, the drift taken out."""

        def taken(run: Handlers, number: int | None) -> tuple[Mapping[int, int], list[float]]:
            times = run[name].steady if field == BEST else run[name].histogram
            return times, [level.factor(name, number) for level in self._quartiles]

        olds = enumerate(self._runs)
        return slower(
            scaled(taken(run, number) for number, run in olds if self._level.has(run, name)),
            scaled([taken(self._new, None)]),
        )

    def _judged(self, change: Change, field: str) -> Change:
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
        then, now = self._calls(change.name), self._new[change.name].calls
        if change.p is None:
            return change._replace(why=f"{plural(min(then, now), 'call')}: {_UNTOLD}")
        if change.ratio <= rule.allowed:
            return change._replace(why=f"{grown}, {allowed}")
        more_calls = now / median(run[change.name].calls for run in self._level.having(change.name))
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
        name = change.name
        if _more(change) < self._minimum:
            return f"less than {duration(self._minimum)} more"
        if change.p is not None and change.p > SIGNIFICANT:
            return f"may be chance: {self._evidence(change)}"
        if change.spread is None and field in (BEST, "p50_time"):
            least = min(self._quartiles_of(name))
            if least <= 1 + _OF_ALL * rule.percent / 100:
                return f"not all calls are slower: a quartile of them by {_signed(least)}"
        return ""

    def _evidence(self, change: Change) -> str:
        name = change.name
        runs = len(self._level.having(name))
        calls = f"{self._calls(name):,} and {plural(self._new[name].calls, 'call')}"
        told = "" if change.spread is None else f"{runs} runs spread by {percent(change.spread)}, "
        return f"p {change.p:.4f}, {told}{calls}"


_UNTOLD = "nothing can be told"


def _untold(change: Change) -> bool:
    return change.why.endswith(_UNTOLD)


def _value(stats: HandlerStats, field: str) -> float:
    found: Mapping[str, Any] = stats.statistics()
    return float(found[field])


def _more(change: Change) -> float:
    """Return by how much longer a call takes, in seconds, the drift taken out."""
    return (change.ratio - 1) * change.before if change.before else change.after


def _signed(ratio: float) -> str:
    return f"{(ratio - 1) * 100:+,.0f} %"


def _differences(old: Profile, new: Profile) -> tuple[str, ...]:
    if old.run is None or new.run is None:
        return ("no machine is told",)
    then, now = old.run.machine, new.run.machine
    return tuple(
        f"{key}: {then.get(key, 'not told')} then, {now.get(key, 'not told')} now"
        for key in sorted(then.keys() | now.keys())
        if then.get(key) != now.get(key)
    )
