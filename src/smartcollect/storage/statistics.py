"""The statistics of a handler, which can be merged without loss."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate
from math import ceil, inf
from typing import Any

from ..checks import count, moment, time
from ..text import plural
from ..units import duration
from .fields import Statistics
from .histogram import bucket_of, buckets_of, doubles, middle_of, quantile, rounded_middle

_FEW = 8  # for this many and more, `Counter.update` is faster than a loop
_ENOUGH = 20
"""Half of this many steady times are enough for any number of calls."""


class HandlerStats:
    """Running statistics of one handler, which can be merged without loss.

    The steady time of a call is its time without waiting for a processor. Only some calls read the
    clocks of their thread that it takes.

    Attributes:
        calls: the number of calls that ended.
        errors: the number of calls that raised.
        total_time: seconds of all calls.
        self_time: seconds of all calls without the time in other recorded handlers.
        min_time, max_time: seconds of the shortest and the longest call.
        last_call: the start of the last call in Unix seconds; ``None`` before the first call.
        histogram: the number of calls in each bucket of `bucket_of`.
        steady: the number of steady times in each bucket.
        steady_total: the sum of the steady times of the calls with a reading; where a steady time
            is not known, the time of the call.
        ran_total: seconds of ``steady_total`` that these calls ran on a processor.
        read_total: seconds of these calls, including waiting for a processor.

    Example:
        >>> from smartcollect.storage.histogram import buckets_of, doubles
        >>> stats = HandlerStats()
        >>> stats.add([0.1, 0.3], buckets_of(doubles([0.1, 0.3])), last_call=1_700_000_000.0)
        >>> stats.calls, stats.max_time, stats.statistics()["avg_time"]
        (2, 0.3, 0.2)
    """

    __slots__ = (
        "_percentiles",
        "calls",
        "errors",
        "histogram",
        "last_call",
        "max_time",
        "min_time",
        "ran_total",
        "read_total",
        "self_time",
        "steady",
        "steady_total",
        "total_time",
    )

    def __init__(self) -> None:
        self.calls = 0
        self.errors = 0
        self.total_time = 0.0
        self.self_time = 0.0
        self.min_time = inf
        self.max_time = 0.0
        self.last_call: float | None = None
        # `Counter` counts a batch in C, which takes two thirds of the time of a dict and a loop.
        self.histogram: Counter[int] = Counter()
        self.steady: Counter[int] = Counter()
        self.steady_total = self.ran_total = self.read_total = 0.0
        # Cached until there are more calls, because they are read again and again.
        self._percentiles: list[float] | None = None

    def __repr__(self) -> str:
        parts = plural(self.calls, "call"), plural(self.errors, "error")
        mean = [f"average {duration(self.total_time / self.calls)}"] if self.calls else []
        return f"<HandlerStats: {', '.join((*parts, *mean))}>"

    def add(
        self,
        elapsed: Sequence[float],
        buckets: Sequence[int],
        last_call: float,
        self_time: float | None = None,
        longest: float | None = None,
    ) -> None:
        """Count calls.

        Args:
            elapsed: the seconds of each call; at least one.
            buckets: the buckets of ``elapsed``, from `buckets_of`.
            last_call: the start of the last call, in Unix seconds.
            self_time: the total seconds without other recorded handlers, if that differs from the
                sum of ``elapsed``.
            longest: the largest of ``elapsed``, if already known.
        """
        self.calls += len(elapsed)
        total = sum(elapsed)
        self.total_time += total
        self.self_time += total if self_time is None else self_time
        self.min_time = min(self.min_time, min(elapsed))
        self.max_time = max(self.max_time, max(elapsed) if longest is None else longest)
        if self.last_call is None or last_call > self.last_call:
            self.last_call = last_call
        self._percentiles = None
        histogram = self.histogram
        if len(buckets) < _FEW:
            for bucket in buckets:
                histogram[bucket] = histogram.get(bucket, 0) + 1
        else:
            histogram.update(buckets)

    def add_readings(self, steady: Sequence[float], total: float, ran: float, read: float) -> None:
        """Add readings of calls that were counted already.

        Args:
            steady: the known steady times, in seconds.
            total: the sum of the steady times; where one is not known, the time of the call.
            ran: seconds that the calls ran on a processor.
            read: seconds of the calls, including waiting for a processor.
        """
        self._percentiles = None
        self.steady.update(buckets_of(doubles(steady)))
        self.steady_total += total
        self.ran_total += ran
        self.read_total += read

    def merge(self, other: HandlerStats) -> None:
        """Add the calls that ``other`` counted."""
        self.calls += other.calls
        self.errors += other.errors
        self.total_time += other.total_time
        self.self_time += other.self_time
        self.min_time = min(self.min_time, other.min_time)
        self.max_time = max(self.max_time, other.max_time)
        if other.last_call is not None:
            self.last_call = max(self.last_call or other.last_call, other.last_call)
        self._percentiles = None
        _add(self.histogram, other.histogram)
        if other.read_total:
            _add(self.steady, other.steady)
            self.steady_total += other.steady_total
            self.ran_total += other.ran_total
            self.read_total += other.read_total

    def copy(self) -> HandlerStats:
        """Return an independent copy."""
        made = HandlerStats()
        made.merge(self)
        return made

    def percentile(self, share: float) -> float:
        """Return the nearest-rank percentile: at least ``share`` of the calls took no longer.

        Args:
            share: from 0 to 1.

        Returns:
            Seconds, within 2 % of the exact value; 0.0 before the first call.

        Example:
            >>> HandlerStats().percentile(0.95)
            0.0
        """
        return self._worked_out((share,))[0]

    def _worked_out(self, shares: Sequence[float]) -> list[float]:
        buckets = sorted(self.histogram)
        if not buckets:
            return [0.0 for _ in shares]
        reached = list(accumulate(map(self.histogram.__getitem__, buckets)))
        middles = [
            middle_of(buckets[bisect_left(reached, max(1, ceil(share * reached[-1])))])
            for share in shares
        ]
        return [min(max(middle, self.min_time), self.max_time) for middle in middles]

    @property
    def is_steady(self) -> bool:
        """True if enough steady times are known to represent all calls."""
        known = self.steady.total()
        if not known or 2 * known < min(self.calls, _ENOUGH):
            return False
        # Readings follow long calls, so the calls with readings may not be typical.
        usual = self.total_time / self.calls
        return 2 * known >= self.calls or 0.5 <= self.read_total / known / usual <= 2.0

    @property
    def computing(self) -> float | None:
        """The share of its time that the handler runs on a processor, from 0 to 1.

        ``None`` if no call had a reading, such as for very short calls.
        """
        return min(self.ran_total / self.steady_total, 1.0) if self.steady_total else None

    def steady_time(self) -> float:
        """Return the median steady time in seconds; if that is not known, the median time.

        The steady time is known for calls of half a millisecond and longer. It is the time without
        the time in which the thread was ready to run and waited for a processor.
        """
        if self.is_steady:
            return min(quantile(self.steady), self.max_time)
        if not self.calls:
            return 0.0
        return min(max(quantile(self.histogram), self.min_time), self.max_time)

    def statistics(self) -> Statistics:
        """Return the statistics: times in seconds, ``last_call`` in Unix seconds."""
        if self._percentiles is None:
            self._percentiles = [*self._worked_out((0.50, 0.95, 0.99)), self.steady_time()]
        median, high, highest, steady = self._percentiles
        calls = self.calls
        return {
            "calls": calls,
            "errors": self.errors,
            "error_rate": self.errors / calls if calls else 0.0,
            "total_time": self.total_time,
            "self_time": self.self_time,
            "avg_time": self.total_time / calls if calls else 0.0,
            "steady_time": steady,
            "min_time": self.min_time if calls else 0.0,
            "p50_time": median,
            "p95_time": high,
            "p99_time": highest,
            "max_time": self.max_time,
            "last_call": self.last_call,
        }

    def pack(self) -> tuple[Any, ...]:
        """Return all numbers as a tuple for `unpack`; there must be at least one call."""
        totals = self.steady_total, self.ran_total, self.read_total
        return (
            self.calls,
            self.errors,
            self.total_time,
            self.self_time,
            self.min_time,
            self.max_time,
            self.last_call,
            list(self.histogram.items()),
            *((list(self.steady.items()), *totals) if self.read_total else ()),
        )

    @classmethod
    def unpack(cls, numbers: Iterable[Any]) -> HandlerStats:
        """Return the statistics of a tuple from `pack`."""
        made = cls()
        (
            made.calls,
            made.errors,
            made.total_time,
            made.self_time,
            made.min_time,
            made.max_time,
            made.last_call,
            histogram,
            *more,
        ) = numbers
        made.histogram = Counter(dict(histogram))
        if more:
            steady, made.steady_total, made.ran_total, made.read_total = more
            made.steady = Counter(dict(steady))
        return made

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-able data, from which `from_dict` makes the same statistics.

        Returns:
            The fields of `Statistics` and two histograms. A histogram is a list of pairs: the
            middle of a bucket in seconds, and the number of calls in it. ``histogram`` counts all
            calls, ``steady`` the known steady times.
        """
        return {
            **self.statistics(),
            "histogram": _pairs(self.histogram),
            "steady": _pairs(self.steady),
            "steady_total": self.steady_total,
            "ran_total": self.ran_total,
            "read_total": self.read_total,
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> HandlerStats:
        """Return the statistics from the output of `to_dict`.

        Raises:
            KeyError, TypeError, ValueError: ``document`` is not such output.
        """
        made = cls()
        made.calls = count(document["calls"])
        made.errors = count(document["errors"])
        made.total_time = time(document["total_time"])
        made.self_time = time(document["self_time"])
        made.min_time = time(document["min_time"]) if made.calls else inf
        made.max_time = time(document["max_time"])
        made.last_call = None if document["last_call"] is None else moment(document["last_call"])
        made.histogram = _counted(document["histogram"])
        # Reports of the first version have no steady times.
        if "steady" in document:
            made.steady = _counted(document["steady"])
            made.steady_total = time(document["steady_total"])
            made.ran_total = time(document["ran_total"])
            made.read_total = time(document["read_total"])
        held = sum(made.histogram.values())
        if made.errors > made.calls or held != made.calls:
            raise ValueError(
                f"'calls' is {made.calls}, but the histogram holds {held} and 'errors' is "
                f"{made.errors}"
            )
        return made


def _add(mine: Counter[int], other: Mapping[int, int]) -> None:
    if not mine:
        dict.update(mine, other)
        return
    # For the usual few buckets, `Counter.update` would be slower, because it checks its argument.
    for bucket, calls in other.items():
        mine[bucket] = mine.get(bucket, 0) + calls


def _pairs(histogram: Mapping[int, int]) -> list[list[float]]:
    return [[rounded_middle(bucket), histogram[bucket]] for bucket in sorted(histogram)]


# The middles in reports are mostly the same few values.
_bucket_of = lru_cache(maxsize=4096)(bucket_of)


def _counted(pairs: Iterable[Any]) -> Counter[int]:
    # A dict, because a counter runs Python code for each new bucket.
    histogram: dict[int, int] = {}
    for middle, calls in pairs:
        bucket = _bucket_of(time(middle))
        histogram[bucket] = histogram.get(bucket, 0) + count(calls)
    return Counter(histogram)
