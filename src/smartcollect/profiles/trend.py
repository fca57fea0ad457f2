"""Trends: in which of many runs the calls or the time of a handler changed for good."""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from statistics import median
from typing import NamedTuple

from ..names import HandlerName
from .drift import NONE, Drift, Ratio
from .levels import STEADY_FROM
from .levels import ratio as ratio_of
from .rules import BEST
from .steps import count_steps, time_steps

FEWEST = 3
"""Handlers that have to tell the drift of the machine for it to be taken out."""
_TELLING = 50
_USUAL = 20
"""Runs that tell what is usual for a handler."""
_NOW_AND_THEN = 5
_RECENT = 500


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
        runs: which of the runs knew it, by their index.
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

    def timed(self) -> tuple[list[int], list[float]]:
        """Return the runs that called it, and its time in each."""
        if 0 not in self.calls:
            return self.runs, self.times
        known = [place for place, calls in enumerate(self.calls) if calls]
        return [self.runs[place] for place in known], [self.times[place] for place in known]

    def share_of_computing(self) -> float:
        """Return the share of its time that the handler computes, usually."""
        known = [share for share in self.computing[-_RECENT:] if not math.isnan(share)]
        return median(known) if known else 1.0  # what is short computes, mostly


@dataclass(frozen=True)
class Trend:
    """How one handler developed over many runs, the oldest run first.

    Attributes:
        name: the handler.
        created: when each run that knew it was made, in Unix seconds.
        commits: the commit of each; ``""`` where it is not known.
        calls, errors: how often each run called it, and how often it raised.
        times: its steady time in each run, in seconds, with the machine's drift taken out; NaN
            where it was not called.
        steps: the changes that three runs in a row confirm, the oldest first.
        is_steadied: whether enough handlers told the drift of the machine to take it out.
    """

    name: HandlerName
    created: tuple[float, ...]
    commits: tuple[str, ...]
    calls: tuple[int, ...]
    errors: tuple[int, ...]
    times: tuple[float, ...]
    steps: tuple[Step, ...]
    is_steadied: bool


def trends(
    handlers: Mapping[HandlerName, Series],
    created: Sequence[float],
    commits: Sequence[str],
    wanted: Sequence[HandlerName],
) -> list[Trend]:
    """Return how handlers developed over many runs of one machine, and their steps.

    Args:
        handlers: all handlers; together they tell the drift of the machine.
        created: when each run was made, in Unix seconds.
        commits: the commit of each run.
        wanted: the handlers that are asked for.
    """
    drifts = _drifts(handlers, len(created))
    is_steadied = any(drift is not NONE for drift in drifts)
    every = tuple(created), tuple(commits)

    def trend(name: HandlerName) -> Trend:
        series = handlers[name]
        timed, times = _undrifted(series, drifts)
        steps = [
            (runs[found.at], field, found)
            for runs, field, all_found in (
                (series.runs, "calls", count_steps(series.calls)),
                (series.runs, "errors", count_steps(series.errors)),
                (timed, BEST, time_steps(times)),
            )
            for found in all_found
        ]
        moments, hashes = every
        if len(series.runs) < len(created):
            moments = tuple([created[run] for run in series.runs])
            hashes = tuple([commits[run] for run in series.runs])
        if len(timed) < len(series.runs):
            known = dict(zip(timed, times, strict=True))
            times = [known.get(run, math.nan) for run in series.runs]
        return Trend(
            name,
            moments,
            hashes,
            tuple(series.calls),
            tuple(series.errors),
            tuple(times),
            tuple(
                Step(name, field, found.before, found.after, created[run], commits[run])
                for run, field, found in sorted(steps, key=itemgetter(0))
            ),
            is_steadied,
        )

    return list(map(trend, wanted))


def _drifts(handlers: Mapping[HandlerName, Series], runs: int) -> list[Drift]:
    """Return how much slower each run was as a whole than the handlers usually are.

    What is usual for a handler follows its last runs, with their drift taken out: so it says the
    same when other handlers come or go, and when its own code changes.
    """
    by_run: list[list[tuple[_Teller, float]]] = [[] for _ in range(runs)]
    for teller, timed, times in _tellers(handlers, runs):
        for run, time in zip(timed, times, strict=True):
            by_run[run].append((teller, time))
    found = []
    for told in by_run:
        known = [
            Ratio(time / teller.usual, teller.computing) for teller, time in told if teller.usual
        ]
        # Where most handlers are new, those that were there before tell it alone.
        told_enough = known and len(told) >= FEWEST
        drift = Drift.of(known, min(FEWEST, len(known))) if told_enough else NONE
        for teller, time in told:
            teller.add(time / drift.factor(teller.computing))
        found.append(drift)
    return found


class _Teller:
    """A handler that tells the drift of the machine.

    Args:
        computing: the share of its time that it computes.
        usual: its usual time, in seconds; 0 until that is known.
    """

    def __init__(self, computing: float, usual: float) -> None:
        self.computing = computing
        self.usual = usual
        self._recent: deque[float] = deque(maxlen=_USUAL)
        self._told = 0

    def add(self, time: float) -> None:
        """Note its time in one more run, the drift taken out."""
        self._recent.append(time)
        self._told += 1
        # Not each time: medians take most of the time.
        if (self._told % _NOW_AND_THEN == 0 and self._told >= _USUAL // 2) or not self.usual:
            self.usual = median(self._recent) if len(self._recent) >= FEWEST else 0.0


def _tellers(
    handlers: Mapping[HandlerName, Series], runs: int
) -> Iterator[tuple[_Teller, list[int], list[float]]]:
    """Yield handlers until fifty tell of each run, with the runs that called them."""
    every = list(handlers.values())
    # At random: those of one module may change together.
    random.Random(0).shuffle(every)
    every.sort(key=_is_short)
    told = [0] * runs
    for series in every:
        timed, times = series.timed()
        if not times or min(map(told.__getitem__, timed)) >= _TELLING:
            continue
        for run in timed:
            told[run] += 1
        begins = timed[0] < _USUAL
        usual = median(times[:_USUAL]) if begins else 0.0
        yield _Teller(series.share_of_computing(), usual), timed, times


def _is_short(series: Series) -> bool:
    _, times = series.timed()
    return not times or median(times[-_USUAL:]) < STEADY_FROM


def _undrifted(series: Series, drifts: Sequence[Drift]) -> tuple[list[int], list[float]]:
    computing = series.share_of_computing()
    waiting = 1 - computing
    # `Drift.factor` for each of a million times would take half of all the time.
    factors = [computing * drift[0] + waiting * drift[1] for drift in drifts]
    runs, times = series.timed()
    return runs, [time / factors[run] for run, time in zip(runs, times, strict=True)]
