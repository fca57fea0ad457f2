"""``SmartcollectInstrumentor``: smartcollect as an OpenTelemetry instrumentation."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack
from typing import Any

from opentelemetry import metrics
from opentelemetry.instrumentation.instrumentor import (  # type: ignore[attr-defined]
    BaseInstrumentor,
)
from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation
from opentelemetry.sdk.metrics.export import MetricExporter
from opentelemetry.trace import TracerProvider

from ...log import CallLog
from ...recording.settings import DEFAULTS, changed
from ...sources import switchers
from ...storage.statistics import HandlerStats
from .metrics import Metrics
from .naming import CALLS, SCOPE, SELF_TIME, VERSION, Attributes, attributes_of, by_outcome
from .spans import Spans

WATCH = "OTEL_PYTHON_SMARTCOLLECT_WATCH"
"""The environment variable with the patterns, separated by commas."""
TOTAL_TIME = "smartcollect.total_time", "Time of calls.", "s"
Measure = Callable[[HandlerStats], Iterable[tuple[float, Attributes]]]


class SmartcollectInstrumentor(BaseInstrumentor):  # type: ignore[misc]
    """Watches every switcher, and functions by pattern, and exports their calls to OpenTelemetry.

    ``opentelemetry-instrument`` finds it automatically. ``instrument()`` takes keyword arguments:

    - ``patterns``: the functions to watch in addition to switchers, such as ``["shop.database"]``;
      by default the patterns in ``OTEL_PYTHON_SMARTCOLLECT_WATCH``, separated by commas.
    - ``tracer_provider`` and ``slower_than="100ms"``: for the spans of slow and failed calls; see
      `Spans`.
    - ``metric_exporter``: the exporter for metrics with a histogram; see `Metrics`.
    - ``meter_provider``: without ``metric_exporter``, the provider for the observable counters
      ``smartcollect.calls`` by outcome, ``smartcollect.total_time`` and ``smartcollect.self_time``.
      The public API of the SDK does not accept a finished histogram.
    - ``every="10s"``: the time between two exports of spans, and of metrics for an exporter.

    Example:
        >>> SmartcollectInstrumentor().instrument(patterns=["textwrap:dedent"])
        >>> SmartcollectInstrumentor().uninstrument()
    """

    # Kept after `uninstrument`, because counters must not go down.
    _log: CallLog | None = None
    _undo: ExitStack

    def instrumentation_dependencies(self) -> Collection[str]:
        """Return no dependency, because any function can be watched."""
        return ()

    def _instrument(
        self,
        *,
        patterns: Iterable[str] | None = None,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        metric_exporter: MetricExporter | None = None,
        slower_than: float | str = "100ms",
        every: float | str = "10s",
    ) -> None:
        if patterns is not None and (
            isinstance(patterns, (str, bytes)) or not isinstance(patterns, Iterable)
        ):
            raise TypeError(f"patterns must be a list of patterns, not {patterns!r}")
        if meter_provider is not None and not hasattr(meter_provider, "get_meter"):
            raise TypeError(
                f"meter_provider must be a MeterProvider, not {meter_provider!r}; use None for the "
                "global provider"
            )
        if patterns is None:
            named = os.environ.get(WATCH, "").split(",")
            patterns = [pattern.strip() for pattern in named if pattern.strip()]
        if self._log is None:
            settings = {"max_history": 0, "objects": "type"}
            type(self)._log = CallLog(changed(DEFAULTS, settings))
        log = self._log
        assert log is not None
        with ExitStack() as undo:
            spans = log.subscribe(
                Spans(tracer_provider), every, calls="slow or failed", slower_than=slower_than
            )
            undo.callback(spans.close)
            if metric_exporter is None:
                _count(log, metrics.get_meter(SCOPE, VERSION, meter_provider))
            else:
                undo.callback(log.subscribe(Metrics(metric_exporter), every, calls="none").close)
            undo.enter_context(switchers.everywhere(log.recorder))
            for pattern in patterns:
                log.attach(pattern)
                undo.callback(log.detach, pattern)
            self._undo = undo.pop_all()

    def _uninstrument(self, **kwargs: Any) -> None:
        self._undo.close()


def _count(log: CallLog, meter: metrics.Meter) -> None:
    """Create counters that read the log whenever metrics are collected."""

    def observed(measure: Measure) -> Callable[[CallbackOptions], Iterator[Observation]]:
        def observe(_: CallbackOptions) -> Iterator[Observation]:
            for name, stats in log.profile().called().items():
                for value, attributes in measure(stats):
                    yield Observation(value, {**attributes_of(name), **attributes})

        return observe

    measures: list[tuple[tuple[str, str, str], Measure]] = [
        (CALLS, by_outcome),
        (TOTAL_TIME, lambda stats: [(stats.total_time, {})]),
        (SELF_TIME, lambda stats: [(stats.self_time, {})]),
    ]
    for (name, description, unit), measure in measures:
        meter.create_observable_counter(name, [observed(measure)], unit, description)
