"""Handler times of each test, as properties in pytest's JUnit file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smartcollect import HandlerName, HandlerStats


class Totals:
    """Statistics of one attempt of a test, added up over its phases."""

    def __init__(self) -> None:
        self._handlers: dict[HandlerName, HandlerStats] = {}

    def begin(self) -> None:
        """Start another attempt, of the same test or the next one."""
        self._handlers = {}

    def add(self, handlers: Mapping[HandlerName, HandlerStats]) -> None:
        """Add the statistics of a phase."""
        for name, stats in handlers.items():
            if name in self._handlers:
                self._handlers[name].merge(stats)
            else:
                self._handlers[name] = stats.copy()

    def write(self, report: Any) -> None:
        """Add the properties to the last report of an attempt."""
        if not self._handlers:
            return
        from smartcollect.text import one_line

        report.user_properties += [
            (
                # XML cannot contain control characters, not even escaped.
                f"smartcollect.{one_line(name.full)}",
                f"calls={stats.calls} errors={stats.errors} total_time={stats.total_time:.9f}",
            )
            for name, stats in sorted(self._handlers.items())
        ]
