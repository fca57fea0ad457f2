"""Trends: in which of many runs the calls or the time of a handler changed for good."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, islice, pairwise
from operator import itemgetter
from statistics import NormalDist, fmean, median
from typing import NamedTuple

from ..names import HandlerName
from .drift import NONE, Drift, Ratio
from .levels import STEADY_FROM
from .levels import ratio as ratio_of
from .rules import BEST

CONFIRMING = 3
"""Runs in a row that confirm a step."""
_LEVEL = 20
_RECENT = 500
"""Runs that tell how far those of a handler lie apart."""
_BLOCK = 10
"""Runs that have to be there before a step, and whose median is their usual time."""
_SHORTEST = 1e-9
_LEAST = math.log(1.05)
_SURE = 5.0
"""Standard deviations that a step of times is larger than: one in two million is chance."""
_LEAST_SPREAD = 0.01
_USUAL = 0.8
"""The share of the differences of successive runs that tells their spread: outliers do not."""
_OF_NORMAL = math.sqrt(2) * NormalDist().inv_cdf((1 + _USUAL) / 2)
"""That quantile for times of which the standard deviation is 1."""
_TELLING = 50


class Step(NamedTuple):
    """A change that three runs in a row confirm.

    Attributes:
        name: the handler.
        field: the statistic: ``calls``, ``errors`` or ``steady_time``.
        before, after: its values; times are seconds, with the machine's drift taken out.
        created: when the first run with the new value was made, in Unix seconds.
        commit: the commit of that run; ``""`` where it is not known.
    """

    name: HandlerName
    field: str
    before: float
    after: float
    created: float
    commit: str

    @property
    def ratio(self) -> float:
        """``after`` to ``before``; infinite where there was nothing before."""
        return ratio_of(self.before, self.after)


@dataclass
class Series:
    """What runs tell of one handler, the oldest run first.

    Attributes:
        runs: which of the runs called it, by their index.
        calls, errors: how often.
        times: the steady time of each run, in seconds.
        computing: the share of its time that it runs on a processor; NaN where that is not known.
    """

    runs: list[int] = field(default_factory=list)
    calls: list[int] = field(default_factory=list)
    errors: list[int] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    computing: list[float] = field(default_factory=list)

    def extend(
        self,
        runs: Iterable[int],
        calls: Iterable[int],
        errors: Iterable[int],
        times: Iterable[float],
        computing: Iterable[float],
    ) -> None:
        """Add later runs; see the attributes."""
        self.runs.extend(runs)
        self.calls.extend(calls)
        self.errors.extend(errors)
        self.times.extend(times)
        self.computing.extend(computing)

    def share_of_computing(self) -> float:
        """Return the share of its time that the handler computes, usually."""
        known = [share for share in self.computing[-_RECENT:] if not math.isnan(share)]
        return median(known) if known else 1.0  # what is short computes, mostly


@dataclass(frozen=True)
class Trend:
    """How one handler developed over many runs, the oldest run first.

    Attributes:
        name: the handler.
        created: when each run that called it was made, in Unix seconds.
        commits: the commit of each; ``""`` where it is not known.
        calls, errors: how often each run called it, and how often it raised.
        times: its steady time in each run, in seconds, with the machine's drift taken out.
        steps: the changes that three runs in a row confirm, the oldest first.
    """

    name: HandlerName
    created: tuple[float, ...]
    commits: tuple[str, ...]
    calls: tuple[int, ...]
    errors: tuple[int, ...]
    times: tuple[float, ...]
    steps: tuple[Step, ...]


def trends(
    handlers: Mapping[HandlerName, Series],
    created: Sequence[float],
    commits: Sequence[str],
    wanted: Sequence[HandlerName],
) -> list[Trend]:
    """Return how handlers developed over many runs of one machine.

    Counts make a step when three runs in a row have the same new count and those before had the
    same one, too. Times make a step when the mean of three runs differs by 5 % or more, by more
    than five standard deviations, and each of the three by half of that at least. The runs' own
    spread is worked out from the differences of successive runs (von Neumann, 1941), which a step
    in between does not change.

    Args:
        handlers: all handlers; together they tell the drift of the machine.
        created: when each run was made, in Unix seconds.
        commits: the commit of each run.
        wanted: the handlers that are asked for.
    """
    drifts = _drifts(handlers, len(created))
    every = tuple(created), tuple(commits)

    def trend(name: HandlerName) -> Trend:
        series = handlers[name]
        times = _undrifted(series, drifts)
        columns: dict[str, Sequence[float]] = {
            "calls": series.calls,
            "errors": series.errors,
            BEST: times,
        }
        steps = [
            (index, Step(name, field, before, after, created[run], commits[run]))
            for field, values in columns.items()
            for index, before, after in (_time_steps if field == BEST else _count_steps)(values)
            for run in [series.runs[index]]
        ]
        moments, hashes = every
        if len(series.runs) < len(created):
            moments = tuple([created[run] for run in series.runs])
            hashes = tuple([commits[run] for run in series.runs])
        return Trend(
            name,
            moments,
            hashes,
            tuple(series.calls),
            tuple(series.errors),
            tuple(times),
            tuple(step for _, step in sorted(steps, key=itemgetter(0))),
        )

    return list(map(trend, wanted))


def _drifts(handlers: Mapping[HandlerName, Series], runs: int) -> list[Drift]:
    """Return how much slower each run was as a whole than the handlers usually are."""
    # Handlers that came or went tell of some runs only. Fifty tell as well as all do.
    longest_known = sorted(handlers.values(), key=lambda series: len(series.runs), reverse=True)
    telling = ((series, median(series.times)) for series in longest_known if series.runs)
    long_ones = ((series, usual) for series, usual in telling if usual >= STEADY_FROM)
    ratios: list[list[Ratio]] = [[] for _ in range(runs)]
    for series, usual in islice(long_ones, _TELLING):
        computing = series.share_of_computing()
        for run, time in zip(series.runs, series.times, strict=True):
            ratios[run].append(Ratio(time / usual, computing))
    return [Drift.of(known) if known else NONE for known in ratios]


def _undrifted(series: Series, drifts: Sequence[Drift]) -> list[float]:
    computing = series.share_of_computing()
    waiting = 1 - computing
    # `Drift.factor` for each of a million times would take half of all the time.
    factors = [computing * drift[0] + waiting * drift[1] for drift in drifts]
    return [time / factors[run] for run, time in zip(series.runs, series.times, strict=True)]


def _count_steps(counts: Sequence[float]) -> Iterator[tuple[int, float, float]]:
    """Yield the index of each step of counts, with the count before it and from it on."""
    if len(set(counts)) < 2:
        return  # as most are
    changes = [0, *accumulate(before != after for before, after in pairwise(counts))]
    for index in range(CONFIRMING, len(counts) - CONFIRMING + 1):
        before, after = counts[index - 1], counts[index]
        if before == after or changes[index + CONFIRMING - 1] != changes[index]:
            continue
        if changes[index - 1] != changes[index - CONFIRMING]:
            continue
        # A count that changes every few runs is not one that the code determines.
        first = max(0, index - _LEVEL)
        if changes[index - 1] - changes[first] <= (index - first) // 10:
            yield index, before, after


def _time_steps(times: Sequence[float]) -> Iterator[tuple[int, float, float]]:
    """Yield the index of each step of times, with the time before it and from it on, in seconds."""
    # Times are spread in proportion: twice as long is as far away as half as long.
    if not min(times, default=1.0):
        times = [time or _SHORTEST for time in times]
    logs = list(map(math.log, times))
    start = confirmed = 0
    for index, after in _candidates(logs):
        first = max(start, index - _LEVEL)
        if index >= confirmed and _is_step(logs, first, index):
            yield index, math.exp(median(logs[first:index])), math.exp(after)
            start, confirmed = index, index + CONFIRMING


def _candidates(logs: Sequence[float]) -> Iterator[tuple[int, float]]:
    """Yield where a rough look sees a step, and the mean of the runs that would confirm it."""
    sums = [0.0, *accumulate(logs)]
    means = [
        (end - start) / CONFIRMING for start, end in zip(sums, sums[CONFIRMING:], strict=False)
    ]
    # Beside the runs just before, which may have an outlier, the usual time of some runs before.
    blocks = [median(logs[first : first + _BLOCK]) for first in range(0, len(logs), _BLOCK)]
    usual = [block for block in blocks for _ in range(_BLOCK)]
    least = 0.8 * _LEAST
    for index, (after, before, rough) in enumerate(
        zip(means[_BLOCK:], means[_BLOCK - CONFIRMING :], usual, strict=False), _BLOCK
    ):
        if abs(after - before) >= least or abs(after - rough) >= least:
            yield index, after


def _is_step(logs: Sequence[float], first: int, index: int) -> bool:
    level = median(logs[first:index])
    confirming = logs[index : index + CONFIRMING]
    grown = fmean(confirming) - level
    if abs(grown) < _LEAST or any((one - level) / grown < 0.5 for one in confirming):
        return False
    recent = logs[max(0, index - _RECENT) : index]
    differences = sorted(abs(after - before) for before, after in pairwise(recent))
    # Of few runs nobody knows well how far they lie apart.
    spread = differences[int(_USUAL * len(differences))] / _OF_NORMAL * (1 + 3 / len(recent))
    error = math.sqrt(1 / CONFIRMING + math.pi / 2 / (index - first))
    return abs(grown) >= _SURE * max(spread, _LEAST_SPREAD) * error
