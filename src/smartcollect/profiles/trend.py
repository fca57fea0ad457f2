"""Trends: lasting changes in the calls, errors and time of handlers over many runs."""

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
"""The smallest number of handlers that the drift of the machine can be measured on."""
_TELLING = 50
_USUAL = 20
"""The number of runs that define the usual time of a handler."""
_NOW_AND_THEN = 5
_RECENT = 500


class Step(NamedTuple):
    """A change that three runs in a row confirm.

    Attributes:
        name: the handler.
        field: the statistic: ``calls``, ``errors`` or ``steady_time``.
        before, after: the values; times are in seconds, corrected for drift.
        created: the time of the first run with the new value, in Unix seconds.
        commit: the commit of that run; ``""`` if unknown.
    """

    name: HandlerName
    field: str
    before: float
    after: float
    created: float
    commit: str

    @property
    def ratio(self) -> float:
        """``after`` divided by ``before``; infinite if only ``before`` is 0."""
        return ratio_of(self.before, self.after)


@dataclass
class Series:
    """The numbers of one handler in the runs that know it, the oldest run first.

    Attributes:
        runs: the indexes of the runs.
        calls, errors: the number of calls and of errors in each run.
        times: the steady time in each run, in seconds.
        computing: the share of its time that the handler ran on a processor; NaN if unknown.
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
        """Add later runs; the arguments are like the attributes."""
        self.runs.extend(runs)
        self.calls.extend(calls)
        self.errors.extend(errors)
        self.times.extend(times)
        self.computing.extend(computing)

    def timed(self) -> tuple[list[int], list[float]]:
        """Return the runs that called the handler, and its time in each."""
        if 0 not in self.calls:
            return self.runs, self.times
        known = [place for place, calls in enumerate(self.calls) if calls]
        return [self.runs[place] for place in known], [self.times[place] for place in known]

    def share_of_computing(self) -> float:
        """Return the share of its time that the handler usually spends on a processor."""
        known = [share for share in self.computing[-_RECENT:] if not math.isnan(share)]
        return median(known) if known else 1.0  # unknown for short calls, which mostly compute


@dataclass(frozen=True)
class Trend:
    """The history of one handler over many runs, the oldest run first.

    Attributes:
        name: the handler.
        created: the time of each run that knows the handler, in Unix seconds.
        commits: the commit of each run; ``""`` if unknown.
        calls, errors: the number of calls and of errors in each run.
        times: the steady time in each run, in seconds, corrected for drift; NaN in runs that did
            not call the handler.
        steps: the changes that three runs in a row confirm, the oldest first.
        is_steadied: True if the times are corrected for drift, which takes enough handlers.
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
    """Return the trends of handlers over many runs on one machine.

    Args:
        handlers: the numbers of all handlers, on which the drift of the machine is measured.
        created: the time of each run, in Unix seconds.
        commits: the commit of each run.
        wanted: the handlers whose trends are returned.
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

    The usual time of a handler follows its last runs, corrected for drift. So it stays comparable
    when other handlers come or go, and when the code of the handler changes.
    """
    by_run: list[list[tuple[_Reference, float]]] = [[] for _ in range(runs)]
    for reference, timed, times in _references(handlers, runs):
        for run, time in zip(timed, times, strict=True):
            by_run[run].append((reference, time))
    found = []
    for measured in by_run:
        known = [
            # A database does not tell which handlers work themselves.
            Ratio(time / reference.usual, reference.computing, False)
            for reference, time in measured
            if reference.usual
        ]
        # If most handlers are new, the few known before are enough.
        has_enough = known and len(measured) >= FEWEST
        drift = Drift.of(known, min(FEWEST, len(known))) if has_enough else NONE
        for reference, time in measured:
            reference.add(time / drift.factor(reference.computing))
        found.append(drift)
    return found


class _Reference:
    """A handler that the drift of the machine is measured on.

    Args:
        computing: the share of its time that it spends on a processor.
        usual: its usual time, in seconds; 0 until it is known.
    """

    def __init__(self, computing: float, usual: float) -> None:
        self.computing = computing
        self.usual = usual
        self._recent: deque[float] = deque(maxlen=_USUAL)
        self._added = 0

    def add(self, time: float) -> None:
        """Add the handler's time in one more run, corrected for drift."""
        self._recent.append(time)
        self._added += 1
        # Not after every run, as medians are slow.
        if (self._added % _NOW_AND_THEN == 0 and self._added >= _USUAL // 2) or not self.usual:
            self.usual = median(self._recent) if len(self._recent) >= FEWEST else 0.0


def _references(
    handlers: Mapping[HandlerName, Series], runs: int
) -> Iterator[tuple[_Reference, list[int], list[float]]]:
    """Yield handlers to measure drift on, with the runs that called them and their times.

    Fifty handlers for each run are enough.
    """
    every = list(handlers.values())
    # In random order, as handlers of one module may change together.
    random.Random(0).shuffle(every)
    every.sort(key=_is_short)
    measured = [0] * runs
    for series in every:
        timed, times = series.timed()
        if not times or min(map(measured.__getitem__, timed)) >= _TELLING:
            continue
        for run in timed:
            measured[run] += 1
        begins = timed[0] < _USUAL
        usual = median(times[:_USUAL]) if begins else 0.0
        yield _Reference(series.share_of_computing(), usual), timed, times


def _is_short(series: Series) -> bool:
    _, times = series.timed()
    return not times or median(times[-_USUAL:]) < STEADY_FROM


def _undrifted(series: Series, drifts: Sequence[Drift]) -> tuple[list[int], list[float]]:
    computing = series.share_of_computing()
    waiting = 1 - computing
    # Inlines `Drift.factor`: calling it a million times would take half of the time.
    factors = [computing * drift[0] + waiting * drift[1] for drift in drifts]
    runs, times = series.timed()
    return runs, [time / factors[run] for run, time in zip(runs, times, strict=True)]
