"""Names for OpenTelemetry: of smartcollect, its metrics and attributes."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version

from ...names import HandlerName
from ...storage.statistics import HandlerStats
from ...text import encodable

SCOPE = "smartcollect"
VERSION = version("smartcollect")
CALLS = "smartcollect.calls", "Calls that ended.", "{call}"
SELF_TIME = "smartcollect.self_time", "Time of calls outside other recorded calls.", "s"
DURATION = "smartcollect.call.duration", "Time of calls.", "s"
Attributes = dict[str, str]


def attributes_of(name: HandlerName) -> Attributes:
    """Return the attributes that identify a handler, as text that can be encoded."""
    switcher, handler = (encodable(part, "utf-8") for part in name)
    return {"smartcollect.switcher": switcher, "smartcollect.handler": handler}


def by_outcome(stats: HandlerStats) -> Iterator[tuple[int, Attributes]]:
    """Yield the number of calls and the attribute for each outcome."""
    yield stats.calls - stats.errors, {"smartcollect.outcome": "ok"}
    yield stats.errors, {"smartcollect.outcome": "error"}


def nanoseconds(value: float) -> int:
    """Return seconds in nanoseconds."""
    return round(value * 1e9)
