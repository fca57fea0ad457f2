"""``Metrics``: what calls came to, for an exporter of OpenTelemetry's SDK."""

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
"""Buckets have bounds at 2 ** (i / 4)."""
_EMPTY = Buckets(0, [])


class Metrics:
    """Gives metrics to an exporter of OpenTelemetry's SDK, for `CallLog.subscribe`.

    ``smartcollect.calls`` counts calls, by outcome; ``smartcollect.self_time`` adds up seconds; and
    ``smartcollect.call.duration`` is an exponential histogram of scale 2 in seconds. It is made
    from our finer one, each bucket as a whole: counts are exact.

    They are cumulative since the subscription began, or deltas where the exporter prefers these.

    Args:
        exporter: is given metrics with each batch, and shut down with the subscription. It
            should not be one that a reader of the SDK has too.
        resource: what they are of; by default what the environment says (``OTEL_SERVICE_NAME``,
            ``OTEL_RESOURCE_ATTRIBUTES``).

    Raises:
        TypeError: ``exporter`` is not an exporter.
        ValueError: the exporter prefers deltas for histograms and not for counters, or the
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
                f"exporter: {exporter!r} is not an exporter; pass one such as OTLPMetricExporter()"
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
        """Export what all calls until now came to, or with deltas those of the batch.

        Raises:
            RuntimeError: the exporter failed, and has logged why.
        """
        if self._process is not this_process():
            self._begin()  # a fork: the calls until then are its parent's
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
        # Names that cannot be encoded as they are may come to the same.
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
    # It has no public name, but every reader has to ask for it, as the SDK's own do.
    preferred: Mapping[type, AggregationTemporality] = (
        getattr(exporter, "_preferred_temporality", None) or {}
    )
    cumulative = AggregationTemporality.CUMULATIVE
    temporality = preferred.get(metrics.Histogram, cumulative)
    if preferred.get(metrics.Counter, cumulative) is not temporality:
        raise ValueError(
            f"exporter: {type(exporter).__name__} prefers {temporality.name} for histograms only; "
            "pass one with the same preferred_temporality for counters"
        )
    return temporality


def _exponential(
    attributes: Attributes, span: tuple[int, int], stats: HandlerStats
) -> ExponentialHistogramDataPoint:
    """Return the times of a handler as OpenTelemetry's data model has them.

    A bucket of it with the index i holds what is above ``base ** i`` and up to ``base ** (i + 1)``,
    where the base is ``2 ** (2 ** -scale)``.
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
