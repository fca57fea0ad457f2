"""``SmartcollectInstrumentor``: smartcollect as one of OpenTelemetry's instrumentations."""

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
"""The environment variable with patterns, separated by commas."""
TOTAL_TIME = "smartcollect.total_time", "Time of calls.", "s"
Measure = Callable[[HandlerStats], Iterable[tuple[float, Attributes]]]


class SmartcollectInstrumentor(BaseInstrumentor):  # type: ignore[misc]
    """Watches every switcher, and functions by pattern, and tells OpenTelemetry of their calls.

    ``opentelemetry-instrument`` finds it by itself. ``instrument()`` takes, by name:

    - ``patterns``: the functions to watch beside switchers, such as ``["shop.database"]``; left
      out, those in ``OTEL_PYTHON_SMARTCOLLECT_WATCH``, separated by commas.
    - ``tracer_provider`` and ``slower_than="100ms"``: slow and failed calls become spans, see
      `Spans`.
    - ``metric_exporter``: gets metrics with a histogram, see `Metrics`.
    - ``meter_provider``: without an exporter it gets observable counters: ``smartcollect.calls`` by
      outcome, ``smartcollect.total_time`` and ``smartcollect.self_time``. The SDK has no public
      door for a histogram that is counted already.
    - ``every="10s"``: how often spans and metrics of an exporter are made.

    Example:
        >>> SmartcollectInstrumentor().instrument(patterns=["textwrap:dedent"])
        >>> SmartcollectInstrumentor().uninstrument()
    """

    # One for all times: what counters count never becomes less.
    _log: CallLog | None = None
    _undo: ExitStack

    def instrumentation_dependencies(self) -> Collection[str]:
        """Return nothing: what is watched may be any function."""
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
            raise TypeError(f"patterns: {patterns!r} is not a list of patterns")
        if meter_provider is not None and not hasattr(meter_provider, "get_meter"):
            raise TypeError(
                f"meter_provider: {meter_provider!r} is not a MeterProvider; pass one, or None for "
                "the global one"
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
    """Let a meter ask the log for its counts, when it is collected."""

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
