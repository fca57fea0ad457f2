"""A receiver for the OpenTelemetry protocol over HTTP, and a switcher with timed handlers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from smartswitch import Switcher

pytest.importorskip("opentelemetry.instrumentation")
pytest.importorskip("opentelemetry.exporter.otlp.proto.http")

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Receiver:
    """A server that receives metrics and traces by OTLP over HTTP."""

    def __init__(self):
        self.requests = {"/v1/metrics": [], "/v1/traces": []}
        self.came = threading.Event()
        self.status = 200
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if receiver.status == 200:
                    receiver.requests[self.path].append(body)
                    receiver.came.set()
                self.send_response(receiver.status)
                self.end_headers()

            def log_message(self, *args): ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=[0.01], daemon=True).start()

    def exports(self):
        """Return the metrics of each request: data points by metric and attributes."""
        return [metrics_of(body) for body in self.requests["/v1/metrics"]]

    def spans(self):
        """Return the received spans by name; each name must occur once."""
        found = {}
        for body in self.requests["/v1/traces"]:
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    assert scope.scope.name == "smartcollect"
                    for span in scope.spans:
                        assert span.name not in found
                        found[span.name] = span
        return found


def metrics_of(body):
    """Return the metrics of a request: by name, the data and the points by attributes."""
    metrics = {}
    for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                data = getattr(metric, metric.WhichOneof("data"))
                points = {tuple(values(point).values()): point for point in data.data_points}
                assert len(points) == len(data.data_points)
                metrics[metric.name] = metric.unit, data, points
    return metrics


def values(item):
    """Return the attributes of a span, an event or a data point."""
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in item.attributes}


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Run a receiver until the end of the block."""
    receiver = Receiver()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()


def new_shop(time):
    """Return a switcher with handlers that take the time that is passed to them."""
    sw = Switcher("shop").plug("collect", max_history=0)

    @sw
    def work(seconds=0.0):
        time.sleep(seconds)

    @sw
    def fail(seconds=0.0):
        time.sleep(seconds)
        raise KeyError("no such\udc80 item")

    @sw
    def order(*steps):
        for step, *args in steps:
            step(*args)

    sw.work, sw.fail, sw.order = work, fail, order
    return sw
