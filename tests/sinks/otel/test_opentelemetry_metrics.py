"""OpenTelemetry metrics: exact, and cumulative or deltas as the exporter prefers."""

from __future__ import annotations

import os

import pytest

pytest.importorskip("opentelemetry.instrumentation")
pytest.importorskip("opentelemetry.exporter.otlp.proto.http")

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.sdk.metrics import Counter, Histogram
from opentelemetry.sdk.metrics.export import AggregationTemporality
from opentelemetry.sdk.resources import Resource
from otlp import values

from smartcollect import CallLog, HandlerName
from smartcollect.sinks.opentelemetry import Metrics
from smartcollect.storage.rows import Call

FOREVER = "1000min"  # no write is due by itself
FORK = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
DELTA, CUMULATIVE = 1, 2  # values of the protocol


def test_metrics_are_exact_and_cumulative_over_batches(shop, time, receiver, exporter):
    shop.work(1)  # before the subscription
    started = time.now + 1_000_000
    subscription = shop.collect.subscribe(Metrics(exporter), FOREVER, calls="none")
    for round in range(1, 4):
        for _ in range(100):
            shop.work(0.25)
            shop.work(0)
        with pytest.raises(KeyError):
            shop.fail(2)
        subscription.flush()
        shop.collect.clear()
        taken = time.now + 1_000_000
        export = receiver.exports()[-1]
        unit, calls, points = export["smartcollect.calls"]
        assert (unit, calls.is_monotonic, calls.aggregation_temporality) == (
            *("{call}", True),
            CUMULATIVE,
        )
        assert {key: point.as_int for key, point in points.items()} == {
            ("shop", "work", "ok"): 200 * round,
            ("shop", "work", "error"): 0,
            ("shop", "fail", "ok"): 0,
            ("shop", "fail", "error"): round,
        }
        unit, self_time, points = export["smartcollect.self_time"]
        assert (unit, self_time.is_monotonic) == ("s", True)
        assert points["shop", "work"].as_double == 25 * round
        unit, duration, points = export["smartcollect.call.duration"]
        assert (unit, duration.aggregation_temporality) == ("s", CUMULATIVE)
        point = points["shop", "work"]
        assert (point.scale, point.count, point.zero_count) == (2, 200 * round, 100 * round)
        assert (point.sum, point.min, point.max) == (25 * round, 0, 0.25)
        # 0.25 is a bound between buckets, but the recorder's bucket begins there.
        assert (point.positive.offset, list(point.positive.bucket_counts)) == (-8, [100 * round])
        for _, data, _ in export.values():
            for point in data.data_points:
                assert point.start_time_unix_nano == started * 10**9
                assert point.time_unix_nano == taken * 10**9
    subscription.close()
    assert len(receiver.exports()) == 3


