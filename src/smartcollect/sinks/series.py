"""``Counters``: what is told of each handler where several logs feed one counter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from threading import Lock
from typing import NamedTuple

from ..forks import Process, this_process
from ..names import HandlerName
from ..text import printable
from .totals import HandlerTotals, Reading, Totals

Labels = tuple[str, str]
"""Switcher and handler, as they are shown."""


class Series(NamedTuple):
    """What is told of one handler.

    Attributes:
        totals: what its calls came to.
        since: Unix seconds, from which on they count.
        sample_rate: the share of them that is recorded.
    """

    totals: HandlerTotals
    since: float
    sample_rate: float


class _Log(NamedTuple):
    since: float
    series: Mapping[Labels, Series]


class Counters:
    """Adds up logs, so that a counter of several never goes down because one was cleared.

    Who reads a counter that went down takes it for one that began anew at zero. That is right for a
    series of one log. Where several logs feed a series, the calls of the others would count once
    more: so what the cleared log had when it was read last is kept, and added from then on.
    """

    def __init__(self) -> None:
        self._last: list[_Log] = []
        self._kept: dict[Labels, Series] = {}
        # By process: one that is forked may find the lock of another thread taken for ever.
        self._locks: dict[Process, Lock] = {}

    def read(self, read: Callable[[], Reading]) -> tuple[Reading, dict[Labels, Series]]:
        """Return what ``read`` returns, and what is told of each handler.

        Args:
            read: returns the totals of the same logs each time, in the same order.
        """
        with self._locks.setdefault(this_process(), Lock()):
            reading = read()
            now = [_Log(totals.since, _summed(_series(totals))) for totals in reading.totals]
            kept = _summed(chain(self._kept.items(), self._cleared(now)))
            self._last, self._kept = now, kept
        return reading, _summed(chain(*(log.series.items() for log in now), kept.items()))

    def _cleared(self, now: Iterable[_Log]) -> Iterator[tuple[Labels, Series]]:
        """Yield what cleared logs had, of those series that other logs feed too."""
        logs = list(zip(self._last, now, strict=False))  # nothing was read before the first time
        fed = Counter(chain(*(before.series.keys() | after.series for before, after in logs)))
        for before, after in logs:
            if before.since != after.since:
                for labels, one in before.series.items():
                    if fed[labels] > 1 or labels in self._kept:
                        yield labels, one._replace(sample_rate=1.0)  # that of now is what counts


def _series(totals: Totals) -> Iterator[tuple[Labels, Series]]:
    for name, of_handler in totals.handlers.items():
        yield _labels(name), Series(of_handler, totals.since, totals.sample_rates[name])


def _summed(many: Iterable[tuple[Labels, Series]]) -> dict[Labels, Series]:
    """Return one series for each labels: of several logs, or of names that are shown alike."""
    summed: dict[Labels, Series] = {}
    for labels, one in many:
        before = summed.get(labels)
        if before is not None:
            one = Series(
                before.totals.plus(one.totals),
                min(before.since, one.since),
                min(before.sample_rate, one.sample_rate),
            )
        summed[labels] = one
    return summed


def _labels(name: HandlerName) -> Labels:
    # The text format is UTF-8, and a NUL ends it for some readers.
    return printable(name.switcher), printable(name.handler)
