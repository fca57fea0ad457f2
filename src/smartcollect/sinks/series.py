"""``Counters``: counters of each handler that several logs can feed."""

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
"""Switcher and handler, as labels show them."""


class Series(NamedTuple):
    """The values of one handler.

    Attributes:
        totals: the totals of its calls.
        since: the start of counting in Unix seconds.
        sample_rate: the share of its calls that is recorded.
    """

    totals: HandlerTotals
    since: float
    sample_rate: float


class _Log(NamedTuple):
    since: float
    series: Mapping[Labels, Series]


class Counters:
    """Sums of several logs that do not go down when one of the logs is cleared.

    Monitoring systems treat a counter that went down as reset to zero. That is correct for a series
    with a single log. If several logs feed a series, a reset would count the calls of the other
    logs again. So the last values of a cleared log are kept and added from then on.
    """

    def __init__(self) -> None:
        self._last: list[_Log] = []
        self._kept: dict[Labels, Series] = {}
        # By process: in a forked child, a lock that another thread held is never released.
        self._locks: dict[Process, Lock] = {}

    def read(self, read: Callable[[], Reading]) -> tuple[Reading, dict[Labels, Series]]:
        """Return the result of ``read``, and the series of each handler.

        Args:
            read: a function that returns the totals of the same logs in the same order each time.
        """
        with self._locks.setdefault(this_process(), Lock()):
            reading = read()
            now = [_Log(totals.since, _summed(_series(totals))) for totals in reading.totals]
            kept = _summed(chain(self._kept.items(), self._cleared(now)))
            self._last, self._kept = now, kept
        return reading, _summed(chain(*(log.series.items() for log in now), kept.items()))

    def _cleared(self, now: Iterable[_Log]) -> Iterator[tuple[Labels, Series]]:
        """Yield the last values of cleared logs, for series that other logs feed too."""
        logs = list(zip(self._last, now, strict=False))  # `_last` is empty at the first reading
        fed = Counter(chain(*(before.series.keys() | after.series for before, after in logs)))
        for before, after in logs:
            if before.since != after.since:
                for labels, one in before.series.items():
                    if fed[labels] > 1 or labels in self._kept:
                        # The sum takes the lowest rate: 1.0 leaves it to the current readings.
                        yield labels, one._replace(sample_rate=1.0)


def _series(totals: Totals) -> Iterator[tuple[Labels, Series]]:
    for name, of_handler in totals.handlers.items():
        yield _labels(name), Series(of_handler, totals.since, totals.sample_rates[name])


def _summed(many: Iterable[tuple[Labels, Series]]) -> dict[Labels, Series]:
    """Merge series with equal labels: of several logs, or of names that print alike."""
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
    # The text format is UTF-8, and some readers stop at a NUL.
    return printable(name.switcher), printable(name.handler)