def test_an_exporter_that_prefers_deltas_gets_deltas(shop, time, receiver, monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta")
    exporter = OTLPMetricExporter(f"{receiver.url}/v1/metrics")
    subscription = shop.collect.subscribe(Metrics(exporter), FOREVER, calls="none")
    times = [(time.now + 1_000_000) * 10**9]
    for number in (3, 5):
        for _ in range(number):
            shop.work(1)
        subscription.flush()
        times.append((time.now + 1_000_000) * 10**9)
        export = receiver.exports()[-1]
        for _, data, points in export.values():
            assert data.aggregation_temporality == DELTA
            for point in points.values():
                assert [point.start_time_unix_nano, point.time_unix_nano] == times[-2:]
        assert export["smartcollect.calls"][2]["shop", "work", "ok"].as_int == number
        assert export["smartcollect.call.duration"][2]["shop", "work"].count == number
    subscription.close()


def test_an_exporter_with_mixed_preferences_is_refused(receiver):
    exporter = OTLPMetricExporter(
        f"{receiver.url}/v1/metrics",
        preferred_temporality={
            Counter: AggregationTemporality.CUMULATIVE,
            Histogram: AggregationTemporality.DELTA,
        },
    )
    with pytest.raises(ValueError, match="OTLPMetricExporter prefers DELTA for histograms only"):
        Metrics(exporter)


@pytest.mark.parametrize("preference", ["cumulative", "delta"])
def test_nothing_is_lost_or_counted_twice_while_the_receiver_refuses(
    shop, receiver, monkeypatch, caplog, preference
):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", preference)
    exporter = OTLPMetricExporter(f"{receiver.url}/v1/metrics", timeout=5)
    subscription = shop.collect.subscribe(Metrics(exporter), FOREVER, calls="none")
    receiver.status = 400
    for _ in range(3):
        shop.work(1)
        subscription.flush()
    assert (subscription.failures, subscription.dropped) == (3, 0)
    assert "OTLPMetricExporter could not export the metrics" in caplog.text
    receiver.status = 200
    shop.work(1)
    subscription.close()
    told = [
        export["smartcollect.call.duration"][2]["shop", "work"].count
        for export in receiver.exports()
    ]
    assert told == ([1, 4] if preference == "cumulative" else [1, 3])


def test_the_resource_from_the_environment_or_the_caller(shop, receiver, monkeypatch):
    monkeypatch.setenv("OTEL_SERVICE_NAME", "checkout")
    for resource in (None, Resource({"service.name": "mine"})):
        exporter = OTLPMetricExporter(f"{receiver.url}/v1/metrics")
        subscription = shop.collect.subscribe(Metrics(exporter, resource), FOREVER)
        shop.work(1)
        subscription.close()
    told = [
        values(ExportMetricsServiceRequest.FromString(body).resource_metrics[0].resource)
        for body in receiver.requests["/v1/metrics"]
    ]
    assert [one["service.name"] for one in told] == ["checkout", "mine"]


def test_names_that_become_equal_count_together(receiver, exporter):
    log = CallLog()
    subscription = log.subscribe(Metrics(exporter), FOREVER)
    for handler in ("a\udc80", "a\udc81", "nul\0", ""):
        log.recorder.store.add(Call(HandlerName("s", handler), 0.0, 0.5, (), {}, None, 0))
    subscription.close()
    (export,) = receiver.exports()
    points = export["smartcollect.call.duration"][2]
    assert {key: point.count for key, point in points.items()} == {
        ("s", "a?"): 2,
        ("s", "nul\0"): 1,
        ("s", ""): 1,
    }


def test_quantiles_of_the_exponential_histogram(receiver, exporter):
    """Each call is in its bucket, or off by at most one bucket of the recorder."""
    log = CallLog()
    subscription = log.subscribe(Metrics(exporter), FOREVER)
    times = [1e-9 * 1.001**number for number in range(30_000)]
    for elapsed in times:
        log.recorder.store.add(Call(HandlerName("s", "h"), 0.0, elapsed, (), {}, None, 0))
    subscription.close()
    (export,) = receiver.exports()
    point = export["smartcollect.call.duration"][2]["s", "h"]
    assert point.count == sum(point.positive.bucket_counts) == len(times)
    reached, worst = 0, 0.0
    for index, calls in enumerate(point.positive.bucket_counts, point.positive.offset):
        middle = 2 ** ((index + 0.5) / 4)
        for elapsed in times[reached : reached + calls]:
            worst = max(worst, middle / elapsed, elapsed / middle)
        reached += calls
    assert worst <= 2 ** (1 / 8) * (1 + 1 / 64)


@FORK
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_child_exports_its_own_calls_since_the_fork(shop, time, receiver, exporter):
    subscription = shop.collect.subscribe(Metrics(exporter), FOREVER, calls="none")
    shop.work(1)
    subscription.flush()
    shop.work(1)
    child = os.fork()
    if child == 0:
        for _ in range(5):
            shop.work(1)
        subscription.flush()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    subscription.close()
    points = [
        export["smartcollect.call.duration"][2]["shop", "work"] for export in receiver.exports()
    ]
    assert [point.count for point in points] == [1, 5, 2]
    began = [point.start_time_unix_nano for point in points]
    assert began[0] == began[2]
    assert began[1] == began[0] + 2 * 10**9
