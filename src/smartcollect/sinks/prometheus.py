"""Prometheus metrics from the statistics of logs, read at each scrape.

`Collector` is a custom collector for the library ``prometheus_client``; it adds no cost to a call.
For services with several processes, `write_totals` writes the totals of each process to a folder,
and `Collector.multiprocess` adds them up.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping

try:
    from prometheus_client.core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
        Metric,
    )
    from prometheus_client.samples import Sample
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"{error}; install smartcollect[prometheus]", name=error.name
    ) from None

from ..storage.histogram import bound_of
from .buckets import DEFAULT_BUCKETS, calls_below, snapped
from .buckets import buckets_between as buckets_between
from .process_files import Folder
from .process_files import write_totals as write_totals
from .series import Counters, Labels, Series
from .totals import Log, Reading, Totals, recorder_of

_LABELS = ("switcher", "handler")


class Collector:
    """Statistics of logs, for a registry of ``prometheus_client``.

    It reads the statistics when Prometheus scrapes, and adds no cost to a call.

    Args:
        logs: each a `CallLog` or `CollectPlugin`. A registry takes one collector, so pass all
            logs. The calls of a handler that two logs watch count twice. If one of these logs is
            cleared, its counts from the last scrape stay in the sum.
        buckets: the upper bounds of the histogram buckets: seconds, or text such as ``"100ms"``.
            Each bound is moved to the nearest bound of the recorder's buckets, by at most 1.6 %,
            so that counts are exact.

    Raises:
        TypeError: an argument is not a log, or ``buckets`` is not a list of bounds.
        ValueError: a bound is not above zero.

    Example:
        >>> from prometheus_client import CollectorRegistry
        >>> from smartcollect import collecting
        >>> registry = CollectorRegistry()
        >>> with collecting("textwrap:dedent") as log:
        ...     registry.register(Collector(log))
        ...     __import__("textwrap").dedent("  text")
        'text'
        >>> labels = {"switcher": "textwrap", "handler": "dedent", "outcome": "ok"}
        >>> registry.get_sample_value("smartcollect_calls_total", labels)
        1
    """

    def __init__(self, *logs: Log, buckets: Iterable[float | str] = DEFAULT_BUCKETS) -> None:
        if not logs:
            raise TypeError("pass the logs to collect from, such as Collector(api.collect)")
        # Copies of one plugin feed one log.
        recorders = list(dict.fromkeys(map(recorder_of, logs)))
        self._read: Callable[[], Reading] = lambda: Reading(list(map(Totals.of, recorders)))
        self._counters = Counters()
        self._bounds = snapped(buckets)

    @classmethod
    def multiprocess(
        cls,
        folder: str | os.PathLike[str],
        buckets: Iterable[float | str] = DEFAULT_BUCKETS,
    ) -> Collector:
        """Return a collector of the totals that processes wrote with `write_totals`.

        Args:
            folder: the folder of the totals; it is created if missing.
            buckets: see `Collector`.

        Raises:
            TypeError, ValueError: see `Collector`.
            OSError: the folder cannot be created.
        """
        made = cls.__new__(cls)
        made._read = Folder(folder).read
        made._counters = Counters()
        made._bounds = snapped(buckets)
        return made

    def describe(self) -> Iterator[Metric]:
        """Yield the metrics without samples, so that registering reads no log."""
        yield from self._metrics(Reading([], 0), {})

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        yield from self._metrics(*self._counters.read(self._read))

    def _metrics(self, reading: Reading, series: Mapping[Labels, Series]) -> Iterator[Metric]:
        yield self._durations(series)
        yield _calls(series)
        yield _self_times(series)
        yield _sample_rates(series)
        dropped = sum(totals.dropped for totals in reading.totals)
        yield CounterMetricFamily(
            "smartcollect_dropped", "Calls dropped because a sink's queue was full.", dropped
        )
        if reading.unreadable is not None:
            yield GaugeMetricFamily(
                "smartcollect_unreadable_files",
                "Process files that cannot be read; totals may be incomplete.",
                reading.unreadable,
            )

    def _durations(self, series: Mapping[Labels, Series]) -> Metric:
        family = HistogramMetricFamily(
            "smartcollect_call_duration_seconds",
            "Duration of calls.",
            labels=_LABELS,
            unit="seconds",
        )
        bucket = f"{family.name}_bucket"
        add = family.samples.append
        texts = [repr(bound_of(bound)) for bound in self._bounds]
        for (switcher, handler), one in series.items():
            totals = one.totals
            if not totals.calls:
                # `calls` has its zero; buckets would make up most of the scrape.
                continue
            # `add_metric` takes twice the time.
            for text, calls in zip(texts, calls_below(self._bounds, totals.histogram), strict=True):
                add(Sample(bucket, {"switcher": switcher, "handler": handler, "le": text}, calls))
            labels = {"switcher": switcher, "handler": handler}
            add(Sample(bucket, {**labels, "le": "+Inf"}, totals.calls))
            add(Sample(f"{family.name}_count", labels, totals.calls))
            add(Sample(f"{family.name}_sum", labels, totals.total_time))
            add(Sample(f"{family.name}_created", labels, one.since))
        return family


def _calls(series: Mapping[Labels, Series]) -> Metric:
    family = CounterMetricFamily(
        "smartcollect_calls",
        "Calls that ended, by outcome.",
        labels=(*_LABELS, "outcome"),
    )
    for labels, one in series.items():
        errors = one.totals.errors
        family.add_metric([*labels, "ok"], one.totals.calls - errors, one.since)
        family.add_metric([*labels, "error"], errors, one.since)
    return family


def _self_times(series: Mapping[Labels, Series]) -> Metric:
    family = CounterMetricFamily(
        "smartcollect_self_seconds",
        "Time in calls, without the time in other recorded handlers.",
        labels=_LABELS,
        unit="seconds",
    )
    for labels, one in series.items():
        family.add_metric(labels, one.totals.self_time, one.since)
    return family


def _sample_rates(series: Mapping[Labels, Series]) -> Metric:
    family = GaugeMetricFamily(
        "smartcollect_sample_rate", "Share of calls that is recorded.", labels=_LABELS
    )
    for labels, one in series.items():
        family.add_metric(labels, one.sample_rate)
    return family
