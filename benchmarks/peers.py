"""Other tools that record calls, each used as in its documentation."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import statsd
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client import Histogram
from smartswitch import BasePlugin, MethodEntry, Switcher


class NoOpPlugin(BasePlugin):  # type: ignore[misc]
    """A plugin of smartswitch that only passes calls on."""

    def wrap_handler(
        self, switch: Switcher, entry: MethodEntry, call_next: Callable[..., Any]
    ) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            return call_next(*args, **kwargs)

        return wrapped


class StraightforwardPlugin(BasePlugin):  # type: ignore[misc]
    """A straightforward collecting plugin, with a dict for each call and a lock."""

    def __init__(self, **config: Any) -> None:
        super().__init__(**config)
        self.lock = threading.Lock()
        self.entries: list[dict[str, Any]] = []

    def wrap_handler(
        self, switch: Switcher, entry: MethodEntry, call_next: Callable[..., Any]
    ) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            call = {
                "handler": entry.name,
                "switcher": switch.name,
                "timestamp": time.time(),
                "args": plain(args),
                "kwargs": plain(kwargs),
            }
            try:
                result = call_next(*args, **kwargs)
            except Exception as error:
                call["exception"] = {"type": type(error).__name__, "message": str(error)}
                raise
            else:
                call["result"] = plain(result)
                return result
            finally:
                call["elapsed"] = time.perf_counter() - start
                with self.lock:
                    self.entries.append(call)
                    del self.entries[:-1000]

        return wrapped


def plain(value: Any) -> Any:
    """Return ``value`` as JSON-able data."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else repr(value)


Switcher.register_plugin("noop", NoOpPlugin)
Switcher.register_plugin("straightforward", StraightforwardPlugin)


def prometheus(function: Callable[[int], int]) -> Callable[[int], int]:
    """Time ``function`` with a histogram of prometheus_client."""
    histogram = Histogram("handler_seconds", "seconds in a handler")
    timed: Callable[[int], int] = histogram.time()(function)
    return timed


def opentelemetry(function: Callable[[int], int]) -> Callable[[int], int]:
    """Wrap each call in an OpenTelemetry span without an exporter."""
    tracer = TracerProvider().get_tracer("benchmarks")

    def traced(number: int) -> int:
        with tracer.start_as_current_span("handler"):
            return function(number)

    return traced


def statsd_timer(function: Callable[[int], int]) -> Callable[[int], int]:
    """Send a statsd datagram for each call to a local port without a reader."""
    sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sink.bind(("127.0.0.1", 0))
    client = statsd.StatsClient("127.0.0.1", sink.getsockname()[1])
    timed: Callable[[int], int] = client.timer("handler")(function)
    timed.sink = sink  # type: ignore[attr-defined]  # keeps the socket open
    return timed
