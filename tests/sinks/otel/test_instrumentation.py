"""smartcollect as an OpenTelemetry instrumentation."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import tomllib
from importlib.metadata import EntryPoint
from math import inf
from pathlib import Path

import pytest

pytest.importorskip("opentelemetry.instrumentation")
pytest.importorskip("opentelemetry.exporter.otlp.proto.http")

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, PeriodicExportingMetricReader
from smartswitch import Switcher

from smartcollect.sinks.opentelemetry import SmartcollectInstrumentor

ROOT = Path(__file__).parent.parent.parent.parent
FOREVER = "1000min"  # no write is due by itself


@pytest.fixture
def instrument(monkeypatch):
    """A function that instruments with a new log."""
    monkeypatch.setattr(SmartcollectInstrumentor, "_log", None)
    instrumentor = SmartcollectInstrumentor()

    def instrument(**options):
        instrumentor.instrument(every=FOREVER, **options)
        return instrumentor

    yield instrument
    if instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.uninstrument()


def test_it_watches_switchers_and_patterns(receiver, provider, exporter, instrument, time):
    sw = Switcher("api")

    @sw
    def work():
        time.sleep(1)

    instrumentor = instrument(
        patterns=["textwrap:dedent"], tracer_provider=provider, metric_exporter=exporter
    )
    work()
    textwrap.dedent("  text")
    instrumentor.uninstrument()
    work()
    assert set(receiver.spans()) == {"api.work"}
    (export,) = receiver.exports()
    counts = {key: one.as_int for key, one in export["smartcollect.calls"][2].items()}
    assert counts["api", "work", "ok"] == 1
    assert counts["textwrap", "dedent", "ok"] == 1


def test_patterns_from_the_environment(instrument, monkeypatch, time):
    monkeypatch.setenv("OTEL_PYTHON_SMARTCOLLECT_WATCH", " textwrap:dedent , ")
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    instrument(meter_provider=provider)
    textwrap.dedent("  text")
    assert observed(reader)["smartcollect.calls"]["textwrap", "dedent", "ok"] == 1


def observed(reader):
    """Return the values in a reader, by metric and attributes."""
    data = reader.get_metrics_data()
    return {
        metric.name: {
            tuple(point.attributes.values()): point.value for point in metric.data.data_points
        }
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


def test_counters_on_a_meter_provider_never_go_down(shop, receiver, instrument):
    exporter = OTLPMetricExporter(f"{receiver.url}/v1/metrics")
    reader = PeriodicExportingMetricReader(exporter, inf)
    provider = MeterProvider([reader], shutdown_on_exit=False)
    for round in (1, 2):
        instrumentor = instrument(meter_provider=provider)
        shop.work(0.5)
        with pytest.raises(KeyError):
            shop.fail(0.25)
        instrumentor.uninstrument()
        shop.work(0.5)
        provider.force_flush()
        export = receiver.exports()[-1]
        counts = {key: one.as_int for key, one in export["smartcollect.calls"][2].items()}
        assert counts["shop", "work", "ok"] == round
        assert counts["shop", "fail", "error"] == round
        assert export["smartcollect.total_time"][2]["shop", "work"].as_double == 0.5 * round
        assert export["smartcollect.self_time"][2]["shop", "fail"].as_double == 0.25 * round
    provider.shutdown()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"patterns": "shop"}, TypeError, "patterns must be a list of patterns, not 'shop'"),
        ({"patterns": 5}, TypeError, "patterns must be a list of patterns, not 5"),
        ({"tracer_provider": "x"}, TypeError, "tracer_provider must be a TracerProvider, not 'x'"),
        ({"meter_provider": "x"}, TypeError, "meter_provider must be a MeterProvider, not 'x'"),
        ({"metric_exporter": "x"}, TypeError, "exporter must be an exporter such as .*, not 'x'"),
        ({"patterns": ["a b:"]}, ValueError, "a b:"),
        ({"pattern": ["shop"]}, TypeError, "pattern"),
        ({"slower_than": "soon"}, ValueError, "slower_than.*'soon'"),
    ],
)
def test_bad_options_are_refused_and_leave_nothing(instrument, options, error, message):
    with pytest.raises(error, match=message):
        instrument(**options)
    instrument().uninstrument()


def test_the_library_does_not_import_opentelemetry():
    program = "import sys, smartcollect.log; assert 'opentelemetry' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_opentelemetry_finds_the_entry_point():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    ((name, value),) = project["entry-points"]["opentelemetry_instrumentor"].items()
    entry = EntryPoint(name, value, "opentelemetry_instrumentor")
    assert (entry.name, entry.load()) == ("smartcollect", SmartcollectInstrumentor)
