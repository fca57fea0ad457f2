"""Statistics of logs as metrics of Prometheus, read when it scrapes.

`Collector` is a custom collector of the library ``prometheus_client``: nothing is added to a call.
Where many processes answer as one, `write_totals` writes what each of them counts into a folder,
and `Collector.multiprocess` adds it up.
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

    It reads them when Prometheus scrapes, and adds nothing to a call.

    Args:
        logs: each a `CallLog` or `CollectPlugin`. A registry takes one collector, so give it all
            logs. A handler that two of them watch counts for each; if one of the two is cleared,
            what it had counted at the last scrape stays in the sum.
        buckets: upper bounds of the buckets of the histogram: seconds, or text such as
            ``"100ms"``. Each is moved to the nearest bound of the recorder's own buckets, by 1.6 %
            at most, so that counts are exact.

    Raises:
        TypeError: what was given is not a log, or ``buckets`` are not bounds.
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
        """Return a collector of what processes wrote into ``folder`` with `write_totals`.

        Args:
            folder: it is made if it is not there.
            buckets: see `Collector`.

        Raises:
            TypeError, ValueError: see `Collector`.
            OSError: the folder cannot be made.
        """
        made = cls.__new__(cls)
        made._read = Folder(folder).read
        made._counters = Counters()
        made._bounds = snapped(buckets)
        return made

    def describe(self) -> Iterator[Metric]:
        """Yield the metrics without samples: to register reads no log."""
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
            "smartcollect_dropped", "Calls that found no room in the queue of a sink.", dropped
        )
        if reading.unreadable is not None:
            yield GaugeMetricFamily(
                "smartcollect_unreadable_files",
                "Files of processes that cannot be read and may be missing from the totals.",
                reading.unreadable,
            )

    def _durations(self, series: Mapping[Labels, Series]) -> Metric:
        family = HistogramMetricFamily(
            "smartcollect_call_duration_seconds",
            "Time that calls took.",
            labels=_LABELS,
            unit="seconds",
        )
        bucket = f"{family.name}_bucket"
        add = family.samples.append
        texts = [repr(bound_of(bound)) for bound in self._bounds]
        for (switcher, handler), one in series.items():
            totals = one.totals
            if not totals.calls:
                continue  # its buckets would be most of what is scraped: `calls` has its zero
            # Not `add_metric`, which takes twice the time.
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
        "Calls that ended, and whether they raised.",
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
        "Time that calls took, without that in other recorded handlers.",
        labels=_LABELS,
        unit="seconds",
    )
    for labels, one in series.items():
        family.add_metric(labels, one.totals.self_time, one.since)
    return family


def _sample_rates(series: Mapping[Labels, Series]) -> Metric:
    family = GaugeMetricFamily(
        "smartcollect_sample_rate", "Share of its calls that is recorded.", labels=_LABELS
    )
    for labels, one in series.items():
        family.add_metric(labels, one.sample_rate)
    return family
