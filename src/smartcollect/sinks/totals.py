"""``Totals``: totals of the calls of a log or a process, for counters that only grow."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from ..checks import count, flag, text, time
from ..names import HandlerName
from ..recording.recorder import Recorder
from ..storage.statistics import HandlerStats
from .subscription import Sink, Subscription

_SCHEMA = "smartcollect/totals"
_VERSION = 1
_SECOND = 1_000_000_000
_encode = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


class Log(Protocol):
    """A `CallLog`, or a `CollectPlugin`."""

    @property
    def recorder(self) -> Recorder: ...

    def subscribe(
        self,
        sink: Sink,
        every: float | str = ...,
        max_queue: int = ...,
        calls: str = ...,
        slower_than: float | str = ...,
    ) -> Subscription: ...


def recorder_of(log: Log) -> Recorder:
    """Return the recorder of a log.

    Raises:
        TypeError: ``log`` is not a log.
    """
    recorder = getattr(log, "recorder", None)
    if not isinstance(recorder, Recorder):
        raise TypeError(f"{log!r} is not a log; pass a CallLog or a CollectPlugin")
    return recorder


class HandlerTotals(NamedTuple):
    """The totals of the calls of one handler.

    Times are integers, in nanoseconds. A sum of floats can change by an ulp with the order of its
    parts, and a counter that goes down by an ulp looks like a reset.

    Attributes:
        calls: the number of calls that ended.
        errors: the number of calls that raised.
        total_ns: nanoseconds in all calls.
        self_ns: nanoseconds in all calls without the time in other recorded handlers.
        histogram: the number of calls in each bucket of `storage.histogram.bucket_of`.
    """

    calls: int
    errors: int
    total_ns: int
    self_ns: int
    histogram: Mapping[int, int]

    @classmethod
    def of(cls, stats: HandlerStats) -> HandlerTotals:
        """Return the totals in the statistics of a handler."""
        total_ns, self_ns = round(stats.total_time * _SECOND), round(stats.self_time * _SECOND)
        return cls(stats.calls, stats.errors, total_ns, self_ns, stats.histogram)

    @property
    def total_time(self) -> float:
        """Seconds in all calls."""
        return self.total_ns / _SECOND

    @property
    def self_time(self) -> float:
        """Seconds in all calls without the time in other recorded handlers."""
        return self.self_ns / _SECOND

    def plus(self, other: HandlerTotals) -> HandlerTotals:
        """Return the sum of both totals."""
        histogram = Counter(self.histogram)
        for bucket, calls in other.histogram.items():
            histogram[bucket] += calls
        return HandlerTotals(
            self.calls + other.calls,
            self.errors + other.errors,
            self.total_ns + other.total_ns,
            self.self_ns + other.self_ns,
            histogram,
        )


@dataclass(frozen=True)
class Totals:
    """The totals of the calls of a log, or of one or more processes.

    Attributes:
        since, until: the span of time in which calls count, in Unix seconds.
        handlers: the totals of each handler, including registered handlers without calls.
        sample_rates: the share of the calls of each handler that is recorded.
        dropped: the number of calls that did not fit into the queues of subscriptions.
        ended: true once the process has ended.
        includes: the names of the files that were merged into these totals.
    """

    since: float
    until: float
    handlers: Mapping[HandlerName, HandlerTotals]
    sample_rates: Mapping[HandlerName, float]
    dropped: int = 0
    ended: bool = False
    includes: tuple[str, ...] = ()

    @classmethod
    def of(cls, recorder: Recorder) -> Totals:
        """Return the totals of the log of ``recorder`` since it was last cleared."""
        store = recorder.store
        while True:
            since, counted = store.since, store.handlers()
            if store.since == since:  # not cleared in between
                break
        handlers = {name: HandlerTotals.of(stats) for name, stats in counted.items()}
        rates = sample_rates(recorder, handlers)
        return cls(since, store.clock.wall(), handlers, rates, store.dropped)

    def to_text(self) -> str:
        """Return the text that `from_text` reads."""
        handlers = [
            (*name, self.sample_rates[name], *totals[:-1], list(totals.histogram.items()))
            for name, totals in self.handlers.items()
        ]
        return _encode(
            {
                "schema": _SCHEMA,
                "version": _VERSION,
                "since": self.since,
                "until": self.until,
                "handlers": handlers,
                "dropped": self.dropped,
                "ended": self.ended,
                "includes": self.includes,
            }
        )

    @classmethod
    def from_text(cls, written: bytes) -> Totals:
        """Return the totals that `to_text` wrote.

        Raises:
            ValueError: ``written`` is something else, is truncated, or has a different version.
        """
        try:
            document = json.loads(written)
            if document["schema"] != _SCHEMA or document["version"] != _VERSION:
                raise ValueError("the file was written by a different version of smartcollect")
            named = [(HandlerName(text(one[0]), text(one[1])), one) for one in document["handlers"]]
            return cls(
                time(document["since"]),
                time(document["until"]),
                {name: _handler_totals(*one[3:]) for name, one in named},
                {name: time(one[2]) for name, one in named},
                count(document["dropped"]),
                flag(document["ended"]),
                tuple(map(text, document["includes"])),
            )
        except (KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
            raise ValueError(f"the file is damaged: {type(error).__name__}: {error}") from None


def _handler_totals(
    calls: Any, errors: Any, total_ns: Any, self_ns: Any, pairs: Any
) -> HandlerTotals:
    histogram = {count(bucket): count(number) for bucket, number in pairs}
    if count(errors) > count(calls) or sum(histogram.values()) != calls:
        raise ValueError(f"the file is damaged: {calls} calls do not match errors or histogram")
    return HandlerTotals(calls, errors, count(total_ns), count(self_ns), histogram)


def sample_rates(recorder: Recorder, names: Iterable[HandlerName]) -> dict[HandlerName, float]:
    """Return the share of recorded calls for each of ``names``.

    For a handler that is no longer watched, this is the sample rate of the log.
    """
    settings = recorder.rules.settings
    usual = settings.sample_rate if settings.enabled else 0.0
    rates = recorder.sample_rates()
    return {name: rates.get(name, usual) for name in names}


def merged(many: Iterable[Totals]) -> Totals:
    """Return the sum of several totals, with the sample rates of the newest."""
    totals = sorted(many, key=lambda one: one.until)
    handlers: dict[HandlerName, HandlerTotals] = {}
    rates: dict[HandlerName, float] = {}
    for one in totals:
        for name, more in one.handlers.items():
            handlers[name] = handlers[name].plus(more) if name in handlers else more
        rates.update(one.sample_rates)
    return Totals(
        min((one.since for one in totals), default=0.0),
        max((one.until for one in totals), default=0.0),
        handlers,
        rates,
        sum(one.dropped for one in totals),
    )


class Reading(NamedTuple):
    """The result of one reading.

    Attributes:
        totals: the totals of each log, or the sum of all processes.
        unreadable: the number of process files that could not be read; ``None`` if the totals do
            not come from files.
    """

    totals: list[Totals]
    unreadable: int | None = None
