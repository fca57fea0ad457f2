"""``Metrics``: statistics of calls for an exporter of the OpenTelemetry SDK."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from math import ceil, log2
from weakref import WeakSet

from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk import metrics
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Buckets,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Metric,
    MetricExporter,
    MetricExportResult,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from ...forks import this_process
from ...names import HandlerName
from ...storage.histogram import middle_of
from ...storage.statistics import HandlerStats
from ..batch import Delivery
from .naming import (
    CALLS,
    DURATION,
    SCOPE,
    SELF_TIME,
    VERSION,
    Attributes,
    attributes_of,
    by_outcome,
    nanoseconds,
)

_SCALE = 2
"""The scale of histograms: buckets have bounds at 2 ** (i / 4)."""
_EMPTY = Buckets(0, [])


class Metrics:
    """A sink that passes metrics to an exporter of the OpenTelemetry SDK.

    Pass it to `CallLog.subscribe`. ``smartcollect.calls`` counts calls by outcome,
    ``smartcollect.self_time`` adds up seconds, and ``smartcollect.call.duration`` is an exponential
    histogram of scale 2 in seconds. Each bucket of the recorder's finer histogram falls into one
    bucket as a whole, so counts are exact.

    Metrics are cumulative since the start of the subscription, or deltas if the exporter prefers
    deltas.

    Args:
        exporter: the exporter of the metrics of each batch. It is shut down with the subscription,
            so do not share it with a reader of the SDK.
        resource: the source of the metrics; by default taken from the environment
            (``OTEL_SERVICE_NAME``, ``OTEL_RESOURCE_ATTRIBUTES``).

    Raises:
        TypeError: ``exporter`` is not an exporter.
        ValueError: the exporter prefers deltas for histograms but not for counters, or the
            reverse.

    Example:
        >>> from opentelemetry.sdk.metrics.export import ConsoleMetricExporter
        >>> import smartcollect
        >>> log = smartcollect.CallLog()
        >>> sink = Metrics(ConsoleMetricExporter())
        >>> subscription = log.subscribe(sink, every="60s", calls="none")
        >>> subscription.close()
    """

    def __init__(self, exporter: MetricExporter, resource: Resource | None = None) -> None:
        if isinstance(exporter, type) or not callable(getattr(exporter, "export", None)):
            raise TypeError(
                f"exporter must be an exporter such as OTLPMetricExporter(), not {exporter!r}"
            )
        self._exporter = exporter
        self._temporality = _temporality(exporter)
        self._resource = Resource.create() if resource is None else resource
        self._scope = InstrumentationScope(SCOPE, VERSION)
        self._begin()

    def _begin(self) -> None:
        self._process = this_process()
        self._since: float | None = None
        self._totals: defaultdict[HandlerName, HandlerStats] = defaultdict(HandlerStats)
        self._counted: WeakSet[Delivery] = WeakSet()

    def write(self, batch: Delivery) -> None:
        """Export the totals of all calls until now, or with deltas the totals of the batch.

        Raises:
            RuntimeError: the exporter failed; it has logged the reason.
        """
        if self._process is not this_process():
            self._begin()  # after a fork: the parent exports the earlier calls
        if self._since is None or self._temporality is AggregationTemporality.DELTA:
            self._since = batch.since
            self._totals.clear()
            self._counted.clear()
        if batch not in self._counted:
            self._counted.add(batch)
            for name, stats in batch.profile.called().items():
                self._totals[name].merge(stats)
        resource_metrics = ResourceMetrics(
            self._resource,
            [ScopeMetrics(self._scope, self._metrics(self._since, batch.until), "")],
            self._resource.schema_url,
        )
        with suppress_instrumentation():
            result = self._exporter.export(MetricsData([resource_metrics]))
        if result is not MetricExportResult.SUCCESS:
            raise RuntimeError(f"{type(self._exporter).__name__} could not export the metrics")

    def close(self) -> None:
        """Shut the exporter down."""
        self._exporter.shutdown()

    def _metrics(self, since: float, until: float) -> list[Metric]:
        span = nanoseconds(since), nanoseconds(until)
        # Different names may be equal once characters that cannot be encoded are replaced.
        totals: defaultdict[HandlerName, HandlerStats] = defaultdict(HandlerStats)
        for name, stats in self._totals.items():
            totals[HandlerName(*attributes_of(name).values())].merge(stats)
        handlers = [(attributes_of(name), stats) for name, stats in totals.items()]
        calls = [
            NumberDataPoint({**attributes, **outcome}, *span, number)
            for attributes, stats in handlers
            for number, outcome in by_outcome(stats)
        ]
        self_time = [NumberDataPoint(one, *span, stats.self_time) for one, stats in handlers]
        durations = [_exponential(one, span, stats) for one, stats in handlers]
        return [
            Metric(*CALLS, Sum(calls, self._temporality, is_monotonic=True)),
            Metric(*SELF_TIME, Sum(self_time, self._temporality, is_monotonic=True)),
            Metric(*DURATION, ExponentialHistogram(durations, self._temporality)),
        ]


def _temporality(exporter: MetricExporter) -> AggregationTemporality:
    # The attribute is private, but the readers of the SDK use it in the same way.
    preferred: Mapping[type, AggregationTemporality] = (
        getattr(exporter, "_preferred_temporality", None) or {}
    )
    cumulative = AggregationTemporality.CUMULATIVE
    temporality = preferred.get(metrics.Histogram, cumulative)
    if preferred.get(metrics.Counter, cumulative) is not temporality:
        raise ValueError(
            f"exporter: {type(exporter).__name__} prefers {temporality.name} for histograms only; "
            "use the same preferred_temporality for counters"
        )
    return temporality


def _exponential(
    attributes: Attributes, span: tuple[int, int], stats: HandlerStats
) -> ExponentialHistogramDataPoint:
    """Return the times of a handler as an exponential histogram.

    In OpenTelemetry's data model, bucket ``i`` holds values above ``base ** i`` and up to
    ``base ** (i + 1)``, where the base is ``2 ** (2 ** -scale)``.
    """
    buckets: Counter[int] = Counter()
    for bucket, calls in stats.histogram.items():
        if bucket:
            buckets[ceil(log2(middle_of(bucket)) * 2**_SCALE) - 1] += calls
    first = min(buckets, default=0)
    positive = Buckets(
        first, [buckets[index] for index in range(first, max(buckets, default=-1) + 1)]
    )
    return ExponentialHistogramDataPoint(
        attributes,
        *span,
        count=stats.calls,
        sum=stats.total_time,
        scale=_SCALE,
        zero_count=stats.histogram[0],
        positive=positive,
        negative=_EMPTY,
        flags=0,
        min=stats.min_time,
        max=stats.max_time,
    )
