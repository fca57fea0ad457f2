"""A receiver for the OpenTelemetry protocol, and exporters that send to it.

Imports are in the fixtures, because the packages are optional.
"""

from __future__ import annotations

from contextlib import suppress

import pytest

with suppress(ImportError):
    # Exporters import it late. A test that runs pytest in this process restores `sys.modules`, and
    # then requests would use two copies of the cookie module.
    import requests as requests


@pytest.fixture
def receiver():
    from otlp import receiving

    with receiving() as receiver:
        yield receiver


@pytest.fixture
def exporter(receiver):
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

    return OTLPMetricExporter(f"{receiver.url}/v1/metrics", timeout=5)


@pytest.fixture
def provider(receiver):
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    provider = TracerProvider(shutdown_on_exit=False)
    exporter = OTLPSpanExporter(f"{receiver.url}/v1/traces", timeout=5)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield provider
    provider.shutdown()


@pytest.fixture
def shop(time):
    from otlp import new_shop

    return new_shop(time)
